//! `/admin/v1`: what operators do on a running server. One file per endpoint.

mod records;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::app::App;
use crate::problem::Problem;

/// The endpoints, without their prefix.
pub(super) fn router() -> Router<Arc<App>> {
    let records = get(records::list).put(records::put).delete(records::delete);
    Router::new()
        .route("/tenants/{tenant}/connections/{connection}/records/{record}", records)
        .fallback(async || Problem::unknown("there is no such endpoint"))
}
