//! Turns requests into answers: our own routes here, everything else by the partners' descriptions.
//!
//! Partners' routes come and go with their descriptions, which `axum::Router` cannot do; so one fallback handler looks
//! them up in the route table of the version that is loaded.

mod admin;
mod api;
mod document;
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
use crate::problem::Problem;
use crate::trace::{self, REQUEST_ID};
use crate::{metrics, panic, unread};

/// The header that says how many entities there are on all pages.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Everything that can be called.
pub fn router(app: Arc<App>) -> Router {
    let limits = Arc::new(app.ingest.limits.clone());
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(document::document))
        .route("/docs", get(document::docs))
        .route(document::STYLE, get(document::style))
        .nest("/api/v1", api::router())
        .nest("/admin/v1", admin::router())
        .nest(oneroster::BASE, oneroster::router())
        .fallback(partner::call)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(limits, unread::read_on))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

/// Names the request, logs its outcome and counts it.
async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let _answering = metrics::answering();
    let id = trace::request_id(request.headers(), &*app.ingest.clock);
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = method(&request);
    let span = tracing::info_span!("request", request = id, method, delivery = tracing::field::Empty);
    trace::continue_from(&span, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(trouble) = response.extensions_mut().remove::<Arc<StoreError>>() {
        app.condition.learn(&trouble);
    }
    let route = response.extensions_mut().remove::<PartnerRoute>().map(|route| route.0).or(matched);
    let route = route.unwrap_or_else(|| "unknown".to_owned());
    let took = start.elapsed();
    metrics::request(&route, response.status().as_u16(), took);
    trace::answered(&span, method, &route, response.status().as_u16());
    span.in_scope(|| tracing::info!(route, status = response.status().as_u16(), ms = took.as_millis(), "answered"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The method of a request, as far as it is one that we know: others are whatever a caller likes.
fn method(request: &Request) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"];
    KNOWN.into_iter().find(|known| *known == request.method().as_str()).unwrap_or("other")
}

/// Which partner's route an answer came from, for the figures: `/library/books/{id}`.
#[derive(Debug, Clone)]
struct PartnerRoute(String);

/// What a caller gets when a handler panicked. What may be told of the panic goes to the log only.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(payload: Box<dyn Any + Send>) -> Response {
    Problem::fault(format!("a handler panicked: {}", panic::words(&*payload))).into_response()
}
