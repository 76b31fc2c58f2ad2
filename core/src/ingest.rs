//! The one place that knows all stages: takes a received body through validation, cutting, mapping, folding, planning
//! and commit, and says what became of it.
//!
//! The order of work is what keeps a payload safe: it is being kept while it is being mapped, nothing is applied before
//! it is kept, and records, entities, feed and the delivery's report change in one transaction or not at all.
//! What is wrong with a payload is a [`Report`]; what is wrong with us is an [`IngestError`].
//!
//! To add a stage: give it a module of its own above this one, and call it from [`Work`].

mod aside;
mod erase;
mod explain;
mod held;
mod hold;
mod keeping;
mod known;
mod logic;
mod mapping;
mod payload;
mod pieces;
mod rebuild;
pub mod remap;
mod resource;
mod sparse;
mod trial;
mod webhook;
mod work;
mod written;

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

pub use self::erase::{ERASE, EraseError, Erased};
pub use self::explain::{Because, Explanation, Recalled, weigh};
use self::hold::Holding;
use self::known::Known;
use self::payload::check;
pub use self::rebuild::{Difference, Different, Folded, REBUILD, Rebuild, removal};
pub use self::remap::REMAP;
pub use self::resource::given;
pub use self::trial::Trial;
use self::work::{Keeping, Work};
pub use self::written::{Written, WrittenRecord};
use crate::bundle::VersionId;
use crate::canonical::Canonical;
use crate::clock::Clock;
use crate::costs::{Costs, Stage};
pub use crate::delivery::Asked;
use crate::delivery::{Entry, Outcome, Received, Report};
use crate::description::{Operation, Partner};
use crate::digest::Digest;
use crate::hold::Thresholds;
use crate::identity::Namespace;
use crate::json::Json;
use crate::limits::Limits;
use crate::map::Mapper;
use crate::parcel::Content;
use crate::store::{Connection, Finish, Store, StoreError};

/// One loaded version of a partner: its description and its mapper. Never changed, only replaced.
#[derive(Debug)]
pub struct Loaded {
    /// The description.
    pub partner: Partner,
    /// The mapper.
    pub mapper: Mapper,
    /// What this version is called by.
    pub version: VersionId,
}

/// Who sends: what the credential named.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// The connection's options, checked against the description.
    pub options: Arc<Value>,
    /// From where on what it sends waits for an operator.
    pub thresholds: Arc<Thresholds>,
}

/// What became of a delivery, and of each record in it as far as that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingested {
    /// What is stored with the delivery.
    pub report: Report,
    /// One entry per record sent, in the payload's order; empty where the operation checks a payload only as a whole.
    pub entries: Vec<Entry>,
    /// The outcome of each entry, without looking at whom its record waits for.
    pub changes: Vec<Outcome>,
    /// What each entry's record says, canonical JSON: as it was sent, its new state where it was accepted.
    pub bodies: Vec<Content<'static>>,
    /// What the records said that a snapshot or a clearing removed, canonical JSON.
    pub removed: Vec<Vec<u8>>,
    /// The delivery that said the same and is held: this one is that one, and was not kept.
    pub held_as: Option<Uuid>,
}

impl Ingested {
    /// What became of a delivery of which there is nothing to tell record by record.
    pub fn whole(report: Report) -> Self {
        Self {
            report,
            entries: Vec::new(),
            changes: Vec::new(),
            bodies: Vec::new(),
            removed: Vec::new(),
            held_as: None,
        }
    }
}

/// Takes deliveries through all stages.
pub struct Ingest {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The kinds of entity.
    pub canonical: Arc<Canonical>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// The limits.
    pub limits: Limits,
    /// Who is told what the work costs.
    meter: Arc<dyn Meter>,
    /// Who has sent before.
    known: Known,
}

/// Is told what the work on deliveries costs.
pub trait Meter: Send + Sync {
    /// The work on a delivery of `partner` has ended, well or not.
    fn spent(&self, sender: &Sender, partner: &str, costs: &Costs);
}

/// Does not want to know.
impl Meter for () {
    fn spent(&self, _: &Sender, _: &str, _: &Costs) {}
}

