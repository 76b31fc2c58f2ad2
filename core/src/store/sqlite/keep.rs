//! What keeps the file from keeping too much.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Durability, SqliteStore, erase, prune};
use crate::canonical::{Canonical, KindId};
use crate::description::{Partner, RecordTypeId};
use crate::retention::Prune;
use crate::store::keep::{Erasure, Keeper, KeptBody, KeptSend, Told};
use crate::store::{Connection, RecordId, StoreError};

#[async_trait]
impl Keeper for SqliteStore {
    async fn prune(
        &self,
        canonical: &Canonical,
        connection: &Connection,
        what: Prune,
        rows_max: u32,
    ) -> Result<u64, StoreError> {
        // After a power cut it would be pruned once more.
        self.writer.write(Durability::Normal, |database| prune::step(database, canonical, connection, what, rows_max))
    }

    async fn begin_erasure(&self, erasure: &Erasure) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |database| erase::begin(database, erasure))
    }

    async fn end_erasure(&self, id: Uuid, at: Timestamp) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |database| erase::end(database, id, at))
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        self.writer.read(erase::all)
    }

    async fn kept_bodies(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<KeptBody>, StoreError> {
        self.writer.read(|database| erase::bodies(database, connection, after, limit))
    }

    async fn rewrite_body(
        &self,
        connection: &Connection,
        body: i64,
        bytes: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |database| erase::rewrite_body(database, connection, body, bytes, at))
    }

    async fn told(
        &self,
        connection: &Connection,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<(Uuid, Told)>, StoreError> {
        self.writer.read(|database| erase::told(database, connection, after, limit))
    }

    async fn retell(&self, delivery: Uuid, told: &Told) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |database| erase::retell(database, delivery, told))
    }

    async fn ancestors(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        records: &[RecordId],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        self.writer.read(|database| erase::ancestors(database, connection, partner, of, records))
    }

    async fn entity_ids(
        &self,
        connection: &Connection,
        canonical: &Canonical,
    ) -> Result<Vec<(KindId, Uuid)>, StoreError> {
        self.writer.read(|database| erase::entity_ids(database, connection, canonical))
    }

    async fn blank_entities(
        &self,
        connection: &Connection,
        canonical: &Canonical,
        entities: &[Uuid],
    ) -> Result<u64, StoreError> {
        self.writer.write(Durability::Full, |database| erase::blank_entities(database, connection, canonical, entities))
    }

    async fn kept_sends(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<KeptSend>, StoreError> {
        self.writer.read(|database| erase::sends(database, connection, after, limit))
    }

    async fn forget_sends(&self, connection: &Connection, sends: &[i64]) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |database| erase::forget_sends(database, connection, sends))
    }

    async fn forget_gone(&self, connection: &Connection, record: &str, key: &str) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |database| erase::forget_gone(database, connection, record, key))
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.writer.truncate_log()
    }
}
