//! `rollcall loss`: what of a partner's payloads no reader ever sees.

use std::path::PathBuf;

use anyhow::ensure;
use rollcall_core::limits::Limits;
use rollcall_server::demo::Demo;
use rollcall_server::examples::Example;
use rollcall_server::loss::{Loss, Losses, Samples, Seen, Words};
use rollcall_server::preview::Previewer;
use serde_json::json;

use super::operator::{ServerArgs, step};
use super::{FolderArgs, Outcome, operation, read};

/// Tell what of a partner's payloads gets lost
///
/// Members that the description knows and no result depends on, members that it does not know, and words of its lists, with how
/// often they were there. Each value is changed or left out, and its record mapped again, to find that out. The samples are the
/// partner's examples, or the files that are named; or, with `--stored`, what its connections sent last to a running server, with
/// the operator's credential in the environment variable `ROLLCALL_CREDENTIAL`: then first and last times are told, too.
#[derive(Debug, clap::Args)]
pub(super) struct LossReport {
    /// Whose payloads
    partner: String,
    /// Payloads to look at, in the place of the examples
    files: Vec<PathBuf>,
    /// The operation that they are sent to, where the partner has several
    #[arg(long, value_name = "ID", requires = "files")]
    operation: Option<String>,
    /// Look at what a running server has stored
    #[arg(long, conflicts_with = "files")]
    stored: bool,
    /// So many of the last deliveries there [default: 100]
    #[arg(long, value_name = "COUNT", requires = "stored")]
    deliveries: Option<usize>,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    folders: FolderArgs,
}

impl LossReport {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let losses = if self.stored {
            let path = format!("partners/{}/loss", step(&self.partner));
            let query = [("deliveries", self.deliveries.map(|count| count.to_string()))];
            serde_json::from_value(self.server.operator()?.read(&path, query)?)?
        } else {
            self.of_samples()?
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&losses)?);
        } else {
            tell(&losses);
        }
        Ok(Outcome::Done)
    }

    /// What gets lost of the examples, or of the files.
    fn of_samples(&self) -> anyhow::Result<Losses> {
        let (canonical, loaded) = self.folders.load(&self.partner)?;
        let folder = self.folders.folders().partner(&self.partner);
        let options = Demo::load(&folder)?.map_or_else(|| json!({}), |demo| demo.options());
        let limits = Limits { warnings_max: usize::MAX, ..Limits::default() };
        let previewer = |operation| Previewer {
            canonical: &canonical,
            loaded: &loaded,
            operation,
            options: &options,
            limits: &limits,
        };
        let mut samples = Samples::new(usize::MAX);
        if self.files.is_empty() {
            let examples = Example::all(&folder, &loaded.partner)?;
            ensure!(!examples.is_empty(), "`{}` has no examples", self.partner);
            for example in examples {
                let (before, body) = example.read()?;
                samples.add(
                    &previewer(operation(&loaded, Some(&example.operation))?),
                    before.as_deref(),
                    &body,
                    None,
                )?;
            }
        }
        for file in &self.files {
            samples.add(&previewer(operation(&loaded, self.operation.as_deref())?), None, &read(file)?, None)?;
        }
        Ok(samples.losses())
    }
}

fn tell(losses: &Losses) {
    let Losses { payloads, left_out, records, unused, unknown, words, unlisted, untried } = losses;
    println!("{payloads} payloads, {records} records");
    if *left_out > 0 {
        println!("{left_out} payloads were left out");
    }
    let list = |what: &str, of: &[Loss]| {
        println!("\n{what}: {}", if of.is_empty() { "none" } else { "" });
        for Loss { member, seen } in of {
            println!("  {member}  ({})", times(seen));
        }
    };
    list("in the description, and no result depends on it", unused);
    list("not in the description", unknown);
    list("a word that the description does not list", unlisted);
    println!("\nwords that the description lists: {}", if words.is_empty() { "none" } else { "" });
    for Words { member, came, never } in words {
        let came = came.iter().map(|(word, seen)| format!("{word} ({})", times(seen)));
        let never = never.iter().map(|word| format!("{word} (never)"));
        println!("  {member}  {}", came.chain(never).collect::<Vec<_>>().join(", "));
    }
    if *untried > 0 {
        println!("\n{untried} values were not tried (`places_per_record_max`)");
    }
}

/// How often, and from when to when.
fn times(Seen { times, first_seen, last_seen }: &Seen) -> String {
    let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
    match (first_seen, last_seen) {
        (Some(first), Some(last)) if first == last => format!("{times}, {first:.0}"),
        (Some(first), Some(last)) => format!("{times}, {first:.0} to {last:.0}"),
        _ => times,
    }
}
