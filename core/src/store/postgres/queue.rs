//! Deliveries that were acknowledged before they are worked on: in which order, how often, how far.

use sqlx::Row as _;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::rows::storable;
use crate::store::packed::unpack;
use crate::store::stored::{instant, integer, unsigned};
use crate::store::{Queue, Queued, StoreError};

/// The names of tenant and connection of all that is queued, how much it is, and since when.
const QUEUES: &str = "select t.name, c.name, d.length, d.oldest from (select tenant, connection, min(arrival) as first, \
                      count(*) as length, min(received_at) as oldest from delivery where status = 'queued' group by tenant, connection) d \
                      join connection c on c.tenant = d.tenant and c.id = d.connection \
                      join tenant t on t.id = d.tenant order by d.first";

/// The queued delivery of a connection that arrived first (tenant's name, connection's name, who claims the
/// queue).
const NEXT: &str = "select d.id, c.partner, d.operation, d.attempts, d.sha256, b.size, b.zstd, d.received_at from tenant t \
                    join connection c on c.tenant = t.id \
                    join delivery d on d.tenant = c.tenant and d.connection = c.id and d.status = 'queued' \
                    left join body b on b.tenant = d.tenant and b.connection = d.connection and b.sha256 = d.body \
                    where t.name = $1 and c.name = $2 and (select k.process from claim k where k.tenant = c.tenant \
                    and k.connection = c.id) is not distinct from $3 order by d.arrival limit 1";

/// All that have something queued; who has waited longest comes first.
pub(super) async fn queues(pool: &PgPool) -> Result<Vec<Queue>, StoreError> {
    let rows = sqlx::query(QUEUES).fetch_all(pool).await?;
    let queue = |row: &sqlx::postgres::PgRow| {
        Ok(Queue {
            tenant: row.try_get(0)?,
            connection: row.try_get(1)?,
            length: unsigned(row.try_get(2)?),
            oldest: instant(row.try_get(3)?)?,
        })
    };
    rows.iter().map(queue).collect()
}

/// The one that arrived first. Its body is empty where that is not kept any more: the delivery then ends as what an empty
/// one is, and holds up nothing.
pub(super) async fn next(
    pool: &PgPool,
    process: Option<Uuid>,
    tenant: &str,
    connection: &str,
) -> Result<Option<Queued>, StoreError> {
    let next = sqlx::query(NEXT).bind(storable(tenant)).bind(storable(connection)).bind(process);
    let row = next.fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    let body = match row.try_get::<Option<&[u8]>, _>(6)? {
        Some(packed) => unpack(packed, row.try_get(5)?)?,
        None => Vec::new(),
    };
    Ok(Some(Queued {
        delivery: row.try_get(0)?,
        tenant: tenant.to_owned(),
        connection: connection.to_owned(),
        partner: row.try_get(1)?,
        operation: row.try_get(2)?,
        at: instant(row.try_get(7)?)?,
        attempts: u32::try_from(row.try_get::<i32, _>(3)?).unwrap_or_default(),
        sha256: row.try_get(4)?,
        body,
    }))
}

/// Counts one more beginning.
pub(super) async fn begin(pool: &PgPool, process: Option<Uuid>, delivery: Uuid) -> Result<(), StoreError> {
    let begun = sqlx::query(
        "update delivery d set attempts = d.attempts + 1 where d.id = $1 and d.status = 'queued' \
         and (select k.process from claim k where k.tenant = d.tenant and k.connection = d.connection) \
         is not distinct from $2",
    )
    .bind(delivery)
    .bind(process)
    .execute(pool)
    .await?;
    match begun.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::Inconsistent(format!("delivery {delivery} is not queued here"))),
    }
}

/// Takes one beginning back.
pub(super) async fn unbegin(pool: &PgPool, process: Option<Uuid>, delivery: Uuid) -> Result<(), StoreError> {
    sqlx::query(
        "update delivery d set attempts = d.attempts - 1 where d.id = $1 and d.status = 'queued' and d.attempts > 0 \
         and (select k.process from claim k where k.tenant = d.tenant and k.connection = d.connection) \
         is not distinct from $2",
    )
    .bind(delivery)
    .bind(process)
    .execute(pool)
    .await?;
    Ok(())
}

/// Says how far a delivery is; nothing, if it has ended meanwhile. This does not wait for the disk.
pub(super) async fn progress(pool: &PgPool, delivery: Uuid, sent: u64, errors: u64) -> Result<(), StoreError> {
    sqlx::query(
        "with quick as (select set_config('synchronous_commit', 'off', true) as set) \
         update delivery set sent = $2, errors = $3 from quick where id = $1 and finished_at is null",
    )
    .bind(delivery)
    .bind(integer(sent))
    .bind(integer(errors))
    .execute(pool)
    .await?;
    Ok(())
}
