//! `/admin/v1`: what operators do on a running server. One file per endpoint; each has a line in `document/ours.rs`, too.

mod connections;
pub(super) mod erasures;
mod explanation;
pub(super) mod held;
pub(super) mod likeness;
pub(super) mod loss;
pub(super) mod partners;
pub(super) mod plans;
pub(super) mod quarantine;
mod readers;
pub(super) mod rebuild;
pub(super) mod records;
pub(super) mod remaps;
pub(super) mod shadow;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use rollcall_core::description::ProblemClass;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::problem::Problem;

/// The endpoints, without their prefix.
pub(super) fn router() -> Router<Arc<App>> {
    let records = get(records::list).put(records::put).delete(records::delete);
    Router::new()
        .route("/tenants/{tenant}/connections/{connection}/records/{record}", records)
        .route("/tenants/{tenant}/connections/{connection}/erasures", post(erasures::erase))
        .route("/tenants/{tenant}/connections/{connection}", post(connections::change))
        .route("/connections", get(connections::list))
        .route("/tenants/{tenant}/readers/{reader}", post(readers::change))
        .route("/readers", get(readers::list))
        .route("/entities/{sourcedId}/explanation", get(explanation::show))
        .route("/bundles", post(partners::upload))
        .route("/partners", get(partners::list))
        .route("/partners/{partner}/loss", get(loss::show))
        .route("/partners/{partner}/versions", get(partners::versions))
        .route("/partners/{partner}/activations", get(partners::history).post(partners::decide))
        .route("/partners/{partner}/shadow", get(shadow::show).post(shadow::decide))
        .route("/partners/{partner}/plans", get(plans::list).post(plans::make))
        .route("/plans", get(plans::progress))
        .route("/plans/{plan}", get(plans::show))
        .route("/remaps", get(remaps::list).post(remaps::remap))
        .route("/log", get(partners::log))
        .route("/held", get(held::list))
        .route("/held/{delivery}", get(held::show))
        .route("/held/{delivery}/approve", post(held::approve))
        .route("/held/{delivery}/discard", post(held::discard))
        .route("/quarantine", get(quarantine::list))
        .route("/quarantine/{delivery}", get(quarantine::show))
        .route("/quarantine/{delivery}/discard", post(held::discard))
        .route("/deliveries/{delivery}/reprocess", post(quarantine::again))
        .route("/deliveries/{delivery}/fixture", post(likeness::draw))
        .route("/tenants/{tenant}/connections/{connection}/rebuild", get(rebuild::progress).post(rebuild::begin))
        .route("/erasures", get(erasures::list).post(erasures::again))
        .fallback(async || Problem::unknown("there is no such endpoint"))
}

/// A body of ours. What is wrong is told by place, never by value.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("the body is not as documented, at line {} column {}", error.line(), error.column());
        Problem::new(ProblemClass::Invalid, "invalid", place)
    })
}
