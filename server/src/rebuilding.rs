//! Turns a request to rebuild a connection into work in the background: what it sent is folded again beside what is there,
//! compared with it and, where that is asked for, put in its place.
//!
//! What is folded lies in a file of its own. Where a rebuild ends early (the process does), whoever asks for it again goes
//! on where it stopped; one that has ended leaves no file. Another version of the partner, or other options, begin anew.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollcall_core::delivery::Counts;
use rollcall_core::digest::Digest;
use rollcall_core::ingest::{Difference, Folded, IngestError, Loaded, Rebuild};
use rollcall_core::store::sqlite::{Durability, SqliteOptions, SqliteStore};
use rollcall_core::store::{ConnectionName, StoreError};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::access::Connection;
use crate::app::App;
use crate::intake::blocking;
use crate::problem::Problem;
use crate::turn::Busy;

/// How far the rebuilds are that were asked for since the process started.
#[derive(Debug, Default)]
pub struct Rebuilds(Mutex<HashMap<ConnectionName, Progress>>);

/// How far a rebuild is, and what came of it.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// `folding`, `comparing`, `done` or `failed`.
    pub state: Stage,
    /// How far it is.
    #[serde(flatten)]
    pub folded: Folded,
    /// What is there and was not folded so, and the other way round; once that is known.
    pub difference: Option<Difference>,
    /// What replacing what is there changed, where that was asked for.
    pub replaced: Option<BTreeMap<String, Counts>>,
    /// Why it failed, or why nothing was replaced.
    pub problem: Option<String>,
}

/// What a rebuild is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It works on deliveries once more.
    #[default]
    Folding,
    /// It compares what came of them with what is there.
    Comparing,
    /// It has ended.
    Done,
    /// It could not be done.
    Failed,
}

/// Why a rebuild could not be done.
#[derive(Debug, thiserror::Error)]
enum RebuildError {
    /// Where it is folded cannot be used.
    #[error("the folder for what is folded (`scratch_dir`) cannot be used")]
    Scratch(#[from] io::Error),
    /// A delivery could not be worked on.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// Too much waits for its turn.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// It is the end of the process.
    #[error("the server is being stopped; whoever asks for it again goes on where this stopped")]
    Stopped,
}

impl From<StoreError> for RebuildError {
    fn from(error: StoreError) -> Self {
        Self::Ingest(error.into())
    }
}

impl Rebuilds {
    /// How far the rebuild of a connection is, if there is, or was, one.
    pub fn progress(&self, from: &Connection) -> Option<Progress> {
        self.lock().get(&name(from)).cloned()
    }

    /// Whether none is under way; one is from now on.
    fn begin(&self, from: &Connection) -> bool {
        let mut all = self.lock();
        let is_free = all.get(&name(from)).is_none_or(|known| matches!(known.state, Stage::Done | Stage::Failed));
        if is_free {
            all.insert(name(from), Progress::default());
        }
        is_free
    }

