//! Turns body schemas into [`Shape`]s: where in a body records stand, and how it says that they are changed.

use serde_json::Value;

use super::{DEPTH_MAX, Records};
use crate::description::findings::Findings;
use crate::description::{Change, RecordTypeId, Shape};
use crate::json::Pointer;
use crate::language::schema::{Property, properties, property, type_names};
use crate::language::{Diagnostic, EXTENSION, keys};

/// What a body holds, as far as records go.
#[derive(Debug)]
pub(in crate::description) struct Contents {
    /// Where records stand.
    pub(in crate::description) shape: Shape,
    /// The record types that are nested in no other.
    pub(in crate::description) outermost: Vec<RecordTypeId>,
    /// All record types that stand in it whole.
    pub(in crate::description) reached: Vec<RecordTypeId>,
}

/// Whether a body may say how its records are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::description) enum Marks {
    /// It may.
    Taken,
    /// It is all there is, or nothing that changes records.
    Refused,
}

/// Walks one body.
struct Walk<'r, 'a, 'f, 'p> {
    records: &'r mut Records<'a>,
    findings: &'f mut Findings<'p>,
    marks: Marks,
    contents: Contents,
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct Way<'w> {
    /// The record around.
    parent: Option<RecordTypeId>,
    /// Whether there is a list between it and here.
    in_list: bool,
    /// What says how the records here are changed.
    mark: Option<Mark<'w>>,
    /// The schemas on the way, which a schema that includes itself would meet again.
    schemas: &'w [Pointer],
}

/// A word that says how records are changed: where it stands, and what it says if it always says the same.
#[derive(Clone, Copy)]
struct Mark<'w> {
    word: &'w Pointer,
    change: Option<Change>,
}

/// What tells alternatives apart.
#[derive(PartialEq, Eq)]
enum Form {
    List,
    Object,
}

impl Default for Contents {
    fn default() -> Self {
        Self { shape: Shape::Plain, outermost: Vec::new(), reached: Vec::new() }
    }
}

impl Records<'_> {
    /// What the body that is described at `at` holds.
    pub(in crate::description) fn contents(
        &mut self,
        at: &Pointer,
        marks: Marks,
        findings: &mut Findings<'_>,
    ) -> Contents {
        let mut walk = Walk { records: self, findings, marks, contents: Contents::default() };
        let shape = walk.shape(at, &Way { parent: None, in_list: false, mark: None, schemas: &[] });
        Contents { shape, ..walk.contents }
    }
}

impl Walk<'_, '_, '_, '_> {
    fn shape(&mut self, at: &Pointer, way: &Way<'_>) -> Shape {
        let Some(change) = self.keys(at).change else { return self.unmarked(at, way) };
        let word = self.records.outline.word(self.records.document, at, "change");
        self.mark(&word, way);
        let found = self.findings.problems.len();
        let shape = self.unmarked(at, &Way { mark: Some(Mark { word: &word, change: Some(change) }), ..*way });
        if !shape.holds_records() && self.findings.problems.len() == found {
            let place = self.records.document.key_place(&word);
            self.findings.report(Diagnostic::at(place, "nothing here is a record that could be changed"));
        }
        Shape::Changed(change, Box::new(shape))
    }

    /// Notes that `word` says how records are changed, which it may say once, around records, in a merge.
    fn mark(&mut self, word: &Pointer, way: &Way<'_>) {
        self.findings.understand(word.clone());
        let place = |at: &Pointer| self.records.document.key_place(at);
        let name = if word.as_str().ends_with("/use") { "use: change" } else { "change" };
        let problem = match (self.marks, way.parent, way.mark) {
            (Marks::Refused, _, _) => {
                let problem = Diagnostic::at(place(word), format!("`{name}` stands in the body of a `merge` only"));
                problem.hint("what a snapshot does not hold is removed; there is nothing to say about single records")
            }
            (_, Some(_), _) => Diagnostic::at(place(word), format!("`{name}` stands around records, not in one")),
            (_, _, Some(other)) => Diagnostic::at(place(word), "two words say how these records are changed")
                .related(place(other.word), "the other one"),
            (Marks::Taken, None, None) => return,
        };
        self.findings.report(problem);
    }

    fn unmarked(&mut self, at: &Pointer, way: &Way<'_>) -> Shape {
        let document = self.records.document;
        let Some((here, schema)) = document.resolve(at) else { return Shape::Plain };
        if way.schemas.contains(&here) || way.schemas.len() > DEPTH_MAX {
            if self.records.by_place.contains_key(&here) {
                let place = document.reference_place(at);
                self.findings.report(Diagnostic::at(place, "not supported yet: a record that is nested in itself"));
            }
            return Shape::Plain;
        }
        if let Some(key) = self.key(at, schema, way) {
            return key;
        }
        let schemas: Vec<_> = way.schemas.iter().cloned().chain([here.clone()]).collect();
        let id = self.records.by_place.get(&here).copied();
        if let Some(id) = id {
            self.found(id, at, way);
        }
        let inner =
            Way { parent: id.or(way.parent), in_list: id.is_none() && way.in_list, mark: way.mark, schemas: &schemas };
        if let (Some((list, object)), None) = (self.alternatives(&here, schema), id) {
            return Shape::Either(Box::new(self.shape(&list, &inner)), Box::new(self.shape(&object, &inner)));
        }
        self.refuse_hidden_records(&here, schema);
        if schema.get("items").is_some() && id.is_none() {
            let unordered = self.keys(at).unordered == Some(true);
            return self.list(&here.member("items"), &Way { in_list: true, ..inner }, unordered);
        }
        match id {
            Some(id) => Shape::Record(id, self.members(&here, &inner)),
            None => self.object(&here, &inner),
        }
    }

