//! Turns arguments into a run of one subcommand, and its [`Outcome`] into an exit code.
//!
//! To add a subcommand: a file under `cli/` with its arguments and `run`, and a line in [`Command`].

mod backup;
mod bundle;
mod check;
mod completions;
mod connection;
mod demo;
mod erase;
mod explain;
mod export;
mod fixture;
mod held;
mod infer;
mod loss;
mod map;
mod mapper;
mod new;
mod operator;
mod partner;
mod push;
mod quarantine;
mod reader;
mod rebuild;
mod record;
mod remap;
mod restore;
mod serve;
mod test;
mod token;
mod webhook;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use rollcall_core::description::Operation;
use rollcall_core::ingest::Loaded;
use rollcall_core::limits::Limits;
use rollcall_core::map::Profile;
use rollcall_server::partners::{Folders, host};

/// A sync hub for education data.
///
/// Partner systems push data in their own documented format; Rollcall checks it against the partner's own description,
/// keeps it, maps it to one canonical model in a sandbox, and publishes what changed.
#[derive(Debug, clap::Parser)]
#[command(
    name = "rollcall",
    version,
    after_help = "Exit codes: 0 done; 1 problems were found in what was looked at; 2 wrong usage; 3 could not be done."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Check(check::Check),
    Map(map::Map),
    Mapper(mapper::Mapper),
    New(new::New),
    Loss(loss::LossReport),
    Test(test::Test),
    Push(push::Push),
    Record(record::Record),
    Erase(erase::Erase),
    Bundle(bundle::Bundles),
    Partner(partner::Partners),
    Connection(connection::Connections),
    Reader(reader::Readers),
    Explain(explain::Explain),
    Export(export::Export),
    Fixture(fixture::Fixture),
    Infer(infer::Infer),
    Held(held::Held),
    Quarantine(quarantine::Quarantine),
    Reprocess(quarantine::Reprocess),
    Rebuild(rebuild::Rebuild),
    Remap(remap::Remap),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Token(token::Token),
    Webhook(webhook::Webhook),
    Completions(completions::Completions),
}

/// How a subcommand ended, beside failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well: 0.
    Done,
    /// What was looked at has problems, and they have been told: 1.
    Problems,
    /// It could not be done: 3 (2 is wrong usage).
    Failed,
}

/// Where schemas and mappers are.
#[derive(Debug, Clone, clap::Args)]
struct FolderArgs {
    /// Folder of the descriptions
    #[arg(long = "schemas-dir", env = "ROLLCALL_SCHEMAS_DIR", value_name = "DIR", default_value = "schemas")]
    schemas: PathBuf,
    /// Folder of the mappers (`<partner>.wasm`)
    #[arg(long = "mappers-dir", env = "ROLLCALL_MAPPERS_DIR", value_name = "DIR", default_value = "target/mappers")]
    mappers: PathBuf,
    /// Private folder for compiled mappers
    #[arg(long = "cache-dir", env = "ROLLCALL_CACHE_DIR", value_name = "DIR", default_value = "target/mapper-cache")]
    cache: PathBuf,
    /// What the mapper may import: `pure` (nothing) or `wasi` (what the runtimes of JavaScript, Python and others need)
    #[arg(long, env = "ROLLCALL_MAPPER_PROFILE", value_name = "PROFILE", default_value = "pure")]
    mapper_profile: Profile,
}

impl Cli {
    /// Runs the subcommand.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Serve(command) => command.run(),
            Command::Demo(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Map(command) => command.run(),
            Command::Mapper(command) => command.run(),
            Command::New(command) => command.run(),
            Command::Loss(command) => command.run(),
            Command::Test(command) => command.run(),
            Command::Push(command) => command.run(),
            Command::Record(command) => command.run(),
            Command::Erase(command) => command.run(),
            Command::Bundle(command) => command.run(),
            Command::Partner(command) => command.run(),
            Command::Connection(command) => command.run(),
            Command::Reader(command) => command.run(),
            Command::Explain(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Fixture(command) => command.run(),
            Command::Infer(command) => command.run(),
            Command::Held(command) => command.run(),
            Command::Quarantine(command) => command.run(),
            Command::Reprocess(command) => command.run(),
            Command::Rebuild(command) => command.run(),
            Command::Remap(command) => command.run(),
            Command::Backup(command) => command.run(),
            Command::Restore(command) => command.run(),
            Command::Token(command) => command.run(),
            Command::Webhook(command) => command.run(),
            Command::Completions(command) => Ok(command.run()),
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Problems => 1,
            Outcome::Failed => 3,
        })
    }
}

impl FolderArgs {
    fn folders(&self) -> Folders {
        Folders { schemas: self.schemas.clone(), mappers: self.mappers.clone() }
    }

    /// The kinds of entity, and one partner with its mapper.
    fn load(&self, partner: &str) -> anyhow::Result<(rollcall_core::canonical::Canonical, Loaded)> {
        let folders = self.folders();
        let canonical = folders.canonical()?;
        let host = host(&Limits::default().mapper, Some(&self.cache))?;
        let host = host.permitting([(partner.to_owned(), self.mapper_profile)].into());
        let loaded = folders.load(&[partner.to_owned()], &canonical, &host)?.pop();
        Ok((canonical, loaded.with_context(|| format!("there is no partner `{partner}`"))?))
    }
}

/// The operation called `id`, or the only one that takes a body.
fn operation<'l>(loaded: &'l Loaded, id: Option<&str>) -> anyhow::Result<&'l Operation> {
    let operations = &loaded.partner.operations;
    if let Some(id) = id {
        return loaded.partner.operation(id).with_context(|| format!("there is no operation `{id}`"));
    }
    let taking: Vec<_> = operations.iter().filter(|operation| operation.body.is_some()).collect();
    match taking.as_slice() {
        [only] => Ok(only),
        [] => bail!("no operation of `{}` takes a body", loaded.partner.name),
        many => {
            let ids: Vec<_> = many.iter().map(|operation| operation.id.as_str()).collect();
            bail!("say which operation with --operation: {}", ids.join(", "))
        }
    }
}

/// The bytes of a file; `-` is the standard input.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).context("failed to read the standard input")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))
}

/// Waits for `work` on a runtime of its own.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("failed to start the runtime")?;
    let done = runtime.block_on(work);
    runtime.shutdown_background(); // whoever wanted to wait for something has done so
    done
}

#[cfg(test)]
mod documents;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
