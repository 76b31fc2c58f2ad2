//! Turns schemas with a `key` into record types.

mod blank;
mod computed;
mod derived;
mod fields;
mod fresh;
mod functions;
mod indexes;
mod members;
mod references;
mod rows;
mod rules;
mod shapes;
mod stored;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

pub(super) use self::shapes::{Contents, Marks};
use super::expression::Type;
use super::findings::Findings;
use super::outline::Outline;
use super::{RecordType, RecordTypeId};
use crate::canonical::{Canonical, KindId};
use crate::json::Pointer;
use crate::language::schema::{properties, type_names};
use crate::language::source::FILES;
use crate::language::{Diagnostic, Document, EXTENSION, Place, words};
use crate::table::{ColumnForm, Table, columns, table_name};
use crate::validate::Schema;

/// How deep schemas are looked into.
const DEPTH_MAX: usize = 32;

/// What record types are made from, gathered while bodies are walked.
pub(super) struct Records<'a> {
    document: &'a Document,
    outline: &'a Outline,
    drafts: Vec<Draft>,
    by_place: HashMap<Pointer, RecordTypeId>,
    /// The record types that snapshots and merges hold.
    held: BTreeSet<RecordTypeId>,
    /// What records look like to expressions, by type.
    rows: OnceCell<Vec<rows::Row>>,
}

/// A record type on its way.
struct Draft {
    name: String,
    at: Pointer,
    /// Where it was found first: what it is nested in, and the place that refers to it.
    found: Option<(Option<RecordTypeId>, Pointer)>,
    /// Its members that hold records and nothing else, which need no column.
    cut_out: Vec<String>,
}

impl<'a> Records<'a> {
    /// All record types of the document, none of them reached yet.
    pub(super) fn new(document: &'a Document, outline: &'a Outline, findings: &mut Findings<'_>) -> Self {
        let mut records = Self {
            document,
            outline,
            drafts: Vec::new(),
            by_place: HashMap::new(),
            held: BTreeSet::new(),
            rows: OnceCell::new(),
        };
        for (id, at) in (0..).map(RecordTypeId).zip(&outline.records) {
            let name = name_of(at).unwrap_or_else(|| {
                let problem = Diagnostic::at(document.key_place(&at.member(EXTENSION)), "this record has no name");
                findings.report(problem.hint("move its schema to `components/schemas` and refer to it from here"));
                String::new()
            });
            if let Some(other) = records.drafts.iter().find(|draft| draft.name == name && !name.is_empty()) {
                let problem = Diagnostic::at(document.key_place(at), format!("two records are called `{name}`"));
                findings.report(problem.related(document.key_place(&other.at), "the other one"));
            }
            records.by_place.insert(at.clone(), id);
            records.drafts.push(Draft { name, at: at.clone(), found: None, cut_out: Vec::new() });
        }
        records.held = records.held(outline);
        records
    }

    /// All record types.
    fn ids(&self) -> impl Iterator<Item = RecordTypeId> + use<> {
        let number = u16::try_from(self.drafts.len()).unwrap_or(u16::MAX);
        (0..number).map(RecordTypeId)
    }

    /// The record type called `name`.
    pub(super) fn id(&self, name: &str) -> Option<RecordTypeId> {
        self.ids().zip(&self.drafts).find(|(_, draft)| draft.name == name).map(|(id, _)| id)
    }

