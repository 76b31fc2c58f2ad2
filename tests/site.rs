//! A temporary folder with a configuration, mappers and a database, in which a server can be started, killed and started
//! again.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database::{Database, Kind};
use crate::process::Process;

/// How long a server may take from its start to its readiness.
const STARTUP: Duration = Duration::from_mins(2);

/// The key of all credential digests; see `server/src/credential.rs` for the recipe.
const CREDENTIAL_KEY: &str = "a key that only these tests use, for no data";

/// A place where a server runs.
#[derive(Debug)]
pub struct Site {
    place: Arc<Place>,
    program: PathBuf,
    /// What `rollcall.yaml` will say. Change it before the start.
    pub config: Value,
}

/// What a site keeps its data in.
#[derive(Debug)]
struct Place {
    database: Database,
    folder: TempDir,
}

/// A running server. Its folder and its database are there as long as it is.
#[derive(Debug)]
pub struct Server {
    process: Process,
    _place: Arc<Place>,
}

impl Site {
    /// An empty SQLite file; two tenants, `north` with the connections `school` and `annex`, `south` with `school`, each
    /// of `partner`; a reader of each tenant; an operator. Compiled mappers are kept in `cache` from test to test.
    pub fn new(program: &str, cache: &str, partner: &str) -> Self {
        Self::on(Kind::Sqlite, program, cache, partner)
    }

    /// The same on another kind of database.
    pub fn on(kind: Kind, program: &str, cache: &str, partner: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let database = Database::new(kind, folder.path());
        let connection = |name: &str| json!({ "partner": partner, "credentials": [digest(name)] });
        let config = json!({
            "listen": "127.0.0.1:0",
            "database_url": database.url(),
            "schemas_dir": project().join("schemas"),
            "mappers_dir": folder.path().join("mappers"),
            "scratch_dir": folder.path().join("scratch"),
            "cache_dir": Path::new(cache).join("mapper-cache"),
            "log": { "format": "json" },
            "metrics": { "sample_seconds": 1 },
            "hold": { "enabled": false },
            "credential_key": CREDENTIAL_KEY,
            "tenants": {
                "north": {
                    "readers": { "reader": [digest("north-reader")] },
                    "connections": { "school": connection("north-school"), "annex": connection("north-annex") },
                },
                "south": {
                    "readers": { "reader": [digest("south-reader")] },
                    "connections": { "school": connection("south-school") },
                },
            },
            "operators": { "operator": [digest("operator")] },
        });
        let site = Self { place: Arc::new(Place { database, folder }), program: program.into(), config };
        mapper_artifacts::copy_to(&site.path().join("mappers")).expect("the folder is ours");
        site
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.place.folder.path()
    }

    /// The database file; there is none where the data are in a server.
    pub fn database(&self) -> PathBuf {
        self.path().join("rollcall.db")
    }

    /// What is stored, whatever holds it.
    pub fn stored(&self) -> &Database {
        &self.place.database
    }

    /// Puts a component in place of a partner's mapper.
    pub fn put_mapper(&self, partner: &str, component: &[u8]) {
        let path = self.path().join("mappers").join(format!("{partner}.wasm"));
        fs::write(path, component).expect("the folder is ours");
    }

    /// Gives the site its own copy of all descriptions, to be changed; says where.
    pub fn copy_schemas(&mut self) -> PathBuf {
        let copy = self.path().join("schemas");
        copy_folder(&project().join("schemas"), &copy);
        self.config["schemas_dir"] = json!(copy);
        copy
    }

    /// Sets one option of a connection of the tenant `north`.
    pub fn set_option(&mut self, connection: &str, option: &str, value: Value) {
        self.config["tenants"]["north"]["connections"][connection]["options"][option] = value;
    }

    /// Starts a server and waits until it is ready.
    pub fn start(&self) -> Server {
        self.start_another("log")
    }

    /// Starts one more server on the same database, which logs to `log`, and waits until it is ready.
    pub fn start_another(&self, log: &str) -> Server {
        let process = Process::start(&mut self.serve(), &self.path().join(log));
        let server = Server { process, _place: Arc::clone(&self.place) };
        let start = Instant::now();
        while server.get("/readyz", "").status != 200 {
            assert!(start.elapsed() < STARTUP, "the server does not get ready");
            std::thread::yield_now();
        }
        server
    }

    /// Starts a server that cannot start; says what it says.
    pub fn start_expecting_failure(&self) -> String {
        let output = self.serve().output().expect("the program is built before tests");
        assert!(!output.status.success(), "the server started and ended well");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Writes the configuration; says where.
    pub fn write_config(&self) -> PathBuf {
        let config = self.path().join("rollcall.yaml");
        fs::write(&config, self.config.to_string()).expect("the folder is ours");
        config
    }

    fn serve(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(self.write_config());
        command
    }
}

impl Server {
    /// Ends it as a power cut would: `kill -9`.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Waits until it ends by itself; says how it ended.
    pub fn ended(self) -> ExitStatus {
        self.process.ended()
    }
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// The digest of a credential, as it stands in a configuration.
pub fn digest(credential: &str) -> String {
    let key = blake3::derive_key("rollcall credential digest v1", CREDENTIAL_KEY.as_bytes());
    blake3::keyed_hash(&key, credential.as_bytes()).to_hex().to_string()
}

/// The project's folder.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the project")
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder is ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is there").path();
        let target = to.join(path.file_name().expect("entries have names"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("the folder is ours");
        }
    }
}
