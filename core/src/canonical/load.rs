//! Reads `schemas/canonical/*.yaml`. A file whose root says `x-rollcall: {kind, plural}` is a kind; other files hold
//! what kinds share and count only where a kind refers to them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Canonical, Field, Form, Join, Kind, KindId, NestedReference, TextRule};
use crate::digest::Digest;
use crate::json::Pointer;
use crate::language::keys::{CanonicalField, CanonicalKind};
use crate::language::schema::{self, Property};
use crate::language::source::reference;
use crate::language::{Diagnostic, Document, EXTENSION, Grammar, words};
use crate::table::{Table, columns, table_name};
use crate::validate::Schema;

/// How deep schemas are looked into: they may refer to themselves.
const DEPTH_MAX: usize = 16;

impl Canonical {
    /// Reads all kinds from a folder, or says everything that is wrong with them.
    pub fn load(folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let drafts: Vec<_> =
            yaml_files(folder, &mut problems).iter().filter_map(|path| Draft::read(path, &mut problems)).collect();
        let ids = (0..).map(KindId).zip(&drafts);
        let by_name: HashMap<_, _> = ids.map(|(id, draft)| (draft.keys.kind.clone(), id)).collect();
        let digests: Vec<_> = drafts.iter().map(|draft| draft.document.digest()).collect();
        let digest = Digest::of_parts(digests.iter().map(|digest| digest.as_bytes().as_slice()));
        let kinds = drafts.into_iter().map(|draft| draft.kind(&by_name, &mut problems)).collect();
        if problems.is_empty() { Ok(Self::from_kinds(kinds, digest)) } else { Err(problems) }
    }
}

/// The folder's YAML files, by name.
fn yaml_files(folder: &Path, problems: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(Diagnostic::of_file(folder, format!("cannot be read: {}", error.kind())));
            return Vec::new();
        }
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    paths.sort();
    paths
}

/// A file that says which kind it is.
struct Draft {
    document: Document,
    keys: CanonicalKind,
}

impl Draft {
    fn read(path: &Path, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let document = Document::read(path, problems)?;
        let at = Pointer::root().member(EXTENSION);
        document.get(&at)?;
        let keys: CanonicalKind = Grammar::new(&document).read(&at, problems)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if keys.kind != stem {
            let place = document.place(&at.member("kind"));
            let problem =
                Diagnostic::at(place, "a kind is called as its file is").expected(format!("expected `{stem}`"));
            problems.push(problem);
        }
        Some(Self { document, keys })
    }

    fn kind(self, kinds: &HashMap<String, KindId>, problems: &mut Vec<Diagnostic>) -> Kind {
        let mut reader = Reader { document: &self.document, grammar: Grammar::new(&self.document), kinds, problems };
        reader.check(&Pointer::root(), &mut HashSet::new());
        let properties = schema::properties(&self.document, &Pointer::root());
        let fields: Vec<_> = properties.into_iter().filter_map(|property| reader.field(property)).collect();
        let columns = columns(fields.iter().map(|field| (field.name.as_str(), field.form.column())));
        let table = Table { name: table_name(&["entity", &self.keys.plural]), columns };
        let parts = self.keys.parts.map(|path| path.split('.').map(str::to_owned).collect::<Vec<_>>());
        if let Some(first) = parts.iter().flatten().next()
            && !fields.iter().any(|field| field.name == *first)
        {
            let place = self.document.place(&Pointer::root().member(EXTENSION).member("parts"));
            let known = fields.iter().map(|field| field.name.as_str());
            problems.push(Diagnostic::at(place, format!("there is no field `{first}`")).did_you_mean(first, known));
        }
        Kind { name: self.keys.kind, plural: self.keys.plural, parts, fields, table }
    }
}

