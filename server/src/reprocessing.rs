//! Turns a delivery that came to nothing into a new one that says the same, worked on as things are now: once a description,
//! a mapper or the data that it refers to have been mended. Or, to find out what happened then, by the version of the
//! partner that it was worked on with first. Of a delivery that was taken but for some of its records, it can be these
//! alone: what was taken is not said again, for something newer may have been said since.
//!
//! The new one names the first one and takes its place, whatever comes of it. What says everything and is older than
//! what was said last is only looked at, unless somebody wants to go back to it: it would undo what came since.

use std::sync::Arc;

use jiff::Timestamp;
use rollcall_core::bundle::VersionId;
use rollcall_core::delivery::{Report, Status};
use rollcall_core::description::{Operation, ProblemClass, Verb};
use rollcall_core::ingest::{IngestError, Loaded};
use rollcall_core::json::Pointer;
use rollcall_core::store::administration::{Activation, Active};
use rollcall_core::store::archive::{Archived, StoredCall};
use rollcall_core::store::{ConnectionName, StoreError};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::access::Connection;
use crate::app::App;
use crate::holding::whose;
use crate::intake::{blocking, in_turn};
use crate::problem::Problem;

/// How a delivery is worked on once more.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct How {
    /// Though something newer says everything anew.
    pub rewind: bool,
    /// By the version that was in use when it was received.
    pub as_run: bool,
    /// Of a delivery that was taken, only the records that were put aside.
    pub aside: bool,
    /// Nothing is stored.
    pub dry_run: bool,
}

/// What became of a delivery that was worked on once more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reprocessed {
    /// The new delivery; none, where nothing was stored.
    pub delivery: Option<Uuid>,
    /// The one that it repeats.
    pub first: Uuid,
    /// The version of the partner that it was worked on with.
    pub version: VersionId,
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// Whether that is because something newer says everything anew.
    pub is_outdated: bool,
    /// What became, or would become, of it.
    pub report: Report,
}

/// Why a delivery cannot be worked on once more.
enum Undone {
    Gone,
    Unreadable,
    Unknown,
    Untold,
}

/// Works on a delivery once more.
pub async fn reprocess(app: &Arc<App>, delivery: Uuid, how: How) -> Result<Reprocessed, Problem> {
    let (archived, from, loaded) = whose(app, delivery).await?;
    let loaded = if how.as_run { as_run(app, &archived, &loaded).await? } else { loaded };
    let id = app.ingest.clock.next_id();
    let how = How { aside: how.aside && archived.aside > 0, ..how };
    let work = move |app: Arc<App>, from: Arc<Connection>, loaded: Arc<Loaded>| async move {
        again(&app, &from, &loaded, delivery, id, how).await
    };
    let done = in_turn(app, &from, &loaded, id, work).await?;
    let reprocessed = done.map_err(|undone| {
        let why = match undone {
            Undone::Gone => "what was sent is not kept, or not any more",
            Undone::Unreadable => "what was sent is in an encoding that cannot be undone",
            Undone::Unknown => "its operation is not there any more",
            Undone::Untold => {
                "not all of its records that were put aside are known: its report names only some of them"
            }
        };
        Problem::new(ProblemClass::Clash, "clash", why)
    })?;
    app.told(&loaded.partner);
    let (sender, status) = (&from.sender, reprocessed.report.status.word());
    let (tenant, connection, dry_run) = (&sender.tenant, &sender.connection, reprocessed.dry_run);
    tracing::info!(tenant, connection, first = %delivery, delivery = %id, status, dry_run, "a delivery was reprocessed");
    Ok(reprocessed)
}

