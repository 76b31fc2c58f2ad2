//! `rollcall webhook`: what subscribers need to know.

use std::path::PathBuf;

use anyhow::ensure;
use rollcall_server::config::{Config, Overrides};
use rollcall_server::credential::Keyring;

use super::Outcome;

/// Tell subscribers what they need to know
#[derive(Debug, clap::Args)]
pub(super) struct Webhook {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Secret(Secret),
}

/// Print what a connection's webhooks are signed with
///
/// Subscribers check the header `webhook-signature` with it, as Standard Webhooks has it (standardwebhooks.com). Whoever
/// knows it can pretend to be this server. It follows from the configuration's `credential_key`, the two names and its
/// number. To change it, add the next number to the connection's `webhook_secrets` (in the configuration, or with `rollcall
/// connection terms`), give that secret to those who subscribe, and then take the number before away.
#[derive(Debug, clap::Args)]
struct Secret {
    /// Tenant
    tenant: String,
    /// Connection of the tenant
    connection: String,
    /// Which of its secrets
    #[arg(long, default_value_t = 0)]
    number: u32,
    /// The connection was set up on a running server, and does not stand in the configuration
    #[arg(long)]
    set_up: bool,
    /// Configuration whose key is used
    #[arg(long, env = "ROLLCALL_CONFIG", value_name = "FILE", default_value = "rollcall.yaml")]
    config: PathBuf,
}

impl Webhook {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let Command::Secret(Secret { tenant, connection, number, set_up, config }) = self.command;
        let config = Config::load(&config, Overrides::default().with_environment())?;
        let mut connections = config.connections();
        let is_there = connections.any(|(of, name, _)| of.as_str() == tenant && name.as_str() == connection);
        ensure!(
            is_there || set_up,
            "the configuration has no connection `{connection}` of a tenant `{tenant}`; of one that was set up on a running \
             server, say so with --set-up"
        );
        println!("{}", Keyring::new(&config.credential_key).signing_secret(&tenant, &connection, number).expose());
        Ok(Outcome::Done)
    }
}