/// Reads the fields of one kind.
struct Reader<'a> {
    document: &'a Document,
    grammar: Grammar<'a>,
    kinds: &'a HashMap<String, KindId>,
    problems: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reports what is wrong with the schema at `at`, and with those in it, by themselves.
    fn check(&mut self, at: &Pointer, seen: &mut HashSet<Pointer>) {
        let Some(schema) = self.document.get(at).filter(|_| seen.insert(at.clone())) else { return };
        words::check(self.document, at, schema, self.problems);
        let inner = words::subschemas(at, schema);
        for at in inner.into_iter().chain(reference(schema)) {
            self.check(&at, seen);
        }
    }

    /// The field that a property declares; none if the host sets it.
    fn field(&mut self, property: Property) -> Option<Field> {
        let (at, schema) = self.document.resolve(&property.at)?;
        if schema.get("readOnly") == Some(&Value::Bool(true)) {
            return None;
        }
        let keys = self.keys(&at);
        let form = match &keys.refers {
            Some(kind) => Form::Reference(self.refers_to(kind, &at)?),
            None => self.form(&at, schema)?,
        };
        let join = keys.join.unwrap_or_default();
        let fits = match join {
            Join::Pick => true,
            Join::Union => schema.get("type").is_some_and(|name| name == "array"),
            Join::Min | Join::Max => !matches!(form, Form::Nested(..) | Form::Boolean | Form::Reference(_)),
        };
        if !fits {
            let place = self.document.place(&at.member(EXTENSION).member("join"));
            let problem = Diagnostic::at(place, "this join does not fit what the field holds");
            self.problems.push(problem.hint("union is for lists, min and max are for text, dates and numbers"));
        }
        Some(Field { name: property.name, required: property.required, form, join })
    }

    fn keys(&mut self, at: &Pointer) -> CanonicalField {
        let at = at.member(EXTENSION);
        if self.document.get(&at).is_none() {
            return CanonicalField::default();
        }
        self.grammar.read(&at, self.problems).unwrap_or_default()
    }

    fn refers_to(&mut self, kind: &str, at: &Pointer) -> Option<KindId> {
        let id = self.kinds.get(kind).copied();
        if id.is_none() {
            let place = self.document.place(&at.member(EXTENSION).member("ref"));
            let mut known: Vec<_> = self.kinds.keys().map(String::as_str).collect();
            known.sort_unstable();
            let problem = Diagnostic::at(place, format!("there is no kind `{kind}`"));
            self.problems.push(problem.did_you_mean(kind, known));
        }
        id
    }

    fn form(&mut self, at: &Pointer, schema: &Value) -> Option<Form> {
        if let Some(rule) = vocabulary(schema) {
            return Some(Form::Text(rule));
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Some(Form::Text(text_rule(schema))),
            Some("integer") => {
                let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
                Some(Form::Integer(bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::MAX)))
            }
            Some("number") => Some(Form::Number),
            Some("boolean") => Some(Form::Boolean),
            Some("array" | "object") => self.nested(at),
            _ => {
                let place = self.document.key_place(at);
                let expected = "expected string, integer, number, boolean, array, object, or an enum of words";
                self.problems.push(Diagnostic::at(place, "a field needs one type").expected(expected));
                None
            }
        }
    }

    fn nested(&mut self, at: &Pointer) -> Option<Form> {
        let mut references = Vec::new();
        self.nested_references(at, &mut Vec::new(), &mut references);
        match Schema::compile(self.document.root(), at.as_str()) {
            Ok(schema) => Some(Form::Nested(Box::new(schema), references)),
            Err(reason) => {
                self.problems.push(Diagnostic::at(self.document.key_place(at), format!("not a schema: {reason}")));
                None
            }
        }
    }

    fn nested_references(&mut self, at: &Pointer, path: &mut Vec<String>, found: &mut Vec<NestedReference>) {
        let Some((at, schema)) = self.document.resolve(at).filter(|_| path.len() < DEPTH_MAX) else { return };
        let keys = if path.is_empty() { CanonicalField::default() } else { self.keys(&at) };
        if let Some(to) = keys.refers.and_then(|kind| self.refers_to(&kind, &at)) {
            found.push(NestedReference { path: path.clone(), to });
        }
        if schema.get("items").is_some() {
            path.push("[]".to_owned());
            self.nested_references(&at.member("items"), path, found);
            path.pop();
        }
        for (name, _) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            path.push(name.clone());
            self.nested_references(&at.member("properties").member(name), path, found);
            path.pop();
        }
    }
}

/// The words of an `enum`, or of an `enum` beside OneRoster's open end: `anyOf: [{enum}, {pattern: '^ext:'}]`.
fn vocabulary(schema: &Value) -> Option<TextRule> {
    let words = |schema: &Value| {
        let words = schema.get("enum")?.as_array()?.iter().map(|word| word.as_str().map(str::to_owned));
        words.collect::<Option<Vec<_>>>()
    };
    if let Some(closed) = words(schema) {
        return Some(TextRule::OneOf(closed, false));
    }
    let [first, second] = schema.get("anyOf")?.as_array()?.as_slice() else { return None };
    let open = second.get("pattern").is_some_and(|pattern| pattern == "^ext:");
    if open { words(first).map(|words| TextRule::OneOf(words, true)) } else { None }
}

