//! `/healthz`: the process lives. `/readyz`: it can work. `/metrics`: what it did, for operators.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use rollcall_core::store::Trouble;

use crate::app::App;
use crate::problem::Problem;

/// `GET /healthz`
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    if !app.is_ready() {
        return Err(Problem::unavailable("not-ready", "the server is starting or stopping"));
    }
    if let Some(trouble) = app.condition.trouble() {
        return Err(Problem::unavailable("database", trouble.told()));
    }
    if let [first, ..] = app.versions.behind().as_slice() {
        tracing::warn!("{first}");
        return Err(Problem::unavailable("behind", "a version that was decided on cannot be loaded; the log says why"));
    }
    app.reader.ping().await.map_err(|error| {
        app.condition.suffer(&error, "the database does not answer");
        Problem::unavailable("database", app.condition.trouble().map_or("the database does not answer", Trouble::told))
    })?;
    Ok("ready\n")
}

/// `GET /metrics`
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    app.operator(&headers)?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()).into_response())
}
