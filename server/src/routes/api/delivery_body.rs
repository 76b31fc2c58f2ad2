//! `GET /api/v1/deliveries/{id}/body`: the bytes that were sent.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};

use super::Single;
use crate::app::App;
use crate::problem::Problem;
use crate::query;

/// Names the encoding that a body could not be decoded from. Not `Content-Encoding`: no client should try.
const STORED_ENCODING: HeaderName = HeaderName::from_static("rollcall-content-encoding");

/// Reads the body of one delivery, as bytes that no browser will show as a page.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let query: Single = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let body = app.reader.body(&tenant, super::id(&id, "delivery")?).await?;
    let body = body.ok_or_else(|| Problem::unknown("there is no such delivery, or its body was not kept"))?;
    let kind = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, "attachment"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (kind, body.bytes).into_response();
    if let Some(Ok(encoding)) = body.content_encoding.map(HeaderValue::try_from) {
        response.headers_mut().insert(STORED_ENCODING, encoding);
    }
    Ok(response)
}
