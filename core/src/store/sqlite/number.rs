//! The last numbers that were given out, by what they number, so that none is ever given out again.

use rusqlite::{OptionalExtension as _, params};

use super::writer::Transaction;
use crate::store::{Commit, Connection, StoreError};

/// The last one of each; 0 where none was given out.
pub(super) fn last(
    transaction: &Transaction<'_>,
    connection: &Connection,
    of: &[String],
) -> Result<Vec<i64>, StoreError> {
    let mut statement = transaction.prepare_cached("select last from number where connection = ?1 and what = ?2")?;
    let last = of.iter().map(|of| {
        let last = statement.query_row(params![connection.id, of], |row| row.get(0)).optional()?;
        Ok(last.unwrap_or_default())
    });
    last.collect()
}

/// Remembers what `commit` gave out. What was given out before stays given out, whatever it says.
pub(super) fn apply(transaction: &Transaction<'_>, commit: &Commit<'_>) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "insert into number (connection, what, last) values (?1, ?2, ?3) \
         on conflict (connection, what) do update set last = max(last, excluded.last)",
    )?;
    for (of, last) in &commit.numbers {
        statement.execute(params![commit.connection.id, of, last])?;
    }
    Ok(())
}
