//! Checks all of a request but its body: conditions, encoding, media type; its parameters are read in `parameters.rs`.

use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use rollcall_core::description::{Action, Must, Operation, ProblemClass, Verb};
use rollcall_core::ingest::Asked;
use serde_json::{Map, Value, json};

use super::Call;
use super::parameters::{self, Read};
use crate::body::{Coding, ENCODINGS};
use crate::intake::CONDITION;
use crate::problem::Problem;

/// What the parameters of a request say, if it may go on to its body.
pub(super) fn check(call: &Call, options: &Value) -> Result<Asked, Problem> {
    if let Err(problem) = &call.dry_run {
        return Err(Problem::new(problem.class, problem.code, problem.detail.clone()));
    }
    let operation = call.operation();
    let query = parameters::query(call);
    let read = parameters::read(call, &query)?;
    check_values(operation, &read, options)?;
    check_conditions(call, operation, &query, options)?;
    check_encoding(&call.head.headers)?;
    // A body that only says which page is wanted is read whatever it is called.
    if writes(&operation.verb) {
        check_media(operation, &call.head.headers)?;
    }
    Ok(read.asked)
}

/// Whether what is sent changes records.
fn writes(verb: &Verb) -> bool {
    match verb {
        Verb::Resource(resource) => resource.action != Action::Get,
        Verb::Receive => true,
        verb => verb.changes().is_some(),
    }
}

/// The first condition on a single parameter that does not hold.
fn check_values(operation: &Operation, read: &Read, options: &Value) -> Result<(), Problem> {
    for (nth, value) in &read.values {
        let parameter = &operation.parameters[*nth];
        let context = || json!({"value": value, "options": options});
        if let Some(must) = parameter.must.iter().find(|must| !must.that.holds(&context())) {
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

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    pairs.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect()
}
