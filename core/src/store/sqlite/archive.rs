//! Reads deliveries as they can be worked on again.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Row, params};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::writer::Transaction;
use super::{Durability, SqliteStore, reader};
use crate::delivery::{Entry, Report, Status};
use crate::store::archive::{Archive, ArchiveQuery, Archived, StoredCall};
use crate::store::contributors::damaged;
use crate::store::packed::unpack;
use crate::store::stored::{instant, parsed, unsigned, word};
use crate::store::{Connection, StoreError};

/// Deliveries with their bodies for which a condition holds; the connection is the first parameter.
macro_rules! calls {
    ($condition:literal) => {
        concat!(
            "select d.id, d.first, d.operation, d.asked, d.received_at, d.status, d.report, d.applied, d.sha256, ",
            "d.content_encoding, b.size, b.zstd from delivery d left join body b on b.id = d.body ",
            "where d.connection = ?1 and ",
            $condition
        )
    };
}

/// Deliveries of a connection that are held.
const HELD: &str = "select id, first, operation, asked, received_at, status, report, applied, sha256, content_encoding, \
                    null, null from delivery where connection = ?1 and status = 'held' order by id";

/// Deliveries, and whose they are, for which a condition holds.
macro_rules! archived {
    ($condition:literal) => {
        concat!(
            "select d.id, c.name, c.partner, d.operation, d.status, d.received_at, d.finished_at, d.sha256, d.size, ",
            "d.report, t.name, d.aside from delivery d join connection c on c.id = d.connection ",
            "join tenant t on t.id = d.tenant where ",
            $condition
        )
    };
}

/// By how they ended (a list), of whom, received before, after which; at most so many; whether those of which records
/// were put aside, too.
const THAT: &str = archived!(
    "(d.status in ('held', 'rejected', 'failed', 'interrupted') and d.status in (select value from json_each(?1)) \
     or d.aside > 0 and ?8) and (?2 is null or t.name = ?2) and (?3 is null or c.name = ?3) and (?4 is null or c.partner = ?4) \
     and (?5 is null or d.received_at < ?5) and d.id > ?6 order by d.id limit ?7"
);

#[async_trait]
impl Archive for SqliteStore {
    async fn call(&self, connection: &Connection, delivery: Uuid) -> Result<Option<StoredCall>, StoreError> {
        self.writer.read(|database| one(database, connection, delivery))
    }

    async fn last(&self, connection: &Connection, operation: &str) -> Result<Option<(Uuid, Timestamp)>, StoreError> {
        self.writer.read(|database| last(database, connection, operation))
    }

    async fn held(&self, connection: &Connection) -> Result<Vec<StoredCall>, StoreError> {
        self.writer.read(|database| held(database, connection))
    }

    async fn deliveries_that(&self, query: &ArchiveQuery<'_>) -> Result<Vec<Archived>, StoreError> {
        let words: Vec<_> = query.statuses.iter().map(|status| status.word()).collect();
        let rows = sqlx::query(THAT)
            .bind(serde_json::json!(words).to_string())
            .bind(query.tenant)
            .bind(query.connection)
            .bind(query.partner)
            .bind(query.before.map(Timestamp::as_millisecond))
            .bind(query.after.unwrap_or_default().as_bytes().as_slice())
            .bind(query.limit)
            .bind(query.aside)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(archived).collect()
    }

    async fn find(&self, delivery: Uuid) -> Result<Option<Archived>, StoreError> {
        let row = sqlx::query(archived!("d.id = ?1")).bind(delivery.as_bytes().as_slice());
        row.fetch_optional(&self.readers).await?.as_ref().map(archived).transpose()
    }

    async fn turn(&self, delivery: Uuid, from: Status, report: &Report, at: Timestamp) -> Result<bool, StoreError> {
        self.writer.write(Durability::Full, |transaction| turn(transaction, delivery, from, report, at))
    }

