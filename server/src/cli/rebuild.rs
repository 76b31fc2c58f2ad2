//! `rollcall rebuild`: folds what a connection sent again on a running server, and says what is different.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;
use super::operator::{ServerArgs, step, tell};

/// How often is asked how far it is.
const POLL: Duration = Duration::from_millis(500);

/// Fold the state of a connection again from all that it sent
///
/// It is folded beside the state that is there, compared with it, and what is different is shown. Where it was interrupted,
/// the same command goes on. It is done by a running server, with the operator's credential in the environment variable
/// `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Rebuild {
    /// The tenant
    #[arg(long)]
    tenant: String,
    /// The connection
    #[arg(long)]
    connection: String,
    /// Put what was folded in the place of what is there
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Rebuild {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        let path = format!("tenants/{}/connections/{}/rebuild", step(&self.tenant), step(&self.connection));
        let begun = operator.ask("POST", &path, &json!({"replace": self.replace}), false)?;
        if !begun.is_success() {
            return tell(&begun);
        }
        let mut told = 0;
        loop {
            let reply = operator.ask("GET", &path, &Value::Null, false)?;
            let progress: Value = serde_json::from_str(&reply.body).unwrap_or_default();
            if !reply.is_success() || progress["state"] == "done" {
                tell(&reply)?;
                let is_same = progress["difference"] == json!({"records": {}, "entities": {}});
                let is_well = reply.is_success() && (is_same || progress["replaced"].is_object());
                return Ok(if is_well { Outcome::Done } else { Outcome::Problems });
            }
            if progress["state"] == "failed" {
                tell(&reply)?;
                return Ok(Outcome::Failed);
            }
            let deliveries = progress["deliveries"].as_u64().unwrap_or_default();
            if deliveries != told {
                told = deliveries;
                eprintln!("{deliveries} deliveries");
            }
            thread::sleep(POLL);
        }
    }
}
