//! Waits for the disk on behalf of many at once: those who come while it is busy share the next wait.
//!
//! A commit that does not wait for the disk survives the end of the process, not a power cut. Who has committed so asks
//! here before saying so to anybody; the pages of all commits up to then are in the write-ahead log, and one wait brings
//! all of them to the disk.
//!
//! A wait that fails is told to who waited, and the log is written again before any other is believed: see [`super::log`].
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

use super::log::{log_of, write_again};
use super::writer::{Inner, lock};
use crate::store::StoreError;
use crate::store::inbox::Told;

/// Waits that go on at the same time.
const WAITS_MAX: usize = 4;

/// The threads that wait for the disk. They end with this value.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    asks: Sender<Waiting>,
}

/// What is waited for.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// Who writes to it.
    writer: Arc<Mutex<Inner>>,
    /// Whether a wait has failed, and the log has not been written again since: nothing is told to be on the disk then.
    is_doubtful: Mutex<bool>,
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
    pub(super) fn start(path: &Path, writer: Arc<Mutex<Inner>>) -> Result<Self, StoreError> {
        let log = Log::new(log_of(path), writer);
        // That there is a log at all is an entry of its folder.
        File::open(folder_of(path))?.sync_all()?;
        // A failure is told once to each file that was opened: each thread has to hear of it.
        let files = (0..WAITS_MAX).map(|_| File::open(&log.path)).collect::<io::Result<_>>()?;
        Self::waiting(files, log)
    }

    /// Starts a thread for each of these files, which are one.
    fn waiting(files: Vec<File>, log: Log) -> Result<Self, StoreError> {
        let (asks, asked) = channel();
        let (asked, log) = (Arc::new(Mutex::new(asked)), Arc::new(log));
        for file in files {
            let (log, asked) = (Arc::clone(&log), Arc::clone(&asked));
            Builder::new().name("disk".to_owned()).spawn(move || run(&file, &log, &asked))?;
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

/// The folder that a file stands in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn run(file: &File, log: &Log, asked: &Mutex<Receiver<Waiting>>) {
    loop {
        let waiting: Vec<_> = {
            let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(first) = asked.recv() else { return };
            std::iter::once(first).chain(asked.try_iter()).collect()
        };
        let synced = log.sync(file);
        for waiting in waiting {
            waiting.told(&synced);
        }
    }
}

impl Log {
    fn new(path: PathBuf, writer: Arc<Mutex<Inner>>) -> Self {
        Self { path, writer, is_doubtful: Mutex::new(false) }
    }

    /// Waits until all of it is on the disk. After a wait that failed no other one is believed until all of it was written
    /// once more, see [`log`](super::log).
    fn sync(&self, file: &File) -> io::Result<()> {
        let synced = file.sync_data();
        let mut is_doubtful = self.is_doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = synced {
            tracing::warn!(%error, "the write-ahead log may not be on the disk, and is written again");
            *is_doubtful = true;
        }
        if *is_doubtful {
            self.write_again()?;
            *is_doubtful = false;
        }
        Ok(())
    }

    fn write_again(&self) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        let frames = writer.frames().map_err(io::Error::other)?;
        write_again(&self.path, frames)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{Disk, Log, log_of};
    use crate::store::sqlite::writer::Writer;
    use crate::store::sqlite::{Durability, SqliteOptions};

    /// Nothing can be waited for there.
    const NOWHERE: &str = "/dev/null";

    #[test]
    fn after_a_wait_that_failed_the_log_is_written_again_before_anything_is_told_to_be_safe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let options = SqliteOptions { durability: Durability::Normal, ..SqliteOptions::default() };
        let database = rusqlite::Connection::open(&path).unwrap();
        database.execute_batch("pragma journal_mode = wal; create table book (shelf integer)").unwrap();
        let writer = Writer::open(&path, &options).unwrap();
        let write = || writer.write(Durability::Normal, |it| Ok(it.execute_batch("insert into book values (1)")?));
        write().unwrap();
        let log = |name: &str| Log::new(folder.path().join(name), writer.inner());
        let nowhere = || vec![File::open(NOWHERE).unwrap()];
        assert!(File::open(NOWHERE).unwrap().sync_data().is_err(), "it can be waited for");

        let lost = Disk::waiting(nowhere(), log("gone")).unwrap();
        for _ in 0..2 {
            lost.wait().expect_err("what cannot be read back is not safe");
        }
        let held = Disk::waiting(nowhere(), log("hub.db-wal")).unwrap();
        assert_eq!(log_of(&path), folder.path().join("hub.db-wal"));
        for _ in 0..2 {
            write().unwrap();
            held.wait().unwrap();
        }
        let real = Disk::start(&path, writer.inner()).unwrap();
        real.wait().unwrap();
    }
}
