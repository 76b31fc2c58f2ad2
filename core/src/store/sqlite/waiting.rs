//! Records that wait for what they refer to: who they are, and what becomes of them.
//!
//! A record that waits has a row of its own here and is known by nothing else: where nothing waits, nothing is paid.
//! What its log tells of it follows, so that a partner reads there how it ended, however much later that was.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::entry::Line;
use super::writer::Transaction;
use crate::delivery::Outcome;
use crate::description::Partner;
use crate::store::quarantine::quarantined;
use crate::store::{Commit, Connection, RecordId, RecordStep, StoreError, WaitStep};

/// The records of a connection that wait, or waited for too long.
pub(super) fn of(transaction: &Transaction<'_>, connection: &Connection) -> Result<BTreeSet<RecordId>, StoreError> {
    let mut statement = transaction.prepare_cached("select record from waiting where connection = ?1")?;
    let records = statement.query_map([connection.id], |row| Ok(RecordId(row.get(0)?)))?;
    Ok(records.collect::<Result<_, _>>()?)
}

/// Does what `commit` says about waiting, and forgets that records wait which it removes.
pub(super) fn apply(transaction: &Transaction<'_>, partner: &Partner, commit: &Commit<'_>) -> Result<(), StoreError> {
    for step in &commit.waits {
        match step {
            WaitStep::Wait { .. } => wait(transaction, partner, commit, step)?,
            WaitStep::Linked { record, outcome } => link(transaction, commit.connection, *record, *outcome)?,
        }
    }
    if commit.records.iter().any(|step| matches!(step, RecordStep::Remove(..))) {
        forget_removed(transaction, commit)?;
    }
    Ok(())
}

/// A record that waits already goes on doing so since when, until when and as told by whom it did.
fn wait(
    transaction: &Transaction<'_>,
    partner: &Partner,
    commit: &Commit<'_>,
    step: &WaitStep,
) -> Result<(), StoreError> {
    let WaitStep::Wait { of, record, for_what, until, entry } = step else { return Ok(()) };
    let mut statement = transaction.prepare_cached(
        "insert into waiting (connection, record, type, for_what, since, until, delivery, entry) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
         on conflict (connection, record) do update set for_what = excluded.for_what",
    )?;
    statement.execute(params![
        commit.connection.id,
        record.0,
        partner.records[usize::from(of.0)].name,
        for_what,
        commit.at.as_millisecond(),
        until.map(Timestamp::as_millisecond),
        commit.delivery.as_bytes(),
        entry,
    ])?;
    Ok(())
}

fn link(
    transaction: &Transaction<'_>,
    connection: &Connection,
    record: RecordId,
    outcome: Outcome,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "delete from waiting where connection = ?1 and record = ?2 returning delivery, entry, quarantined",
    )?;
    let line = statement.query_row([connection.id, record.0], |row| line(row, 0)).optional()?.flatten();
    line.map_or(Ok(()), |line| line.retell(transaction, outcome, &[]))
}

/// Nothing is looked up where nothing waits, however much is removed.
fn forget_removed(transaction: &Transaction<'_>, commit: &Commit<'_>) -> Result<(), StoreError> {
    let waiting = of(transaction, commit.connection)?;
    let mut statement = transaction.prepare_cached("delete from waiting where connection = ?1 and record = ?2")?;
    for step in &commit.records {
        if let RecordStep::Remove(_, id) = step
            && waiting.contains(id)
        {
            statement.execute([commit.connection.id, id.0])?;
        }
    }
    Ok(())
}

/// Quarantines what has waited too long, and has its log say so; says how many.
pub(super) fn quarantine_expired(transaction: &Transaction<'_>, at: Timestamp) -> Result<u64, StoreError> {
    let mut statement = transaction.prepare_cached(
        "update waiting set quarantined = 1 where quarantined = 0 and until <= ?1 \
         returning delivery, entry, 0, for_what",
    )?;
    let expired = statement.query_map([at.as_millisecond()], |row| Ok((line(row, 0)?, row.get::<_, String>(3)?)))?;
    let expired = expired.collect::<Result<Vec<_>, _>>()?;
    for (line, for_what) in &expired {
        if let Some(line) = line
            && let Some((pointer, told)) = line.told(transaction)?
        {
            line.retell(transaction, Outcome::Quarantined, &quarantined(pointer, told, for_what))?;
        }
    }
    Ok(expired.len() as u64)
}

/// The line of a log in three columns from `first` on; `None` where no log tells of the record.
fn line(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Line>> {
    let Some(nth) = row.get(first + 1)? else { return Ok(None) };
    Ok(Some(Line { delivery: row.get(first)?, nth, quarantined: row.get(first + 2)? }))
}
