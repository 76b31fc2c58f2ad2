//! Serves an [`App`] on a socket, works on what is queued and sends what subscribers are to be told, until it is told to stop; what has been begun finishes
//! first.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::routes::router;
use crate::{presence, webhook, worker};

/// How often measured durations are folded into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves until `stop` is done. Whether the app is ready is for the caller to say.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let upkeep = tokio::spawn(keep_up(Arc::clone(&app)));
    let (ending, ended) = watch::channel(false);
    let worker = tokio::spawn(worker::work(Arc::clone(&app), ended.clone()));
    let courier = tokio::spawn(webhook::work(Arc::clone(&app), ended));
    let (leaving, left) = watch::channel(false);
    let presence = tokio::spawn(presence::keep(Arc::clone(&app), left));
    let stopping = {
        let app = Arc::clone(&app);
        async move {
            stop.await;
            app.set_ready(false);
            ending.send_replace(true);
            tracing::info!("stopping; running requests finish first");
        }
    };
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no-delay was refused");
        }
    });
    let served = axum::serve(listener, router(app)).with_graceful_shutdown(stopping).await;
    upkeep.abort();
    worker.await.map_err(io::Error::other)?;
    courier.await.map_err(io::Error::other)?;
    leaving.send_replace(true);
    presence.await.map_err(io::Error::other)?;
    served
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

async fn keep_up(app: Arc<App>) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        app.metrics.upkeep();
    }
}
