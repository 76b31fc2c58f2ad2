//! Runs a program that listens: its first line on standard output says where, `listening on http://127.0.0.1:…`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::client::Client;

/// Log lines that are shown when a test fails.
const LAST_WORDS: usize = 20;

/// A running program and a client of it. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    client: Client,
    log: PathBuf,
}

impl Process {
    /// Starts `command` and waits until it says where it listens; what it says on standard error goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the folder is ours");
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().expect("the program is there");
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("its output is text");
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            panic!("it did not start:\n{}", fs::read_to_string(log).unwrap_or_default());
        };
        Self { child, client: Client::new(address), log: log.to_owned() }
    }

    /// Ends it as a power cut would: `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by its name: `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "it has ended already");
    }

    /// Waits until it ends by itself; says how it ended.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("it is ours")
    }

    /// The most memory that it had resident so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak.and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok()).unwrap_or_default() * 1_024
    }

    /// Forgets what it had so far: the most is what it has from now on.
    pub fn forget_peak_memory(&self) {
        let forget = format!("/proc/{}/clear_refs", self.child.id());
        fs::write(forget, "5").expect("it runs, and is ours");
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Deref for Process {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

#[expect(clippy::print_stdout, reason = "shown only by a failing test")]
impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            println!("its last words:\n{}", lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n"));
        }
    }
}