    fn list(&mut self, items: &Pointer, way: &Way<'_>, unordered: bool) -> Shape {
        match self.shape(items, way) {
            items if unordered => Shape::Unordered(Box::new(items)),
            Shape::Plain => Shape::Plain,
            items => Shape::List(Box::new(items)),
        }
    }

    /// An object that is no record, with the member that says how the records in it are changed, if one does.
    fn object(&mut self, here: &Pointer, way: &Way<'_>) -> Shape {
        let members = properties(self.records.document, here);
        let mark = members.into_iter().find(|member| self.keys(&member.at).role == Some(keys::Role::Change));
        let Some(mark) = mark.filter(|_| way.parent.is_none()) else {
            let members = self.members(here, way);
            return if members.is_empty() { Shape::Plain } else { Shape::Object(members) };
        };
        let word = self.records.outline.word(self.records.document, &mark.at, "use");
        self.mark(&word, way);
        self.check_mark(&mark, &word);
        let members = self.members(here, &Way { mark: Some(Mark { word: &word, change: None }), ..*way });
        if !members.iter().any(|(_, shape)| shape.holds_records()) {
            let place = self.records.document.key_place(&word);
            self.findings.report(Diagnostic::at(place, "nothing beside it is a record that could be changed"));
        }
        Shape::Marked(mark.name, Box::new(Shape::Object(members)))
    }

