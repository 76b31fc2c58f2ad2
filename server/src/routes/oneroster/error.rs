//! Turns a [`Problem`] into the standard's error body, `imsx_StatusInfo`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use rollcall_core::description::ProblemClass;
use serde_json::json;

use super::{collection, filter};
use crate::problem::Problem;

/// A problem, as the standard words it.
#[derive(Debug)]
pub(super) struct StatusInfo(Problem);

impl From<Problem> for StatusInfo {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for StatusInfo {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        problem.log();
        let body = json!({
            "imsx_codeMajor": "failure",
            "imsx_severity": "error",
            "imsx_description": problem.detail,
            "imsx_CodeMinor": {"imsx_codeMinorField": [{
                "imsx_codeMinorFieldName": "TargetEndSystem",
                "imsx_codeMinorFieldValue": code_minor(&problem),
            }]},
        });
        (problem.status, problem.headers(), Json(body)).into_response()
    }
}

/// The standard's word for it.
fn code_minor(problem: &Problem) -> &'static str {
    match (problem.class, problem.code) {
        (_, filter::INVALID) => "invalid_filter_field",
        (_, collection::INVALID_SELECTION) => "invalid_selection_field",
        (ProblemClass::Unauthenticated, _) => "unauthorisedrequest",
        (ProblemClass::Forbidden, _) => "forbidden",
        (ProblemClass::Unknown, _) => "unknownobject",
        (ProblemClass::Limited | ProblemClass::Unavailable, _) => "server_busy",
        (ProblemClass::Fault, _) => "internal_server_error",
        _ => "invaliddata",
    }
}
