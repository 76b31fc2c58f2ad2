//! `/admin/v1/readers`: who may read. `POST /admin/v1/tenants/{tenant}/readers/{reader}` sets one up, rotates their credentials,
//! or turns them off and on.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::parsed;
use crate::app::App;
use crate::intake::blocking;
use crate::problem::Problem;
use crate::readers::{self, Done, Wish};
use crate::setup::shown;

/// Lists all readers; never what they read with.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let access = app.access();
    let readers: Vec<_> = access
        .readers()
        .iter()
        .map(|reader| {
            json!({
                "tenant": reader.tenant,
                "reader": reader.name,
                "disabled": reader.disabled,
                "from": if reader.is_set_up { "server" } else { "file" },
            })
        })
        .collect();
    Ok(Json(json!({"readers": readers})))
}

/// Changes one.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Path((tenant, reader)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let who = app.operator(&headers)?;
    let wish: Wish = parsed(&body)?;
    let changing = Arc::clone(&app);
    let done = async move { readers::change(&changing, &who, (&tenant, &reader), wish).await };
    let Done { setup, credential } = blocking(done).await??;
    Ok(Json(json!({
        "tenant": setup.tenant,
        "reader": setup.reader,
        "disabled": setup.disabled,
        "revision": setup.revision,
        "credentials": shown(&setup.credentials),
        "credential": credential.as_ref().map(|credential| credential.expose().to_owned()),
    })))
}
