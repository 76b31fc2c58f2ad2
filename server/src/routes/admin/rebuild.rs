//! `/admin/v1/tenants/{tenant}/connections/{connection}/rebuild`: `POST` folds what the connection sent again beside what is
//! there, in the background; with `{"replace": true}` what is there becomes that. `GET` says how far it is.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::parsed;
use crate::access::Connection;
use crate::app::App;
use crate::problem::Problem;
use crate::rebuilding::{self, Progress};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Asked {
    #[serde(default)]
    replace: bool,
}

/// Begins, or goes on.
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    Path((tenant, connection)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    app.operator(&headers)?;
    let Asked { replace } = if body.is_empty() { Asked::default() } else { parsed(&body)? };
    let from = find(&app, &tenant, &connection)?;
    rebuilding::begin(&app, &from, replace)?;
    Ok((StatusCode::ACCEPTED, Json(app.rebuilds.progress(&from).unwrap_or_default())))
}

/// Says how far it is.
pub(super) async fn progress(
    State(app): State<Arc<App>>,
    Path((tenant, connection)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Progress>, Problem> {
    app.operator(&headers)?;
    let from = find(&app, &tenant, &connection)?;
    let progress = app.rebuilds.progress(&from);
    let none = || Problem::unknown("this connection has not been rebuilt since the server started");
    Ok(Json(progress.ok_or_else(none)?))
}

fn find(app: &App, tenant: &str, connection: &str) -> Result<Arc<Connection>, Problem> {
    let from = app.access().connection(tenant, connection).cloned();
    from.ok_or_else(|| Problem::unknown("there is no such connection"))
}
