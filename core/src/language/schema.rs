//! What a JSON Schema says about an object's members, `$ref` and `allOf` followed.

use serde_json::Value;

use super::source::Document;
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
