//! Watches a folder for bundles: whoever can put a file there need not call anybody.
//!
//! A file is looked at when it has not changed from one look to the next, and once for what is in it. What is wrong with it is
//! logged; what is good is kept and, where `bundles.policy` says so, becomes active. A version that was active once does
//! not become so again by lying there: an operator who went back to another one has decided.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rollcall_core::digest::Sha256;
use rollcall_core::store::administration::{Action, Active};
use tokio::sync::watch;
use tokio::time::interval;

use super::{ExamineError, Wish, decide, examine, keep, told};
use crate::app::App;
use crate::config::BundlePolicy;
use crate::worker::{blocking, is_over};

/// Who decides what lies in the folder.
const WATCHER: &str = "bundles.dir";

/// What the names of bundles end with.
const ENDING: &str = "rcb";

/// What was seen of a folder.
#[derive(Debug, Default)]
struct Seen {
    files: HashMap<PathBuf, (u64, Option<SystemTime>)>,
    contents: HashSet<Sha256>,
}

/// Watches until `stop` says so, if there is a folder to be watched.
pub async fn watch(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let Some(folder) = app.config.bundles.dir.clone() else { return };
    let mut poll = interval(Duration::from_secs(app.config.bundles.poll_seconds.max(1)));
    let mut seen = Seen::default();
    while !is_over(&stop) {
        tokio::select! {
            _ = stop.changed() => return,
            _ = poll.tick() => {}
        }
        match seen.settled(&folder) {
            Ok(files) => {
                for (file, bytes) in files {
                    let looking = Arc::clone(&app);
                    let looked = blocking(async move { take(&looking, &bytes).await });
                    let looked = looked.await.unwrap_or_else(|panic| Err(format!("looking at it panicked: {panic}")));
                    match looked {
                        Ok(what) => tracing::info!(file = %file.display(), "{what}"),
                        Err(reason) => tracing::error!(file = %file.display(), "{reason}"),
                    }
                }
            }
            Err(error) => tracing::error!(folder = %folder.display(), %error, "the folder of bundles cannot be read"),
        }
    }
}

impl Seen {
    /// The files that are new and whole, as far as can be seen: they are as they were at the last look.
    fn settled(&mut self, folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut now = HashMap::new();
        for entry in folder.read_dir()? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) && path.is_file() {
                let metadata = fs::metadata(&path)?;
                now.insert(path, (metadata.len(), metadata.modified().ok()));
            }
        }
        let mut settled: Vec<_> = now.iter().filter(|(path, seen)| self.files.get(*path) == Some(seen)).collect();
        settled.sort();
        let mut files = Vec::new();
        for (path, _) in settled {
            let bytes = fs::read(path)?;
            if self.contents.insert(Sha256::of(&bytes)) {
                files.push((path.clone(), bytes));
            }
        }
        self.files = now;
        Ok(files)
    }
}

/// Looks at a bundle, keeps it, and makes it active where that is wanted; what was done.
async fn take(app: &Arc<App>, bytes: &[u8]) -> Result<String, String> {
    let examined = examine(app, bytes).await.map_err(|error| match error {
        ExamineError::Refused(reasons) => format!("the bundle is refused: {}", reasons.join("; ")),
        error @ ExamineError::Store(_) => told(&error),
    })?;
    keep(app, &examined).await.map_err(|error| told(&error))?;
    let (partner, id) = (examined.loaded.partner.name.clone(), examined.bundle.id());
    let activations = app.ingest.store.administration().activations().await.map_err(|error| told(&error))?;
    let was_active = activations.iter().any(|other| other.partner == partner && other.version == Some(id));
    if was_active && app.config.bundles.policy == BundlePolicy::Apply {
        return Ok(format!("version {} of {partner} has been active already", id.short()));
    }
    if app.config.bundles.policy == BundlePolicy::Keep {
        return Ok(format!("version {} of {partner} is kept, and can be applied", id.short()));
    }
    let after = Some(Active::of(&partner, &activations).number);
    let wish = Wish {
        partner: partner.clone(),
        action: Action::Apply,
        version: Some(id),
        connection: None,
        plan: None,
        after,
    };
    decide(app, WATCHER, &wish).await.map_err(|error| told(&error))?;
    Ok(format!("version {} of {partner} is active", id.short()))
}
