//! Deliveries and their bodies, from receiving to what became of them.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};
use uuid::Uuid;

use super::writer::Writer;
use super::{Durability, entry};
use crate::delivery::{Entry, Received, Report, Status};
use crate::store::packed::pack;
use crate::store::stored::integer;
use crate::store::{Connection, StoreError};

/// A delivery whose body is ready to be stored: compressed before anyone has to wait for it.
pub(super) struct Kept<'a> {
    received: &'a Received,
    compressed: Option<Vec<u8>>,
}

impl<'a> Kept<'a> {
    pub(super) fn new(received: &'a Received) -> Result<Self, StoreError> {
        Ok(Self { received, compressed: received.body.as_deref().map(pack).transpose()? })
    }
}

/// Keeps a delivery. A body that is already there is not stored again, and then there is no waiting for the disk: after
/// a power cut a trace of the repetition may be missing, but no byte that was sent, and if it changed anything then
/// the commit that follows waits for both. A queued one is promised to be worked on, and always waits for the disk.
pub(super) fn receive(
    writer: &Writer,
    process: Option<Uuid>,
    connection: &Connection,
    received: &Received,
) -> Result<(), StoreError> {
    if received.body.is_some()
        && let Some(known) = writer.read(|transaction| known(transaction, connection, received))?
    {
        let durability = if received.queued { Durability::Full } else { Durability::Normal };
        return writer.write(durability, |transaction| insert(transaction, process, connection, received, Some(known)));
    }
    let kept = Kept::new(received)?;
    writer.write(Durability::Full, |transaction| keep(transaction, process, connection, &kept))
}

/// Keeps a delivery within a transaction, its body only where it is not there yet.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    process: Option<Uuid>,
    connection: &Connection,
    kept: &Kept<'_>,
) -> Result<(), StoreError> {
    let body = match &kept.compressed {
        Some(compressed) => Some(match known(transaction, connection, kept.received)? {
            Some(known) => known,
            None => insert_body(transaction, connection, kept.received, compressed)?,
        }),
        None => None,
    };
    insert(transaction, process, connection, kept.received, body)
}

/// Writes what became of a delivery that this process is at, and its log. On its own (not within a commit) this
/// need not wait for the disk: after a power cut the delivery would count as interrupted, which is as true, for it
/// changed nothing; a queued one would be worked on again, to the same end.
///
/// Where no log is kept, what was last known of how many records it holds stays.
pub(super) fn finish(
    transaction: &Transaction<'_>,
    process: Option<Uuid>,
    delivery: Uuid,
    at: Timestamp,
    report: &Report,
    entries: &[Entry],
) -> Result<(), StoreError> {
    let text = serde_json::to_string(report).map_err(|error| StoreError::Database(Box::new(error)))?;
    let mut statement = transaction.prepare_cached(
        "update delivery set status = ?2, finished_at = ?3, report = ?4, sent = coalesce(?5, sent), \
         errors = coalesce(?6, errors) where id = ?1 and (status = 'received' and process is ?7 \
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
    ])?;
    match ended {
        1 => entry::write(transaction, delivery, entries),
        _ => Err(StoreError::Inconsistent(format!("delivery {delivery} is not waiting for an end here"))),
    }
}

fn known(
    transaction: &Transaction<'_>,
    connection: &Connection,
    received: &Received,
) -> Result<Option<i64>, StoreError> {
    let mut statement = transaction.prepare_cached("select id from body where connection = ?1 and sha256 = ?2")?;
    Ok(statement.query_row(params![connection.id, received.sha256], |row| row.get(0)).optional()?)
}

fn insert_body(
    transaction: &Transaction<'_>,
    connection: &Connection,
    received: &Received,
    compressed: &[u8],
) -> Result<i64, StoreError> {
    let mut statement = transaction
        .prepare_cached("insert into body (connection, sha256, size, zstd) values (?1, ?2, ?3, ?4) returning id")?;
    let size = integer(received.size);
    Ok(statement.query_row(params![connection.id, received.sha256, size, compressed], |row| row.get(0))?)
}

fn insert(
    transaction: &Transaction<'_>,
    process: Option<Uuid>,
    connection: &Connection,
    received: &Received,
    body: Option<i64>,
) -> Result<(), StoreError> {
    let (status, process) = if received.queued { (Status::Queued, None) } else { (Status::Received, process) };
    let mut statement = transaction.prepare_cached(
        "insert into delivery (id, tenant, connection, operation, status, received_at, sha256, size, \
         content_encoding, body, process) select ?1, tenant, id, ?3, ?9, ?4, ?5, ?6, ?7, ?8, ?10 from connection \
         where id = ?2",
    )?;
    statement.execute(params![
        received.id.as_bytes(),
        connection.id,
        received.operation,
        received.at.as_millisecond(),
        received.sha256,
        integer(received.size),
        received.content_encoding,
        body,
        status.word(),
        process.as_ref().map(Uuid::as_bytes),
    ])?;
    Ok(())
}
