//! Turns the end of this process, by whatever, into the end of a server.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Waits for the end of its input, which no other process holds; then kills the server and removes its folder.
const SCRIPT: &str = r#"
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
tries=0
while test -f "$1/data/postmaster.pid" && kill -0 "$pid" 2>/dev/null && test $tries -lt 100; do
    tries=$((tries + 1))
    sleep 0.1
done
rm -rf "$1"
"#;

/// Whoever ends with this process, in a group of its own so that what interrupts this one does not end it before.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { pipe: child.stdin.take(), child })
    }
}

impl Drop for Watchdog {
    /// Lets it do its work, and waits for that.
    fn drop(&mut self) {
        drop(self.pipe.take());
        _ = self.child.wait();
    }
}
