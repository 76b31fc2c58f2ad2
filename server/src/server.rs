//! Serves an [`App`] on a socket, works on what is queued and sends what subscribers are to be told, until it is told to
//! stop; what has been begun finishes first, or is given back when that takes too long.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::app::App;
use crate::routes::router;
use crate::{condition, metrics, presence, pruning, shadow, socket, versions, webhook, worker};

/// How long the other processes may take to be told that this one has gone, and what it has counted; they find out by
/// themselves.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves until `stop` is done. Whether the app is ready is for the caller to say.
///
/// What is still running after `shutdown_seconds_max` goes on until the process ends; nothing that was acknowledged is lost
/// with it.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    #[cfg(unix)]
    outlive_file_limits();
    let sampling = metrics::watch::watch(Arc::clone(&app), app.sample);
    let aside = [tokio::spawn(sampling), tokio::spawn(condition::watch(Arc::clone(&app)))];
    let (ending, ended) = watch::channel(false);
    let limits = app.ingest.limits.clone();
    let limit = Duration::from_secs(limits.shutdown_seconds_max);
    let worker = tokio::spawn(worker::work(Arc::clone(&app), ended.clone()));
    let courier = tokio::spawn(webhook::work(Arc::clone(&app), ended.clone()));
    let pruning = tokio::spawn(pruning::work(Arc::clone(&app), ended.clone()));
    let following = tokio::spawn(versions::work(Arc::clone(&app), ended.clone()));
    let watching = tokio::spawn(versions::watch(Arc::clone(&app), ended.clone()));
    let (leaving, left) = watch::channel(false);
    let presence = tokio::spawn(presence::keep(Arc::clone(&app), left.clone()));
    let counting = tokio::spawn(shadow::counting::work(Arc::clone(&app), left));
    let mut sockets = tokio::spawn(socket::serve(listener, router(Arc::clone(&app)), limits, ended));
    tokio::select! {
        () = stop => {}
        served = &mut sockets => return served.map_err(io::Error::other),
    }
    app.set_ready(false);
    ending.send_replace(true);
    tracing::info!("stopping; what is running finishes first");
    let finish = async {
        sockets.await?;
        worker.await?;
        courier.await?;
        pruning.await?;
        following.await?;
        watching.await
    };
    let finished = timeout(limit, finish).await;
    aside.iter().for_each(tokio::task::JoinHandle::abort);
    if finished.is_err() {
        tracing::warn!("what is still running is given back");
    }
    leaving.send_replace(true);
    let farewell = async {
        let (left, counted) = tokio::join!(presence, counting);
        left.and(counted)
    };
    timeout(FAREWELL, farewell).await.unwrap_or(Ok(())).map_err(io::Error::other)?;
    finished.unwrap_or(Ok(())).map_err(io::Error::other)
}

/// Has it fail to write to a file that may not grow any more (`ulimit -f`), as on a full disk. Who does not listen to that
/// signal is ended by it.
#[cfg(unix)]
fn outlive_file_limits() {
    const SIGXFSZ: i32 = 25;
    // Listening goes on without anybody who hears it.
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ)));
}

/// Done when the process is asked to end, by Ctrl-C or SIGTERM.
pub async fn asked_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// Done when the process is asked to end a second time.
pub async fn asked_to_hurry() {
    asked_to_stop().await;
    asked_to_stop().await;
}
