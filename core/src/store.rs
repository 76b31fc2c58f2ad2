//! Keeps everything: deliveries with their bodies, foreign records with their contributions, canonical entities with
//! their place in the feed. [`Store`] is what the pipeline needs of a database,
//! [`read::Reader`] what is asked of it; nothing else knows SQL.
//!
//! A [`Commit`] is one transaction: records, entities, feed and the delivery's report, or none of them.

pub mod administration;
pub mod archive;
mod backlog;
mod body;
#[cfg(test)]
mod conformance;
mod contributors;
mod error;
mod finish;
mod fitting;
mod hold;
mod inbox;
pub mod keep;
mod migration;
mod packed;
#[cfg(test)]
mod plans;
pub mod postgres;
mod process;
mod quarantine;
pub mod read;
mod selected;
mod send;
mod sql;
pub mod sqlite;
mod stored;
pub mod tally;
mod trouble;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::broadcast;
use uuid::Uuid;

pub use self::backlog::{Backlog, Usage, Waiting};
pub use self::error::StoreError;
pub use self::finish::{Fate, Finish};
pub use self::fitting::{fit, is_fit};
pub use self::hold::Hold;
pub use self::process::{ConnectionName, Held, Signal};
pub use self::send::{Attempt, DueSend, NewSend, SendClaim, SendOutcome, Subscription};
pub use self::trouble::Trouble;
use crate::canonical::{Canonical, KindId};
use crate::delivery::{Applied, Entry, Outcome, Received, Report};
use crate::description::{Partner, RecordTypeId, Selection};
use crate::digest::Digest;
use crate::table::{Cell, Column};

/// A foreign record's number within its connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub i64);

/// A connection as the store knows it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its number in the database.
    pub id: i64,
    /// Its tenant's number, which leads it in every table that can be distributed.
    pub tenant_id: i64,
    /// Its tenant's name.
    pub tenant: String,
    /// Its name within the tenant.
    pub name: String,
    /// Its partner's name.
    pub partner: String,
    /// Counts its commits. A commit that was planned on an older generation is refused.
    pub generation: i64,
    /// The next free [`RecordId`].
    pub next_record: i64,
    /// How many active entities it has, per kind, by name.
    pub active: BTreeMap<String, u64>,
    /// The last applied snapshot, if any.
    pub applied: Option<Applied>,
    /// Whether anything that it sent waits for an operator.
    pub has_held: bool,
    /// What keeps others from committing to it: see [`Store::hold`].
    pub hold: Hold,
}

/// A stored record, as far as planning needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRecord {
    /// Its number.
    pub id: RecordId,
    /// What it is.
    pub of: RecordTypeId,
    /// Its key.
    pub key: String,
    /// What it was when it was last mapped well; `None` if it has to be mapped again whatever it is now.
    pub digest: Option<Digest>,
    /// Whether it waits for something that it refers to, or waited for too long.
    pub waits: bool,
    /// When that what it says was true, in microseconds since 1970, where its partner tells.
    pub as_of: Option<i64>,
}

/// A stored entity, as far as planning needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEntity {
    /// Digest of its folded fields.
    pub digest: Digest,
    /// Whether it is `active`; else `tobedeleted`.
    pub active: bool,
    /// Whether all its contributions say the same.
    pub uniform: bool,
    /// The records that contribute to it; the first is the one with the smallest key. Empty when it is not active.
    pub contributors: Vec<RecordId>,
}

/// What each of some records says in the members that were asked for.
pub type Values = Vec<(RecordId, Vec<Option<String>>)>;

/// What to do with one foreign record.
#[derive(Debug)]
pub enum RecordStep<'a> {
    /// Write it, new or over the one with the same id.
    Put(RecordRow<'a>),
    /// It is absent from a complete payload: delete it.
    Remove(RecordTypeId, RecordId),
}

