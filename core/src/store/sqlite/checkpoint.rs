//! Moves what is committed from the write-ahead log into the file, and has the database look at what it holds when much
//! has changed, on a thread of its own: no delivery waits for the one, and hardly any for the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::{Connection, OpenFlags};

use super::BUSY_TIMEOUT;
use super::writer::{Inner, lock};
use crate::store::StoreError;

/// Pages in the log that are worth moving: about sixteen megabytes.
const PAGES_MIN: i64 = 1_000;

/// The thread that does both. It ends with this value.
#[derive(Debug)]
pub(super) struct Checkpointer {
    /// `None` only while it is being dropped.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path, writer: Arc<Mutex<Inner>>) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let (wake, woken) = sync_channel(1);
        let thread = Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || run(&connection, &writer, &woken))
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        Ok(Self { wake: Some(wake), thread: Some(thread) })
    }

    /// Says that there is more in the log. If the thread has not seen the last time yet, once is enough.
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn run(connection: &Connection, writer: &Mutex<Inner>, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if let Err(error) = checkpoint(connection) {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database");
        }
        if let Err(error) = lock(writer).look_again() {
            tracing::warn!(%error, "the database could not look at what it holds");
        }
    }
}

/// `noop` only asks how much there is; `passive` moves it and makes nobody wait.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    if pages_left(connection, "pragma wal_checkpoint(noop)")? >= PAGES_MIN {
        pages_left(connection, "pragma wal_checkpoint(passive)")?;
    }
    Ok(())
}

/// How many pages only the log has, after a checkpoint of some mode.
fn pages_left(connection: &Connection, checkpoint: &'static str) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(checkpoint)?;
    statement.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{PAGES_MIN, checkpoint, pages_left};

    #[test]
    fn only_a_long_log_is_moved() {
        let folder = tempfile::tempdir().unwrap();
        let database = Connection::open(folder.path().join("hub.db")).unwrap();
        database.execute_batch("pragma journal_mode = wal; pragma wal_autocheckpoint = 0; create table t (b)").unwrap();
        let left = || pages_left(&database, "pragma wal_checkpoint(noop)").unwrap();
        checkpoint(&database).unwrap();
        let few = left();
        assert!((1..PAGES_MIN).contains(&few), "{few}");
        database.execute("insert into t values (zeroblob(?1 * 8192))", [PAGES_MIN]).unwrap();
        assert!(left() > PAGES_MIN);
        checkpoint(&database).unwrap();
        assert_eq!(left(), 0);
    }
}
