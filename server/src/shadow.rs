//! Runs a stored version of a partner beside the one that is in use, on what is really sent: what the two make of each
//! delivery is compared and counted, and never stored.
//!
//! It begins after the delivery has been worked on, one at a time, and what there is no room for is left out and counted: no
//! call is slower for it, none can fail by it. Each delivery is looked at by itself, as if it were the first of its
//! connection; what a version would change in what is stored, the plan of an upgrade tells.
//!
//! Which version runs beside is a line of the operators' log, which every process follows; what is counted, each process
//! counts for itself. A version that comes into use, or is dropped, does not run beside any more.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;
use rollcall_core::bundle::VersionId;
use rollcall_core::delivery::Received;
use rollcall_core::ingest::Loaded;
use rollcall_core::store::StoreError;
use rollcall_core::store::administration::Act;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::access::Connection;
use crate::app::App;
use crate::diff::{Action, Revision, revisions};
use crate::intake::blocking;
use crate::metrics;
use crate::preview::{Preview, PreviewError, Previewer};
use crate::versions::told;

/// What a line of the log says is done.
const SHADOW: &str = "partner.shadow";

/// Lines of the log that are looked through for what runs beside.
const LINES: u32 = 1_000;

/// Deliveries that are shown of those that come to something else.
const SHOWN_MAX: usize = 20;

/// Differences that are named of each.
const DIFFERENCES_MAX: usize = 10;

/// The versions that run beside others in this process.
#[derive(Debug)]
pub struct Shadows {
    running: RwLock<BTreeMap<String, Arc<Shadow>>>,
    /// One is looked at at a time.
    turn: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// A version that runs beside the one in use.
#[derive(Debug)]
pub struct Shadow {
    loaded: Arc<Loaded>,
    since: Timestamp,
    by: String,
    tally: Mutex<Tally>,
}

/// What it has come to so far, in this process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many deliveries came to what, by [`Outcome`].
    pub counts: BTreeMap<Outcome, u64>,
    /// The last that came to something else, the newest first.
    pub last: VecDeque<Seen>,
}

/// A delivery that came to something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The delivery.
    pub delivery: Uuid,
    /// What it came to.
    pub outcome: Outcome,
    /// In what the two differ, by shape.
    pub differences: Vec<String>,
}

/// What a delivery comes to with the version that runs beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The same.
    Same,
    /// Something else.
    Different,
    /// More is rejected or refused.
    Refused,
    /// More faults, or all of it.
    Faulted,
    /// Nobody looked: it is too large, or too many waited.
    Dropped,
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
    /// What it has come to.
    #[serde(flatten)]
    pub tally: Tally,
}

/// What was sent, to be looked at by two versions.
#[derive(Debug)]
pub struct Offered {
    /// The delivery.
    pub delivery: Uuid,
    /// The operation.
    pub operation: String,
    /// The body.
    pub body: Arc<[u8]>,
}

/// What a line of the log is about.
#[derive(Debug, Deserialize)]
struct About {
    partner: String,
    version: Option<VersionId>,
}

impl Offered {
    /// What was received, if it has a body.
    pub fn of(received: &Received) -> Option<Self> {
        let (delivery, operation) = (received.id, received.operation.clone());
        received.body.clone().map(|body| Self { delivery, operation, body })
    }
}

impl Default for Shadows {
    fn default() -> Self {
        Self { running: RwLock::default(), turn: Arc::new(Semaphore::new(1)), waiting: Arc::default() }
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Same, Self::Different, Self::Refused, Self::Faulted, Self::Dropped];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Refused => "refused",
            Self::Faulted => "faulted",
            Self::Dropped => "dropped",
        }
    }
}

impl Shadows {
    /// What runs beside the version of a partner that is in use.
    pub fn of(&self, partner: &str) -> Option<Arc<Shadow>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).get(partner).cloned()
    }

    fn set(&self, partner: &str, shadow: Option<Shadow>) {
        let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        match shadow {
            Some(shadow) => drop(running.insert(partner.to_owned(), Arc::new(shadow))),
            None => drop(running.remove(partner)),
        }
    }
}

impl Shadow {
    /// The version.
    pub fn version(&self) -> VersionId {
        self.loaded.version
    }

