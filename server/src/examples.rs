//! Finds a partner's examples: payloads, each with what it must become beside it.
//!
//! Those right in `examples/` belong to the first operation that takes records, those in `examples/<operationId>/` to
//! that operation. Those in `examples/records/` say what is stored, where clients write records one by one: lists of them
//! by the names of their types. What stands in `<name>.before.json` is sent before `<name>.json`.

use std::io;
use std::path::{Path, PathBuf};

use rollcall_core::description::{Operation, Partner};

/// The folder of a partner's folder.
const FOLDER: &str = "examples";

/// What the name of an expected result ends with.
const EXPECTED: &str = "expected.json";

/// What the name of what is sent before ends with.
const BEFORE: &str = "before.json";

/// A payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The `operationId` of what it is sent to.
    pub operation: String,
    /// The payload.
    pub file: PathBuf,
    /// What is sent before it.
    pub before: Option<PathBuf>,
}

/// Why there are no examples.
#[derive(Debug, thiserror::Error)]
pub enum ExamplesError {
    /// A folder or a file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder is called like no operation that takes records.
    #[error("{} belongs to no operation that takes records; there are: {known}", path.display())]
    Nobodys {
        /// The folder.
        path: PathBuf,
        /// The operations that do.
        known: String,
    },
}

impl Example {
    /// All examples of a partner, whose files are in `folder`; sorted by operation, then by name.
    pub fn all(folder: &Path, partner: &Partner) -> Result<Vec<Self>, ExamplesError> {
        let folder = folder.join(FOLDER);
        let taking: Vec<_> = partner.operations.iter().filter(|operation| takes_records(operation)).collect();
        let mut all = Vec::new();
        if let Some(first) = taking.first() {
            all.extend(of(&first.id, &folder)?);
        }
        let known: Vec<_> =
            taking.into_iter().chain(&partner.records_by_type).map(|operation| operation.id.as_str()).collect();
        for path in entries(&folder)?.into_iter().filter(|path| path.is_dir()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !known.contains(&name) {
                return Err(ExamplesError::Nobodys { known: known.join(", "), path });
            }
            all.extend(of(name, &path)?);
        }
        Ok(all)
    }

    /// Where stands what it must become.
    pub fn expected(&self) -> PathBuf {
        self.file.with_extension(EXPECTED)
    }

    /// What is sent before it, and itself.
    pub fn read(&self) -> Result<(Option<Vec<u8>>, Vec<u8>), ExamplesError> {
        let before = self.before.as_deref().map(read).transpose()?;
        Ok((before, read(&self.file)?))
    }
}

fn takes_records(operation: &Operation) -> bool {
    operation.body.is_some() && operation.verb.changes().is_some()
}

/// The examples right in a folder.
fn of(operation: &str, folder: &Path) -> Result<Vec<Example>, ExamplesError> {
    let is_payload = |path: &PathBuf| {
        let name = path.to_string_lossy();
        path.is_file() && name.ends_with(".json") && !name.ends_with(EXPECTED) && !name.ends_with(BEFORE)
    };
    let files = entries(folder)?.into_iter().filter(is_payload);
    let example = |file: PathBuf| {
        let before = Some(file.with_extension(BEFORE)).filter(|before| before.is_file());
        Example { operation: operation.to_owned(), file, before }
    };
    Ok(files.map(example).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ExamplesError> {
    let failed = |source| ExamplesError::Read { path: folder.to_owned(), source };
    let paths = folder.read_dir().map_err(failed)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<u8>, ExamplesError> {
    std::fs::read(path).map_err(|source| ExamplesError::Read { path: path.to_owned(), source })
}
