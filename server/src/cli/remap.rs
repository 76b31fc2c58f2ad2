//! `rollcall remap`: maps anew what a running server has stored, or says what that would change.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;
use super::operator::{Operator, ServerArgs, answer, tell};

/// How often is asked how far it is.
const POLL: Duration = Duration::from_millis(500);

/// Map anew what is stored
///
/// All records that were not mapped by the version in use are mapped again, part by part, and what is different is applied.
/// Where it was interrupted, the same command goes on. What would change more than is likely waits: see `rollcall held`. It
/// is done by a running server, with the operator's credential in the environment variable `ROLLCALL_CREDENTIAL`.
#[derive(Debug, clap::Args)]
pub(super) struct Remap {
    /// Only what is stored of this connection
    #[arg(long, value_name = "TENANT/CONNECTION")]
    connection: Option<String>,
    /// Only what is stored of connections of this partner
    #[arg(long)]
    partner: Option<String>,
    /// Only say what would be different
    #[arg(long)]
    dry_run: bool,
    /// By another version than the one in use, named by the first digits of its id
    #[arg(long, value_name = "DIGITS", requires = "dry_run")]
    version: Option<String>,
    /// Only look at so many records of each connection, spread evenly
    #[arg(long, value_name = "COUNT", requires = "dry_run")]
    sample: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Remap {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let operator = self.server.operator()?;
        let wanted = json!({
            "connection": self.connection, "partner": self.partner, "version": self.version, "sample": self.sample,
        });
        if !self.dry_run {
            return follow(&operator, &wanted, self.json);
        }
        let reply = operator.ask("POST", "remaps", &wanted, true)?;
        if self.json || !reply.is_success() {
            return tell(&reply);
        }
        let answer = answer(&reply)?;
        for remap in answer["remaps"].as_array().into_iter().flatten() {
            println!("{}:\n{}", word(remap, "connection"), word(remap, "text"));
        }
        Ok(Outcome::Done)
    }
}

/// Has what is `wanted` mapped anew, and says how far it is until it has ended.
pub(super) fn follow(operator: &Operator, wanted: &Value, as_json: bool) -> anyhow::Result<Outcome> {
    let begun = operator.ask("POST", "remaps", wanted, false)?;
    if !begun.is_success() {
        return tell(&begun);
    }
    let begun = answer(&begun)?;
    let names: Vec<_> = remaps(&begun).map(|remap| word(remap, "connection").to_owned()).collect();
    let mut told: Vec<String> = Vec::new();
    loop {
        let now = operator.read::<0>("remaps", [])?;
        let ours: Vec<_> =
            remaps(&now).filter(|remap| names.iter().any(|name| name == word(remap, "connection"))).collect();
        anyhow::ensure!(ours.len() == names.len(), "the server does not know of it any more; ask again");
        let lines: Vec<_> = ours.iter().map(|remap| line(remap)).collect();
        if lines != told {
            lines.iter().filter(|line| !told.contains(*line)).for_each(|line| eprintln!("{line}"));
            told = lines;
        }
        if ours.iter().all(|remap| !matches!(word(remap, "state"), "looking" | "mapping")) {
            if as_json {
                println!("{}", serde_json::to_string_pretty(&json!({"remaps": ours}))?);
            }
            return Ok(if ours.iter().all(|remap| word(remap, "state") == "done") {
                Outcome::Done
            } else {
                Outcome::Problems
            });
        }
        thread::sleep(POLL);
    }
}

fn remaps(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["remaps"].as_array().into_iter().flatten()
}

/// How far it is, in a line.
fn line(remap: &Value) -> String {
    let (connection, records) = (word(remap, "connection"), &remap["records"]);
    match word(remap, "state") {
        "looking" => format!("{connection}: looking"),
        "mapping" => format!("{connection}: {records} records mapped anew, {} left", remap["left"]),
        "held" => format!("{connection}: delivery {} waits for an operator (`rollcall held`)", word(remap, "held")),
        "failed" => format!("{connection}: {}", word(remap, "problem")),
        _ => format!("{connection}: {records} records mapped anew"),
    }
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}
