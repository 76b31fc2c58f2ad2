//! Turns the one `rusqlite` connection into transactions, each as durable as it has to be.
//!
//! Nobody waits for the disk while the connection is locked: who has to, does so afterwards, together with others, and
//! meanwhile the next one writes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::analysis::{self, keep_plans};
use super::checkpoint::Checkpointer;
use super::disk::Disk;
use super::{Durability, SqliteOptions};
use crate::store::{StoreError, Trouble};

/// Statements kept prepared: those of every table, with room to spare.
const STATEMENTS_MAX: usize = 512;

/// Kibibytes of pages kept in memory.
const CACHE_KIB: i32 = 64 << 10;

/// Pages in the write-ahead log at which a commit moves them into the file itself, because the [`Checkpointer`] cannot
/// keep up. About half a gigabyte.
const BACKSTOP_PAGES: i32 = 32_000;

/// Pages without which hardly anything can be stored.
const ROOM_PAGES_MIN: i64 = 16;

/// The file has as many pages as it may have.
#[derive(Debug, thiserror::Error)]
#[error("the database is as large as it may be")]
struct NoRoom;

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    /// What waits for the disk; `None` where nobody does.
    disk: Option<Disk>,
    inner: Arc<Mutex<Inner>>,
    checkpointer: Checkpointer,
    analysed: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(super) struct Inner {
    connection: Connection,
    /// How many rows had changed when the tables were last looked at.
    looked_at: u64,
    /// How often that found anything.
    analysed: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.busy_timeout(options.patience())?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        // What is deleted or overwritten leaves no bytes behind.
        connection.pragma_update(None, "secure_delete", "on")?;
        connection.pragma_update(None, "wal_autocheckpoint", BACKSTOP_PAGES)?;
        if let Some(pages) = options.pages_max() {
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        keep_plans(&connection)?;
        let analysed = Arc::new(AtomicU64::new(0));
        let inner = Inner { connection, looked_at: 0, analysed: Arc::clone(&analysed) };
        let inner = Arc::new(Mutex::new(inner));
        let checkpointer = Checkpointer::start(path, Arc::clone(&inner))?;
        let disk =
            (options.durability == Durability::Full).then(|| Disk::start(path, Arc::clone(&inner))).transpose()?;
        Ok(Self { disk, inner, checkpointer, analysed })
    }

    /// Runs `work` in a transaction of its own: all of it is there afterwards, or, when it fails, none of it. With
    /// [`Durability::Normal`] it does not wait for the disk whatever the setting is.
    pub(super) fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut inner = self.lock();
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        drop(inner);
        self.checkpointer.wake();
        if let (Durability::Full, Some(disk)) = (durability, &self.disk) {
            disk.wait()?;
        }
        Ok(value)
    }

    /// What waits for the disk; `None` where nobody does.
    pub(super) fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Tries whether something could be written: a page that is there, with room for some that are not.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.write(Durability::Full, |transaction| {
            let count = |pragma| transaction.query_row(pragma, [], |row| row.get::<_, i64>(0));
            let room = count("pragma max_page_count")? - count("pragma page_count")? + count("pragma freelist_count")?;
            if room < ROOM_PAGES_MIN {
                return Err(StoreError::unavailable(Trouble::Full, NoRoom));
            }
            Ok(transaction.execute_batch("update feed set sequence = sequence")?)
        })
    }

    /// Runs `work`, which reads, on one state of the database.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut inner = self.lock();
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        work(&transaction)
    }

    /// How often the database has been analysed.
    pub(super) fn analysed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.analysed)
    }

    /// Looks at the tables now, after they were given another shape.
    pub(super) fn look(&self) -> Result<(), StoreError> {
        Ok(lock(&self.inner).look()?)
    }

    /// Moves all that is committed into the file, and leaves nothing in the log: waits for those who read.
    pub(super) fn truncate_log(&self) -> Result<(), StoreError> {
        let inner = self.lock();
        let is_busy: bool = inner.connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))?;
        if is_busy {
            let reason = "somebody reads on, so that the write-ahead log still holds what was erased";
            return Err(StoreError::Inconsistent(reason.to_owned()));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    #[cfg(test)]
    pub(super) fn inner(&self) -> Arc<Mutex<Inner>> {
        Arc::clone(&self.inner)
    }
}

/// A panic while the lock was held has rolled its transaction back, so the connection is as good as before.
pub(super) fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// How many frames of the write-ahead log count.
    pub(super) fn frames(&self) -> rusqlite::Result<u64> {
        // A log that was not used yet has none, and says that it has less than that.
        let frames: i64 = self.connection.query_row("pragma wal_checkpoint(noop)", [], |row| row.get(1))?;
        Ok(u64::try_from(frames).unwrap_or_default())
    }

    /// Looks at the tables, if much has changed since the last time.
    pub(super) fn look_again(&mut self) -> rusqlite::Result<()> {
        let changed = self.connection.total_changes() - self.looked_at;
        if changed < analysis::CHANGES_MIN { Ok(()) } else { self.look() }
    }

    fn look(&mut self) -> rusqlite::Result<()> {
        if analysis::look(&self.connection)? {
            self.analysed.fetch_add(1, Ordering::Release);
        }
        self.looked_at = self.connection.total_changes();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Durability, SqliteOptions, Writer, analysis, lock};

    #[test]
    fn the_database_looks_again_when_much_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        std::fs::File::create(&path).unwrap();
        let options = SqliteOptions { durability: Durability::Normal, ..SqliteOptions::default() };
        let writer = Writer::open(&path, &options).unwrap();
        let write = |sql: &str| writer.write(Durability::Normal, |database| Ok(database.execute_batch(sql)?)).unwrap();
        let looked_at = || {
            lock(&writer.inner).look_again().unwrap();
            let known = "select count(*) from pragma_table_list where name = 'sqlite_stat1'";
            writer.read(|database| Ok(database.query_row(known, [], |row| row.get::<_, bool>(0))?)).unwrap()
        };
        let rows = |count| {
            format!(
                "insert into book with recursive n(n) as (select 1 union all select n + 1 from n where n < {count}) select n from n"
            )
        };
        write("create table book (shelf integer); create index book_shelf on book (shelf)");
        write(&rows(analysis::CHANGES_MIN - 1));
        assert!(!looked_at());
        write(&rows(1));
        assert!(looked_at());
    }
}