    fn tell(&self, from: &Connection, tell: impl FnOnce(&mut Progress)) {
        tell(self.lock().entry(name(from)).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionName, Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(from: &Connection) -> ConnectionName {
    (from.sender.tenant.clone(), from.sender.connection.clone())
}

/// Begins to rebuild a connection, or goes on with it; with `replace`, what is there becomes what was folded.
pub fn begin(app: &Arc<App>, from: &Arc<Connection>, replace: bool) -> Result<(), Problem> {
    let loaded = app.registry.of(from).ok_or_else(|| Problem::unknown("there is no such partner"))?;
    if !app.rebuilds.begin(from) {
        return Err(Problem::unavailable("busy", "this connection is being rebuilt"));
    }
    let (app, from) = (Arc::clone(app), Arc::clone(from));
    tokio::spawn(async move {
        let (of, whose) = (Arc::clone(&app), Arc::clone(&from));
        let done = blocking(async move { run(&of, &whose, &loaded, replace).await }).await;
        let problem = match done {
            Ok(Ok(())) => return app.rebuilds.tell(&from, |progress| progress.state = Stage::Done),
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a connection could not be rebuilt");
                error.to_string()
            }
            Err(problem) => {
                problem.log();
                "something failed on our side; it has been logged".to_owned()
            }
        };
        app.rebuilds.tell(&from, |progress| {
            progress.state = Stage::Failed;
            progress.problem = Some(problem);
        });
    });
    Ok(())
}

async fn run(app: &Arc<App>, from: &Arc<Connection>, loaded: &Loaded, replace: bool) -> Result<(), RebuildError> {
    let path = scratch(app, from, loaded)?;
    let options = SqliteOptions { durability: Durability::Normal, ..SqliteOptions::default() };
    let store = Arc::new(SqliteStore::open(&path, &options).await?);
    let mut rebuild = app.ingest.rebuild(&from.sender, loaded, store).await?;
    loop {
        fold(app, from, &mut rebuild).await?;
        let _turn = app.turns.take(&from.sender.tenant, &from.sender.connection, &from.partner).await?;
        let has_more = rebuild.step().await?; // something may have come before it was our turn
        if !has_more && finish(app, from, &rebuild, replace).await? {
            break;
        }
    }
    drop(rebuild);
    Ok(remove(&path)?)
}

/// Compares, and replaces where that is asked for; whether that is the end of it, because nothing came meanwhile.
async fn finish(app: &App, from: &Connection, rebuild: &Rebuild<'_>, replace: bool) -> Result<bool, RebuildError> {
    app.rebuilds.tell(from, |progress| progress.state = Stage::Comparing);
    let difference = rebuild.compare().await?;
    let is_replaced = replace && !difference.is_empty();
    app.rebuilds.tell(from, |progress| progress.difference = Some(difference));
    if !is_replaced {
        return Ok(true);
    }
    if rebuild.folded().missing > 0 {
        let why = "nothing was replaced: what some deliveries said is not kept any more";
        app.rebuilds.tell(from, |progress| progress.problem = Some(why.to_owned()));
        return Ok(true);
    }
    match rebuild.replace().await {
        Err(IngestError::Store(StoreError::Stale)) => Ok(false),
        replaced => {
            let counts = replaced?.counts;
            app.rebuilds.tell(from, |progress| progress.replaced = Some(counts));
            Ok(true)
        }
    }
}

/// Folds until nothing is left, not faster than is allowed.
async fn fold(app: &Arc<App>, from: &Arc<Connection>, rebuild: &mut Rebuild<'_>) -> Result<(), RebuildError> {
    let each = Duration::from_secs(1) / app.ingest.limits.replayed_per_second_max.max(1);
    app.rebuilds.tell(from, |progress| progress.state = Stage::Folding);
    loop {
        let (start, before) = (Instant::now(), rebuild.folded().deliveries);
        let has_more = rebuild.step().await?;
        let folded = rebuild.folded();
        app.rebuilds.tell(from, |progress| progress.folded = folded);
        if !has_more {
            return Ok(());
        }
        if !app.is_ready() {
            return Err(RebuildError::Stopped);
        }
        let count = u32::try_from(folded.deliveries - before).unwrap_or(u32::MAX);
        sleep(each.saturating_mul(count).saturating_sub(start.elapsed())).await;
    }
}

/// The file in which the state of a connection is folded: another one for each version that folds it.
fn scratch(app: &App, from: &Connection, loaded: &Loaded) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(&app.scratch)?;
    let options = from.sender.options.to_string();
    let (canonical, mapper) = (app.ingest.canonical.digest(), loaded.mapper.digest());
    let parts = [
        from.sender.tenant.as_bytes(),
        from.sender.connection.as_bytes(),
        loaded.partner.digest.as_bytes(),
        mapper.as_bytes(),
        canonical.as_bytes(),
        options.as_bytes(),
    ];
    Ok(app.scratch.join(format!("rebuild-{}.db", Digest::of_parts(parts))))
}

fn remove(path: &Path) -> io::Result<()> {
    for companion in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(companion);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
