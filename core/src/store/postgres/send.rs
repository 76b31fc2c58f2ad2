//! What subscribers are told: in the order in which it happened, each record's by itself, until it was taken or given up.
//!
//! Only the first open one of a subscription and record has a time at which it is due. Whatever ends it gives the next one
//! its time, so that what is due is found without looking at what waits behind it. Whoever adds one or ends one has locked
//! the connection's row, so that neither misses what the other does.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgPool, PgRow};
use uuid::Uuid;

use super::rows::storable;
use crate::store::contributors::damaged;
use crate::store::read::{SendQuery, Sends, StoredSend};
use crate::store::stored::{instant, integer, parsed, unsigned};
use crate::store::{Attempt, Commit, SendOutcome, StoreError};

/// Keeps what is raised; what follows something that is still open, or that stands before it here, waits for it.
const ADD: &str = "insert into send (tenant, connection, public_id, subscription, event, type, key, body, at, status, due) \
                   select $1, $2, n.public_id, n.subscription, n.event, n.type, n.key, n.body, $3, 'pending', \
                   case when row_number() over (partition by n.subscription, n.type, n.key order by n.nth) = 1 \
                   and not exists (select 1 from send s where s.tenant = $1 and s.connection = $2 \
                   and s.subscription = n.subscription and s.type = n.type and s.key = n.key \
                   and s.status in ('pending', 'retry')) then $3 end \
                   from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) with ordinality \
                   n (public_id, subscription, event, type, key, body, nth) order by n.nth";

/// When the first is due that is due later and that no process is at.
const NEXT: &str = "select min(due) from send where due > $1 and process is null";

/// Locks the connection of a send.
const LOCK: &str = "select 1 from connection c join send s on s.tenant = c.tenant and s.connection = c.id \
                    where s.public_id = $1 for no key update of c";

/// Ends a send, or puts it off, and keeps the attempt.
const NOTE: &str = "with noted as (\
                    update send set status = $2, due = $3, attempts = attempts + 1, process = null \
                    where public_id = $1 and status in ('pending', 'retry') and process is not distinct from $9 \
                    returning tenant, connection, id, subscription, type, key, attempts), \
                    attempt as (\
                    insert into send_attempt (tenant, connection, send, nth, at, took, http_status, response, problem) \
                    select tenant, connection, id, attempts, $4, $5, $6, $7, $8 from noted) \
                    select tenant, connection, id, subscription, type, key from noted";

/// Gives the next one after one that has ended, of the same subscription and record, its time.
const RELEASE: &str = "update send s set due = s.at where s.tenant = $1 and s.connection = $2 and s.id = \
                       (select n.id from send n where n.tenant = $1 and n.connection = $2 and n.subscription = $3 \
                       and n.type = $4 and n.key = $5 and n.status in ('pending', 'retry') order by n.id limit 1)";

/// Sends of a subscription (the names of tenant and connection, the subscription's key) within a time (its first and its
/// last moment, which may be null), only those that were given up or all.
macro_rules! sends {
    ($what:literal, $rest:literal) => {
        concat!(
            "select ",
            $what,
            " from send where (tenant, connection) = (select c.tenant, c.id from tenant t ",
            "join connection c on c.tenant = t.id where t.name = $1 and c.name = $2) and subscription = $3 ",
            "and ($4::bigint is null or at >= $4) and ($5::bigint is null or at <= $5)",
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
            sends!("*", $condition),
            " order by id desc limit $6 offset $7) s left join send_attempt a on a.tenant = s.tenant ",
            "and a.connection = s.connection and a.send = s.id order by s.id desc, a.nth"
        )
    };
}

