//! Checks all of a request but its body: parameters, conditions, encoding, media type.

use std::borrow::Cow;

use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use rollcall_core::description::{Listed, Location, Must, Operation, Parameter, ProblemClass, Verb};
use rollcall_core::json::{Json, Pointer};
use rollcall_core::note::Note;
use serde_json::{Map, Value, json};

use super::Call;
use crate::body::{Coding, ENCODINGS};
use crate::intake::CONDITION;
use crate::problem::Problem;

/// Deepest nesting of a parameter's value.
const PARAMETER_DEPTH_MAX: u32 = 4;

/// Whether the request may go on to its body.
pub(super) fn check(call: &Call, options: &Value) -> Result<(), Problem> {
    if let Err(problem) = &call.dry_run {
        return Err(Problem::new(problem.class, problem.code, problem.detail.clone()));
    }
    let operation = call.operation();
    let query = query(call);
    check_parameters(call, operation, &query)?;
    check_values(call, operation, &query, options)?;
    check_conditions(call, operation, &query, options)?;
    check_encoding(&call.head.headers)?;
    // A body that only says which page is wanted is read whatever it is called.
    if operation.verb.changes().is_some() { check_media(operation, &call.head.headers) } else { Ok(()) }
}

/// The query's names and values.
pub(super) fn query(call: &Call) -> Vec<(String, String)> {
    let query = call.head.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Every declared parameter is there if it must be, and looks as it should; all that do not are named.
fn check_parameters(call: &Call, operation: &Operation, query: &[(String, String)]) -> Result<(), Problem> {
    let limit = call.app.ingest.limits.violations_max;
    let mut errors = Vec::new();
    for parameter in &operation.parameters {
        match value_of(call, parameter, query) {
            None if parameter.required => {
                let message = format!("{} `{}` is required", place(parameter), parameter.name);
                errors.push(Note::new(Pointer::root(), "required", message).with("field", &parameter.name));
            }
            None => {}
            Some(_) if names_delivery(operation, parameter) => {} // what is no id is the id of nothing
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

/// Whether a parameter is the id of the delivery whose log is asked for.
fn names_delivery(operation: &Operation, parameter: &Parameter) -> bool {
    matches!(&operation.verb, Verb::List(Listed::Log { delivery }) if *delivery == parameter.name)
}

/// What is wrong with a parameter's value.
fn violations(parameter: &Parameter, value: &str, limit: usize) -> Vec<Note> {
    let mut notes = parameter.schema.violations(&spelled(parameter, value), limit).notes;
    for note in &mut notes {
        note.message = format!("{} `{}`: {}", place(parameter), parameter.name, note.message);
        note.words.insert("field".to_owned(), parameter.name.clone());
    }
    notes
}

/// A parameter's value as its schema wants it. Parameters are text; where the schema wants a number or a boolean, the
/// text must spell one.
fn spelled<'v>(parameter: &Parameter, value: &'v str) -> Json<'v> {
    let text = Json::Text(Cow::Borrowed(value));
    if parameter.schema.is_valid(&text) {
        return text;
    }
    let spelled = Json::parse(value.as_bytes(), PARAMETER_DEPTH_MAX).ok();
    spelled.filter(|json| matches!(json, Json::Number(_) | Json::Boolean(_))).unwrap_or(text)
}

/// The first condition on a single parameter that does not hold.
fn check_values(
    call: &Call,
    operation: &Operation,
    query: &[(String, String)],
    options: &Value,
) -> Result<(), Problem> {
    for parameter in operation.parameters.iter().filter(|parameter| !parameter.must.is_empty()) {
        let Some(value) = value_of(call, parameter, query) else { continue };
        let context = json!({"value": spelled(parameter, &value).to_value(), "options": options});
        if let Some(must) = parameter.must.iter().find(|must| !must.that.holds(&context)) {
            return Err(condition(must));
        }
    }
    Ok(())
}

/// The problem that a condition does not hold.
fn condition(must: &Must) -> Problem {
    match &must.say {
        Some(say) => Problem::said(must.problem, CONDITION, say.clone()),
        None => Problem::new(must.problem, CONDITION, "a condition of this operation does not hold"),
    }
}

/// The first condition on the request as a whole that does not hold.
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
        Some(must) => Err(condition(must)),
    }
}

/// The encoding is one that can be undone.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let Coding::Other(_) = Coding::of(headers) else { return Ok(()) };
    let detail = format!("the content encodings taken are {ENCODINGS}");
    let problem = Problem::new(ProblemClass::UnsupportedMedia, "unsupported-encoding", detail);
    Err(problem.with_header(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS)))
}

/// The media type is one that the operation takes. None means the first one.
fn check_media(operation: &Operation, headers: &HeaderMap) -> Result<(), Problem> {
    let (Some(body), Some(sent)) = (&operation.body, headers.get(CONTENT_TYPE)) else { return Ok(()) };
    let sent = sent.to_str().unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim();
    if sent.is_empty() || body.media.iter().any(|media| media.media_type.eq_ignore_ascii_case(sent)) {
        return Ok(());
    }
    let taken: Vec<_> = body.media.iter().map(|media| media.media_type.as_str()).collect();
    let detail = format!("the media types taken are {}", taken.join(", "));
    Err(Problem::new(ProblemClass::UnsupportedMedia, "unsupported-media-type", detail))
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

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    pairs.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect()
}
