//! Runs a stored version of a partner beside the one that is in use, on what is really sent: what the two make of each
//! delivery is compared and counted, and itself never stored.
//!
//! It begins after the delivery has been worked on, one at a time, and what there is no room for is left out and counted: no
//! call is slower for it, none can fail by it. Each delivery is looked at by itself, as if it were the first of its
//! connection: of a body all of it, of a call about single records those that it wrote, as they are then. What a version
//! would change in what is stored, the plan of an upgrade tells.
//!
//! Which version runs beside is a line of the operators' log, which every process follows. What one of them has counted it
//! stores soon afterwards ([`counting`]), and whoever asks any of them is told what all have counted. A version that comes
//! into use, or is dropped, does not run beside any more, and what was counted of it goes.

mod comparison;
pub mod counting;
mod offered;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;
use rollcall_core::bundle::VersionId;
use rollcall_core::ingest::Loaded;
use rollcall_core::store::StoreError;
use rollcall_core::store::administration::{Act, Action};
use rollcall_core::store::tally::{Run, Seen, Tally};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

pub use self::offered::{Offered, What, offer};
use crate::app::App;
use crate::metrics;
use crate::registry::Table;

/// What a line of the log says is done.
const SHADOW: &str = "partner.shadow";

/// What brings a version into use.
const IN_USE: [Action; 3] = [Action::Start, Action::Apply, Action::Rollback];

/// Lines of the log that are looked through for what runs beside.
const LINES: u32 = 1_000;

/// The versions that run beside others in this process.
#[derive(Debug)]
pub struct Shadows {
    running: RwLock<BTreeMap<String, Arc<Shadow>>>,
    /// One is looked at at a time.
    turn: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Rung when something was counted.
    bell: Notify,
    /// One stores what was counted at a time, or forgets it.
    storing: tokio::sync::Mutex<()>,
}

/// A version that runs beside the one in use.
#[derive(Debug)]
pub struct Shadow {
    loaded: Arc<Loaded>,
    run: Run,
    since: Timestamp,
    by: String,
    counted: Mutex<Counted>,
}

/// What a run has come to so far in this process.
#[derive(Debug, Default)]
struct Counted {
    tally: Tally,
    /// Whether all of it is stored.
    is_stored: bool,
}

/// What is shown of a version that runs beside.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The version.
    pub version: VersionId,
    /// Since when it runs.
    pub since: Timestamp,
    /// Who let it.
    pub by: String,
    /// What it has come to in all processes.
    #[serde(flatten)]
    pub tally: Tally,
}

/// What was decided last about what runs beside a partner's version.
#[derive(Debug)]
struct Decided {
    /// The number of the log's line.
    number: i64,
    /// The version that is to run; none any more, where this is `None`.
    version: Option<VersionId>,
    since: Timestamp,
    by: String,
}

/// What a line of the log is about.
#[derive(Debug, Deserialize)]
struct About {
    partner: String,
    version: Option<VersionId>,
    /// The only one that an activation is about, if it is about one.
    connection: Option<String>,
}

impl Default for Shadows {
    fn default() -> Self {
        Self {
            running: RwLock::default(),
            turn: Arc::new(Semaphore::new(1)),
            waiting: Arc::default(),
            bell: Notify::new(),
            storing: tokio::sync::Mutex::default(),
        }
    }
}

impl Shadows {
    /// What runs beside the version of a partner that is in use.
    pub fn of(&self, partner: &str) -> Option<Arc<Shadow>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).get(partner).cloned()
    }

    fn all(&self) -> Vec<Arc<Shadow>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn set(&self, partner: &str, shadow: Option<Shadow>) {
        let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        match shadow {
            Some(shadow) => drop(running.insert(partner.to_owned(), Arc::new(shadow))),
            None => drop(running.remove(partner)),
        }
    }

    fn count(&self, shadow: &Shadow, seen: Seen) {
        metrics::shadowed(&shadow.run.partner, seen.outcome.word());
        let mut counted = shadow.counted();
        counted.tally.count(seen);
        counted.is_stored = false;
        self.bell.notify_one();
    }
}

impl Shadow {
    /// The version.
    pub fn version(&self) -> VersionId {
        self.loaded.version
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What runs beside a partner's version, and what it has come to in all processes. Must run on a thread that may block.
pub async fn shown(app: &App, partner: &str) -> Result<Option<Shown>, StoreError> {
    let Some(shadow) = app.shadows.of(partner) else { return Ok(None) };
    let tally = counting::tally(app, &shadow).await?;
    Ok(Some(Shown { version: shadow.version(), since: shadow.since, by: shadow.by.clone(), tally }))
}

/// Lets a version run beside the one in use, or none any more; every process follows.
pub async fn decide(app: &App, who: &str, partner: &str, version: Option<VersionId>) -> Result<(), StoreError> {
    let at = app.ingest.clock.now();
    let about = json!({"partner": partner, "version": version});
    let act = Act { at, who: who.to_owned(), what: SHADOW.to_owned(), about };
    app.ingest.store.administration().note_act(&act).await?;
    app.decided();
    Ok(())
}

/// Follows what was decided after the line of the log with this number; `table` are the versions that are in use from now on.
/// Compiles: on a thread that may block.
pub async fn follow(app: &App, table: &Table, after: i64) -> Result<(), StoreError> {
    for (partner, Decided { number, version, since, by }) in decided(app, after).await? {
        if app.shadows.of(&partner).is_some_and(|was| was.run.number == number) {
            continue; // it goes on counting
        }
        let loaded = match version {
            Some(version) => app.versions.get(&*app.ingest.store, app.canonical(), version).await?.ok(),
            None => None,
        };
        let run = Run { partner: partner.clone(), number };
        let shadow = loaded.map(|loaded| Shadow { loaded, run, since, by, counted: Mutex::default() });
        counting::replace(app, &partner, shadow, number).await;
    }
    // What is in use by now runs beside nothing.
    for shadow in app.shadows.all() {
        let partner = &shadow.run.partner;
        if table.active.get(partner).is_some_and(|active| active.version == shadow.version()) {
            counting::replace(app, partner, None, shadow.run.number + 1).await;
        }
    }
    Ok(())
}

/// What was decided last about each partner, up to now or after the line with this number.
async fn decided(app: &App, after: i64) -> Result<BTreeMap<String, Decided>, StoreError> {
    let running = app.shadows.all().into_iter().map(|shadow| {
        let Run { partner, number } = shadow.run.clone();
        (partner, Decided { number, version: Some(shadow.version()), since: shadow.since, by: shadow.by.clone() })
    });
    let mut last: BTreeMap<_, _> = running.collect();
    let mut lines = app.ingest.store.administration().acts(None, LINES).await?;
    lines.retain(|(number, _)| *number > after);
    for (number, Act { at, who, what, about }) in lines.into_iter().rev() {
        let Ok(About { partner, version, connection }) = serde_json::from_value(about) else { continue };
        let comes_into_use = || {
            let is_so =
                connection.is_none() && IN_USE.iter().any(|action| what == format!("partner.{}", action.word()));
            is_so && last.get(&partner).is_some_and(|last| last.version == version)
        };
        let version = if what == SHADOW {
            version
        } else if comes_into_use() {
            None
        } else {
            continue;
        };
        last.insert(partner, Decided { number, version, since: at, by: who });
    }
    Ok(last)
}
