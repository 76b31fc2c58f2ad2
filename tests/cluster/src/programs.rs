//! Turns places where PostgreSQL may be installed into its programs.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::user::User;

/// Where Debian has them, by version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A folder with the programs of a server, and who runs them.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    pub(crate) user: Option<User>,
}

impl Programs {
    pub(crate) fn find() -> io::Result<Self> {
        let given = env::var_os("ROLLCALL_TEST_POSTGRES_BIN").map(PathBuf::from);
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = given.into_iter().chain(debian()).chain(env::split_paths(&path));
        let found = folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists());
        let none = || {
            let text = "no PostgreSQL server is installed here: install one (`make postgres`), or say where its programs \
                        are in ROLLCALL_TEST_POSTGRES_BIN, or name a running server in ROLLCALL_TEST_POSTGRES";
            io::Error::new(io::ErrorKind::NotFound, text)
        };
        Ok(Self { folder: found.ok_or_else(none)?, user: User::needed()? })
    }

    /// The program called `name`, run by who may run it, in a folder that they may be in.
    pub(crate) fn command(&self, name: &str, within: &Path) -> Command {
        let mut command = Command::new(self.folder.join(name));
        if let Some(user) = self.user {
            user.runs(&mut command);
        }
        command.current_dir(within).env_clear().env("PATH", &self.folder).env("LC_ALL", "C");
        command
    }

    /// Runs the program, which must succeed.
    pub(crate) fn run(&self, name: &str, within: &Path, arguments: &[&str]) -> io::Result<()> {
        let output = self.command(name, within).args(arguments).output()?;
        if output.status.success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        Err(io::Error::other(format!("{name} failed: {told}")))
    }
}

/// The newest version first.
fn debian() -> Vec<PathBuf> {
    let entries = Path::new(DEBIAN).read_dir().into_iter().flatten().flatten();
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let mut versions: Vec<_> = entries.map(|entry| entry.path()).filter(|path| version(path).is_some()).collect();
    versions.sort_by_key(version);
    versions.into_iter().rev().map(|version| version.join("bin")).collect()
}