/// A record to be written.
#[derive(Debug)]
pub struct RecordRow<'a> {
    /// What it is.
    pub of: RecordTypeId,
    /// Its number.
    pub id: RecordId,
    /// Whether there is no row of it yet.
    pub new: bool,
    /// Its key.
    pub key: &'a str,
    /// See [`HeldRecord::digest`].
    pub digest: Option<Digest>,
    /// Canonical JSON.
    pub ancestors: &'a [u8],
    /// One per column of its table.
    pub cells: Vec<Cell<'a>>,
    /// Members that its schema does not know, as a canonical JSON object; `None` if there are none.
    pub unknown: Option<String>,
    /// Its encoded contributions; `None` keeps those that are stored, because the new ones are not good.
    pub contributions: Option<Cow<'a, [u8]>>,
    /// See [`HeldRecord::as_of`].
    pub as_of: Option<i64>,
}

/// What to do about a record that waits, or waited, for something that it refers to. What is not spoken of stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitStep {
    /// It waits from now on (or goes on waiting: then nothing but what it waits for changes).
    Wait {
        /// What it is.
        of: RecordTypeId,
        /// Its number.
        record: RecordId,
        /// What it waits for: the name of a reference, or of a kind of entity.
        for_what: String,
        /// When it has waited too long; never, where this is `None`.
        until: Option<Timestamp>,
        /// The line of this delivery's log that tells of it.
        entry: Option<u32>,
    },
    /// It waits no longer. The line of a log that told that it waits tells this now, unless it is gone.
    Linked {
        /// Its number.
        record: RecordId,
        /// What became of it.
        outcome: Outcome,
    },
}

/// A connection that has queued deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// How many deliveries are queued.
    pub length: u64,
    /// When the oldest of them was received.
    pub oldest: Timestamp,
}

/// A record that is gone, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// What it was.
    pub of: RecordTypeId,
    /// Its key.
    pub key: String,
    /// When that was true what deleted it, in microseconds since 1970.
    pub as_of: i64,
}

/// A delivery that was acknowledged and has not been worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its id.
    pub delivery: Uuid,
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// The partner's name.
    pub partner: String,
    /// The operation that it came by.
    pub operation: String,
    /// When it was received.
    pub at: Timestamp,
    /// How often it has been begun.
    pub attempts: u32,
    /// SHA-256 of its body.
    pub sha256: [u8; 32],
    /// Its body.
    pub body: Vec<u8>,
}

/// What to do with one canonical entity.
#[derive(Debug)]
pub enum EntityStep<'a> {
    /// Write it and give it the next place in the feed.
    Put(EntityRow<'a>),
    /// Other records contribute now, but it says the same: no place in the feed.
    Relink(EntityLink),
    /// Nobody speaks of it any more: mark it `tobedeleted`, at the next place in the feed.
    Retire(KindId, Uuid),
}

/// A step, and its place in the feed among all that a commit changes there, from 0.
pub type Placed<'a> = (i64, EntityStep<'a>);

/// What happens to records and entities, made piece by piece while it is written.
pub trait Pieces: fmt::Debug + Send + Sync {
    /// How many pieces of records there are.
    fn records_count(&self) -> usize;

    /// What happens to the records of a piece, none of which is removed.
    fn records(&self, piece: usize) -> Result<Vec<RecordStep<'_>>, StoreError>;

    /// How many pieces of entities there are.
    fn entities_count(&self) -> usize;

    /// How many pieces of entities may be in memory together; at least one.
    fn entities_together(&self) -> usize;

    /// What happens to the entities of a piece.
    fn entities(&self, piece: usize) -> Result<Vec<Placed<'_>>, StoreError>;

    /// How many places in the feed they take in all.
    fn changes(&self) -> i64;
}

/// Who contributes to an entity.
#[derive(Debug)]
pub struct EntityLink {
    /// Its kind.
    pub kind: KindId,
    /// Its id.
    pub sourced_id: Uuid,
    /// See [`HeldEntity::uniform`].
    pub uniform: bool,
    /// See [`HeldEntity::contributors`].
    pub contributors: Vec<RecordId>,
}

