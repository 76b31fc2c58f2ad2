//! Deletes what is old, a few rows at a time. What another process prunes at the same moment is left to it.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgPool};
use uuid::Uuid;

use super::rows::statement;
use crate::canonical::Canonical;
use crate::retention::Prune;
use crate::store::sql::bulk;
use crate::store::stored::{integer, unsigned};
use crate::store::{Connection, StoreError};

/// Lets go of the bodies of ended deliveries, the oldest first.
const BODIES: &str = "with old as (select id, body from delivery where tenant = $1 and connection = $2 \
                      and body is not null and received_at < $3 and status not in ('received', 'queued', 'held') \
                      order by id limit $4 for update skip locked) \
                      update delivery d set body = null from old \
                      where d.tenant = $1 and d.connection = $2 and d.id = old.id returning old.body";

/// A body goes with the last delivery that has it.
const UNUSED: &str = "delete from body b where b.tenant = $1 and b.connection = $2 and b.sha256 = any($3) \
                      and not exists (select 1 from delivery d where d.tenant = $1 and d.connection = $2 \
                      and d.body = b.sha256)";

const TAKEN: &str = "select coalesce(sum(length(zstd)), 0)::bigint from body where tenant = $1 and connection = $2";

/// The oldest bodies that nobody waits for, and what they take.
const OLDEST: &str = "select b.sha256, length(b.zstd)::bigint from body b where b.tenant = $1 and b.connection = $2 \
                      and not exists (select 1 from delivery d where d.tenant = $1 and d.connection = $2 \
                      and d.body = b.sha256 and d.status in ('received', 'queued', 'held')) \
                      order by b.id limit $3 for update skip locked";

/// Ended deliveries, the oldest first, but not those whose log still has to tell what becomes of a record that waits.
const DELIVERIES: &str = "select d.id, d.body from delivery d where d.tenant = $1 and d.connection = $2 \
                          and d.received_at < $3 and d.status not in ('received', 'queued', 'held') \
                          and not exists (select 1 from waiting w where w.tenant = $1 and w.connection = $2 \
                          and w.delivery = d.id) order by d.id limit $4 for update skip locked";

const LINES: &str = "delete from entry where tenant = $1 and connection = $2 and delivery = $3 and nth in \
                     (select nth from entry where tenant = $1 and connection = $2 and delivery = $3 limit $4)";

const SENDS: &str = "with old as (select id from send where tenant = $1 and connection = $2 and at < $3 \
                     and status in ('succeeded', 'failed') order by at limit $4 for update skip locked), \
                     attempts as (delete from send_attempt a using old \
                     where a.tenant = $1 and a.connection = $2 and a.send = old.id) \
                     delete from send s using old where s.tenant = $1 and s.connection = $2 and s.id = old.id";

/// One step; says how many rows went.
pub(super) async fn step(
    pool: &PgPool,
    canonical: &Canonical,
    connection: &Connection,
    what: Prune,
    rows_max: u32,
) -> Result<u64, StoreError> {
    let mut transaction = pool.begin().await?;
    let pruning = Pruning { database: &mut transaction, connection, rows_max };
    let went = match what {
        Prune::Bodies(before) => pruning.bodies(before.as_millisecond()).await,
        Prune::BodiesOver(bytes) => pruning.bodies_over(bytes).await,
        Prune::Deliveries(before) => pruning.deliveries(before.as_millisecond()).await,
        Prune::Sends(before) => pruning.sends(before.as_millisecond()).await,
        Prune::Tombstones(before) => pruning.tombstones(canonical, before.as_millisecond()).await,
    }?;
    transaction.commit().await?;
    Ok(went)
}

struct Pruning<'p> {
    database: &'p mut PgConnection,
    connection: &'p Connection,
    rows_max: u32,
}

