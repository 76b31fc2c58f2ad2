//! `rollcall serve`: the server.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rollcall_core::clock::SystemClock;
use rollcall_server::config::{Config, Overrides};
use rollcall_server::server::{asked_to_hurry, asked_to_stop, serve};
use rollcall_server::start::start;
use tokio::net::TcpListener;

use super::{Outcome, block_on};

/// Run the server
///
/// The first line on standard output says where it listens. Logs go to standard error. Ctrl-C or SIGTERM lets running
/// requests finish first, a second one ends it at once.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Configuration file
    #[arg(long, env = "ROLLCALL_CONFIG", value_name = "FILE", default_value = "rollcall.yaml")]
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let config = Config::load(&self.config, self.overrides.with_environment())?;
        let _log = rollcall_server::log::start(&config)?;
        block_on(async {
            let app = start(&config, Arc::new(SystemClock)).await?;
            let listener = TcpListener::bind(config.listen).await;
            let listener = listener.with_context(|| format!("failed to listen on {}", config.listen))?;
            println!("listening on http://{}", listener.local_addr()?);
            app.set_ready(true);
            tokio::select! {
                served = serve(app, listener, asked_to_stop()) => served.context("failed to serve")?,
                () = asked_to_hurry() => tracing::warn!("stopped at once; what was running is given back"),
            }
            Ok(Outcome::Done)
        })
    }
}
