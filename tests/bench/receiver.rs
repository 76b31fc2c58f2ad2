//! The least that a server can do with a body: a handler that receives it and answers with its digest, for B2. It is made of
//! the same libraries as Rollcall, so that what is compared is what Rollcall does beside.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::{Router, post};
use rollcall_tests::client::Client;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A server in this process; it ends with the value.
#[derive(Debug)]
pub(crate) struct Receiver {
    client: Client,
    _runtime: Runtime,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let router = Router::new().route("/", post(digest)).layer(DefaultBodyLimit::disable());
        runtime.spawn(async { axum::serve(listener, router).await });
        Self { client: Client::new(&format!("http://{address}")), _runtime: runtime }
    }

    /// How long it takes to answer.
    pub(crate) fn post(&self, body: &[u8]) -> Duration {
        let start = Instant::now();
        let answer = self.client.post("/", &[], body);
        let time = start.elapsed();
        assert_eq!(answer.text(), hex::encode(Sha256::digest(body)));
        time
    }
}

async fn digest(body: Bytes) -> String {
    hex::encode(Sha256::digest(&body))
}
