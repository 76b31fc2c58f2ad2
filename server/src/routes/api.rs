//! `/api/v1`: entities of every kind, where they come from, what changed, and what was delivered. One file per
//! endpoint; every one of them reads one tenant.

pub(super) mod changes;
pub(super) mod deliveries;
mod delivery;
mod delivery_body;
pub(super) mod entities;
mod entity;
mod provenance;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;

/// The endpoints, without their prefix.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/entities/{kind}", get(entities::list))
        .route("/entities/{kind}/{sourcedId}", get(entity::get))
        .route("/entities/{kind}/{sourcedId}/provenance", get(provenance::get))
        .route("/changes", get(changes::list))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}", get(delivery::get))
        .route("/deliveries/{id}/body", get(delivery_body::get))
        .fallback(unknown)
}

/// What single reads can be asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Single {
    pub(in crate::routes) tenant: Option<String>,
}

async fn unknown() -> Problem {
    Problem::unknown("there is no such endpoint")
}

/// The id in a path; what is no id names nothing.
fn id(text: &str, what: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| Problem::unknown(format!("there is no such {what}")))
}
