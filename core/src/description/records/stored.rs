//! Turns the schema of a blank record into that of what is stored of it: nullable members may be absent, and what is
//! computed when it is read is absent.
//!
//! A record's schema says what clients see. They see `null` where nothing is stored, and members that are computed, so
//! that both may be `required` and are not there when the record itself is looked at.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::json::Pointer;
use crate::language::schema::{is_nullable, properties};
use crate::language::source::reference;
use crate::language::{Document, EXTENSION, words};

/// How deep `allOf` is followed: schemas may include themselves.
const DEPTH_MAX: usize = 16;

/// The schema of what is stored of the record at `at`, as a document of its own; `derived` is what is never stored.
pub(super) fn stored(document: &Document, at: &Pointer, derived: &BTreeSet<String>) -> Value {
    let mut parts = Parts { document, places: Vec::new() };
    let root = parts.schema(at, derived, DEPTH_MAX);
    let mut definitions = Map::new();
    let mut done = 0;
    while let Some(place) = parts.places.get(done).cloned() {
        let part = parts.schema(&place, &BTreeSet::new(), DEPTH_MAX);
        definitions.insert(done.to_string(), part);
        done += 1;
    }
    let mut root = root;
    if let Value::Object(root) = &mut root {
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root
}

/// The schemas that are referred to, by their place among the definitions.
struct Parts<'d> {
    document: &'d Document,
    places: Vec<Pointer>,
}

impl Parts<'_> {
    /// The schema at `at`, of whose members those in `absent` need not be there.
    fn schema(&mut self, at: &Pointer, absent: &BTreeSet<String>, depth: usize) -> Value {
        let Some(Value::Object(words)) = self.document.get(at) else {
            return self.document.get(at).cloned().unwrap_or(Value::Bool(true));
        };
        let mut words = words.clone();
        words.remove(EXTENSION);
        if let Some(target) = self.document.get(at).and_then(reference) {
            if absent.is_empty() || depth == 0 {
                words.insert("$ref".to_owned(), format!("#/$defs/{}", self.place(&target)).into());
                return Value::Object(words);
            }
            words.remove("$ref");
            let target = self.schema(&target, absent, depth - 1);
            return if words.is_empty() { target } else { json!({"allOf": [words, target]}) };
        }
        let members = properties(self.document, at).into_iter();
        let empty = members.filter(|member| is_nullable(self.document, &member.at)).map(|member| member.name);
        let absent: BTreeSet<_> = absent.iter().cloned().chain(empty).collect();
        if let Some(Value::Array(required)) = words.get_mut("required") {
            required.retain(|name| name.as_str().is_none_or(|name| !absent.contains(name)));
        }
        let mut schema = Value::Object(words);
        let inner = self.document.get(at).map(|schema| words::subschemas(at, schema)).unwrap_or_default();
        for inner in inner {
            let way = &inner.as_str()[at.as_str().len()..];
            let absent = if way.starts_with("/allOf/") { absent.clone() } else { BTreeSet::new() };
            let part = self.schema(&inner, &absent, depth.saturating_sub(1));
            if let Some(place) = schema.pointer_mut(way) {
                *place = part;
            }
        }
        schema
    }

    /// The number of the definition that holds the schema at `at`.
    fn place(&mut self, at: &Pointer) -> usize {
        self.places.iter().position(|place| place == at).unwrap_or_else(|| {
            self.places.push(at.clone());
            self.places.len() - 1
        })
    }
}
