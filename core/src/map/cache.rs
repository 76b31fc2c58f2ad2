//! Turns a component into compiled code once per machine: keeps the code in a private folder, keyed by the component's
//! digest and by everything of the engine that the code depends on.
//!
//! Compiled code is loaded as it is, so nobody else may write it. The folder belongs to this user alone, and every file
//! opens with the digest of its content: what is damaged or of another engine is compiled anew.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Digest;

/// Bytes of a [`Digest`] at the head of every file.
const HEAD: usize = 32;

/// A folder of compiled components.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens the folder, or makes it. Refuses one that others can write to.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mode = fs::metadata(folder)?.mode();
        if mode & 0o077 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder must be private (mode 0700)"));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The compiled component, from the folder if it is there. A folder that cannot be written to costs time, no more.
    pub(super) fn component(&self, engine: &Engine, bytes: &[u8], digest: Digest) -> wasmtime::Result<Component> {
        let file = self.folder.join(format!("{digest}-{:016x}.cwasm", fingerprint(engine)));
        if let Some(component) = read(engine, &file) {
            return Ok(component);
        }
        let code = engine.precompile_component(bytes)?;
        if let Err(error) = write(&file, &code) {
            tracing::warn!(%error, "failed to keep a compiled mapper; it will be compiled again");
        }
        load(engine, &code)
    }
}

/// Everything of the engine that compiled code depends on: its version, its settings, this processor.
fn fingerprint(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

fn read(engine: &Engine, file: &Path) -> Option<Component> {
    let kept = fs::read(file).ok()?;
    let (head, code) = kept.split_at_checked(HEAD)?;
    if Digest::of(code).as_bytes() != head {
        tracing::warn!("a compiled mapper in the cache is damaged; it will be compiled again");
        return None;
    }
    load(engine, code).ok()
}

/// Writes beside the file first, so that nobody ever reads half of it.
fn write(file: &Path, code: &[u8]) -> io::Result<()> {
    let beside = file.with_extension(format!("{}.part", std::process::id()));
    let mut open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    open.write_all(Digest::of(code).as_bytes())?;
    open.write_all(code)?;
    open.sync_all()?;
    fs::rename(beside, file)
}

#[expect(unsafe_code, reason = "compiled code can only be loaded as it is; see below for why it is ours")]
fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` comes from `Engine::precompile_component`, either just now or from a file that was written by
    // `write` into a folder that only this user can write to, and whose digest was checked. Code of another engine or
    // version is refused by wasmtime.
    unsafe { Component::deserialize(engine, code) }
}
