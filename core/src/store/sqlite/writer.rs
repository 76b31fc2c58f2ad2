//! Turns the one `rusqlite` connection into transactions, each as durable as it has to be.
//!
//! Nobody waits for the disk while the connection is locked: who has to, does so afterwards, together with others, and
//! meanwhile the next one writes.
//!
//! Small commits that follow each other share a transaction where those who make them can wait for its end: most pages
//! that one of them changes are changed by the next as well, and are written to the log once. Such a transaction stays
//! open while nobody holds the connection, and everybody reads in it; who writes something else ends it first.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, DropBehavior, OpenFlags, TransactionBehavior};

use super::analysis::{self, keep_plans};
use super::checkpoint::Checkpointer;
use super::disk::Disk;
use super::{Durability, SqliteOptions};
use crate::store::{Fate, StoreError, Trouble};

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
    durability: Durability,
    disk: Disk,
    inner: Arc<Mutex<Inner>>,
    checkpointer: Checkpointer,
    analysed: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(super) struct Inner {
    connection: Connection,
    /// Of what was written in the transaction that is open; none where none is.
    open: Vec<Fate>,
    /// Whether one is, for who does not want to wait for the connection only to find out.
    is_open: Arc<AtomicBool>,
    /// How many rows had changed when the tables were last looked at.
    looked_at: u64,
    /// How often that found anything.
    analysed: Arc<AtomicU64>,
}

/// The connection, within a transaction.
#[derive(Debug)]
pub(super) struct Transaction<'c>(&'c Connection);

impl<'c> Transaction<'c> {
    /// That of another connection.
    pub(super) fn of(transaction: &'c rusqlite::Transaction<'_>) -> Self {
        Self(transaction)
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
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
        let inner = Inner {
            connection,
            open: Vec::new(),
            is_open: Arc::default(),
            looked_at: 0,
            analysed: Arc::clone(&analysed),
        };
        let inner = Arc::new(Mutex::new(inner));
        let checkpointer = Checkpointer::start(path, Arc::clone(&inner))?;
        let disk = Disk::start(path, Arc::clone(&inner), options.durability)?;
        Ok(Self { durability: options.durability, disk, inner, checkpointer, analysed })
    }

