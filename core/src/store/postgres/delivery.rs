//! Deliveries and their bodies, from receiving to what became of them.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgPool};
use uuid::Uuid;

use super::entry;
use super::receiving::Receiving;
use crate::delivery::{Entry, Received, Report, Status};
use crate::store::packed::pack;
use crate::store::stored::{asked, integer};
use crate::store::{Connection, StoreError};

/// Bytes up to which it is cheaper to send a body that is there already than to ask whether it is.
const UNASKED_BYTES_MAX: u64 = 16 << 10;

/// Keeps a delivery with its body. A body that is there already stays as it is; whether it goes meanwhile is seen to by
/// the key that refers to it.
const KEEP: &str = "with kept as (insert into body (tenant, connection, sha256, size, zstd) \
                    select $1, $2, $6, $7, $9 where $9::bytea is not null on conflict do nothing) \
                    insert into delivery (tenant, connection, id, operation, status, received_at, sha256, size, \
                    content_encoding, body, process, asked, first) \
                    values ($1, $2, $3, $4, $5, $10, $6, $7, $8, case when $9::bytea is not null then $6 end, $11, $12, $13)";

/// Keeps a delivery whose body is there already, without waiting for the disk: after a power cut a trace of the repetition
/// may be missing, but no byte that was sent, and if it changed anything then the commit that follows waits for both.
const KEEP_AGAIN: &str = "with quick as (select set_config('synchronous_commit', 'off', true) as set) \
                          insert into delivery (tenant, connection, id, operation, status, received_at, sha256, size, \
                          content_encoding, body, process, asked, first) \
                          select $1, $2, $3, $4, $5, $9, $6, $7, $8, $6, $10, $11, $12 from quick \
                          where quick.set is not null";

/// Writes what became of a delivery that this process is at, or that is held; what is held of the same operation is so no
/// longer, if it ends like this. Where no log is kept, what was last known of how many
/// records it holds stays.
macro_rules! finish {
    ($with:literal, $from:literal) => {
        concat!(
            "with superseded as (update delivery h set status = 'superseded', ",
            "report = regexp_replace(h.report, '\"status\":\"held\"', '\"status\":\"superseded\"') from delivery d ",
            "where $9 and d.id = $1 and h.tenant = d.tenant and h.connection = d.connection ",
            "and h.operation = d.operation and h.status = 'held' and h.id <> d.id) ",
            $with,
            "update delivery set status = $2, finished_at = $3, report = $4, sent = coalesce($5, sent), ",
            "errors = coalesce($6, errors), applied = $8",
            $from,
            " where id = $1 and (status = 'held' or status = 'received' and process is not distinct from $7 ",
            "or status = 'queued' ",
            "and (select k.process from claim k where k.tenant = delivery.tenant ",
            "and k.connection = delivery.connection) is not distinct from $7) returning tenant, connection"
        )
    };
}

/// Receives a delivery, together with others. A queued one is promised to be worked on, and always waits for the disk.
pub(super) async fn receive(
    pool: &PgPool,
    receiving: &Receiving,
    process: Option<Uuid>,
    connection: &Connection,
    received: &Received,
) -> Result<(), StoreError> {
    let is_worth_asking = received.body.is_some() && received.size > UNASKED_BYTES_MAX;
    if is_worth_asking && !received.queued && is_known(pool, connection, received).await? {
        match keep_again(pool, process, connection, received, asked(received)?).await {
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {} // it went meanwhile
            other => return Ok(other?),
        }
    }
    receiving.keep(process, connection, received).await
}

async fn is_known(pool: &PgPool, connection: &Connection, received: &Received) -> Result<bool, StoreError> {
    let row = sqlx::query("select 1 from body where tenant = $1 and connection = $2 and sha256 = $3")
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(received.sha256)
        .fetch_optional(pool)
        .await?;
    Ok(row.is_some())
}

async fn keep_again(
    pool: &PgPool,
    process: Option<Uuid>,
    connection: &Connection,
    received: &Received,
    asked: Option<String>,
) -> Result<(), sqlx::Error> {
    sqlx::query(KEEP_AGAIN)
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(received.id)
        .bind(&received.operation)
        .bind(status(received))
        .bind(received.sha256)
        .bind(integer(received.size))
        .bind(&received.content_encoding)
        .bind(received.at.as_millisecond())
        .bind(answered_by(process, received))
        .bind(asked)
        .bind(received.first)
        .execute(pool)
        .await?;
    Ok(())
}

