//! Turns what an operator says of a delivery that is held into what becomes of it: it is applied after all, or put aside.
//!
//! What is approved is what was shown: where a delivery would by now do something else, nothing is done, and the operator
//! is told to look again. What nobody looks at is put aside after a while, with that as its reason.

use std::sync::Arc;

use jiff::SignedDuration;
use rollcall_core::delivery::{Discarded, Report, Status};
use rollcall_core::description::ProblemClass;
use rollcall_core::ingest::{Ingested, Loaded, REMAP};
use rollcall_core::store::StoreError;
use rollcall_core::store::archive::{ArchiveQuery, Archived, StoredCall};
use uuid::Uuid;

use crate::access::Connection;
use crate::app::App;
use crate::intake::{self, blocking};
use crate::problem::Problem;
use crate::remapping;

/// Deliveries that are put aside at a time.
const AT_A_TIME: u32 = 100;

/// Hours of a day.
const HOURS: i64 = 24;

/// Applies a delivery that is held, if it would still do what was shown, or `anyway`.
pub async fn approve(app: &Arc<App>, delivery: Uuid, anyway: bool) -> Result<Report, Problem> {
    let (archived, from, loaded) = whose(app, delivery).await?;
    if archived.delivery.status != Status::Held {
        return Err(not_held(archived.delivery.status));
    }
    if archived.delivery.operation == REMAP {
        return remapping::approve(app, &from, delivery, anyway).await;
    }
    let work = move |app: Arc<App>, from: Arc<Connection>, loaded: Arc<Loaded>| async move {
        let store = &app.ingest.store;
        let sender = &from.sender;
        let stored = store.connection(&sender.tenant, &sender.connection, &from.partner).await?;
        let call = store.archive().call(&stored, delivery).await?.filter(|call| call.status == Status::Held);
        let Some(call) = call else { return Ok(None) };
        let operation = loaded.partner.operation(&call.operation).filter(|_| call.body.is_some());
        let Some(operation) = operation else { return Ok(Some((call, None))) };
        let done = app.ingest.approve(sender, &loaded, operation, &call, anyway).await?;
        Ok(Some((call, Some(done))))
    };
    let done: Option<(StoredCall, Option<Ingested>)> = intake::in_turn(app, &from, &loaded, delivery, work).await?;
    let Some((_, done)) = done else { return Err(not_held(Status::Superseded)) };
    let Some(Ingested { report, entries, .. }) = done else {
        return Err(clash("what was sent is not kept any more, or its operation is not there any more"));
    };
    app.told(&loaded.partner);
    let sender = &from.sender;
    let (tenant, connection, status) = (&sender.tenant, &sender.connection, report.status.word());
    match report.status {
        Status::Held => {
            let detail = "it would do something else by now than what was shown; look again, or apply it anyway";
            Err(clash(detail).kept_as(Some(delivery)))
        }
        Status::Rejected | Status::Failed => {
            Err(intake::refusal(report, entries, app.ingest.limits.violations_max).kept_as(Some(delivery)))
        }
        _ => {
            tracing::info!(tenant, connection, %delivery, status, anyway, "a held delivery was approved");
            Ok(report)
        }
    }
}

/// Puts a delivery aside that came to nothing (held, rejected, failed or interrupted), or those of its records that were not
/// taken when the others were.
pub async fn discard(app: &Arc<App>, delivery: Uuid, reason: String) -> Result<Report, Problem> {
    let (archived, from, _) = whose(app, delivery).await?;
    let status = archived.delivery.status;
    let is_open = matches!(status, Status::Held | Status::Rejected | Status::Failed | Status::Interrupted);
    if !is_open && archived.aside == 0 {
        return Err(clash(format!("it is {}: there is nothing to put aside", status.word())));
    }
    let report = put_aside(app, archived, reason).await.map_err(Problem::from)?;
    let report = report.ok_or_else(|| clash("something else became of it meanwhile"))?;
    let (tenant, connection) = (&from.sender.tenant, &from.sender.connection);
    tracing::info!(tenant, connection, %delivery, was = status.word(), "a delivery was discarded");
    Ok(report)
}

/// Puts aside what was held for too long; says how many deliveries these were.
pub async fn expire(app: &Arc<App>) -> Result<u64, StoreError> {
    let days = app.ingest.limits.held_days_max;
    let age = SignedDuration::from_hours(i64::from(days) * HOURS);
    let Ok(before) = app.ingest.clock.now().checked_sub(age) else { return Ok(0) };
    let mut expired = 0;
    loop {
        let query = ArchiveQuery {
            statuses: &[Status::Held],
            before: Some(before),
            limit: AT_A_TIME,
            ..ArchiveQuery::default()
        };
        let held = app.ingest.store.archive().deliveries_that(&query).await?;
        if held.is_empty() {
            return Ok(expired);
        }
        for archived in held {
            let reason = format!("nobody decided in {days} days (`held_days_max`)");
            expired += u64::from(put_aside(app, archived, reason).await?.is_some());
        }
    }
}

/// What its report says from now on: that it, or what of it was put aside, is so for good. None, if something else became of it meanwhile.
async fn put_aside(app: &App, archived: Archived, reason: String) -> Result<Option<Report>, StoreError> {
    let (now, was) = (app.ingest.clock.now(), archived.delivery.status);
    let mut report = archived.delivery.report.unwrap_or_else(|| Report::new(was));
    report.discarded = Some(Discarded { at: now, reason });
    let archive = app.ingest.store.archive();
    let turned = if archived.aside > 0 {
        archive.decide_aside(archived.delivery.id, &report).await?
    } else {
        report.status = Status::Discarded;
        archive.turn(archived.delivery.id, was, &report, now).await?
    };
    Ok(turned.then_some(report))
}

/// A delivery, its connection, and what that runs on.
pub async fn whose(app: &Arc<App>, delivery: Uuid) -> Result<(Archived, Arc<Connection>, Arc<Loaded>), Problem> {
    let store = Arc::clone(&app.ingest.store);
    let found = blocking(async move { store.archive().find(delivery).await }).await??;
    let found = found.ok_or_else(|| Problem::unknown("there is no such delivery"))?;
    let from = app.access().connection(&found.tenant, &found.delivery.connection).cloned();
    let from = from.ok_or_else(|| clash("the configuration has no such connection any more"))?;
    let loaded = app.registry.of(&from).ok_or_else(|| clash("there is no such partner any more"))?;
    Ok((found, from, loaded))
}

fn not_held(status: Status) -> Problem {
    clash(format!("it is {}, not held", status.word()))
}

fn clash(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemClass::Clash, "clash", detail)
}
