//! Turns what became of a call into the response that the operation documents: its own response schema, filled in.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rollcall_core::delivery::Report;
use rollcall_core::description::Answer;
use rollcall_core::json::Pointer;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::request::DRY_RUN;
use crate::problem::Problem;

/// The header that names the delivery, whatever the partner's answer looks like.
const DELIVERY: HeaderName = HeaderName::from_static("rollcall-delivery");

/// The answer to a call that was worked on.
pub(super) fn success(call: &Call, report: &Report, delivery: Option<Uuid>) -> Response {
    let context = report_context(report, delivery, call.is_dry_run());
    let answer = call.operation().success();
    let status = answer.and_then(|answer| StatusCode::from_u16(answer.status).ok()).unwrap_or_default();
    let response = answer.and_then(|answer| filled(answer, &context)).unwrap_or_else(|| status.into_response());
    named(call, response, delivery)
}

/// The answer to a call that has a problem: in the partner's own shape where it documents one.
pub(super) fn problem(call: &Call, mut problem: Problem) -> Response {
    let delivery = problem.delivery;
    let operation = call.operation();
    problem.status = StatusCode::from_u16(operation.status_of(problem.class)).unwrap_or(problem.status);
    let response =
        match operation.answer_to(problem.class).and_then(|answer| filled(answer, &problem_context(&problem))) {
            Some(mut response) => {
                problem.log();
                response.headers_mut().extend(problem.headers());
                response
            }
            None => problem.into_response(),
        };
    named(call, response, delivery)
}

/// What the answer to a call that was worked on can be filled in with.
fn report_context(report: &Report, delivery: Option<Uuid>, dry_run: bool) -> Value {
    json!({
        "delivery": {"id": delivery, "status": report.status, "counts": report.counts},
        "rejections": report.rejections,
        "refusals": report.refusals,
        "faults": report.faults,
        "parked": report.parked,
        "warnings": report.warnings,
        "omitted": report.omitted,
        "dryRun": dry_run,
    })
}

/// What an error answer can be filled in with.
fn problem_context(problem: &Problem) -> Value {
    let mut fields: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let errors: Vec<_> = problem
        .errors
        .iter()
        .map(|note| {
            let field = field(&note.pointer);
            fields.entry(field.clone()).or_default().push(&note.message);
            json!({"pointer": note.pointer, "field": field, "code": note.code, "message": note.message})
        })
        .collect();
    json!({
        "problem": {
            "status": problem.status.as_u16(),
            "code": problem.code,
            "message": problem.detail,
            "errors": errors,
            "fields": fields,
            "omitted": problem.omitted,
        },
        "delivery": {"id": problem.delivery},
    })
}

/// The name of the member that a pointer leads to: its last step that is not an index.
fn field(pointer: &Pointer) -> String {
    let named = pointer.steps().filter(|step| step.parse::<usize>().is_err());
    named.last().map(std::borrow::Cow::into_owned).unwrap_or_default()
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
    if call.is_dry_run() {
        headers.insert(DRY_RUN, HeaderValue::from_static("true"));
    }
    if let Some(Ok(id)) = delivery.map(|id| HeaderValue::try_from(id.to_string())) {
        headers.insert(DELIVERY, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use rollcall_core::delivery::{Counts, Report, Status};
    use rollcall_core::description::{ProblemClass, scope};
    use rollcall_core::note::Note;
    use uuid::Uuid;

    use super::{Problem, problem_context, report_context};

    #[test]
    fn answers_can_be_filled_in_with_all_that_descriptions_speak_of() {
        let note = Note::new("/shelves/0/code".into(), "type", "must be text");
        let mut report = Report::new(Status::Applied);
        report.counts.insert("org".into(), Counts::default());
        report.warnings.push(note.clone());
        for delivery in [None, Some(Uuid::nil())] {
            assert!(scope::is_kept(&scope::ingest_answer(), &report_context(&report, delivery, delivery.is_none())));
            let problem = Problem::new(ProblemClass::Invalid, "invalid", "1 violation");
            let problem = problem.with_errors(vec![note.clone()], 0).kept_as(delivery);
            assert!(scope::is_kept(&scope::problem_answer(), &problem_context(&problem)));
        }
    }
}
