//! OneRoster 1.2 rostering, read only: what consumers of the standard already know how to read.
//!
//! Which fields an object has follows from the canonical schemas; this module knows collections, the query language
//! and the shapes around. To add a collection: a line in [`view::VIEWS`].

pub(super) mod collection;
mod error;
mod filter;
mod links;
pub(super) mod object;
mod shape;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::app::App;
use crate::problem::Problem;

/// Where the service is mounted, as the standard has it.
pub(super) const BASE: &str = "/ims/oneroster/rostering/v1p2";

/// The endpoints, without their prefix.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/{collection}", get(collection::list))
        .route("/{collection}/{sourcedId}", get(object::get))
        .fallback(unknown)
}

async fn unknown() -> error::StatusInfo {
    Problem::unknown("there is no such endpoint").into()
}
