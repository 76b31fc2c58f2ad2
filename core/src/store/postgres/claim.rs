//! Takes on what is to be sent, for one process at a time.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgPool, PgRow};
use uuid::Uuid;

use crate::store::contributors::damaged;
use crate::store::stored::instant;
use crate::store::{DueSend, SendClaim, StoreError};

/// The advisory lock of who takes on sends: so no subscription gets more at a time than it may, whoever else takes some
/// on.
const LOCK: i64 = 0x726f_6c6c_7365_6e64;

/// Waits for the lock. What is claimed is not waited for on the disk: after a crash of the database it is claimed again.
const BEGIN: &str = "select pg_advisory_xact_lock($1), set_config('synchronous_commit', 'off', true)";

/// Takes on, for the process `$7`, what is due by `$1` and no process is at, at most `$2`, and of each subscription, with
/// what some process is at, at most `$3`, or one, where it is among `$4` to `$6`: the first of every subscription before
/// the second of any. The subscriptions are found one by one in the index, so that it does not matter how much each of
/// them is behind.
const CLAIM: &str = "with recursive subscription (tenant, connection, name) as (\
                     (select tenant, connection, subscription from send where due is not null and process is null \
                     order by tenant, connection, subscription limit 1) \
                     union all \
                     select n.tenant, n.connection, n.subscription from subscription u cross join lateral \
                     (select s.tenant, s.connection, s.subscription from send s where s.due is not null \
                     and s.process is null \
                     and (s.tenant, s.connection, s.subscription) > (u.tenant, u.connection, u.name) \
                     order by s.tenant, s.connection, s.subscription limit 1) n), \
                     due as (\
                     select d.tenant, d.connection, d.id, d.turn, t.name as whose, c.name, c.partner from (\
                     select n.*, row_number() over (partition by n.tenant, n.connection, n.subscription \
                     order by n.due, n.id) as turn, (select count(*) from send b where b.tenant = u.tenant \
                     and b.connection = u.connection and b.subscription = u.name and b.process is not null) as taken \
                     from subscription u cross join lateral (select s.tenant, s.connection, s.id, s.subscription, s.due \
                     from send s where s.tenant = u.tenant and s.connection = u.connection \
                     and s.subscription = u.name and s.due <= $1 and s.process is null \
                     order by s.due, s.id limit $3) n) d \
                     join connection c on c.tenant = d.tenant and c.id = d.connection join tenant t on t.id = d.tenant \
                     where d.turn + d.taken <= case when exists (select 1 from unnest($4::text[], $5::text[], $6::text[]) \
                     f (whose, name, subscription) where f.whose = t.name and f.name = c.name \
                     and f.subscription = d.subscription) then 1 else $3 end \
                     order by d.turn, d.due, d.id limit $2) \
                     update send s set process = $7 from due d \
                     where s.tenant = d.tenant and s.connection = d.connection and s.id = d.id \
                     returning s.public_id, d.whose, d.name, d.partner, s.subscription, s.event, s.body, s.at, \
                     s.attempts, d.turn, s.due, s.id";

/// Takes on what is to be sent now.
pub(super) async fn sends(
    pool: &PgPool,
    process: Option<Uuid>,
    claim: &SendClaim<'_>,
) -> Result<Vec<DueSend>, StoreError> {
    let mut transaction = pool.begin().await?;
    sqlx::query(BEGIN).bind(LOCK).execute(&mut *transaction).await?;
    let rows = sqlx::query(CLAIM)
        .bind(claim.now.as_millisecond())
        .bind(i64::from(claim.limit))
        .bind(i64::from(claim.each))
        .bind(claim.failing.iter().map(|(tenant, _, _)| tenant.as_str()).bind_iter())
        .bind(claim.failing.iter().map(|(_, connection, _)| connection.as_str()).bind_iter())
        .bind(claim.failing.iter().map(|(_, _, subscription)| subscription.as_str()).bind_iter())
        .bind(process)
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let mut due = rows.iter().map(|row| Ok((order(row)?, send(row)?))).collect::<Result<Vec<_>, StoreError>>()?;
    due.sort_by_key(|(order, _)| *order);
    Ok(due.into_iter().map(|(_, send)| send).collect())
}

/// The turn within its subscription, when it was due, and the order in which it happened.
fn order(row: &PgRow) -> Result<(i64, i64, i64), StoreError> {
    Ok((row.try_get(9)?, row.try_get(10)?, row.try_get(11)?))
}

fn send(row: &PgRow) -> Result<DueSend, StoreError> {
    let at: Timestamp = instant(row.try_get(7)?)?;
    Ok(DueSend {
        id: row.try_get(0)?,
        tenant: row.try_get(1)?,
        connection: row.try_get(2)?,
        partner: row.try_get(3)?,
        subscription: row.try_get(4)?,
        event: row.try_get(5)?,
        body: row.try_get::<String, _>(6)?.into_bytes(),
        at,
        attempts: u32::try_from(row.try_get::<i32, _>(8)?).map_err(|_| damaged("the attempts of a send"))?,
    })
}
