//! Waits for the disk on behalf of many at once: those who come while it is busy share the next wait.
//!
//! A commit that does not wait for the disk survives the end of the process, not a power cut. Who has committed so asks
//! here before saying so to anybody; the pages of all commits up to then are in the write-ahead log, and one wait brings
//! all of them to the disk.
//!
//! A few threads wait beside each other: who comes while a wait goes on need not wait for its end first, and disks serve
//! several at a time in little more than the time of one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use tokio::sync::oneshot;

use crate::store::StoreError;
use crate::store::inbox::Told;

/// Waits that go on at the same time.
const WAITS_MAX: usize = 4;

/// The threads that wait for the disk. They end with this value.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    asks: Sender<Waiting>,
}

/// Who waits for it.
#[derive(Debug)]
enum Waiting {
    /// Tasks.
    Tasks(Vec<Told>),
    /// A thread.
    Thread(SyncSender<Result<(), StoreError>>),
}

impl Disk {
    /// Starts the threads for the database at `path`, whose write-ahead log is there already.
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let log = Arc::new(File::open(log_of(path))?);
        // That there is a log at all is an entry of its folder.
        File::open(folder_of(path))?.sync_all()?;
        let (asks, asked) = channel();
        let asked = Arc::new(Mutex::new(asked));
        for _ in 0..WAITS_MAX {
            let (log, asked) = (Arc::clone(&log), Arc::clone(&asked));
            Builder::new().name("disk".to_owned()).spawn(move || run(&log, &asked))?;
        }
        Ok(Self { asks })
    }

    /// Waits until everything that was committed before is on the disk.
    pub(super) async fn synced(&self) -> Result<(), StoreError> {
        let (told, is_told) = oneshot::channel();
        self.tell(vec![told]);
        is_told.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The same, blocking the thread.
    pub(super) fn wait(&self) -> Result<(), StoreError> {
        let (told, is_told) = sync_channel(1);
        self.asks.send(Waiting::Thread(told)).map_err(|_| ended())?;
        is_told.recv().unwrap_or_else(|_| Err(ended()))
    }

    /// Tells these when everything that was committed before is on the disk.
    pub(super) fn tell(&self, waiting: Vec<Told>) {
        if let Err(unsent) = self.asks.send(Waiting::Tasks(waiting)) {
            unsent.0.told(&Err(io::Error::other(ended())));
        }
    }
}

impl Waiting {
    /// Whoever has left does not need to know.
    fn told(self, synced: &io::Result<()>) {
        let answer = || match synced {
            Ok(()) => Ok(()),
            Err(error) => Err(StoreError::from(io::Error::new(error.kind(), error.to_string()))),
        };
        match self {
            Self::Tasks(tasks) => tasks.into_iter().for_each(|told| drop(told.send(answer()))),
            Self::Thread(told) => drop(told.send(answer())),
        }
    }
}

fn ended() -> StoreError {
    StoreError::Inconsistent("the threads that wait for the disk have ended".to_owned())
}

/// Where SQLite keeps the write-ahead log of a database.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// The folder that a file stands in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn run(log: &File, asked: &Mutex<Receiver<Waiting>>) {
    loop {
        let waiting: Vec<_> = {
            let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(first) = asked.recv() else { return };
            std::iter::once(first).chain(asked.try_iter()).collect()
        };
        let synced = log.sync_data();
        for waiting in waiting {
            waiting.told(&synced);
        }
    }
}
