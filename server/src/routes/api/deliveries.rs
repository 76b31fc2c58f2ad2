//! `GET /api/v1/deliveries?connection=&before=&limit=`: what was sent, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;
use crate::query;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Query {
    tenant: Option<String>,
    connection: Option<String>,
    #[schemars(with = "Option<String>")]
    before: Option<Uuid>,
    limit: Option<u32>,
}

/// Lists deliveries. `next` is what to ask for as `before` to go on, `null` at the end.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Json<Value>, Problem> {
    let query: Query = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let limit = query::limit(query.limit, app.ingest.limits.page_rows_max)?;
    let found = app.reader.deliveries(&tenant, query.connection.as_deref(), query.before, limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|rows| rows >= limit);
    let next = found.last().filter(|_| full).map(|delivery| delivery.id);
    Ok(Json(json!({"deliveries": found, "next": next})))
}
