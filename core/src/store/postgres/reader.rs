//! Turns rows into what readers are told.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::rows::{statement, storable};
use super::{PostgresStore, backlog, question, select, send};
use crate::canonical::{Canonical, KindId};
use crate::delivery::{Entry, Report};
use crate::description::Partner;
use crate::store::contributors::decode;
use crate::store::packed::unpack;
use crate::store::read::{
    Change, Delivery, Entities, EntityQuery, Log, QueryError, Reader, RecordQuery, Records, SelectQuery,
    SelectedRecords, SendQuery, Sends, Source, StoredBody,
};
use crate::store::sql::{self, Postgres};
use crate::store::stored::{instant, integer, parsed, status, unsigned, word};
use crate::store::{Backlog, RecordId, StoreError, Usage};

/// Deliveries of a tenant (its name is the first parameter) for which a condition holds.
macro_rules! deliveries {
    ($condition:literal) => {
        concat!(
            "select d.id, c.name, c.partner, d.operation, d.status, d.received_at, d.finished_at, d.sha256, d.size, ",
            "d.report from delivery d join connection c on c.tenant = d.tenant and c.id = d.connection ",
            "where d.tenant = (select id from tenant where name = $1) and ",
            $condition
        )
    };
}

#[async_trait]
impl Reader for PostgresStore {
    async fn entities(&self, canonical: &Canonical, query: &EntityQuery) -> Result<Entities, QueryError> {
        self.patience.soon(question::entities(self, canonical, query)).await
    }

    async fn entity(
        &self,
        canonical: &Canonical,
        tenant: &str,
        kind: KindId,
        sourced_id: Uuid,
    ) -> Result<Option<Map<String, Value>>, StoreError> {
        self.patience.soon(question::entity(&self.pool, canonical, tenant, kind, sourced_id)).await
    }

    async fn provenance(
        &self,
        canonical: &Canonical,
        tenant: &str,
        kind: KindId,
        sourced_id: Uuid,
    ) -> Result<Option<Vec<Source>>, StoreError> {
        let work = async {
            let mut transaction = self.look().await?;
            let row = statement(sql::contributors(&Postgres, &canonical.kind(kind).table))
                .bind(storable(tenant))
                .bind(sourced_id)
                .fetch_optional(&mut *transaction)
                .await?;
            let Some(row) = row else {
                return Ok(None);
            };
            let origin = Origin {
                name: row.try_get(1)?,
                partner: row.try_get(2)?,
                source_id: row.try_get(3)?,
                contributors: decode(row.try_get(4)?, row.try_get(5)?)?,
            };
            let (connection, of): (i64, i64) = (row.try_get(0)?, row.try_get(6)?);
            let ids: Vec<_> = origin.contributors.iter().map(|id| id.0).collect();
            let tables = sqlx::query("select name, type from stored_table where holds = 'record' and partner = $1")
                .bind(&origin.partner)
                .fetch_all(&mut *transaction)
                .await?;
            let mut sources = Vec::with_capacity(ids.len());
            for table in &tables {
                let rows = statement(sql::sources(&Postgres, table.try_get(0)?))
                    .bind(connection)
                    .bind(of)
                    .bind(&ids)
                    .fetch_all(&mut *transaction)
                    .await?;
                for row in &rows {
                    sources.push(origin.source(table.try_get(1)?, row)?);
                }
            }
            transaction.commit().await?;
            sources.sort_by_key(|(nth, _)| *nth);
            Ok(Some(sources.into_iter().map(|(_, source)| source).collect()))
        };
        self.patience.soon(work).await
    }

