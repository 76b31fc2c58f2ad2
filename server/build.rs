//! Writes a table of the sources that mappers are built with, so that the program alone can begin a project: see
//! `src/newcomer/project.rs`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What a project consists of before it has partners: files, and folders with all that they hold.
const SOURCES: [&str; 15] = [
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "clippy.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "mappers/README.md",
    "mappers/codegen",
    "mappers/componentize",
    "mappers/sdk",
    "mappers/wit",
    "openapi",
    "schemas/README.md",
    "schemas/canonical",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut table = format!("const FILES: [(&str, &str); {}] = [\n", files.len());
    for file in files {
        let name = file.strip_prefix(&root)?.display().to_string();
        writeln!(table, "    ({name:?}, include_str!({:?})),", file.display().to_string())?;
    }
    table.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("project.rs"), table)?;
    Ok(())
}

/// A file, or all files in a folder.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}
