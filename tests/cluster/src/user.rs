//! Turns "not root" into the user that servers run as.

use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// Who may run a server where root may not, the best first.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// A user that is not root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Who servers run as; `None` where that is whoever runs the tests.
    pub(crate) fn needed() -> io::Result<Option<Self>> {
        if Path::new("/proc/self").metadata()?.uid() != 0 {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd")?;
        let found = NAMES.iter().find_map(|name| users.lines().find_map(|line| Self::of(name, line)));
        let none =
            || io::Error::new(io::ErrorKind::NotFound, "root may not run PostgreSQL, and there is no other user");
        found.map(Some).ok_or_else(none)
    }

    fn of(name: &str, line: &str) -> Option<Self> {
        let mut parts = line.split(':');
        let is_meant = parts.next() == Some(name);
        let (_password, uid, gid) = (parts.next()?, parts.next()?, parts.next()?);
        is_meant.then_some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    }

    /// Lets the user have `path`.
    pub(crate) fn owns(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }

    /// Lets the user run `command`.
    pub(crate) fn runs(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}
