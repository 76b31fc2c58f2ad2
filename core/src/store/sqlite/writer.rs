//! Turns the one `rusqlite` connection into transactions, each as durable as it has to be.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Transaction, TransactionBehavior};

use super::checkpoint::Checkpointer;
use super::{BUSY_TIMEOUT, Durability};
use crate::store::StoreError;
use crate::store::sql::Sql;
use crate::table::Cell;

/// Statements kept prepared: those of every table, with room to spare.
const STATEMENTS_MAX: usize = 512;

/// Kibibytes of pages kept in memory.
const CACHE_KIB: i32 = 64 << 10;

/// Pages in the write-ahead log at which a commit moves them into the file itself, because the [`Checkpointer`] cannot
/// keep up. About half a gigabyte.
const BACKSTOP_PAGES: i32 = 32_000;

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    durability: Durability,
    inner: Mutex<Inner>,
    checkpointer: Checkpointer,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// What `pragma synchronous` says.
    set: Durability,
}

impl Writer {
    pub(super) fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "wal_autocheckpoint", BACKSTOP_PAGES)?;
        let inner = Mutex::new(Inner { connection, set: Durability::Full });
        Ok(Self { durability, inner, checkpointer: Checkpointer::start(path)? })
    }

    /// Runs `work` in a transaction of its own: all of it is there afterwards, or, when it fails, none of it. With
    /// [`Durability::Normal`] it does not wait for the disk whatever the setting is.
    pub(super) fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut inner = self.lock();
        let needed = if self.durability == Durability::Normal { Durability::Normal } else { durability };
        if inner.set != needed {
            let level = if needed == Durability::Full { "full" } else { "normal" };
            inner.connection.pragma_update(None, "synchronous", level)?;
            inner.set = needed;
        }
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        drop(inner);
        self.checkpointer.wake();
        Ok(value)
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

    /// A panic while the lock was held has rolled its transaction back, so the connection is as good as before.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cached statement that is run once per row. A parameter keeps its value until it is bound again, so what is the
/// same for all rows is bound once, and what is absent again is not bound again.
pub(super) struct Rows<'a> {
    statement: CachedStatement<'a>,
    absent: Vec<bool>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(transaction: &'a Transaction<'_>, sql: &Sql) -> Result<Self, StoreError> {
        let statement = transaction.prepare_cached(sql)?;
        let absent = vec![true; statement.parameter_count() + 1]; // parameters count from one
        Ok(Self { statement, absent })
    }

    pub(super) fn integer(&mut self, parameter: usize, value: i64) -> Result<(), StoreError> {
        self.bind(parameter, ValueRef::Integer(value))
    }

    pub(super) fn text(&mut self, parameter: usize, utf8: &[u8]) -> Result<(), StoreError> {
        self.bind(parameter, ValueRef::Text(utf8))
    }

    pub(super) fn bytes(&mut self, parameter: usize, bytes: &[u8]) -> Result<(), StoreError> {
        self.bind(parameter, ValueRef::Blob(bytes))
    }

    pub(super) fn bind(&mut self, parameter: usize, value: ValueRef<'_>) -> Result<(), StoreError> {
        let absent = value == ValueRef::Null;
        if !(absent && self.absent[parameter]) {
            self.statement.raw_bind_parameter(parameter, ToSqlOutput::Borrowed(value))?;
            self.absent[parameter] = absent;
        }
        Ok(())
    }

    /// Binds `cells` to the parameters after `before`, which must be all that there are.
    pub(super) fn cells(&mut self, before: usize, cells: &[Cell<'_>]) -> Result<(), StoreError> {
        if before + cells.len() != self.statement.parameter_count() {
            return Err(StoreError::Inconsistent(format!(
                "a row of {} cells does not fit a table of {} columns",
                cells.len(),
                self.statement.parameter_count().saturating_sub(before)
            )));
        }
        for (parameter, cell) in (before + 1..).zip(cells) {
            self.bind(parameter, value(cell))?;
        }
        Ok(())
    }

    /// Runs the statement, which must change exactly one row.
    pub(super) fn run(&mut self, what: &str) -> Result<(), StoreError> {
        match self.statement.raw_execute()? {
            1 => Ok(()),
            _ => Err(StoreError::Inconsistent(format!("{what} to be changed is not there"))),
        }
    }

    /// Runs the statement and reads its one row, if there is one.
    pub(super) fn first<T>(
        &mut self,
        read: impl FnOnce(&rusqlite::Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.statement.raw_query().next()?.map(read).transpose()
    }
}

/// A count as SQLite has it.
pub(super) fn integer(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// A text or nothing.
pub(super) fn optional_text(text: Option<&str>) -> ValueRef<'_> {
    text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
}

/// Bytes or nothing.
pub(super) fn optional_bytes(bytes: Option<&[u8]>) -> ValueRef<'_> {
    bytes.map_or(ValueRef::Null, ValueRef::Blob)
}

fn value<'a>(cell: &'a Cell<'_>) -> ValueRef<'a> {
    match cell {
        Cell::Null => ValueRef::Null,
        Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        Cell::Integer(integer) => ValueRef::Integer(*integer),
        Cell::Boolean(boolean) => ValueRef::Integer(i64::from(*boolean)),
        Cell::Id(id) => ValueRef::Blob(id.as_bytes()),
    }
}
