//! Turns the types of [`keys`] into the JSON Schemas that editors complete and check descriptions with.
//!
//! `schemas/rollcall.schema.json` is for a partner's `openapi.yaml`, `schemas/canonical.schema.json` for a canonical
//! kind. Both are generated, committed, and proved fresh by a test; `BLESS=1 cargo test` writes them. They know as much
//! of OpenAPI as it takes to find the places where our keys may stand.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::language::picture::Picture;
use crate::language::{EXTENSION, keys, words};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a partner's description.
pub fn of_partner() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut definitions = openapi_objects(&mut generator);
    let extension = generator.subschema_for::<keys::Root>();
    definitions.append(&mut generator.take_definitions(true));
    json!({
        "$schema": DIALECT,
        "title": "A partner's description",
        "description": "Generated from the code (BLESS=1 cargo test). An OpenAPI 3.1 document with x-rollcall keys.",
        "type": "object",
        "required": ["openapi", "info", EXTENSION],
        "properties": {
            "openapi": {"type": "string", "pattern": "^3\\.1\\."},
            "info": {
                "type": "object",
                "required": ["title", "version"],
                "properties": {"title": {"type": "string"}, "version": {"type": "string"}},
            },
            EXTENSION: extension,
            "paths": named("path-item-object"),
            "webhooks": named("webhook-item-object"),
            "components": {
                "type": "object",
                "properties": {
                    "schemas": named("schema-object"),
                    "parameters": named("parameter-object"),
                    "requestBodies": named("body-object"),
                    "responses": named("response-object"),
                    "headers": named("header-object"),
                },
            },
        },
        "$defs": definitions,
    })
}

/// The schema of a canonical kind.
pub fn of_canonical_kind() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kind = generator.subschema_for::<keys::CanonicalKind>();
    let field = generator.subschema_for::<keys::CanonicalField>();
    let mut definitions = Map::new();
    definitions.insert("schema-object".to_owned(), schema_object(field.as_value()));
    definitions.append(&mut generator.take_definitions(true));
    let mut root = schema_object(kind.as_value());
    let about = [
        ("$schema", json!(DIALECT)),
        ("title", json!("A kind of canonical entity")),
        ("description", json!("Generated from the code (BLESS=1 cargo test).")),
        ("$defs", Value::Object(definitions)),
    ];
    if let Value::Object(root) = &mut root {
        root.extend(about.map(|(name, value)| (name.to_owned(), value)));
    }
    root
}

/// OpenAPI's objects, by name, as far as our keys stand in them.
fn openapi_objects(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let operation = generator.subschema_for::<keys::Operation>();
    let parameter = generator.subschema_for::<keys::Parameter>();
    let response = generator.subschema_for::<keys::Response>();
    let header = generator.subschema_for::<keys::Header>();
    let webhook = generator.subschema_for::<keys::Webhook>();
    let schema = generator.subschema_for::<keys::Schema>().to_value();
    let objects = [
        ("path-item-object", path_item("operation-object")),
        ("webhook-item-object", path_item("webhook-object")),
        ("operation-object", operation_object(operation.as_value())),
        ("webhook-object", operation_object(webhook.as_value())),
        (
            "parameter-object",
            object(
                &json!({EXTENSION: parameter, "schema": one("schema-object"), "content": named("media-type-object")}),
            ),
        ),
        ("body-object", object(&json!({"content": named("media-type-object")}))),
        (
            "response-object",
            object(
                &json!({EXTENSION: response, "headers": named("header-object"), "content": named("media-type-object")}),
            ),
        ),
        ("header-object", object(&json!({EXTENSION: header, "schema": one("schema-object")}))),
        ("media-type-object", object(&json!({"schema": one("schema-object")}))),
        ("schema-object", schema_object(&schema)),
    ];
    objects.map(|(name, object)| (name.to_owned(), object)).into_iter().collect()
}

fn path_item(operation: &str) -> Value {
    let methods = super::outline::METHODS.map(|method| (method.to_owned(), one(operation)));
    let mut properties: Map<_, _> = methods.into_iter().collect();
    properties.extend(super::outline::PATH_WORDS.map(|word| (word.to_owned(), Value::Bool(true))));
    properties.insert("parameters".to_owned(), json!({"type": "array", "items": one("parameter-object")}));
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": true},
        "additionalProperties": false,
    })
}

