//! Turns the name of a file into its text: from a folder on the disk, or from files in memory, as those of a bundle are.
//!
//! Whoever reads a description need not know which of the two it is; what is told of it has the same places in both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes of one file of a description.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Files in memory, by their names relative to the folder that they stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// What stands before their names where something is told of them.
    pub called: PathBuf,
    /// The files. Names have `/` between their steps.
    pub by_name: BTreeMap<String, Vec<u8>>,
}

/// Where the files of a description are.
#[derive(Debug, Clone, Copy)]
pub enum Folder<'f> {
    /// On the disk.
    Disk(&'f Path),
    /// In memory.
    Memory(&'f Files),
}

impl Folder<'_> {
    /// The path that a file is told by.
    pub fn path(&self, relative: &Path) -> PathBuf {
        match self {
            Self::Disk(folder) => folder.join(relative),
            Self::Memory(files) => files.called.join(relative),
        }
    }

    /// The text of a file, or why it cannot be read.
    pub(super) fn text(&self, relative: &Path) -> Result<String, String> {
        let bytes = match self {
            Self::Disk(folder) => on_disk(&folder.join(relative))?,
            Self::Memory(files) => files.get(relative).ok_or("cannot be read: entity not found")?.to_vec(),
        };
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(too_large());
        }
        String::from_utf8(bytes).map_err(|error| format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
    }

    /// Whether a file is really in here: a link may lead elsewhere. `None` where it is not there at all.
    pub(super) fn holds(&self, relative: &Path) -> Option<bool> {
        match self {
            Self::Memory(files) => files.get(relative).map(|_| true),
            Self::Disk(folder) => {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                let (folder, file) = (folder.canonicalize().ok()?, folder.join(relative).canonicalize().ok()?);
                Some(file.starts_with(&folder))
            }
        }
    }
}

impl Files {
    fn get(&self, relative: &Path) -> Option<&[u8]> {
        self.by_name.get(relative.to_str()?).map(Vec::as_slice)
    }
}

fn on_disk(path: &Path) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| format!("cannot be read: {}", error.kind());
    if std::fs::metadata(path).map_err(told)?.len() > FILE_BYTES_MAX {
        return Err(too_large());
    }
    std::fs::read(path).map_err(told)
}

fn too_large() -> String {
    format!("larger than {FILE_BYTES_MAX} bytes")
}
