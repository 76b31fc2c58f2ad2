//! What subscribers are told: in the order in which it happened, each record's by itself, until it was taken or given up.
//!
//! Only the first open one of a subscription and record has a time at which it is due. Whatever ends it gives the next one
//! its time, so that what is due is found without looking at what waits behind it.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use sqlx::Row as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use uuid::Uuid;

use super::writer::Transaction;
use crate::store::contributors::damaged;
use crate::store::read::{SendQuery, Sends, StoredSend};
use crate::store::stored::{instant, integer, parsed, unsigned, uuid};
use crate::store::{Attempt, Commit, DueSend, SendClaim, SendOutcome, StoreError};

/// What is due by `?1` and no process is at, at most `?2`, and of each subscription, with what some process is at, at
/// most `?3`, or one, where it is among `?4`: the first of every subscription before the second of any. The subscriptions
/// are found one by one in the index, so that it does not matter how much each of them is behind.
const DUE: &str = "with recursive subscription (connection, name) as (\
                   select connection, subscription from (select connection, subscription from send \
                   where due is not null and process is null order by connection, subscription limit 1) \
                   union all \
                   select s.connection, s.subscription from subscription u join send s on s.id = coalesce(\
                   (select n.id from send n where n.due is not null and n.process is null \
                   and n.connection = u.connection and n.subscription > u.name order by n.subscription limit 1), \
                   (select n.id from send n where n.due is not null and n.process is null \
                   and n.connection > u.connection order by n.connection, n.subscription limit 1))), \
                   due (id, at, turn, taken) as (\
                   select s.id, s.due, row_number() over (partition by s.connection, s.subscription order by s.due, s.id), \
                   (select count(*) from send n where n.connection = u.connection and n.subscription = u.name \
                   and n.process is not null) \
                   from subscription u cross join send s on s.id in \
                   (select n.id from send n where n.connection = u.connection and n.subscription = u.name \
                   and n.due <= ?1 and n.process is null order by n.due, n.id limit ?3)) \
                   select s.id, s.public_id, t.name, c.name, c.partner, s.subscription, s.event, s.body, s.at, s.attempts \
                   from due d cross join send s on s.id = d.id cross join connection c on c.id = s.connection \
                   cross join tenant t on t.id = c.tenant \
                   where d.turn + d.taken <= case when exists (select 1 from json_each(?4) e where e.value ->> 0 = t.name \
                   and e.value ->> 1 = c.name and e.value ->> 2 = s.subscription) then 1 else ?3 end \
                   order by d.turn, d.at, d.id limit ?2";

/// When the first is due that is due later and that no process is at.
const NEXT: &str = "select min(due) from send where due > ?1 and process is null";

/// Sends of a subscription (the names of tenant and connection, the subscription's key) within a time (its first and its
/// last moment, which may be null) for which a condition holds.
macro_rules! sends {
    ($what:literal, $condition:literal, $rest:literal) => {
        concat!(
            "select ",
            $what,
            " from send where connection = (select c.id from connection c join tenant t on t.id = c.tenant ",
            "where t.name = ?1 and c.name = ?2) and subscription = ?3 ",
            "and (?4 is null or at >= ?4) and (?5 is null or at <= ?5)",
            $condition,
            $rest
        )
    };
}

/// A page of them, the newest first, each with its attempts.
macro_rules! page {
    ($condition:literal) => {
        concat!(
            "select s.id, s.public_id, s.event, s.body, s.status, s.at, a.at, a.took, a.http_status, a.response, ",
            "a.problem from (",
            sends!("*", $condition, " order by id desc limit ?6 offset ?7"),
            ") s left join send_attempt a on a.send = s.id order by s.id desc, a.nth"
        )
    };
}

