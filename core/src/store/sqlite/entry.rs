//! The logs of deliveries: a line per record sent, told anew when a record that waited is linked or waited too long.

use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::writer::Transaction;
use crate::delivery::{Entry, Outcome};
use crate::json::Pointer;
use crate::note::Note;
use crate::store::StoreError;
use crate::store::contributors::damaged;

/// Writes the log of a delivery.
pub(super) fn write(transaction: &Transaction<'_>, delivery: Uuid, entries: &[Entry]) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "insert into entry (delivery, nth, pointer, record, key, outcome, notes) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (nth, entry) in (0_i64..).zip(entries) {
        statement.execute(params![
            delivery.as_bytes(),
            nth,
            entry.pointer.as_str(),
            entry.record,
            entry.key,
            entry.outcome.word(),
            notes(&entry.notes)?,
        ])?;
    }
    Ok(())
}

/// A line of a log that told that a record waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// The delivery.
    pub(super) delivery: [u8; 16],
    /// Which line of its log.
    pub(super) nth: i64,
    /// Whether it tells by now that the record waited too long.
    pub(super) quarantined: bool,
}

impl Line {
    /// Where the record stands and what was told of it; `None` if the line is gone.
    pub(super) fn told(self, transaction: &Transaction<'_>) -> Result<Option<(Pointer, Vec<Note>)>, StoreError> {
        let mut statement =
            transaction.prepare_cached("select pointer, notes from entry where delivery = ?1 and nth = ?2")?;
        let row = statement
            .query_row(params![self.delivery, self.nth], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
            })
            .optional()?;
        row.map(|(pointer, notes)| Ok((Pointer::from(pointer), notes.as_deref().map_or(Ok(Vec::new()), parsed)?)))
            .transpose()
    }

    /// Tells something else from now on, and counts it; nothing, if the line is gone.
    pub(super) fn retell(
        self,
        transaction: &Transaction<'_>,
        outcome: Outcome,
        told: &[Note],
    ) -> Result<(), StoreError> {
        let mut statement =
            transaction.prepare_cached("update entry set outcome = ?3, notes = ?4 where delivery = ?1 and nth = ?2")?;
        let there = statement.execute(params![self.delivery, self.nth, outcome.word(), notes(told)?])?;
        let more = i64::from(outcome.is_error()) - i64::from(self.quarantined);
        if there > 0 && more != 0 {
            let sql = "update delivery set errors = errors + ?2, aside = max(aside + ?2, 0) where id = ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            statement.execute(params![self.delivery, more])?;
        }
        Ok(())
    }
}

pub(super) fn notes(notes: &[Note]) -> Result<Option<String>, StoreError> {
    let text = (!notes.is_empty()).then(|| serde_json::to_string(notes)).transpose();
    text.map_err(|error| StoreError::Database(Box::new(error)))
}

fn parsed(notes: &str) -> Result<Vec<Note>, StoreError> {
    serde_json::from_str(notes).map_err(|_| damaged("a line of a log"))
}
