//! Turns OpenAPI 3.0 into 3.1. What 3.0 says differently is its schemas: `nullable`, exclusive bounds that are booleans, and
//! formats for binary data.
//!
//! To turn a further word: an arm in [`schema`]. What is changed stays where it was, or nearby, so that positions go on
//! pointing to the right place.

use serde_json::{Map, Value, json};

/// The version that documents are turned into.
const VERSION: &str = "3.1.0";

/// Members that hold data and no schemas.
pub(crate) const DATA: [&str; 6] = ["example", "examples", "default", "enum", "const", "x-rollcall"];

/// Members that hold things by name: what looks like a word there is a name.
pub(crate) const NAMES: [&str; 16] = [
    "properties",
    "patternProperties",
    "paths",
    "schemas",
    "responses",
    "parameters",
    "requestBodies",
    "headers",
    "securitySchemes",
    "links",
    "callbacks",
    "content",
    "encoding",
    "variables",
    "mapping",
    "scopes",
];

/// Whether `document` is OpenAPI 3.0.
pub fn is_old(document: &Value) -> bool {
    document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0."))
}

/// Turns a document, or a file that an old document refers to, into OpenAPI 3.1. What is 3.1 already stays as it is.
pub fn modernize(document: &mut Value) {
    if is_old(document) {
        document["openapi"] = json!(VERSION);
    }
    words(document);
}

/// Whatever `value` is: a schema or something around schemas.
fn words(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(words),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    _ if DATA.contains(&name.as_str()) || name.starts_with("x-") => {}
                    Value::Object(named) if NAMES.contains(&name.as_str()) => named.values_mut().for_each(words),
                    _ => words(member),
                }
            }
            schema(members);
        }
        _ => {}
    }
}

/// The words of a schema of 3.0; nothing else has them.
fn schema(words: &mut Map<String, Value>) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(Value::Bool(is_exclusive)) = words.get(exclusive).cloned() {
            match words.get(bound).cloned().filter(|_| is_exclusive) {
                Some(limit) => {
                    words.insert(exclusive.to_owned(), limit);
                    words.shift_remove(bound);
                }
                None => drop(words.shift_remove(exclusive)),
            }
        }
    }
    if words.get("type").is_some_and(|of| of == "string") {
        let binary = match words.get("format").and_then(Value::as_str) {
            Some("byte") => Some(("contentEncoding", "base64")),
            Some("binary") => Some(("contentMediaType", "application/octet-stream")),
            _ => None,
        };
        if let Some((word, value)) = binary {
            words.shift_remove("format");
            words.insert(word.to_owned(), json!(value));
        }
    }
    if let Some(Value::Bool(is_nullable)) = words.get("nullable").cloned() {
        words.shift_remove("nullable");
        if is_nullable {
            allow_null(words);
        }
    }
}

/// What a schema describes may be `null`, too.
fn allow_null(words: &mut Map<String, Value>) {
    if let Some(Value::Array(values)) = words.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    let combines = ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|word| words.contains_key(*word));
    match words.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&json!("null")) => types.push(json!("null")),
        Some(Value::String(of)) => {
            let of = of.clone();
            words.insert("type".to_owned(), json!([of, "null"]));
        }
        None if combines => {
            // What the schema says stays in one piece; what is said about it stands around it.
            let about = ["title", "description", "deprecated", "readOnly", "writeOnly", "x-rollcall"];
            let outside = |name: &String| about.contains(&name.as_str());
            let (around, mut inside): (Map<_, _>, Map<_, _>) =
                std::mem::take(words).into_iter().partition(|(name, _)| outside(name));
            let alone = match (inside.len(), inside.get_mut("allOf")) {
                (1, Some(Value::Array(parts))) if parts.len() == 1 => parts.pop(),
                _ => None,
            };
            let inside = alone.unwrap_or(Value::Object(inside));
            *words = around;
            words.insert("anyOf".to_owned(), json!([inside, {"type": "null"}]));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{is_old, modernize};

    #[test]
    fn schemas_of_3_0_say_the_same_in_3_1() {
        let table: [(Value, Value); 12] = [
            (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
            (json!({"type": "string", "nullable": false}), json!({"type": "string"})),
            (json!({"nullable": true}), json!({})),
            (
                json!({"type": "string", "nullable": true, "enum": ["a"]}),
                json!({"type": ["string", "null"], "enum": ["a", null]}),
            ),
            (
                json!({"allOf": [{"$ref": "#/a"}], "nullable": true, "description": "d"}),
                json!({"description": "d", "anyOf": [{"$ref": "#/a"}, {"type": "null"}]}),
            ),
            (json!({"minimum": 1, "exclusiveMinimum": true}), json!({"exclusiveMinimum": 1})),
            (json!({"maximum": 1, "exclusiveMaximum": false}), json!({"maximum": 1})),
            (json!({"exclusiveMaximum": 9}), json!({"exclusiveMaximum": 9})),
            (json!({"type": "string", "format": "byte"}), json!({"type": "string", "contentEncoding": "base64"})),
            (
                json!({"type": "string", "format": "binary"}),
                json!({"type": "string", "contentMediaType": "application/octet-stream"}),
            ),
            (
                json!({"properties": {"nullable": {"type": "string", "nullable": true}}}),
                json!({"properties": {"nullable": {"type": ["string", "null"]}}}),
            ),
            (json!({"example": {"nullable": true}}), json!({"example": {"nullable": true}})),
        ];
        for (old, new) in table {
            let mut document = json!({"openapi": "3.0.3", "components": {"schemas": {"One": old.clone()}}});
            assert!(is_old(&document));
            modernize(&mut document);
            assert_eq!(document, json!({"openapi": "3.1.0", "components": {"schemas": {"One": new}}}), "{old}");
        }
    }
}
