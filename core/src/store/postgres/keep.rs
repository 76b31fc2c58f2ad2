//! What keeps the database from keeping too much. What was overwritten or deleted stays in its files until they are
//! vacuumed, which is its operator's to do.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{PostgresStore, erase, prune};
use crate::canonical::{Canonical, KindId};
use crate::description::{Partner, RecordTypeId};
use crate::retention::Prune;
use crate::store::keep::{Erasure, Keeper, KeptBody, KeptSend, Told};
use crate::store::{Connection, RecordId, StoreError};

#[async_trait]
impl Keeper for PostgresStore {
    async fn prune(
        &self,
        canonical: &Canonical,
        connection: &Connection,
        what: Prune,
        rows_max: u32,
    ) -> Result<u64, StoreError> {
        self.patience.long(prune::step(&self.pool, canonical, connection, what, rows_max)).await
    }

    async fn begin_erasure(&self, erasure: &Erasure) -> Result<(), StoreError> {
        self.patience.soon(erase::begin(&self.pool, erasure)).await
    }

    async fn end_erasure(&self, id: Uuid, at: Timestamp) -> Result<(), StoreError> {
        self.patience.soon(erase::end(&self.pool, id, at)).await
    }

    async fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        self.patience.soon(erase::all(&self.pool)).await
    }

    async fn kept_bodies(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<KeptBody>, StoreError> {
        self.patience.long(erase::bodies(&self.pool, connection, after, limit)).await
    }

    async fn rewrite_body(
        &self,
        connection: &Connection,
        body: i64,
        bytes: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            erase::rewrite_body(&mut transaction, connection, body, bytes, at).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.long(work).await
    }

    async fn told(
        &self,
        connection: &Connection,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<(Uuid, Told)>, StoreError> {
        self.patience.long(erase::told(&self.pool, connection, after, limit)).await
    }

    async fn retell(&self, delivery: Uuid, told: &Told) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            erase::retell(&mut transaction, delivery, told).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.long(work).await
    }

    async fn ancestors(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        records: &[RecordId],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        self.patience.long(erase::ancestors(&self.pool, connection, partner, of, records)).await
    }

    async fn entity_ids(
        &self,
        connection: &Connection,
        canonical: &Canonical,
    ) -> Result<Vec<(KindId, Uuid)>, StoreError> {
        self.patience.long(erase::entity_ids(&self.pool, connection, canonical)).await
    }

    async fn blank_entities(
        &self,
        connection: &Connection,
        canonical: &Canonical,
        entities: &[Uuid],
    ) -> Result<u64, StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            let blanked = erase::blank_entities(&mut transaction, connection, canonical, entities).await?;
            transaction.commit().await?;
            Ok(blanked)
        };
        self.patience.long(work).await
    }

    async fn kept_sends(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<KeptSend>, StoreError> {
        self.patience.long(erase::sends(&self.pool, connection, after, limit)).await
    }

    async fn forget_sends(&self, connection: &Connection, sends: &[i64]) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            erase::forget_sends(&mut transaction, connection, sends).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.long(work).await
    }

    async fn forget_gone(&self, connection: &Connection, record: &str, key: &str) -> Result<(), StoreError> {
        self.patience.soon(erase::forget_gone(&self.pool, connection, record, key)).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
