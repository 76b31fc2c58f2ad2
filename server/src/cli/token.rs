//! `rollcall token`: a new credential, and the digest of it that goes into the configuration.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use rollcall_server::config::{Config, Overrides, Secret};
use rollcall_server::credential::{self, Keyring};

use super::Outcome;

/// Make a credential and print its digest for the configuration
///
/// The credential is for the caller (a partner's client, a reader, an operator) and is kept nowhere; the digest goes
/// into the configuration. It is made with the configuration's `credential_key`.
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    /// Configuration whose key is used
    #[arg(long, env = "ROLLCALL_CONFIG", value_name = "FILE", default_value = "rollcall.yaml")]
    config: PathBuf,
    /// Print only the digest of the credential read from standard input
    #[arg(long)]
    stdin: bool,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let config = Config::load(&self.config, Overrides::default().with_environment())?;
        let keyring = Keyring::new(&config.credential_key);
        if self.stdin {
            println!("{}", keyring.digest(read_credential()?.expose()));
        } else {
            let credential = credential::new_credential().context("failed to draw random bytes")?;
            println!("credential: {}", credential.expose());
            println!("digest:     {}", keyring.digest(credential.expose()));
        }
        Ok(Outcome::Done)
    }
}

fn read_credential() -> anyhow::Result<Secret> {
    if std::io::stdin().is_terminal() {
        eprintln!("type the credential, then Enter and Ctrl-D");
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("failed to read the credential")?;
    let credential = text.trim_end_matches(['\r', '\n']);
    ensure!(!credential.is_empty(), "there is no credential on standard input");
    Ok(Secret::from(credential.to_owned()))
}
