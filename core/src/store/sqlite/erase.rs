//! Finds, rewrites and blanks what is to be erased.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::prune::drop_unused;
use super::rows::Rows;
use super::writer::Transaction;
use super::{entry, send};
use crate::canonical::{Canonical, KindId};
use crate::delivery::Entry;
use crate::description::{Partner, RecordTypeId};
use crate::digest::Digest;
use crate::store::contributors::damaged;
use crate::store::keep::{Erasure, KeptBody, KeptSend, Sending, Told};
use crate::store::packed::{pack, unpack};
use crate::store::stored::{instant, integer, parsed, word};
use crate::store::{Connection, RecordId, StoreError, sql};

/// Notes that someone is to be erased.
pub(super) fn begin(transaction: &Transaction<'_>, erasure: &Erasure) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "insert into erasure (id, connection, digest, at, finished_at) select ?1, c.id, ?4, ?5, ?6 from connection c \
         join tenant t on t.id = c.tenant where t.name = ?2 and c.name = ?3 on conflict (id) do nothing",
    )?;
    statement.execute(params![
        erasure.id.as_bytes(),
        erasure.tenant,
        erasure.connection,
        erasure.digest.as_bytes(),
        erasure.at.as_millisecond(),
        erasure.finished_at.map(Timestamp::as_millisecond),
    ])?;
    Ok(())
}

/// Notes that someone has been erased.
pub(super) fn end(transaction: &Transaction<'_>, id: Uuid, at: Timestamp) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("update erasure set finished_at = ?2 where id = ?1")?;
    statement.execute(params![id.as_bytes(), at.as_millisecond()])?;
    Ok(())
}

/// Who was erased, the first first.
pub(super) fn all(transaction: &Transaction<'_>) -> Result<Vec<Erasure>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "select e.id, t.name, c.name, e.digest, e.at, e.finished_at from erasure e \
         join connection c on c.id = e.connection join tenant t on t.id = c.tenant order by e.id",
    )?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Erasure {
            id: Uuid::from_bytes(row.get(0)?),
            tenant: row.get(1)?,
            connection: row.get(2)?,
            digest: Digest::from_bytes(&row.get::<_, [u8; 32]>(3)?).ok_or_else(|| damaged("an erasure"))?,
            at: instant(row.get(4)?)?,
            finished_at: row.get::<_, Option<i64>>(5)?.map(instant).transpose()?,
        });
    }
    Ok(all)
}

/// The stored bodies of a connection, the oldest first.
pub(super) fn bodies(
    transaction: &Transaction<'_>,
    connection: &Connection,
    after: i64,
    limit: u32,
) -> Result<Vec<KeptBody>, StoreError> {
    let mut statement = transaction
        .prepare_cached("select id, size, zstd from body where connection = ?1 and id > ?2 order by id limit ?3")?;
    let mut rows = statement.query(params![connection.id, after, limit])?;
    let mut bodies = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let compressed = row.get_ref(2)?.as_blob().map_err(|_| damaged("a body"))?;
        let bytes = unpack(compressed, row.get(1)?)?;
        bodies.push(KeptBody { id, bytes, deliveries: sendings(transaction, id)? });
    }
    Ok(bodies)
}

fn sendings(transaction: &Transaction<'_>, body: i64) -> Result<Vec<Sending>, StoreError> {
    let mut statement = transaction
        .prepare_cached("select id, operation, content_encoding, status from delivery where body = ?1 order by id")?;
    let mut rows = statement.query([body])?;
    let mut sendings = Vec::new();
    while let Some(row) = rows.next()? {
        sendings.push(Sending {
            delivery: Uuid::from_bytes(row.get(0)?),
            operation: row.get(1)?,
            content_encoding: row.get(2)?,
            status: word(row.get_ref(3)?.as_str().map_err(|_| damaged("a delivery"))?, "the status of a delivery")?,
        });
    }
    Ok(sendings)
}

