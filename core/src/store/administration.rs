//! What operators decide while servers run, as a store keeps it: versions of partners, which of them is active, connections
//! and readers that are set up, and a log of all of it.
//!
//! Nothing is overwritten but what a connection or a reader is now. A partner's activations are numbered from 1; each is made as the
//! successor of the last one that its maker knew, so that of two operators who decide at the same time one is refused.
//! What is active is what the last activation says.
//!
//! Every decision is a line of the log, in the same transaction. The number of the last line is the *generation*: a process
//! that knows another one than the store has to look again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{ConnectionName, StoreError};
use crate::bundle::VersionId;

/// A version that is stored. Its bundle is asked for by its id: [`Administration::bundle`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredVersion {
    /// What it is called by.
    pub id: VersionId,
    /// Its partner.
    pub partner: String,
    /// `info.version` of its description.
    pub name: String,
    /// When it was stored first.
    pub at: Timestamp,
}

/// A decision about which version is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Activation {
    /// The partner.
    pub partner: String,
    /// Its number among the partner's; one more than that of the one that it follows.
    pub number: i64,
    /// The connection that it is about, where it is not about all that have no version of their own.
    pub connection: Option<ConnectionName>,
    /// What is used from now on. None: nothing, or, by a connection, what all others use.
    pub version: Option<VersionId>,
    /// What was done.
    pub action: Action,
    /// When.
    pub at: Timestamp,
    /// The name of the operator who did, or of what did so by itself.
    pub who: String,
    /// The plan that it carries out.
    pub plan: Option<Uuid>,
}

/// What an activation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// What the folders hold that a server was started with becomes active.
    Start,
    /// A version becomes active.
    Apply,
    /// An earlier version becomes active again.
    Rollback,
    /// None is active any more.
    Disable,
    /// A connection has a version of its own.
    Pin,
    /// A connection uses what all others use.
    Unpin,
}

/// What is active now: what follows from all activations of a partner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Active {
    /// The number of the last activation; 0 where there is none.
    pub number: i64,
    /// The last activation that is about the partner, not about one connection.
    pub partner: Option<Activation>,
    /// Versions that connections have of their own.
    pub pins: BTreeMap<ConnectionName, VersionId>,
}

/// A connection that was set up while servers ran, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The tenant's name.
    pub tenant: String,
    /// Its name.
    pub connection: String,
    /// Counts what was decided about it, from 1.
    pub revision: i64,
    /// Its partner's name.
    pub partner: String,
    /// Its options.
    pub options: Value,
    /// Whether it may not send.
    pub disabled: bool,
    /// What it may send with.
    pub credentials: Vec<SetupCredential>,
    /// What else holds for it, in the words of a configuration. Where nothing is said, an older server reads what a newer
    /// one wrote.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub terms: Map<String, Value>,
}

/// Somebody who reads a tenant and was set up while servers ran, as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderSetup {
    /// The tenant's name.
    pub tenant: String,
    /// Their name.
    pub reader: String,
    /// Counts what was decided about them, from 1.
    pub revision: i64,
    /// Whether they may not read.
    pub disabled: bool,
    /// What they may read with.
    pub credentials: Vec<SetupCredential>,
}

/// One of the credentials of a connection or of a reader, as a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupCredential {
    /// The keyed digest, 64 hexadecimal digits.
    pub digest: String,
    /// Since when it is valid.
    pub since: Timestamp,
    /// Until when; for ever, where this is `None`.
    pub until: Option<Timestamp>,
}

/// What somebody did, for the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// The name of the operator, or of what did so by itself.
    pub who: String,
    /// What: `partner.apply`.
    pub what: String,
    /// To what, with what; never a secret.
    pub about: Value,
}

/// The plan of an upgrade, as it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredPlan {
    /// Its id: UUIDv7.
    pub id: Uuid,
    /// The partner.
    pub partner: String,
    /// The version that it is about.
    pub version: VersionId,
    /// The number of the partner's last activation when it was made.
    pub after: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub who: String,
    /// Whatever else it says.
    pub body: Value,
}

