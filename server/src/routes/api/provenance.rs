//! `GET /api/v1/entities/{kind}/{sourcedId}/provenance`: which records of which delivery an entity comes from.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::Single;
use crate::app::App;
use crate::problem::Problem;
use crate::query;

/// Says where one entity comes from.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let query: Single = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let (kind, id) = (app.kind(&kind)?, super::id(&id, "entity")?);
    let sources = app.reader.provenance(app.canonical(), &tenant, kind, id).await?;
    let sources = sources.ok_or_else(|| Problem::unknown("there is no such entity"))?;
    Ok(Json(json!({"sourcedId": id, "sources": sources})))
}
