//! `rollcall new`: a new partner that checks, builds and passes its tests as it is.

use std::path::{Path, PathBuf};

use rollcall_server::newcomer::{Newcomer, Proposal, project, write_project};
use rollcall_server::partners::Folders;

use super::Outcome;

/// Begin something new
#[derive(Debug, clap::Args)]
pub(super) struct New {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Partner(Partner),
    Project(Project),
}

/// Begin a project that partners can be added to
///
/// Makes a folder with what mappers are built with: the SDK, the canonical schemas, and a Cargo.toml. Whoever has Rollcall's
/// sources has one already. All of it is in this program, and belongs to its version; building fetches crates from crates.io.
#[derive(Debug, clap::Args)]
struct Project {
    /// The folder
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// Begin a new partner
///
/// Makes `schemas/<name>` (a description, a demonstration, an example and what it must become) and `mappers/<name>` (a crate
/// with tests of its own), and adds the crate to the project's Cargo.toml. What is made checks, builds and passes its tests as
/// it is: change it from there. With `--from` the description is the vendor's own document and an overlay, which says what the
/// document does not; operations of which it cannot be guessed what they do are left out, and named.
#[derive(Debug, clap::Args)]
struct Partner {
    /// What it is called: its routes are under `/<name>`
    name: String,
    /// The project that it becomes a part of: Rollcall's sources, or what `rollcall new project` has made
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// The vendor's own OpenAPI document, 3.0 or 3.1, YAML or JSON; taken as it is, with an overlay that is proposed beside it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The overlay for it, if there is one already (OpenAPI Overlay 1.0)
    #[arg(long, value_name = "FILE", requires = "from")]
    overlay: Option<PathBuf>,
}

impl New {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Partner(partner) => partner.run(),
            Command::Project(project) => project.run(),
        }
    }
}

impl Project {
    fn run(self) -> anyhow::Result<Outcome> {
        let files = project(&self.folder)?;
        write_project(&files)?;
        println!("wrote {} files in {}\n\nNext, there:\n", files.len(), self.folder.display());
        println!("  rollcall new partner NAME        # a description and a mapper, to be changed");
        Ok(Outcome::Done)
    }
}

impl Partner {
    fn run(self) -> anyhow::Result<Outcome> {
        let newcomer = Newcomer::new(&self.into, &self.name)?;
        let (files, proposal) = match &self.from {
            Some(vendor) => {
                let folders = Folders { schemas: self.into.join("schemas"), mappers: PathBuf::new() };
                newcomer.files_from(vendor, self.overlay.as_deref(), &folders.canonical()?)?
            }
            None => (newcomer.files(), None),
        };
        for path in newcomer.write(&files)? {
            let is_new = path.starts_with(newcomer.schemas()) || path.starts_with(newcomer.mapper());
            println!("{} {}", if is_new { "wrote  " } else { "changed" }, shown(&path));
        }
        proposal.iter().for_each(tell_proposal);
        self.tell_what_is_next();
        Ok(Outcome::Done)
    }

    fn tell_what_is_next(&self) {
        let name = &self.name;
        println!("\nNext:\n");
        println!("  rollcall check schemas/{name}    # is the description right?");
        println!("  rollcall mapper build {name}     # make the component (Cargo.lock follows)");
        println!("  rollcall test {name}             # do the examples become what they must?");
        println!("  rollcall demo --partner {name}   # serve it");
    }
}

/// What of the vendor's document is there, and what is not.
fn tell_proposal(proposal: &Proposal) {
    println!("\nGuessed, to be reviewed in overlay.yaml:\n");
    for operation in proposal.kept() {
        println!("  {operation}");
    }
    if !proposal.left_out().is_empty() {
        println!("\nLeft out:\n");
    }
    for (operation, reason) in proposal.left_out() {
        println!("  {operation}: {reason}");
    }
}

/// A path without a leading `./`.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}
