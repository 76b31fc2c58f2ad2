//! Works on deliveries that were acknowledged before they were worked on: each connection's in the order in which they
//! arrived, a few connections at a time, in turn with calls that wait for an answer.
//!
//! What is queued is in the store alone, so nothing is lost with the process. A connection's queue is claimed there by
//! one process at a time, which lets go of it when it is empty or when it is the others' turn; when the process ends, so
//! does its claim, and another one goes on where it stopped. A delivery that ends the process, or fails for a passing
//! reason, is begun again; one that does so too often fails for good, with its reason in its report, and the next one
//! goes on.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use rollcall_core::delivery::{Asked, Received, Report, Status};
use rollcall_core::description::ProblemClass;
use rollcall_core::ingest::{IngestError, Ingested, Loaded};
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;
use rollcall_core::store::{ConnectionName, Queued, Signal, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, interval, sleep};
use tracing::Instrument as _;

use crate::access::Connection;
use crate::app::App;
use crate::holding;
use crate::metrics::{self, Stage};
use crate::panic;
use crate::shadow::{self, Offered, What};

/// How often is looked for what has waited too long, and for connections that could not be served before.
const ROUND: Duration = Duration::from_mins(1);

/// How long the first wait is before a delivery is begun again; each further one is twice as long.
const RETRY: Duration = Duration::from_secs(1);

/// Works until `stop` says so; what has been begun is finished first.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let limits = &app.ingest.limits;
    let (mut round, mut poll) = (interval(ROUND), interval(Duration::from_secs(limits.poll_seconds.max(1))));
    let queues =
        Queues { places: Arc::new(Semaphore::new(limits.queues_in_progress_max.max(1))), stuck: Arc::default() };
    let mut serving = JoinSet::new();
    let mut is_asked = true;
    while !is_over(&stop) {
        if is_asked && let Ok(place) = Arc::clone(&queues.places).try_acquire_owned() {
            serving.spawn(serve(Arc::clone(&app), queues.clone(), place, stop.clone()));
            is_asked = false;
        }
        is_asked |= tokio::select! {
            _ = stop.changed() => false,
            () = app.bell.notified() => true,
            _ = poll.tick() => {
                learn(&app).await;
                true
            }
            _ = round.tick() => {
                queues.stuck().clear();
                expire(&app).await;
                true
            }
            Some(ended) = serving.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "working on a queue panicked");
                }
                false
            }
        };
    }
    while serving.join_next().await.is_some() {}
}

