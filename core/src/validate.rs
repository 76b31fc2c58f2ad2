//! Turns a JSON Schema into a [`Schema`], and a value that breaks it into [`Note`]s: by place and shape, never by value.
//!
//! `jsonschema` decides what is valid; what is wrong is said in our own words, because its messages carry values and a
//! school's data is personal. Beside the verdict, [`Schema::unknown`] lists properties that no schema declares:
//! accepted and kept, but worth a look, above all where a known name is one letter or one capital away.
//!
//! To word a further kind of violation: see `violation.rs`.

mod format;
mod violation;
mod words;

use std::collections::{BTreeMap, HashMap};

use jsonschema::{Draft, PatternOptions, Registry, RegistryBuilder, Validator};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::{Map, Value, json};

pub use self::format::Format;
pub use self::words::Word;
use crate::json::{Instance, Json, Node, Pointer};
use crate::note::Note;

/// What a document is called while it is compiled.
const DOCUMENT: &str = "urn:rollcall:document";

/// A compiled JSON Schema (2020-12).
pub struct Schema {
    validator: Validator<Instance>,
    known: Known,
}

/// What a value has to tell about itself once a [`Schema`] looked at it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Violations {
    /// The first ones, up to the limit.
    pub notes: Vec<Note>,
    /// How many more there are.
    pub omitted: usize,
}

impl Schema {
    /// Compiles the schema at `pointer` of `document`; of several schemas in one document, see [`Schemas`].
    pub fn compile(document: &Value, pointer: &str) -> Result<Self, String> {
        Schemas::of(document)?.compile(pointer)
    }

    /// Compiles the schema at `pointer` of `document` as if the schemas at the places in `open` let anything through.
    pub fn compile_around(document: &Value, pointer: &str, open: &[&str]) -> Result<Self, String> {
        let mut document = document.clone();
        for place in open {
            if let Some(schema) = document.pointer_mut(place) {
                *schema = Value::Bool(true);
            }
        }
        Self::compile(&document, pointer)
    }

    /// Whether `json` is valid. Much cheaper than [`violations`](Self::violations).
    pub fn is_valid(&self, json: &Json<'_>) -> bool {
        self.validator.is_valid(Node(json))
    }

    /// All the ways in which `json` breaks the schema; the first `limit` of them in words.
    pub fn violations(&self, json: &Json<'_>, limit: usize) -> Violations {
        if self.is_valid(json) {
            return Violations::default();
        }
        let mut violations = Violations::default();
        for error in self.validator.iter_errors(Node(json)) {
            if violations.notes.len() < limit {
                violation::tell(json, &error, &mut violations.notes);
                violations.omitted += violations.notes.len().saturating_sub(limit);
                violations.notes.truncate(limit);
            } else {
                violations.omitted += 1;
            }
        }
        violations.notes.sort();
        violations
    }

    /// The properties in `json` that no schema declares, at most `limit` of them in words.
    pub fn unknown(&self, json: &Json<'_>, limit: usize) -> Violations {
        self.unknown_around(json, &|_| None, limit)
    }

    /// The same of a tree with gaps; `of_items` says what there is to tell of the items that were left out of a list.
    pub fn unknown_around<'v>(
        &self,
        json: &Json<'_>,
        of_items: &dyn Fn(&Pointer) -> Option<&'v Violations>,
        limit: usize,
    ) -> Violations {
        let mut walk = Walk { known: &self.known, of_items, limit, unknown: Violations::default() };
        walk.value(Known::ROOT, json, &mut Pointer::root());
        walk.unknown
    }

    /// The same of a part of a value, which stands at `pointer`.
    pub fn unknown_at(&self, json: &Json<'_>, pointer: &mut Pointer, limit: usize) -> Violations {
        let mut walk = Walk { known: &self.known, of_items: &|_| None, limit, unknown: Violations::default() };
        walk.value(Known::ROOT, json, pointer);
        walk.unknown
    }
}

impl Violations {
    /// Adds more of them, of which the first ones are told up to the limit.
    pub fn add(&mut self, more: &Self, limit: usize) {
        let told = more.notes.len().min(limit.saturating_sub(self.notes.len()));
        self.notes.extend_from_slice(&more.notes[..told]);
        self.omitted += more.omitted + more.notes.len() - told;
    }
}