/// Puts other bytes in the place of a body, or nothing. What waits for its turn is known by what it says now; what has
/// ended, by what was sent.
pub(super) fn rewrite_body(
    transaction: &Transaction<'_>,
    connection: &Connection,
    body: i64,
    bytes: Option<&[u8]>,
    at: Timestamp,
) -> Result<(), StoreError> {
    take_away(transaction, connection, body)?;
    let Some(bytes) = bytes else {
        transaction.prepare_cached("update delivery set body = null where body = ?1")?.execute([body])?;
        return drop_unused(transaction, body);
    };
    let sha256 = sha256(bytes);
    let mut statement = transaction.prepare_cached(
        "update delivery set sha256 = ?2 where body = ?1 and status in ('received', 'queued', 'held')",
    )?;
    statement.execute(params![body, sha256])?;
    let mut statement = transaction.prepare_cached("select id from body where connection = ?1 and sha256 = ?2")?;
    let same = statement.query_row(params![connection.id, sha256], |row| row.get::<_, i64>(0)).optional()?;
    if let Some(same) = same.filter(|same| *same != body) {
        transaction.prepare_cached("update delivery set body = ?2 where body = ?1")?.execute([body, same])?;
        return drop_unused(transaction, body);
    }
    let compressed = pack(bytes)?;
    let mut statement = transaction
        .prepare_cached("update body set sha256 = ?2, size = ?3, zstd = ?4, erased_at = ?5 where id = ?1")?;
    statement.execute(params![body, sha256, integer(bytes.len()), compressed, at.as_millisecond()])?;
    Ok(())
}

/// Takes a body from whoever works on what it said: they cannot end that any more, so that it is worked on anew, or was
/// never answered.
fn take_away(transaction: &Transaction<'_>, connection: &Connection, body: i64) -> Result<(), StoreError> {
    for sql in [
        "update claim set process = null where connection = ?1 and exists (select 1 from delivery where body = ?2 \
         and status = 'queued')",
        "update delivery set process = null where connection = ?1 and body = ?2 and status = 'received'",
    ] {
        transaction.prepare_cached(sql)?.execute([connection.id, body])?;
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// What is told of the deliveries of a connection, in the order of their ids.
pub(super) fn told(
    transaction: &Transaction<'_>,
    connection: &Connection,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<(Uuid, Told)>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "select id, report, asked from delivery where connection = ?1 and id > ?2 order by id limit ?3",
    )?;
    let mut rows = statement.query(params![connection.id, after.unwrap_or_default().as_bytes(), limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let id = Uuid::from_bytes(row.get(0)?);
        let report = row.get::<_, Option<String>>(1)?;
        let report = report.map(|text| parsed(&text, "the report of a delivery")).transpose()?;
        all.push((id, Told { report, entries: entries(transaction, id)?, asked: row.get(2)? }));
    }
    Ok(all)
}

fn entries(transaction: &Transaction<'_>, delivery: Uuid) -> Result<Vec<Entry>, StoreError> {
    let mut statement = transaction
        .prepare_cached("select pointer, record, key, outcome, notes from entry where delivery = ?1 order by nth")?;
    let mut rows = statement.query([delivery.as_bytes()])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read_entry(row)?);
    }
    Ok(entries)
}

fn read_entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    let notes = row.get::<_, Option<String>>(4)?;
    Ok(Entry {
        pointer: row.get::<_, String>(0)?.into(),
        record: row.get(1)?,
        key: row.get(2)?,
        outcome: word(&row.get::<_, String>(3)?, "the outcome of a record")?,
        notes: notes.map_or(Ok(Vec::new()), |text| parsed(&text, "a line of a log"))?,
    })
}

/// Tells something else of a delivery; how it ended and what its numbers are stays.
pub(super) fn retell(transaction: &Transaction<'_>, delivery: Uuid, told: &Told) -> Result<(), StoreError> {
    let report = told.report.as_ref().map(serde_json::to_string).transpose();
    let report = report.map_err(|error| StoreError::Database(Box::new(error)))?;
    let mut statement = transaction.prepare_cached("update delivery set report = ?2, asked = ?3 where id = ?1")?;
    statement.execute(params![delivery.as_bytes(), report, told.asked])?;
    let mut statement = transaction
        .prepare_cached("update entry set pointer = ?3, key = ?4, notes = ?5 where delivery = ?1 and nth = ?2")?;
    for (nth, line) in (0_i64..).zip(&told.entries) {
        let notes = entry::notes(&line.notes)?;
        statement.execute(params![delivery.as_bytes(), nth, line.pointer.as_str(), line.key, notes])?;
    }
    Ok(())
}

