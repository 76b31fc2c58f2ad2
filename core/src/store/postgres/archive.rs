//! Reads deliveries as they can be worked on again.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::rows::storable;
use super::{PostgresStore, reader};
use crate::delivery::{Entry, Report, Status};
use crate::store::archive::{Archive, ArchiveQuery, Archived, StoredCall};
use crate::store::packed::unpack;
use crate::store::stored::{instant, parsed, unsigned, word};
use crate::store::{Connection, StoreError};

/// Deliveries with their bodies for which a condition holds; tenant and connection are the first parameters.
macro_rules! calls {
    ($condition:literal) => {
        concat!(
            "select d.id, d.first, d.operation, d.asked, d.received_at, d.status, d.report, d.applied, d.sha256, ",
            "d.content_encoding, b.size, b.zstd from delivery d left join body b on b.tenant = d.tenant ",
            "and b.connection = d.connection and b.sha256 = d.body where d.tenant = $1 and d.connection = $2 and ",
            $condition
        )
    };
}

/// Deliveries of a connection that are held.
const HELD: &str = "select id, first, operation, asked, received_at, status, report, applied, sha256, content_encoding, \
                    null::bigint, null::bytea from delivery where tenant = $1 and connection = $2 and status = 'held' \
                    order by id";

/// Deliveries, and whose they are, for which a condition holds.
macro_rules! archived {
    ($condition:literal) => {
        concat!(
            "select d.id, c.name, c.partner, d.operation, d.status, d.received_at, d.finished_at, d.sha256, d.size, ",
            "d.report, t.name, d.aside from delivery d join connection c on c.tenant = d.tenant and c.id = d.connection ",
            "join tenant t on t.id = d.tenant where ",
            $condition
        )
    };
}

/// By how they ended (a list), of whom, received before, after which; at most so many; whether those of which records
/// were put aside, too.
const THAT: &str = archived!(
    "(d.status in ('held', 'rejected', 'failed', 'interrupted') and d.status = any($1::text[]) \
     or d.aside > 0 and $8) and ($2::text is null or t.name = $2) and ($3::text is null or c.name = $3) \
     and ($4::text is null or c.partner = $4) and ($5::bigint is null or d.received_at < $5) \
     and d.id > $6 order by d.id limit $7"
);

#[async_trait]
impl Archive for PostgresStore {
    async fn call(&self, connection: &Connection, delivery: Uuid) -> Result<Option<StoredCall>, StoreError> {
        let row = sqlx::query(calls!("d.id = $3"))
            .bind(connection.tenant_id)
            .bind(connection.id)
            .bind(delivery)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(call).transpose()
    }

    async fn last(&self, connection: &Connection, operation: &str) -> Result<Option<(Uuid, Timestamp)>, StoreError> {
        let row = sqlx::query(
            "select id, received_at from delivery where tenant = $1 and connection = $2 and operation = $3 \
             and status in ('applied', 'unchanged') order by id desc limit 1",
        )
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(operation)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok((row.try_get(0)?, instant(row.try_get(1)?)?))).transpose()
    }

    async fn held(&self, connection: &Connection) -> Result<Vec<StoredCall>, StoreError> {
        let rows = sqlx::query(HELD).bind(connection.tenant_id).bind(connection.id).fetch_all(&self.pool).await?;
        rows.iter().map(call).collect()
    }

    async fn deliveries_that(&self, query: &ArchiveQuery<'_>) -> Result<Vec<Archived>, StoreError> {
        let words: Vec<_> = query.statuses.iter().map(|status| status.word()).collect();
        let rows = sqlx::query(THAT)
            .bind(words)
            .bind(query.tenant.map(storable))
            .bind(query.connection.map(storable))
            .bind(query.partner.map(storable))
            .bind(query.before.map(Timestamp::as_millisecond))
            .bind(query.after.unwrap_or_default())
            .bind(i64::from(query.limit))
            .bind(query.aside)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(archived).collect()
    }

    async fn find(&self, delivery: Uuid) -> Result<Option<Archived>, StoreError> {
        let row = sqlx::query(archived!("d.id = $1")).bind(delivery).fetch_optional(&self.pool).await?;
        row.as_ref().map(archived).transpose()
    }

    async fn turn(&self, delivery: Uuid, from: Status, report: &Report, at: Timestamp) -> Result<bool, StoreError> {
        let text = serde_json::to_string(report).map_err(|error| StoreError::Database(Box::new(error)))?;
        let turned =
            sqlx::query("update delivery set status = $3, report = $4, finished_at = $5 where id = $1 and status = $2")
                .bind(delivery)
                .bind(from.word())
                .bind(report.status.word())
                .bind(text)
                .bind(at.as_millisecond())
                .execute(&self.pool)
                .await?;
        Ok(turned.rows_affected() == 1)
    }

    async fn errors(&self, delivery: Uuid) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(
            "select e.pointer, e.record, e.key, e.outcome, e.notes from delivery d join entry e on e.tenant = d.tenant \
             and e.connection = d.connection and e.delivery = d.id where d.id = $1 \
             and e.outcome in ('quarantined', 'rejected', 'refused', 'fault') order by e.nth",
        );
        rows.bind(delivery).fetch_all(&self.pool).await?.iter().map(reader::entry).collect()
    }

    async fn decide_aside(&self, delivery: Uuid, report: &Report) -> Result<bool, StoreError> {
        let text = serde_json::to_string(report).map_err(|error| StoreError::Database(Box::new(error)))?;
        let decided = sqlx::query("update delivery set aside = 0, report = $2 where id = $1 and aside > 0");
        Ok(decided.bind(delivery).bind(text).execute(&self.pool).await?.rows_affected() == 1)
    }

    async fn applied(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<StoredCall>, StoreError> {
        let rows = sqlx::query(calls!("d.applied > $3 order by d.applied limit $4"))
            .bind(connection.tenant_id)
            .bind(connection.id)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(call).collect()
    }
}

fn archived(row: &PgRow) -> Result<Archived, StoreError> {
    Ok(Archived { tenant: row.try_get(10)?, delivery: reader::delivery(row)?, aside: unsigned(row.try_get(11)?) })
}

fn call(row: &PgRow) -> Result<StoredCall, StoreError> {
    let asked = row.try_get::<Option<&str>, _>(3)?;
    let report = row.try_get::<Option<&str>, _>(6)?;
    let body = match row.try_get::<Option<&[u8]>, _>(11)? {
        Some(packed) => Some(unpack(packed, row.try_get(10)?)?),
        None => None,
    };
    Ok(StoredCall {
        id: row.try_get(0)?,
        first: row.try_get(1)?,
        operation: row.try_get(2)?,
        asked: asked.map(|text| parsed(text, "what a call says")).transpose()?.unwrap_or_default(),
        at: instant(row.try_get(4)?)?,
        status: word(row.try_get(5)?, "the status of a delivery")?,
        report: report.map(|text| parsed(text, "the report of a delivery")).transpose()?,
        applied: row.try_get(7)?,
        sha256: row.try_get(8)?,
        content_encoding: row.try_get(9)?,
        body,
    })
}
