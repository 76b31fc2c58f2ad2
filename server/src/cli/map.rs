//! `rollcall map`: what a payload becomes, or what it would change in a database.

mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rollcall_core::canonical::Canonical;
use rollcall_core::language::Folder;
use rollcall_core::limits::Limits;
use rollcall_server::config::{Config, Overrides};
use rollcall_server::database::open;
use rollcall_server::demo::Demo;
use rollcall_server::diff::{Change, diff};
use rollcall_server::evidence::Witness;
use rollcall_server::preview::{Preview, Previewer};
use serde_json::{Value, json};

use super::{FolderArgs, Outcome, block_on, operation};

/// Show what a payload becomes
///
/// Prints the entities as JSON, with the partner's own ids; nothing is stored. Of what is wrong, both ends are shown: where
/// it stands in the payload, by shape, and what the description says there. With --diff, prints what the payload would
/// change in the database of a configuration instead; with --watch, what each save of the payload, the description or the
/// mapper changes, until Ctrl-C.
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
    /// Map again whenever the payload, the description or the mapper is saved, and show what is different
    #[arg(long, conflicts_with = "diff")]
    watch: bool,
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

/// What a payload was found to become.
struct Seen {
    canonical: Canonical,
    preview: Preview,
    /// What is wrong with it, as people read it.
    troubles: Vec<String>,
}

impl Map {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        if self.watch {
            return watch::watch(&self);
        }
        let config =
            self.diff.then(|| Config::load(&self.config, Overrides::default().with_environment())).transpose()?;
        let Seen { canonical, preview, troubles } = self.look(config.as_ref())?;
        for trouble in &troubles {
            eprintln!("{trouble}");
        }
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

    /// Loads the partner as it is now, and maps the payload as it is now.
    fn look(&self, config: Option<&Config>) -> anyhow::Result<Seen> {
        let (canonical, loaded) = self.folders.load(&self.partner)?;
        let options = self.options(config)?;
        let limits = config.map_or_else(Limits::default, |config| config.limits.clone());
        let operation = operation(&loaded, self.operation.as_deref())?;
        let body = read(&self.file)?;
        let before = self.before.as_deref().map(read).transpose()?;
        let previewer =
            Previewer { canonical: &canonical, loaded: &loaded, operation, options: &options, limits: &limits };
        let preview = previewer.preview(before.as_deref(), &body)?;
        let folder = self.folders.folders().partner(&self.partner);
        let witness = Witness::new(&canonical, &loaded, operation, Some(Folder::Disk(&folder)));
        let troubles = witness.told(&self.file.display().to_string(), &body, &preview);
        Ok(Seen { canonical, preview, troubles })
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
    let kinds = [("parked", &preview.parked), ("warning", &preview.warnings)];
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
