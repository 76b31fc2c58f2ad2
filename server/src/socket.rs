//! Turns network connections into calls of a router, so many at a time, none of which may be silent for long; until it is
//! told to stop: then what has been asked is answered, and nothing new is heard.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rollcall_core::limits::Limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::worker::is_over;

/// How long nobody is let in after the machine had no means for one more.
const BREATH: Duration = Duration::from_secs(1);

/// Serves until `stop` says so, and then until all that was asked is answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let patience = Duration::from_secs(limits.head_read_seconds_max);
    let http = Arc::new(http(patience));
    let places = Arc::new(Semaphore::new(limits.sockets_max.clamp(1, Semaphore::MAX_PERMITS)));
    let open = GracefulShutdown::new();
    while !is_over(&stop) {
        let (stream, place) = tokio::select! {
            _ = stop.changed() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let (http, service) = (Arc::clone(&http), TowerToHyperService::new(router.clone()));
        let (watcher, mut stop) = (open.watcher(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            let mut first = [0];
            let is_asked = tokio::select! {
                _ = stop.changed() => false,
                asked = timeout(patience, stream.peek(&mut first)) => matches!(asked, Ok(Ok(1..))),
            };
            if is_asked {
                let serving = http.serve_connection(TokioIo::new(stream), service).into_owned();
                if let Err(error) = watcher.watch(serving).await {
                    tracing::debug!(error, "a network connection ended early");
                }
            }
        });
    }
    drop(listener);
    open.shutdown().await;
}

fn http(patience: Duration) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(patience);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(patience).keep_alive_timeout(patience);
    http
}

/// The next one, when there is room for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "no-delay was refused");
                }
                return (stream, place);
            }
            // It has left again already.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                tracing::warn!(%error, "no network connection could be accepted");
                sleep(BREATH).await;
            }
        }
    }
}