    /// The names of all record types.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.drafts.iter().map(|draft| draft.name.as_str())
    }

    /// What a record type is called.
    pub(super) fn name(&self, id: RecordTypeId) -> &str {
        &self.drafts[usize::from(id.0)].name
    }

    /// The record type called `name`; a mistake at `place` where there is none.
    pub(super) fn named(&self, name: &str, place: Place, findings: &mut Findings<'_>) -> Option<RecordTypeId> {
        let id = self.id(name);
        if id.is_none() {
            let problem = Diagnostic::at(place, format!("there is no record `{name}`"));
            findings.report(problem.did_you_mean(name, self.names()));
        }
        id
    }

    /// Whether the schema at `at` is a record.
    pub(super) fn is_record(&self, at: &Pointer) -> bool {
        self.document.resolve(at).is_some_and(|(at, _)| self.by_place.contains_key(&at))
    }

    /// Where the schema of a record type stands.
    pub(super) fn place_of(&self, id: RecordTypeId) -> &Pointer {
        &self.drafts[usize::from(id.0)].at
    }

    /// Whether records of this type are nested in others.
    pub(super) fn is_nested(&self, id: RecordTypeId) -> bool {
        self.parent(id).is_some()
    }

    fn parent(&self, id: RecordTypeId) -> Option<RecordTypeId> {
        self.drafts[usize::from(id.0)].found.as_ref().and_then(|(parent, _)| *parent)
    }

    /// The record types, now that all bodies have been walked.
    pub(super) fn finish(self, partner: &str, canonical: &Canonical, findings: &mut Findings<'_>) -> Vec<RecordType> {
        let ids = self.ids().zip(&self.drafts);
        let types = ids.map(|(id, draft)| self.record_type(id, draft, partner, canonical, findings));
        let mut types: Vec<_> = types.collect();
        self.refuse_circles_of_derived(&types, findings);
        let mut all = Vec::new();
        for (id, draft) in self.ids().zip(&self.drafts) {
            let references = self.references(id, draft, &self.members(id, draft), findings);
            all.extend(references.into_iter().map(|(reference, place)| (id, reference, place)));
        }
        self.refuse_circles_of_references(&all, findings);
        for (RecordTypeId(id), reference, _) in all {
            types[usize::from(id)].references.push(reference);
        }
        let of_operator = self.of_operator();
        for ((id, draft), record) in self.ids().zip(&self.drafts).zip(&mut types) {
            if self.is_blank(id) {
                record.indexes = indexes::indexes(record);
            }
            if self.is_blank(id) && !of_operator.contains(&id) {
                self.refuse_nested_in_blank(id, draft, findings);
                self.check_key(id, draft, findings);
            }
            if !self.stands_alone(id) {
                self.refuse_words_of_nested(id, record, findings);
            }
        }
        types
    }

    /// Whether neither records of this type are nested in others, nor others in them.
    pub(super) fn stands_alone(&self, id: RecordTypeId) -> bool {
        let mut others = self.ids();
        !self.is_nested(id) && !others.any(|other| self.parent(other) == Some(id))
    }

    /// Words that are built for records that stand alone.
    fn refuse_words_of_nested(&self, id: RecordTypeId, record: &RecordType, findings: &mut Findings<'_>) {
        let words = [
            ("`rules`", !record.rules.is_empty() || !record.singles.is_empty()),
            ("references", !record.references.is_empty()),
            ("`as`", !record.aliases.is_empty()),
            ("`value` with `at`", !record.computed.is_empty()),
            ("`delete: items`", !record.piecemeal.is_empty()),
            ("`changes`", !record.changes.is_empty()),
        ];
        let place = self.document.key_place(&self.place_of(id).member(EXTENSION).member("key"));
        for (word, _) in words.iter().filter(|(_, used)| *used) {
            let problem = format!("not supported yet: {word} of records that are nested in one another");
            findings.report(Diagnostic::at(place.clone(), problem));
        }
    }

    fn holds_record(&self, at: &Pointer, depth: usize) -> bool {
        let Some((at, schema)) = self.document.resolve(at).filter(|_| depth < DEPTH_MAX) else { return false };
        let inner = words::subschemas(&at, schema);
        self.by_place.contains_key(&at) || inner.iter().any(|inner| self.holds_record(inner, depth + 1))
    }

    fn record_type(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        partner: &str,
        canonical: &Canonical,
        findings: &mut Findings<'_>,
    ) -> RecordType {
        let keys = self.outline.schema(self.document, &draft.at);
        let at = |word: &str| draft.at.member(EXTENSION).member(word);
        let key = keys.key.as_ref().map_or(&[][..], |key| key.as_slice());
        let single = key.len() == 1 && self.document.get(&at("key")).is_some_and(Value::is_string);
        let place = |word: &str, nth: usize| if single && word == "key" { at(word) } else { at(word).item(nth) };
        // What should have led to this record may be among what is wrong already.
        let is_reached = draft.found.is_some() || findings.problems.is_empty();
        let known = |path: &str| is_reached || !path.starts_with("parent");
        let key = key.iter().enumerate().filter(|(_, path)| known(path)).filter_map(|(nth, path)| {
            let place = self.document.place(&place("key", nth));
            self.key_field(draft, path, &place).inspect_err(|problem| findings.report(problem.clone())).ok()
        });
        let key: Vec<_> = key.collect();
        let with = keys.with.iter().flatten().enumerate().filter(|(_, path)| known(path)).filter_map(|(nth, path)| {
            let place = self.document.place(&place("with", nth));
            self.with_field(draft, path, &place).inspect_err(|problem| findings.report(problem.clone())).ok()
        });
        let with: Vec<_> = with.collect();
        let kinds = keys.kinds.iter().flatten().enumerate().filter_map(|(nth, kind)| {
            let place = self.document.place(&place("kinds", nth));
            known_kind(canonical, kind, place).inspect_err(|problem| findings.report(problem.clone())).ok()
        });
        let kinds: Vec<_> = kinds.collect();
        let members = self.members(id, draft);
        let derived = self.derived_names(id);
        let is_blank = self.is_blank(id);
        let counted = if is_blank { self.counted(&members, findings) } else { Vec::new() };
        let aliases = self.aliases(&members, findings);
        let is_alias = |name: &String| aliases.iter().any(|(sent, _)| sent == name);
        let own = properties(self.document, &draft.at);
        let has_column = |name: &String| !draft.cut_out.contains(name) && !is_alias(name) && !derived.contains(name);
        let own = own.iter().filter(|property| has_column(&property.name));
        let columns = columns(own.map(|property| (property.name.as_str(), self.column_form(&property.at, is_blank))));
        findings.understand(at("changes"));
        let (rules, singles) = self.rules(id, draft, findings);
        RecordType {
            name: draft.name.clone(),
            key,
            parent: self.parent(id),
            with,
            kinds,
            table: Table { name: table_name(&["record", partner, &draft.name]), columns },
            kept: 0,
            schema: self.schema(id, draft, &derived, findings),
            computed: self.computed(id, draft, &members, &counted, findings),
            piecemeal: self.piecemeal(&members, findings),
            changes: keys.changes.clone().unwrap_or_default(),
            singles,
            rules,
            references: Vec::new(),
            keying: self.keying(id, draft),
            blank: is_blank,
            derived: self.derived(id, &members, findings),
            defaults: if is_blank { self.defaults(&members, findings) } else { serde_json::Map::new() },
            counted,
            indexes: Vec::new(),
            aliases,
        }
    }

    /// What a record must look like by itself, where neither it is nested in another nor another in it.
    fn schema(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        derived: &BTreeSet<String>,
        findings: &mut Findings<'_>,
    ) -> Schema {
        if !self.stands_alone(id) {
            return Schema::default();
        }
        let schema = if self.is_blank(id) {
            Schema::compile(&stored::stored(self.document, &draft.at, derived), "")
        } else {
            Schema::compile(self.document.root(), draft.at.as_str())
        };
        schema.unwrap_or_else(|reason| {
            // What is wrong with a schema has been said already, better; only if nothing has, this is all there is.
            if findings.problems.is_empty() {
                let place = self.document.key_place(&draft.at);
                findings.report(Diagnostic::at(place, format!("not a schema: {reason}")));
            }
            Schema::default()
        })
    }

    fn column_form(&self, at: &Pointer, is_blank: bool) -> ColumnForm {
        if is_blank {
            return blank_column_form(&Type::of_schema(self.document, at));
        }
        let Some((_, schema)) = self.document.resolve(at) else { return ColumnForm::Json };
        match type_names(schema).as_slice() {
            ["string"] => ColumnForm::Text,
            ["integer"] => ColumnForm::Integer,
            ["number"] => ColumnForm::Number,
            ["boolean"] => ColumnForm::Boolean,
            // `null` is a value that a typed column could not tell from an absent one.
            _ => ColumnForm::Json,
        }
    }
}

