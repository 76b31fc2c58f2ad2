//! Makes a value that a schema describes: the smallest there is, or an example of the vendor's own.

use rollcall_core::json::Pointer;
use rollcall_core::language::Document;
use rollcall_core::language::schema::{properties, type_names};
use serde_json::{Map, Value, json};

/// Deepest nesting of a sample.
const DEPTH_MAX: usize = 8;

/// A value that the schema at `at` describes; none where that cannot be told by looking.
pub(super) fn sample(document: &Document, at: &Pointer) -> Option<Value> {
    within(document, at, DEPTH_MAX)
}

fn within(document: &Document, at: &Pointer, depth: usize) -> Option<Value> {
    let (at, schema) = document.resolve(at).filter(|_| depth > 0)?;
    let said = ["const", "default", "example"].into_iter().find_map(|word| schema.get(word));
    let first = || ["examples", "enum"].into_iter().find_map(|word| schema.get(word)?.as_array()?.first());
    if let Some(value) = said.or_else(first) {
        return Some(value.clone());
    }
    if let Some(word) = ["oneOf", "anyOf"].into_iter().find(|word| schema.get(word).is_some()) {
        return within(document, &at.member(word).item(0), depth - 1);
    }
    let number = |word: &str| schema.get(word).and_then(Value::as_i64);
    match type_names(schema).into_iter().find(|of| *of != "null") {
        Some("string") => text(schema).map(Value::String),
        Some("integer" | "number") => {
            let least = number("minimum").or_else(|| number("exclusiveMinimum").map(|bound| bound + 1));
            let most = number("maximum").unwrap_or(1).min(1);
            Some(json!(least.unwrap_or(most)))
        }
        Some("boolean") => Some(json!(false)),
        Some("array") => {
            let length = usize::try_from(number("minItems").unwrap_or_default()).ok()?;
            let item = within(document, &at.member("items"), depth - 1);
            (length == 0).then(|| json!([])).or_else(|| Some(Value::Array(vec![item?; length])))
        }
        None | Some("object") => {
            let required = properties(document, &at).into_iter().filter(|property| property.required);
            let members = required.map(|property| Some((property.name, within(document, &property.at, depth - 1)?)));
            members.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        Some(_) => None,
    }
}

/// A text of the right form and length.
fn text(schema: &Value) -> Option<String> {
    if schema.get("pattern").is_some() {
        return None;
    }
    let of_format = match schema.get("format").and_then(Value::as_str) {
        None | Some("password") => "text",
        Some("date") => "2030-09-01",
        Some("date-time") => "2030-09-01T08:00:00Z",
        Some("time") => "08:00:00Z",
        Some("email") => "someone@school.example",
        Some("uri" | "uri-reference" | "iri") => "https://school.example",
        Some("hostname") => "school.example",
        Some("uuid") => "4b2f3c6e-6a5e-4a0c-9c53-0d2b8f8f1f10",
        Some(_) => return None,
    };
    let length = |word: &str| schema.get(word).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let mut text = of_format.to_owned();
    while text.len() < length("minLength").unwrap_or_default() {
        text.push('x');
    }
    text.truncate(length("maxLength").unwrap_or(text.len()));
    Some(text)
}
