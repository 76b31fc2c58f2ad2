//! Turns an `x-rollcall` object into the Rust type of its place, or into one diagnostic per mistake.
//!
//! The check is the type's own generated JSON Schema, the same that editors complete from, so that the two never
//! disagree, and that all mistakes are found where serde stops at the first.

use std::collections::HashMap;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::source::Document;
use crate::json::Pointer;

/// Reads typed keys out of one document.
pub struct Grammar<'d> {
    document: &'d Document,
    compiled: HashMap<String, Compiled>,
}

struct Compiled {
    schema: Value,
    validator: Validator,
}

impl<'d> Grammar<'d> {
    /// A reader for `document`.
    pub fn new(document: &'d Document) -> Self {
        Self { document, compiled: HashMap::new() }
    }

    /// What stands at `pointer`, which exists, as a `T`. Where `problems` say what is wrong with it, what is left without
    /// the wrong members, so that the search for further mistakes can go on; `None` if nothing is.
    pub fn read<T: JsonSchema + DeserializeOwned>(
        &mut self,
        pointer: &Pointer,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<T> {
        let value = self.document.get(pointer)?;
        let document = self.document;
        let compiled = self.compiled.entry(T::schema_id().into_owned()).or_insert_with(compile::<T>);
        let found = problems.len();
        let mut right = value.clone();
        for error in compiled.validator.iter_errors(value) {
            describe(document, pointer, &compiled.schema, &error, problems);
            remove_wrong_members(&mut right, &error);
        }
        match serde_json::from_value(right) {
            Ok(keys) => Some(keys),
            Err(_) if problems.len() > found => None,
            Err(error) => {
                problems.push(Diagnostic::at(document.place(pointer), error.to_string()));
                None
            }
        }
    }
}

/// Takes out the members of `value` that `error` is about.
fn remove_wrong_members(value: &mut Value, error: &ValidationError<'_>) {
    let Value::Object(members) = value else { return };
    let path = Pointer::from(error.instance_path().as_str());
    match (path.steps().next(), error.kind()) {
        (Some(member), _) => drop(members.shift_remove(member.as_ref())),
        (None, ValidationErrorKind::AdditionalProperties { unexpected }) => {
            members.retain(|name, _| !unexpected.contains(name));
        }
        (None, _) => {}
    }
}

/// Reports what makes the value at `at` no JSON Schema (2020-12); the schemas in it are left to calls of their own.
pub fn conforms_to_json_schema(document: &Document, at: &Pointer, schema: &Value, problems: &mut Vec<Diagnostic>) {
    let validator = jsonschema::draft202012::meta::validator();
    let inner = |error: &ValidationError<'_>| holds_schemas(error.instance_path().as_str(), schema);
    for error in validator.iter_errors(schema).filter(|error| !inner(error)) {
        describe(document, at, &Value::Null, &error, problems);
    }
}

/// Whether `path` leads into one of the schemas in `schema`.
fn holds_schemas(path: &str, schema: &Value) -> bool {
    let mut steps = path.split('/').skip(1);
    let Some(word) = steps.next() else { return false };
    match word {
        "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "allOf" | "anyOf" | "oneOf"
        | "prefixItems" => steps.next().is_some(),
        "type" | "enum" | "const" | "required" | "dependentRequired" => false,
        word => schema.get(word).is_some_and(Value::is_object),
    }
}

#[expect(clippy::expect_used, reason = "the schema is generated from our own types, and every one is tested")]
fn compile<T: JsonSchema>() -> Compiled {
    let schema = schemars::schema_for!(T).to_value();
    let validator = jsonschema::options().offline().build(&schema).expect("a generated schema compiles");
    Compiled { schema, validator }
}

/// One diagnostic per mistake that `error` stands for.
fn describe(
    document: &Document,
    base: &Pointer,
    schema: &Value,
    error: &ValidationError<'_>,
    problems: &mut Vec<Diagnostic>,
) {
    let here = Pointer::from(format!("{base}{}", error.instance_path()));
    let place = || document.place(&here);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for word in unexpected {
                let at = document.key_place(&here.member(word));
                let problem = Diagnostic::at(at, format!("unknown key `{word}`")).expected("has no meaning here");
                problems.push(problem.did_you_mean(word, known_words(schema, error).iter().map(String::as_str)));
            }
        }
        ValidationErrorKind::Required { property } => {
            let missing = property.as_str().unwrap_or_default();
            problems.push(Diagnostic::at(document.key_place(&here), format!("`{missing}` is missing here")));
        }
        ValidationErrorKind::Enum { options } => {
            let known: Vec<_> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            problems.push(unknown_word(place(), error.instance(), &known));
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            alternatives(document, base, schema, error, context, problems);
        }
        ValidationErrorKind::Type { kind } => {
            problems.push(Diagnostic::at(place(), "the wrong type").expected(format!("expected {}", type_names(kind))));
        }
        other => {
            let problem = format!("not allowed here ({})", other.keyword());
            problems.push(Diagnostic::at(place(), problem).expected(error.masked().to_string()));
        }
    }
}

