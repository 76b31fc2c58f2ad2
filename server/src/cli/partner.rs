//! `rollcall partner`: which versions of partners a running server uses.

mod planning;

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Outcome;
use super::operator::{Operator, ServerArgs, answer, step, tell};

/// See and decide which versions of partners a running server uses
///
/// A version is what a bundle holds, named by its digest. Calls that have begun finish with the version that they began
/// with; later ones use the next. The operator's credential is in the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Partners {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List partners, with what is active
    List,
    /// List the versions of a partner that are stored
    Versions {
        /// The partner
        partner: String,
    },
    /// List what was decided about a partner, the last first
    History {
        /// The partner
        partner: String,
    },
    /// Say what a version would change, before anything does: what a bundle holds, or one that is stored
    Plan {
        /// Bundle, which is looked at first and kept
        #[arg(value_name = "BUNDLE", required_unless_present = "version")]
        bundle: Option<PathBuf>,
        /// Version that is stored, by the first digits of its id
        #[arg(long, value_name = "DIGITS", conflicts_with = "bundle", requires = "partner")]
        version: Option<String>,
        /// The partner; the bundle says it, where there is one
        #[arg(long)]
        partner: Option<String>,
        /// Only look at so many records of each connection, spread evenly
        #[arg(long, value_name = "COUNT")]
        sample: Option<usize>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a version active: what a plan was made for, what a bundle holds, or one that is stored
    Apply {
        /// The plan's id, or the partner; the bundle says it, where there is one
        #[arg(value_name = "PLAN|PARTNER", required_unless_present = "bundle")]
        partner: Option<String>,
        /// Bundle, which is looked at first
        #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "version"])]
        bundle: Option<PathBuf>,
        /// Plan, as `rollcall partner plan` has made it
        #[arg(long, value_name = "ID")]
        plan: Option<Uuid>,
        /// Version that is stored, by the first digits of its id
        #[arg(long, value_name = "DIGITS")]
        version: Option<String>,
        /// With a plan: not if anything was committed since it was made
        #[arg(long)]
        if_unchanged: bool,
        /// Map anew what is stored, too, and wait until that is done
        #[arg(long)]
        remap: bool,
        #[command(flatten)]
        known: Known,
    },
    /// Make the version active that was active before, or an earlier one
    Rollback {
        /// The partner
        partner: String,
        /// Version, by the first digits of its id
        #[arg(long, value_name = "DIGITS")]
        to: Option<String>,
        #[command(flatten)]
        known: Known,
    },
    /// Turn a partner off: its clients are told to come again; `apply` and `rollback` turn it on
    Disable {
        /// The partner
        partner: String,
        #[command(flatten)]
        known: Known,
    },
    /// Have one connection use a version of its own
    Pin {
        /// The partner
        partner: String,
        /// The connection, `tenant/connection`
        connection: String,
        /// Version that is stored, by the first digits of its id
        version: String,
        #[command(flatten)]
        known: Known,
    },
    /// Have a connection use what all others use
    Unpin {
        /// The partner
        partner: String,
        /// The connection, `tenant/connection`
        connection: String,
        #[command(flatten)]
        known: Known,
    },
    /// Let a version run beside the one in use on what is really sent, and show what it comes to; only that is stored
    Shadow {
        /// The partner
        partner: String,
        /// Version that is stored, by the first digits of its id; what runs is shown where none is named
        version: Option<String>,
        /// Let none run beside any more
        #[arg(long, conflicts_with = "version")]
        off: bool,
    },
    /// Print who decided what, the last first
    Log {
        /// So many lines at most
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

#[derive(Debug, clap::Args)]
struct Known {
    /// The number of the last decision that you know: nothing is done where there is a later one
    #[arg(long, value_name = "NUMBER")]
    after: Option<i64>,
}

impl Partners {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        match self.action {
            Action::List => operator.get("partners", []),
            Action::Versions { partner } => operator.get(&format!("partners/{}/versions", step(&partner)), []),
            Action::History { partner } => operator.get(&format!("partners/{}/activations", step(&partner)), []),
            Action::Shadow { partner, version, off } => {
                let path = format!("partners/{}/shadow", step(&partner));
                if version.is_some() || off {
                    operator.post(&path, &json!({"version": version}))
                } else {
                    operator.get(&path, [])
                }
            }
            Action::Log { limit } => operator.get("log", [("limit", Some(limit.to_string()))]),
            Action::Plan { bundle, version, partner, sample, json } => {
                let (partner, version) = match bundle {
                    None => (partner.unwrap_or_default(), version.unwrap_or_default()),
                    Some(file) => match upload(&operator, &file, partner.as_deref())? {
                        Some(kept) => kept,
                        None => return Ok(Outcome::Problems),
                    },
                };
                plan(&operator, &partner, &json!({"version": version, "sample": sample}), json)
            }
            Action::Apply { partner, bundle, plan, version, if_unchanged, remap, known } => {
                let named = partner.as_deref().and_then(|name| name.parse::<Uuid>().ok());
                let partner = match named {
                    Some(id) => Some(partner_of(&operator, id)?),
                    None => partner,
                };
                let plan = named.or(plan);
                ensure!(plan.is_some() || !if_unchanged, "`--if-unchanged` is for plans");
                let (partner, version) = match bundle {
                    None => (partner.unwrap_or_default(), version),
                    Some(file) => match upload(&operator, &file, partner.as_deref())? {
                        Some((partner, version)) => (partner, Some(version)),
                        None => return Ok(Outcome::Problems),
                    },
                };
                let more = json!({"version": version, "plan": plan, "ifUnchanged": if_unchanged});
                match known.decide(&operator, &partner, "apply", more)? {
                    Outcome::Done if remap => super::remap::follow(&operator, &json!({"partner": partner}), false),
                    decided => Ok(decided),
                }
            }
            Action::Rollback { partner, to, known } => {
                known.decide(&operator, &partner, "rollback", json!({"version": to}))
            }
            Action::Disable { partner, known } => known.decide(&operator, &partner, "disable", json!({})),
            Action::Pin { partner, connection, version, known } => {
                known.decide(&operator, &partner, "pin", json!({"connection": connection, "version": version}))
            }
            Action::Unpin { partner, connection, known } => {
                known.decide(&operator, &partner, "unpin", json!({"connection": connection}))
            }
        }
    }
}

impl Known {
    /// Decides something about a partner.
    fn decide(&self, operator: &Operator, partner: &str, action: &str, mut more: Value) -> anyhow::Result<Outcome> {
        more["action"] = json!(action);
        more["after"] = json!(self.after);
        operator.post(&format!("partners/{}/activations", step(partner)), &more)
    }
}

/// Has a bundle looked at and kept; the partner and the version that it is, unless it is refused.
fn upload(operator: &Operator, file: &Path, wanted: Option<&str>) -> anyhow::Result<Option<(String, String)>> {
    let reply = operator.send("POST", "bundles", super::read(file)?, false)?;
    if !reply.is_success() {
        tell(&reply)?;
        return Ok(None);
    }
    let kept = answer(&reply)?;
    let text = |name: &str| kept[name].as_str().unwrap_or_default().to_owned();
    if wanted.is_some_and(|wanted| wanted != text("partner")) {
        bail!("the bundle is of the partner `{}`", text("partner"));
    }
    Ok(Some((text("partner"), text("version"))))
}

/// The partner whose upgrade a plan is.
fn partner_of(operator: &Operator, plan: Uuid) -> anyhow::Result<String> {
    let plan = operator.read(&format!("plans/{plan}"), [])?;
    Ok(plan["partner"].as_str().unwrap_or_default().to_owned())
}

/// Has a plan made, says how far it is, and prints it with its id.
fn plan(operator: &Operator, partner: &str, wanted: &Value, as_json: bool) -> anyhow::Result<Outcome> {
    let reply = planning::while_told(operator, partner, || {
        operator.ask("POST", &format!("partners/{}/plans", step(partner)), wanted, false)
    })?;
    let made = answer(&reply)?;
    match (made["id"].as_str(), made["body"]["text"].as_str()) {
        (Some(id), Some(text)) if reply.is_success() && !as_json => {
            println!("{text}\nplan {id}");
            Ok(Outcome::Done)
        }
        _ => tell(&reply),
    }
}
