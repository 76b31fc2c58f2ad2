//! Sends what is due: a few at a time, fewer to a subscriber that failed last, each until it is taken or was tried often
//! enough.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use rollcall_core::description::{Partner, Webhooks};
use rollcall_core::event::{spelled_out, wants};
use rollcall_core::limits::Limits;
use rollcall_core::store::{Attempt, Connection, DueSend, SendClaim, SendOutcome, Store, StoreError, Subscription};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::access;
use crate::app::App;
use crate::worker::{blocking, is_over};
use crate::{metrics, panic};

/// How long is waited before the store is asked again after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends until `stop` says so; what has been begun is finished first.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut under_way = UnderWay::default();
    while !is_over(&stop) {
        let wait = under_way.begin(&app).await.unwrap_or_else(|error| {
            app.condition.suffer(&error, "what is to be sent");
            PAUSE
        });
        tokio::select! {
            _ = stop.changed() => {}
            () = app.courier.bell.notified() => {}
            () = sleep(wait) => {}
            Some(ended) = under_way.tasks.join_next_with_id() => under_way.end(&app, ended),
        }
    }
    while let Some(ended) = under_way.tasks.join_next_with_id().await {
        under_way.end(&app, ended);
    }
}

/// What is being sent.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Stage>,
    sends: HashMap<task::Id, Subscription>,
    /// Subscriptions that did not take what they were sent last.
    failing: HashSet<Subscription>,
}

/// How far a send is. An attempt is noted, and its place is free for others, only when it is known here who failed.
enum Stage {
    Tried(Box<Ended>),
    Noted,
}

/// An attempt that has ended.
struct Ended {
    send: Uuid,
    attempt: Attempt,
    outcome: SendOutcome,
    was_taken: bool,
}

impl UnderWay {
    /// Begins with what is due and has a place; says for how long nothing more will be.
    async fn begin(&mut self, app: &Arc<App>) -> Result<Duration, StoreError> {
        let Limits { sends_in_progress_max, .. } = app.ingest.limits;
        let places = sends_in_progress_max.saturating_sub(u32::try_from(self.sends.len()).unwrap_or(u32::MAX));
        let failing = self.failing.iter().cloned().collect();
        let look = look(Arc::clone(app), places, failing);
        let _claiming = app.hands.claiming().await;
        let (due, wait) = blocking(look).await.map_err(StoreError::Inconsistent)??;
        for send in due {
            app.hands.take_send(send.id);
            let subscription = (send.tenant.clone(), send.connection.clone(), send.subscription.clone());
            let DueSend { id, tenant, connection, event, attempts, .. } = &send;
            let attempt = attempts + 1;
            let span = tracing::info_span!(parent: None, "webhook", send = %id, tenant, connection, event, attempt);
            let task = self.tasks.spawn(carry(Arc::clone(app), send).instrument(span));
            self.sends.insert(task.id(), subscription);
        }
        Ok(wait)
    }

    /// Remembers who took nothing, has it noted, and makes room for what comes next.
    fn end(&mut self, app: &Arc<App>, ended: Result<(task::Id, Stage), task::JoinError>) {
        let (id, stage) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "sending panicked");
                (error.id(), Stage::Noted)
            }
        };
        let (Some(subscription), Stage::Tried(ended)) = (self.sends.remove(&id), stage) else { return };
        if ended.was_taken {
            self.failing.remove(&subscription);
        } else {
            self.failing.insert(subscription.clone());
        }
        let app = Arc::clone(app);
        let task = self.tasks.spawn(async move {
            note(&app, ended.send, ended.attempt, ended.outcome).await;
            app.hands.leave_send(ended.send);
            Stage::Noted
        });
        self.sends.insert(task.id(), subscription);
    }
}

/// Takes on what is due; says for how long nothing more will be.
async fn look(app: Arc<App>, places: u32, failing: Vec<Subscription>) -> Result<(Vec<DueSend>, Duration), StoreError> {
    let Limits { sends_per_subscription_max: each, poll_seconds, .. } = app.ingest.limits;
    let (now, store) = (app.ingest.clock.now(), &app.ingest.store);
    let poll = Duration::from_secs(poll_seconds.max(1));
    let until = |next: Option<Timestamp>| next.map_or(poll, |next| now.duration_until(next).unsigned_abs().min(poll));
    if places == 0 {
        return Ok((Vec::new(), poll));
    }
    let first = store.next_send_at(None).await?;
    if first.is_none_or(|first| first > now) {
        return Ok((Vec::new(), until(first))); // nearly always, where many write and few subscribe
    }
    let due = store.claim_sends(&SendClaim { now, limit: places, each, failing: &failing }).await?;
    if !due.is_empty() {
        store.synced().await?; // nobody is told what a power cut could undo
    }
    Ok((due, until(store.next_send_at(Some(now)).await?)))
}

/// How an attempt ended.
struct Tried {
    status: Option<u16>,
    response: Option<String>,
    problem: Option<String>,
    /// Whether it makes sense to try again.
    is_final: bool,
}

impl Tried {
    fn without(problem: impl Into<String>, is_final: bool) -> Self {
        Self { status: None, response: None, problem: Some(problem.into()), is_final }
    }

