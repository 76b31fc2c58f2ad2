//! `rollcall connection`: who may send to a running server.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Outcome;
use super::operator::{ServerArgs, step};

/// See and change who may send to a running server
///
/// Connections that are set up so stand in the database, beside those of the configuration's file, which are changed there
/// alone. The operator's credential is in the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Connections {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List all connections
    List,
    /// Set one up; prints its credential, which is kept nowhere
    Create {
        #[command(flatten)]
        of: Of,
        /// The partner
        #[arg(long)]
        partner: String,
        /// JSON file with its options; `-` is the standard input
        #[arg(long, value_name = "FILE")]
        options: Option<PathBuf>,
        /// JSON file with what else holds for it, as under `terms`
        #[arg(long, value_name = "FILE")]
        terms: Option<PathBuf>,
    },
    /// Make another credential and print it; the one before stays valid for a while
    Rotate {
        #[command(flatten)]
        of: Of,
        /// Seconds that the one before stays valid
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<u64>,
    },
    /// Let it send no more
    Disable {
        #[command(flatten)]
        of: Of,
    },
    /// Let it send again
    Enable {
        #[command(flatten)]
        of: Of,
    },
    /// Give it other options
    Options {
        #[command(flatten)]
        of: Of,
        /// JSON file with all of them; `-` is the standard input
        file: PathBuf,
    },
    /// Say anew what else holds for it: `mapper_profile`, `retention`, `hold`, `webhook_secrets`, as in a configuration
    Terms {
        #[command(flatten)]
        of: Of,
        /// JSON file with all of it; `-` is the standard input
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Of {
    /// The tenant
    tenant: String,
    /// The connection
    connection: String,
}

impl Connections {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        let (of, wish) = match self.action {
            Action::List => return operator.get("connections", []),
            Action::Create { of, partner, options, terms } => {
                let read = |file: Option<PathBuf>| file.map_or(Ok(json!({})), |file| read(&file));
                let (options, terms) = (read(options)?, read(terms)?);
                (of, json!({"action": "create", "partner": partner, "options": options, "terms": terms}))
            }
            Action::Rotate { of, overlap } => (of, json!({"action": "rotate", "overlap_seconds": overlap})),
            Action::Disable { of } => (of, json!({"action": "disable"})),
            Action::Enable { of } => (of, json!({"action": "enable"})),
            Action::Options { of, file } => (of, json!({"action": "options", "options": read(&file)?})),
            Action::Terms { of, file } => (of, json!({"action": "terms", "terms": read(&file)?})),
        };
        let path = format!("tenants/{}/connections/{}", step(&of.tenant), step(&of.connection));
        operator.post(&path, &wish)
    }
}

fn read(file: &std::path::Path) -> anyhow::Result<Value> {
    serde_json::from_slice(&super::read(file)?).with_context(|| format!("{} is not JSON", file.display()))
}