/// The schemas of one document, looked through once.
#[derive(Debug)]
pub struct Schemas<'d> {
    document: &'d Value,
    registry: Registry<'d>,
    formats: BTreeMap<String, Format>,
}

impl<'d> Schemas<'d> {
    /// Those in `document`. Every `$ref` in it must be local; nothing is ever fetched.
    pub fn of(document: &'d Value) -> Result<Self, String> {
        // The document is a resource of its own: what its root demands is not demanded of its parts.
        let registry = Registry::new().draft(Draft::Draft202012).add(DOCUMENT, document);
        let registry = registry.and_then(RegistryBuilder::prepare).map_err(|error| error.to_string())?;
        Ok(Self { document, registry, formats: Format::ours_in(document) })
    }

    /// Compiles the schema at `pointer`. `pattern`s run in linear time, `format`s are checked.
    ///
    /// Fails with a sentence about what is wrong with the schema.
    pub fn compile(&self, pointer: &str) -> Result<Schema, String> {
        let root = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": format!("{DOCUMENT}#{}", fragment(pointer)),
        });
        let mut options = jsonschema::options_for::<Instance>()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .with_registry(&self.registry)
            .offline();
        for (name, format) in &self.formats {
            let format = format.clone();
            options = options.with_format(name, move |text: &str| format.fits(text));
        }
        let validator = options.build(&root).map_err(|error| error.masked().to_string())?;
        Ok(Schema { validator, known: Known::read(self.document, pointer) })
    }
}

impl Default for Schema {
    /// Lets anything through.
    fn default() -> Self {
        let validator = jsonschema::options_for::<Instance>().build(&Value::Bool(true));
        let validator = validator.unwrap_or_else(|_| unreachable!("`true` is a schema"));
        Self { validator, known: Known { nodes: vec![KnownNode { open: true, ..KnownNode::default() }] } }
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

/// What may stand in the fragment of a URI as it is, as far as JSON Pointers hold it.
const IN_FRAGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'~').remove(b'-').remove(b'_').remove(b'.');

/// A JSON Pointer as the fragment of a URI: `/paths/~1{a}` is `/paths/~1%7Ba%7D`.
fn fragment(pointer: &str) -> PercentEncode<'_> {
    utf8_percent_encode(pointer, IN_FRAGMENT)
}

/// The properties that a schema declares, as far as it declares them. Nodes stand in one list, because schemas may
/// refer to each other in circles.
#[derive(Debug, Default)]
struct Known {
    nodes: Vec<KnownNode>,
}

/// What one place in a value may hold.
#[derive(Debug, Default)]
struct KnownNode {
    /// Declared properties, by name.
    properties: Vec<(String, usize)>,
    /// The schema of list items.
    items: Option<usize>,
    /// The words that it lists, if it does.
    words: Vec<String>,
    /// Whether anything goes: the schema says nothing about properties, or says that others are welcome.
    open: bool,
}

impl Known {
    const ROOT: usize = 0;

    fn read(document: &Value, pointer: &str) -> Self {
        let mut known = Self::default();
        known.node(document, pointer, &mut HashMap::new());
        known
    }

    /// The node of the schema at `pointer`; made if it is new.
    fn node(&mut self, document: &Value, pointer: &str, seen: &mut HashMap<String, usize>) -> usize {
        if let Some(&node) = seen.get(pointer) {
            return node;
        }
        let index = self.nodes.len();
        seen.insert(pointer.to_owned(), index);
        self.nodes.push(KnownNode { open: true, ..KnownNode::default() });
        let mut merged = KnownNode { open: true, ..KnownNode::default() };
        self.merge(document, pointer, seen, &mut merged, 0);
        merged.properties.sort();
        merged.properties.dedup_by(|one, other| one.0 == other.0);
        self.nodes[index] = merged;
        index
    }

