//! Turns a YAML file, the environment and the command line into a checked [`Config`].
//!
//! What is said later wins: default, file, environment (`ROLLCALL_…`), command line. Only what differs from machine to
//! machine can be said outside the file; who may do what is said in one place.
//!
//! To add a setting: a documented field with a default here, a line in `rollcall.example.yaml`, and, if it differs
//! from machine to machine, an argument in [`Overrides`]. `BLESS=1 cargo test -p rollcall` renews the schema.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rollcall_core::bundle::PublicKey;
use rollcall_core::hold::Thresholds;
use rollcall_core::limits::Limits;
use rollcall_core::map::{Profile, Profiles};
use rollcall_core::retention::Retention;
use rollcall_core::store::postgres::PostgresOptions;
use rollcall_core::store::sqlite::SqliteOptions;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::credential::CredentialDigest;
use crate::database::DatabaseUrl;
use crate::terms::WebhookSecrets;
use crate::webhook::guard::Destination;

/// Everything that a server can be told.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// What links in answers start with. Without it: what the caller used.
    pub public_url: Option<String>,
    /// Where everything is kept: `sqlite:<file>`, or `postgres://<user>@<host>/<database>`.
    pub database_url: DatabaseUrl,
    /// How an SQLite file is used.
    pub sqlite: SqliteOptions,
    /// How a PostgreSQL database is used.
    pub postgres: PostgresOptions,
    /// One folder per partner, and `canonical/`.
    pub schemas_dir: PathBuf,
    /// `<partner>.wasm` files.
    pub mappers_dir: PathBuf,
    /// What mappers may do.
    pub mappers: Mappers,
    /// Compiled mappers are kept here from one start to the next; without it they are compiled at every start.
    pub cache_dir: Option<PathBuf>,
    /// Private folder in which what is rebuilt is folded, for as long as that takes.
    pub scratch_dir: PathBuf,
    /// What the log looks like.
    pub log: Log,
    /// What is measured.
    pub metrics: Measured,
    /// Where traces are sent to.
    pub traces: Traces,
    /// The key that credential digests are made with, at least 32 characters.
    pub credential_key: Secret,
    /// Every limit of the runtime.
    pub limits: Limits,
    /// What is sent to subscribers.
    pub webhooks: Webhooks,
    /// Where further versions of partners may come from.
    pub bundles: Bundles,
    /// For how long what was stored is kept; a connection may say something else for itself.
    pub retention: Retention,
    /// From where on a change set waits for an operator; a connection may say something else for itself.
    pub hold: Thresholds,
    /// Who owns data, by name.
    pub tenants: BTreeMap<Name, Tenant>,
    /// Who may do everything, by name: the digests of their tokens.
    pub operators: BTreeMap<Name, Vec<CredentialDigest>>,
}

/// What mappers may do.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mappers {
    /// Partners whose mappers may import something, and which profile serves it: `{library: wasi}`. All others are `pure`.
    /// Each of their connections has to permit it, too: `mapper_profile`.
    pub profiles: BTreeMap<Name, Profile>,
}

/// What the log looks like.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// What is logged, as in `RUST_LOG`: `info,rollcall_core=debug`.
    pub filter: String,
}

/// What is measured.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Measured {
    /// Whether figures tell tenants and connections apart. With thousands of connections that is too much for most who
    /// collect it; then figures tell partners apart.
    pub per_connection: bool,
    /// How often is looked at what waits in the database, in seconds.
    pub sample_seconds: u64,
}

/// Where traces are sent to: OpenTelemetry's protocol over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// The collector's address, `http://127.0.0.1:4318/v1/traces`. Without it no traces are sent.
    pub endpoint: Option<String>,
    /// Headers that let us in there.
    pub headers: BTreeMap<String, Secret>,
    /// What we are called there.
    pub service_name: String,
    /// How many of the traces that begin here are sent, from 0 to 1. Of those that callers began, they decide.
    pub sampling_ratio: f64,
    /// Which spans and lines of the log are sent, as in `RUST_LOG`.
    pub filter: String,
    /// Spans that wait to be sent; further ones are dropped.
    pub spans_queued_max: usize,
    /// Spans that are sent at a time.
    pub spans_per_export_max: usize,
    /// How often they are sent, in seconds.
    pub export_seconds: u64,
    /// How long sending may take, in milliseconds.
    pub export_timeout_ms: u64,
}

/// For whom the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// What is sent to subscribers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Where may be sent to though it is not public: networks (`10.20.0.0/16`), addresses, and names of hosts. Whoever may
    /// subscribe reaches these through this server.
    pub allow: Vec<Destination>,
}

/// Where further versions of partners may come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bundles {
    /// Whose signatures are trusted: public keys, as `rollcall bundle key` prints them.
    pub keys: Vec<PublicKey>,
    /// Whether a bundle must be signed by one of them. What `schemas_dir` and `mappers_dir` hold need not be.
    pub require_signature: bool,
    /// A folder that is watched for bundles (`*.rcb`). Without it none is.
    pub dir: Option<PathBuf>,
    /// What becomes of a bundle that appears there and is good.
    pub policy: BundlePolicy,
    /// How often is looked there, in seconds.
    pub poll_seconds: u64,
}