/// What operators decide.
#[async_trait]
pub trait Administration: Send + Sync {
    /// Keeps a version with its bundle; does nothing where it is there.
    async fn put_version(&self, version: &StoredVersion, bundle: &[u8]) -> Result<(), StoreError>;

    /// All versions, the first first.
    async fn versions(&self) -> Result<Vec<StoredVersion>, StoreError>;

    /// The bundle of a version.
    async fn bundle(&self, version: VersionId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Decides, durably, which version is used. [`StoreError::Stale`] where this does not follow the partner's last
    /// activation.
    async fn activate(&self, activation: &Activation) -> Result<(), StoreError>;

    /// All activations, those of each partner in their order.
    async fn activations(&self) -> Result<Vec<Activation>, StoreError>;

    /// Decides, durably, what a connection is. [`StoreError::Stale`] where this does not follow the last revision.
    async fn put_setup(&self, setup: &Setup, act: &Act) -> Result<(), StoreError>;

    /// All connections that were set up, by tenant and name.
    async fn setups(&self) -> Result<Vec<Setup>, StoreError>;

    /// Decides, durably, what a reader is. [`StoreError::Stale`] where this does not follow the last revision.
    async fn put_reader(&self, reader: &ReaderSetup, act: &Act) -> Result<(), StoreError>;

    /// All readers that were set up, by tenant and name.
    async fn readers(&self) -> Result<Vec<ReaderSetup>, StoreError>;

    /// Keeps a plan; one that is there is replaced.
    async fn put_plan(&self, plan: &StoredPlan) -> Result<(), StoreError>;

    /// A plan.
    async fn plan(&self, id: Uuid) -> Result<Option<StoredPlan>, StoreError>;

    /// The plans of a partner, the last first, at most `limit`.
    async fn plans(&self, partner: &str, limit: u32) -> Result<Vec<StoredPlan>, StoreError>;

    /// Adds a line to the log; says its number.
    async fn note_act(&self, act: &Act) -> Result<i64, StoreError>;

    /// The log before the line with this number, or from its end, the last first, at most `limit`.
    async fn acts(&self, before: Option<i64>, limit: u32) -> Result<Vec<(i64, Act)>, StoreError>;

    /// The number of the last line of the log; 0 where there is none.
    async fn generation(&self) -> Result<i64, StoreError>;
}

impl Action {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Disable => "disable",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
        }
    }
}

impl Active {
    /// What is active of each partner.
    pub fn all(activations: &[Activation]) -> BTreeMap<String, Self> {
        let mut all = BTreeMap::<_, Self>::new();
        for activation in activations {
            all.entry(activation.partner.clone()).or_default().follow(activation);
        }
        all
    }

    /// What is active of one partner.
    pub fn of(partner: &str, activations: &[Activation]) -> Self {
        let mut active = Self::default();
        for activation in activations.iter().filter(|activation| activation.partner == partner) {
            active.follow(activation);
        }
        active
    }

    /// What all connections use that have no version of their own.
    pub fn version(&self) -> Option<VersionId> {
        self.partner.as_ref().and_then(|activation| activation.version)
    }

    fn follow(&mut self, activation: &Activation) {
        self.number = activation.number;
        match (&activation.connection, activation.version) {
            (None, _) => self.partner = Some(activation.clone()),
            (Some(connection), Some(version)) => {
                self.pins.insert(connection.clone(), version);
            }
            (Some(connection), None) => {
                self.pins.remove(connection);
            }
        }
    }
}

impl Activation {
    /// The line of the log that tells of it.
    pub(in crate::store) fn act(&self) -> Act {
        let about = serde_json::json!({
            "partner": self.partner,
            "number": self.number,
            "connection": self.connection.as_ref().map(|(tenant, name)| format!("{tenant}/{name}")),
            "version": self.version,
            "plan": self.plan,
        });
        Act { at: self.at, who: self.who.clone(), what: format!("partner.{}", self.action.word()), about }
    }
}
