//! `GET /api/v1/entities/{kind}/{sourcedId}`: one entity.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use serde_json::{Map, Value};

use super::Single;
use crate::app::App;
use crate::problem::Problem;
use crate::query;

/// Reads one entity, `tobedeleted` ones too.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Map<String, Value>>, Problem> {
    let query: Single = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let (kind, id) = (app.kind(&kind)?, super::id(&id, "entity")?);
    let entity = app.reader.entity(app.canonical(), &tenant, kind, id).await?;
    entity.map(Json).ok_or_else(|| Problem::unknown("there is no such entity"))
}
