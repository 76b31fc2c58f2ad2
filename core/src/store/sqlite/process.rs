//! Which processes work on the database, and what each of them has claimed.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::writer::Transaction;
use crate::delivery::Status;
use crate::store::{ConnectionName, Held, StoreError};

/// The connection to be worked on next, of those that have something queued and are not among `?1`; these are found one
/// by one in the index, so that it does not matter how much each of them has queued.
const FREE: &str = "with recursive queued (connection) as (\
                    select min(connection) from delivery where status = 'queued' \
                    union all \
                    select (select min(d.connection) from delivery d where d.status = 'queued' \
                    and d.connection > q.connection) from queued q where q.connection is not null) \
                    select k.connection, t.name, c.name from queued q cross join claim k on k.connection = q.connection \
                    cross join connection c on c.id = k.connection cross join tenant t on t.id = c.tenant \
                    where k.process is null and not exists (select 1 from json_each(?1) e \
                    where e.value ->> 0 = t.name and e.value ->> 1 = c.name) order by k.at, k.connection limit 1";

/// What is taken back when its process is gone.
const TAKE_BACK: [&str; 2] = [
    "update claim set process = null where process is not null and process not in (select id from process)",
    "update send set process = null where process is not null and process not in (select id from process)",
];

/// Says that a process is there.
pub(super) fn join(transaction: &Transaction<'_>, process: Uuid, until: Timestamp) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "insert into process (id, until) values (?1, ?2) on conflict (id) do update set until = excluded.until",
    )?;
    statement.execute(params![process.as_bytes(), until.as_millisecond()])?;
    Ok(())
}

/// Forgets who is gone, though never itself, and takes back what those had begun.
pub(super) fn bury(
    transaction: &Transaction<'_>,
    process: Option<Uuid>,
    ended: Timestamp,
    at: Timestamp,
) -> Result<u64, StoreError> {
    let mut statement = transaction.prepare_cached("delete from process where until <= ?1 and id is not ?2")?;
    statement.execute(params![ended.as_millisecond(), process.as_ref().map(Uuid::as_bytes)])?;
    take_back(transaction, at)
}

/// Lets go of what a process is not at, and ends what it cannot end.
pub(super) fn let_go(
    transaction: &Transaction<'_>,
    process: Uuid,
    held: &Held,
    at: Timestamp,
) -> Result<u64, StoreError> {
    let json = |error: serde_json::Error| StoreError::Database(Box::new(error));
    let queues = serde_json::to_string(&held.queues).map_err(json)?;
    let mut statement = transaction.prepare_cached(
        "update claim set process = null where process = ?1 and connection not in (select c.id from json_each(?2) e \
         join tenant t on t.name = e.value ->> 0 join connection c on c.tenant = t.id and c.name = e.value ->> 1)",
    )?;
    statement.execute(params![process.as_bytes(), queues])?;
    let sends: Vec<_> = held.sends.iter().map(|send| send.simple().to_string()).collect();
    let mut statement = transaction.prepare_cached(
        "update send set process = null where process = ?1 \
         and lower(hex(public_id)) not in (select value from json_each(?2))",
    )?;
    statement.execute(params![process.as_bytes(), serde_json::to_string(&sends).map_err(json)?])?;
    let mut statement = transaction.prepare_cached(
        "update delivery set status = ?1, finished_at = ?2 where id = ?3 and status = 'received' and process = ?4",
    )?;
    let mut interrupted = 0;
    for delivery in &held.unended {
        let word = Status::Interrupted.word();
        let ended = params![word, at.as_millisecond(), delivery.as_bytes(), process.as_bytes()];
        interrupted += statement.execute(ended)? as u64;
    }
    Ok(interrupted)
}

/// Forgets a process, and takes back what it had begun.
pub(super) fn leave(transaction: &Transaction<'_>, process: Option<Uuid>, at: Timestamp) -> Result<u64, StoreError> {
    let mut statement = transaction.prepare_cached("delete from process where id is ?1")?;
    statement.execute([process.as_ref().map(Uuid::as_bytes)])?;
    take_back(transaction, at)
}

fn take_back(transaction: &Transaction<'_>, at: Timestamp) -> Result<u64, StoreError> {
    for sql in TAKE_BACK {
        transaction.prepare_cached(sql)?.execute([])?;
    }
    let mut statement = transaction.prepare_cached(
        "update delivery set status = ?1, finished_at = ?2 where status = 'received' \
         and (process is null or process not in (select id from process))",
    )?;
    Ok(statement.execute(params![Status::Interrupted.word(), at.as_millisecond()])? as u64)
}

/// Takes on what one connection has queued.
pub(super) fn claim_queue(
    transaction: &Transaction<'_>,
    process: Uuid,
    now: Timestamp,
    except: &[ConnectionName],
) -> Result<Option<ConnectionName>, StoreError> {
    let except = serde_json::to_string(except).map_err(|error| StoreError::Database(Box::new(error)))?;
    let mut statement = transaction.prepare_cached(FREE)?;
    let free = statement.query_row([except], |row| Ok((row.get::<_, i64>(0)?, (row.get(1)?, row.get(2)?))));
    let Some((connection, name)) = free.optional()? else { return Ok(None) };
    let mut statement = transaction.prepare_cached("update claim set process = ?2, at = ?3 where connection = ?1")?;
    statement.execute(params![connection, process.as_bytes(), now.as_millisecond()])?;
    Ok(Some(name))
}

/// Lets go of what a connection has queued, if this process had taken it on.
pub(super) fn give_back(
    transaction: &Transaction<'_>,
    process: Uuid,
    tenant: &str,
    connection: &str,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "update claim set process = null where process = ?1 and connection = (select c.id from connection c \
         join tenant t on t.id = c.tenant where t.name = ?2 and c.name = ?3)",
    )?;
    statement.execute(params![process.as_bytes(), tenant, connection])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{SqliteOptions, SqliteStore};
    use super::{FREE, TAKE_BACK};

    #[tokio::test]
    async fn what_nobody_is_at_is_not_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("hub.db"), &SqliteOptions::default()).await.unwrap();
        for (sql, index) in [(FREE, "delivery_queued"), (TAKE_BACK[0], "claim_taken"), (TAKE_BACK[1], "send_taken")] {
            let plan = store.writer.read(|database| {
                let mut statement = database.prepare(&format!("explain query plan {sql}"))?;
                let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
                Ok(steps.collect::<Result<Vec<_>, _>>()?)
            });
            let plan = plan.unwrap();
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
            let scans =
                |step: &String| step.starts_with("SCAN") && !step.contains("INDEX") && !step.contains("json_each");
            assert!(plan.iter().filter(|step| scans(step)).all(|step| step == "SCAN q"), "{plan:#?}");
        }
    }
}
