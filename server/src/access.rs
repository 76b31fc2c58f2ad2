//! Turns a caller's credential into a [`Principal`]: who it is, and so what it may do.
//!
//! Three roles, never mixed: a connection sends, a reader reads one tenant, an operator does everything.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rollcall_core::erasure::Marks;
use rollcall_core::ingest::{Loaded, Sender};
use rollcall_core::map::Profile;
use rollcall_core::retention::Retention;
use rollcall_core::store::administration::{ReaderSetup, Setup, SetupCredential};

use crate::config::{Config, ConfigError};
use crate::credential::{CredentialDigest, Keyring};
use crate::terms::{Terms, WebhookSecrets};

/// Everyone that the configuration knows.
#[derive(Debug)]
pub struct Access {
    keyring: Keyring,
    known: HashMap<CredentialDigest, Principal>,
    tenants: Vec<String>,
    connections: Vec<Arc<Connection>>,
    readers: Vec<Reader>,
    /// When the next credential ends.
    ends: Option<Timestamp>,
}

/// Who calls.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A partner system.
    Connection(Arc<Connection>),
    /// Someone who reads one tenant.
    Reader {
        /// The tenant's name.
        tenant: String,
    },
    /// Someone who does everything.
    Operator {
        /// The operator's name.
        name: String,
    },
}

/// Somebody who may read a tenant.
#[derive(Debug)]
pub struct Reader {
    /// The tenant's name.
    pub tenant: String,
    /// Their name.
    pub name: String,
    /// Whether they may not read.
    pub disabled: bool,
    /// Whether they were set up while servers ran, and do not stand in the configuration's file.
    pub is_set_up: bool,
}

/// A partner system that may send.
#[derive(Debug)]
pub struct Connection {
    /// Its partner's name.
    pub partner: String,
    /// Where what it sends belongs.
    pub sender: Sender,
    /// For how long what it sends is kept.
    pub retention: Retention,
    /// What the mapper may import that what it sends is mapped by.
    pub mapper_profile: Profile,
    /// What its webhooks are signed with.
    pub webhook_secrets: WebhookSecrets,
    /// Whether it may not send.
    pub disabled: bool,
    /// Whether it was set up while servers ran, and does not stand in the configuration's file.
    pub is_set_up: bool,
}

impl Connection {
    /// Whether what it sends may be mapped by this version.
    pub fn permits(&self, loaded: &Loaded) -> bool {
        loaded.mapper.profile() <= self.mapper_profile
    }
}

