//! Turns `schemas/canonical/*.yaml` and a partner's `openapi.yaml` into the Rust types that a mapper works with.
//!
//! It runs in build scripts: [`canonical`] in the one of the mapper SDK, [`partner`] in the one of each mapper. So the
//! types follow the schemas by themselves, and a field that no schema has does not compile.
//!
//! To support a further form of JSON Schema: teach it to [`shape`]. What is not understood is an error of the build,
//! never a guess.

mod canonical;
mod document;
mod foreign;
mod print;
mod shape;

use std::fmt;
use std::path::Path;

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

impl std::error::Error for GenerateError {}

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
