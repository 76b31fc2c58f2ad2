//! Turns a mapper's WebAssembly module into a component: `rollcall-componentize MODULE COMPONENT`.
//!
//! A program of its own, so that the server does not carry what only builds need. `rollcall mapper build` has Cargo run it.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context as _, bail};
use wit_component::ComponentEncoder;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, component] = arguments.as_slice() else { bail!("usage: rollcall-componentize MODULE COMPONENT") };
    let bytes = fs::read(module).with_context(|| format!("failed to read {}", module.display()))?;
    let encoded = ComponentEncoder::default().module(&bytes)?.validate(true).encode()?;
    // A running server may be reading the old one: replace it whole.
    let beside = component.with_extension("wasm.part");
    fs::write(&beside, encoded).with_context(|| format!("failed to write {}", beside.display()))?;
    fs::rename(&beside, component).with_context(|| format!("failed to write {}", component.display()))
}
