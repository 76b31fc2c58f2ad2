//! Finds, rewrites and blanks what is to be erased.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgPool, PgRow};
use uuid::Uuid;

use super::rows::{statement, storable};
use super::{entry, prune, send};
use crate::canonical::{Canonical, KindId};
use crate::delivery::Entry;
use crate::description::{Partner, RecordTypeId};
use crate::digest::Digest;
use crate::store::contributors::damaged;
use crate::store::keep::{Erasure, KeptBody, KeptSend, Sending, Told};
use crate::store::packed::{pack, unpack};
use crate::store::sql::bulk;
use crate::store::stored::{instant, integer, parsed, word};
use crate::store::{Connection, RecordId, StoreError};

/// Notes that someone is to be erased.
pub(super) async fn begin(pool: &PgPool, erasure: &Erasure) -> Result<(), StoreError> {
    sqlx::query(
        "insert into erasure (tenant, connection, id, digest, at, finished_at) select c.tenant, c.id, $1, $4, $5, $6 \
         from connection c join tenant t on t.id = c.tenant where t.name = $2 and c.name = $3 on conflict do nothing",
    )
    .bind(erasure.id)
    .bind(&erasure.tenant)
    .bind(&erasure.connection)
    .bind(erasure.digest.as_bytes())
    .bind(erasure.at.as_millisecond())
    .bind(erasure.finished_at.map(Timestamp::as_millisecond))
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that someone has been erased.
pub(super) async fn end(pool: &PgPool, id: Uuid, at: Timestamp) -> Result<(), StoreError> {
    let end = sqlx::query("update erasure set finished_at = $2 where id = $1");
    end.bind(id).bind(at.as_millisecond()).execute(pool).await?;
    Ok(())
}

/// Who was erased, the first first.
pub(super) async fn all(pool: &PgPool) -> Result<Vec<Erasure>, StoreError> {
    let rows = sqlx::query(
        "select e.id, t.name, c.name, e.digest, e.at, e.finished_at from erasure e \
         join connection c on c.tenant = e.tenant and c.id = e.connection join tenant t on t.id = e.tenant order by e.id",
    );
    let erasure = |row: &PgRow| {
        Ok(Erasure {
            id: row.try_get(0)?,
            tenant: row.try_get(1)?,
            connection: row.try_get(2)?,
            digest: Digest::from_bytes(row.try_get(3)?).ok_or_else(|| damaged("an erasure"))?,
            at: instant(row.try_get(4)?)?,
            finished_at: row.try_get::<Option<i64>, _>(5)?.map(instant).transpose()?,
        })
    };
    rows.fetch_all(pool).await?.iter().map(erasure).collect()
}

/// The stored bodies of a connection, the oldest first.
pub(super) async fn bodies(
    pool: &PgPool,
    connection: &Connection,
    after: i64,
    limit: u32,
) -> Result<Vec<KeptBody>, StoreError> {
    let rows = sqlx::query(
        "select id, size, zstd, sha256 from body where tenant = $1 and connection = $2 and id > $3 \
         order by id limit $4",
    );
    let rows = rows.bind(connection.tenant_id).bind(connection.id).bind(after).bind(i64::from(limit));
    let mut bodies = Vec::new();
    for row in rows.fetch_all(pool).await? {
        let bytes = unpack(row.try_get(2)?, row.try_get(1)?)?;
        let deliveries = sendings(pool, connection, row.try_get(3)?).await?;
        bodies.push(KeptBody { id: row.try_get(0)?, bytes, deliveries });
    }
    Ok(bodies)
}

async fn sendings(pool: &PgPool, connection: &Connection, sha256: &[u8]) -> Result<Vec<Sending>, StoreError> {
    let rows = sqlx::query(
        "select id, operation, content_encoding, status from delivery where tenant = $1 and connection = $2 \
         and body = $3 order by id",
    );
    let rows = rows.bind(connection.tenant_id).bind(connection.id).bind(sha256).fetch_all(pool).await?;
    let sending = |row: &PgRow| {
        Ok(Sending {
            delivery: row.try_get(0)?,
            operation: row.try_get(1)?,
            content_encoding: row.try_get(2)?,
            status: word(row.try_get(3)?, "the status of a delivery")?,
        })
    };
    rows.iter().map(sending).collect()
}

/// Puts other bytes in the place of a body, or nothing. What waits for its turn is known by what it says now; what has
/// ended, by what was sent.
pub(super) async fn rewrite_body(
    database: &mut PgConnection,
    connection: &Connection,
    body: i64,
    bytes: Option<&[u8]>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (tenant, own) = (connection.tenant_id, connection.id);
    let old = sqlx::query_scalar("select sha256 from body where tenant = $1 and connection = $2 and id = $3");
    let old: Option<Vec<u8>> = old.bind(tenant).bind(own).bind(body).fetch_optional(&mut *database).await?;
    let Some(old) = old else { return Ok(()) };
    take_away(database, connection, &old).await?;
    let new = bytes.map(sha256);
    if let (Some(bytes), Some(new)) = (bytes, new) {
        sqlx::query(
            "insert into body (tenant, connection, sha256, size, zstd, erased_at, id) overriding system value \
             values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        )
        .bind(tenant)
        .bind(own)
        .bind(new)
        .bind(integer(bytes.len()))
        .bind(pack(bytes)?)
        .bind(at.as_millisecond())
        .bind(body)
        .execute(&mut *database)
        .await?;
    }
    sqlx::query(
        "update delivery set body = $4::bytea, \
         sha256 = case when $4::bytea is not null and status in ('received', 'queued', 'held') then $4 else sha256 end \
         where tenant = $1 and connection = $2 and body = $3",
    )
    .bind(tenant)
    .bind(own)
    .bind(&old)
    .bind(new)
    .execute(&mut *database)
    .await?;
    prune::drop_unused(database, connection, &[old]).await
}

/// Takes a body from whoever works on what it said: they cannot end that any more, so that it is worked on anew, or was
/// never answered.
async fn take_away(database: &mut PgConnection, connection: &Connection, sha256: &[u8]) -> Result<(), StoreError> {
    for sql in [
        "update claim set process = null where tenant = $1 and connection = $2 and exists (select 1 from delivery \
         where tenant = $1 and connection = $2 and body = $3 and status = 'queued')",
        "update delivery set process = null where tenant = $1 and connection = $2 and body = $3 and status = 'received'",
    ] {
        sqlx::query(sql).bind(connection.tenant_id).bind(connection.id).bind(sha256).execute(&mut *database).await?;
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// What is told of the deliveries of a connection, in the order of their ids.
pub(super) async fn told(
    pool: &PgPool,
    connection: &Connection,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<(Uuid, Told)>, StoreError> {
    let rows = sqlx::query(
        "select id, report, asked from delivery where tenant = $1 and connection = $2 and id > $3 order by id limit $4",
    );
    let rows = rows.bind(connection.tenant_id).bind(connection.id).bind(after.unwrap_or_default());
    let mut all = Vec::new();
    for row in rows.bind(i64::from(limit)).fetch_all(pool).await? {
        let id = row.try_get(0)?;
        let report = row.try_get::<Option<&str>, _>(1)?;
        let report = report.map(|text| parsed(text, "the report of a delivery")).transpose()?;
        all.push((id, Told { report, entries: entries(pool, connection, id).await?, asked: row.try_get(2)? }));
    }
    Ok(all)
}

async fn entries(pool: &PgPool, connection: &Connection, delivery: Uuid) -> Result<Vec<Entry>, StoreError> {
    let rows = sqlx::query(
        "select pointer, record, key, outcome, notes from entry where tenant = $1 and connection = $2 \
         and delivery = $3 order by nth",
    );
    let rows = rows.bind(connection.tenant_id).bind(connection.id).bind(delivery).fetch_all(pool).await?;
    let read = |row: &PgRow| {
        let notes = row.try_get::<Option<&str>, _>(4)?;
        Ok(Entry {
            pointer: row.try_get::<&str, _>(0)?.into(),
            record: row.try_get(1)?,
            key: row.try_get(2)?,
            outcome: word(row.try_get(3)?, "the outcome of a record")?,
            notes: notes.map_or(Ok(Vec::new()), |text| parsed(text, "a line of a log"))?,
        })
    };
    rows.iter().map(read).collect()
}

/// Tells something else of a delivery; how it ended and what its numbers are stays.
pub(super) async fn retell(database: &mut PgConnection, delivery: Uuid, told: &Told) -> Result<(), StoreError> {
    let report = told.report.as_ref().map(serde_json::to_string).transpose();
    let report = report.map_err(|error| StoreError::Database(Box::new(error)))?;
    let row = sqlx::query("update delivery set report = $2, asked = $3 where id = $1 returning tenant, connection");
    let Some(row) = row.bind(delivery).bind(report).bind(&told.asked).fetch_optional(&mut *database).await? else {
        return Ok(());
    };
    let notes = told.entries.iter().map(|line| entry::notes(&line.notes)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "update entry e set pointer = line.pointer, key = line.key, notes = line.notes \
         from unnest($4::text[], $5::text[], $6::text[]) with ordinality as line (pointer, key, notes, nth) \
         where e.tenant = $1 and e.connection = $2 and e.delivery = $3 and e.nth = line.nth - 1",
    )
    .bind(row.try_get::<i64, _>(0)?)
    .bind(row.try_get::<i64, _>(1)?)
    .bind(delivery)
    .bind(told.entries.iter().map(|line| storable(line.pointer.as_str())).bind_iter())
    .bind(told.entries.iter().map(|line| line.key.as_deref()).bind_iter())
    .bind(notes)
    .execute(database)
    .await?;
    Ok(())
}

/// The ancestors of records of one type.
pub(super) async fn ancestors(
    pool: &PgPool,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    records: &[RecordId],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = statement(bulk::ancestors(&partner.records[usize::from(of.0)].table))
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(records.iter().map(|record| record.0).bind_iter())
        .fetch_all(pool)
        .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert(row.try_get::<i64, _>(0)?, row.try_get::<String, _>(1)?.into_bytes());
    }
    let missing = || StoreError::Inconsistent("a record to be read is not there".to_owned());
    records.iter().map(|record| found.remove(&record.0).ok_or_else(missing)).collect()
}

/// All entities of a connection.
pub(super) async fn entity_ids(
    pool: &PgPool,
    connection: &Connection,
    canonical: &Canonical,
) -> Result<Vec<(KindId, Uuid)>, StoreError> {
    let mut all = Vec::new();
    for (id, kind) in canonical.iter() {
        let rows = statement(bulk::entity_ids(&kind.table)).bind(connection.tenant_id).bind(connection.id);
        for row in rows.fetch_all(pool).await? {
            all.push((id, row.try_get(0)?));
        }
    }
    Ok(all)
}

/// Blanks what is gone and is, or refers to, one of `entities`.
pub(super) async fn blank_entities(
    database: &mut PgConnection,
    connection: &Connection,
    canonical: &Canonical,
    entities: &[Uuid],
) -> Result<u64, StoreError> {
    let patterns: Vec<_> = entities.iter().map(|entity| format!("%{entity}%")).collect();
    let mut blanked = 0;
    for kind in canonical.kinds() {
        let done = statement(bulk::blank_entities(&kind.table))
            .bind(connection.tenant_id)
            .bind(connection.id)
            .bind(entities.to_vec())
            .bind(patterns.clone())
            .execute(&mut *database)
            .await?;
        blanked += done.rows_affected();
    }
    Ok(blanked)
}

/// What subscribers of a connection were, or are to be, told.
pub(super) async fn sends(
    pool: &PgPool,
    connection: &Connection,
    after: i64,
    limit: u32,
) -> Result<Vec<KeptSend>, StoreError> {
    let rows = sqlx::query(
        "select id, type, key, body from send where tenant = $1 and connection = $2 and id > $3 order by id limit $4",
    );
    let rows = rows.bind(connection.tenant_id).bind(connection.id).bind(after).bind(i64::from(limit));
    let send = |row: &PgRow| {
        Ok(KeptSend { id: row.try_get(0)?, record: row.try_get(1)?, key: row.try_get(2)?, body: row.try_get(3)? })
    };
    rows.fetch_all(pool).await?.iter().map(send).collect()
}

/// Forgets sends; whatever waited for them is due.
pub(super) async fn forget_sends(
    database: &mut PgConnection,
    connection: &Connection,
    sends: &[i64],
) -> Result<(), StoreError> {
    let (tenant, own) = (connection.tenant_id, connection.id);
    // Whoever adds one or ends one locks the connection first, too.
    let lock = sqlx::query("select 1 from connection where tenant = $1 and id = $2 for no key update");
    lock.bind(tenant).bind(own).execute(&mut *database).await?;
    for id in sends {
        let ended = sqlx::query(
            "update send set status = 'failed', due = null where tenant = $1 and connection = $2 and id = $3 \
             and status in ('pending', 'retry') and due is not null \
             returning tenant, connection, id, subscription, type, key",
        );
        let ended = ended.bind(tenant).bind(own).bind(id).fetch_optional(&mut *database).await?;
        if let Some(ended) = ended {
            send::release(database, &ended).await?;
        }
    }
    for sql in [
        "delete from send_attempt where tenant = $1 and connection = $2 and send = any($3)",
        "delete from send where tenant = $1 and connection = $2 and id = any($3)",
    ] {
        sqlx::query(sql).bind(tenant).bind(own).bind(sends).execute(&mut *database).await?;
    }
    Ok(())
}

/// Forgets that a record is gone.
pub(super) async fn forget_gone(
    pool: &PgPool,
    connection: &Connection,
    record: &str,
    key: &str,
) -> Result<(), StoreError> {
    sqlx::query("delete from gone where tenant = $1 and connection = $2 and type = $3 and key = $4")
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(record)
        .bind(storable(key))
        .execute(pool)
        .await?;
    Ok(())
}