/// The ancestors of records of one type.
pub(super) fn ancestors(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    records: &[RecordId],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut rows = Rows::new(transaction, &sql::ancestors(&partner.records[usize::from(of.0)].table))?;
    rows.integer(1, connection.id)?;
    let mut all = Vec::with_capacity(records.len());
    for id in records {
        rows.integer(2, id.0)?;
        let ancestors = rows.first(|row| Ok(row.get::<_, String>(0)?.into_bytes()))?;
        all.push(ancestors.ok_or_else(|| StoreError::Inconsistent("a record to be read is not there".to_owned()))?);
    }
    Ok(all)
}

/// All entities of a connection.
pub(super) fn entity_ids(
    transaction: &Transaction<'_>,
    connection: &Connection,
    canonical: &Canonical,
) -> Result<Vec<(KindId, Uuid)>, StoreError> {
    let tenant = connection.tenant_id;
    let mut all = Vec::new();
    for (id, kind) in canonical.iter() {
        let mut statement = transaction.prepare_cached(&sql::entity_ids(&kind.table))?;
        let rows = statement.query_map([tenant, connection.id], |row| row.get::<_, [u8; 16]>(0))?;
        for row in rows {
            all.push((id, Uuid::from_bytes(row?)));
        }
    }
    Ok(all)
}

/// Blanks what is gone and is, or refers to, one of `entities`.
pub(super) fn blank_entities(
    transaction: &Transaction<'_>,
    connection: &Connection,
    canonical: &Canonical,
    entities: &[Uuid],
) -> Result<u64, StoreError> {
    let tenant = connection.tenant_id;
    let mut blanked = 0;
    for kind in canonical.kinds() {
        let mut statement = transaction.prepare_cached(&sql::blank_entities(&kind.table))?;
        let has_text = statement.parameter_count() > 3;
        for entity in entities {
            let own = connection.id;
            blanked += if has_text {
                statement.execute(params![tenant, own, entity.as_bytes(), entity.to_string()])?
            } else {
                statement.execute(params![tenant, own, entity.as_bytes()])?
            };
        }
    }
    Ok(blanked as u64)
}

/// What subscribers of a connection were, or are to be, told.
pub(super) fn sends(
    transaction: &Transaction<'_>,
    connection: &Connection,
    after: i64,
    limit: u32,
) -> Result<Vec<KeptSend>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "select id, type, key, body from send where connection = ?1 and id > ?2 order by id limit ?3",
    )?;
    let rows = statement.query_map(params![connection.id, after, limit], |row| {
        Ok(KeptSend { id: row.get(0)?, record: row.get(1)?, key: row.get(2)?, body: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets sends; whatever waited for them is due.
pub(super) fn forget_sends(
    transaction: &Transaction<'_>,
    connection: &Connection,
    sends: &[i64],
) -> Result<(), StoreError> {
    for id in sends {
        let mut statement = transaction.prepare_cached(
            "update send set status = 'failed', due = null \
             where id = ?1 and connection = ?2 and status in ('pending', 'retry') and due is not null",
        )?;
        if statement.execute([*id, connection.id])? > 0 {
            send::release(transaction, *id)?;
        }
        transaction.prepare_cached("delete from send_attempt where send = ?1")?.execute([id])?;
        let mut statement = transaction.prepare_cached("delete from send where id = ?1 and connection = ?2")?;
        statement.execute([*id, connection.id])?;
    }
    Ok(())
}

/// Forgets that a record is gone.
pub(super) fn forget_gone(
    transaction: &Transaction<'_>,
    connection: &Connection,
    record: &str,
    key: &str,
) -> Result<(), StoreError> {
    let mut statement =
        transaction.prepare_cached("delete from gone where connection = ?1 and type = ?2 and key = ?3")?;
    statement.execute(params![connection.id, record, key])?;
    Ok(())
}
