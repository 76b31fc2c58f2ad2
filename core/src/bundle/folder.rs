//! Turns a partner's folder on the disk into the files that its bundle holds: all of them, but those that are hidden.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::limits::BundleLimits;

/// Folders in folders.
const DEPTH_MAX: usize = 8;

/// Why a folder cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A folder or file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something that is no file, or has a name that is no text, or is too deep.
    #[error("{} cannot be packed: only plain files can, {DEPTH_MAX} folders deep", path.display())]
    Odd {
        /// What.
        path: PathBuf,
    },
    /// There is too much.
    #[error("{} has more than {most} {of} (`{limit}`)", path.display())]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// The limit.
        most: u64,
        /// Of what.
        of: &'static str,
        /// Its name.
        limit: &'static str,
    },
}

/// The files in `folder`, by their names in there.
pub fn read_folder(folder: &Path, limits: &BundleLimits) -> Result<BTreeMap<String, Vec<u8>>, FolderError> {
    let mut walk = Walk { folder, limits, files: BTreeMap::new(), bytes: 0 };
    walk.go("", 0)?;
    Ok(walk.files)
}

struct Walk<'w> {
    folder: &'w Path,
    limits: &'w BundleLimits,
    files: BTreeMap<String, Vec<u8>>,
    bytes: u64,
}

impl Walk<'_> {
    /// Reads what is in a folder; `inside` is its name with a `/` behind it, or nothing.
    fn go(&mut self, inside: &str, depth: usize) -> Result<(), FolderError> {
        let folder = self.folder.join(inside);
        let failed = |source| FolderError::Read { path: folder.clone(), source };
        for entry in folder.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let name = entry.file_name().into_string().map_err(|_| FolderError::Odd { path: path.clone() })?;
            if name.starts_with('.') {
                continue;
            }
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && depth < DEPTH_MAX {
                self.go(&format!("{inside}{name}/"), depth + 1)?;
            } else if kind.is_file() {
                self.take(format!("{inside}{name}"), path)?;
            } else {
                return Err(FolderError::Odd { path });
            }
        }
        Ok(())
    }

    fn take(&mut self, name: String, path: PathBuf) -> Result<(), FolderError> {
        let bytes = std::fs::read(&path).map_err(|source| FolderError::Read { path, source })?;
        self.bytes += bytes.len() as u64;
        self.files.insert(name, bytes);
        let too_large = |most, of, limit| FolderError::TooLarge { path: self.folder.to_owned(), most, of, limit };
        if self.files.len() > self.limits.files_max {
            return Err(too_large(self.limits.files_max as u64, "files", "bundle.files_max"));
        }
        if self.bytes > self.limits.unpacked_bytes_max {
            return Err(too_large(self.limits.unpacked_bytes_max, "bytes", "bundle.unpacked_bytes_max"));
        }
        Ok(())
    }
}
