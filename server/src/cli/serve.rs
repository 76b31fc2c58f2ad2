//! `rollcall serve`: the server.

use std::path::PathBuf;

use rollcall_server::access::Access;
use rollcall_server::config::{Config, Overrides};

use super::Outcome;

/// Run the server
///
/// The first line on standard output says where it listens. Logs go to standard error. Ctrl-C or SIGTERM lets running
/// requests finish first.
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
        let _access = Access::new(&config)?;
        Ok(Outcome::Done)
    }
}
