//! `GET /admin/v1/entities/{sourcedId}/explanation`: why an entity says what it says, field by field.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use uuid::Uuid;

use crate::app::App;
use crate::explaining::{self, Explained};
use crate::intake::blocking;
use crate::problem::Problem;
use crate::query;
use crate::routes::api::Single;

/// Explains one.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Explained>, Problem> {
    app.operator(&headers)?;
    let query: Single = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let unknown = || Problem::unknown("there is no such entity");
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let explained = blocking(async move { explaining::explain(&app, &tenant, id).await }).await??;
    explained.map(Json).ok_or_else(unknown)
}