    /// What is shown of it.
    pub fn shown(&self) -> Shown {
        Shown { version: self.version(), since: self.since, by: self.by.clone(), tally: self.tally().clone() }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, delivery: Uuid, outcome: Outcome, differences: Vec<String>) {
        metrics::shadowed(&self.loaded.partner.name, outcome.word());
        let mut tally = self.tally();
        *tally.counts.entry(outcome).or_default() += 1;
        if !matches!(outcome, Outcome::Same | Outcome::Dropped) {
            tally.last.push_front(Seen { delivery, outcome, differences });
            tally.last.truncate(SHOWN_MAX);
        }
    }
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

/// Follows what was decided after the line of the log with this number. Compiles: on a thread that may block.
pub async fn follow(app: &App, after: i64) -> Result<(), StoreError> {
    let mut lines = app.ingest.store.administration().acts(None, LINES).await?;
    lines.retain(|(number, act)| *number > after && act.what == SHADOW);
    let mut last = BTreeMap::new();
    for (_, act) in lines.into_iter().rev() {
        if let Ok(About { partner, version }) = serde_json::from_value(act.about) {
            last.insert(partner, (version, act.at, act.who));
        }
    }
    for (partner, (version, since, by)) in last {
        let was = app.shadows.of(&partner).filter(|was| Some(was.version()) == version && was.since == since);
        if was.is_some() {
            continue; // it goes on counting
        }
        let shadow = match version {
            Some(version) => app.versions.get(&*app.ingest.store, app.canonical(), version).await?,
            None => Err("nothing is to run beside".to_owned()),
        };
        let shadow = shadow.ok().map(|loaded| Shadow { loaded, since, by, tally: Mutex::default() });
        app.shadows.set(&partner, shadow);
    }
    // What is in use by now runs beside nothing.
    for name in app.registry.names() {
        let active = app.registry.get(&name).map(|loaded| loaded.version);
        if app.shadows.of(&name).is_some_and(|shadow| Some(shadow.version()) == active) {
            app.shadows.set(&name, None);
        }
    }
    Ok(())
}

/// Has what was sent looked at by both versions, later; the caller does not wait.
pub fn offer(app: &Arc<App>, from: &Arc<Connection>, active: &Arc<Loaded>, offered: Offered) {
    let shadow = app.shadows.of(&active.partner.name).filter(|shadow| from.permits(&shadow.loaded));
    let Some(shadow) = shadow else { return };
    let limits = &app.ingest.limits;
    let waiting = Arc::clone(&app.shadows.waiting);
    let has_room = waiting.fetch_add(1, Ordering::Relaxed) < limits.shadow_deliveries_max;
    if !has_room || offered.body.len() > limits.shadow_bytes_max {
        waiting.fetch_sub(1, Ordering::Relaxed);
        return shadow.count(offered.delivery, Outcome::Dropped, Vec::new());
    }
    let (app, from, active) = (Arc::clone(app), Arc::clone(from), Arc::clone(active));
    tokio::spawn(async move {
        // It is never closed.
        let _turn = app.shadows.turn.acquire().await;
        let delivery = offered.delivery;
        let looking = {
            let (app, shadow) = (Arc::clone(&app), Arc::clone(&shadow));
            async move { look(&app, &from, [&active, &shadow.loaded], &offered) }
        };
        let (outcome, differences) = match blocking(looking).await {
            Ok(found) => found,
            Err(_) => (Outcome::Faulted, vec!["looking at it panicked".to_owned()]),
        };
        app.shadows.waiting.fetch_sub(1, Ordering::Relaxed);
        shadow.count(delivery, outcome, differences);
    });
}

/// What a delivery comes to with the second version, against the first.
fn look(app: &App, from: &Connection, versions: [&Loaded; 2], offered: &Offered) -> (Outcome, Vec<String>) {
    let seen = versions.map(|loaded| {
        let operation = loaded.partner.operation(&offered.operation)?;
        let (options, limits) = (&*from.sender.options, &app.ingest.limits);
        Some(Previewer { canonical: app.canonical(), loaded, operation, options, limits }.preview(None, &offered.body))
    });
    match seen {
        [Some(Ok(active)), Some(Ok(shadow))] => compare(&active, &shadow),
        [Some(Err(PreviewError::NoBody(_))) | None, _] => (Outcome::Same, Vec::new()),
        [_, None] => (Outcome::Different, vec![format!("there is no operation `{}`", offered.operation)]),
        [_, Some(Err(error))] => (Outcome::Faulted, vec![told(&error)]),
        [Some(Err(_)), Some(Ok(_))] => (Outcome::Different, vec!["the version in use fails on it".to_owned()]),
    }
}

fn compare(active: &Preview, shadow: &Preview) -> (Outcome, Vec<String>) {
    let counts = |preview: &Preview| (preview.rejections.len() + preview.refusals.len(), preview.faults.len());
    let ((was_refused, was_faulted), (refused, faulted)) = (counts(active), counts(shadow));
    let mut differences = shapes(&revisions(active, shadow));
    let more = [("rejected or refused", was_refused, refused), ("faults", was_faulted, faulted)];
    differences.extend(
        more.into_iter()
            .filter(|(_, was, is)| was != is)
            .map(|(what, was, is)| format!("{what}: {is} instead of {was}")),
    );
    differences.truncate(DIFFERENCES_MAX);
    let outcome = match () {
        () if faulted > was_faulted => Outcome::Faulted,
        () if refused > was_refused => Outcome::Refused,
        () if !differences.is_empty() => Outcome::Different,
        () => Outcome::Same,
    };
    (outcome, differences)
}

/// How previews differ, by kind and field alone.
fn shapes(revisions: &[Revision]) -> Vec<String> {
    let mut shapes: BTreeMap<(&str, &str), (u64, BTreeSet<&str>)> = BTreeMap::new();
    for Revision { kind, action, .. } in revisions {
        let what = match action {
            Action::Create => "more",
            Action::Update(_) => "otherwise",
            Action::Remove => "not there",
        };
        let (count, names) = shapes.entry((kind, what)).or_default();
        *count += 1;
        if let Action::Update(fields) = action {
            names.extend(fields.iter().map(|(name, ..)| name.as_str()));
        }
    }
    let shape = |((kind, what), (count, names)): ((&str, &str), (u64, BTreeSet<&str>))| {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        format!("{kind}: {count} {what}{}{names}", if names.is_empty() { "" } else { ": " })
    };
    shapes.into_iter().map(shape).collect()
}
