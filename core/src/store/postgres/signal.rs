//! What processes tell each other: notifications of the database, passed on to whoever listens here.

use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::patience::Patience;
use crate::store::{Signal, StoreError};

/// The channel. Each database has its own.
const CHANNEL: &str = "rollcall";

/// How long is waited before the database is asked again to tell.
const PAUSE: Duration = Duration::from_secs(1);

/// How long nothing may be told before the database is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(30);

/// Listens as long as this is there.
#[derive(Debug)]
pub(super) struct Listening(JoinHandle<()>);

impl Listening {
    /// Passes on what is told from now on. It takes a connection of its own.
    pub(super) async fn start(
        connect: &PgConnectOptions,
        patience: Patience,
        signals: broadcast::Sender<Signal>,
    ) -> Result<Self, StoreError> {
        let connect = connect.clone();
        let mut listener = listen(&connect).await?;
        Ok(Self(tokio::spawn(async move {
            loop {
                if !pass_on(&mut listener, patience, &signals).await
                    && let Ok(again) = patience.sign(listen(&connect)).await
                {
                    listener = again;
                    all(&signals);
                }
            }
        })))
    }
}

async fn listen(connect: &PgConnectOptions) -> Result<PgListener, StoreError> {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(connect.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for something that is told, and passes it on. Whether the database is still there, as far as is known.
async fn pass_on(listener: &mut PgListener, patience: Patience, signals: &broadcast::Sender<Signal>) -> bool {
    match timeout(SILENCE, listener.try_recv()).await {
        Ok(Ok(Some(told))) => {
            let told = Signal::ALL.into_iter().filter(|signal| signal.word() == told.payload());
            for signal in told {
                drop(signals.send(signal)); // perhaps nobody listens just now
            }
        }
        Ok(Ok(None)) => all(signals),
        Ok(Err(_)) => sleep(PAUSE).await,
        Err(_) => {
            let asking = async { Ok::<_, StoreError>(listener.execute("select 1").await?) };
            return patience.sign(asking).await.is_ok();
        }
    }
    true
}

/// Whatever was told while the database was away may have been anything.
fn all(signals: &broadcast::Sender<Signal>) {
    for signal in Signal::ALL {
        drop(signals.send(signal));
    }
}

/// Tells all processes, this one included.
pub(super) async fn tell(pool: &PgPool, signal: Signal) -> Result<(), StoreError> {
    sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(signal.word()).execute(pool).await?;
    Ok(())
}