/// Whether nothing more is to be begun: somebody said so, or nobody is there to say it.
pub(crate) fn is_over(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// What those share who work on queues.
#[derive(Clone)]
struct Queues {
    /// Who may work.
    places: Arc<Semaphore>,
    /// Those that are left alone until the next round: what comes next cannot be worked on here and now.
    stuck: Arc<Mutex<HashSet<ConnectionName>>>,
}

impl Queues {
    fn stuck(&self) -> std::sync::MutexGuard<'_, HashSet<ConnectionName>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection with something to do that nobody is at.
    async fn claim(&self, app: &App) -> Option<ConnectionName> {
        let ingest = Arc::clone(&app.ingest);
        let stuck: Vec<_> = self.stuck().iter().cloned().collect();
        let _claiming = app.hands.claiming().await;
        match blocking(async move { ingest.store.claim_queue(ingest.clock.now(), &stuck).await }).await {
            Ok(Ok(claimed)) => {
                if let Some(name) = &claimed {
                    app.hands.take_queue(name);
                }
                return claimed;
            }
            Ok(Err(error)) => app.condition.suffer(&error, "claiming a queue"),
            Err(message) => tracing::error!("claiming a queue panicked: {message}"),
        }
        None
    }
}

/// Has the process know how long each queue is.
async fn learn(app: &App) {
    let store = Arc::clone(&app.ingest.store);
    match blocking(async move { store.queues().await }).await {
        Ok(Ok(queues)) => app.backlog.learn(queues),
        Ok(Err(error)) => app.condition.suffer(&error, "the queues"),
        Err(message) => tracing::error!("listing the queues panicked: {message}"),
    }
}

/// Works on one queue after the other, as long as there is one that nobody is at.
async fn serve(app: Arc<App>, queues: Queues, place: OwnedSemaphorePermit, stop: watch::Receiver<bool>) {
    let mut place = Some(place);
    while !is_over(&stop) {
        let Some(name) = queues.claim(&app).await else { return };
        app.bell.notify_one(); // there may be more: somebody else looks
        place = empty(&app, &queues, &name, place, stop.clone()).await;
        let (store, (tenant, connection)) = (Arc::clone(&app.ingest.store), name.clone());
        if let Ok(Err(error)) = blocking(async move { store.give_back(&tenant, &connection).await }).await {
            app.condition.suffer(&error, "giving back a queue");
        }
        app.hands.leave_queue(&name);
        if place.is_none() {
            app.bell.notify_one(); // what came last told nobody: somebody was here
            return;
        }
    }
}

/// What became of the delivery that came first.
enum Step {
    /// It has ended.
    Ended,
    /// There is none.
    Empty,
    /// It failed for a passing reason; it has been begun so often.
    Again(u32),
    /// It cannot be worked on as things are.
    Stuck,
}

/// Works on what a connection has queued, one after the other, until nothing is left or it is another one's turn. Who
/// waits takes up no place; gives back the place, if it still is, or again, there.
async fn empty(
    app: &Arc<App>,
    queues: &Queues,
    name: &ConnectionName,
    mut place: Option<OwnedSemaphorePermit>,
    mut stop: watch::Receiver<bool>,
) -> Option<OwnedSemaphorePermit> {
    let limits = &app.ingest.limits;
    let (start, turn) = (Instant::now(), Duration::from_secs(limits.queue_turn_seconds));
    let mut in_a_row = 0; // of failures, whether they count as attempts or not
    while !is_over(&stop) {
        if place.is_none() {
            place = Arc::clone(&queues.places).acquire_owned().await.ok();
        }
        let attempts = match step(app, name).await {
            Step::Ended if start.elapsed() < turn => {
                in_a_row = 0;
                continue;
            }
            Step::Ended => {
                app.signals.tell(Signal::Queued); // it may be another process's turn
                return place;
            }
            Step::Empty => return place,
            Step::Stuck => {
                queues.stuck().insert(name.clone());
                return place;
            }
            Step::Again(attempts) => attempts.max(in_a_row),
        };
        in_a_row += 1;
        place = None;
        app.bell.notify_one();
        let longest = Duration::from_secs(limits.queued_retry_seconds_max);
        let wait = RETRY.saturating_mul(2_u32.saturating_pow(attempts)).min(longest);
        tokio::select! {
            _ = stop.changed() => {}
            () = sleep(wait) => {}
        }
    }
    place
}

/// Works on what comes first, when it is its turn.
async fn step(app: &Arc<App>, name: &ConnectionName) -> Step {
    let (tenant, connection) = (name.0.as_str(), name.1.as_str());
    let Some(from) = app.access().connection(tenant, connection).cloned() else {
        tracing::warn!(tenant, connection, "deliveries are queued, but the configuration has no such connection");
        return Step::Stuck;
    };
    if from.disabled {
        return Step::Stuck; // until it is turned on again
    }
    let Some(loaded) = app.registry.of(&from) else {
        tracing::warn!(
            tenant,
            connection,
            partner = from.partner,
            "deliveries are queued, but there is no such partner"
        );
        return Step::Stuck;
    };
    let start = Instant::now();
    let Ok(turn) = app.turns.take(tenant, connection, &from.partner).await else { return Step::Again(0) };
    metrics::stage(&from.sender, &from.partner, Stage::Wait, start.elapsed());
    let work = First { app: Arc::clone(app), from, loaded };
    let done = blocking(async move {
        let _turn = turn;
        work.step().await
    });
    match done.await {
        Ok(Ok(step)) => step,
        Ok(Err(error)) => {
            let passes = matches!(error, StoreError::Unavailable { .. } | StoreError::Database(_));
            app.condition.suffer(&error, "the queue cannot be worked on");
            if passes { Step::Again(0) } else { Step::Stuck }
        }
        Err(message) => {
            tracing::error!(tenant, connection, "working on the queue panicked: {message}");
            Step::Stuck
        }
    }
}

/// The delivery of a connection that comes first.
struct First {
    app: Arc<App>,
    from: Arc<Connection>,
    loaded: Arc<Loaded>,
}

impl First {
    async fn step(&self) -> Result<Step, StoreError> {
        let sender = &self.from.sender;
        let Some(queued) = self.app.ingest.store.next_queued(&sender.tenant, &sender.connection).await? else {
            return Ok(Step::Empty);
        };
        let (tenant, connection, delivery) = (&sender.tenant, &sender.connection, queued.delivery);
        let span = tracing::info_span!("delivery", %delivery, tenant, connection);
        self.begin(queued).instrument(span).await
    }

    /// Works on a delivery.
    async fn begin(&self, queued: Queued) -> Result<Step, StoreError> {
        let operations = &self.loaded.partner.operations;
        let position = operations.iter().position(|operation| operation.id == queued.operation);
        let Some(position) = position.filter(|_| queued.partner == self.from.partner) else {
            tracing::warn!(operation = queued.operation, "the partner has no such operation any more");
            return Ok(Step::Stuck);
        };
        if queued.attempts >= self.app.ingest.limits.queued_attempts_max {
            return self.fail(&queued, failed(format!("was begun {} times and never finished", queued.attempts))).await;
        }
        self.app.ingest.store.begin(queued.delivery).await?;
        let attempts = queued.attempts;
        let start = Instant::now();
        let _working = metrics::in_progress(&self.from.partner);
        let done = AssertUnwindSafe(self.run(&queued, position)).catch_unwind().await;
        metrics::stage(&self.from.sender, &self.from.partner, Stage::Ingest, start.elapsed());
        match done {
            Ok(Ok(Ingested { report, .. })) if report.status != Status::Failed => {
                self.told(&queued, &report);
                let what = What::Sent { operation: queued.operation, body: queued.body.into() };
                let offered = Offered { delivery: queued.delivery, what };
                shadow::offer(&self.app, &self.from, &self.loaded, offered);
                self.app.told(&self.loaded.partner);
                Ok(Step::Ended)
            }
            Ok(Ok(Ingested { report, .. })) if report.problem == Some(ProblemClass::Unavailable) => {
                tracing::warn!(attempts, "not now; it is begun again");
                Ok(Step::Again(attempts))
            }
            Ok(Ok(Ingested { report, .. })) => self.fail(&queued, report).await,
            Ok(Err(IngestError::Store(error @ StoreError::Unavailable { .. }))) => {
                self.app.condition.learn(&error);
                self.app.ingest.store.unbegin(queued.delivery).await?;
                Ok(Step::Again(attempts))
            }
            Ok(Err(error)) => {
                tracing::error!(attempts, error = &error as &dyn std::error::Error, "it is begun again");
                Ok(Step::Again(attempts))
            }
            Err(payload) => {
                tracing::error!(attempts, "working on it panicked: {}", panic::words(&*payload));
                let again = attempts == 0; // a second time it would only panic again
                if again { Ok(Step::Again(0)) } else { self.fail(&queued, failed("could not be worked on")).await }
            }
        }
    }

    async fn run(&self, queued: &Queued, operation: usize) -> Result<Ingested, IngestError> {
        let ingest = &self.app.ingest;
        let received = Received {
            id: queued.delivery,
            first: None,
            operation: queued.operation.clone(),
            asked: Asked::default(),
            at: queued.at,
            body: Some(queued.body.as_slice().into()),
            content_encoding: None,
            sha256: queued.sha256,
            size: queued.body.len() as u64,
            queued: true,
        };
        let operation = &self.loaded.partner.operations[operation];
        ingest.run(&self.from.sender, &self.loaded, operation, received, false).await
    }

    /// Ends a delivery that cannot be applied.
    async fn fail(&self, queued: &Queued, report: Report) -> Result<Step, StoreError> {
        let ingest = &self.app.ingest;
        ingest.store.settle(queued.delivery, ingest.clock.now(), &report, &[]).await?;
        self.told(queued, &report);
        Ok(Step::Ended)
    }

    /// Counts and logs how a delivery ended.
    fn told(&self, queued: &Queued, report: &Report) {
        let sender = &self.from.sender;
        self.app.backlog.ended(sender);
        metrics::delivery(sender, &self.from.partner, queued.body.len() as u64, report);
        tracing::info!(status = ?report.status, "delivery");
    }
}

/// The report of a delivery that is given up.
fn failed(reason: impl Into<String>) -> Report {
    let mut report = Report::new(Status::Failed);
    report.problem = Some(ProblemClass::Fault);
    report.faults.push(Note::new(Pointer::root(), "failed", reason));
    report
}

/// Quarantines what has waited too long, and puts aside what was held for too long.
async fn expire(app: &Arc<App>) {
    let held = Arc::clone(app);
    match blocking(async move { holding::expire(&held).await }).await {
        Ok(Ok(0)) => {}
        Ok(Ok(deliveries)) => tracing::warn!(deliveries, "were held for too long, and are discarded"),
        Ok(Err(error)) => app.condition.suffer(&error, "nothing could be discarded"),
        Err(message) => tracing::error!("discarding panicked: {message}"),
    }
    let ingest = Arc::clone(&app.ingest);
    match blocking(async move { ingest.store.quarantine_expired(ingest.clock.now()).await }).await {
        Ok(Ok(0)) => {}
        Ok(Ok(records)) => tracing::warn!(records, "waited too long for what they refer to, and are quarantined"),
        Ok(Err(error)) => app.condition.suffer(&error, "nothing could be quarantined"),
        Err(message) => tracing::error!("quarantining panicked: {message}"),
    }
}

/// Runs work that computes and waits for disks on a thread where that harms no one; an error is a panic's message.
pub(crate) async fn blocking<F>(work: F) -> Result<F::Output, String>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let (runtime, span) = (Handle::current(), tracing::Span::current());
    let done = task::spawn_blocking(move || span.in_scope(|| runtime.block_on(work))).await;
    done.map_err(|error| {
        error.try_into_panic().map_or_else(|error| error.to_string(), |payload| panic::words(&*payload).to_owned())
    })
}