fn operation_object(keys: &Value) -> Value {
    object(&json!({
        EXTENSION: keys,
        "operationId": {"type": "string"},
        "parameters": {"type": "array", "items": one("parameter-object")},
        "requestBody": one("body-object"),
        "responses": named("response-object"),
    }))
}

/// A schema whose `x-rollcall` is `keys`. Words that mean something and are not built are no words here either.
fn schema_object(keys: &Value) -> Value {
    let inner = || json!({"anyOf": [one("schema-object"), {"type": "boolean"}]});
    let mut properties = Map::new();
    let plain = words::PLAIN.map(|word| (word.to_owned(), Value::Bool(true)));
    properties.extend(plain);
    properties.extend(words::ONE.map(|word| (word.to_owned(), inner())));
    properties.extend(words::LISTS.map(|word| (word.to_owned(), json!({"type": "array", "items": inner()}))));
    properties
        .extend(words::NAMED.map(|word| (word.to_owned(), json!({"type": "object", "additionalProperties": inner()}))));
    let primitives = json!({"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]});
    let closer = [
        ("type", json!({"anyOf": [primitives, {"type": "array", "items": primitives}]})),
        ("format", json!({"anyOf": [{"enum": words::FORMATS}, {"pattern": Picture::PATTERN}]})),
        ("required", json!({"type": "array", "items": {"type": "string"}})),
        (EXTENSION, keys.clone()),
    ];
    properties.extend(closer.map(|(word, schema)| (word.to_owned(), schema)));
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": true},
        "additionalProperties": false,
    })
}

fn object(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties})
}

fn one(definition: &str) -> Value {
    json!({"$ref": format!("#/$defs/{definition}")})
}

fn named(definition: &str) -> Value {
    json!({"type": "object", "additionalProperties": one(definition)})
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use jsonschema::Validator;
    use serde_json::{Value, json};

    use super::{of_canonical_kind, of_partner};
    use crate::language::Document;

    fn schemas() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
    }

    fn validator(schema: &Value) -> Validator {
        jsonschema::options().offline().build(schema).unwrap()
    }

    fn document(path: &Path) -> Value {
        let mut problems = Vec::new();
        let document = Document::read(path, &mut problems).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        document.root().clone()
    }

    #[test]
    fn the_committed_schemas_are_fresh() {
        for (name, schema) in [("rollcall", of_partner()), ("canonical", of_canonical_kind())] {
            let path = schemas().join(format!("{name}.schema.json"));
            let fresh = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&path, fresh).unwrap();
            } else {
                let committed = std::fs::read_to_string(&path).unwrap_or_default();
                assert!(committed == fresh, "{} is stale: BLESS=1 cargo test", path.display());
            }
        }
    }

    #[test]
    fn descriptions_name_their_schema_and_follow_it() {
        let (partner, kind) = (validator(&of_partner()), validator(&of_canonical_kind()));
        let mut checked = 0;
        for folder in std::fs::read_dir(schemas()).unwrap().map(|entry| entry.unwrap().path()) {
            for path in std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
                let (validator, schema) = match path.file_name().and_then(|name| name.to_str()) {
                    Some("openapi.yaml") => (&partner, "rollcall"),
                    // What kinds have in common is no kind.
                    Some("base.yaml" | "address.yaml") => continue,
                    Some(_) if folder.ends_with("canonical") => (&kind, "canonical"),
                    _ => continue,
                };
                let text = std::fs::read_to_string(&path).unwrap();
                let line = format!("# yaml-language-server: $schema=../{schema}.schema.json");
                assert_eq!(text.lines().next(), Some(line.as_str()), "{}", path.display());
                let document = document(&path);
                let errors: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
                assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
                checked += 1;
            }
        }
        assert!(checked >= 7);
    }

    #[test]
    fn editors_see_mistakes_at_every_place() {
        let validator = validator(&of_partner());
        let right = || document(Path::new("tests/descriptions/valid/plain.yaml"));
        assert!(validator.is_valid(&right()));
        let places = [
            "/x-rollcall",
            "/paths/~1rooms/post/x-rollcall",
            "/components/schemas/School/x-rollcall",
            "/components/schemas/Room/properties/seats/x-rollcall",
            "/components/schemas/Room/properties/seats",
            "/paths/~1rooms",
        ];
        for place in places {
            let mut wrong = right();
            wrong.pointer_mut(place).unwrap().as_object_mut().unwrap().insert("snapshott".to_owned(), json!("School"));
            assert!(!validator.is_valid(&wrong), "{place}");
        }
    }
}