    /// Adds what the schema at `pointer`, what it refers to and what it is composed of declare.
    fn merge(
        &mut self,
        document: &Value,
        pointer: &str,
        seen: &mut HashMap<String, usize>,
        into: &mut KnownNode,
        depth: usize,
    ) {
        const COMPOSED_DEPTH_MAX: usize = 32;
        let Some(Value::Object(schema)) = document.pointer(pointer) else { return };
        if depth > COMPOSED_DEPTH_MAX {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#')) {
            self.merge(document, target, seen, into, depth + 1);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let parts = schema.get(keyword).and_then(Value::as_array).map_or(0, Vec::len);
            for part in 0..parts {
                self.merge(document, &format!("{pointer}/{keyword}/{part}"), seen, into, depth + 1);
            }
        }
        let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten().chain(schema.get("const"));
        into.words.extend(listed.filter_map(words::spelled));
        if schema.contains_key("items") {
            into.items = Some(self.node(document, &format!("{pointer}/items"), seen));
        }
        self.properties(document, schema, pointer, seen, into);
    }

    fn properties(
        &mut self,
        document: &Value,
        schema: &Map<String, Value>,
        pointer: &str,
        seen: &mut HashMap<String, usize>,
        into: &mut KnownNode,
    ) {
        let Some(Value::Object(properties)) = schema.get("properties") else { return };
        for name in properties.keys() {
            let place = Pointer::from(format!("{pointer}/properties")).member(name);
            let node = self.node(document, place.as_str(), seen);
            into.properties.push((name.clone(), node));
        }
        into.open = ["additionalProperties", "patternProperties", "unevaluatedProperties"]
            .iter()
            .any(|keyword| schema.contains_key(*keyword));
    }
}

/// Looks for properties that nobody declares.
struct Walk<'w, 'v> {
    known: &'w Known,
    of_items: &'w dyn Fn(&Pointer) -> Option<&'v Violations>,
    limit: usize,
    unknown: Violations,
}

