//! A server with its data, for one test process.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::database::Database;
use crate::programs::Programs;
use crate::watchdog::Watchdog;

/// Who may do everything.
const USER: &str = "rollcall";

/// How often another port is tried, where someone else takes the one that was free a moment ago.
const PORTS_MAX: u32 = 5;

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether it waits for the disk. Only the end of the machine makes a difference; the end of the server does not.
    pub fsync: bool,
    /// How many may be connected at a time.
    pub connections_max: u32,
    /// More lines for `postgresql.conf`.
    pub lines: Vec<String>,
    /// Files beside it, by name: keys and certificates.
    pub files: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { fsync: true, connections_max: 200, lines: Vec::new(), files: Vec::new() }
    }
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// In order: connections are ended, everything is written.
    Fast,
    /// At once, as a crash would: it recovers from its log when it starts again.
    Immediate,
}

impl Stop {
    fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Immediate => "immediate",
        }
    }
}

/// A server that was started here. It goes, with all that it holds, when this is dropped or the process ends.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    password: String,
    _watchdog: Watchdog,
}

impl Cluster {
    /// Makes a server and starts it.
    pub fn start(settings: &Settings) -> io::Result<Self> {
        let password = password();
        Self::made(settings, password, |cluster| {
            let file = cluster.folder.join("password");
            private(&file)?.write_all(cluster.password.as_bytes())?;
            if let Some(user) = cluster.programs.user {
                user.owns(&file)?;
            }
            let (data, file) = (cluster.data(), file.display().to_string());
            let data = data.display().to_string();
            // The password is sent as it is: it never leaves the machine, and tests need not wait for a slow hash.
            cluster.run(
                "initdb",
                &[
                    "--no-sync",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--auth=password",
                    &format!("--username={USER}"),
                    &format!("--pwfile={file}"),
                    &format!("--pgdata={data}"),
                ],
            )
        })
    }

    /// Makes a server that follows this one: what is committed here is applied there, and it can be read. It calls itself
    /// `name` (for `synchronous_standby_names`). See [`Self::promote`].
    pub fn standby(&self, name: &str, settings: &Settings) -> io::Result<Self> {
        let primary =
            format!("host=127.0.0.1 port={} user={USER} password={} application_name={name}", self.port, self.password);
        Self::made(settings, self.password.clone(), |cluster| {
            let data = cluster.data().display().to_string();
            cluster.run(
                "pg_basebackup",
                &[
                    "--write-recovery-conf",
                    "--wal-method=stream",
                    "--checkpoint=fast",
                    "--no-sync",
                    &format!("--dbname={primary}"),
                    &format!("--pgdata={data}"),
                ],
            )
        })
    }

    fn made(
        settings: &Settings,
        password: String,
        make_data: impl FnOnce(&Self) -> io::Result<()>,
    ) -> io::Result<Self> {
        let programs = Programs::find()?;
        let folder = tempfile::Builder::new().prefix("rollcall-pg-").tempdir()?.keep();
        let watchdog = Watchdog::of(&folder)?;
        if let Some(user) = programs.user {
            user.owns(&folder)?;
        }
        let mut cluster = Self { programs, folder, port: 0, password, _watchdog: watchdog };
        make_data(&cluster)?;
        cluster.configure(settings)?;
        for left in (0..PORTS_MAX).rev() {
            match cluster.listen() {
                Err(_) if left > 0 => {}
                other => return other.map(|()| cluster),
            }
        }
        Err(io::Error::other("no port is free"))
    }

    fn configure(&self, settings: &Settings) -> io::Result<()> {
        let mut lines = vec![
            "listen_addresses = '127.0.0.1'".to_owned(),
            format!("unix_socket_directories = '{}'", self.folder.display()),
            format!("max_connections = {}", settings.connections_max),
            format!("fsync = {}", if settings.fsync { "on" } else { "off" }),
            "shared_buffers = 64MB".to_owned(),
            "hot_standby = on".to_owned(),
            // A standby looks for its primary as soon as it may, and sees at once that it is promoted.
            "wal_retrieve_retry_interval = 100ms".to_owned(),
        ];
        lines.extend(settings.lines.iter().cloned());
        for (name, contents) in &settings.files {
            let path = self.data().join(name);
            private(&path)?.write_all(contents.as_bytes())?;
            if let Some(user) = self.programs.user {
                user.owns(&path)?;
            }
        }
        self.add_settings(&lines)
    }

    /// Adds lines to `postgresql.conf`; the last line about a setting counts, from the next start or [`Self::reload`] on.
    pub fn add_settings(&self, lines: &[String]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.data().join("postgresql.conf"))?;
        writeln!(file, "{}", lines.join("\n"))
    }

    fn listen(&mut self) -> io::Result<()> {
        self.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        self.add_settings(&[format!("port = {}", self.port)])?;
        self.resume()
    }

    /// Stops the server; its data stay.
    pub fn stop(&self, how: Stop) -> io::Result<()> {
        self.control(&["stop", "--mode", how.word()])
    }

    /// Starts the server again that was stopped, or was killed, on the same port.
    pub fn resume(&self) -> io::Result<()> {
        let log = self.log().display().to_string();
        self.control(&["start", "--silent", "--log", &log]).map_err(|error| {
            let told = fs::read_to_string(self.log()).unwrap_or_default();
            io::Error::other(format!("{error}\n{told}"))
        })
    }

    /// Stops the server and starts it again.
    pub fn restart(&self, how: Stop) -> io::Result<()> {
        self.stop(how)?;
        self.resume()
    }

    /// Lets the server read its settings again.
    pub fn reload(&self) -> io::Result<()> {
        self.control(&["reload"])
    }

    /// Makes a standby a primary.
    pub fn promote(&self) -> io::Result<()> {
        self.control(&["promote"])
    }

    fn control(&self, arguments: &[&str]) -> io::Result<()> {
        let data = self.data().display().to_string();
        let with_data = [&["--wait", "--pgdata", data.as_str()], arguments].concat();
        // Its output goes nowhere: the server would hold a pipe as long as it runs.
        let mut command = self.programs.command("pg_ctl", &self.folder);
        let nowhere = std::process::Stdio::null;
        let status = command.args(with_data).stdin(nowhere()).stdout(nowhere()).stderr(nowhere()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("pg_ctl {} failed", arguments[0]))) }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<()> {
        self.programs.run(program, &self.folder, arguments)
    }

    /// A fresh, empty database in it.
    pub fn database(&self) -> io::Result<Database> {
        Database::made(self.url("postgres"), "", |name| self.url(name))
    }

    /// The URL of one of its databases; `postgres` is there from the beginning.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The same through its Unix socket.
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}:{}@{folder}:{}/{database}", self.password, self.port)
    }

    /// Where all of it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its data lie.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What it has to say.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The port that it listens at on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What its user is known by.
    pub fn password(&self) -> &str {
        &self.password
    }
}

/// One that nobody on the machine guesses while tests run.
fn password() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(24).collect()
}

fn private(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
