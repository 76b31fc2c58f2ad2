//! `rollcall quarantine` and `rollcall reprocess`: what becomes, on a running server, of deliveries that came to nothing.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::Outcome;
use super::operator::{Operator, ServerArgs, tell};

/// Look at deliveries that came to nothing or were taken only partly, work on them once more, put them aside
///
/// What was rejected, failed or was interrupted is kept, and so are records that were put aside when the rest of their
/// delivery was taken (`partly`): these alone are then tried again, or discarded. It is done by a running server, with the operator's credential in
/// the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Quarantine {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

/// Work on a delivery once more, as things are now or as they were
///
/// It becomes a new delivery that names the first one. What says everything and is older than what was applied last is only
/// looked at. It is done by a running server, with the operator's credential in the environment variable
/// `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches on the command line")]
pub(super) struct Reprocess {
    /// Its id
    delivery: Uuid,
    /// Only say what would become of it
    #[arg(long)]
    dry_run: bool,
    /// Apply it also if something newer said everything anew since
    #[arg(long)]
    rewind: bool,
    /// By the version of the partner that is in use now: the default
    #[arg(long, conflicts_with = "as_run")]
    current: bool,
    /// By the version of the partner that was in use when it was received
    #[arg(long)]
    as_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List them, the oldest first
    List {
        #[command(flatten)]
        filter: Filter,
    },
    /// Show one, with what was sent where something is wrong, and what the description says there
    Show {
        /// Its id
        delivery: Uuid,
    },
    /// Work once more on one, or on all that are asked for; done again, it goes on with those that are left
    Retry {
        /// Its id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        delivery: Option<Uuid>,
        /// All that are asked for
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        filter: Filter,
        /// Not more than so many in a second
        #[arg(long, default_value_t = 5)]
        per_second: u32,
    },
    /// Put one, or all that are asked for, aside for good
    Discard {
        /// Its id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        delivery: Option<Uuid>,
        /// All that are asked for
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        filter: Filter,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Which of them.
#[derive(Debug, Clone, clap::Args)]
struct Filter {
    /// Only of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only of this connection
    #[arg(long)]
    connection: Option<String>,
    /// Only of this partner
    #[arg(long)]
    partner: Option<String>,
    /// Only those that ended so: `rejected`, `failed`, `interrupted`, `partly`
    #[arg(long)]
    status: Option<String>,
    /// Only those of which this is wrong: `invalid`, `required`, …
    #[arg(long)]
    code: Option<String>,
    /// Only those received before this time (RFC 3339)
    #[arg(long)]
    before: Option<String>,
}

impl Reprocess {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        let path = format!("deliveries/{}/reprocess", self.delivery);
        tell(&operator.ask("POST", &path, &json!({"rewind": self.rewind, "asRun": self.as_run}), self.dry_run)?)
    }
}

impl Quarantine {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        match self.action {
            Action::List { filter } => {
                let found = filter.all(&operator)?;
                println!("{}", serde_json::to_string_pretty(&json!({"quarantine": found}))?);
                Ok(Outcome::Done)
            }
            Action::Show { delivery } => operator.get(&format!("quarantine/{delivery}"), []),
            Action::Retry { delivery, filter, per_second, .. } => {
                let each = Duration::from_secs(1) / per_second.max(1);
                on_each(&operator, delivery, &filter, each, "deliveries", "reprocess", &json!({"aside": true}))
            }
            Action::Discard { delivery, filter, reason, .. } => on_each(
                &operator,
                delivery,
                &filter,
                Duration::ZERO,
                "quarantine",
                "discard",
                &json!({"reason": reason}),
            ),
        }
    }
}

/// Has the same done to one delivery, or to all that are asked for; what cannot be done with one costs no other.
fn on_each(
    operator: &Operator,
    delivery: Option<Uuid>,
    filter: &Filter,
    each: Duration,
    below: &str,
    what: &str,
    body: &Value,
) -> anyhow::Result<Outcome> {
    let path = |id: &str| format!("{below}/{id}/{what}");
    if let Some(delivery) = delivery {
        return operator.post(&path(&delivery.to_string()), body);
    }
    let (mut done, mut left) = (0, 0);
    for found in filter.all(operator)? {
        let start = Instant::now();
        let id = found["id"].as_str().unwrap_or_default();
        let reply = operator.ask("POST", &path(id), body, false)?;
        let answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let became = answer["report"]["status"].as_str().or(answer["detail"].as_str()).unwrap_or_default();
        println!("{id} {became}");
        if reply.is_success() {
            done += 1;
        } else {
            left += 1;
        }
        thread::sleep(each.saturating_sub(start.elapsed()));
    }
    println!("{done} done, {left} could not be done");
    Ok(if left == 0 { Outcome::Done } else { Outcome::Problems })
}

impl Filter {
    /// All that are asked for, page by page.
    fn all(&self, operator: &Operator) -> anyhow::Result<Vec<Value>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let Self { tenant, connection, partner, status, code, before } = self.clone();
            let page = operator.read(
                "quarantine",
                [
                    ("tenant", tenant),
                    ("connection", connection),
                    ("partner", partner),
                    ("status", status),
                    ("code", code),
                    ("before", before),
                    ("after", after),
                ],
            )?;
            all.extend(page["quarantine"].as_array().into_iter().flatten().cloned());
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}
