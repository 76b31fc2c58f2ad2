//! Turns what `jsonschema` finds into [`Note`]s: by place and shape, never by value.
//!
//! A note says it in English, and carries the words that a text in another language is filled in with: `field` (the
//! member that is wrong or missing), `expected` (types, words, the format) and `limit` (the least or most there may be).
//!
//! To word a further kind of violation: add an arm to [`wording`], and one to [`expected`] or [`limit`] if there is
//! something to fill in.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::Format;
use crate::json::{Json, Pointer};
use crate::note::Note;

/// Tells of one violation. Of alternatives, only the one that the value was evidently meant to be is spoken of.
pub(super) fn tell(root: &Json<'_>, error: &ValidationError<'_>, notes: &mut Vec<Note>) {
    let pointer = Pointer::from(error.instance_path().as_str());
    if let Some(branch) = meant(error) {
        for error in branch {
            tell(root, error, notes);
        }
        return;
    }
    let place = Place::find(root, &pointer);
    let found = place.value.map_or_else(|| "nothing".to_owned(), Json::shape);
    let kind = error.kind();
    let words = [("field", field(kind, &place)), ("expected", expected(kind)), ("limit", limit(kind))];
    let note = Note::new(pointer, kind.keyword(), wording(kind, &found));
    notes.push(words.into_iter().fold(note, |note, (name, word)| match word {
        Some(word) => note.with(name, word),
        None => note,
    }));
}

/// The alternative that fits the value's type, if there is exactly one.
fn meant<'e>(error: &'e ValidationError<'_>) -> Option<&'e [ValidationError<'static>]> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) = error.kind() else {
        return None;
    };
    let here = error.instance_path().as_str();
    let mut fitting = context.iter().filter(|branch| {
        !branch.iter().any(|error| {
            error.instance_path().as_str() == here && matches!(error.kind(), ValidationErrorKind::Type { .. })
        })
    });
    match (fitting.next(), fitting.next()) {
        (Some(branch), None) => Some(branch),
        _ => None,
    }
}

/// A place in a payload.
struct Place<'j, 'a> {
    /// What is there.
    value: Option<&'j Json<'a>>,
    /// The member that it is, or is in: that of `/tags/3` is `tags`.
    field: Option<String>,
}

impl<'j, 'a> Place<'j, 'a> {
    fn find(root: &'j Json<'a>, pointer: &Pointer) -> Self {
        let mut field = None;
        let value = pointer.steps().try_fold(root, |json, step| match json {
            Json::Object(object) => {
                field = Some(step.clone().into_owned());
                object.get(&step)
            }
            Json::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        });
        Self { value, field }
    }
}

/// The member that is wrong or missing.
fn field(kind: &ValidationErrorKind, place: &Place<'_, '_>) -> Option<String> {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Required { property } => property.as_str().map(str::to_owned),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            Some(unexpected.join(", "))
        }
        _ => place.field.clone(),
    }
}

/// What would have been right, in words of the description.
fn expected(kind: &ValidationErrorKind) -> Option<String> {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Type { kind } => Some(types(kind).join(", ")),
        Kind::Enum { options } => options.as_array().map(|options| bare(options).join(", ")),
        Kind::Constant { expected_value } => Some(bare(std::slice::from_ref(&**expected_value)).join(", ")),
        Kind::Format { format } => Some(format.clone()),
        Kind::Pattern { pattern } => Some(pattern.clone()),
        // Of forms that differ in one word alone (several formats, several types), all words are named.
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            let words = context.iter().map(|branch| match branch.as_slice() {
                [error] => expected(error.kind()),
                _ => None,
            });
            words.collect::<Option<Vec<_>>>().map(|words| words.join(", "))
        }
        _ => None,
    }
}

/// The least or the most there may be.
fn limit(kind: &ValidationErrorKind) -> Option<String> {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::MinLength { limit }
        | Kind::MaxLength { limit }
        | Kind::MinItems { limit }
        | Kind::MaxItems { limit }
        | Kind::MinProperties { limit }
        | Kind::MaxProperties { limit } => Some(limit.to_string()),
        Kind::Minimum { limit }
        | Kind::Maximum { limit }
        | Kind::ExclusiveMinimum { limit }
        | Kind::ExclusiveMaximum { limit } => Some(limit.to_string()),
        Kind::MultipleOf { multiple_of } => Some(multiple_of.to_string()),
        _ => None,
    }
}

