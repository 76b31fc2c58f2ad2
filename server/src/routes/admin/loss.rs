//! `GET /admin/v1/partners/{partner}/loss`: what no reader ever sees of the payloads that a partner sent last.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::loss::{self, Losses};
use crate::problem::Problem;
use crate::query;

/// Deliveries that are looked at where nothing is said.
const DELIVERIES: usize = 100;

/// What can be asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Asked {
    /// So many of the last deliveries; 100, where this is not said.
    deliveries: Option<usize>,
}

/// Tells it.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Losses>, Problem> {
    app.operator(&headers)?;
    let asked: Asked = query::parse(&uri)?;
    if app.registry.get(&partner).is_none() {
        return Err(Problem::unknown("no version of such a partner is active"));
    }
    let deliveries = asked.deliveries.unwrap_or(DELIVERIES).min(app.ingest.limits.loss_deliveries_max);
    Ok(Json(loss::of_stored(&app, &partner, deliveries).await?))
}
