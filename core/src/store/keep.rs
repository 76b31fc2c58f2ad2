//! What is asked of a store so that it does not keep too much: to prune what is old, step by step, and to erase.
//!
//! Erasing is thought out in [`crate::erasure`] and done in [`crate::ingest`]; a store only finds, rewrites and blanks what
//! it is told to.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Connection, RecordId, StoreError};
use crate::canonical::{Canonical, KindId};
use crate::delivery::{Entry, Report, Status};
use crate::description::{Partner, RecordTypeId};
use crate::digest::Digest;
use crate::retention::Prune;

/// Someone who was erased, or is being erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its id: UUIDv7.
    pub id: Uuid,
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// Says who, to nobody but the server.
    pub digest: Digest,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it was done; `None` while it is under way.
    pub finished_at: Option<Timestamp>,
}

/// A stored body, with the deliveries that sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody {
    /// Its number; a later one is larger.
    pub id: i64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Who sent it.
    pub deliveries: Vec<Sending>,
}

/// A delivery, as far as erasing needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// Its id.
    pub delivery: Uuid,
    /// The operation that it came by.
    pub operation: String,
    /// The encoding that its body is still in.
    pub content_encoding: Option<String>,
    /// Where it stands.
    pub status: Status,
}

/// Something that a subscriber was, or is to be, told, as far as erasing needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSend {
    /// Its number; a later one is larger.
    pub id: i64,
    /// The name of the record type that it is about.
    pub record: String,
    /// That record's key.
    pub key: String,
    /// What is sent, JSON.
    pub body: String,
}

/// What a delivery's log and report say.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What became of it.
    pub report: Option<Report>,
    /// What became of each record.
    pub entries: Vec<Entry>,
    /// What its call said beside its body, JSON.
    pub asked: Option<String>,
}

/// What keeps a store from keeping too much.
#[async_trait]
pub trait Keeper: Send + Sync {
    /// Prunes at most `rows_max` rows of a connection, the oldest first; says how many went. Nothing more is to be pruned
    /// when it is none. Several processes may do this at the same time.
    async fn prune(
        &self,
        canonical: &Canonical,
        connection: &Connection,
        what: Prune,
        rows_max: u32,
    ) -> Result<u64, StoreError>;

    /// Notes, durably, that someone is to be erased.
    async fn begin_erasure(&self, erasure: &Erasure) -> Result<(), StoreError>;

    /// Notes, durably, that someone has been erased.
    async fn end_erasure(&self, id: Uuid, at: Timestamp) -> Result<(), StoreError>;

    /// Who was erased, the first first.
    async fn erasures(&self) -> Result<Vec<Erasure>, StoreError>;

    /// The stored bodies of a connection after the one with this number, the oldest first, at most `limit`.
    async fn kept_bodies(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<KeptBody>, StoreError>;

    /// Puts other bytes in the place of a body, or nothing.
    async fn rewrite_body(
        &self,
        connection: &Connection,
        body: i64,
        bytes: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// What is told of the deliveries of a connection after the one with this id, at most `limit`.
    async fn told(
        &self,
        connection: &Connection,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<(Uuid, Told)>, StoreError>;

    /// Tells something else of a delivery from now on; of as many lines as before.
    async fn retell(&self, delivery: Uuid, told: &Told) -> Result<(), StoreError>;

    /// The ancestors of records of one type, in the same order, canonical JSON.
    async fn ancestors(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        records: &[RecordId],
    ) -> Result<Vec<Vec<u8>>, StoreError>;

    /// All entities of a connection, those that are gone among them.
    async fn entity_ids(
        &self,
        connection: &Connection,
        canonical: &Canonical,
    ) -> Result<Vec<(KindId, Uuid)>, StoreError>;

    /// Blanks the entities of a connection that are gone and are, or refer to, one of these: nothing but their ids stays.
    /// Says how many.
    async fn blank_entities(
        &self,
        connection: &Connection,
        canonical: &Canonical,
        entities: &[Uuid],
    ) -> Result<u64, StoreError>;

    /// What subscribers of a connection were, or are to be, told, after the send with this number, at most `limit`.
    async fn kept_sends(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<KeptSend>, StoreError>;

    /// Forgets what subscribers were, or are to be, told, with all attempts; whatever waited for it is due.
    async fn forget_sends(&self, connection: &Connection, sends: &[i64]) -> Result<(), StoreError>;

    /// Forgets that a record is gone since some time.
    async fn forget_gone(&self, connection: &Connection, record: &str, key: &str) -> Result<(), StoreError>;

    /// Lets no byte of what was overwritten or deleted stay in the store's files, as far as the store can.
    async fn scrub(&self) -> Result<(), StoreError>;
}
