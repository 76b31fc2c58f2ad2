//! `rollcall held`: decides, on a running server, what becomes of deliveries that would change more than is likely.

use serde_json::json;
use uuid::Uuid;

use super::Outcome;
use super::operator::ServerArgs;

/// Decide what becomes of deliveries that are held
///
/// What would remove (or change, or add) more than is likely is kept and not applied, until somebody has looked at it: it
/// may be an outage that looks as if everybody had left. It is done by a running server, with the operator's credential in
/// the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Held {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List what is held, the oldest first
    List {
        /// Only of this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// Only of this connection
        #[arg(long)]
        connection: Option<String>,
        /// Only of this partner
        #[arg(long)]
        partner: Option<String>,
    },
    /// Show one, with what it would do
    Show {
        /// Its id
        delivery: Uuid,
    },
    /// Apply one, if it would still do what was shown
    Approve {
        /// Its id
        delivery: Uuid,
        /// Apply it also if it would do something else by now
        #[arg(long)]
        anyway: bool,
    },
    /// Put one aside for good
    Discard {
        /// Its id
        delivery: Uuid,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

impl Held {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        match self.action {
            Action::List { tenant, connection, partner } => {
                let asked = [("tenant", tenant), ("connection", connection), ("partner", partner)];
                operator.get("held", asked)
            }
            Action::Show { delivery } => operator.get(&format!("held/{delivery}"), []),
            Action::Approve { delivery, anyway } => {
                operator.post(&format!("held/{delivery}/approve"), &json!({"anyway": anyway}))
            }
            Action::Discard { delivery, reason } => {
                operator.post(&format!("held/{delivery}/discard"), &json!({"reason": reason}))
            }
        }
    }
}
