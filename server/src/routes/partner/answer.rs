//! Turns what a call came to into the response that the operation documents: its own response schema, filled in.

use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rollcall_core::description::Answer;
use serde_json::Value;
use uuid::Uuid;

use super::lists::Lists;
use super::{Call, Done, context};
use crate::intake::{DELIVERY, DRY_RUN};
use crate::problem::Problem;

/// The answer to a call that went well.
pub(super) fn success(call: &Call, done: Done) -> Response {
    let operation = call.log_operation().filter(|_| done.as_log).unwrap_or_else(|| call.operation());
    let Some(answer) = operation.success() else { return named(call, StatusCode::OK.into_response(), done.delivery) };
    let response = filled(answer, done.context, done.lists);
    named(call, response, done.delivery)
}

/// The answer to a call that has a problem: in the partner's own shape where it documents one.
pub(super) fn problem(call: &Call, mut problem: Problem) -> Response {
    let delivery = problem.delivery;
    let operation = call.operation();
    problem.status = StatusCode::from_u16(operation.status_of(problem.class)).unwrap_or(problem.status);
    let context = context::problem(&call.loaded.partner.messages, &problem);
    let documented = operation.answer_to(problem.class).filter(|answer| answer.content.is_some());
    let response = match documented.or_else(|| operation.shape_of(problem.class)) {
        Some(answer) => {
            let mut response = filled(answer, context, Lists::default());
            *response.status_mut() = problem.status;
            problem.log();
            response.headers_mut().extend(problem.headers());
            if let Some(trouble) = problem.trouble() {
                response.extensions_mut().insert(Arc::clone(trouble));
            }
            response
        }
        None => problem.into_response(),
    };
    named(call, response, delivery)
}

/// The documented response, filled in; its status alone where the document gives it no content.
fn filled(answer: &Answer, context: Value, lists: Lists) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = headers(answer, &context);
    let mut response = match &answer.content {
        None => status.into_response(),
        Some((media_type, template)) => {
            let stretches = template.write_with(context, &|name| lists.has(name));
            let mut response = (status, lists.written(stretches)).into_response();
            let media_type = HeaderValue::from_str(media_type);
            let media_type = media_type.unwrap_or(HeaderValue::from_static("application/json"));
            response.headers_mut().insert(CONTENT_TYPE, media_type);
            response
        }
    };
    response.headers_mut().extend(headers);
    response
}

/// The headers that have something to say.
fn headers(answer: &Answer, context: &Value) -> HeaderMap {
    let said = answer.headers.iter().filter_map(|(name, value)| {
        let text = match value.evaluate(context).ok()? {
            Value::String(text) if !text.is_empty() => text,
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            _ => return None,
        };
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(text).ok()?))
    });
    said.collect()
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
