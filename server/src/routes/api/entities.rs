//! `GET /api/v1/entities/{kind}?connection=&status=&limit=&after=`: a page of entities, by `sourcedId`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use rollcall_core::store::read::{EntityQuery, Page};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;
use crate::query;
use crate::routes::TOTAL_COUNT;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Query {
    tenant: Option<String>,
    connection: Option<String>,
    status: Option<Status>,
    limit: Option<u32>,
    #[schemars(with = "Option<String>")]
    after: Option<Uuid>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::routes) enum Status {
    Active,
    ToBeDeleted,
}

/// Lists entities. `next` is what to ask for as `after` to go on, `null` at the end.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let query: Query = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let limit = query::limit(query.limit, app.ingest.limits.page_rows_max)?;
    let question = EntityQuery {
        tenant,
        kind: app.kind(&kind)?,
        connection: query.connection,
        active: query.status.map(|status| matches!(status, Status::Active)),
        filter: None,
        sort: None,
        page: Page::After { limit, after: query.after },
        count: true,
    };
    let found = app.reader.entities(app.canonical(), &question).await?;
    let next = next(&found.rows, limit);
    let total = found.total.unwrap_or_default().to_string();
    Ok(([(TOTAL_COUNT, total)], Json(json!({"entities": found.rows, "next": next}))).into_response())
}

/// The cursor after a full page.
fn next(rows: &[Map<String, Value>], limit: u32) -> Option<&Value> {
    let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
    rows.last().filter(|_| full)?.get("sourcedId")
}
