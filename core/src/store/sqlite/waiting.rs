//! Records that wait for what they refer to: who they are, and what becomes of them.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use crate::store::{Connection, RecordId, StoreError};

/// The records of a connection that wait, or waited for too long.
pub(super) fn of(transaction: &Transaction<'_>, connection: &Connection) -> Result<BTreeSet<RecordId>, StoreError> {
    let mut statement = transaction.prepare_cached("select record from waiting where connection = ?1")?;
    let records = statement.query_map([connection.id], |row| Ok(RecordId(row.get(0)?)))?;
    Ok(records.collect::<Result<_, _>>()?)
}

/// Forgets that the given records wait, because they are gone.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    connection: &Connection,
    gone: impl Iterator<Item = RecordId>,
) -> Result<(), StoreError> {
    let waiting = of(transaction, connection)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let mut statement = transaction.prepare_cached("delete from waiting where connection = ?1 and record = ?2")?;
    for record in gone.filter(|record| waiting.contains(record)) {
        statement.execute([connection.id, record.0])?;
    }
    Ok(())
}
