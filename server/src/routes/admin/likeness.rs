//! `POST /admin/v1/deliveries/{delivery}/fixture`: an example with the shape of what was sent, and nobody's data.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use rollcall_core::json::Pointer;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::parsed;
use crate::app::App;
use crate::likeness::{self, Example};
use crate::problem::Problem;

/// What is wished of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Wishes {
    /// JSON Pointers to what is to stay as it was sent; `*` is any step.
    #[serde(default)]
    keep: Vec<String>,
}

/// Draws the likeness of what a delivery sent.
pub(super) async fn draw(
    State(app): State<Arc<App>>,
    Path(delivery): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Example>, Problem> {
    app.operator(&headers)?;
    let Wishes { keep } = if body.is_empty() { Wishes::default() } else { parsed(&body)? };
    let keep = keep.into_iter().map(Pointer::from).collect();
    Ok(Json(likeness::draw(&app, delivery, keep).await?))
}
