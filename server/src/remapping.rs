//! Turns a request to map anew into work in the background: what is stored of a connection is taken through the version in
//! use, part by part. Or says what that, or another version, would change.
//!
//! Between two parts it is the turn of whoever sends, and no more is mapped in a second than may be. What was mapped is known
//! by the records themselves: where it ends early (the process does), whoever asks for it again goes on where it stopped.

mod planning;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollcall_core::delivery::{Counts, Passed, Report};
use rollcall_core::description::ProblemClass;
use rollcall_core::ingest::Loaded;
use rollcall_core::ingest::remap::{Foreseen, Part, Place, RemapError, Sample};
use rollcall_core::store::ConnectionName;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

pub use self::planning::{Plannings, Progress as PlanProgress};
use crate::access::Connection;
use crate::app::App;
use crate::intake::blocking;
use crate::metrics;
use crate::problem::Problem;

/// How far mapping anew is that was asked for since the process started.
#[derive(Debug, Default)]
pub struct Remaps {
    all: Mutex<HashMap<ConnectionName, Progress>>,
    /// How far plans are that are being made.
    pub plans: Plannings,
}

/// How far mapping a connection anew is, and what came of it.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What it is at.
    pub state: Stage,
    /// The version.
    pub version: Option<String>,
    /// Records that were mapped anew.
    pub records: u64,
    /// Records that are left; not known while it is looking.
    pub left: Option<u64>,
    /// What that did to the entities of each kind.
    pub entities: BTreeMap<String, Counts>,
    /// Records that were refused.
    pub refused: u64,
    /// Records that the mapper trapped on.
    pub faulted: u64,
    /// Records that wait for what they refer to.
    pub waiting: u64,
    /// The delivery that waits for an operator.
    pub held: Option<Uuid>,
    /// Why it does.
    pub passed: Vec<Passed>,
    /// Why it failed.
    pub problem: Option<String>,
}

/// What mapping anew is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It finds out what would change.
    #[default]
    Looking,
    /// It maps.
    Mapping,
    /// It has ended.
    Done,
    /// It waits for an operator, because it would change more than is likely.
    Held,
    /// It could not be done.
    Failed,
}

impl Remaps {
    /// How far the connections are that were, or are, mapped anew.
    pub fn all(&self) -> BTreeMap<ConnectionName, Progress> {
        self.lock().iter().map(|(name, progress)| (name.clone(), progress.clone())).collect()
    }

    /// Whether none is under way; one is from now on.
    fn begin(&self, of: &Connection, loaded: &Loaded) -> bool {
        let mut all = self.lock();
        let is_under_way = |known: &Progress| matches!(known.state, Stage::Looking | Stage::Mapping);
        let is_free = !all.get(&name(of)).is_some_and(is_under_way);
        if is_free {
            let version = Some(loaded.version.to_string());
            all.insert(name(of), Progress { version, ..Progress::default() });
        }
        is_free
    }

