//! `/admin/v1/partners/{partner}/shadow`: a version that runs beside the one in use, on what is really sent.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use rollcall_core::store::StoreError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{parsed, partners};
use crate::app::App;
use crate::intake::blocking;
use crate::problem::Problem;
use crate::{shadow, versions};

/// What is to run beside.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Wish {
    /// The first digits of a stored version's id; nothing is to run beside, where it is `null`.
    version: Option<String>,
}

/// Shows what runs beside, and what it has come to in all processes.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    shown(&app, partner).await
}

/// Lets a version run beside, or none.
pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let who = app.operator(&headers)?;
    let Wish { version } = parsed(&body)?;
    let version = match version {
        Some(digits) => Some(partners::version(&app, &partner, &digits).await?),
        None => None,
    };
    let (deciding, name) = (Arc::clone(&app), partner.clone());
    let decided = blocking(async move {
        if let Some(version) = version {
            let store = &*deciding.ingest.store;
            if let Err(reason) = deciding.versions.get(store, deciding.canonical(), version).await? {
                return Ok(Err(reason));
            }
        }
        shadow::decide(&deciding, &who, &name, version).await?;
        versions::catch_up(&deciding).await?;
        Ok::<_, StoreError>(Ok(()))
    });
    decided.await??.map_err(|reason| partners::refused("version-refused", "the version is refused", vec![reason]))?;
    shown(&app, partner).await
}

async fn shown(app: &Arc<App>, partner: String) -> Result<Json<Value>, Problem> {
    let (showing, name) = (Arc::clone(app), partner.clone());
    let shown = blocking(async move { shadow::shown(&showing, &name).await }).await??;
    Ok(Json(json!({"partner": partner, "shadow": shown})))
}
