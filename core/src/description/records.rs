//! Turns schemas with a `key` into record types, and body schemas into [`Shape`]s: where in a body records stand.

use std::collections::HashMap;

use serde_json::Value;

use super::outline::Outline;
use super::{FieldPath, RecordType, RecordTypeId, Shape};
use crate::canonical::{Canonical, KindId};
use crate::json::Pointer;
use crate::language::schema::{properties, property, type_names};
use crate::language::source::FILES;
use crate::language::{Diagnostic, Document, EXTENSION, Place, words};
use crate::table::{ColumnForm, Table, columns, table_name};

/// How deep schemas are looked into.
const DEPTH_MAX: usize = 32;

/// What record types are made from, gathered while bodies are walked.
pub(super) struct Records<'a> {
    document: &'a Document,
    outline: &'a Outline,
    drafts: Vec<Draft>,
    by_place: HashMap<Pointer, RecordTypeId>,
    /// Whether parts of the document could not be walked, so that what was not reached may be there.
    has_gaps: bool,
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

/// Where the walk is.
struct Way<'w> {
    /// The record around.
    parent: Option<RecordTypeId>,
    /// Whether there is a list between it and here.
    in_list: bool,
    /// The schemas on the way, which a schema that includes itself would meet again.
    schemas: &'w [Pointer],
}

impl<'a> Records<'a> {
    /// All record types of the document, none of them reached yet. `problems` are those of reading it.
    pub(super) fn new(document: &'a Document, outline: &'a Outline, problems: &mut Vec<Diagnostic>) -> Self {
        let has_gaps = !problems.is_empty();
        let mut records = Self { document, outline, drafts: Vec::new(), by_place: HashMap::new(), has_gaps };
        for (id, at) in (0..).map(RecordTypeId).zip(&outline.records) {
            let name = name_of(at).unwrap_or_else(|| {
                let problem = Diagnostic::at(document.key_place(&at.member(EXTENSION)), "this record has no name");
                problems.push(problem.hint("move its schema to `components/schemas` and refer to it from here"));
                String::new()
            });
            if let Some(other) = records.drafts.iter().find(|draft| draft.name == name && !name.is_empty()) {
                let problem = Diagnostic::at(document.key_place(at), format!("two records are called `{name}`"));
                problems.push(problem.related(document.key_place(&other.at), "the other one"));
            }
            records.by_place.insert(at.clone(), id);
            records.drafts.push(Draft { name, at: at.clone(), found: None, cut_out: Vec::new() });
        }
        records
    }

    /// The record type called `name`.
    pub(super) fn id(&self, name: &str) -> Option<RecordTypeId> {
        (0..).map(RecordTypeId).zip(&self.drafts).find(|(_, draft)| draft.name == name).map(|(id, _)| id)
    }