/// An entity to be written.
#[derive(Debug)]
pub struct EntityRow<'a> {
    /// Who contributes, and which entity it is.
    pub link: EntityLink,
    /// Whether there is no row of it yet.
    pub new: bool,
    /// The partner's own id.
    pub source_id: Cow<'a, str>,
    /// Digest of the folded fields.
    pub digest: Digest,
    /// One per field of its kind.
    pub cells: Vec<Cell<'a>>,
}

/// One transaction.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The connection, as it was when this was planned.
    pub connection: &'a Connection,
    /// The delivery that caused it.
    pub delivery: Uuid,
    /// When; becomes `dateLastModified` of what changes.
    pub at: Timestamp,
    /// The next free record number afterwards.
    pub next_record: i64,
    /// See [`Connection::active`], afterwards.
    pub active: BTreeMap<String, u64>,
    /// What may be skipped from now on.
    pub applied: Option<Applied>,
    /// What happens to foreign records.
    pub records: Vec<RecordStep<'a>>,
    /// Which records are gone since when, where the partner tells; they are removed among `records`.
    pub gone: Vec<Gone>,
    /// Which records wait from now on, and which no longer.
    pub waits: Vec<WaitStep>,
    /// The delivery's log, one line per record sent; empty where the partner keeps none.
    pub entries: &'a [Entry],
    /// What happens to canonical entities, in the order of the feed.
    pub entities: Vec<EntityStep<'a>>,
    /// What happens beside to records and entities that are many, made while others are being written.
    pub pieces: Option<&'a dyn Pieces>,
    /// What the delivery's report says.
    pub report: &'a Report,
    /// The delivery itself, where it is kept in this very transaction and not before.
    pub received: Option<&'a Received>,
    /// The last numbers that were given out, by what they number.
    pub numbers: Vec<(String, i64)>,
    /// What subscribers are to be told.
    pub sends: Vec<NewSend>,
    /// How far it is when [`Store::commit`] returns.
    pub finish: Finish<'a>,
    /// Whether the records stay the words of the deliveries that they came by, because nobody sent them.
    pub keeps_origins: bool,
}

/// A question for the records whose members have one of these values each.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    /// Members of which a record's value must be among those listed; a list member must hold one of them.
    pub members: Vec<(String, Vec<serde_json::Value>)>,
    /// At most so many, the oldest first.
    pub limit: Option<u64>,
}

/// A database: what the pipeline needs, and what readers ask.
pub trait Storage: Store + read::Reader {}

impl<T: Store + read::Reader> Storage for T {}