/// What becomes of a bundle that appears in the folder that is watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BundlePolicy {
    /// It is kept, so that an operator can plan and apply it.
    #[default]
    Keep,
    /// It becomes active, unless it has been before.
    Apply,
}

/// Someone who owns data.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// Who may read it, by name: the digests of their tokens.
    pub readers: BTreeMap<Name, Vec<CredentialDigest>>,
    /// Who may send to it, by name.
    pub connections: BTreeMap<Name, Connection>,
}

/// A partner system that sends data of one tenant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Which description and mapper it uses.
    pub partner: Name,
    /// The digests of the credentials that it may send with.
    pub credentials: Vec<CredentialDigest>,
    /// What the partner's description lets a connection choose.
    #[serde(default = "no_options")]
    pub options: Value,
    /// For how long what it sends is kept, where that is another time than for everyone.
    #[serde(default)]
    pub retention: Retention,
    /// From where on what it sends waits for an operator, where that is not as for everyone.
    #[serde(default)]
    pub hold: Thresholds,
    /// What the mapper may import that what it sends is mapped by: `pure` (nothing), or `wasi`, where `mappers.profiles` has
    /// that for the partner.
    #[serde(default)]
    pub mapper_profile: Profile,
    /// The numbers of the secrets that its webhooks are signed with; two, while one takes the place of the other.
    #[serde(default)]
    pub webhook_secrets: WebhookSecrets,
}

/// A short name: letters, digits, `.`, `-` and `_`, at most 64 of them, led by a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Name(#[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))] String);

/// A text that no log and no error may show.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

/// What the environment and the command line can change.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "ROLLCALL_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// What links in answers start with, `https://rollcall.example.org`
    #[arg(long, env = "ROLLCALL_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Database, `sqlite:<file>` or `postgres://<user>@<host>/<database>`; a password is better given in the environment
    #[arg(long, env = "ROLLCALL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<DatabaseUrl>,
    /// Folder of the descriptions
    #[arg(long, env = "ROLLCALL_SCHEMAS_DIR", value_name = "DIR")]
    pub schemas_dir: Option<PathBuf>,
    /// Folder of the mappers (`<partner>.wasm`)
    #[arg(long, env = "ROLLCALL_MAPPERS_DIR", value_name = "DIR")]
    pub mappers_dir: Option<PathBuf>,
    /// Private folder for compiled mappers
    #[arg(long, env = "ROLLCALL_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// What the log looks like
    #[arg(long, env = "ROLLCALL_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What is logged, `info,rollcall_core=debug`
    #[arg(long, env = "ROLLCALL_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Key that credential digests are made with (only by environment: a command line is public)
    #[arg(skip)]
    pub credential_key: Option<Secret>,
}

/// The environment variable that holds the credential key.
pub const CREDENTIAL_KEY_VARIABLE: &str = "ROLLCALL_CREDENTIAL_KEY";

/// The environment variable that holds what `rollcall push` sends to be let in.
const CREDENTIAL_VARIABLE: &str = "ROLLCALL_CREDENTIAL";

/// Fewest characters of a credential key.
const KEY_CHARACTERS_MIN: usize = 32;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or cannot be read.
    #[error("failed to read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not say what it should. The message of the parser shows the place.
    #[error("the configuration {} is not valid:\n{message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Place and reason.
        message: String,
    },
    /// There is no key, or a weak one.
    #[error("`credential_key` needs at least {KEY_CHARACTERS_MIN} characters (or set {CREDENTIAL_KEY_VARIABLE})")]
    WeakKey,
    /// Two things share one credential, so that nobody could tell who is calling.
    #[error("one credential digest stands at both {first} and {second}")]
    SharedCredential {
        /// Where it stands first.
        first: String,
        /// Where it stands again.
        second: String,
    },
}

