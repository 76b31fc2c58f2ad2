//! Connections that only read, for what clients ask for while they wait: records as their selections choose them.
//!
//! Through a pool of `sqlx` a row costs a hop from the thread of its connection; here a record costs some microseconds
//! and is read by whoever asks. What a database may look at for long, a list, is read on a thread that may block.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::BUSY_TIMEOUT;
use super::analysis::keep_plans;
use crate::store::StoreError;

/// Statements kept prepared per connection.
const STATEMENTS_MAX: usize = 256;

/// Kibibytes of pages kept in memory per connection.
const CACHE_KIB: i32 = 16 << 10;

/// The connections.
#[derive(Debug, Clone)]
pub(super) struct Readers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
    analysed: Arc<AtomicU64>,
}

/// A connection that nobody reads with.
#[derive(Debug)]
struct Idle {
    connection: Connection,
    /// How often the database had been analysed when it was opened.
    analysed: u64,
}

impl Readers {
    /// At most `connections_max` are open, none so far. One that was opened before the database was last analysed is
    /// closed instead of used, since what was found out is read when a connection is opened.
    pub(super) fn new(path: &Path, connections_max: u32, analysed: Arc<AtomicU64>) -> Self {
        let permits = Semaphore::new(connections_max.max(1) as usize);
        Self(Arc::new(Inner { path: path.to_owned(), permits, idle: Mutex::default(), analysed }))
    }

    /// Reads what costs no more than a moment, on the thread that asks.
    pub(super) async fn read<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _permit = self.0.permits.acquire().await.map_err(failed)?;
        self.0.read(work)
    }

    /// Reads what may take longer, on a thread that may block.
    pub(super) async fn read_at_length<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _permit = self.0.permits.acquire().await.map_err(failed)?;
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || inner.read(work)).await.map_err(failed)?
    }
}

impl Inner {
    fn read<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let analysed = self.analysed.load(Ordering::Acquire);
        let mut reader = match self.idle().pop() {
            Some(idle) if idle.analysed == analysed => idle,
            _ => Idle { connection: open(&self.path)?, analysed },
        };
        let read = work(&mut reader.connection)?;
        self.idle().push(reader);
        Ok(read)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    keep_plans(&connection)?;
    Ok(connection)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Database(Box::new(error))
}
