//! `GET /api/v1/deliveries/{id}`: what became of one delivery.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use rollcall_core::store::read::Delivery;

use super::Single;
use crate::app::App;
use crate::problem::Problem;
use crate::query;

/// Reads one delivery.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Delivery>, Problem> {
    let query: Single = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let delivery = app.reader.delivery(&tenant, super::id(&id, "delivery")?).await?;
    delivery.map(Json).ok_or_else(|| Problem::unknown("there is no such delivery"))
}