/// What the pipeline needs of a database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates or extends the tables of all canonical kinds. Only ever adds.
    async fn prepare_canonical(&self, canonical: &Canonical) -> Result<(), StoreError>;

    /// Creates or extends the tables of a partner's records. Only ever adds: other versions may be at work.
    async fn prepare_partner(&self, partner: &Partner) -> Result<(), StoreError>;

    /// Drops the indexes of a partner's records that none of these versions declares, which are all that are in use.
    async fn tidy_partner(&self, versions: &[&Partner]) -> Result<(), StoreError>;

    /// The columns that the tables of a partner's records have so far, by the place of the record type; see [`fit`].
    async fn stored_columns(&self, partner: &Partner) -> Result<Vec<Option<Vec<Column>>>, StoreError>;

    /// The connection called `name` of `tenant`, made if it is new.
    async fn connection(&self, tenant: &str, name: &str, partner: &str) -> Result<Connection, StoreError>;

    /// The connection as it is now. Nobody else commits to it until something that was planned on this is committed, or
    /// this and all its copies are gone: for who has planned in vain, because others were faster.
    async fn hold(&self, connection: &Connection) -> Result<Connection, StoreError>;

    /// Keeps a payload durably: when this returns, it survives the end of the process.
    async fn receive(&self, connection: &Connection, received: &Received) -> Result<(), StoreError>;

    /// Ends a delivery that changes nothing (rejected, unchanged, failed), with its log. Refused where this process is
    /// not, or no longer, at it.
    async fn settle(&self, delivery: Uuid, at: Timestamp, report: &Report, entries: &[Entry])
    -> Result<(), StoreError>;

    /// Keeps a payload that changes nothing, with the report that says why. Where it becomes part of a transaction that is
    /// left [open](Finish::Open), [`StoreError::Stale`] if the connection is not what it was when that was found.
    async fn conclude(
        &self,
        connection: &Connection,
        received: &Received,
        at: Timestamp,
        report: &Report,
        finish: Finish<'_>,
    ) -> Result<(), StoreError> {
        if let Finish::Open(_) = finish {
            let now = self.connection(&connection.tenant, &connection.name, &connection.partner).await?;
            if now.generation != connection.generation {
                return Err(StoreError::Stale);
            }
        }
        self.receive(connection, received).await?;
        self.settle(received.id, at, report, &[]).await
    }

    /// The connections that have queued deliveries.
    async fn queues(&self) -> Result<Vec<Queue>, StoreError>;

    /// Takes on what one connection has queued, the one first that was taken on longest ago, and none that any process
    /// is at, nor those of `except`.
    async fn claim_queue(
        &self,
        now: Timestamp,
        except: &[ConnectionName],
    ) -> Result<Option<ConnectionName>, StoreError>;

    /// Leaves what a connection has queued to whoever takes it on next.
    async fn give_back(&self, tenant: &str, connection: &str) -> Result<(), StoreError>;

    /// The queued delivery of a connection that was received first; none, where another process took the queue on.
    async fn next_queued(&self, tenant: &str, connection: &str) -> Result<Option<Queued>, StoreError>;

    /// Counts, durably, that a queued delivery is begun: who brings the process down each time is found out so.
    async fn begin(&self, delivery: Uuid) -> Result<(), StoreError>;

    /// Takes back that a queued delivery was begun, if it still is this process's: the machine kept it from being worked
    /// on, and not what it says.
    async fn unbegin(&self, delivery: Uuid) -> Result<(), StoreError>;

    /// Says how far a queued delivery is: how many records it holds, and how many of these are known to be bad.
    async fn progress(&self, delivery: Uuid, sent: u64, errors: u64) -> Result<(), StoreError>;

    /// Quarantines what has waited too long: the record waits for ever, the line of a log that told that it waits
    /// tells this (with the code `quarantined`), and its delivery has one error more. Says how many.
    async fn quarantine_expired(&self, at: Timestamp) -> Result<u64, StoreError>;

    /// Whether other processes may work on the same database.
    fn is_shared(&self) -> bool;

    /// Works for this process from now on, which counts as ended at `until` unless it says before that it is still
    /// there, by calling this again. What is received, claimed and ended from now on is this process's.
    async fn join(&self, process: Uuid, until: Timestamp) -> Result<(), StoreError>;

    /// Takes back what processes had begun that are gone: whose time was over at `ended`, or that nobody knows. What
    /// they were answering is marked as interrupted at `at`; what they had claimed is anybody's. Says how many
    /// deliveries were interrupted; queued ones stay.
    async fn bury(&self, ended: Timestamp, at: Timestamp) -> Result<u64, StoreError>;

    /// Lets go of what this process claimed and is not at: it may have claimed something without being told so, or have
    /// let go of it without that being remembered. What it could not end is marked as interrupted at `at`; says how many
    /// deliveries these were.
    async fn let_go(&self, held: &Held, at: Timestamp) -> Result<u64, StoreError>;

    /// Ends this process: what it has begun is taken back. Says how many deliveries were interrupted.
    async fn leave(&self, at: Timestamp) -> Result<u64, StoreError>;

    /// What processes tell each other from now on, this one included.
    fn signals(&self) -> broadcast::Receiver<Signal>;

    /// Tells all processes.
    async fn signal(&self, signal: Signal) -> Result<(), StoreError>;

    /// All records of a connection.
    async fn held_records(&self, connection: &Connection, partner: &Partner) -> Result<Vec<HeldRecord>, StoreError>;

    /// The records of a connection that are gone since a time that their partner told.
    async fn gone(&self, connection: &Connection, partner: &Partner) -> Result<Vec<Gone>, StoreError>;

    /// What the given records of one type say, each as a canonical JSON object, in the same order.
    async fn bodies(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        records: &[RecordId],
    ) -> Result<Vec<Vec<u8>>, StoreError>;

    /// What all records of one type say in the given top-level scalar members, as text; by number.
    async fn values(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        members: &[String],
    ) -> Result<Values, StoreError>;

    /// The encoded contributions of the given records, in the same order; empty where there are none.
    async fn contributions(
        &self,
        connection: &Connection,
        partner: &Partner,
        records: &[(RecordTypeId, RecordId)],
    ) -> Result<Vec<Vec<u8>>, StoreError>;

    /// The given entities, in the same order.
    async fn held_entities(
        &self,
        connection: &Connection,
        canonical: &Canonical,
        entities: &[(KindId, Uuid)],
    ) -> Result<Vec<Option<HeldEntity>>, StoreError>;

    /// The records of one type with these keys, in the same order.
    async fn records_by_key(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        keys: &[String],
    ) -> Result<Vec<Option<HeldRecord>>, StoreError>;

    /// The records with these numbers, of whatever type, in any order; those that are there.
    async fn records_by_id(
        &self,
        connection: &Connection,
        partner: &Partner,
        records: &[RecordId],
    ) -> Result<Vec<HeldRecord>, StoreError>;

    /// The records of one type that match, found by index where there is one, the oldest first.
    async fn records_matching(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        matching: &Matching,
    ) -> Result<Vec<HeldRecord>, StoreError>;

    /// The record that a selection comes to, first in order, with these values for its filters (by place).
    async fn selected(
        &self,
        connection: &Connection,
        partner: &Partner,
        selection: &Selection,
        given: &[(usize, serde_json::Value)],
        options: &serde_json::Value,
    ) -> Result<Option<HeldRecord>, StoreError>;

    /// The largest integer in a top-level member of the records of one type that match, if there is any.
    async fn largest(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        member: &str,
        matching: &Matching,
    ) -> Result<Option<i64>, StoreError>;

    /// The last numbers that were given out, by what they number; 0 where none was.
    async fn numbers(&self, connection: &Connection, of: &[String]) -> Result<Vec<i64>, StoreError>;

    /// Takes on what is to be sent now and no process is at: of each subscription and record the oldest only, and none
    /// of which an older one is still open. The first of every subscription comes before the second of any.
    async fn claim_sends(&self, claim: &SendClaim<'_>) -> Result<Vec<DueSend>, StoreError>;

    /// When the next send is due that no process is at, of those that are due later than this.
    async fn next_send_at(&self, after: Option<Timestamp>) -> Result<Option<Timestamp>, StoreError>;

    /// Notes, durably, how an attempt ended, and leaves the send to whoever takes it on next. Refused where another
    /// process took it on meanwhile.
    async fn note_attempt(&self, send: Uuid, attempt: &Attempt, outcome: SendOutcome) -> Result<(), StoreError>;

    /// Commits what was left [open](Finish::Open); says how often that was in vain since the store was opened. Whoever has
    /// read between two calls that say the same has read what is there.
    async fn committed(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// Waits until everything that was committed before survives a power cut.
    async fn synced(&self) -> Result<(), StoreError>;

    /// Tries whether something could be stored now: writes next to nothing, and waits until that is safe.
    async fn probe(&self) -> Result<(), StoreError>;

    /// What keeps this store from keeping too much.
    fn keeper(&self) -> &dyn keep::Keeper;

    /// What operators decide.
    fn administration(&self) -> &dyn administration::Administration;

    /// What answers readers' questions.
    fn reader(&self) -> &dyn read::Reader;

    /// What was received, to be worked on again.
    fn archive(&self) -> &dyn archive::Archive;

    /// What versions come to that run beside the ones in use.
    fn tallies(&self) -> &dyn tally::Tallies;

    /// Applies a plan in one transaction; says the feed's new end. Refused where this process is not, or no longer, at
    /// the delivery.
    async fn commit(&self, canonical: &Canonical, partner: &Partner, commit: Commit<'_>) -> Result<i64, StoreError>;
}