    fn tell(&self, of: &Connection, tell: impl FnOnce(&mut Progress)) {
        tell(self.lock().entry(name(of)).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionName, Progress>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn add(&mut self, part: &Part, report: &Report) {
        let records = part.len() as u64;
        self.records += records;
        self.left = self.left.map(|left| left.saturating_sub(records));
        for (kind, counts) in &report.counts {
            let all = self.entities.entry(kind.clone()).or_default();
            all.created += counts.created;
            all.updated += counts.updated;
            all.removed += counts.removed;
        }
        self.refused += report.refusals.len() as u64;
        self.faulted += report.faults.len() as u64;
        self.waiting += report.parked.len() as u64;
    }
}

fn name(of: &Connection) -> ConnectionName {
    (of.sender.tenant.clone(), of.sender.connection.clone())
}

/// What version `to`, or the one in use, would make of what is stored of a connection. How far that is, is told of `plan`.
pub async fn foresee(
    app: &Arc<App>,
    of: &Arc<Connection>,
    to: Option<Arc<Loaded>>,
    sample: Sample,
    plan: Option<Uuid>,
) -> Result<Foreseen, Problem> {
    let from = in_use(app, of)?;
    let to = to.unwrap_or_else(|| Arc::clone(&from));
    let (app, of) = (Arc::clone(app), Arc::clone(of));
    blocking(async move { look(&app, &of, &from, &to, sample, plan).await }).await?
}

/// Looks; anew, when nobody else is let in, where something was committed meanwhile.
async fn look(
    app: &Arc<App>,
    of: &Connection,
    from: &Loaded,
    to: &Loaded,
    sample: Sample,
    plan: Option<Uuid>,
) -> Result<Foreseen, Problem> {
    let sender = &of.sender;
    let told = |done: usize, all: usize| {
        if let Some(plan) = plan {
            app.remaps.plans.read(plan, done, all);
        }
        tracing::debug!(tenant = sender.tenant, connection = sender.connection, done, all, "looking");
    };
    let foreseen = app.ingest.foresee(sender, from, to, sample, &told).await;
    let stored = app.ingest.store.connection(&sender.tenant, &sender.connection, &of.partner).await?;
    if let Ok(foreseen) = foreseen
        && foreseen.generation == stored.generation
    {
        return Ok(foreseen);
    }
    let turn = app.turns.take(&sender.tenant, &sender.connection, &of.partner).await;
    let _turn = turn.map_err(|busy| Problem::unavailable("busy", busy.to_string()))?;
    app.ingest.foresee(sender, from, to, sample, &told).await.map_err(problem)
}

/// Begins to map anew what is stored of a connection and was not mapped by the version in use, or goes on with it.
pub fn begin(app: &Arc<App>, of: &Arc<Connection>) -> Result<(), Problem> {
    let loaded = started(app, of)?;
    spawn(app, of, loaded, None);
    Ok(())
}

/// Begins to map anew what an operator has approved, if it would still do what was shown, or `anyway`. What is told of the
/// delivery that was held.
pub async fn approve(app: &Arc<App>, of: &Arc<Connection>, delivery: Uuid, anyway: bool) -> Result<Report, Problem> {
    let loaded = in_use(app, of)?;
    let version = Arc::clone(&loaded);
    let approved = in_turn(app, of, move |app, of| async move {
        let (store, sender) = (&app.ingest.store, &of.sender);
        let stored = store.connection(&sender.tenant, &sender.connection, &of.partner).await?;
        let Some(call) = store.archive().call(&stored, delivery).await? else { return Ok(None) };
        let foreseen = app.ingest.approve_remap(sender, &version, &call, anyway).await?;
        let report = store.archive().call(&stored, delivery).await?.and_then(|call| call.report);
        Ok(foreseen.zip(report))
    });
    let Some((foreseen, report)) = approved.await? else {
        let detail = "it would do something else by now than what was shown; map anew to look again, or do it anyway";
        return Err(Problem::new(ProblemClass::Clash, "clash", detail).kept_as(Some(delivery)));
    };
    if app.remaps.begin(of, &loaded) {
        spawn(app, of, loaded, Some(foreseen));
    }
    Ok(report)
}

fn started(app: &App, of: &Connection) -> Result<Arc<Loaded>, Problem> {
    let loaded = in_use(app, of)?;
    if !app.remaps.begin(of, &loaded) {
        return Err(Problem::unavailable("busy", "this connection is being mapped anew"));
    }
    Ok(loaded)
}

/// Does it in the background.
fn spawn(app: &Arc<App>, of: &Arc<Connection>, loaded: Arc<Loaded>, approved: Option<Foreseen>) {
    let (app, of) = (Arc::clone(app), Arc::clone(of));
    tokio::spawn(async move {
        let done = run(&app, &of, &loaded, approved).await;
        let sender = &of.sender;
        let (tenant, connection) = (&sender.tenant, &sender.connection);
        match done {
            Ok(stage) => {
                app.remaps.tell(&of, |progress| progress.state = stage);
                tracing::info!(tenant, connection, ?stage, "mapped anew");
            }
            Err(problem) => {
                problem.log();
                tracing::error!(tenant, connection, detail = problem.detail, "a connection could not be mapped anew");
                app.remaps.tell(&of, |progress| {
                    progress.state = Stage::Failed;
                    progress.problem = Some(problem.detail);
                });
            }
        }
    });
}

async fn run(
    app: &Arc<App>,
    of: &Arc<Connection>,
    loaded: &Arc<Loaded>,
    approved: Option<Foreseen>,
) -> Result<Stage, Problem> {
    let is_approved = approved.is_some();
    let foreseen = match approved {
        Some(foreseen) => foreseen,
        None => foresee(app, of, Some(Arc::clone(loaded)), Sample::All, None).await?,
    };
    let left = foreseen.parts.iter().map(|part| part.len() as u64).sum();
    app.remaps.tell(of, |progress| progress.left = Some(left));
    let _left = metrics::remapping(&of.sender, &of.partner, left);
    if !is_approved && let Some((held, report)) = held_back(app, of, loaded, &foreseen).await? {
        app.remaps.tell(of, |progress| {
            progress.held = Some(held);
            progress.passed = report.held.map_or_else(Vec::new, |held| held.passed);
        });
        return Ok(Stage::Held);
    }
    app.remaps.tell(of, |progress| progress.state = Stage::Mapping);
    let begun = Instant::now();
    let mut records = 0;
    for (nth, part) in foreseen.parts.iter().enumerate() {
        let place = if nth + 1 == foreseen.parts.len() { Place::Last } else { Place::Within };
        let report = one(app, of, loaded, part, place).await?;
        app.remaps.tell(of, |progress| progress.add(part, &report));
        records += part.len() as u64;
        metrics::remapped(&of.sender, &of.partner, part.len() as u64, left - records);
        if !app.is_ready() {
            let detail = "the server is being stopped; whoever asks for it again goes on where this stopped";
            return Err(Problem::unavailable("stopped", detail));
        }
        sleep_until(begun + earliest(records, app.ingest.limits.remap_records_per_second_max)).await;
    }
    app.told(&loaded.partner);
    Ok(Stage::Done)
}

/// Has it wait for an operator, where it would change more than is likely and has not begun.
async fn held_back(
    app: &Arc<App>,
    of: &Arc<Connection>,
    loaded: &Arc<Loaded>,
    foreseen: &Foreseen,
) -> Result<Option<(Uuid, Report)>, Problem> {
    let Some(held) = foreseen.held.clone() else { return Ok(None) };
    let (loaded, kept) = (Arc::clone(loaded), foreseen.difference.entities.clone());
    in_turn(app, of, move |app, of| async move {
        if app.ingest.has_begun_to_remap(&of.sender, &loaded).await? {
            return Ok(None);
        }
        app.ingest.hold_remap(&of.sender, &loaded, kept, held).await.map(Some)
    })
    .await
}

/// When, at the earliest, more is mapped after so many.
fn earliest(records: u64, per_second_max: u32) -> Duration {
    Duration::from_millis(records.saturating_mul(1_000) / u64::from(per_second_max.max(1)))
}

/// Takes one part.
async fn one(
    app: &Arc<App>,
    of: &Arc<Connection>,
    loaded: &Arc<Loaded>,
    part: &Part,
    place: Place,
) -> Result<Report, Problem> {
    if in_use(app, of)?.version != loaded.version {
        let detail = "another version is in use by now; ask again to map anew by that one";
        return Err(Problem::new(ProblemClass::Clash, "stale", detail));
    }
    let (loaded, part) = (Arc::clone(loaded), part.clone());
    in_turn(app, of, move |app, of| async move { app.ingest.remap(&of.sender, &loaded, &part, place).await }).await
}

/// Does work when it is the connection's turn, on a thread where that harms no one.
async fn in_turn<W, F, T>(app: &Arc<App>, of: &Arc<Connection>, work: W) -> Result<T, Problem>
where
    W: FnOnce(Arc<App>, Arc<Connection>) -> F + Send + 'static,
    F: Future<Output = Result<T, RemapError>> + Send,
    T: Send + 'static,
{
    let sender = &of.sender;
    let turn = app.turns.take(&sender.tenant, &sender.connection, &of.partner).await;
    let turn = turn.map_err(|busy| Problem::unavailable("busy", busy.to_string()))?;
    let (app, of) = (Arc::clone(app), Arc::clone(of));
    let work = async move {
        let _turn = turn;
        work(app, of).await
    };
    blocking(work).await?.map_err(problem)
}

fn in_use(app: &App, of: &Connection) -> Result<Arc<Loaded>, Problem> {
    app.registry.of(of).ok_or_else(|| Problem::unknown("no version of this partner is active"))
}

fn problem(error: RemapError) -> Problem {
    match error {
        RemapError::Ingest(error) => Problem::from(error),
        error @ RemapError::Map(_) if error.is_passing() => Problem::unavailable("busy", "too much at a time"),
        error @ RemapError::Map(_) => Problem::fault(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::earliest;

    #[test]
    fn so_many_records_take_so_long() {
        assert_eq!(earliest(500, 5_000), Duration::from_millis(100));
        assert_eq!(earliest(0, 0), Duration::ZERO);
    }
}