    /// A member that says how records are changed is always there, and says nothing else.
    fn check_mark(&mut self, mark: &Property, word: &Pointer) {
        let document = self.records.document;
        let Some((_, schema)) = document.resolve(&mark.at) else { return };
        let words = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice);
        let words = words.or_else(|| schema.get("const").map(std::slice::from_ref)).unwrap_or_default();
        let is_change = |word: &Value| serde_json::from_value::<Change>(word.clone()).is_ok();
        if words.is_empty() || !words.iter().all(is_change) {
            let problem = Diagnostic::at(document.key_place(word), "its words are not those of a change");
            self.findings.report(problem.hint("add `enum: [insert, update, delete]`, or those of them that there are"));
        }
        if !mark.required {
            let problem = format!("`{}` says how records are changed and may be absent", mark.name);
            let problem = Diagnostic::at(document.key_place(&mark.at), problem);
            self.findings.report(problem.hint("add it to `required`"));
        }
    }

    /// A record's key alone, bare: what is to be deleted.
    fn key(&mut self, at: &Pointer, schema: &Value, way: &Way<'_>) -> Option<Shape> {
        let refers = self.keys(at).refers.filter(|_| way.parent.is_none())?;
        let mark = way.mark?;
        let document = self.records.document;
        let word = self.records.outline.word(document, at, "ref");
        self.findings.understand(word.clone());
        if mark.change != Some(Change::Delete) {
            let problem = Diagnostic::at(document.key_place(&word), "a bare key can only be deleted");
            let problem = problem.related(document.key_place(mark.word), "these records are changed so");
            self.findings.report(problem.hint("`change: delete` belongs around it"));
        }
        let keys::Refers::To(name) = &refers else {
            let place = document.place(&word);
            self.findings.report(Diagnostic::at(place, "a bare key names its record: `ref: Record`"));
            return None;
        };
        let id = self.records.named(name, document.place(&word), self.findings)?;
        if self.records.bare_key(id).is_none_or(|types| types != type_names(schema)) {
            let problem = format!("this cannot be a key of `{name}`");
            let problem = Diagnostic::at(document.place(&word), problem);
            let its_key =
                document.key_place(&self.records.drafts[usize::from(id.0)].at.member(EXTENSION).member("key"));
            self.findings.report(problem.related(its_key, "a bare key is one field, and of its type"));
        }
        self.outermost(id);
        Some(Shape::Key(id))
    }

    /// The members worth looking into.
    fn members(&mut self, at: &Pointer, way: &Way<'_>) -> Vec<(String, Shape)> {
        let mut members = Vec::new();
        for property in properties(self.records.document, at) {
            let shape = self.shape(&property.at, way);
            if let (Some(RecordTypeId(id)), true) = (self.records.by_place.get(at), is_cut_out(&shape)) {
                let cut_out = &mut self.records.drafts[usize::from(*id)].cut_out;
                if !cut_out.contains(&property.name) {
                    cut_out.push(property.name.clone());
                }
            }
            if shape != Shape::Plain {
                members.push((property.name, shape));
            }
        }
        members
    }

    fn outermost(&mut self, id: RecordTypeId) {
        if !self.contents.outermost.contains(&id) {
            self.contents.outermost.push(id);
        }
    }

    /// Notes that a record was reached, and refuses to reach it in two ways.
    fn found(&mut self, id: RecordTypeId, at: &Pointer, way: &Way<'_>) {
        if way.parent.is_none() {
            self.outermost(id);
        }
        if !self.contents.reached.contains(&id) {
            self.contents.reached.push(id);
        }
        let document = self.records.document;
        let keys = self.keys(at);
        let draft = &mut self.records.drafts[usize::from(id.0)];
        let single = keys.key.is_some_and(|key| key.as_slice().is_empty());
        if single && way.in_list {
            let place = document.place(&draft.at.member(EXTENSION).member("key"));
            let problem = Diagnostic::at(place, "`[]` means that there is exactly one, and this record is in a list");
            let here = document.reference_place(at);
            self.findings.report(problem.related(here, "here").hint("name the field that identifies it"));
        }
        match &draft.found {
            None => draft.found = Some((way.parent, at.clone())),
            Some((parent, first)) if *parent != way.parent => {
                let problem = format!("`{}` is nested in different records, so that `parent` is ambiguous", draft.name);
                let problem = Diagnostic::at(document.reference_place(at), problem);
                self.findings.report(problem.related(document.reference_place(first), "nested differently here"));
            }
            Some(_) => {}
        }
    }

    /// A list and an object of which a value is one, if records stand in them: those are told apart by JSON's own types.
    fn alternatives(&self, here: &Pointer, schema: &Value) -> Option<(Pointer, Pointer)> {
        let at = here.member("oneOf");
        let branches: Vec<_> = (0..schema.get("oneOf")?.as_array()?.len()).map(|nth| at.item(nth)).collect();
        let beside = ["properties", "allOf", "items"].iter().any(|word| schema.get(*word).is_some());
        let [one, other] = branches.as_slice() else { return None };
        if beside || !branches.iter().any(|branch| self.records.holds_record(branch, 0)) {
            return None;
        }
        match (self.form(one)?, self.form(other)?) {
            (Form::List, Form::Object) => Some((one.clone(), other.clone())),
            (Form::Object, Form::List) => Some((other.clone(), one.clone())),
            _ => None,
        }
    }

    fn form(&self, at: &Pointer) -> Option<Form> {
        let (_, schema) = self.records.document.resolve(at)?;
        match type_names(schema).as_slice() {
            ["array"] => Some(Form::List),
            ["object"] => Some(Form::Object),
            [] if schema.get("items").is_some() => Some(Form::List),
            [] if schema.get("properties").is_some() => Some(Form::Object),
            _ => None,
        }
    }

    /// Records under words that say "perhaps" cannot be cut out yet.
    fn refuse_hidden_records(&mut self, at: &Pointer, schema: &Value) {
        for word in ["oneOf", "anyOf", "if", "then", "else", "not", "prefixItems", "contains", "additionalProperties"] {
            let Some(value) = schema.get(word) else { continue };
            let inner = at.member(word);
            let branches = match value {
                Value::Array(items) => (0..items.len()).map(|nth| inner.item(nth)).collect(),
                _ => vec![inner],
            };
            for branch in branches.iter().filter(|branch| self.records.holds_record(branch, 0)) {
                let place = self.records.document.reference_place(branch);
                let problem = Diagnostic::at(place, format!("not supported yet: a record under `{word}`"));
                self.findings.report(match word {
                    "oneOf" => problem.hint("supported is `oneOf` of a list and an object, and nothing beside it"),
                    _ => problem,
                });
            }
        }
    }

    fn keys(&self, at: &Pointer) -> keys::Schema {
        self.records.outline.schema(self.records.document, at)
    }
}

impl Records<'_> {
    /// The types of a record's key, if that is a single field of its own.
    pub(super) fn bare_key(&self, id: RecordTypeId) -> Option<Vec<&str>> {
        let draft = &self.drafts[usize::from(id.0)];
        let key = self.outline.schema(self.document, &draft.at).key?;
        let [field] = key.as_slice() else { return None };
        let field = property(self.document, &draft.at, field)?;
        Some(type_names(self.document.resolve(&field.at)?.1))
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

impl Shape {
    /// Whether records, or keys of records, stand somewhere in a place of this shape.
    pub(crate) fn holds_records(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Record(..) | Self::Key(_) => true,
            Self::List(inner) | Self::Unordered(inner) | Self::Changed(_, inner) | Self::Marked(_, inner) => {
                inner.holds_records()
            }
            Self::Either(one, other) => one.holds_records() || other.holds_records(),
            Self::Object(members) => members.iter().any(|(_, shape)| shape.holds_records()),
        }
    }
}