/// Keeps what `commit` raises; what follows something that is still open waits for it.
pub(super) fn apply(transaction: &Transaction<'_>, commit: &Commit<'_>) -> Result<(), StoreError> {
    if commit.sends.is_empty() {
        return Ok(());
    }
    let mut statement = transaction.prepare_cached(
        "insert into send (public_id, connection, subscription, event, type, key, body, at, status, due) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', case when not exists (select 1 from send \
         where connection = ?2 and subscription = ?3 and type = ?5 and key = ?6 and status in ('pending', 'retry')) \
         then ?8 end)",
    )?;
    for send in &commit.sends {
        let (of, key) = &send.record;
        let body = str::from_utf8(&send.body).map_err(|error| StoreError::Inconsistent(error.to_string()))?;
        statement.execute(params![
            send.id.as_bytes(),
            commit.connection.id,
            send.subscription,
            send.event,
            of,
            key,
            body,
            commit.at.as_millisecond(),
        ])?;
    }
    Ok(())
}

/// Takes on what is to be sent now.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    process: Option<Uuid>,
    claim: &SendClaim<'_>,
) -> Result<Vec<DueSend>, StoreError> {
    let failing = serde_json::to_string(claim.failing).map_err(|error| StoreError::Database(Box::new(error)))?;
    let mut statement = transaction.prepare_cached(DUE)?;
    let due = statement
        .query_map(params![claim.now.as_millisecond(), claim.limit, claim.each, failing], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(8)?, due(row)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let mut statement = transaction.prepare_cached("update send set process = ?2 where id = ?1")?;
    due.into_iter()
        .map(|(id, at, send)| {
            statement.execute(params![id, process.as_ref().map(Uuid::as_bytes)])?;
            Ok(DueSend { at: instant(at)?, ..send })
        })
        .collect()
}

/// A row of [`DUE`], without its time.
fn due(row: &Row<'_>) -> rusqlite::Result<DueSend> {
    Ok(DueSend {
        id: Uuid::from_bytes(row.get(1)?),
        tenant: row.get(2)?,
        connection: row.get(3)?,
        partner: row.get(4)?,
        subscription: row.get(5)?,
        event: row.get(6)?,
        body: row.get::<_, String>(7)?.into_bytes(),
        at: Timestamp::UNIX_EPOCH,
        attempts: row.get(9)?,
    })
}

/// When to look again.
pub(super) async fn next_at(readers: &SqlitePool, after: Option<Timestamp>) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(NEXT).bind(after.map_or(i64::MIN, Timestamp::as_millisecond)).fetch_one(readers).await?;
    row.try_get::<Option<i64>, _>(0)?.map(instant).transpose()
}

/// Keeps an attempt and what it means; whatever waited for its end is due.
pub(super) fn note_attempt(
    transaction: &Transaction<'_>,
    process: Option<Uuid>,
    send: Uuid,
    attempt: &Attempt,
    outcome: SendOutcome,
) -> Result<(), StoreError> {
    let (status, due) = match outcome {
        SendOutcome::Succeeded => ("succeeded", None),
        SendOutcome::Retry(at) => ("retry", Some(at.as_millisecond())),
        SendOutcome::Failed => ("failed", None),
    };
    let mut statement = transaction.prepare_cached(
        "update send set status = ?2, due = ?3, attempts = attempts + 1, process = null \
         where public_id = ?1 and status in ('pending', 'retry') and process is ?4 returning id, attempts",
    )?;
    let process = process.as_ref().map(Uuid::as_bytes);
    let noted =
        statement.query_row(params![send.as_bytes(), status, due, process], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((id, nth)) = noted.optional()? else {
        return Err(StoreError::Inconsistent(format!("send {send} is not to be sent here")));
    };
    insert_attempt(transaction, id, nth, attempt)?;
    if due.is_none() { release(transaction, id) } else { Ok(()) }
}

fn insert_attempt(transaction: &Transaction<'_>, send: i64, nth: i64, attempt: &Attempt) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "insert into send_attempt (send, nth, at, took, http_status, response, problem) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let (at, took) = (attempt.at.as_millisecond(), integer(attempt.took_ms));
    statement.execute(params![send, nth, at, took, attempt.status, attempt.response, attempt.problem])?;
    Ok(())
}

/// Gives the next one after `ended`, of the same subscription and record, its time.
pub(super) fn release(transaction: &Transaction<'_>, ended: i64) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "update send set due = at where id = (select n.id from send e join send n on n.connection = e.connection \
         and n.subscription = e.subscription and n.type = e.type and n.key = e.key \
         where e.id = ?1 and n.status in ('pending', 'retry') order by n.id limit 1)",
    )?;
    statement.execute([ended])?;
    Ok(())
}