    /// Runs `work` in a transaction of its own: all of it is there afterwards, or, when it fails, none of it. With
    /// [`Durability::Normal`] it does not wait for the disk whatever the setting is.
    pub(super) fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let value = self.lock().alone(work)?;
        self.checkpointer.wake();
        if durability == Durability::Full && self.durability == Durability::Full {
            self.disk.wait()?;
        }
        Ok(value)
    }

    /// Runs `work` in the transaction that others have left open, or opens one, and leaves it open, until somebody waits for
    /// the disk or writes something else. When `work` fails nothing of it is left; what others did is.
    pub(super) fn write_with_others<T>(
        &self,
        fate: &Fate,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut inner = self.lock();
        let is_first = inner.open.is_empty();
        let value = inner.with_others(fate, work)?;
        drop(inner);
        if is_first {
            self.checkpointer.wake(); // to look at what was committed before
        }
        Ok(value)
    }

    /// What waits for the disk; `None` where nobody does.
    pub(super) fn disk(&self) -> Option<&Disk> {
        (self.durability == Durability::Full).then_some(&self.disk)
    }

    /// Waits until everything that was written before is committed, and as safe as it has to be.
    pub(super) async fn synced(&self) -> Result<(), StoreError> {
        self.disk.synced().await
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

    /// Runs `work`, which reads, on one state of the database, what is not committed yet included.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut inner = self.lock();
        if inner.open.is_empty() {
            let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            return work(&Transaction(&transaction));
        }
        work(&Transaction(&inner.connection))
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
        let mut inner = self.lock();
        inner.close();
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
    fn alone<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.close();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&Transaction(&transaction))?;
        transaction.commit()?;
        Ok(value)
    }

    fn with_others<T>(
        &mut self,
        fate: &Fate,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let value = if self.open.is_empty() {
            let mut transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&Transaction(&transaction))?;
            transaction.set_drop_behavior(DropBehavior::Ignore);
            value
        } else {
            self.savepoint(work).inspect_err(|error| {
                if self.connection.is_autocommit() {
                    self.lose(error); // what the machine keeps from being written takes everything back
                }
            })?
        };
        self.open.push(fate.clone());
        self.is_open.store(true, Ordering::Release);
        Ok(value)
    }

    fn savepoint<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let savepoint = self.connection.savepoint()?;
        let value = work(&Transaction(&savepoint))?;
        savepoint.commit()?;
        Ok(value)
    }

    /// Commits what was left open, if anything was; who left it is told where that cannot be.
    pub(super) fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        match self.connection.execute_batch("commit") {
            Ok(()) => self.closed(),
            Err(error) => {
                if !self.connection.is_autocommit() {
                    self.connection.execute_batch("rollback").ok(); // what fails now has failed before
                }
                self.lose(&error.into());
            }
        }
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_open)
    }

    fn lose(&mut self, why: &StoreError) {
        let apart = || StoreError::Inconsistent(format!("the transaction that it was part of has failed: {why}"));
        for fate in self.open.drain(..) {
            fate.lose(why.shared().unwrap_or_else(apart));
        }
        self.closed();
    }

    /// Only now: whoever is told that nothing is open believes that all is committed, or that it was told otherwise.
    fn closed(&mut self) {
        self.open.clear();
        self.is_open.store(false, Ordering::Release);
    }

    /// How many frames of the write-ahead log count.
    pub(super) fn frames(&mut self) -> rusqlite::Result<u64> {
        self.close();
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
        self.close();
        if analysis::look(&self.connection)? {
            self.analysed.fetch_add(1, Ordering::Release);
        }
        self.looked_at = self.connection.total_changes();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Durability, Fate, SqliteOptions, StoreError, Transaction, Writer, analysis, lock};

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

    /// A writer of shelves, and how many another reader of the file sees.
    fn shelves(folder: &std::path::Path) -> (Writer, impl Fn() -> u32) {
        let path = folder.join("hub.db");
        let reader = rusqlite::Connection::open(&path).unwrap();
        reader.execute_batch("pragma journal_mode = wal; create table shelf (number integer unique)").unwrap();
        let writer = Writer::open(&path, &SqliteOptions::default()).unwrap();
        (writer, move || reader.query_row("select count(*) from shelf", [], |row| row.get(0)).unwrap())
    }

    fn shelf(number: u32) -> impl Fn(&Transaction<'_>) -> Result<(), StoreError> {
        move |transaction| Ok(transaction.execute("insert into shelf values (?1)", [number]).map(drop)?)
    }

    #[tokio::test]
    async fn what_is_left_open_is_read_here_and_by_others_only_when_it_was_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, seen) = shelves(folder.path());
        let own = || {
            let count = |it: &Transaction<'_>| Ok(it.query_row("select count(*) from shelf", [], |row| row.get(0))?);
            writer.read(count).unwrap()
        };
        let fates = [Fate::default(), Fate::default(), Fate::default()];
        writer.write_with_others(&fates[0], shelf(1)).unwrap();
        writer.write_with_others(&fates[1], shelf(1)).unwrap_err();
        writer.write_with_others(&fates[2], shelf(2)).unwrap();
        assert_eq!((own(), seen()), (2, 0));
        writer.synced().await.unwrap();
        assert_eq!((own(), seen()), (2, 2));
        writer.write_with_others(&fates[0], shelf(3)).unwrap();
        writer.write(Durability::Normal, shelf(1)).unwrap_err();
        assert_eq!((own(), seen()), (3, 3), "who writes something else ends it first");
        assert!(fates.iter().all(|fate| fate.lost().is_none()));
    }

    #[tokio::test]
    async fn who_left_something_open_is_told_that_it_was_lost_and_the_next_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, seen) = shelves(folder.path());
        let fates = [Fate::default(), Fate::default(), Fate::default()];
        writer.write_with_others(&fates[0], shelf(1)).unwrap();
        writer.write_with_others(&fates[1], shelf(2)).unwrap();
        lock(&writer.inner).connection.execute_batch("rollback").unwrap();
        writer.synced().await.unwrap();
        writer.write_with_others(&fates[2], shelf(3)).unwrap();
        writer.synced().await.unwrap();
        assert_eq!(fates.map(|fate| fate.lost().is_some()), [true, true, false]);
        assert_eq!(seen(), 1);
    }
}
