//! When deleted records were deleted, where their partner tells: what is older must not bring them back.

use rusqlite::params;

use super::writer::Transaction;
use crate::description::{Partner, RecordTypeId};
use crate::store::{Commit, Connection, Gone, RecordStep, StoreError};

/// All of a connection's.
pub(super) fn of(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
) -> Result<Vec<Gone>, StoreError> {
    let mut statement = transaction.prepare_cached("select type, key, as_of from gone where connection = ?1")?;
    let mut rows = statement.query([connection.id])?;
    let mut gone = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let of = (0..).map(RecordTypeId).zip(&partner.records).find(|(_, of)| of.name == name);
        if let Some((of, _)) = of {
            gone.push(Gone { of, key: row.get(1)?, as_of: row.get(2)? });
        }
    }
    Ok(gone)
}

/// Forgets what is brought back.
pub(super) fn forget<'s>(
    transaction: &Transaction<'_>,
    partner: &Partner,
    connection: &Connection,
    steps: impl IntoIterator<Item = &'s RecordStep<'s>>,
) -> Result<(), StoreError> {
    for step in steps {
        if let RecordStep::Put(row) = step
            && row.new
            && row.as_of.is_some()
        {
            let mut statement =
                transaction.prepare_cached("delete from gone where connection = ?1 and type = ?2 and key = ?3")?;
            statement.execute(params![connection.id, name(partner, row.of), row.key])?;
        }
    }
    Ok(())
}

/// Remembers what `commit` deletes.
pub(super) fn remember(
    transaction: &Transaction<'_>,
    partner: &Partner,
    commit: &Commit<'_>,
) -> Result<(), StoreError> {
    for gone in &commit.gone {
        let mut statement = transaction.prepare_cached(
            "insert into gone (connection, type, key, as_of) values (?1, ?2, ?3, ?4) \
             on conflict (connection, type, key) do update set as_of = excluded.as_of",
        )?;
        statement.execute(params![commit.connection.id, name(partner, gone.of), gone.key, gone.as_of])?;
    }
    Ok(())
}

fn name(partner: &Partner, of: RecordTypeId) -> &str {
    &partner.records[usize::from(of.0)].name
}
