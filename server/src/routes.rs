//! Turns requests into answers: our own routes here, everything else by the partners' descriptions.
//!
//! Partners' routes come and go with their descriptions, which `axum::Router` cannot do; so one fallback handler looks
//! them up in the route table of the version that is loaded.

mod admin;
mod api;
mod health;
mod oneroster;
mod partner;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rollcall_core::store::StoreError;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use crate::app::App;
use crate::metrics;
use crate::problem::Problem;

/// The header that names a request in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header that says how many entities there are on all pages.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Everything that can be called.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .nest("/api/v1", api::router())
        .nest("/admin/v1", admin::router())
        .nest(oneroster::BASE, oneroster::router())
        .fallback(partner::call)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

/// Names the request, logs its outcome and counts it.
async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = app.ingest.clock.next_id();
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = tracing::info_span!("request", id = %id.simple(), %method, delivery = tracing::field::Empty);
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(trouble) = response.extensions_mut().remove::<Arc<StoreError>>() {
        app.condition.learn(&trouble);
    }
    let route = response.extensions_mut().remove::<PartnerRoute>().map(|route| route.0).or(matched);
    let route = route.unwrap_or_else(|| "unknown".to_owned());
    let took = start.elapsed();
    metrics::request(&route, response.status().as_u16(), took);
    span.in_scope(|| tracing::info!(route, status = response.status().as_u16(), ms = took.as_millis(), "answered"));
    if let Ok(id) = HeaderValue::from_str(&id.simple().to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Which partner's route an answer came from, for the figures: `/library/books/{id}`.
#[derive(Debug, Clone)]
struct PartnerRoute(String);

/// What a caller gets when a handler panicked. The panic's message goes to the log only.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "no message".to_owned());
    Problem::fault(format!("a handler panicked: {message}")).into_response()
}
