//! Waits for the disk on behalf of many at once: those who come while it is busy share the next wait.
//!
//! A commit that does not wait for the disk survives the end of the process, not a power cut. Who has committed so asks
//! here before saying so to anybody; the pages of all commits up to then are in the write-ahead log, and one wait brings
//! all of them to the disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use tokio::sync::oneshot;

use crate::store::StoreError;

/// Who is told when the disk has everything.
type Waiting = oneshot::Sender<Result<(), Arc<io::Error>>>;

/// The thread that waits for the disk. It ends with this value.
#[derive(Debug)]
pub(super) struct Disk {
    asks: Sender<Waiting>,
}

impl Disk {
    /// Starts the thread for the database at `path`, whose write-ahead log is there already.
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let log = File::open(log_of(path)).map_err(database)?;
        let (asks, asked) = channel();
        Builder::new().name("disk".to_owned()).spawn(move || run(&log, &asked)).map_err(database)?;
        Ok(Self { asks })
    }

    /// Waits until everything that was committed before is on the disk.
    pub(super) async fn synced(&self) -> Result<(), StoreError> {
        let (done, is_done) = oneshot::channel();
        let ended = || StoreError::Inconsistent("the thread that waits for the disk has ended".to_owned());
        self.asks.send(done).map_err(|_| ended())?;
        is_done.await.map_err(|_| ended())?.map_err(|error| database(io::Error::new(error.kind(), error)))
    }
}

/// Where SQLite keeps the write-ahead log of a database.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn run(log: &File, asked: &Receiver<Waiting>) {
    while let Ok(first) = asked.recv() {
        let waiting: Vec<_> = std::iter::once(first).chain(asked.try_iter()).collect();
        let synced = log.sync_data().map_err(Arc::new);
        for one in waiting {
            // Whoever has left does not need to know.
            drop(one.send(synced.clone()));
        }
    }
}

fn database(error: io::Error) -> StoreError {
    StoreError::Database(Box::new(error))
}
