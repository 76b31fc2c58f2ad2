//! `rollcall backup`: the whole database in one file, while the server goes on.

use std::path::PathBuf;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use rollcall_core::store::sqlite::backup::backup;
use rollcall_server::config::{Config, Overrides};

use super::Outcome;

/// Write everything that is stored to one file
///
/// Runs beside a server: the file holds the state of one moment, checked, and nobody waits for it. Only its owner may
/// read it. A PostgreSQL database is backed up by its own means: server/OPERATING.md says how.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The file; it must not be there yet
    file: PathBuf,
    /// Configuration file
    #[arg(long, env = "ROLLCALL_CONFIG", value_name = "FILE", default_value = "rollcall.yaml")]
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let config = Config::load(&self.config, self.overrides.with_environment())?;
        let Some(database) = config.database_url.file() else {
            bail!("this database is backed up by its own means (pg_basebackup, pg_dump): see server/OPERATING.md")
        };
        let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {elapsed}")?;
        let bar = ProgressBar::new(0).with_style(style);
        let told = |written: u64, whole: u64| {
            bar.set_length(whole.max(written));
            bar.set_position(written);
        };
        let written = backup(database, &self.file, &told);
        bar.finish_and_clear();
        println!("{} bytes in {}", written?, self.file.display());
        Ok(Outcome::Done)
    }
}
