//! `rollcall loss`: what of a partner's payloads no reader ever sees.

use std::path::PathBuf;

use anyhow::ensure;
use rollcall_core::limits::Limits;
use rollcall_server::demo::Demo;
use rollcall_server::examples::Example;
use rollcall_server::loss::{Loss, Losses, Samples};
use rollcall_server::preview::Previewer;
use serde_json::json;

use super::{FolderArgs, Outcome, operation, read};

/// Tell what of a partner's payloads gets lost
///
/// Members that the description knows and no result depends on, and members that it does not know, with how often they were
/// there. Each value is changed or left out, and its record mapped again, to find that out. The samples are the partner's
/// examples, or the files that are named.
#[derive(Debug, clap::Args)]
pub(super) struct LossReport {
    /// Whose payloads
    partner: String,
    /// Payloads to look at, in the place of the examples
    files: Vec<PathBuf>,
    /// The operation that they are sent to, where the partner has several
    #[arg(long, value_name = "ID", requires = "files")]
    operation: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: FolderArgs,
}

impl LossReport {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
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
        let mut samples = Samples::default();
        if self.files.is_empty() {
            let examples = Example::all(&folder, &loaded.partner)?;
            ensure!(!examples.is_empty(), "`{}` has no examples", self.partner);
            for example in examples {
                let (before, body) = example.read()?;
                samples.add(&previewer(operation(&loaded, Some(&example.operation))?), before.as_deref(), &body)?;
            }
        }
        for file in &self.files {
            samples.add(&previewer(operation(&loaded, self.operation.as_deref())?), None, &read(file)?)?;
        }
        let losses = samples.losses();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&losses)?);
        } else {
            tell(&losses);
        }
        Ok(Outcome::Done)
    }
}

fn tell(losses: &Losses) {
    let Losses { records, unused, unknown, untried } = losses;
    println!("{records} records");
    let list = |what: &str, of: &[Loss]| {
        println!("\n{what}: {}", if of.is_empty() { "none" } else { "" });
        for Loss { member, seen } in of {
            println!("  {member}  ({seen} times)");
        }
    };
    list("in the description, and no result depends on it", unused);
    list("not in the description", unknown);
    if *untried > 0 {
        println!("\n{untried} values were not tried (`places_per_record_max`)");
    }
}
