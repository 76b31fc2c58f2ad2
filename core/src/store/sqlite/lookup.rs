//! Looks up single records, so that a call that changes one need not know all: by key, by number, by what they say.

use super::held::held;
use super::rows::{Rows, whose};
use super::writer::Transaction;
use crate::description::{Partner, RecordType, RecordTypeId};
use crate::store::sql::{self, Sqlite};
use crate::store::{Connection, HeldRecord, Matching, RecordId, StoreError};

/// The records with these keys, in the same order.
pub(super) fn by_key(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    keys: &[String],
) -> Result<Vec<Option<HeldRecord>>, StoreError> {
    let mut rows = Rows::new(transaction, &sql::record_by_key(&Sqlite, &record_type(partner, of).table))?;
    rows.integer(1, connection.id)?;
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        rows.text(2, key.as_bytes())?;
        found.push(rows.first(|row| held(of, row))?);
    }
    Ok(found)
}

/// The records with these numbers, those that are there. Record types that are mapped are looked through first, for they
/// are who contributes to entities; once all are found, no further one is.
pub(super) fn by_id(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
    records: &[RecordId],
) -> Result<Vec<HeldRecord>, StoreError> {
    let mut wanted: Vec<_> = records.iter().map(|id| id.0).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let list = serde_json::to_string(&wanted).map_err(|error| StoreError::Database(Box::new(error)))?;
    let mut types: Vec<_> = (0..).map(RecordTypeId).zip(&partner.records).collect();
    types.sort_by_key(|(_, record)| record.kinds.is_empty());
    let mut found = Vec::with_capacity(wanted.len());
    for (of, record) in types {
        if found.len() == wanted.len() {
            break;
        }
        let mut rows = Rows::new(transaction, &sql::records_by_id(&Sqlite, &record.table))?;
        rows.integer(1, connection.id)?;
        rows.text(2, list.as_bytes())?;
        found.extend(rows.all(|row| held(of, row))?);
    }
    Ok(found)
}

/// The records that match, the oldest first.
pub(super) fn matching(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    matching: &Matching,
) -> Result<Vec<HeldRecord>, StoreError> {
    let question = sql::matching(&Sqlite, record_type(partner, of), whose(connection.id), matching)?;
    Rows::asked(transaction, &question)?.all(|row| held(of, row))
}

/// The largest integer that they have in `member`.
pub(super) fn largest(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    member: &str,
    matching: &Matching,
) -> Result<Option<i64>, StoreError> {
    let question = sql::largest(&Sqlite, record_type(partner, of), whose(connection.id), member, matching)?;
    let largest = Rows::asked(transaction, &question)?.first(|row| Ok(row.get::<_, Option<i64>>(0)?))?;
    Ok(largest.flatten())
}

fn record_type(partner: &Partner, of: RecordTypeId) -> &RecordType {
    &partner.records[usize::from(of.0)]
}
