//! What a JSON Schema says about an object's members, `$ref` and `allOf` followed.

use serde_json::Value;

use super::source::{Document, reference};
use crate::json::Pointer;

/// How deep `allOf` is followed: schemas may include themselves.
const DEPTH_MAX: usize = 16;

/// A member that a schema declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Where it is declared; a `$ref` there is not followed yet.
    pub at: Pointer,
    /// Whether an object has to have it.
    pub required: bool,
}

/// The properties that the schema at `at` declares, its own first, then those that it includes by `allOf`; a name
/// counts once.
pub fn properties(document: &Document, at: &Pointer) -> Vec<Property> {
    let mut found = Vec::new();
    let mut required = Vec::new();
    collect(document, at, DEPTH_MAX, &mut found, &mut required);
    let property = |(name, at)| Property { required: required.contains(&name), name, at };
    found.into_iter().map(property).collect()
}

/// The property `name` of the schema at `at`.
pub fn property(document: &Document, at: &Pointer, name: &str) -> Option<Property> {
    properties(document, at).into_iter().find(|property| property.name == name)
}

/// What the schema at `at` says with a word, beside a `$ref` or where that leads to; the nearest counts.
pub fn said<'d>(document: &'d Document, at: &Pointer, word: &str) -> Option<&'d Value> {
    let mut here = at.clone();
    for _ in 0..DEPTH_MAX {
        let schema = document.get(&here)?;
        if let Some(value) = schema.get(word) {
            return Some(value);
        }
        here = reference(schema)?;
    }
    None
}

/// Whether clients cannot write what the schema at `at` describes.
pub fn is_read_only(document: &Document, at: &Pointer) -> bool {
    said(document, at, "readOnly") == Some(&Value::Bool(true))
}

/// Whether the schema at `at` lets `null` through by what it says itself: by its type, its words, or one of several
/// forms. A schema that leaves its type open does not.
pub fn is_nullable(document: &Document, at: &Pointer) -> bool {
    nullable_within(document, at, DEPTH_MAX)
}

fn nullable_within(document: &Document, at: &Pointer, depth: usize) -> bool {
    let Some((at, schema)) = document.resolve(at).filter(|_| depth > 0) else { return false };
    let words = || schema.get("enum").and_then(Value::as_array);
    let forms = |word: &'static str| {
        let forms = schema.get(word).and_then(Value::as_array).map_or(0, Vec::len);
        (0..forms).map(move |nth| (word, nth))
    };
    match type_names(schema).as_slice() {
        [] => {
            words().is_some_and(|words| words.contains(&Value::Null))
                || schema.get("const") == Some(&Value::Null)
                || forms("anyOf")
                    .chain(forms("oneOf"))
                    .any(|(word, nth)| nullable_within(document, &at.member(word).item(nth), depth - 1))
        }
        names => names.contains(&"null") && words().is_none_or(|words| words.contains(&Value::Null)),
    }
}

/// The `type`s that a schema names; none where it leaves them open.
pub fn type_names(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn collect(
    document: &Document,
    at: &Pointer,
    depth: usize,
    found: &mut Vec<(String, Pointer)>,
    required: &mut Vec<String>,
) {
    let Some((at, schema)) = document.resolve(at).filter(|_| depth > 0) else { return };
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        required.extend(name.as_str().map(str::to_owned));
    }
    for name in schema.get("properties").and_then(Value::as_object).into_iter().flat_map(serde_json::Map::keys) {
        if !found.iter().any(|(other, _)| other == name) {
            found.push((name.clone(), at.member("properties").member(name)));
        }
    }
    for nth in 0..schema.get("allOf").and_then(Value::as_array).map_or(0, Vec::len) {
        collect(document, &at.member("allOf").item(nth), depth - 1, found, required);
    }
}