impl Pruning<'_> {
    async fn bodies(self, before: i64) -> Result<u64, StoreError> {
        let let_go: Vec<Vec<u8>> = sqlx::query_scalar(BODIES)
            .bind(self.connection.tenant_id)
            .bind(self.connection.id)
            .bind(before)
            .bind(i64::from(self.rows_max))
            .fetch_all(&mut *self.database)
            .await?;
        drop_unused(self.database, self.connection, &let_go).await?;
        Ok(let_go.len() as u64)
    }

    async fn bodies_over(self, bytes_max: u64) -> Result<u64, StoreError> {
        let (tenant, connection) = (self.connection.tenant_id, self.connection.id);
        let taken = sqlx::query_scalar(TAKEN).bind(tenant).bind(connection).fetch_one(&mut *self.database).await?;
        let mut taken = unsigned(taken);
        if taken <= bytes_max {
            return Ok(0);
        }
        let oldest = sqlx::query(OLDEST).bind(tenant).bind(connection).bind(i64::from(self.rows_max));
        let oldest = oldest.fetch_all(&mut *self.database).await?;
        let mut going: Vec<Vec<u8>> = Vec::new();
        for row in &oldest {
            if taken <= bytes_max {
                break;
            }
            going.push(row.try_get(0)?);
            taken = taken.saturating_sub(unsigned(row.try_get(1)?));
        }
        sqlx::query("update delivery set body = null where tenant = $1 and connection = $2 and body = any($3)")
            .bind(tenant)
            .bind(connection)
            .bind(&going)
            .execute(&mut *self.database)
            .await?;
        drop_unused(self.database, self.connection, &going).await?;
        Ok(going.len() as u64)
    }

    /// A long log goes before its delivery, over several steps.
    async fn deliveries(self, before: i64) -> Result<u64, StoreError> {
        let (tenant, connection) = (self.connection.tenant_id, self.connection.id);
        let mut left = u64::from(self.rows_max);
        let old = sqlx::query(DELIVERIES).bind(tenant).bind(connection).bind(before).bind(i64::from(self.rows_max));
        let old = old.fetch_all(&mut *self.database).await?;
        let mut let_go: Vec<Vec<u8>> = Vec::new();
        for row in &old {
            let delivery: Uuid = row.try_get(0)?;
            let lines = sqlx::query(LINES).bind(tenant).bind(connection).bind(delivery).bind(integer(left));
            left = left.saturating_sub(lines.execute(&mut *self.database).await?.rows_affected());
            if left == 0 {
                break; // there may be more of its log
            }
            sqlx::query("delete from delivery where tenant = $1 and connection = $2 and id = $3")
                .bind(tenant)
                .bind(connection)
                .bind(delivery)
                .execute(&mut *self.database)
                .await?;
            let_go.extend(row.try_get::<Option<Vec<u8>>, _>(1)?);
            left -= 1;
            if left == 0 {
                break;
            }
        }
        drop_unused(self.database, self.connection, &let_go).await?;
        Ok(u64::from(self.rows_max) - left)
    }

    async fn sends(self, before: i64) -> Result<u64, StoreError> {
        let went = sqlx::query(SENDS)
            .bind(self.connection.tenant_id)
            .bind(self.connection.id)
            .bind(before)
            .bind(i64::from(self.rows_max))
            .execute(self.database)
            .await?;
        Ok(went.rows_affected())
    }

    /// The feed of the tenant begins behind the last of them.
    async fn tombstones(self, canonical: &Canonical, before: i64) -> Result<u64, StoreError> {
        let mut went = 0;
        for kind in canonical.kinds() {
            let places = statement(bulk::delete_tombstones(&kind.table))
                .bind(self.connection.tenant_id)
                .bind(self.connection.id)
                .bind(before)
                .bind(i64::from(self.rows_max))
                .fetch_all(&mut *self.database)
                .await?;
            let places = places.iter().map(|row| row.try_get::<i64, _>(0)).collect::<Result<Vec<_>, _>>()?;
            if let Some(last) = places.iter().max() {
                sqlx::query("update tenant set horizon = greatest(horizon, $2) where id = $1")
                    .bind(self.connection.tenant_id)
                    .bind(last)
                    .execute(&mut *self.database)
                    .await?;
            }
            went += places.len() as u64;
        }
        Ok(went)
    }
}

/// Drops those of the bodies that no delivery has any more.
pub(super) async fn drop_unused(
    database: &mut PgConnection,
    connection: &Connection,
    bodies: &[Vec<u8>],
) -> Result<(), StoreError> {
    sqlx::query(UNUSED).bind(connection.tenant_id).bind(connection.id).bind(bodies).execute(database).await?;
    Ok(())
}