    /// Whether the subscriber took it.
    fn was_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Makes one attempt.
async fn carry(app: Arc<App>, send: DueSend) -> Stage {
    let at = app.ingest.clock.now();
    let start = Instant::now();
    let tried = match AssertUnwindSafe(attempt(&app, &send, at.as_second())).catch_unwind().await {
        Ok(Ok(tried)) => tried,
        Ok(Err(error)) => {
            app.condition.suffer(&error, "a subscription");
            Tried::without("the subscription could not be read", false)
        }
        Err(payload) => {
            tracing::error!("sending panicked: {}", panic::words(&*payload));
            Tried::without("it could not be sent", false)
        }
    };
    let took = start.elapsed();
    let was_taken = tried.was_taken();
    let outcome = outcome(&app, &send, &tried);
    tell(&send, &tried, outcome, took);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let Tried { status, response, problem, .. } = tried;
    let attempt = Attempt { at, took_ms, status, response, problem };
    Stage::Tried(Box::new(Ended { send: send.id, attempt, outcome, was_taken }))
}

/// What an attempt that ended now means.
fn outcome(app: &App, send: &DueSend, tried: &Tried) -> SendOutcome {
    let limits = &app.ingest.limits;
    if tried.was_taken() {
        return SendOutcome::Succeeded;
    }
    if tried.is_final || send.attempts + 1 >= limits.send_attempts_max {
        return SendOutcome::Failed;
    }
    let now = app.ingest.clock.now();
    let wait = back_off(limits, send.attempts);
    SendOutcome::Retry(now.checked_add(wait).unwrap_or(now))
}

/// How long is waited after an attempt that failed, when so many were made before it.
fn back_off(limits: &Limits, attempts: u32) -> Duration {
    let seconds = limits.send_retry_seconds_min.saturating_mul(2_u64.saturating_pow(attempts));
    Duration::from_secs(seconds.min(limits.send_retry_seconds_max))
}

/// Sends it to where its subscription says now.
async fn attempt(app: &Arc<App>, send: &DueSend, seconds: i64) -> Result<Tried, StoreError> {
    let connection = (send.tenant.clone(), send.connection.clone());
    let loaded = app.registry.table().of(&send.partner, &connection).cloned();
    let from = app.access().connection(&send.tenant, &send.connection).cloned();
    let Some((loaded, webhooks)) = loaded.as_ref().and_then(|loaded| Some((loaded, loaded.partner.webhooks.as_ref()?)))
    else {
        return Ok(Tried::without("the partner tells its subscribers nothing any more", false));
    };
    let Some(from) = from else {
        return Ok(Tried::without("the connection is not configured any more", false));
    };
    let store = Arc::clone(&app.ingest.store);
    let (partner, own) = (Arc::clone(loaded), send.clone());
    let found = blocking(async move { subscription(&*store, &partner.partner, &own).await });
    let found = found.await.map_err(StoreError::Inconsistent)??;
    let Some(subscription) = found else {
        return Ok(Tried::without("the subscription is gone", true));
    };
    if !wants(webhooks, &subscription, &send.event) {
        return Ok(Tried::without("the subscription does not ask for this any more", true));
    }
    Ok(post(app, &from, send, seconds, webhooks, &subscription).await)
}

async fn post(
    app: &App,
    from: &access::Connection,
    send: &DueSend,
    seconds: i64,
    webhooks: &Webhooks,
    subscription: &Map<String, Value>,
) -> Tried {
    let url = subscription.get(&webhooks.url).and_then(Value::as_str).unwrap_or_default();
    let (headers, body) = (app.courier.headers(send, seconds, &from.webhook_secrets), send.body.clone().into());
    let limit = Duration::from_millis(webhooks.timeout_ms);
    match app.courier.poster.post(url, headers, body, limit).await {
        Ok(answered) => {
            Tried { status: Some(answered.status), response: Some(answered.beginning), problem: None, is_final: false }
        }
        Err(problem) => Tried::without(problem.to_string(), false),
    }
}

/// What the subscription of a send says, if it is still there.
async fn subscription(
    store: &dyn Store,
    partner: &Partner,
    send: &DueSend,
) -> Result<Option<Map<String, Value>>, StoreError> {
    let Some(webhooks) = &partner.webhooks else { return Ok(None) };
    let of = webhooks.subscription;
    let connection: Connection = store.connection(&send.tenant, &send.connection, &partner.name).await?;
    let key = [send.subscription.clone()];
    let held = store.records_by_key(&connection, partner, of, &key).await?.into_iter().next().flatten();
    let Some(held) = held else { return Ok(None) };
    let bodies = store.bodies(&connection, partner, of, &[held.id]).await?;
    let body = bodies.into_iter().next().unwrap_or_default();
    let body = serde_json::from_slice(&body).map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    Ok(Some(spelled_out(&partner.records[usize::from(of.0)], &body)))
}

/// Notes an attempt. As long as that does not work it is tried again: otherwise it would be sent again.
async fn note(app: &Arc<App>, send: Uuid, attempt: Attempt, outcome: SendOutcome) {
    loop {
        let (store, attempt) = (Arc::clone(&app.ingest.store), attempt.clone());
        let error = match blocking(async move { store.note_attempt(send, &attempt, outcome).await }).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(message) => StoreError::Inconsistent(message),
        };
        app.condition.suffer(&error, "an attempt cannot be noted");
        if matches!(error, StoreError::Inconsistent(_)) {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Counts and logs how an attempt ended: by whom and what it was for, never where it went or what it said.
fn tell(send: &DueSend, tried: &Tried, outcome: SendOutcome, took: Duration) {
    metrics::sent(send, outcome, took);
    let (status, problem) = (tried.status, tried.problem.as_deref());
    match outcome {
        SendOutcome::Succeeded => tracing::info!("webhook sent"),
        SendOutcome::Retry(next) => tracing::info!(status, problem, %next, "webhook not taken"),
        SendOutcome::Failed => tracing::warn!(status, problem, "webhook given up"),
    }
}
