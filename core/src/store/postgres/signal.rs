//! What processes tell each other: notifications of the database, passed on to whoever listens here.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::store::{Signal, StoreError};

/// The channel. Each database has its own.
const CHANNEL: &str = "rollcall";

/// How long is waited before the database is asked again to tell.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens as long as this is there.
#[derive(Debug)]
pub(super) struct Listening(JoinHandle<()>);

impl Listening {
    /// Passes on what is told from now on. It takes a connection of its own.
    pub(super) async fn start(
        connect: &PgConnectOptions,
        signals: broadcast::Sender<Signal>,
    ) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new().max_connections(1).connect_with(connect.clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(tokio::spawn(async move {
            loop {
                pass_on(&mut listener, &signals).await;
            }
        })))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whatever was told while the database was away may have been anything.
async fn pass_on(listener: &mut PgListener, signals: &broadcast::Sender<Signal>) {
    let told = match listener.try_recv().await {
        Ok(Some(told)) => Signal::ALL.into_iter().filter(|signal| signal.word() == told.payload()).collect(),
        Ok(None) => Signal::ALL.to_vec(),
        Err(_) => {
            sleep(PAUSE).await;
            Vec::new()
        }
    };
    for signal in told {
        signals.send(signal).ok(); // nobody listens just now
    }
}

/// Tells all processes, this one included.
pub(super) async fn tell(pool: &PgPool, signal: Signal) -> Result<(), StoreError> {
    sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(signal.word()).execute(pool).await?;
    Ok(())
}