/// Keeps a delivery, its body only where it is not there yet. Where that is pruned at that very moment, all is done anew.
pub(super) async fn keep(
    database: &mut PgConnection,
    process: Option<Uuid>,
    connection: &Connection,
    received: &Received,
) -> Result<(), StoreError> {
    let packed = received.body.as_deref().map(pack).transpose()?;
    let kept = sqlx::query(KEEP)
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(received.id)
        .bind(&received.operation)
        .bind(status(received))
        .bind(received.sha256)
        .bind(integer(received.size))
        .bind(&received.content_encoding)
        .bind(packed)
        .bind(received.at.as_millisecond())
        .bind(answered_by(process, received))
        .bind(asked(received)?)
        .bind(received.first)
        .execute(database)
        .await;
    match kept {
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Err(StoreError::Stale),
        kept => Ok(kept.map(drop)?),
    }
}

/// Nobody answers what is queued.
pub(super) fn answered_by(process: Option<Uuid>, received: &Received) -> Option<Uuid> {
    process.filter(|_| !received.queued)
}

pub(super) fn status(received: &Received) -> &'static str {
    if received.queued { Status::Queued.word() } else { Status::Received.word() }
}

/// Ends a delivery that changes nothing. What says nothing new does not wait for the disk: after a power cut it would count
/// as interrupted, which is as true, for it changed nothing. What was refused was told so, and stays refused.
pub(super) async fn settle(
    pool: &PgPool,
    process: Option<Uuid>,
    delivery: Uuid,
    at: Timestamp,
    report: &Report,
    entries: &[Entry],
) -> Result<(), StoreError> {
    const QUICK: &str =
        finish!(", quick as (select set_config('synchronous_commit', 'off', true) as set) ", " from quick");
    let sql = if report.status == Status::Unchanged { QUICK } else { finish!("", "") };
    let mut transaction = pool.begin().await?;
    end(&mut transaction, sql, (delivery, process), at, report, entries, None).await?;
    Ok(transaction.commit().await?)
}

/// Writes what became of a delivery, and its log.
pub(super) async fn finish(
    database: &mut PgConnection,
    process: Option<Uuid>,
    delivery: Uuid,
    at: Timestamp,
    report: &Report,
    entries: &[Entry],
    applied: i64,
) -> Result<(), StoreError> {
    end(database, finish!("", ""), (delivery, process), at, report, entries, Some(applied)).await
}

async fn end(
    database: &mut PgConnection,
    sql: &'static str,
    (delivery, process): (Uuid, Option<Uuid>),
    at: Timestamp,
    report: &Report,
    entries: &[Entry],
    applied: Option<i64>,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(report).map_err(|error| StoreError::Database(Box::new(error)))?;
    let counts =
        (!entries.is_empty()).then(|| (entries.len(), entries.iter().filter(|entry| entry.outcome.is_error()).count()));
    let ended = sqlx::query(sql)
        .bind(delivery)
        .bind(report.status.word())
        .bind(at.as_millisecond())
        .bind(text)
        .bind(counts.map(|(sent, _)| integer(sent)))
        .bind(counts.map(|(_, errors)| integer(errors)))
        .bind(process)
        .bind(applied)
        .bind(report.status.supersedes())
        .fetch_optional(&mut *database)
        .await?;
    match ended {
        Some(row) => {
            let connection = (row.try_get(0)?, row.try_get(1)?);
            put_aside(database, connection, delivery, report.put_aside(entries)).await?;
            entry::write(database, connection, delivery, entries).await
        }
        None => Err(StoreError::Inconsistent(format!("delivery {delivery} is not waiting for an end here"))),
    }
}

/// Says how many records of a delivery were put aside, if any were.
async fn put_aside(
    database: &mut PgConnection,
    (tenant, connection): (i64, i64),
    delivery: Uuid,
    records: u64,
) -> Result<(), StoreError> {
    if records > 0 {
        sqlx::query("update delivery set aside = $4 where tenant = $1 and connection = $2 and id = $3")
            .bind(tenant)
            .bind(connection)
            .bind(delivery)
            .bind(integer(records))
            .execute(database)
            .await?;
    }
    Ok(())
}