/// The sentence for a kind of violation; `found` tells the value's shape.
fn wording(kind: &ValidationErrorKind, found: &str) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Type { kind } => format!("must be {}, found {found}", type_names(kind)),
        Kind::Required { property } => format!("`{}` is required", property.as_str().unwrap_or_default()),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("must not have {}", quoted(unexpected))
        }
        Kind::Enum { options } => format!("must be one of {}, found {found}", words(options)),
        Kind::Constant { expected_value } => format!("must be {expected_value}, found {found}"),
        Kind::Format { format } => format!("{}, found {found}", Format::demand(format)),
        Kind::Pattern { pattern } => format!("must match `{pattern}`, found {found}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters, found {found}"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters, found {found}"),
        Kind::MinItems { limit } => format!("must have at least {limit} items, found {found}"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items, found {found}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MinProperties { limit } => format!("must have at least {limit} members"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} members"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::UniqueItems => "must not hold the same item twice".to_owned(),
        Kind::Contains => "must hold at least one item of the documented form".to_owned(),
        Kind::FalseSchema => "must not be there".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => format!("is none of the documented forms, found {found}"),
        Kind::OneOfMultipleValid { .. } => "is more than one of the documented forms at once".to_owned(),
        Kind::Not { .. } => "is a form that is ruled out".to_owned(),
        other => format!("breaks `{}`, found {found}", other.keyword()),
    }
}

fn type_names(kind: &TypeKind) -> String {
    types(kind).iter().map(|name| article(name)).collect::<Vec<_>>().join(" or ")
}

fn types(kind: &TypeKind) -> Vec<String> {
    match kind {
        TypeKind::Single(one) => vec![one.to_string()],
        TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect(),
    }
}

fn article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "string" => "text".to_owned(),
        "array" => "a list".to_owned(),
        "integer" => "an integer".to_owned(),
        "object" => "an object".to_owned(),
        other => format!("a {other}"),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn words(options: &Value) -> String {
    options
        .as_array()
        .map(|options| options.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        .unwrap_or_default()
}

/// Words as they are: without quotation marks.
fn bare(options: &[Value]) -> Vec<String> {
    options.iter().map(|option| option.as_str().map_or_else(|| option.to_string(), str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::json::Json;
    use crate::validate::Schema;

    #[test]
    fn notes_carry_what_other_languages_fill_in() {
        let document = json!({
            "required": ["id"],
            "additionalProperties": false,
            "properties": {
                "id": {"type": "integer"},
                "kind": {"type": ["string", "null"]},
                "level": {"enum": ["first", "second", 3]},
                "version": {"const": "v1"},
                "born": {"format": "DD/MM/YYYY"},
                "sent": {"anyOf": [{"format": "DD/MM/YYYY"}, {"format": "date-time"}]},
                "code": {"pattern": "^[a-z]+$", "minLength": 3},
                "tags": {"maxItems": 1, "items": {"type": "string", "maxLength": 5}},
                "seats": {"minimum": 10},
                "people": {"items": {"required": ["name"]}},
            },
        });
        let payload = json!({
            "kind": 1, "level": "no", "version": "no", "born": "no", "sent": "no", "code": "AB", "tags": ["no", "too long"],
            "seats": 9, "people": [{"name": 1}, {}], "extra": "no",
        });
        let schema = Schema::compile(&document, "").unwrap();
        let payload = payload.to_string();
        let violations = schema.violations(&Json::parse(payload.as_bytes(), 64).unwrap(), 100);
        let told = violations.notes.iter().map(|note| {
            let words: Vec<_> = note.words.iter().map(|(name, word)| format!("{name}={word}")).collect();
            format!("{} {}: {}", note.pointer, note.code, words.join("; "))
        });
        insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
         additionalProperties: field=extra
         required: field=id
        /born format: expected=DD/MM/YYYY; field=born
        /code minLength: field=code; limit=3
        /code pattern: expected=^[a-z]+$; field=code
        /kind type: expected=null, string; field=kind
        /level enum: expected=first, second, 3; field=level
        /people/1 required: field=name
        /seats minimum: field=seats; limit=10
        /sent anyOf: expected=DD/MM/YYYY, date-time; field=sent
        /tags maxItems: field=tags; limit=1
        /tags/1 maxLength: field=tags; limit=5
        /version const: expected=v1; field=version
        ");
    }
}