    async fn errors(&self, delivery: Uuid) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(
            "select pointer, record, key, outcome, notes from entry where delivery = ?1 \
             and outcome in ('quarantined', 'rejected', 'refused', 'fault') order by nth",
        );
        let rows = rows.bind(delivery.as_bytes().as_slice()).fetch_all(&self.readers).await?;
        rows.iter().map(reader::entry).collect()
    }

    async fn decide_aside(&self, delivery: Uuid, report: &Report) -> Result<bool, StoreError> {
        let text = serde_json::to_string(report).map_err(|error| StoreError::Database(Box::new(error)))?;
        self.writer.write(Durability::Full, |transaction| {
            let sql = "update delivery set aside = 0, report = ?2 where id = ?1 and aside > 0";
            Ok(transaction.prepare_cached(sql)?.execute(params![delivery.as_bytes(), text])? == 1)
        })
    }

    async fn applied(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<StoredCall>, StoreError> {
        self.writer.read(|database| applied(database, connection, after, limit))
    }
}

fn archived(row: &SqliteRow) -> Result<Archived, StoreError> {
    Ok(Archived { tenant: row.try_get(10)?, delivery: reader::delivery(row)?, aside: unsigned(row.try_get(11)?) })
}

fn one(database: &Transaction<'_>, connection: &Connection, delivery: Uuid) -> Result<Option<StoredCall>, StoreError> {
    let mut statement = database.prepare_cached(calls!("d.id = ?2"))?;
    let mut rows = statement.query(params![connection.id, delivery.as_bytes()])?;
    rows.next()?.map(call).transpose()
}

fn last(
    database: &Transaction<'_>,
    connection: &Connection,
    operation: &str,
) -> Result<Option<(Uuid, Timestamp)>, StoreError> {
    let mut statement = database.prepare_cached(
        "select id, received_at from delivery where connection = ?1 and operation = ?2 \
         and status in ('applied', 'unchanged') order by id desc limit 1",
    )?;
    let mut rows = statement.query(params![connection.id, operation])?;
    let last = |row: &Row<'_>| Ok((Uuid::from_bytes(row.get(0)?), instant(row.get(1)?)?));
    rows.next()?.map(last).transpose()
}

fn held(database: &Transaction<'_>, connection: &Connection) -> Result<Vec<StoredCall>, StoreError> {
    let mut statement = database.prepare_cached(HELD)?;
    let mut rows = statement.query([connection.id])?;
    let mut calls = Vec::new();
    while let Some(row) = rows.next()? {
        calls.push(call(row)?);
    }
    Ok(calls)
}

fn turn(
    transaction: &Transaction<'_>,
    delivery: Uuid,
    from: Status,
    report: &Report,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let text = serde_json::to_string(report).map_err(|error| StoreError::Database(Box::new(error)))?;
    let mut statement = transaction.prepare_cached(
        "update delivery set status = ?3, report = ?4, finished_at = ?5 where id = ?1 and status = ?2",
    )?;
    let turned = statement.execute(params![
        delivery.as_bytes(),
        from.word(),
        report.status.word(),
        text,
        at.as_millisecond(),
    ])?;
    Ok(turned == 1)
}

fn applied(
    database: &Transaction<'_>,
    connection: &Connection,
    after: i64,
    limit: u32,
) -> Result<Vec<StoredCall>, StoreError> {
    let mut statement = database.prepare_cached(calls!("d.applied > ?2 order by d.applied limit ?3"))?;
    let mut rows = statement.query(params![connection.id, after, limit])?;
    let mut calls = Vec::new();
    while let Some(row) = rows.next()? {
        calls.push(call(row)?);
    }
    Ok(calls)
}

fn call(row: &Row<'_>) -> Result<StoredCall, StoreError> {
    let asked = row.get::<_, Option<String>>(3)?;
    let report = row.get::<_, Option<String>>(6)?;
    let body = match row.get::<_, Option<i64>>(10)? {
        Some(size) => Some(unpack(row.get_ref(11)?.as_blob().map_err(|_| damaged("a body"))?, size)?),
        None => None,
    };
    Ok(StoredCall {
        id: Uuid::from_bytes(row.get(0)?),
        first: row.get::<_, Option<[u8; 16]>>(1)?.map(Uuid::from_bytes),
        operation: row.get(2)?,
        asked: asked.map(|text| parsed(&text, "what a call says")).transpose()?.unwrap_or_default(),
        at: instant(row.get(4)?)?,
        status: word(&row.get::<_, String>(5)?, "the status of a delivery")?,
        report: report.map(|text| parsed(&text, "the report of a delivery")).transpose()?,
        applied: row.get(7)?,
        sha256: row.get(8)?,
        content_encoding: row.get(9)?,
        body,
    })
}