async fn again(
    app: &App,
    from: &Connection,
    loaded: &Loaded,
    delivery: Uuid,
    id: Uuid,
    how: How,
) -> Result<Result<Reprocessed, Undone>, IngestError> {
    let (ingest, sender) = (&app.ingest, &from.sender);
    let stored = ingest.store.connection(&sender.tenant, &sender.connection, &from.partner).await?;
    let archive = ingest.store.archive();
    let Some(call) = archive.call(&stored, delivery).await? else { return Ok(Err(Undone::Unknown)) };
    let Some(operation) = loaded.partner.operation(&call.operation) else { return Ok(Err(Undone::Unknown)) };
    if call.content_encoding.is_some() {
        return Ok(Err(Undone::Unreadable));
    }
    if call.body.is_none() && operation.body.is_some() {
        return Ok(Err(Undone::Gone));
    }
    let is_outdated = is_outdated(app, &stored, operation, &call).await? && !how.rewind;
    let dry_run = how.dry_run || is_outdated;
    let first = call.first.unwrap_or(call.id);
    let mut received = call.received(id, Some(first));
    received.at = ingest.clock.now();
    if how.aside {
        let Some(places) = put_aside(app, &call).await? else { return Ok(Err(Undone::Untold)) };
        let body = received.body.as_deref().unwrap_or_default();
        if let Some(only) = ingest.only(sender, loaded, operation, body, &places) {
            received.sha256 = Sha256::digest(&only).into();
            received.size = only.len() as u64;
            received.body = Some(only.into());
        }
    }
    let report = match operation.verb {
        Verb::Resource(_) | Verb::Receive => ingest.write(sender, loaded, operation, received, dry_run).await?.report,
        _ => ingest.run(sender, loaded, operation, received, dry_run).await?.report,
    };
    ingest.synced().await?;
    if !dry_run {
        supersede(app, &call).await?;
    }
    let (delivery, version) = ((!dry_run).then_some(id), loaded.version);
    Ok(Ok(Reprocessed { delivery, first, version, dry_run, is_outdated, report }))
}

/// The version that was in use when a delivery was worked on, as the history of decisions tells it. `loaded` is what its
/// connection uses now.
async fn as_run(app: &Arc<App>, archived: &Archived, loaded: &Arc<Loaded>) -> Result<Arc<Loaded>, Problem> {
    let gone = |why: String| Problem::new(ProblemClass::Clash, "clash", why);
    let delivery = &archived.delivery;
    let waited = loaded.partner.operation(&delivery.operation).is_some_and(|operation| operation.asynchronous);
    let at = delivery.finished_at.filter(|_| waited).unwrap_or(delivery.received_at);
    let connection = (archived.tenant.clone(), delivery.connection.clone());
    let activations = app.ingest.store.administration().activations().await?;
    let version = version_at(activations, &delivery.partner, &connection, at);
    let version = version.ok_or_else(|| gone("no version is known that was in use when it was received".to_owned()))?;
    let app = Arc::clone(app);
    let found = async move { app.versions.get(&*app.ingest.store, app.canonical(), version).await };
    blocking(found).await??.map_err(|reason| gone(format!("version {} cannot be used: {reason}", version.short())))
}

/// The version that a connection of a partner used at some time.
fn version_at(
    mut activations: Vec<Activation>,
    partner: &str,
    connection: &ConnectionName,
    at: Timestamp,
) -> Option<VersionId> {
    activations.retain(|activation| activation.at <= at);
    let active = Active::of(partner, &activations);
    active.pins.get(connection).copied().or(active.version())
}

/// Whether something newer says everything anew.
async fn is_outdated(
    app: &App,
    stored: &rollcall_core::store::Connection,
    operation: &Operation,
    call: &StoredCall,
) -> Result<bool, StoreError> {
    if !matches!(operation.verb, Verb::Snapshot { .. }) {
        return Ok(false);
    }
    let last = app.ingest.store.archive().last(stored, &operation.id).await?;
    Ok(last.is_some_and(|(id, at)| id != call.id && at > call.at))
}

/// Where the records of a delivery stand that were put aside; `None` where only some of them are known.
async fn put_aside(app: &App, call: &StoredCall) -> Result<Option<Vec<Pointer>>, StoreError> {
    let logged = app.ingest.store.archive().errors(call.id).await?;
    if !logged.is_empty() {
        return Ok(Some(logged.into_iter().map(|entry| entry.pointer).collect()));
    }
    let report = call.report.as_ref().filter(|report| report.omitted == 0);
    Ok(report.map(|Report { rejections, refusals, faults, .. }| {
        [rejections, refusals, faults].into_iter().flatten().map(|note| note.pointer.clone()).collect()
    }))
}

/// What came to nothing is told by the new one from now on, whatever came of that.
async fn supersede(app: &App, call: &StoredCall) -> Result<(), StoreError> {
    if let (Status::Applied | Status::Unchanged, Some(report)) = (call.status, &call.report) {
        app.ingest.store.archive().decide_aside(call.id, report).await?;
    }
    if !matches!(call.status, Status::Held | Status::Rejected | Status::Failed | Status::Interrupted) {
        return Ok(());
    }
    let report = call.report.clone().unwrap_or_else(|| Report::new(call.status));
    let report = Report { status: Status::Superseded, ..report };
    app.ingest.store.archive().turn(call.id, call.status, &report, app.ingest.clock.now()).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
