//! `rollcall check`: everything that is wrong with descriptions, as a compiler would tell it.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rollcall_core::canonical::Canonical;
use rollcall_core::description::{Mappers, check};
use rollcall_core::language::{Diagnostic, render};
use rollcall_core::limits::Limits;
use rollcall_server::partners::{DESCRIPTION, Folders, host};

use super::Outcome;

/// Check partners' descriptions
///
/// Tells every mistake with file, line, column and what was expected. Without a path, all partners and the canonical
/// schemas are checked.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Partners' folders, single descriptions, or folders of partners
    paths: Vec<PathBuf>,
    /// Folder of the descriptions; the canonical schemas are taken from here
    #[arg(long, env = "ROLLCALL_SCHEMAS_DIR", value_name = "DIR", default_value = "schemas")]
    schemas_dir: PathBuf,
    /// Folder of the mappers (`<partner>.wasm`); a crate of the partner's name under `mappers/` will also do
    #[arg(long, env = "ROLLCALL_MAPPERS_DIR", value_name = "DIR", default_value = "target/mappers")]
    mappers_dir: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let folders = Folders { schemas: self.schemas_dir.clone(), mappers: self.mappers_dir };
        let paths = if self.paths.is_empty() { vec![self.schemas_dir] } else { self.paths };
        let descriptions: Vec<_> = paths.iter().map(|path| descriptions(path)).collect::<Result<Vec<_>, _>>()?.concat();
        ensure!(!descriptions.is_empty(), "there is no description (a folder with {DESCRIPTION}) in what was named");
        let problems = match Canonical::load(&folders.canonical_folder()) {
            Ok(canonical) => problems(&descriptions, &canonical, &folders),
            Err(problems) => problems,
        };
        if problems.is_empty() {
            println!("{} checked, no problems", count(descriptions.len(), "description"));
            return Ok(Outcome::Done);
        }
        println!("{}", render(&problems, std::io::stdout().is_terminal()));
        println!("\n{} checked, {} found", count(descriptions.len(), "description"), count(problems.len(), "problem"));
        Ok(Outcome::Problems)
    }
}

fn problems(descriptions: &[PathBuf], canonical: &Canonical, folders: &Folders) -> Vec<Diagnostic> {
    let mappers = Built { folders, canonical };
    descriptions.iter().flat_map(|path| check(path, canonical, &mappers)).collect()
}

/// Mappers as far as they are built: those that are not may still become what is needed.
struct Built<'b> {
    folders: &'b Folders,
    canonical: &'b Canonical,
}

impl Mappers for Built<'_> {
    fn has(&self, name: &str) -> bool {
        self.folders.has_mapper(name)
    }

    fn calls(&self, name: &str) -> Option<Vec<String>> {
        let component = std::fs::read(self.folders.mapper(name)).ok()?;
        let host = host(&Limits::default().mapper, None).ok()?;
        let mapper = host.load(name, &component, self.canonical).ok()?;
        Some(mapper.calls().to_vec())
    }
}

/// The descriptions that a path names: itself, or those of all partners in it.
fn descriptions(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    ensure!(path.exists(), "there is no {}", path.display());
    if path.is_file() || path.join(DESCRIPTION).is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let folders = Folders { schemas: path.to_owned(), mappers: PathBuf::new() };
    let names = folders.partners().with_context(|| format!("failed to list {}", path.display()))?;
    Ok(names.iter().map(|name| folders.partner(name)).collect())
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
