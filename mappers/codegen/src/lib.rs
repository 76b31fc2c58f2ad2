//! Turns `schemas/canonical/*.yaml` and a partner's `openapi.yaml` into the Rust types that a mapper works with.
//!
//! It runs in build scripts: [`canonical`] in the one of the mapper SDK, [`write_partner`] in the one of each mapper. So the
//! types follow the schemas by themselves, and a field that no schema has does not compile.
//!
//! To support a further form of JSON Schema: teach it to [`shape`]. What is not understood is an error of the build,
//! never a guess.

#![expect(clippy::print_stdout, reason = "a build script talks to Cargo")]

mod canonical;
mod document;
mod foreign;
mod print;
mod shape;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

/// Why no types could be made of a schema.
#[derive(Debug)]
pub struct GenerateError {
    place: String,
    problem: String,
}

impl GenerateError {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl Error for GenerateError {}

impl From<fmt::Error> for GenerateError {
    fn from(error: fmt::Error) -> Self {
        Self::new("the generated source", error.to_string())
    }
}

/// The Rust source of all canonical kinds in `folder`: a struct per kind, each an entity of the SDK.
pub fn canonical(folder: &Path) -> Result<String, GenerateError> {
    canonical::generate(folder)
}

/// The Rust source of all record types in the description at `file`: a struct per record type, one for its ancestors,
/// and the enum `Record` of them all.
pub fn partner(file: &Path) -> Result<String, GenerateError> {
    foreign::generate(file)
}

/// All that a mapper's build script has to do: writes what [`partner`] makes of the description in `folder`, which is
/// `schemas/<partner>`, to where the SDK's `partner!` takes it from, and has Cargo do it again when a file there changes.
/// Examples say nothing of types.
pub fn write_partner(folder: &Path) -> Result<(), Box<dyn Error>> {
    for entry in
        folder.read_dir().map_err(|error| GenerateError::new(folder.display().to_string(), error.to_string()))?
    {
        let path = entry?.path();
        if !path.ends_with("examples") {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let source = partner(&folder.join("openapi.yaml"))?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("partner.rs"), source)?;
    Ok(())
}