impl Walk<'_, '_> {
    fn value(&mut self, node: usize, json: &Json<'_>, pointer: &mut Pointer) {
        match json {
            Json::List(items) => {
                if let Some(of_items) = (self.of_items)(pointer) {
                    return self.unknown.add(of_items, self.limit);
                }
                let Some(schema) = self.known.nodes[node].items else { return };
                for (nth, item) in items.iter().enumerate() {
                    let length = pointer.descend(nth);
                    self.value(schema, item, pointer);
                    pointer.ascend(length);
                }
            }
            Json::Object(object) => {
                let node = &self.known.nodes[node];
                for (name, value) in object.iter() {
                    let at = node.properties.binary_search_by(|(known, _)| known.as_str().cmp(name));
                    if let Ok(at) = at {
                        if matches!(value, Json::List(_) | Json::Object(_)) {
                            let length = pointer.descend(name);
                            self.value(node.properties[at].1, value, pointer);
                            pointer.ascend(length);
                        }
                    } else if !node.open {
                        if self.unknown.notes.len() < self.limit {
                            self.unknown.notes.push(node.unknown(name, pointer));
                        } else {
                            self.unknown.omitted += 1;
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

impl KnownNode {
    fn unknown(&self, name: &str, pointer: &Pointer) -> Note {
        let near = self.properties.iter().find(|(known, _)| {
            known.to_lowercase() == name.to_lowercase() || strsim::damerau_levenshtein(known, name) == 1
        });
        let message = match near {
            Some((known, _)) => format!("is not documented; did you mean `{known}`?"),
            None => "is not documented; kept, but not used".to_owned(),
        };
        Note::new(pointer.member(name), "unknown-property", message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Schema;
    use crate::json::Json;

    fn document() -> Value {
        json!({
            "Group": {
                "type": "object",
                "required": ["id", "members"],
                "properties": {
                    "id": {"type": "integer"},
                    "level": {"enum": ["first", "second"]},
                    "members": {"type": "array", "items": {"$ref": "#/Member"}},
                    "parent": {"$ref": "#/Group"},
                    "when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
                },
            },
            "Member": {
                "type": "object",
                "required": ["user_no"],
                "properties": {"user_no": {"type": "integer"}, "user_email": {"type": "string"}},
            },
        })
    }

    fn notes(text: &str) -> Vec<String> {
        let schema = Schema::compile(&document(), "/Group").unwrap();
        let json = Json::parse(text.as_bytes(), 64).unwrap();
        let violations = schema.violations(&json, 100);
        let unknown = schema.unknown(&json, 100);
        violations
            .notes
            .into_iter()
            .chain(unknown.notes)
            .map(|note| format!("{} {}: {}", note.pointer, note.code, note.message))
            .collect()
    }

    #[test]
    fn says_all_that_is_wrong_by_place_and_shape() {
        let found = notes(
            r#"{"id": "08", "level": "Secret", "members": [{"user_no": 1.0}, {"user_no": 2}, {}, "Ann"], "when": "soon"}"#,
        );
        insta::assert_snapshot!(found.join("\n"), @r#"
        /id type: must be an integer, found text of 2 characters, all digits
        /level enum: must be one of "first", "second", found text of 6 characters
        /members/0/user_no type: must be an integer, found a number that is not a 64-bit integer
        /members/2 required: `user_no` is required
        /members/3 type: must be an object, found text of 3 characters
        /when format: must be a date, found text of 4 characters
        "#);
    }

    #[test]
    fn unknown_properties_are_named_with_what_they_may_have_meant() {
        let found = notes(
            r#"{"id": 1, "members": [{"user_no": 1, "User_Email": "a", "usr_no": 1, "shoe size": 3}], "parent": {"id": 2, "members": [], "x": 0}}"#,
        );
        insta::assert_snapshot!(found.join("\n"), @r"
        /members/0/User_Email unknown-property: is not documented; did you mean `user_email`?
        /members/0/shoe size unknown-property: is not documented; kept, but not used
        /members/0/usr_no unknown-property: is not documented; did you mean `user_no`?
        /parent/x unknown-property: is not documented; kept, but not used
        ");
    }

    #[test]
    fn formats_of_ours_are_checked_wherever_they_stand() {
        let document = json!({
            "properties": {
                "born": {"$ref": "#/$defs/day"},
                "tax": {"type": "string", "format": "cpf"},
                "opens": {"type": "string", "format": "HH:mm"},
            },
            "$defs": {"day": {"type": "string", "format": "DD/MM/YYYY"}},
        });
        let schema = Schema::compile(&document, "").unwrap();
        let told = |text: &str| {
            let json = Json::parse(text.as_bytes(), 64).unwrap();
            let notes = schema.violations(&json, 100).notes.into_iter();
            notes.map(|note| format!("{} {}", note.pointer, note.message)).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told(r#"{"born": "29/02/2024", "tax": "529.982.247-25", "opens": "08:30"}"#), "");
        insta::assert_snapshot!(told(r#"{"born": "31/02/2026", "tax": "529.982.247-26", "opens": "8:30"}"#), @r"
        /born must be a date that exists, written DD/MM/YYYY, found text of 10 characters
        /opens must be written HH:mm, found text of 4 characters
        /tax must be a cpf, found text of 14 characters
        ");
    }

    #[test]
    fn a_part_does_not_have_to_be_what_its_document_is() {
        let document = json!({
            "type": "object",
            "required": ["tags"],
            "properties": {"tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}}},
            "$defs": {"tag": {"type": "string"}},
        });
        let tags = Schema::compile(&document, "/properties/tags").unwrap();
        let valid = |text: &str| tags.is_valid(&Json::parse(text.as_bytes(), 64).unwrap());
        assert!(valid(r#"["a"]"#) && !valid("[1]") && !valid("{}"));
    }

    #[test]
    fn the_limit_counts_what_it_leaves_out() {
        let schema = Schema::compile(&document(), "/Group").unwrap();
        let members = ["{}"; 10].join(",");
        let text = format!(r#"{{"id": 1, "members": [{members}]}}"#);
        let violations = schema.violations(&Json::parse(text.as_bytes(), 64).unwrap(), 3);
        assert_eq!((violations.notes.len(), violations.omitted), (3, 7));
    }

    #[test]
    fn nothing_is_ever_fetched() {
        let error = Schema::compile(&json!({"A": {"$ref": "https://example.org/schema.json"}}), "/A").unwrap_err();
        assert!(!error.is_empty());
    }
}
