//! Builds every mapper beside this folder as a component without imports, and writes the table of them.
//!
//! The nested cargo has a target folder of its own, so that it never waits for the one that started it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() -> Result<(), Box<dyn Error>> {
    // `mappers/` holds the contract, the SDK and all guests; their types come from `schemas/`. A new one is named among
    // the workspace's members. What is in `templates` is not built here.
    for entry in fs::read_dir("..")?.chain(fs::read_dir("../../schemas")?) {
        let path = entry?.path();
        if !path.ends_with("templates") {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    println!("cargo::rerun-if-changed=../../Cargo.toml");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let names = names()?;
    build(&names, &out.join("guests"))?;
    let mut table = String::from("&[\n");
    for name in &names {
        let module =
            out.join("guests").join(TARGET).join("mapper").join(format!("mapper_{}.wasm", name.replace('-', "_")));
        let component = out.join(format!("{name}.wasm"));
        encode(&module, &component)?;
        writeln!(table, "    ({name:?}, {:?}),", component.display().to_string())?;
    }
    table.push(']');
    fs::write(out.join("table.rs"), table)?;
    Ok(())
}

/// The folders beside this one that hold a package called `mapper-<folder>` which can become a component.
fn names() -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir("..")? {
        let folder = entry?;
        let name = folder.file_name().to_string_lossy().into_owned();
        let manifest = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap_or_default();
        if manifest.contains(&format!("name = \"mapper-{name}\"")) && manifest.contains("\"cdylib\"") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn build(names: &[String], target_dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.args(["build", "--locked", "--lib", "--profile=mapper", "--target", TARGET, "--target-dir"]).arg(target_dir);
    for name in names {
        cargo.arg(format!("--package=mapper-{name}"));
    }
    // What the outer build is wrapped in or flagged with is not meant for the guests.
    for variable in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET"]
    {
        cargo.env_remove(variable);
    }
    if cargo.status()?.success() {
        return Ok(());
    }
    if !installed()? {
        println!("cargo::error=the target {TARGET} is not installed; run `rustup target add {TARGET}`");
    }
    Err("failed to build the mappers".into())
}

fn installed() -> Result<bool, Box<dyn Error>> {
    let rustc = env::var("RUSTC")?;
    let found = Command::new(rustc).args(["--print=target-libdir", "--target", TARGET]).output()?;
    Ok(Path::new(String::from_utf8(found.stdout)?.trim()).exists())
}

fn encode(module: &Path, component: &Path) -> Result<(), Box<dyn Error>> {
    let module = fs::read(module)?;
    let bytes = ComponentEncoder::default().module(&module)?.validate(true).encode()?;
    fs::write(component, bytes)?;
    Ok(())
}
