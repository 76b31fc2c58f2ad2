//! `rollcall mapper`: what is done with a mapper's crate.

use std::path::Path;

use anyhow::Context as _;
use rollcall_server::component::MapperCrate;

use super::{FolderArgs, Outcome};

/// Build mappers
#[derive(Debug, clap::Args)]
pub(super) struct Mapper {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Build(Build),
}

/// Build a partner's mapper
///
/// Compiles the crate `mappers/<partner>` to a component in the folder of the mappers, where servers and the other commands
/// look for it, and to the native program that `rollcall test` compares it with. The crate is looked for beside the folder of
/// the descriptions.
#[derive(Debug, clap::Args)]
struct Build {
    /// Whose mapper
    #[arg(required = true)]
    partners: Vec<String>,
    #[command(flatten)]
    folders: FolderArgs,
}

impl Mapper {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Build(build) => build.run(),
        }
    }
}

impl Build {
    fn run(self) -> anyhow::Result<Outcome> {
        let folders = self.folders.folders();
        for partner in &self.partners {
            let mapper = MapperCrate::find(&folders.mapper_crate(partner), partner)?;
            let component = folders.mapper(partner);
            mapper.build_component(&component)?;
            println!("built {}", component.display());
            let program = mapper.build_native()?;
            println!("built {}", shown(&program).context("the folder that this runs in is gone")?);
        }
        Ok(Outcome::Done)
    }
}

/// A path as seen from here.
fn shown(path: &Path) -> std::io::Result<String> {
    let here = std::env::current_dir()?;
    Ok(path.strip_prefix(here).unwrap_or(path).display().to_string())
}