/// Why a delivery could not be worked on; what is wrong with the payload is in the [`Report`] instead.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The store failed.
    #[error("failed to store the delivery")]
    Store(#[from] StoreError),
    /// The task that keeps the body ended without an answer.
    #[error("failed to keep the delivery's body")]
    Keep(#[source] tokio::task::JoinError),
}

/// How often a plan is made anew because another process committed to the same connection meanwhile. The first time is in
/// the hope that nobody does; from then on the others are kept from it, so that it does not depend on luck who succeeds.
const ATTEMPTS_MAX: usize = 5;

impl Ingest {
    /// Takes deliveries into `store`.
    pub fn new(store: Arc<dyn Store>, canonical: Arc<Canonical>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self { store, canonical, clock, limits, meter: Arc::new(()), known: Known::default() }
    }

    /// The same, with somebody who is told what the work costs.
    #[must_use]
    pub fn metered(self, meter: Arc<dyn Meter>) -> Self {
        Self { meter, ..self }
    }

    /// Works on a body that `operation` (which must change records) was called with, and keeps it unless it is kept
    /// already (`received.queued`). With `dry_run` nothing is stored and the report says what would have become of it.
    ///
    /// One delivery of a connection at a time. Must run on a thread that may block: most of it is computing.
    pub async fn run(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        operation: &Operation,
        received: Received,
        dry_run: bool,
    ) -> Result<Ingested, IngestError> {
        let connection = self.connect(sender, loaded).await?;
        let body = received.body.clone().unwrap_or_default();
        let work = self.work(sender, loaded, operation, &received, dry_run);
        let done = work.run(connection, body, received).await;
        self.meter.spent(sender, &loaded.partner.name, &work.costs);
        done
    }

    /// One delivery, about to be worked on.
    fn work<'w>(
        &'w self,
        sender: &'w Sender,
        loaded: &'w Loaded,
        operation: &'w Operation,
        received: &Received,
        dry_run: bool,
    ) -> Work<'w> {
        let options = options_text(&sender.options);
        let mapping = self.mapping(loaded, &options);
        Work {
            ingest: self,
            sender,
            loaded,
            operation,
            namespace: Namespace::of(&sender.tenant, &sender.connection),
            delivery: received.id,
            received_at: received.at,
            sha256: received.sha256,
            setting: Digest::of_parts([mapping.as_bytes().as_slice(), operation.id.as_bytes()]),
            mapping,
            options,
            dry_run: dry_run || operation.dry_run,
            fate: None,
            queued: received.queued,
            holding: Holding::of(operation),
            costs: Arc::default(),
        }
    }

    /// Digest of all that mapping a record depends on beside the record.
    fn mapping(&self, loaded: &Loaded, options: &[u8]) -> Digest {
        let parts = [loaded.mapper.digest(), loaded.partner.digest, self.canonical.digest(), Digest::of(options)];
        Digest::of_parts(parts.iter().map(|digest| digest.as_bytes().as_slice()))
    }

    /// Whether a body can be acknowledged before it is worked on: it is JSON, what is around its records is as
    /// described, and its conditions hold. Stores nothing.
    pub fn check(&self, operation: &Operation, options: &Value, body: &[u8]) -> Result<(), Box<Report>> {
        check(operation, options, body, &self.limits, &Costs::default()).map(drop)
    }

    /// Keeps a delivery that is worked on when its turn comes; from then on it survives the end of the process.
    pub async fn enqueue(&self, sender: &Sender, loaded: &Loaded, received: &Received) -> Result<(), IngestError> {
        let costs = Costs::default();
        let connecting = self.known.connection(&*self.store, sender, &loaded.partner.name);
        let connection = costs.stage_of(Stage::Look, connecting).await?;
        let kept = costs.stage_of(Stage::Keep, self.store.receive(&connection, received)).await;
        self.meter.spent(sender, &loaded.partner.name, &costs);
        Ok(kept?)
    }

    /// Keeps a delivery that was found wanting before its body was looked at (a missing header, a body that is too
    /// large), with the report that says so.
    pub async fn reject(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        received: Received,
        report: &Report,
    ) -> Result<Uuid, IngestError> {
        let connection = self.known.connection(&*self.store, sender, &loaded.partner.name).await?;
        let id = received.id;
        self.store.conclude(&connection, &received, self.clock.now(), report, Finish::Synced).await?;
        Ok(id)
    }

    /// The connection as it is when everything that calls have written is committed.
    async fn connect(&self, sender: &Sender, loaded: &Loaded) -> Result<Connection, StoreError> {
        self.store.committed().await?;
        self.store.connection(&sender.tenant, &sender.connection, &loaded.partner.name).await
    }

    /// Starts keeping the body, on a thread of its own: compressing and syncing go on beside the mapping.
    fn keep(&self, connection: Connection, received: Received, costs: &Arc<Costs>) -> Keeping {
        let (store, costs) = (Arc::clone(&self.store), Arc::clone(costs));
        let (runtime, span) = (tokio::runtime::Handle::current(), tracing::Span::current());
        let work = async move { costs.stage_of(Stage::Keep, store.receive(&connection, &received)).await };
        Keeping::Beside(tokio::task::spawn_blocking(move || span.in_scope(|| runtime.block_on(work))))
    }
}

/// The options as canonical JSON: the same options are the same bytes.
fn options_text(options: &Value) -> Vec<u8> {
    const DEPTH_MAX: u32 = 64;
    let text = options.to_string();
    Json::parse(text.as_bytes(), DEPTH_MAX).map_or_else(|_| text.clone().into_bytes(), |json| json.to_bytes())
}
