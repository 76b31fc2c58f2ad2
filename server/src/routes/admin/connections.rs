//! `/admin/v1/connections`: who may send. `POST /admin/v1/tenants/{tenant}/connections/{connection}` sets one up, rotates its
//! credentials, turns it off and on, or gives it other options or terms.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::parsed;
use crate::access::Connection;
use crate::app::App;
use crate::connections::{self, Done, Wish};
use crate::intake::blocking;
use crate::problem::Problem;
use crate::setup::shown;

/// Lists all connections; never what they send with.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    let table = app.registry.table();
    let shown = |connection: &Arc<Connection>| {
        let sender = &connection.sender;
        let pin = table.pins.get(&(sender.tenant.clone(), sender.connection.clone()));
        json!({
            "tenant": sender.tenant,
            "connection": sender.connection,
            "partner": connection.partner,
            "options": &*sender.options,
            "mapper_profile": connection.mapper_profile,
            "retention": connection.retention,
            "hold": &*sender.thresholds,
            "webhook_secrets": connection.webhook_secrets,
            "disabled": connection.disabled,
            "from": if connection.is_set_up { "server" } else { "file" },
            "version": pin.map(|loaded| loaded.version),
        })
    };
    let connections: Vec<_> = app.access().connections().iter().map(shown).collect();
    Ok(Json(json!({"connections": connections})))
}

/// Changes one.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Path((tenant, connection)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let who = app.operator(&headers)?;
    let wish: Wish = parsed(&body)?;
    let changing = Arc::clone(&app);
    let done = async move { connections::change(&changing, &who, (&tenant, &connection), wish).await };
    let Done { setup, credential } = blocking(done).await??;
    Ok(Json(json!({
        "tenant": setup.tenant,
        "connection": setup.connection,
        "partner": setup.partner,
        "options": setup.options,
        "terms": setup.terms,
        "disabled": setup.disabled,
        "revision": setup.revision,
        "credentials": shown(&setup.credentials),
        "credential": credential.as_ref().map(|credential| credential.expose().to_owned()),
    })))
}