fn text_rule(schema: &Value) -> TextRule {
    match schema.get("format").and_then(Value::as_str) {
        Some("date") => TextRule::Date,
        Some("date-time") => TextRule::DateTime,
        _ => TextRule::Any(schema.get("minLength").and_then(Value::as_u64).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::{Canonical, Form, Join, NestedReference, TextRule};
    use crate::language::render;

    fn shipped() -> Canonical {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/canonical");
        Canonical::load(&folder).unwrap_or_else(|problems| panic!("{}", render(&problems, false)))
    }

    #[test]
    fn the_shipped_kinds_have_what_oneroster_wants() {
        let canonical = shipped();
        let required = |kind: &str| {
            let kind = canonical.kind(canonical.id(kind).unwrap());
            let fields = kind.fields.iter().filter(|field| field.required).map(|field| field.name.as_str());
            fields.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(required("org"), "name type identifier");
        assert_eq!(required("academicSession"), "title startDate endDate type schoolYear");
        assert_eq!(required("course"), "title courseCode");
        assert_eq!(required("class"), "title course school terms");
        assert_eq!(required("user"), "enabledUser givenName familyName roles");
        assert_eq!(required("enrollment"), "user class school role");
    }

    #[test]
    fn every_shipped_kind_has_a_table_of_its_own() {
        let canonical = shipped();
        let kinds: Vec<_> = canonical.kinds().iter().map(|kind| kind.name.as_str()).collect();
        let expected = "academicSession attendance category class contract course credential enrollment event invoice lead location \
                        offer order org payment product program result tag task user";
        assert_eq!(kinds.join(" "), expected);
        let tables: HashSet<_> = canonical.kinds().iter().map(|kind| kind.table.name.as_str()).collect();
        assert_eq!(tables.len(), kinds.len());
    }

    #[test]
    fn what_the_host_sets_is_no_field_and_metadata_is_one() {
        for kind in shipped().kinds() {
            let names: Vec<_> = kind.fields.iter().map(|field| field.name.as_str()).collect();
            assert!(names.contains(&"metadata"), "{}", kind.name);
            assert!(!names.iter().any(|name| ["sourcedId", "status", "dateLastModified"].contains(name)));
            assert_eq!(kind.table.columns.len(), kind.fields.len());
        }
    }

    #[test]
    fn vocabularies_references_and_joins_are_read() {
        let canonical = shipped();
        let field = |kind: &str, name: &str| {
            let kind = canonical.kind(canonical.id(kind).unwrap());
            kind.fields.iter().find(|field| field.name == name).unwrap()
        };
        assert!(
            matches!(&field("class", "classType").form, Form::Text(TextRule::OneOf(words, true)) if words.len() == 2)
        );
        assert!(
            matches!(&field("user", "enabledUser").form, Form::Text(TextRule::OneOf(words, false)) if words.len() == 2)
        );
        assert!(matches!(field("enrollment", "endDate").form, Form::Text(TextRule::Date)));
        assert_eq!(field("enrollment", "endDate").join, Join::Max);
        assert_eq!(field("class", "subjects").join, Join::Union);
        assert!(matches!(field("class", "school").form, Form::Reference(to) if canonical.kind(to).name == "org"));
        let nested = |kind: &str, name: &str| match &field(kind, name).form {
            Form::Nested(_, references) => references.clone(),
            _ => Vec::new(),
        };
        let to = |path: &[&str], kind: &str| {
            vec![NestedReference {
                path: path.iter().map(|&step| step.to_owned()).collect(),
                to: canonical.id(kind).unwrap(),
            }]
        };
        assert_eq!(nested("user", "roles"), to(&["[]", "org"], "org"));
        assert_eq!(nested("class", "terms"), to(&["[]"], "academicSession"));
        assert_eq!(nested("enrollment", "metadata"), to(&["course"], "course"));
    }

    #[test]
    fn a_new_kind_and_a_new_field_need_no_rust() {
        let folder = tempfile::tempdir().unwrap();
        let file = "x-rollcall: {kind: badge, plural: badges}\ntype: object\nrequired: [title]\nproperties:\n  \
                    title: {type: string, minLength: 1}\n  points: {type: integer, minimum: 0}\n";
        std::fs::write(folder.path().join("badge.yaml"), file).unwrap();
        let canonical = Canonical::load(folder.path()).unwrap();
        let kind = canonical.kind(canonical.id("badge").unwrap());
        assert_eq!(kind.table.name, "entity__badges");
        assert!(matches!(kind.fields[0].form, Form::Text(TextRule::Any(1))));
        assert!(matches!(kind.fields[1].form, Form::Integer(0, i64::MAX)));
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = "x-rollcall: {kind: badges, plural: badges}\ntype: object\nproperties:\n  \
                    owner: {type: string, x-rollcall: {ref: user}}\n  points: {x-rollcall: {joined: max}}\n  \
                    title: {type: string, x-rollcall: {join: union}, minLenght: 1}\n";
        std::fs::write(folder.path().join("badge.yaml"), file).unwrap();
        let problems = Canonical::load(folder.path()).unwrap_err();
        let lines: Vec<_> = problems.iter().map(|problem| (problem.position().unwrap().0, problem.problem())).collect();
        assert_eq!(
            lines,
            [
                (1, "a kind is called as its file is"),
                (6, "unknown word `minLenght` in a schema"),
                (4, "there is no kind `user`"),
                (5, "unknown key `joined`"),
                (5, "a field needs one type"),
                (6, "this join does not fit what the field holds"),
            ]
        );
    }
}
