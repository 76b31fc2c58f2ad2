//! Turns the one `rusqlite` connection into transactions, each as durable as it has to be.
//!
//! Nobody waits for the disk while the connection is locked: who has to, does so afterwards, together with others, and
//! meanwhile the next one writes.
//!
//! Small commits that follow each other share a transaction where those who make them can wait for its end: most pages
//! that one of them changes are changed by the next as well, and are written to the log once. Such a transaction stays
//! open while nobody holds the connection, and who reads on it reads in it; who writes something else ends it first. All
//! who had a part in it are told whether it is there. Who only read in it ends it before telling anybody, and begins anew
//! where it was lost.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, DropBehavior, OpenFlags, TransactionBehavior};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

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

/// SQLite does so where the machine keeps it from reading or writing, in the middle of a statement that reads, too.
#[derive(Debug, thiserror::Error)]
#[error("the database took back the transaction that it was part of")]
struct TakenBack;

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` where nobody waits for it.
    disk: Option<Disk>,
    inner: Arc<Mutex<Inner>>,
    shared: watch::Sender<Shared>,
    checkpointer: Checkpointer,
    analysed: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(super) struct Inner {
    connection: Connection,
    /// Of what was written in the transaction that is open; none where none is.
    open: Vec<Fate>,
    shared: watch::Sender<Shared>,
    /// How many rows had changed when the tables were last looked at.
    looked_at: u64,
    /// How often that found anything.
    analysed: Arc<AtomicU64>,
}

/// The transactions that were left open, for who does not want to wait for the connection only to find out.
#[derive(Debug, Clone, Copy, Default)]
struct Shared {
    /// Whether one is.
    is_open: bool,
    /// How many have ended.
    ended: u64,
    /// How many of these are lost.
    lost: u64,
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
        let shared = watch::Sender::default();
        let inner = Inner {
            connection,
            open: Vec::new(),
            shared: shared.clone(),
            looked_at: 0,
            analysed: Arc::clone(&analysed),
        };
        let inner = Arc::new(Mutex::new(inner));
        let checkpointer = Checkpointer::start(path, Arc::clone(&inner))?;
        let waits = options.durability == Durability::Full;
        let disk = waits.then(|| Disk::start(path, Arc::clone(&inner))).transpose()?;
        Ok(Self { disk, inner, shared, checkpointer, analysed })
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
        if let Some(disk) = self.disk().filter(|_| durability == Durability::Full) {
            disk.wait()?;
        }
        Ok(value)
    }

    /// Runs `work` in the transaction that others have left open, or opens one, and leaves it open, until somebody asks
    /// whether it is [committed](Self::committed) or writes something else. When `work` fails nothing of it is left; what
    /// others did is.
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
        self.disk.as_ref()
    }

    /// Waits until everything that was committed before is as safe as it has to be.
    pub(super) async fn synced(&self) -> Result<(), StoreError> {
        match self.disk() {
            Some(disk) => disk.synced().await,
            None => Ok(()),
        }
    }

    /// Commits what was left open, or waits until somebody else has; says how often that was in vain until now.
    pub(super) async fn committed(&self) -> Result<u64, StoreError> {
        let mut shared = self.shared.subscribe();
        let Shared { is_open, ended, lost } = *shared.borrow();
        if !is_open {
            return Ok(lost);
        }
        let inner = Arc::clone(&self.inner);
        let close = spawn_blocking(move || lock(&inner).close());
        // Who holds the connection has perhaps ended it already, and goes on writing for long.
        tokio::select! {
            _ = shared.wait_for(|it| it.ended > ended) => {}
            _ = close => {}
        }
        let now = *shared.borrow();
        if now.ended > ended { Ok(now.lost) } else { Err(StoreError::unavailable(Trouble::Unreachable, TakenBack)) }
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
        inner.look_whether_open();
        if inner.open.is_empty() {
            let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            return work(&Transaction(&transaction));
        }
        let read = work(&Transaction(&inner.connection));
        inner.look_whether_open();
        read
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

/// A panic while the lock was held has taken back what it was about to write, so the connection is as good as before.
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
        self.look_whether_open();
        let value = if self.open.is_empty() {
            let mut transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&Transaction(&transaction))?;
            transaction.set_drop_behavior(DropBehavior::Ignore);
            value
        } else {
            self.savepoint(work)?
        };
        self.open.push(fate.clone());
        self.shared.send_if_modified(|shared| !std::mem::replace(&mut shared.is_open, true));
        Ok(value)
    }

    /// Where not even what `work` wrote could be taken back, nothing is left of what the others wrote either.
    fn savepoint<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut savepoint = self.connection.savepoint()?;
        let done = work(&Transaction(&savepoint));
        let taken_back = if done.is_ok() { Ok(()) } else { savepoint.rollback() };
        match (taken_back.and_then(|()| savepoint.commit()), done) {
            (Ok(()), done) => done,
            (Err(error), done) => {
                let error = done.err().unwrap_or(error.into());
                self.take_back(&error);
                Err(error)
            }
        }
    }

    /// SQLite may have taken back by itself what was left open.
    fn look_whether_open(&mut self) {
        if !self.open.is_empty() && self.connection.is_autocommit() {
            self.take_back(&StoreError::unavailable(Trouble::Unreachable, TakenBack));
        }
    }

    /// Commits what was left open, if anything was; who left it is told where that cannot be.
    pub(super) fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        match self.connection.execute_batch("commit") {
            Ok(()) => self.ended(0),
            Err(error) => self.take_back(&error.into()),
        }
    }

    /// Takes back what was left open, and tells everybody who had a part in it.
    fn take_back(&mut self, why: &StoreError) {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("rollback").ok(); // what fails now has failed before
        }
        let apart = || StoreError::Inconsistent(format!("the transaction that it was part of has failed: {why}"));
        for fate in &self.open {
            fate.lose(why.shared().unwrap_or_else(apart));
        }
        self.ended(1);
    }

    /// Only now: whoever is told that nothing is open believes that all is committed, or that it was told otherwise.
    fn ended(&mut self, lost: u64) {
        self.open.clear();
        self.shared.send_modify(|it| *it = Shared { is_open: false, ended: it.ended + 1, lost: it.lost + lost });
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
    use std::sync::Arc;
    use std::sync::mpsc::channel;

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
    async fn what_is_left_open_is_read_here_and_by_others_only_when_it_was_asked_for() {
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
        assert_eq!(writer.committed().await.unwrap(), 0);
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
        writer.write_with_others(&fates[2], shelf(3)).unwrap();
        assert_eq!(writer.committed().await.unwrap(), 1);
        assert_eq!(fates.map(|fate| fate.lost().is_some()), [true, true, false]);
        assert_eq!(seen(), 1);
    }

    #[tokio::test]
    async fn what_fails_with_all_that_was_left_open_is_told_to_everybody_and_no_half_of_it_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, seen) = shelves(folder.path());
        let fates = [Fate::default(), Fate::default(), Fate::default()];
        writer.write_with_others(&fates[0], shelf(1)).unwrap();
        let half = |transaction: &Transaction<'_>| {
            shelf(2)(transaction)?;
            Ok(transaction.execute_batch("rollback; insert into shelf values (0), (0)")?)
        };
        writer.write_with_others(&fates[1], half).unwrap_err();
        writer.write_with_others(&fates[2], shelf(3)).unwrap();
        assert_eq!(writer.committed().await.unwrap(), 1);
        assert_eq!(fates.map(|fate| fate.lost().is_some()), [true, false, false]);
        assert_eq!(seen(), 1);
    }

    #[tokio::test]
    async fn who_was_committed_by_one_who_writes_for_long_does_not_wait_for_that() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, seen) = shelves(folder.path());
        let (fate, writer) = (Fate::default(), Arc::new(writer));
        writer.write_with_others(&fate, shelf(1)).unwrap();
        let ((reads, is_reading), (end_reading, may_read)) = (channel::<()>(), channel::<()>());
        let (end_writing, may_write) = channel::<()>();
        let own = Arc::clone(&writer);
        let reader = std::thread::spawn(move || {
            own.read(|_| {
                drop(reads);
                Ok(may_read.recv().unwrap_err())
            })
        });
        is_reading.recv().unwrap_err();
        let own = Arc::clone(&writer);
        let long = std::thread::spawn(move || {
            own.write(Durability::Normal, |transaction| {
                may_write.recv().unwrap_err();
                shelf(2)(transaction)
            })
        });
        let mut committed = std::pin::pin!(writer.committed());
        assert!(futures_util::poll!(&mut committed).is_pending());
        drop(end_reading);
        assert_eq!((committed.await.unwrap(), seen()), (0, 1));
        drop(end_writing);
        reader.join().unwrap().unwrap();
        long.join().unwrap().unwrap();
        assert_eq!(seen(), 2);
    }
}
