//! The words of JSON Schema: which there are, where schemas stand in schemas, and what is wrong with one by itself.
//!
//! JSON Schema lets a validator ignore a word that it does not know, so that a misspelt `requried` would make a
//! description accept anything. Here it is a mistake.

use serde_json::Value;

use super::picture::Picture;
use super::{Diagnostic, Document, grammar};
use crate::json::Pointer;

/// Words that hold one schema.
pub const ONE: [&str; 11] = [
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "contentSchema",
];

/// Words that hold a list of schemas.
pub const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

/// Words that hold schemas by name.
pub const NAMED: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "$defs"];

/// Words that hold no schema.
pub const PLAIN: [&str; 36] = [
    "$ref",
    "$comment",
    "$schema",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
    "format",
    "contentEncoding",
    "contentMediaType",
    "title",
    "description",
    "default",
    "deprecated",
    "examples",
    "example",
    "externalDocs",
    "xml",
    "writeOnly",
    "readOnly",
];

/// Words that mean something that is not built.
const UNSUPPORTED: [(&str, &str); 7] = [
    ("$id", "schemas are found by where they stand"),
    ("$anchor", "schemas are found by where they stand"),
    ("$dynamicRef", "use `$ref`"),
    ("$dynamicAnchor", "use `$ref`"),
    ("$vocabulary", "the vocabulary is that of OpenAPI 3.1"),
    ("discriminator", "use `oneOf` with a `const` in each branch"),
    ("nullable", "OpenAPI 3.1 writes `type: [string, 'null']`"),
];

/// Formats that are checked, and those of OpenAPI that say nothing which is not checked anyway. Date pictures
/// ([`Picture`]) are formats too.
pub const FORMATS: [&str; 23] = [
    "date",
    "date-time",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "uuid",
    "json-pointer",
    "relative-json-pointer",
    "regex",
    "int64",
    "double",
    "password",
    "cpf",
];

/// Formats that the language has and that are not built.
const DESIGNED_FORMATS: [&str; 1] = ["decimal"];

/// The schemas that stand directly in `schema`, which stands at `at`.
pub fn subschemas(at: &Pointer, schema: &Value) -> Vec<Pointer> {
    let mut found = Vec::new();
    for word in ONE {
        if schema.get(word).is_some() {
            found.push(at.member(word));
        }
    }
    for word in LISTS {
        let items = schema.get(word).and_then(Value::as_array).map_or(0, Vec::len);
        found.extend((0..items).map(|nth| at.member(word).item(nth)));
    }
    for word in NAMED {
        let names = schema.get(word).and_then(Value::as_object).into_iter().flatten();
        found.extend(names.map(|(name, _)| at.member(word).member(name)));
    }
    found
}

/// What is wrong with the schema at `at` by itself, the schemas in it left aside.
pub fn check(document: &Document, at: &Pointer, schema: &Value, problems: &mut Vec<Diagnostic>) {
    let Value::Object(words) = schema else {
        if !schema.is_boolean() {
            problems.push(Diagnostic::at(document.place(at), "not a schema").expected("expected a mapping"));
        }
        return;
    };
    for (word, value) in words {
        let here = at.member(word);
        let unsupported = UNSUPPORTED.iter().find(|(known, _)| known == word);
        if let Some((_, hint)) = unsupported.filter(|_| *value != Value::Bool(false)) {
            let problem = Diagnostic::at(document.key_place(&here), format!("not supported yet: `{word}`"));
            problems.push(problem.hint(*hint));
        } else if unsupported.is_none() && !is_known(word) {
            let known = ONE.iter().chain(&LISTS).chain(&NAMED).chain(&PLAIN).copied();
            let problem = Diagnostic::at(document.key_place(&here), format!("unknown word `{word}` in a schema"));
            problems.push(problem.did_you_mean(word, known));
        }
    }
    if let Some(format) = words.get("format").and_then(Value::as_str) {
        problems.extend(wrong_format(document, &at.member("format"), format));
    }
    grammar::conforms_to_json_schema(document, at, schema, problems);
}

fn is_known(word: &str) -> bool {
    let known = ONE.contains(&word) || LISTS.contains(&word) || NAMED.contains(&word) || PLAIN.contains(&word);
    known || word.starts_with("x-")
}

fn wrong_format(document: &Document, at: &Pointer, format: &str) -> Option<Diagnostic> {
    if FORMATS.contains(&format) {
        return None;
    }
    if Picture::is_meant_by(format) {
        let malformed = Picture::parse(format).err()?;
        return Some(Diagnostic::at(document.place(at), malformed.problem).hint(malformed.hint));
    }
    if DESIGNED_FORMATS.contains(&format) {
        return Some(Diagnostic::at(document.place(at), format!("not supported yet: the format `{format}`")));
    }
    let problem = Diagnostic::at(document.place(at), format!("unknown format `{format}`"));
    Some(problem.did_you_mean(format, FORMATS).expected("not a format that is checked"))
}
