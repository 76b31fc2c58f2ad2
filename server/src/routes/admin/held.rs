//! `/admin/v1/held`: deliveries that would change more than is likely, and wait. `GET /{delivery}` shows one, with what it
//! would do; `POST /{delivery}/approve` applies it, `POST /{delivery}/discard` puts it aside.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use rollcall_core::delivery::Status;
use rollcall_core::store::archive::ArchiveQuery;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::parsed;
use crate::app::App;
use crate::holding;
use crate::intake::blocking;
use crate::problem::Problem;
use crate::query;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Listing {
    tenant: Option<String>,
    connection: Option<String>,
    partner: Option<String>,
    #[schemars(with = "Option<String>")]
    after: Option<Uuid>,
    limit: Option<u32>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Approval {
    #[serde(default)]
    anyway: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Discarding {
    pub(super) reason: String,
}

/// Lists what is held, the oldest first, without the single changes.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let asked: Listing = query::parse(&uri)?;
    let limit = query::limit(asked.limit, app.ingest.limits.page_rows_max)?;
    let store = Arc::clone(&app.ingest.store);
    let held = blocking(async move {
        let query = ArchiveQuery {
            statuses: &[Status::Held],
            aside: false,
            tenant: asked.tenant.as_deref(),
            connection: asked.connection.as_deref(),
            partner: asked.partner.as_deref(),
            before: None,
            after: asked.after,
            limit,
        };
        store.archive().deliveries_that(&query).await
    });
    let mut held = held.await??;
    for held in held.iter_mut().filter_map(|archived| archived.delivery.report.as_mut()?.held.as_mut()) {
        held.omitted += held.changes.len();
        held.changes.clear();
    }
    Ok(Json(json!({"held": held})))
}

/// Shows one delivery that is, or was, held.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(delivery): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let (archived, ..) = holding::whose(&app, delivery).await?;
    if archived.delivery.report.as_ref().is_none_or(|report| report.held.is_none()) {
        return Err(Problem::unknown("this delivery was never held"));
    }
    Ok(Json(json!(archived)))
}

/// Applies one.
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    Path(delivery): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let approval: Approval = if body.is_empty() { Approval::default() } else { parsed(&body)? };
    let report = holding::approve(&app, delivery, approval.anyway).await?;
    Ok(Json(json!({"delivery": delivery, "report": report})))
}

/// Puts one aside, held or quarantined.
pub(super) async fn discard(
    State(app): State<Arc<App>>,
    Path(delivery): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let Discarding { reason } = parsed(&body)?;
    let report = holding::discard(&app, delivery, reason).await?;
    Ok(Json(json!({"delivery": delivery, "report": report})))
}
