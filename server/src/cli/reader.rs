//! `rollcall reader`: who may read from a running server.

use serde_json::json;

use super::Outcome;
use super::operator::{ServerArgs, step};

/// See and change who may read a tenant of a running server
///
/// Readers that are set up so stand in the database, beside those of the configuration's file, which are changed there alone.
/// The operator's credential is in the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Readers {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List all readers
    List,
    /// Set one up; prints their credential, which is kept nowhere
    Create {
        #[command(flatten)]
        of: Of,
    },
    /// Make another credential and print it; the one before stays valid for a while
    Rotate {
        #[command(flatten)]
        of: Of,
        /// Seconds that the one before stays valid
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<u64>,
    },
    /// Let them read no more
    Disable {
        #[command(flatten)]
        of: Of,
    },
    /// Let them read again
    Enable {
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Debug, clap::Args)]
struct Of {
    /// The tenant
    tenant: String,
    /// The reader
    reader: String,
}

impl Readers {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        let (of, wish) = match self.action {
            Action::List => return operator.get("readers", []),
            Action::Create { of } => (of, json!({"action": "create"})),
            Action::Rotate { of, overlap } => (of, json!({"action": "rotate", "overlap_seconds": overlap})),
            Action::Disable { of } => (of, json!({"action": "disable"})),
            Action::Enable { of } => (of, json!({"action": "enable"})),
        };
        operator.post(&format!("tenants/{}/readers/{}", step(&of.tenant), step(&of.reader)), &wish)
    }
}
