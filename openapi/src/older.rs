//! Turns OpenAPI 3.1 into 3.0, for tools that read nothing newer. What 3.0 has no word for is left out: the result accepts what
//! the original accepts, and perhaps more.

use serde_json::{Map, Value, json};

use crate::modern::{DATA, NAMES};

/// The version that documents are turned into.
const VERSION: &str = "3.0.3";

/// Words of schemas that 3.0 does not have.
const UNKNOWN: [&str; 17] = [
    "$comment",
    "$defs",
    "$schema",
    "contains",
    "contentSchema",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Turns a document into OpenAPI 3.0.
pub fn age(document: &mut Value) {
    words(document);
    if let Value::Object(root) = document {
        root.insert("openapi".to_owned(), json!(VERSION));
        root.retain(|name, _| !["webhooks", "jsonSchemaDialect"].contains(&name.as_str()));
    }
}

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

fn schema(words: &mut Map<String, Value>) {
    words.retain(|word, value| !UNKNOWN.contains(&word.as_str()) || value.is_string());
    if let Some(value) = words.shift_remove("const") {
        words.insert("enum".to_owned(), json!([value]));
    }
    if let Some(Value::Array(examples)) = words.get("examples").cloned() {
        words.shift_remove("examples");
        if let Some(first) = examples.first().cloned() {
            words.insert("example".to_owned(), first);
        }
    }
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(limit) = words.get(exclusive).filter(|limit| limit.is_number()).cloned() {
            words.insert(bound.to_owned(), limit);
            words.insert(exclusive.to_owned(), json!(true));
        }
    }
    for (word, format) in [("contentEncoding", "byte"), ("contentMediaType", "binary")] {
        if words.shift_remove(word).is_some() {
            words.insert("format".to_owned(), json!(format));
        }
    }
    types(words);
    alternatives(words);
    if words.len() > 1 && words.get("$ref").is_some_and(Value::is_string) && !is_path_item(words) {
        let reference = words.shift_remove("$ref");
        words.insert("allOf".to_owned(), json!([{"$ref": reference}]));
    }
}

/// Several types are several forms, and `null` is a word.
fn types(words: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = words.get("type").cloned() else { return };
    let others: Vec<_> = types.iter().filter(|of| *of != "null").collect();
    if others.len() < types.len() {
        words.insert("nullable".to_owned(), json!(true));
    }
    match others.as_slice() {
        [only] => drop(words.insert("type".to_owned(), (*only).clone())),
        several => {
            words.shift_remove("type");
            let forms: Vec<_> = several.iter().map(|of| json!({"type": of})).collect();
            if !forms.is_empty() && !words.contains_key("anyOf") {
                words.insert("anyOf".to_owned(), json!(forms));
            }
        }
    }
}

/// A form that is `null` alone becomes a word beside the others.
fn alternatives(words: &mut Map<String, Value>) {
    for word in ["anyOf", "oneOf"] {
        let Some(Value::Array(forms)) = words.get(word).cloned() else { continue };
        let others: Vec<_> = forms.iter().filter(|form| form["type"] != "null").cloned().collect();
        if others.len() == forms.len() {
            continue;
        }
        words.insert("nullable".to_owned(), json!(true));
        words.shift_remove(word);
        let word = if others.len() == 1 { "allOf" } else { word };
        words.insert(word.to_owned(), Value::Array(others));
    }
}

/// Responses, parameters and paths may refer, too, and nothing counts beside that.
fn is_path_item(words: &Map<String, Value>) -> bool {
    ["get", "post", "put", "patch", "delete", "parameters", "content", "in"]
        .iter()
        .any(|word| words.contains_key(*word))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::age;
    use crate::modernize;

    #[test]
    fn what_is_turned_into_3_0_and_back_says_the_same() {
        let table: [(Value, Value); 6] = [
            (json!({"type": ["string", "null"]}), json!({"type": "string", "nullable": true})),
            (
                json!({"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}),
                json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/A"}]}),
            ),
            (json!({"exclusiveMinimum": 1}), json!({"exclusiveMinimum": true, "minimum": 1})),
            (json!({"type": "string", "contentEncoding": "base64"}), json!({"type": "string", "format": "byte"})),
            (
                json!({"type": "object", "properties": {"const": {"type": "integer"}}}),
                json!({
                    "type": "object", "properties": {"const": {"type": "integer"}},
                }),
            ),
            (json!({"enum": ["a"]}), json!({"enum": ["a"]})),
        ];
        for (new, old) in table {
            let document =
                |schema: &Value, version: &str| json!({"openapi": version, "components": {"schemas": {"One": schema}}});
            let mut turned = document(&new, "3.1.0");
            age(&mut turned);
            assert_eq!(turned, document(&old, "3.0.3"), "{new}");
            modernize(&mut turned);
            assert_eq!(turned, document(&new, "3.1.0"), "{new}");
        }
    }

    #[test]
    fn what_3_0_has_no_word_for_is_left_out() {
        let mut document = json!({
            "openapi": "3.1.0", "webhooks": {"a": {}},
            "components": {"schemas": {"One": {"const": 1, "if": {}, "examples": [7], "type": ["integer", "string"]}}},
        });
        age(&mut document);
        let one = json!({"enum": [1], "example": 7, "anyOf": [{"type": "integer"}, {"type": "string"}]});
        assert_eq!(document, json!({"openapi": "3.0.3", "components": {"schemas": {"One": one}}}));
    }
}
