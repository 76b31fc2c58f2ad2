//! Checks all of a request but its body: parameters, conditions, media type.

use std::borrow::Cow;

use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rollcall_core::description::{Location, Operation, Parameter, ProblemClass};
use rollcall_core::json::{Json, Pointer};
use rollcall_core::note::Note;
use serde_json::{Map, Value, json};

use super::Call;
use crate::body::{Coding, ENCODINGS};
use crate::problem::Problem;

/// The header that asks for an answer without consequences.
pub(super) const DRY_RUN: HeaderName = HeaderName::from_static("rollcall-dry-run");

/// Deepest nesting of a parameter's value.
const PARAMETER_DEPTH_MAX: u32 = 4;

/// Whether nothing is to be stored. Guessing would be dangerous either way.
pub(super) fn dry_run(headers: &HeaderMap) -> Result<bool, Problem> {
    match headers.get(DRY_RUN).map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case(b"true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case(b"false") => Ok(false),
        Some(_) => Err(Problem::bad_parameter("Rollcall-Dry-Run", "must be `true` or `false`")),
    }
}

/// Whether the request may go on to its body.
pub(super) fn check(call: &Call, options: &Value) -> Result<(), Problem> {
    if let Err(problem) = &call.dry_run {
        return Err(Problem::new(problem.class, problem.code, problem.detail.clone()));
    }
    let operation = call.operation();
    let query = pairs(call.head.uri.query().unwrap_or_default());
    check_parameters(call, operation, &query)?;
    check_conditions(call, operation, &query, options)?;
    check_media(operation, &call.head.headers)
}

/// Every declared parameter is there if it must be, and looks as it should; all that do not are named.
fn check_parameters(call: &Call, operation: &Operation, query: &[(String, String)]) -> Result<(), Problem> {
    let limit = call.app.ingest.limits.violations_max;
    let mut errors = Vec::new();
    for parameter in &operation.parameters {
        match value_of(call, parameter, query) {
            None if parameter.required => {
                let message = format!("{} `{}` is required", place(parameter), parameter.name);
                errors.push(Note::new(Pointer::root(), "required", message));
            }
            None => {}
            Some(value) => errors.extend(violations(parameter, &value, limit)),
        }
    }
    match errors.as_slice() {
        [] => Ok(()),
        [only] => {
            Err(Problem::new(ProblemClass::Malformed, "bad-request", only.message.clone()).with_errors(errors, 0))
        }
        many => {
            let detail = format!("{} headers or parameters are missing or wrong", many.len());
            Err(Problem::new(ProblemClass::Malformed, "bad-request", detail).with_errors(errors, 0))
        }
    }
}

/// What is wrong with a parameter's value. Parameters are text; where the schema wants a number or a boolean, the text
/// must spell one.
fn violations(parameter: &Parameter, value: &str, limit: usize) -> Vec<Note> {
    let text = Json::Text(Cow::Borrowed(value));
    if parameter.schema.is_valid(&text) {
        return Vec::new();
    }
    let spelled = Json::parse(value.as_bytes(), PARAMETER_DEPTH_MAX).ok();
    let json = spelled.filter(|json| matches!(json, Json::Number(_) | Json::Boolean(_))).unwrap_or(text);
    let mut notes = parameter.schema.violations(&json, limit).notes;
    for note in &mut notes {
        note.message = format!("{} `{}`: {}", place(parameter), parameter.name, note.message);
    }
    notes
}

/// The first condition that does not hold.
fn check_conditions(
    call: &Call,
    operation: &Operation,
    query: &[(String, String)],
    options: &Value,
) -> Result<(), Problem> {
    if operation.must.is_empty() {
        return Ok(());
    }
    let headers = call.head.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let context = json!({
        "header": object(headers),
        "query": object(query.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        "path": object(call.path.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        "options": options,
    });
    match operation.must.iter().find(|must| !must.that.holds(&context)) {
        None => Ok(()),
        Some(must) => {
            let say = must.say.clone().unwrap_or_else(|| "a condition of this operation does not hold".to_owned());
            Err(Problem::new(must.problem, "condition", say))
        }
    }
}

/// The media type and the encoding are ones that the operation takes. No media type means the first one.
fn check_media(operation: &Operation, headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |code, detail: String| Problem::new(ProblemClass::UnsupportedMedia, code, detail);
    if let Coding::Other(_) = Coding::of(headers) {
        let problem = unsupported("unsupported-encoding", format!("the content encodings taken are {ENCODINGS}"));
        return Err(problem.with_header(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS)));
    }
    let (Some(body), Some(sent)) = (&operation.body, headers.get(CONTENT_TYPE)) else { return Ok(()) };
    let sent = sent.to_str().unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim();
    if sent.is_empty() || body.media.iter().any(|media| media.media_type.eq_ignore_ascii_case(sent)) {
        return Ok(());
    }
    let taken: Vec<_> = body.media.iter().map(|media| media.media_type.as_str()).collect();
    Err(unsupported("unsupported-media-type", format!("the media types taken are {}", taken.join(", "))))
}

/// The value of a parameter, as it was sent.
fn value_of<'c>(call: &'c Call, parameter: &Parameter, query: &'c [(String, String)]) -> Option<Cow<'c, str>> {
    let find = |pairs: &'c [(String, String)]| {
        pairs.iter().find(|(name, _)| *name == parameter.name).map(|(_, value)| Cow::Borrowed(value.as_str()))
    };
    match parameter.location {
        Location::Path => find(&call.path),
        Location::Query => find(query),
        Location::Header => {
            call.head.headers.get(&parameter.name).map(|value| String::from_utf8_lossy(value.as_bytes()))
        }
    }
}

fn place(parameter: &Parameter) -> &'static str {
    match parameter.location {
        Location::Path => "path parameter",
        Location::Query => "query parameter",
        Location::Header => "header",
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    pairs.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{DRY_RUN, dry_run};

    #[test]
    fn a_dry_run_is_never_guessed() {
        let asked = |value: &'static str| dry_run(&HeaderMap::from_iter([(DRY_RUN, HeaderValue::from_static(value))]));
        assert!(asked("True").unwrap() && !asked("false").unwrap() && !dry_run(&HeaderMap::new()).unwrap());
        for odd in ["", "1", "yes", "true, true"] {
            assert_eq!(asked(odd).unwrap_err().status, 400, "{odd:?}");
        }
    }
}
