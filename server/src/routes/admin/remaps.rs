//! `/admin/v1/remaps`: `POST` maps anew what is stored and was not mapped by the version in use, in the background; with the
//! header `Rollcall-Dry-Run: true` it says what that, or another version, would change. `GET` says how far it is.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use rollcall_core::ingest::remap::Sample;
use rollcall_core::store::ConnectionName;
use rollcall_core::upgrade::difference;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::parsed;
use super::partners::{connection, invalid, version};
use crate::access::Connection;
use crate::app::App;
use crate::intake;
use crate::problem::Problem;
use crate::remapping::{self, Progress};

/// What is to be mapped anew.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Wanted {
    /// `tenant/connection`; all of them, where this is not said.
    connection: Option<String>,
    /// Only connections of this partner.
    partner: Option<String>,
    /// In a dry run: by this version, named by its id or its first digits.
    version: Option<String>,
    /// In a dry run: only so many records of each connection.
    sample: Option<usize>,
}

/// Maps anew, or says what that would change.
pub(super) async fn remap(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    app.operator(&headers)?;
    let dry_run = intake::dry_run(&headers)?;
    let wanted: Wanted = if body.is_empty() { Wanted::default() } else { parsed(&body)? };
    let all = connections(&app, &wanted)?;
    if dry_run {
        return Ok((StatusCode::OK, Json(foreseen(&app, &wanted, &all).await?)));
    }
    if wanted.version.is_some() || wanted.sample.is_some() {
        return Err(invalid(
            "a version and a sample are for dry runs: which version is in use is decided by activations",
        ));
    }
    for of in &all {
        remapping::begin(&app, of)?;
    }
    let names: Vec<_> = all.iter().map(|of| name(of)).collect();
    Ok((StatusCode::ACCEPTED, Json(json!({"remaps": progress(&app, |other| names.contains(other))}))))
}

/// Says how far it is.
pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    app.operator(&headers)?;
    Ok(Json(json!({"remaps": progress(&app, |_| true)})))
}

async fn foreseen(app: &Arc<App>, wanted: &Wanted, all: &[Arc<Connection>]) -> Result<Value, Problem> {
    let sample = wanted.sample.map_or(Sample::All, Sample::Some);
    let mut remaps = Vec::new();
    for of in all {
        let to = match &wanted.version {
            None => None,
            Some(digits) => {
                let id = version(app, &of.partner, digits).await?;
                let loaded = app.versions.get(&*app.ingest.store, app.canonical(), id).await?;
                Some(loaded.map_err(|reason| Problem::unknown(format!("the version cannot be loaded: {reason}")))?)
            }
        };
        let foreseen = remapping::foresee(app, of, to, sample, None).await?;
        remaps.push(json!({
            "connection": shown(&name(of)),
            "parts": foreseen.parts.len(),
            "text": difference(&foreseen.difference),
            "difference": foreseen.difference,
        }));
    }
    Ok(json!({"dryRun": true, "remaps": remaps}))
}

fn connections(app: &App, wanted: &Wanted) -> Result<Vec<Arc<Connection>>, Problem> {
    let named = wanted.connection.as_deref().map(connection).transpose()?;
    let is_partner = |of: &Connection| wanted.partner.as_ref().is_none_or(|partner| *partner == of.partner);
    let is_named = |of: &Connection| named.as_ref().is_none_or(|named| *named == name(of));
    let access = app.access();
    let all: Vec<_> = access.connections().iter().filter(|of| is_partner(of) && is_named(of)).cloned().collect();
    if all.is_empty() { Err(Problem::unknown("there is no such connection")) } else { Ok(all) }
}

fn progress(app: &App, is_wanted: impl Fn(&ConnectionName) -> bool) -> Vec<Value> {
    let told = |(name, progress): (ConnectionName, Progress)| {
        let mut told = json!(progress);
        told["connection"] = json!(shown(&name));
        told
    };
    app.remaps.all().into_iter().filter(|(name, _)| is_wanted(name)).map(told).collect()
}

fn name(of: &Connection) -> ConnectionName {
    (of.sender.tenant.clone(), of.sender.connection.clone())
}

fn shown((tenant, connection): &ConnectionName) -> String {
    format!("{tenant}/{connection}")
}
