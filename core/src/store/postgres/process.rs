//! Which processes work on the database, and what each of them has claimed.
//!
//! None of it waits for the disk: after a crash of the database a process may have to claim again what it had claimed.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgPool};
use uuid::Uuid;

use super::rows::storable;
use crate::delivery::Status;
use crate::store::{ConnectionName, Held, StoreError};

/// Takes on, for the process `$1` at `$2`, what one connection has queued that is not among `$3` (tenants) and `$4`
/// (connections). Those that have something queued are found one by one in the index, so that it does not matter how much
/// each of them has; whom another process is just taking on is passed over.
const CLAIM: &str = "with recursive quick as (select set_config('synchronous_commit', 'off', true) as set), \
                     queued (tenant, connection) as (\
                     (select tenant, connection from delivery where status = 'queued' \
                     order by tenant, connection limit 1) \
                     union all \
                     select n.tenant, n.connection from queued q cross join lateral \
                     (select d.tenant, d.connection from delivery d where d.status = 'queued' \
                     and (d.tenant, d.connection) > (q.tenant, q.connection) \
                     order by d.tenant, d.connection limit 1) n), \
                     free as (\
                     select k.tenant, k.connection, t.name as whose, c.name from queued q \
                     join claim k on k.tenant = q.tenant and k.connection = q.connection \
                     join connection c on c.tenant = k.tenant and c.id = k.connection \
                     join tenant t on t.id = k.tenant \
                     where k.process is null and not exists (select 1 from unnest($3::text[], $4::text[]) \
                     e (whose, name) where e.whose = t.name and e.name = c.name) \
                     order by k.at, k.tenant, k.connection limit 1 for update of k skip locked) \
                     update claim k set process = $1, at = $2 from free f, quick \
                     where k.tenant = f.tenant and k.connection = f.connection and quick.set is not null \
                     returning f.whose, f.name";

/// What is taken back when its process is gone.
const TAKE_BACK: [&str; 2] = [
    "update claim k set process = null where k.process is not null \
     and not exists (select 1 from process p where p.id = k.process)",
    "update send s set process = null where s.process is not null \
     and not exists (select 1 from process p where p.id = s.process)",
];

/// Says that a process is there.
pub(super) async fn join(pool: &PgPool, process: Uuid, until: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "insert into process (id, until) values ($1, $2) on conflict (id) do update set until = excluded.until",
    )
    .bind(process)
    .bind(until.as_millisecond())
    .execute(pool)
    .await?;
    Ok(())
}

/// Tries whether something can be written and is safe then: that a process is there, once more.
pub(super) async fn probe(pool: &PgPool, process: Option<Uuid>) -> Result<(), StoreError> {
    sqlx::query("update process set until = until where id = $1").bind(process).execute(pool).await?;
    Ok(())
}

/// Forgets who is gone, though never itself, and takes back what those had begun.
pub(super) async fn bury(
    pool: &PgPool,
    process: Option<Uuid>,
    ended: Timestamp,
    at: Timestamp,
) -> Result<u64, StoreError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("delete from process where until <= $1 and id is distinct from $2")
        .bind(ended.as_millisecond())
        .bind(process)
        .execute(&mut *transaction)
        .await?;
    let interrupted = take_back(&mut transaction, at).await?;
    transaction.commit().await?;
    Ok(interrupted)
}

/// Lets go of what a process is not at, and ends what it cannot end.
pub(super) async fn let_go(pool: &PgPool, process: Uuid, held: &Held, at: Timestamp) -> Result<u64, StoreError> {
    sqlx::query(
        "update claim k set process = null where k.process = $1 and not exists (\
         select 1 from unnest($2::text[], $3::text[]) h (whose, name) join tenant t on t.name = h.whose \
         join connection c on c.tenant = t.id and c.name = h.name where t.id = k.tenant and c.id = k.connection)",
    )
    .bind(process)
    .bind(held.queues.iter().map(|(tenant, _)| tenant.as_str()).bind_iter())
    .bind(held.queues.iter().map(|(_, connection)| connection.as_str()).bind_iter())
    .execute(pool)
    .await?;
    sqlx::query("update send set process = null where process = $1 and public_id <> all ($2)")
        .bind(process)
        .bind(held.sends.iter().copied().collect::<Vec<_>>())
        .execute(pool)
        .await?;
    let interrupted = sqlx::query(
        "update delivery set status = $1, finished_at = $2 where id = any ($3) and status = 'received' and process = $4",
    )
    .bind(Status::Interrupted.word())
    .bind(at.as_millisecond())
    .bind(held.unended.iter().copied().collect::<Vec<_>>())
    .bind(process)
    .execute(pool)
    .await?;
    Ok(interrupted.rows_affected())
}

/// Forgets a process, and takes back what it had begun.
pub(super) async fn leave(pool: &PgPool, process: Option<Uuid>, at: Timestamp) -> Result<u64, StoreError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("delete from process where id = $1").bind(process).execute(&mut *transaction).await?;
    let interrupted = take_back(&mut transaction, at).await?;
    transaction.commit().await?;
    Ok(interrupted)
}

async fn take_back(database: &mut PgConnection, at: Timestamp) -> Result<u64, StoreError> {
    for sql in TAKE_BACK {
        sqlx::query(sql).execute(&mut *database).await?;
    }
    let interrupted = sqlx::query(
        "update delivery d set status = $1, finished_at = $2 where d.status = 'received' \
         and not exists (select 1 from process p where p.id = d.process)",
    )
    .bind(Status::Interrupted.word())
    .bind(at.as_millisecond())
    .execute(database)
    .await?;
    Ok(interrupted.rows_affected())
}

/// Takes on what one connection has queued.
pub(super) async fn claim_queue(
    pool: &PgPool,
    process: Uuid,
    now: Timestamp,
    except: &[ConnectionName],
) -> Result<Option<ConnectionName>, StoreError> {
    let claimed = sqlx::query(CLAIM)
        .bind(process)
        .bind(now.as_millisecond())
        .bind(except.iter().map(|(tenant, _)| tenant.as_str()).bind_iter())
        .bind(except.iter().map(|(_, connection)| connection.as_str()).bind_iter())
        .fetch_optional(pool)
        .await?;
    claimed.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// Lets go of what a connection has queued, if this process had taken it on.
pub(super) async fn give_back(pool: &PgPool, process: Uuid, tenant: &str, connection: &str) -> Result<(), StoreError> {
    sqlx::query(
        "with quick as (select set_config('synchronous_commit', 'off', true) as set) \
         update claim k set process = null from connection c, tenant t, quick where k.process = $1 \
         and c.tenant = k.tenant and c.id = k.connection and t.id = k.tenant and t.name = $2 and c.name = $3 \
         and quick.set is not null",
    )
    .bind(process)
    .bind(storable(tenant))
    .bind(storable(connection))
    .execute(pool)
    .await?;
    Ok(())
}