    async fn changes(
        &self,
        canonical: &Canonical,
        tenant: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError> {
        let work = async {
            if canonical.kinds().is_empty() {
                return Ok(Vec::new());
            }
            let rows = statement(sql::changes(&Postgres, canonical))
                .bind(storable(tenant))
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await?;
            rows.iter().map(|row| change(canonical, row)).collect()
        };
        self.patience.soon(work).await
    }

    async fn horizon(&self, tenant: &str) -> Result<i64, StoreError> {
        let work = async {
            let horizon = sqlx::query_scalar("select horizon from tenant where name = $1").bind(tenant.to_owned());
            Ok(horizon.fetch_optional(&self.pool).await?.unwrap_or_default())
        };
        self.patience.soon(work).await
    }

    async fn deliveries(
        &self,
        tenant: &str,
        connection: Option<&str>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let work = async {
            let rows =
                sqlx::query(deliveries!("($2::text is null or c.name = $2) and d.id < $3 order by d.id desc limit $4"))
                    .bind(storable(tenant))
                    .bind(connection.map(storable))
                    .bind(before.unwrap_or(Uuid::max()))
                    .bind(i64::from(limit))
                    .fetch_all(&self.pool)
                    .await?;
            rows.iter().map(delivery).collect()
        };
        self.patience.soon(work).await
    }

    async fn delivery(&self, tenant: &str, id: Uuid) -> Result<Option<Delivery>, StoreError> {
        let work = async {
            let row = sqlx::query(deliveries!("d.id = $2"))
                .bind(storable(tenant))
                .bind(id)
                .fetch_optional(&self.pool)
                .await?;
            row.as_ref().map(delivery).transpose()
        };
        self.patience.soon(work).await
    }

    async fn records(&self, partner: &Partner, query: &RecordQuery) -> Result<Records, StoreError> {
        self.patience.soon(select::records(self, partner, query)).await
    }

    async fn select(&self, partner: &Partner, query: &SelectQuery<'_>) -> Result<SelectedRecords, StoreError> {
        self.patience.soon(select::select(self, partner, query)).await
    }

    async fn sends(&self, query: &SendQuery<'_>) -> Result<Sends, StoreError> {
        let work = async {
            let mut transaction = self.look().await?;
            let sends = send::of(&mut transaction, query).await?;
            transaction.commit().await?;
            Ok(sends)
        };
        self.patience.soon(work).await
    }

    async fn log(
        &self,
        tenant: &str,
        connection: &str,
        delivery: Uuid,
        limit: u64,
        offset: u64,
    ) -> Result<Option<Log>, StoreError> {
        let work = async {
            let mut transaction = self.look().await?;
            let told = sqlx::query(
                "select d.sent, d.errors, d.finished_at is not null, d.report, d.tenant, d.connection from delivery d \
                 join connection c on c.tenant = d.tenant and c.id = d.connection \
                 where d.tenant = (select id from tenant where name = $1) and c.name = $2 and d.id = $3",
            )
            .bind(storable(tenant))
            .bind(storable(connection))
            .bind(delivery)
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(told) = told else {
                return Ok(None);
            };
            let rows = sqlx::query(
                "select pointer, record, key, outcome, notes from entry where tenant = $1 and connection = $2 \
                 and delivery = $3 and nth >= $4 order by nth limit $5",
            )
            .bind(told.try_get::<i64, _>(4)?)
            .bind(told.try_get::<i64, _>(5)?)
            .bind(delivery)
            .bind(integer(offset))
            .bind(integer(limit))
            .fetch_all(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(Some(Log {
                sent: unsigned(told.try_get(0)?),
                errors: unsigned(told.try_get(1)?),
                finished: told.try_get(2)?,
                report: report(told.try_get(3)?)?,
                entries: rows.iter().map(entry).collect::<Result<_, _>>()?,
            }))
        };
        self.patience.soon(work).await
    }

    async fn body(&self, tenant: &str, id: Uuid) -> Result<Option<StoredBody>, StoreError> {
        let work = async {
            let row = sqlx::query(
                "select b.zstd, b.size, d.content_encoding from delivery d \
                 join body b on b.tenant = d.tenant and b.connection = d.connection and b.sha256 = d.body \
                 where d.tenant = (select id from tenant where name = $1) and d.id = $2",
            )
            .bind(storable(tenant))
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
            let Some(row) = row else {
                return Ok(None);
            };
            let bytes = unpack(row.try_get(0)?, row.try_get(1)?)?;
            Ok(Some(StoredBody { bytes, content_encoding: row.try_get(2)? }))
        };
        self.patience.soon(work).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let work = async {
            sqlx::query("select 1 from tenant limit 1").fetch_optional(&self.pool).await?;
            Ok(())
        };
        self.patience.sign(work).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.patience.soon(backlog::of(&self.pool)).await
    }

    fn usage(&self) -> Usage {
        Usage::of(self.pool.size(), self.pool.num_idle(), self.pool.options().get_max_connections())
    }
}

/// Where an entity comes from, before its records are looked up.
struct Origin {
    name: String,
    partner: String,
    source_id: String,
    contributors: Vec<RecordId>,
}

impl Origin {
    /// A record among the contributors, and which of them it is.
    fn source(&self, record: &str, row: &PgRow) -> Result<(usize, Source), StoreError> {
        let id = RecordId(row.try_get(0)?);
        let nth = self.contributors.iter().position(|contributor| *contributor == id).unwrap_or(usize::MAX);
        let source = Source {
            connection: self.name.clone(),
            partner: self.partner.clone(),
            record: record.to_owned(),
            key: parsed(row.try_get(1)?, "the key of a record")?,
            delivery: row.try_get(2)?,
            source_id: self.source_id.clone(),
            leads: nth == 0,
        };
        Ok((nth, source))
    }
}

fn change(canonical: &Canonical, row: &PgRow) -> Result<Change, StoreError> {
    let kind = u16::try_from(row.try_get::<i32, _>(1)?).unwrap_or_default();
    Ok(Change {
        sequence: row.try_get(0)?,
        kind: canonical.kind(KindId(kind)).name.clone(),
        sourced_id: row.try_get(2)?,
        status: status(row.try_get(3)?).to_owned(),
        date_last_modified: instant(row.try_get(4)?)?,
        connection: row.try_get(5)?,
    })
}

pub(super) fn entry(row: &PgRow) -> Result<Entry, StoreError> {
    let notes = row.try_get::<Option<&str>, _>(4)?;
    Ok(Entry {
        pointer: row.try_get::<&str, _>(0)?.into(),
        record: row.try_get(1)?,
        key: row.try_get(2)?,
        outcome: word(row.try_get(3)?, "the outcome of a record")?,
        notes: notes.map_or(Ok(Vec::new()), |text| parsed(text, "a line of a log"))?,
    })
}

fn report(text: Option<&str>) -> Result<Option<Report>, StoreError> {
    text.map(|text| parsed(text, "the report of a delivery")).transpose()
}

pub(super) fn delivery(row: &PgRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: row.try_get(0)?,
        connection: row.try_get(1)?,
        partner: row.try_get(2)?,
        operation: row.try_get(3)?,
        status: word(row.try_get(4)?, "the status of a delivery")?,
        received_at: instant(row.try_get(5)?)?,
        finished_at: row.try_get::<Option<i64>, _>(6)?.map(instant).transpose()?,
        sha256: hex::encode(row.try_get::<&[u8], _>(7)?),
        size: unsigned(row.try_get(8)?),
        report: report(row.try_get(9)?)?,
    })
}