impl Config {
    /// Reads a file and lets `overrides` win over it.
    pub fn load(path: &Path, overrides: Overrides) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text)
            .map_err(|error| ConfigError::Invalid { path: path.to_owned(), message: error.to_string() })?;
        config.apply(overrides);
        if config.credential_key.expose().chars().count() < KEY_CHARACTERS_MIN {
            return Err(ConfigError::WeakKey);
        }
        Ok(config)
    }

    /// Reads the text of a file.
    fn parse(text: &str) -> Result<Self, serde_yaml::Error> {
        serde_yaml::from_str(text)
    }

    /// Lets `overrides` win.
    pub fn apply(&mut self, overrides: Overrides) {
        fn set<T>(setting: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *setting = value;
            }
        }
        set(&mut self.listen, overrides.listen);
        set(&mut self.database_url, overrides.database_url);
        set(&mut self.schemas_dir, overrides.schemas_dir);
        set(&mut self.mappers_dir, overrides.mappers_dir);
        set(&mut self.log.format, overrides.log_format);
        set(&mut self.log.filter, overrides.log);
        set(&mut self.credential_key, overrides.credential_key);
        self.public_url = overrides.public_url.or(self.public_url.take());
        self.cache_dir = overrides.cache_dir.or(self.cache_dir.take());
    }

    /// Which partners' mappers may import something.
    pub fn profiles(&self) -> Profiles {
        self.mappers.profiles.iter().map(|(partner, profile)| (partner.as_str().to_owned(), *profile)).collect()
    }

    /// Every connection with its tenant's and its own name.
    pub fn connections(&self) -> impl Iterator<Item = (&Name, &Name, &Connection)> {
        self.tenants.iter().flat_map(|(tenant, of)| of.connections.iter().map(move |(name, is)| (tenant, name, is)))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            database_url: "sqlite:rollcall.db".to_owned().into(),
            sqlite: SqliteOptions::default(),
            postgres: PostgresOptions::default(),
            schemas_dir: PathBuf::from("schemas"),
            mappers_dir: PathBuf::from("target/mappers"),
            mappers: Mappers::default(),
            cache_dir: None,
            scratch_dir: PathBuf::from("rollcall-scratch"),
            log: Log::default(),
            metrics: Measured::default(),
            traces: Traces::default(),
            credential_key: Secret::default(),
            limits: Limits::default(),
            webhooks: Webhooks::default(),
            bundles: Bundles::default(),
            retention: Retention::default(),
            hold: Thresholds::default(),
            tenants: BTreeMap::new(),
            operators: BTreeMap::new(),
        }
    }
}

impl Default for Bundles {
    fn default() -> Self {
        let policy = BundlePolicy::default();
        Self { keys: Vec::new(), require_signature: false, dir: None, policy, poll_seconds: 5 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Pretty, filter: "info".to_owned() }
    }
}

impl Default for Measured {
    fn default() -> Self {
        Self { per_connection: true, sample_seconds: 10 }
    }
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: BTreeMap::new(),
            service_name: "rollcall".to_owned(),
            sampling_ratio: 1.0,
            filter: "info,rollcall_core::costs=debug".to_owned(),
            spans_queued_max: 4_096,
            spans_per_export_max: 512,
            export_seconds: 5,
            export_timeout_ms: 10_000,
        }
    }
}

impl Overrides {
    /// Adds what may only come from the environment.
    #[must_use]
    pub fn with_environment(mut self) -> Self {
        self.credential_key = std::env::var(CREDENTIAL_KEY_VARIABLE).ok().map(Secret);
        self
    }
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
        if text.len() <= 64 && text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.chars().all(plain)
        {
            Ok(Self(text))
        } else {
            Err("a name is made of letters, digits, `.`, `-` and `_`, at most 64, led by a letter or digit")
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Secret {
    /// The text itself: only for those who need it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What `rollcall push` sends to be let in. Only from the environment: a command line is public.
pub fn credential_from_environment() -> Option<Secret> {
    std::env::var(CREDENTIAL_VARIABLE).ok().map(Secret)
}

/// What a connection chooses that chooses nothing.
fn no_options() -> Value {
    Value::Object(serde_json::Map::new())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Config, ConfigError, Name, Overrides, Secret};

    const EXAMPLE: &str = include_str!("../rollcall.example.yaml");

    #[test]
    fn the_example_says_what_the_defaults_are() {
        let example = Config::parse(EXAMPLE).unwrap();
        let default = Config::default();
        assert_eq!(example.limits, default.limits);
        assert_eq!(example.listen, default.listen);
        assert_eq!(example.database_url, default.database_url);
        assert_eq!((&example.sqlite, &example.postgres), (&default.sqlite, &default.postgres));
        assert_eq!(example.connections().count(), 1);
    }

    #[test]
    fn the_schema_is_fresh() {
        let schema = schemars::schema_for!(Config);
        let fresh = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.schema.json");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), fresh, "run the tests with BLESS=1");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let cases = [
            ("listne: 127.0.0.1:1\n", "listne"),
            ("tenants: {'a b': {}}\n", "letters, digits"),
            ("tenants:\n  a:\n    connections:\n      c: {partner: p, credentials: [abc]}\n", "64 hexadecimal digits"),
            ("limits: {body_bytes_max: many}\n", "body_bytes_max"),
            ("tenants: {a: {}, a: {}}\n", "duplicate"),
        ];
        for (text, expected) in cases {
            let message = Config::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(message.contains("line"), "{message}");
        }
    }

    #[test]
    fn a_weak_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.yaml");
        std::fs::write(&path, "credential_key: short\n").unwrap();
        assert!(matches!(Config::load(&path, Overrides::default()), Err(ConfigError::WeakKey)));
        let key = Some(Secret::from("k".repeat(32)));
        assert!(Config::load(&path, Overrides { credential_key: key, ..Overrides::default() }).is_ok());
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = Config { credential_key: Secret::from("hush".to_owned()), ..Config::default() };
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn names_cannot_be_mistaken() {
        for bad in ["", "-a", "a\nb", "a/b", "é"] {
            assert!(Name::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
