//! Writes the record types of Eduframe's description as Rust types.

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let description = PathBuf::from("../../schemas/eduframe/openapi.yaml");
    println!("cargo::rerun-if-changed={}", description.display());
    let source = rollcall_mapper_codegen::partner(&description)?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("partner.rs"), source)?;
    Ok(())
}
