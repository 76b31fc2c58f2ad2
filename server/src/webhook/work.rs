//! Sends what is due: a few at a time, fewer to a subscriber that failed last, each until it is taken or was tried often
//! enough.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rollcall_core::description::{Partner, Webhooks};
use rollcall_core::event::{spelled_out, wants};
use rollcall_core::limits::Limits;
use rollcall_core::store::{Attempt, Connection, DueSend, SendOutcome, Store, StoreError};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::app::App;
use crate::metrics;
use crate::worker::{blocking, is_over};

/// How often is looked whether anything is due, whoever rings or does not.
const ROUND: Duration = Duration::from_mins(1);

/// How long is waited before the store is asked again after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends until `stop` says so; what has been begun is finished first.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut under_way = UnderWay::default();
    while !is_over(&stop) {
        let wait = under_way.begin(&app).await.unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "what is to be sent");
            PAUSE
        });
        tokio::select! {
            _ = stop.changed() => {}
            () = app.courier.bell.notified() => {}
            () = sleep(wait) => {}
            Some(ended) = under_way.tasks.join_next_with_id() => under_way.end(ended),
        }
    }
    while under_way.tasks.join_next().await.is_some() {}
}

/// A subscription: tenant, connection and key.
type Subscription = (String, String, String);

/// What is being sent.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<bool>,
    sends: HashMap<task::Id, (Uuid, Subscription)>,
    /// Subscriptions that did not take what they were sent last.
    failing: HashSet<Subscription>,
}

impl UnderWay {
    /// Begins with what is due and has a place; says for how long nothing more will be.
    async fn begin(&mut self, app: &Arc<App>) -> Result<Duration, StoreError> {
        let Limits { sends_in_progress_max, sends_per_subscription_max, .. } = app.ingest.limits;
        let now = app.ingest.clock.now();
        let until = |next| now.duration_until(next).unsigned_abs().min(ROUND);
        let first = app.ingest.store.next_send_at(None).await?;
        if first.is_none_or(|first| first > now) {
            return Ok(first.map_or(ROUND, until)); // nearly always, where many write and few subscribe
        }
        // What is under way is still due, and comes first.
        let most = sends_in_progress_max.saturating_mul(2);
        let due = app.ingest.store.due_sends(now, most, sends_per_subscription_max).await?;
        if !due.is_empty() {
            app.ingest.store.synced().await?; // nobody is told what a power cut could undo
        }
        for send in due {
            if self.sends.len() >= sends_in_progress_max as usize {
                break;
            }
            let subscription = (send.tenant.clone(), send.connection.clone(), send.subscription.clone());
            let places = if self.failing.contains(&subscription) { 1 } else { sends_per_subscription_max };
            let is_under_way = self.sends.values().any(|(id, _)| *id == send.id);
            let taken = self.sends.values().filter(|(_, other)| *other == subscription).count();
            if is_under_way || taken >= places as usize {
                continue;
            }
            let id = send.id;
            let task = self.tasks.spawn(carry(Arc::clone(app), send));
            self.sends.insert(task.id(), (id, subscription));
        }
        Ok(app.ingest.store.next_send_at(Some(now)).await?.map_or(ROUND, until))
    }

    /// Makes room for what comes next, and remembers who took nothing.
    fn end(&mut self, ended: Result<(task::Id, bool), task::JoinError>) {
        let (id, was_taken) = ended.unwrap_or_else(|error| {
            tracing::error!(%error, "sending panicked");
            (error.id(), false)
        });
        if let Some((_, subscription)) = self.sends.remove(&id) {
            if was_taken {
                self.failing.remove(&subscription);
            } else {
                self.failing.insert(subscription);
            }
        }
    }
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

/// Makes one attempt and notes it; says whether the subscriber took what it was sent.
async fn carry(app: Arc<App>, send: DueSend) -> bool {
    let at = app.ingest.clock.now();
    let start = Instant::now();
    let tried = attempt(&app, &send, at.as_second()).await.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a subscription");
        Tried::without("the subscription could not be read", false)
    });
    let took = start.elapsed();
    let was_taken = tried.was_taken();
    let outcome = outcome(&app, &send, &tried);
    tell(&send, &tried, outcome, took);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let Tried { status, response, problem, .. } = tried;
    note(&app, send.id, Attempt { at, took_ms, status, response, problem }, outcome).await;
    was_taken
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
    let loaded = app.registry.get(&send.partner);
    let known = app.access.connection(&send.tenant, &send.connection).is_some();
    let Some((loaded, webhooks)) = loaded.as_ref().and_then(|loaded| Some((loaded, loaded.partner.webhooks.as_ref()?)))
    else {
        return Ok(Tried::without("the partner tells its subscribers nothing any more", false));
    };
    if !known {
        return Ok(Tried::without("the connection is not configured any more", false));
    }
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
    Ok(post(app, send, seconds, webhooks, &subscription).await)
}

async fn post(
    app: &App,
    send: &DueSend,
    seconds: i64,
    webhooks: &Webhooks,
    subscription: &Map<String, Value>,
) -> Tried {
    let url = subscription.get(&webhooks.url).and_then(Value::as_str).unwrap_or_default();
    let (headers, body) = (app.courier.headers(send, seconds), send.body.clone().into());
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
        tracing::error!(%send, error = &error as &dyn std::error::Error, "an attempt cannot be noted");
        if matches!(error, StoreError::Inconsistent(_)) {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Counts and logs how an attempt ended: by whom and what it was for, never where it went or what it said.
fn tell(send: &DueSend, tried: &Tried, outcome: SendOutcome, took: Duration) {
    metrics::sent(send, outcome, took);
    let DueSend { id, tenant, connection, event, .. } = send;
    let (attempt, status, problem) = (send.attempts + 1, tried.status, tried.problem.as_deref());
    match outcome {
        SendOutcome::Succeeded => tracing::info!(%id, tenant, connection, event, attempt, "webhook sent"),
        SendOutcome::Retry(next) => {
            tracing::info!(%id, tenant, connection, event, attempt, status, problem, %next, "webhook not taken");
        }
        SendOutcome::Failed => {
            tracing::warn!(%id, tenant, connection, event, attempt, status, problem, "webhook given up");
        }
    }
}