/// Keeps what `commit` raises.
pub(super) async fn apply(database: &mut PgConnection, commit: &Commit<'_>) -> Result<(), StoreError> {
    if commit.sends.is_empty() {
        return Ok(());
    }
    let text = |body| str::from_utf8(body).map_err(|error| StoreError::Inconsistent(error.to_string()));
    let bodies = commit.sends.iter().map(|send| text(&send.body)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(ADD)
        .bind(commit.connection.tenant_id)
        .bind(commit.connection.id)
        .bind(commit.at.as_millisecond())
        .bind(commit.sends.iter().map(|send| send.id).bind_iter())
        .bind(commit.sends.iter().map(|send| send.subscription.as_str()).bind_iter())
        .bind(commit.sends.iter().map(|send| send.event.as_str()).bind_iter())
        .bind(commit.sends.iter().map(|send| send.record.0.as_str()).bind_iter())
        .bind(commit.sends.iter().map(|send| send.record.1.as_str()).bind_iter())
        .bind(bodies)
        .execute(database)
        .await?;
    Ok(())
}

/// When to look again.
pub(super) async fn next_at(pool: &PgPool, after: Option<Timestamp>) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(NEXT).bind(after.map_or(i64::MIN, Timestamp::as_millisecond)).fetch_one(pool).await?;
    row.try_get::<Option<i64>, _>(0)?.map(instant).transpose()
}

/// Keeps an attempt and what it means; whatever waited for its end is due.
pub(super) async fn note_attempt(
    database: &mut PgConnection,
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
    sqlx::query(LOCK).bind(send).execute(&mut *database).await?;
    let noted = sqlx::query(NOTE)
        .bind(send)
        .bind(status)
        .bind(due)
        .bind(attempt.at.as_millisecond())
        .bind(integer(attempt.took_ms))
        .bind(attempt.status.map(i32::from))
        .bind(attempt.response.as_deref().map(storable))
        .bind(attempt.problem.as_deref().map(storable))
        .bind(process)
        .fetch_optional(&mut *database)
        .await?;
    let Some(noted) = noted else {
        return Err(StoreError::Inconsistent(format!("send {send} is not to be sent here")));
    };
    if due.is_none() { release(database, &noted).await } else { Ok(()) }
}

pub(super) async fn release(database: &mut PgConnection, ended: &PgRow) -> Result<(), StoreError> {
    sqlx::query(RELEASE)
        .bind(ended.try_get::<i64, _>(0)?)
        .bind(ended.try_get::<i64, _>(1)?)
        .bind(ended.try_get::<&str, _>(3)?)
        .bind(ended.try_get::<&str, _>(4)?)
        .bind(ended.try_get::<&str, _>(5)?)
        .execute(database)
        .await?;
    Ok(())
}

/// What a subscription was, or is to be, told.
pub(super) async fn of(database: &mut PgConnection, query: &SendQuery<'_>) -> Result<Sends, StoreError> {
    let [count, page] = if query.failed {
        [sends!("count(*)", " and status = 'failed'"), page!(" and status = 'failed'")]
    } else {
        [sends!("count(*)", ""), page!("")]
    };
    let moment = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
    let about = |sql: &'static str| {
        let question = sqlx::query(sql).bind(storable(query.tenant)).bind(storable(query.connection));
        question.bind(storable(query.subscription)).bind(moment(query.since)).bind(moment(query.until))
    };
    let total = about(count).fetch_one(&mut *database).await?;
    let page = about(page).bind(integer(query.limit)).bind(integer(query.offset));
    let rows = page.fetch_all(database).await?;
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

fn stored(row: &PgRow) -> Result<StoredSend, StoreError> {
    Ok(StoredSend {
        id: row.try_get(1)?,
        event: row.try_get(2)?,
        body: parsed(row.try_get(3)?, "what is sent")?,
        status: row.try_get(4)?,
        at: instant(row.try_get(5)?)?,
        attempts: Vec::new(),
    })
}

fn attempt(row: &PgRow) -> Result<Option<Attempt>, StoreError> {
    let Some(at) = row.try_get(6)? else { return Ok(None) };
    let status = row.try_get::<Option<i32>, _>(8)?.map(u16::try_from).transpose();
    Ok(Some(Attempt {
        at: instant(at)?,
        took_ms: unsigned(row.try_get(7)?),
        status: status.map_err(|_| damaged("the status of an attempt"))?,
        response: row.try_get(9)?,
        problem: row.try_get(10)?,
    }))
}