/// What a subscription was, or is to be, told.
pub(super) async fn of(readers: &SqlitePool, query: &SendQuery<'_>) -> Result<Sends, StoreError> {
    let [count, page] = if query.failed {
        [sends!("count(*)", " and status = 'failed'", ""), page!(" and status = 'failed'")]
    } else {
        [sends!("count(*)", "", ""), page!("")]
    };
    let moment = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
    let about = |sql: &'static str| {
        let question = sqlx::query(sql).bind(query.tenant).bind(query.connection).bind(query.subscription);
        question.bind(moment(query.since)).bind(moment(query.until))
    };
    let mut transaction = readers.begin().await?;
    let total = about(count).fetch_one(&mut *transaction).await?;
    let page = about(page).bind(integer(query.limit)).bind(integer(query.offset));
    let rows = page.fetch_all(&mut *transaction).await?;
    let mut sends: Vec<(i64, StoredSend)> = Vec::new();
    for row in &rows {
        let id = row.try_get(0)?;
        if sends.last().is_none_or(|(last, _)| *last != id) {
            sends.push((id, stored(row)?));
        }
        if let (Some((_, send)), Some(attempt)) = (sends.last_mut(), attempt(row)?) {
            send.attempts.push(attempt);
        }
    }
    Ok(Sends { total: unsigned(total.try_get(0)?), rows: sends.into_iter().map(|(_, send)| send).collect() })
}

fn stored(row: &SqliteRow) -> Result<StoredSend, StoreError> {
    Ok(StoredSend {
        id: uuid(row.try_get(1)?)?,
        event: row.try_get(2)?,
        body: parsed(row.try_get(3)?, "what is sent")?,
        status: row.try_get(4)?,
        at: instant(row.try_get(5)?)?,
        attempts: Vec::new(),
    })
}

fn attempt(row: &SqliteRow) -> Result<Option<Attempt>, StoreError> {
    let Some(at) = row.try_get::<Option<i64>, _>(6)? else { return Ok(None) };
    let status = row.try_get::<Option<i64>, _>(8)?.map(u16::try_from);
    Ok(Some(Attempt {
        at: instant(at)?,
        took_ms: unsigned(row.try_get(7)?),
        status: status.transpose().map_err(|_| damaged("the status of an attempt"))?,
        response: row.try_get(9)?,
        problem: row.try_get(10)?,
    }))
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row as _};

    use super::super::{SqliteOptions, SqliteStore};
    use super::{DUE, NEXT};

    #[tokio::test]
    async fn what_is_due_is_found_in_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("hub.db"), &SqliteOptions::default()).await.unwrap();
        let scans = ["SCAN send", "SCAN s", "SCAN n"];
        for sql in [DUE, NEXT, sends!("*", "", " order by id desc"), sends!("*", " and status = 'failed'", "")] {
            let question = AssertSqlSafe(format!("explain query plan {sql}"));
            let rows = sqlx::query(question).fetch_all(&store.readers).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
            assert!(plan.iter().any(|step| step.contains("send_")), "{plan:#?}");
            let scanned = |step: &String| scans.iter().any(|scan| step.starts_with(scan)) && !step.contains("INDEX");
            assert!(!plan.iter().any(scanned), "{plan:#?}");
        }
    }
}
