//! Says again and again that this process is there, takes back what those had begun that no longer say so, and passes on
//! what processes tell each other.
//!
//! Any number of processes may work on one database. What one is at (a delivery that is being answered, a queue, a
//! webhook) is marked there as its own, and stays so as long as its lease lasts: nothing else has to be kept alive. Who
//! was away for so long that others took over finds nothing of its own left, and the store refuses what it was about to
//! write.
//!
//! To tell the others of one more thing: a [`Signal`], and what it does here in [`hear`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rollcall_core::clock::Clock;
use rollcall_core::limits::Limits;
use rollcall_core::store::{Signal, Storage, StoreError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, interval, sleep};
use uuid::Uuid;

use crate::app::App;
use crate::worker::{blocking, is_over};

/// How often a process says during its lease that it is there.
const SIGNS_PER_LEASE: u32 = 3;

/// How long is waited before the others are told again: who tells of many things tells of them together.
const GATHER: Duration = Duration::from_millis(10);

/// What the other processes are to be told.
#[derive(Debug, Default)]
pub struct Signals {
    queued: AtomicBool,
    due: AtomicBool,
    decided: AtomicBool,
    bell: Notify,
}

impl Signals {
    /// Tells the other processes soon.
    pub fn tell(&self, signal: Signal) {
        self.flag(signal).store(true, Ordering::Release);
        self.bell.notify_one();
    }

    fn flag(&self, signal: Signal) -> &AtomicBool {
        match signal {
            Signal::Queued => &self.queued,
            Signal::Due => &self.due,
            Signal::Decided => &self.decided,
        }
    }

    /// What has not been told yet.
    fn take(&self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(|signal| self.flag(*signal).swap(false, Ordering::AcqRel))
    }
}

/// A process begins: it says that it is there, and takes back what is nobody's any more. Where there is one process at a
/// time, that is whatever any other had begun.
pub async fn begin(store: &dyn Storage, clock: &dyn Clock, limits: &Limits) -> Result<Uuid, StoreError> {
    let (process, now) = (clock.next_id(), clock.now());
    store.join(process, until(now, limits)).await?;
    tell(store.bury(if store.is_shared() { now } else { Timestamp::MAX }, now).await?);
    Ok(process)
}

/// Keeps the lease until `stop` says so, and then ends it.
pub async fn keep(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let hearing = app.ingest.store.is_shared().then(|| tokio::spawn(hear(Arc::clone(&app))));
    let telling = app.ingest.store.is_shared().then(|| tokio::spawn(tell_others(Arc::clone(&app))));
    let lease = Duration::from_secs(app.ingest.limits.lease_seconds.max(1));
    let mut signs = interval(lease / SIGNS_PER_LEASE);
    let mut last = Instant::now();
    // Since when the database has not been away for so long that others may seem to be gone only because of that.
    let mut steady: Option<Instant> = None;
    while !is_over(&stop) {
        tokio::select! {
            _ = stop.changed() => break,
            _ = signs.tick() => {}
        }
        if last.elapsed() > lease {
            steady = Some(Instant::now());
        }
        let may_bury = steady.is_none_or(|since| since.elapsed() > lease);
        let signing = Arc::clone(&app);
        let signed = blocking(async move { sign(&signing, may_bury).await });
        match signed.await {
            Ok(Ok(())) => last = Instant::now(),
            Ok(Err(error)) => app.condition.suffer(&error, "the lease cannot be renewed"),
            Err(message) => tracing::error!("renewing the lease panicked: {message}"),
        }
    }
    for task in [hearing, telling].into_iter().flatten() {
        task.abort();
    }
    let ingest = Arc::clone(&app.ingest);
    match blocking(async move { ingest.store.leave(ingest.clock.now()).await }).await {
        Ok(Ok(interrupted)) => tell(interrupted),
        Ok(Err(error)) => tracing::error!(error = &error as &dyn std::error::Error, "the lease ends by itself"),
        Err(message) => tracing::error!("ending the lease panicked: {message}"),
    }
}

/// Says that this process is there, and lets go of what it is not at.
async fn sign(app: &App, may_bury: bool) -> Result<(), StoreError> {
    let (store, clock) = (&app.ingest.store, &app.ingest.clock);
    store.join(app.process, until(clock.now(), &app.ingest.limits)).await?;
    {
        let _still = app.hands.still().await;
        let held = app.hands.held();
        let interrupted = store.let_go(&held, clock.now()).await?;
        app.hands.have_ended(&held);
        if interrupted > 0 {
            tracing::warn!(interrupted, "deliveries could not be answered, and are not applied");
        }
    }
    if may_bury && store.is_shared() {
        let now = clock.now();
        tell(store.bury(now, now).await?);
    }
    Ok(())
}

fn until(now: Timestamp, limits: &Limits) -> Timestamp {
    let lease = SignedDuration::from_secs(i64::try_from(limits.lease_seconds).unwrap_or(i64::MAX));
    now.saturating_add(lease).unwrap_or(Timestamp::MAX)
}

fn tell(interrupted: u64) {
    if interrupted > 0 {
        tracing::warn!(interrupted, "a process that is gone left deliveries unanswered; they are not applied");
    }
}

/// Tells the others what they are to be told.
async fn tell_others(app: Arc<App>) {
    loop {
        app.signals.bell.notified().await;
        for signal in app.signals.take() {
            if let Err(error) = app.ingest.store.signal(signal).await {
                app.condition.suffer(&error, "the other processes look by themselves");
            }
        }
        sleep(GATHER).await;
    }
}

/// Does what the others tell.
async fn hear(app: Arc<App>) {
    let mut signals = app.ingest.store.signals();
    loop {
        match signals.recv().await {
            Ok(Signal::Queued) => app.bell.notify_one(),
            Ok(Signal::Due) => app.courier.ring(),
            Ok(Signal::Decided) => app.versions.decided(),
            Err(RecvError::Lagged(_)) => {
                app.bell.notify_one();
                app.courier.ring();
                app.versions.decided();
            }
            Err(RecvError::Closed) => return,
        }
    }
}
