//! Turns every mapper of this workspace into a component that tests and servers can load. Building this crate builds them.
//!
//! To add a mapper: add a folder with a package `mapper-<folder>`; it appears in [`MAPPERS`] by itself.

use std::fs;
use std::io;
use std::path::Path;

/// Every mapper: its folder's name and where its component is.
pub const MAPPERS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// The mapper that attacks the sandbox; only tests want it.
pub const HOSTILE: &str = "hostile";

/// The component of the mapper called `name`.
pub fn component(name: &str) -> io::Result<Vec<u8>> {
    let found = MAPPERS.iter().find(|(one, _)| *one == name);
    let (_, path) = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no mapper of this name"))?;
    fs::read(path)
}

/// Copies every partner's component into `folder` as `<partner>.wasm`, which is where a server looks for them.
pub fn copy_to(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, path) in MAPPERS.iter().filter(|(name, _)| *name != HOSTILE) {
        // A running server may be reading the old one: replace it whole.
        let beside = folder.join(format!("{name}.wasm.part"));
        fs::copy(path, &beside)?;
        fs::rename(beside, folder.join(format!("{name}.wasm")))?;
    }
    Ok(())
}
