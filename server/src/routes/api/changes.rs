//! `GET /api/v1/changes?after=&limit=`: every entity once, at the place of its latest change.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::query;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    tenant: Option<String>,
    after: Option<i64>,
    limit: Option<u32>,
}

/// Lists changes. `next` is what to ask for as `after` next time, whether there is more now or later.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Json<Value>, Problem> {
    let query: Query = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let limit = query::limit(query.limit, app.ingest.limits.page_rows_max)?;
    let after = query.after.unwrap_or_default();
    let changes = app.reader.changes(app.canonical(), tenant, after, limit).await?;
    let next = changes.last().map_or(after, |change| change.sequence);
    Ok(Json(json!({"changes": changes, "next": next})))
}
