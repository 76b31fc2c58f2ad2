//! Turns what is known of our own endpoints into one OpenAPI 3.1 document, `/openapi.json`, and any such document into a page
//! that people read: `/docs` for ours, `/<partner>/docs` for a partner's.
//!
//! To document an endpoint: a line in [`ours::endpoints`]. A test compares them with what the routers answer.

mod endpoint;
mod ours;
mod page;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::app::App;

/// Where the style of all pages is.
pub(super) const STYLE: &str = "/docs/style.css";

/// The document of our own endpoints, without the address of a server.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| endpoint::document(ours::endpoints()));

/// `GET /openapi.json`
pub(super) async fn document(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Json<Value> {
    let mut document = DOCUMENT.clone();
    document["servers"] = json!([{"url": app.base_url(&headers, &uri)}]);
    Json(document)
}

/// `GET /docs`
pub(super) async fn docs() -> Response {
    page(&DOCUMENT)
}

/// `GET /docs/style.css`
pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("document/style.css")).into_response()
}

/// The page that shows a document. It has no scripts, and nothing in it is fetched from elsewhere.
pub(super) fn page(document: &Value) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, page::render(document)).into_response()
}