impl Access {
    /// Everyone in `config`.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Self::with(config, &[], &[], Timestamp::MIN)
    }

    /// Everyone in `config`, and the connections and readers that were set up beside, as they are `now`. What stands in the
    /// configuration counts where both say something.
    pub fn with(
        config: &Config,
        setups: &[Setup],
        readers: &[ReaderSetup],
        now: Timestamp,
    ) -> Result<Self, ConfigError> {
        let mut book = Book::default();
        let mut access = Self::of_file(config, &mut book)?;
        for setup in setups {
            access.add(config, setup, &mut book, now);
        }
        for reader in readers {
            access.add_reader(reader, &mut book, now);
        }
        Ok(Self { known: book.known, ..access })
    }

    /// Everyone in `config`; what they are known by is in the book.
    fn of_file(config: &Config, book: &mut Book) -> Result<Self, ConfigError> {
        let (mut connections, mut readers) = (Vec::new(), Vec::new());
        for (name, digests) in &config.operators {
            let operator = Principal::Operator { name: name.to_string() };
            book.add(&format!("operators.{name}"), digests, &operator)?;
        }
        for (tenant, of) in &config.tenants {
            for (name, digests) in &of.readers {
                let reader = Principal::Reader { tenant: tenant.to_string() };
                book.add(&format!("tenants.{tenant}.readers.{name}"), digests, &reader)?;
                let (tenant, name) = (tenant.to_string(), name.to_string());
                readers.push(Reader { tenant, name, disabled: false, is_set_up: false });
            }
        }
        for (tenant, name, connection) in config.connections() {
            let sender = Sender {
                tenant: tenant.to_string(),
                connection: name.to_string(),
                options: Arc::new(connection.options.clone()),
                thresholds: Arc::new(connection.hold.clone().or(&config.hold)),
            };
            let retention = connection.retention.or(config.retention);
            let partner = connection.partner.to_string();
            let sending = Arc::new(Connection {
                partner,
                sender,
                retention,
                mapper_profile: connection.mapper_profile,
                webhook_secrets: connection.webhook_secrets.clone(),
                disabled: false,
                is_set_up: false,
            });
            let place = format!("tenants.{tenant}.connections.{name}");
            book.add(&place, &connection.credentials, &Principal::Connection(Arc::clone(&sending)))?;
            connections.push(sending);
        }
        let tenants = config.tenants.keys().map(ToString::to_string).collect();
        let keyring = Keyring::new(&config.credential_key);
        Ok(Self { keyring, known: HashMap::new(), tenants, connections, readers, ends: None })
    }

    /// Adds a connection that was set up, as far as nothing in the configuration is against it.
    fn add(&mut self, config: &Config, setup: &Setup, book: &mut Book, now: Timestamp) {
        let Setup { tenant, connection, partner, options, disabled, credentials, terms, .. } = setup;
        if self.connection(tenant, connection).is_some() {
            tracing::warn!(tenant, connection, "was set up, and stands in the configuration, which counts");
            return;
        }
        let Ok(terms) = Terms::parse(terms) else {
            tracing::error!(tenant, connection, "was set up on terms that this version does not know, and is left out");
            return;
        };
        if !self.tenants.contains(tenant) {
            self.tenants.push(tenant.clone());
        }
        let options = Arc::new(options.clone());
        let sending = Arc::new(Connection {
            partner: partner.clone(),
            sender: Sender {
                tenant: tenant.clone(),
                connection: connection.clone(),
                options,
                thresholds: Arc::new(terms.hold.or(&config.hold)),
            },
            retention: terms.retention.or(config.retention),
            mapper_profile: terms.mapper_profile,
            webhook_secrets: terms.webhook_secrets,
            disabled: *disabled,
            is_set_up: true,
        });
        let principal = Principal::Connection(Arc::clone(&sending));
        self.know(&format!("the connection {tenant}/{connection}"), credentials, &principal, book, now);
        self.connections.push(sending);
    }

    /// Adds a reader who was set up, unless the configuration has one of that name. Who is disabled is known to nobody.
    fn add_reader(&mut self, setup: &ReaderSetup, book: &mut Book, now: Timestamp) {
        let ReaderSetup { tenant, reader, disabled, credentials, .. } = setup;
        if self.readers.iter().any(|of| of.tenant == *tenant && of.name == *reader) {
            tracing::warn!(tenant, reader, "was set up, and stands in the configuration, which counts");
            return;
        }
        if !disabled {
            let principal = Principal::Reader { tenant: tenant.clone() };
            self.know(&format!("the reader {tenant}/{reader}"), credentials, &principal, book, now);
        }
        let (tenant, name) = (tenant.clone(), reader.clone());
        self.readers.push(Reader { tenant, name, disabled: *disabled, is_set_up: true });
    }

    /// Adds what somebody who was set up calls with, as far as it is valid `now`.
    fn know(
        &mut self,
        place: &str,
        credentials: &[SetupCredential],
        principal: &Principal,
        book: &mut Book,
        now: Timestamp,
    ) {
        for credential in credentials.iter().filter(|credential| credential.until.is_none_or(|until| until > now)) {
            let digest = CredentialDigest::try_from(credential.digest.clone());
            if !matches!(digest.map(|digest| book.add(place, &[digest], principal)), Ok(Ok(()))) {
                tracing::error!("a credential of {place} cannot be used");
            }
            self.ends = self.ends.into_iter().chain(credential.until).min();
        }
    }

    /// The digest of a credential.
    pub fn digest(&self, credential: &str) -> CredentialDigest {
        self.keyring.digest(credential)
    }

    /// When somebody may do something no more that it may do now.
    pub fn ends(&self) -> Option<Timestamp> {
        self.ends
    }

    /// Whose credential this is.
    pub fn principal(&self, credential: &str) -> Option<&Principal> {
        self.known.get(&self.keyring.digest(credential))
    }

    /// What marks those who are erased; nobody so far.
    pub fn marks(&self) -> Marks {
        self.keyring.marks()
    }

    /// The connection called `name` of `tenant`.
    pub fn connection(&self, tenant: &str, name: &str) -> Option<&Arc<Connection>> {
        self.connections.iter().find(|of| of.sender.tenant == tenant && of.sender.connection == name)
    }

    /// All connections.
    pub fn connections(&self) -> &[Arc<Connection>] {
        &self.connections
    }

    /// All readers.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// All tenants' names.
    pub fn tenants(&self) -> &[String] {
        &self.tenants
    }
}

/// Collects principals, and where each credential was first seen.
#[derive(Default)]
struct Book {
    known: HashMap<CredentialDigest, Principal>,
    places: HashMap<CredentialDigest, String>,
}

impl Book {
    fn add(&mut self, place: &str, digests: &[CredentialDigest], principal: &Principal) -> Result<(), ConfigError> {
        for digest in digests {
            if let Some(first) = self.places.insert(*digest, place.to_owned()) {
                return Err(ConfigError::SharedCredential { first, second: place.to_owned() });
            }
            self.known.insert(*digest, principal.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Principal};
    use crate::config::{Config, ConfigError, Secret};
    use crate::credential::Keyring;

    fn config(yaml: &str) -> Config {
        let key = Secret::from("k".repeat(32));
        let keyring = Keyring::new(&key);
        let mut text = yaml.to_owned();
        for word in ["OPS", "READ", "SEND"] {
            text = text.replace(word, &keyring.digest(word).to_string());
        }
        Config { credential_key: key, ..serde_yaml::from_str(&text).unwrap() }
    }

    #[test]
    fn each_credential_names_its_role() {
        let access = Access::new(&config(
            "operators: {o: [OPS]}\ntenants: {t: {readers: {r: [READ]}, connections: {c: {partner: p, credentials: [SEND]}}}}",
        ))
        .unwrap();
        assert!(matches!(access.principal("OPS"), Some(Principal::Operator { name }) if name == "o"));
        assert!(matches!(access.principal("READ"), Some(Principal::Reader { tenant }) if tenant == "t"));
        let Some(Principal::Connection(connection)) = access.principal("SEND") else { panic!("no connection") };
        assert_eq!((connection.partner.as_str(), connection.sender.connection.as_str()), ("p", "c"));
        assert!(access.principal("send").is_none());
    }

    #[test]
    fn one_credential_cannot_be_two_callers() {
        let shared = config("operators: {o: [OPS]}\ntenants: {t: {readers: {r: [OPS]}}}");
        let error = Access::new(&shared).unwrap_err();
        assert!(matches!(error, ConfigError::SharedCredential { .. }));
        assert!(error.to_string().contains("tenants.t.readers.r"));
    }
}
