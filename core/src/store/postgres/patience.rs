//! Turns a server that says nothing any more into an error. It bounds its statements itself (`statement_timeout_ms`), but a
//! machine that is gone, or a network that swallows what is sent, ends no call: the caller has to.

use std::future::Future;
use std::io::ErrorKind;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::PostgresOptions;
use crate::store::{StoreError, Trouble};

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For what takes a statement or a few.
    soon: Duration,
    /// For what takes more, the more there is to read or to write.
    long: Duration,
    /// For a connection, and then for a sign of life of it.
    sign: Duration,
}

/// Nothing was heard for so long.
#[derive(Debug, thiserror::Error)]
#[error("the server has not answered for {} ms", .0.as_millis())]
struct Silence(Duration);

impl Patience {
    pub(super) fn of(options: &PostgresOptions) -> Self {
        Self {
            soon: Duration::from_millis(options.answer_timeout_ms),
            long: Duration::from_millis(options.work_timeout_ms),
            sign: Duration::from_millis(options.acquire_timeout_ms).saturating_mul(2),
        }
    }

    /// Waits for what takes a statement or a few.
    pub(super) async fn soon<T, E: From<StoreError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        within(self.soon, work).await
    }

    /// Waits for what takes more statements, the more there is to read or to write.
    pub(super) async fn long<T, E: From<StoreError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        within(self.long, work).await
    }

    /// Waits for a sign of life.
    pub(super) async fn sign<T, E: From<StoreError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        within(self.sign, work).await
    }

    /// That a connection is there that was in use: one on which an answer is still outstanding may be dead, and would be
    /// waited for without end.
    pub(super) async fn lives(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let pinged = timeout(self.sign, connection.ping()).await;
        pinged.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())))?;
        Ok(true)
    }
}

async fn within<T, E: From<StoreError>>(limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::unavailable(Trouble::Unreachable, Silence(limit)).into()),
    }
}