/// The column of a member that is never `null`, because that is as good as absent.
fn blank_column_form(of: &Type) -> ColumnForm {
    match of.unwrapped() {
        Type::Text => ColumnForm::Text,
        Type::Integer => ColumnForm::Integer,
        Type::Number => ColumnForm::Number,
        Type::Boolean => ColumnForm::Boolean,
        _ => ColumnForm::Json,
    }
}

/// A record's name: that of its schema under `components/schemas`, or in or of a file beside.
fn name_of(at: &Pointer) -> Option<String> {
    let steps: Vec<_> = at.steps().map(std::borrow::Cow::into_owned).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    match steps.as_slice() {
        ["components", "schemas", name] => Some((*name).to_owned()),
        [files, file] if *files == FILES => {
            std::path::Path::new(file).file_stem().and_then(|stem| stem.to_str()).map(str::to_owned)
        }
        [files, _, .., name] if *files == FILES => Some((*name).to_owned()),
        _ => None,
    }
}

fn known_kind(canonical: &Canonical, kind: &str, place: Place) -> Result<KindId, Diagnostic> {
    canonical.id(kind).ok_or_else(|| {
        let known = canonical.kinds().iter().map(|kind| kind.name.as_str());
        Diagnostic::at(place, format!("there is no kind of entity `{kind}`")).did_you_mean(kind, known)
    })
}
