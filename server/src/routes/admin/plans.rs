//! `/admin/v1/partners/{partner}/plans`: `POST` makes the plan of an upgrade to a version that is stored, and changes
//! nothing; `GET` lists them. `/admin/v1/plans/{plan}` shows one, `/admin/v1/plans` how far those are that are being made.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use rollcall_core::ingest::remap::Sample;
use rollcall_core::store::administration::StoredPlan;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::parsed;
use super::partners::version;
use crate::app::App;
use crate::problem::Problem;
use crate::remapping::PlanProgress;
use crate::upgrading;

/// Plans in one answer.
const PLANS_MAX: u32 = 100;

/// What is to be planned.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Wanted {
    /// A version's id, or as many of its first digits as are enough.
    version: String,
    /// So many records of each connection; all, where this is not said.
    sample: Option<usize>,
}

/// Makes a plan.
pub(super) async fn make(
    State(app): State<Arc<App>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let who = app.operator(&headers)?;
    let wanted: Wanted = parsed(&body)?;
    let id = version(&app, &partner, &wanted.version).await?;
    let loaded = app.versions.get(&*app.ingest.store, app.canonical(), id).await?;
    let loaded = loaded.map_err(|reason| Problem::unknown(format!("the version cannot be loaded: {reason}")))?;
    let sample = wanted.sample.map_or(Sample::All, Sample::Some);
    let plan = upgrading::plan(&app, &who, &partner, loaded, sample).await?;
    Ok(Json(json!(plan)))
}

/// Lists the plans of a partner, the last first, without what they say.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let plans = app.ingest.store.administration().plans(&partner, PLANS_MAX).await?;
    let line = |plan: &StoredPlan| {
        let StoredPlan { id, partner, version, after, at, who, body: _ } = plan;
        json!({"id": id, "partner": partner, "version": version, "after": after, "at": at, "who": who})
    };
    Ok(Json(json!({"plans": plans.iter().map(line).collect::<Vec<_>>()})))
}

/// Says how far plans are that this process is making.
pub(super) async fn progress(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let told = |(id, progress): (Uuid, PlanProgress)| {
        let mut told = json!(progress);
        told["id"] = json!(id);
        told
    };
    Ok(Json(json!({"plans": app.remaps.plans.all().into_iter().map(told).collect::<Vec<_>>()})))
}

/// Shows a plan.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(plan): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let plan = app.ingest.store.administration().plan(plan).await?;
    Ok(Json(json!(plan.ok_or_else(|| Problem::unknown("there is no such plan"))?)))
}
