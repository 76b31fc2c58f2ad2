//! Deliveries and their bodies, from receiving to what became of them.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::entry;
use super::writer::Transaction;
use super::writer::Writer;
use crate::delivery::{Entry, Received, Report, Status};
use crate::store::packed::pack;
use crate::store::stored::{asked, integer};
use crate::store::{Connection, StoreError};

/// Bytes of a body from which asking whether it is stored already costs less than compressing it in vain.
const WORTH_ASKING_BYTES: usize = 64 << 10;

/// A delivery that is ready to be stored: its body was compressed before anyone has to wait for it.
#[derive(Debug)]
pub(super) struct Kept {
    /// The number of its connection.
    connection: i64,
    /// The process that answers it.
    process: Option<Uuid>,
    received: Received,
    /// Its body; `None` where it has none, or was stored already a moment ago.
    compressed: Option<Vec<u8>>,
}

impl Kept {
    /// Makes a delivery ready. May take a while where its body is large.
    pub(super) fn new(
        writer: &Writer,
        process: Option<Uuid>,
        connection: &Connection,
        received: &Received,
    ) -> Result<Self, StoreError> {
        let mut kept = Self { connection: connection.id, process, received: received.clone(), compressed: None };
        if let Some(body) = received.body.as_deref()
            && (body.len() < WORTH_ASKING_BYTES || writer.read(|transaction| known(transaction, &kept))?.is_none())
        {
            kept.compressed = Some(pack(body)?);
        }
        Ok(kept)
    }

    /// How many bytes are to be written.
    pub(super) fn bytes(&self) -> usize {
        self.compressed.as_ref().map_or(0, Vec::len)
    }
}

/// Keeps a delivery within a transaction, its body only where it is not there yet; says whether the disk has to be waited
/// for. It need not for a body that is already there: after a power cut a trace of the repetition may be missing, but no byte
/// that was sent, and if it changed anything then the commit that follows waits for both. A queued one is promised to be
/// worked on, and always waits for the disk.
pub(super) fn keep(transaction: &Transaction<'_>, kept: &Kept) -> Result<bool, StoreError> {
    let Some(body) = &kept.received.body else {
        insert(transaction, kept, None)?;
        return Ok(true);
    };
    let known = known(transaction, kept)?;
    let id = match (known, &kept.compressed) {
        (Some(known), _) => known,
        (None, Some(compressed)) => insert_body(transaction, kept, compressed)?,
        (None, None) => insert_body(transaction, kept, &pack(body)?)?, // it was there, and is gone
    };
    insert(transaction, kept, Some(id))?;
    Ok(known.is_none() || kept.received.queued)
}

/// Writes what became of a delivery that this process is at, or that is held, and its log. On its own (not within a commit) this
/// need not wait for the disk: after a power cut the delivery would count as interrupted, which is as true, for it
/// changed nothing; a queued one would be worked on again, to the same end.
///
/// Where no log is kept, what was last known of how many records it holds stays. `applied` is its place in the order in
/// which deliveries of its connection were applied.
pub(super) fn finish(
    transaction: &Transaction<'_>,
    process: Option<Uuid>,
    delivery: Uuid,
    at: Timestamp,
    report: &Report,
    entries: &[Entry],
    applied: Option<i64>,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(report).map_err(|error| StoreError::Database(Box::new(error)))?;
    let mut statement = transaction.prepare_cached(
        "update delivery set status = ?2, finished_at = ?3, report = ?4, sent = coalesce(?5, sent), \
         errors = coalesce(?6, errors), applied = ?8 where id = ?1 and (status = 'held' \
         or status = 'received' and process is ?7 \
         or status = 'queued' and (select process from claim where connection = delivery.connection) is ?7)",
    )?;
    let counts =
        (!entries.is_empty()).then(|| (entries.len(), entries.iter().filter(|entry| entry.outcome.is_error()).count()));
    let ended = statement.execute(params![
        delivery.as_bytes(),
        report.status.word(),
        at.as_millisecond(),
        text,
        counts.map(|(sent, _)| integer(sent)),
        counts.map(|(_, errors)| integer(errors)),
        process.as_ref().map(Uuid::as_bytes),
        applied,
    ])?;
    match ended {
        1 => {
            supersede(transaction, delivery, report.status)?;
            put_aside(transaction, delivery, report.put_aside(entries))?;
            entry::write(transaction, delivery, entries)
        }
        _ => Err(StoreError::Inconsistent(format!("delivery {delivery} is not waiting for an end here"))),
    }
}

/// Says how many records of a delivery were put aside, if any were.
fn put_aside(transaction: &Transaction<'_>, delivery: Uuid, records: u64) -> Result<(), StoreError> {
    if records > 0 {
        let mut statement = transaction.prepare_cached("update delivery set aside = ?2 where id = ?1")?;
        statement.execute(params![delivery.as_bytes(), integer(records)])?;
    }
    Ok(())
}

/// What is held of the same operation is so no longer, if a delivery ends like this.
fn supersede(transaction: &Transaction<'_>, delivery: Uuid, status: Status) -> Result<(), StoreError> {
    if !status.supersedes() {
        return Ok(());
    }
    let mut statement = transaction.prepare_cached(
        "update delivery set status = 'superseded', report = json_set(report, '$.status', 'superseded') \
         where status = 'held' and id <> ?1 and (connection, operation) = (select connection, operation from delivery \
         where id = ?1)",
    )?;
    statement.execute([delivery.as_bytes()])?;
    Ok(())
}

fn known(transaction: &Transaction<'_>, kept: &Kept) -> Result<Option<i64>, StoreError> {
    let mut statement = transaction.prepare_cached("select id from body where connection = ?1 and sha256 = ?2")?;
    Ok(statement.query_row(params![kept.connection, kept.received.sha256], |row| row.get(0)).optional()?)
}

/// A statement that gives something back, or that takes its row from another table, keeps a copy of each page that it
/// changes: neither this nor [`insert`] does.
fn insert_body(transaction: &Transaction<'_>, kept: &Kept, compressed: &[u8]) -> Result<i64, StoreError> {
    let mut statement =
        transaction.prepare_cached("insert into body (connection, sha256, size, zstd) values (?1, ?2, ?3, ?4)")?;
    let size = integer(kept.received.size);
    Ok(statement.insert(params![kept.connection, kept.received.sha256, size, compressed])?)
}

fn insert(transaction: &Transaction<'_>, kept: &Kept, body: Option<i64>) -> Result<(), StoreError> {
    let received = &kept.received;
    let (status, process) = if received.queued { (Status::Queued, None) } else { (Status::Received, kept.process) };
    let mut statement = transaction.prepare_cached(
        "insert into delivery (id, tenant, connection, operation, status, received_at, sha256, size, \
         content_encoding, body, process, asked, first) \
         values (?1, (select tenant from connection where id = ?2), ?2, ?3, ?9, ?4, ?5, ?6, ?7, ?8, ?10, ?11, ?12)",
    )?;
    statement.execute(params![
        received.id.as_bytes(),
        kept.connection,
        received.operation,
        received.at.as_millisecond(),
        received.sha256,
        integer(received.size),
        received.content_encoding,
        body,
        status.word(),
        process.as_ref().map(Uuid::as_bytes),
        asked(received)?,
        received.first.as_ref().map(Uuid::as_bytes),
    ])?;
    Ok(())
}
