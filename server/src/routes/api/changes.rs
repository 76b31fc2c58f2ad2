//! `GET /api/v1/changes?after=&from=&limit=`: every entity once, at the place of its latest change.
//!
//! Of entities that are gone this is shown for a time only. Who asks from a place before which such entities have been
//! forgotten may have missed that they went, and is told to read everything anew: `410`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::query;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Query {
    tenant: Option<String>,
    after: Option<i64>,
    /// Where the feed began when the reader began at its beginning, as it was told then.
    from: Option<i64>,
    limit: Option<u32>,
}

/// Lists changes. `next` is what to ask for as `after` next time, whether there is more now or later, and `from`, where it is
/// there, as `from`.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Json<Value>, Problem> {
    let query: Query = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let limit = query::limit(query.limit, app.ingest.limits.page_rows_max)?;
    let after = query.after.unwrap_or_default();
    let changes = app.reader.changes(app.canonical(), &tenant, after, limit).await?;
    // In this order: what is forgotten in between is noticed.
    let horizon = app.reader.horizon(&tenant).await?;
    let from = if after <= 0 { Some(horizon) } else { query.from };
    if after > 0 && after < horizon && from.is_none_or(|from| from < horizon) {
        let detail = "what was gone at this place has been forgotten; read everything anew, from `after=0`";
        return Err(Problem::gone("full-read-needed", detail));
    }
    let next = changes.last().map_or(after, |change| change.sequence);
    let mut page = json!({"changes": changes, "next": next});
    if let Some(from) = from.filter(|from| *from > 0) {
        page["from"] = from.into();
    }
    Ok(Json(page))
}
