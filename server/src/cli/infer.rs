//! `rollcall infer`: the schema that sample payloads suggest.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use rollcall_server::infer::{Seen, description};
use serde_json::Value;

use super::{Outcome, read};

/// Propose a JSON Schema for sample payloads
///
/// Prints the schema that all samples satisfy: types, formats, what is always there, and code words that come again and again.
/// Review it: samples do not show what else may come. No values of people are copied.
#[derive(Debug, clap::Args)]
pub(super) struct Infer {
    /// Samples of one payload, JSON; `-` is the standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print a description to begin with, in which the schema has this name
    #[arg(long, value_name = "NAME")]
    description: Option<String>,
}

impl Infer {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let mut seen = Seen::default();
        for file in &self.files {
            let sample = serde_json::from_slice::<Value>(&read(file)?);
            let sample = sample.map_err(|error| anyhow::anyhow!("line {} column {}", error.line(), error.column()));
            seen.see(&sample.with_context(|| format!("{} is not JSON", file.display()))?);
        }
        let schema = match self.description {
            Some(name) => description(&name, vec![(name.clone(), seen.schema())]),
            None => seen.schema(),
        };
        writeln!(std::io::stdout(), "{schema:#}")?;
        Ok(Outcome::Done)
    }
}