    /// The names of all record types.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.drafts.iter().map(|draft| draft.name.as_str())
    }

    /// Whether the schema at `at` is a record, or holds one.
    pub(super) fn is_record(&self, at: &Pointer) -> bool {
        self.document.resolve(at).is_some_and(|(at, _)| self.by_place.contains_key(&at))
    }

    /// The shape of a body, with the outermost record types in it.
    pub(super) fn body(&mut self, at: &Pointer, problems: &mut Vec<Diagnostic>) -> (Shape, Vec<RecordTypeId>) {
        let mut outermost = Vec::new();
        let way = Way { parent: None, in_list: false, schemas: &[] };
        let shape = self.shape(at, &way, &mut outermost, problems);
        (shape, outermost)
    }

    /// The record types, now that all bodies have been walked.
    pub(super) fn finish(
        self,
        partner: &str,
        canonical: &Canonical,
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<RecordType> {
        for draft in self.drafts.iter().filter(|draft| draft.found.is_none() && !self.has_gaps) {
            let place = self.document.key_place(&draft.at);
            let problem = Diagnostic::at(place, format!("no body reaches the record `{}`", draft.name));
            problems.push(problem.hint("refer to it from the body of an operation, or drop its `key`"));
        }
        self.drafts.iter().map(|draft| self.record_type(draft, partner, canonical, problems)).collect()
    }

    fn shape(
        &mut self,
        at: &Pointer,
        way: &Way<'_>,
        outermost: &mut Vec<RecordTypeId>,
        problems: &mut Vec<Diagnostic>,
    ) -> Shape {
        let Some((here, schema)) = self.document.resolve(at) else { return Shape::Plain };
        if way.schemas.contains(&here) || way.schemas.len() > DEPTH_MAX {
            if self.by_place.contains_key(&here) {
                let place = self.document.reference_place(at);
                problems.push(Diagnostic::at(place, "not supported yet: a record that is nested in itself"));
            }
            return Shape::Plain;
        }
        let schemas: Vec<_> = way.schemas.iter().cloned().chain([here.clone()]).collect();
        let id = self.by_place.get(&here).copied();
        if let Some(id) = id {
            self.found(id, at, way, problems);
            if way.parent.is_none() && !outermost.contains(&id) {
                outermost.push(id);
            }
        }
        self.refuse_hidden_records(&here, schema, problems);
        let inner = Way { parent: id.or(way.parent), in_list: id.is_none() && way.in_list, schemas: &schemas };
        let members = self.members(&here, &inner, outermost, problems);
        if let Some(id) = id {
            return Shape::Record(id, members);
        }
        if schema.get("items").is_some() {
            let inner = Way { in_list: true, ..inner };
            let items = self.shape(&here.member("items"), &inner, outermost, problems);
            let unordered = self.outline.schema(self.document, at).unordered == Some(true);
            return match items {
                items if unordered => Shape::Unordered(Box::new(items)),
                Shape::Plain => Shape::Plain,
                items => Shape::List(Box::new(items)),
            };
        }
        if members.is_empty() { Shape::Plain } else { Shape::Object(members) }
    }

    /// The members worth looking into.
    fn members(
        &mut self,
        at: &Pointer,
        way: &Way<'_>,
        outermost: &mut Vec<RecordTypeId>,
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<(String, Shape)> {
        let mut members = Vec::new();
        for property in properties(self.document, at) {
            let shape = self.shape(&property.at, way, outermost, problems);
            if let (Some(RecordTypeId(id)), true) = (self.by_place.get(at), is_cut_out(&shape)) {
                self.drafts[usize::from(*id)].cut_out.push(property.name.clone());
            }
            if shape != Shape::Plain {
                members.push((property.name, shape));
            }
        }
        members
    }

    /// Notes that a record was reached, and refuses to reach it in two ways.
    fn found(&mut self, id: RecordTypeId, at: &Pointer, way: &Way<'_>, problems: &mut Vec<Diagnostic>) {
        let keys = self.outline.schema(self.document, at);
        let draft = &mut self.drafts[usize::from(id.0)];
        let single = keys.key.is_some_and(|key| key.as_slice().is_empty());
        if single && way.in_list {
            let place = self.document.place(&draft.at.member(EXTENSION).member("key"));
            let problem = Diagnostic::at(place, "`[]` means that there is exactly one, and this record is in a list");
            let here = self.document.reference_place(at);
            problems.push(problem.related(here, "here").hint("name the field that identifies it"));
        }
        match &draft.found {
            None => draft.found = Some((way.parent, at.clone())),
            Some((parent, first)) if *parent != way.parent => {
                let problem = format!("`{}` is nested in different records, so that `parent` is ambiguous", draft.name);
                let problem = Diagnostic::at(self.document.reference_place(at), problem);
                problems.push(problem.related(self.document.reference_place(first), "nested differently here"));
            }
            Some(_) => {}
        }
    }

    /// Records under words that say "perhaps" cannot be cut out yet.
    fn refuse_hidden_records(&mut self, at: &Pointer, schema: &Value, problems: &mut Vec<Diagnostic>) {
        let mut found = false;
        for word in ["oneOf", "anyOf", "if", "then", "else", "not", "prefixItems", "contains", "additionalProperties"] {
            let Some(value) = schema.get(word) else { continue };
            let inner = at.member(word);
            let branches = match value {
                Value::Array(items) => (0..items.len()).map(|nth| inner.item(nth)).collect(),
                _ => vec![inner],
            };
            for branch in branches.iter().filter(|branch| self.holds_record(branch, 0)) {
                let place = self.document.reference_place(branch);
                problems.push(Diagnostic::at(place, format!("not supported yet: a record under `{word}`")));
                found = true;
            }
        }
        self.has_gaps |= found;
    }

    fn holds_record(&self, at: &Pointer, depth: usize) -> bool {
        let Some((at, schema)) = self.document.resolve(at).filter(|_| depth < DEPTH_MAX) else { return false };
        let inner = words::subschemas(&at, schema);
        self.by_place.contains_key(&at) || inner.iter().any(|inner| self.holds_record(inner, depth + 1))
    }

    fn record_type(
        &self,
        draft: &Draft,
        partner: &str,
        canonical: &Canonical,
        problems: &mut Vec<Diagnostic>,
    ) -> RecordType {
        let keys = self.outline.schema(self.document, &draft.at);
        let at = |word: &str| draft.at.member(EXTENSION).member(word);
        let key = keys.key.as_ref().map_or(&[][..], |key| key.as_slice());
        let single = key.len() == 1 && self.document.get(&at("key")).is_some_and(Value::is_string);
        let place = |word: &str, nth: usize| if single && word == "key" { at(word) } else { at(word).item(nth) };
        let known = |path: &str| draft.found.is_some() || !path.starts_with("parent");
        let key = key.iter().enumerate().filter(|(_, path)| known(path)).filter_map(|(nth, path)| {
            let place = self.document.place(&place("key", nth));
            self.key_field(draft, path, &place).inspect_err(|problem| problems.push(problem.clone())).ok()
        });
        let key: Vec<_> = key.collect();
        let with = keys.with.iter().flatten().enumerate().filter(|(_, path)| known(path)).filter_map(|(nth, path)| {
            let place = self.document.place(&place("with", nth));
            self.with_field(draft, path, &place).inspect_err(|problem| problems.push(problem.clone())).ok()
        });
        let with: Vec<_> = with.collect();
        let kinds = keys.kinds.iter().flatten().enumerate().filter_map(|(nth, kind)| {
            let place = self.document.place(&place("kinds", nth));
            known_kind(canonical, kind, place).inspect_err(|problem| problems.push(problem.clone())).ok()
        });
        let kinds: Vec<_> = kinds.collect();
        let own = properties(self.document, &draft.at);
        let own = own.iter().filter(|property| !draft.cut_out.contains(&property.name));
        let columns = columns(own.map(|property| (property.name.as_str(), self.column_form(&property.at))));
        RecordType {
            name: draft.name.clone(),
            key,
            parent: draft.found.as_ref().and_then(|(parent, _)| *parent),
            with,
            kinds,
            table: Table { name: table_name(&["record", partner, &draft.name]), columns },
            ..RecordType::default()
        }
    }

    /// A key's field: there, required on the whole way, and text or an integer.
    fn key_field(&self, draft: &Draft, path: &str, place: &Place) -> Result<FieldPath, Diagnostic> {
        let (field, at, required) = self.field(draft, path, place)?;
        let schema = self.document.get(&at).unwrap_or(&Value::Null);
        let refuse = |problem: String| {
            Diagnostic::at(place.clone(), problem).related(self.document.key_place(&at), "the field stands here")
        };
        if !matches!(type_names(schema).as_slice(), ["string" | "integer"]) {
            return Err(refuse(format!("the key `{path}` is neither text nor an integer")));
        }
        if !required {
            return Err(refuse(format!("the key `{path}` may be absent")).hint("add it to `required`"));
        }
        Ok(field)
    }

    /// A field of an ancestor that travels with the record.
    fn with_field(&self, draft: &Draft, path: &str, place: &Place) -> Result<FieldPath, Diagnostic> {
        let (field, at, _) = self.field(draft, path, place)?;
        if field.up == 0 {
            let problem = Diagnostic::at(place.clone(), format!("`{path}` is the record's own and needs no `with`"));
            return Err(problem.hint(format!("did you mean `parent.{path}`?")));
        }
        if self.holds_record(&at, 0) {
            return Err(Diagnostic::at(place.clone(), format!("`{path}` holds records, which do not travel")));
        }
        Ok(field)
    }

    /// What `parent.parent.name` names: how far up, which way down, where it is declared, and whether it is always
    /// there.
    fn field(&self, draft: &Draft, path: &str, place: &Place) -> Result<(FieldPath, Pointer, bool), Diagnostic> {
        let steps: Vec<_> = path.split('.').collect();
        let up = steps.iter().take_while(|step| **step == "parent").count();
        let mut record = draft;
        for _ in 0..up {
            let parent = record.found.as_ref().and_then(|(parent, _)| *parent);
            let Some(RecordTypeId(parent)) = parent else {
                let problem = format!("`{path}` goes up from `{}`, which is nested in no record", record.name);
                return Err(Diagnostic::at(place.clone(), problem));
            };
            record = &self.drafts[usize::from(parent)];
        }
        let (mut at, mut required) = (record.at.clone(), true);
        for step in &steps[up..] {
            let Some(found) = property(self.document, &at, step) else {
                let known = properties(self.document, &at);
                let problem = Diagnostic::at(place.clone(), format!("there is no field `{step}` in `{}`", record.name));
                return Err(problem.did_you_mean(step, known.iter().map(|property| property.name.as_str())));
            };
            required &= found.required;
            at = self.document.resolve(&found.at).map_or(found.at, |(at, _)| at);
        }
        if steps.len() == up {
            return Err(Diagnostic::at(place.clone(), format!("`{path}` names a record, not a field of it")));
        }
        let path = steps[up..].iter().map(|&step| step.to_owned()).collect();
        Ok((FieldPath { up, path }, at, required))
    }

    fn column_form(&self, at: &Pointer) -> ColumnForm {
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

/// Whether a member of this shape consists of records only.
fn is_cut_out(shape: &Shape) -> bool {
    match shape {
        Shape::Record(..) => true,
        Shape::List(items) | Shape::Unordered(items) | Shape::Changed(_, items) => is_cut_out(items),
        Shape::Either(one, other) => is_cut_out(one) && is_cut_out(other),
        Shape::Plain | Shape::Object(_) | Shape::Marked(..) | Shape::Key(_) => false,
    }
}

fn known_kind(canonical: &Canonical, kind: &str, place: Place) -> Result<KindId, Diagnostic> {
    canonical.id(kind).ok_or_else(|| {
        let known = canonical.kinds().iter().map(|kind| kind.name.as_str());
        Diagnostic::at(place, format!("there is no kind of entity `{kind}`")).did_you_mean(kind, known)
    })
}
