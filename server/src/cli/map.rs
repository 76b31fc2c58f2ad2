//! `rollcall map`: what a payload becomes, or what it would change in a database.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rollcall_core::limits::Limits;
use rollcall_server::config::{Config, Overrides};
use rollcall_server::database::open;
use rollcall_server::demo::Demo;
use rollcall_server::diff::{Change, diff};
use rollcall_server::preview::{Preview, Previewer};
use serde_json::{Value, json};

use super::{FolderArgs, Outcome, block_on, operation};

/// Show what a payload becomes
///
/// Prints the entities as JSON, with the partner's own ids; nothing is stored. With --diff, prints what the payload
/// would change in the database of a configuration instead.
#[derive(Debug, clap::Args)]
pub(super) struct Map {
    /// Whose payload it is
    #[arg(long)]
    partner: String,
    /// The payload
    file: PathBuf,
    /// What was sent before it, to the same operation
    #[arg(long, value_name = "FILE", conflicts_with = "diff")]
    before: Option<PathBuf>,
    /// The operation that it is sent to, where the partner has several
    #[arg(long, value_name = "ID")]
    operation: Option<String>,
    /// The connection's options, JSON [default: those of the partner's demo.yaml, or of the connection with --diff]
    #[arg(long, value_name = "JSON")]
    options: Option<String>,
    /// Compare with what is stored of a connection
    #[arg(long, requires_all = ["tenant", "connection"])]
    diff: bool,
    /// The tenant of the connection to compare with
    #[arg(long)]
    tenant: Option<String>,
    /// The connection to compare with
    #[arg(long)]
    connection: Option<String>,
    /// Configuration that names the database
    #[arg(long, env = "ROLLCALL_CONFIG", value_name = "FILE", default_value = "rollcall.yaml")]
    config: PathBuf,
    #[command(flatten)]
    folders: FolderArgs,
}

impl Map {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let (canonical, loaded) = self.folders.load(&self.partner)?;
        let config =
            self.diff.then(|| Config::load(&self.config, Overrides::default().with_environment())).transpose()?;
        let options = self.options(config.as_ref())?;
        let limits = config.as_ref().map_or_else(Limits::default, |config| config.limits.clone());
        let operation = operation(&loaded, self.operation.as_deref())?;
        let body = read(&self.file)?;
        let before = self.before.as_deref().map(read).transpose()?;
        let previewer =
            Previewer { canonical: &canonical, loaded: &loaded, operation, options: &options, limits: &limits };
        let preview = previewer.preview(before.as_deref(), &body)?;
        match (config, self.tenant.as_deref().zip(self.connection.as_deref())) {
            (Some(config), Some((tenant, connection))) => {
                tell_notes(&preview);
                let changes = block_on(async {
                    let store = open(&config).await?;
                    Ok(diff(&canonical, &*store, tenant, connection, &preview).await?)
                })?;
                tell_changes(&changes)?;
            }
            _ => writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&preview)?)?,
        }
        Ok(if preview.is_clean() { Outcome::Done } else { Outcome::Problems })
    }

    /// What the connection chooses.
    fn options(&self, config: Option<&Config>) -> anyhow::Result<Value> {
        if let Some(options) = &self.options {
            return serde_json::from_str(options).context("--options is not JSON");
        }
        if let Some(config) = config {
            let wanted = (self.tenant.as_deref(), self.connection.as_deref());
            let found = config
                .connections()
                .find(|(tenant, name, _)| (Some(tenant.as_str()), Some(name.as_str())) == wanted)
                .context("the configuration has no such connection")?;
            return Ok(found.2.options.clone());
        }
        let demo = Demo::load(&self.folders.folders().partner(&self.partner))?;
        Ok(demo.map_or_else(|| json!({}), |demo| demo.options()))
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))
}

fn tell_notes(preview: &Preview) {
    let kinds = [
        ("rejected", &preview.rejections),
        ("refused", &preview.refusals),
        ("parked", &preview.parked),
        ("fault", &preview.faults),
        ("warning", &preview.warnings),
    ];
    for (what, notes) in kinds {
        for note in notes {
            eprintln!("{what}: {}: {} ({})", note.pointer, note.message, note.code);
        }
    }
}

fn tell_changes(changes: &[Change]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for change in changes {
        writeln!(out, "{change}")?;
    }
    writeln!(out, "{} entities would change", changes.len())
}
