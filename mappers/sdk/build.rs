//! Writes the canonical entities of `schemas/canonical` as Rust types.

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schemas = PathBuf::from("../../schemas/canonical");
    println!("cargo::rerun-if-changed={}", schemas.display());
    let source = rollcall_mapper_codegen::canonical(&schemas)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("canonical.rs"), source)?;
    Ok(())
}