/// Of several forms that a value may have, the mistakes are told of the one it was meant to be: the one whose outermost
/// type fits. Words that each stand for themselves are one list of words.
fn alternatives(
    document: &Document,
    base: &Pointer,
    schema: &Value,
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    problems: &mut Vec<Diagnostic>,
) {
    let place = document.place(&Pointer::from(format!("{base}{}", error.instance_path())));
    let outermost = |branch: &&Vec<ValidationError<'static>>| {
        branch.iter().all(|inner| {
            let is_type = matches!(inner.kind(), ValidationErrorKind::Type { .. });
            !(is_type && inner.instance_path() == error.instance_path())
        })
    };
    let words: Vec<_> = context.iter().flatten().flat_map(|inner| words(inner.kind())).collect();
    if let (Some(_), false) = (error.instance().as_str(), words.is_empty()) {
        let known: Vec<_> = words.iter().map(String::as_str).collect();
        problems.push(unknown_word(place, error.instance(), &known));
        return;
    }
    if let Some(meant) = context.iter().find(outermost) {
        for inner in meant {
            describe(document, base, schema, inner, problems);
        }
        return;
    }
    let types = context.iter().flatten().filter_map(|inner| match inner.kind() {
        ValidationErrorKind::Type { kind } if inner.instance_path() == error.instance_path() => Some(type_names(kind)),
        _ => None,
    });
    let types: Vec<_> = types.filter(|name| name != "null").collect();
    problems.push(Diagnostic::at(place, "the wrong type").expected(format!("expected {}", types.join(" or "))));
}

fn words(kind: &ValidationErrorKind) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match kind {
        ValidationErrorKind::Constant { expected_value } => text(expected_value).into_iter().collect(),
        ValidationErrorKind::Enum { options } => options.as_array().into_iter().flatten().filter_map(text).collect(),
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context.iter().flatten().flat_map(|inner| words(inner.kind())).collect()
        }
        _ => Vec::new(),
    }
}

fn unknown_word(place: super::Place, found: &Value, known: &[&str]) -> Diagnostic {
    let Some(word) = found.as_str() else {
        return Diagnostic::at(place, "the wrong type").expected(format!("expected one of {}", known.join(", ")));
    };
    let expected = format!("expected one of {}", known.join(", "));
    let problem = Diagnostic::at(place, format!("unknown word `{word}`")).expected(expected);
    match super::diagnostic::closest(word, known.iter().copied()) {
        Some(close) => problem.hint(format!("did you mean `{close}`?")),
        None => problem,
    }
}

/// The properties that the schema which `error` came from declares.
fn known_words(schema: &Value, error: &ValidationError<'_>) -> Vec<String> {
    let path = error.schema_path().as_str();
    let holder = path.rsplit_once('/').map_or("", |(holder, _)| holder);
    let properties = schema.pointer(holder).and_then(|holder| holder.get("properties")).and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn type_names(kind: &TypeKind) -> String {
    let name = |name: &str| match name {
        "array" => "a list".to_owned(),
        "object" => "a mapping".to_owned(),
        "string" => "text".to_owned(),
        "integer" => "an integer".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    };
    match kind {
        TypeKind::Single(single) => name(single.as_str()),
        TypeKind::Multiple(several) => {
            let names: Vec<_> = several.iter().map(|one| name(one.as_str())).filter(|one| one != "null").collect();
            names.join(" or ")
        }
    }
}
