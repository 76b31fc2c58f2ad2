//! Stores what this process has counted, a moment after it was, many together; and reads what all have counted.
//!
//! Nothing waits for it, and what cannot be stored is stored together with what is counted next. Who is killed loses what it
//! has counted within that moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rollcall_core::store::StoreError;
use rollcall_core::store::tally::Tally;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::Shadow;
use crate::app::App;
use crate::worker::{blocking, is_over};

/// How long is waited before more is stored.
const PAUSE: Duration = Duration::from_secs(1);

/// Stores what is counted until `stop` says so; then what still waits is looked at and stored as well.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    while !is_over(&stop) {
        tokio::select! {
            _ = stop.changed() => break,
            () = app.shadows.bell.notified() => {}
        }
        store_or_tell(&app).await;
        tokio::select! {
            _ = stop.changed() => break,
            () = sleep(PAUSE) => {}
        }
    }
    store_or_tell(&app).await;
    while app.shadows.waiting.load(Ordering::Acquire) > 0 {
        // Whoever waits for a turn already has it before.
        drop(app.shadows.turn.acquire().await);
        yield_now().await;
    }
    store_or_tell(&app).await;
}

/// What all processes have counted of a run, with all that this one has.
pub(super) async fn tally(app: &App, shadow: &Shadow) -> Result<Tally, StoreError> {
    store(app).await?;
    Ok(Tally::sum(app.ingest.store.tallies().tallies(&shadow.run).await?))
}

/// Lets `shadow` run from now on, or nothing, and forgets what was counted of the partner's runs before the one with this
/// number. A process that follows later may store some of that once more, and forgets it then.
pub(super) async fn replace(app: &App, partner: &str, shadow: Option<Shadow>, number: i64) {
    let _alone = app.shadows.storing.lock().await;
    app.shadows.set(partner, shadow);
    if let Err(error) = app.ingest.store.tallies().forget_tallies(partner, number).await {
        app.condition.suffer(&error, "what was counted beside is forgotten with the next run");
    }
}

/// Stores what this process has counted and has not stored.
async fn store(app: &App) -> Result<(), StoreError> {
    let _alone = app.shadows.storing.lock().await;
    for shadow in app.shadows.all() {
        let tally = {
            let mut counted = shadow.counted();
            let was_stored = std::mem::replace(&mut counted.is_stored, true);
            if was_stored || counted.tally == Tally::default() {
                continue;
            }
            counted.tally.clone()
        };
        let stored = app.ingest.store.tallies().put_tally(&shadow.run, app.process, &tally).await;
        stored.inspect_err(|_| shadow.counted().is_stored = false)?;
    }
    Ok(())
}

async fn store_or_tell(app: &Arc<App>) {
    let storing = Arc::clone(app);
    match blocking(async move { store(&storing).await }).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => app.condition.suffer(&error, "what was counted beside is stored later"),
        Err(message) => tracing::error!("storing what was counted beside panicked: {message}"),
    }
}
