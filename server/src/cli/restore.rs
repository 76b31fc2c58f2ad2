//! `rollcall restore`: puts a backup in the place of a database, without whoever was erased since.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use rollcall_core::clock::SystemClock;
use rollcall_core::store::keep::Erasure;
use rollcall_core::store::sqlite::backup::{erasures, restore};
use rollcall_server::config::{Config, Overrides};
use rollcall_server::erasing::{self, Line};
use rollcall_server::start::start;
use serde::Deserialize;

use super::{Outcome, block_on};

/// Put a backup in the place of the database
///
/// While no server uses it. The backup is checked first. Whoever was erased since it was made is erased from it: the
/// erasures are read from the database that is replaced, and from what `rollcall erase list` printed.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// What `rollcall backup` wrote
    file: PathBuf,
    /// Replace the database that is there
    #[arg(long)]
    replace: bool,
    /// What `rollcall erase list` printed, later than the backup
    #[arg(long, value_name = "FILE")]
    erasures: Option<PathBuf>,
    /// Configuration file
    #[arg(long, env = "ROLLCALL_CONFIG", value_name = "FILE", default_value = "rollcall.yaml")]
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, Deserialize)]
struct Listed {
    erasures: Vec<Line>,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let config = Config::load(&self.config, self.overrides.with_environment())?;
        let Some(database) = config.database_url.file() else {
            bail!("this database is restored by its own means: see server/OPERATING.md")
        };
        let mut known = self.erasures.as_deref().map_or(Ok(Vec::new()), listed)?;
        if database.exists() && self.replace {
            match erasures(database) {
                Ok(of_old) => known.extend(of_old),
                Err(_) if self.erasures.is_some() => {}
                Err(error) => {
                    let hint =
                        "the erasures of the database that is replaced cannot be read; give them with --erasures";
                    return Err(anyhow!(error).context(hint));
                }
            }
        }
        known.extend(erasures(&self.file).unwrap_or_default()); // what is wrong with the file is told below
        let count = known.len();
        restore(&self.file, database, self.replace, |part| erase(&config, part, known))?;
        println!("{} is restored; {count} erasures were done again", database.display());
        Ok(Outcome::Done)
    }
}

/// Erases whoever was erased from a database that nobody uses yet.
fn erase(config: &Config, database: &Path, known: Vec<Erasure>) -> anyhow::Result<()> {
    if known.is_empty() {
        return Ok(());
    }
    let config = Config { database_url: format!("sqlite:{}", database.display()).into(), ..config.clone() };
    block_on(async {
        let app = start(&config, Arc::new(SystemClock)).await?;
        let done = erasing::again(&app, known).await;
        let done = done.map_err(|problem| anyhow!("the erasures cannot be done again: {}", problem.detail))?;
        if let Some(left) = done.iter().find(|again| again.erased.is_none()) {
            bail!("there are erasures of {}/{}, which the configuration lacks", left.tenant, left.connection);
        }
        Ok(())
    })
}

fn listed(file: &Path) -> anyhow::Result<Vec<Erasure>> {
    let listed: Listed = serde_json::from_slice(&super::read(file)?).context("these are no erasures")?;
    listed.erasures.into_iter().map(|line| Erasure::try_from(line).map_err(anyhow::Error::msg)).collect()
}
