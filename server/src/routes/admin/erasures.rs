//! `/admin/v1/erasures`: who was erased, as digests. `POST` does them again, with those that are sent: after a backup was
//! put in place. `POST /admin/v1/tenants/{tenant}/connections/{connection}/erasures` erases someone, or says with the header
//! `Rollcall-Dry-Run: true` what that would come to.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use rollcall_core::description::ProblemClass;
use rollcall_core::store::keep::Erasure;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::parsed;
use crate::app::App;
use crate::erasing::{self, Line, Named};
use crate::intake;
use crate::problem::Problem;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct More {
    erasures: Vec<Line>,
}

/// Lists erasures.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let lines: Vec<_> = erasing::all(&app).await?.iter().map(Line::from).collect();
    Ok(Json(json!({"erasures": lines})))
}

/// Does erasures again.
pub(super) async fn again(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let more: More = if body.is_empty() { More::default() } else { parsed(&body)? };
    let more = more.erasures.into_iter().map(Erasure::try_from).collect::<Result<Vec<_>, _>>();
    let more = more.map_err(|message| Problem::new(ProblemClass::Invalid, "invalid", message))?;
    Ok(Json(json!({"connections": erasing::again(&app, more).await?})))
}

/// Erases someone.
pub(super) async fn erase(
    State(app): State<Arc<App>>,
    Path((tenant, connection)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let dry_run = intake::dry_run(&headers)?;
    let access = app.access();
    let from = access.connection(&tenant, &connection);
    let from = from.ok_or_else(|| Problem::unknown("there is no such connection"))?;
    let named: Named = parsed(&body)?;
    let erased = erasing::erase(&app, from, &named, dry_run).await?;
    if erased.is_empty() {
        return Err(Problem::unknown("nothing is stored of whoever these names stand for"));
    }
    Ok(Json(json!({"dryRun": dry_run, "erased": erased})))
}
