//! Deliveries that were acknowledged before they are worked on: in which order, how often, how far.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::writer::Transaction;
use crate::store::contributors::damaged;
use crate::store::packed::unpack;
use crate::store::stored::{instant, integer, unsigned};
use crate::store::{Queue, Queued, StoreError};

/// The names of tenant and connection of all that is queued, how much it is, and since when.
const QUEUES: &str = "select t.name, c.name, d.length, o.received_at from (select connection, min(rowid) as first, \
                      count(*) as length from delivery where status = 'queued' group by connection) d \
                      join delivery o on o.rowid = d.first \
                      join connection c on c.id = d.connection join tenant t on t.id = c.tenant order by d.first";

/// The queued delivery with the lowest row number, which is in the order of arrival (tenant's name, connection's name,
/// who claims the queue).
const NEXT: &str = "select d.id, c.partner, d.operation, d.attempts, d.sha256, b.size, b.zstd, d.received_at from tenant t \
                    join connection c on c.tenant = t.id join delivery d on d.connection = c.id \
                    left join body b on b.id = d.body \
                    where t.name = ?1 and c.name = ?2 and d.status = 'queued' \
                    and (select process from claim where connection = c.id) is ?3 order by d.rowid limit 1";

/// All that have something queued; who has waited longest comes first.
pub(super) fn queues(transaction: &Transaction<'_>) -> Result<Vec<Queue>, StoreError> {
    let mut statement = transaction.prepare_cached(QUEUES)?;
    let mut rows = statement.query([])?;
    let mut queues = Vec::new();
    while let Some(row) = rows.next()? {
        queues.push(Queue {
            tenant: row.get(0)?,
            connection: row.get(1)?,
            length: unsigned(row.get(2)?),
            oldest: instant(row.get(3)?)?,
        });
    }
    Ok(queues)
}

/// The one that arrived first.
pub(super) fn next(
    transaction: &Transaction<'_>,
    process: Option<Uuid>,
    tenant: &str,
    connection: &str,
) -> Result<Option<Queued>, StoreError> {
    let mut statement = transaction.prepare_cached(NEXT)?;
    let mut rows = statement.query(params![tenant, connection, process.as_ref().map(Uuid::as_bytes)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Queued {
        delivery: Uuid::from_bytes(row.get(0)?),
        tenant: tenant.to_owned(),
        connection: connection.to_owned(),
        partner: row.get(1)?,
        operation: row.get(2)?,
        at: instant(row.get(7)?)?,
        attempts: row.get(3)?,
        sha256: row.get(4)?,
        body: body(row)?,
    }))
}

/// Empty where the body is not kept any more: the delivery then ends as what an empty one is, and holds up nothing.
fn body(row: &Row<'_>) -> Result<Vec<u8>, StoreError> {
    let Some(size) = row.get::<_, Option<i64>>(5)? else { return Ok(Vec::new()) };
    unpack(row.get_ref(6)?.as_blob().map_err(|_| damaged("a body"))?, size)
}

/// Counts one more beginning.
pub(super) fn begin(transaction: &Transaction<'_>, process: Option<Uuid>, delivery: Uuid) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "update delivery set attempts = attempts + 1 where id = ?1 and status = 'queued' \
         and (select process from claim where connection = delivery.connection) is ?2",
    )?;
    match statement.execute(params![delivery.as_bytes(), process.as_ref().map(Uuid::as_bytes)])? {
        1 => Ok(()),
        _ => Err(StoreError::Inconsistent(format!("delivery {delivery} is not queued here"))),
    }
}

/// Takes one beginning back.
pub(super) fn unbegin(transaction: &Transaction<'_>, process: Option<Uuid>, delivery: Uuid) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "update delivery set attempts = attempts - 1 where id = ?1 and status = 'queued' and attempts > 0 \
         and (select process from claim where connection = delivery.connection) is ?2",
    )?;
    statement.execute(params![delivery.as_bytes(), process.as_ref().map(Uuid::as_bytes)])?;
    Ok(())
}

/// Says how far a delivery is; nothing, if it has ended meanwhile.
pub(super) fn progress(
    transaction: &Transaction<'_>,
    delivery: Uuid,
    sent: u64,
    errors: u64,
) -> Result<(), StoreError> {
    let mut statement = transaction
        .prepare_cached("update delivery set sent = ?2, errors = ?3 where id = ?1 and finished_at is null")?;
    statement.execute(params![delivery.as_bytes(), integer(sent), integer(errors)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{SqliteOptions, SqliteStore};
    use super::{NEXT, QUEUES};

    #[tokio::test]
    async fn what_has_ended_is_not_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("hub.db"), &SqliteOptions::default()).await.unwrap();
        for sql in [QUEUES, NEXT] {
            let plan = store.writer.read(|database| {
                let mut statement = database.prepare(&format!("explain query plan {sql}"))?;
                let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
                Ok(steps.collect::<Result<Vec<_>, _>>()?)
            });
            let plan = plan.unwrap().join("\n");
            assert!(plan.contains("delivery_queued"), "{plan}");
            assert!(sql == QUEUES || !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
