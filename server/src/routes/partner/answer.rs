//! Turns what a call came to into the response that the operation documents: its own response schema, filled in.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rollcall_core::description::Answer;
use serde_json::Value;
use uuid::Uuid;

use super::{Call, Done, context};
use crate::intake::{DELIVERY, DRY_RUN};
use crate::problem::Problem;

/// The answer to a call that went well.
pub(super) fn success(call: &Call, done: &Done) -> Response {
    let operation = call.log_operation().filter(|_| done.as_log).unwrap_or_else(|| call.operation());
    let answer = operation.success();
    let status = answer.and_then(|answer| StatusCode::from_u16(answer.status).ok()).unwrap_or_default();
    let response = answer.and_then(|answer| filled(answer, &done.context)).unwrap_or_else(|| status.into_response());
    named(call, response, done.delivery)
}

/// The answer to a call that has a problem: in the partner's own shape where it documents one.
pub(super) fn problem(call: &Call, mut problem: Problem) -> Response {
    let delivery = problem.delivery;
    let operation = call.operation();
    problem.status = StatusCode::from_u16(operation.status_of(problem.class)).unwrap_or(problem.status);
    let context = context::problem(&call.loaded.partner.messages, &problem);
    let response = match operation.answer_to(problem.class).and_then(|answer| filled(answer, &context)) {
        Some(mut response) => {
            problem.log();
            response.headers_mut().extend(problem.headers());
            response
        }
        None => problem.into_response(),
    };
    named(call, response, delivery)
}

/// The documented response, filled in; `None` where the document gives it no content.
fn filled(answer: &Answer, context: &Value) -> Option<Response> {
    let (media_type, template) = answer.content.as_ref()?;
    let status = StatusCode::from_u16(answer.status).ok()?;
    let mut response = (status, Json(template.fill(context))).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(media_type).ok()?);
    Some(response)
}

/// Says in the headers which delivery this was, and that a dry run was one.
fn named(call: &Call, mut response: Response, delivery: Option<Uuid>) -> Response {
    let headers = response.headers_mut();
    if call.asks_dry_run() {
        headers.insert(DRY_RUN, HeaderValue::from_static("true"));
    }
    if let Some(Ok(id)) = delivery.map(|id| HeaderValue::try_from(id.to_string())) {
        headers.insert(DELIVERY, id);
    }
    response
}
