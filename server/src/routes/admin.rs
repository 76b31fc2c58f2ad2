//! `/admin/v1`: what operators do on a running server. One file per endpoint.

mod erasures;
mod records;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::problem::Problem;

/// The endpoints, without their prefix.
pub(super) fn router() -> Router<Arc<App>> {
    let records = get(records::list).put(records::put).delete(records::delete);
    Router::new()
        .route("/tenants/{tenant}/connections/{connection}/records/{record}", records)
        .route("/tenants/{tenant}/connections/{connection}/erasures", post(erasures::erase))
        .route("/erasures", get(erasures::list).post(erasures::again))
        .fallback(async || Problem::unknown("there is no such endpoint"))
}
