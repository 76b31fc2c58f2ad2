//! Connections by their names, made when they are first asked for.

use sqlx::Row as _;
use sqlx::postgres::{PgExecutor, PgPool, PgRow};

use super::rows::storable;
use crate::delivery::Applied;
use crate::digest::Digest;
use crate::store::contributors::damaged;
use crate::store::stored::parsed;
use crate::store::{Connection, Hold, StoreError};

const CONNECTION: &str = "select c.id, c.tenant, c.partner, c.generation, c.next_record, c.active, c.applied_sha256, \
                          c.applied_setting, c.applied_state, exists (select 1 from delivery d where d.tenant = c.tenant \
                          and d.connection = c.id and d.status = 'held') \
                          from tenant t join connection c on c.tenant = t.id where t.name = $1 and c.name = $2";

/// The connection, made if it is new, its tenant too; it must be of `partner`.
pub(super) async fn named(pool: &PgPool, tenant: &str, name: &str, partner: &str) -> Result<Connection, StoreError> {
    if let Some(found) = found(pool, tenant, name, partner).await? {
        return Ok(found);
    }
    let mut transaction = pool.begin().await?;
    sqlx::query("insert into tenant (name) values ($1) on conflict (name) do nothing")
        .bind(storable(tenant))
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "insert into connection (tenant, name, partner) select id, $2, $3 from tenant where name = $1 \
         on conflict (tenant, name) do nothing",
    )
    .bind(storable(tenant))
    .bind(storable(name))
    .bind(partner)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "insert into claim (tenant, connection) select c.tenant, c.id from connection c join tenant t on t.id = c.tenant \
         where t.name = $1 and c.name = $2 on conflict (tenant, connection) do nothing",
    )
    .bind(storable(tenant))
    .bind(storable(name))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    found(pool, tenant, name, partner).await?.ok_or_else(|| damaged("a connection just made"))
}

/// The connection as it is now; nobody else commits to it meanwhile.
pub(super) async fn hold(pool: &PgPool, connection: &Connection) -> Result<Connection, StoreError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select 1 from connection where tenant = $1 and id = $2 for no key update")
        .bind(connection.tenant_id)
        .bind(connection.id)
        .execute(&mut *transaction)
        .await?;
    // By the same connection to the database: who waits for a second one while all wait so would wait in vain.
    let fresh = found(&mut *transaction, &connection.tenant, &connection.name, &connection.partner).await?;
    let fresh = fresh.ok_or_else(|| damaged("a connection that was there"))?;
    Ok(Connection { hold: Hold::of(transaction), ..fresh })
}

async fn found(
    database: impl PgExecutor<'_>,
    tenant: &str,
    name: &str,
    partner: &str,
) -> Result<Option<Connection>, StoreError> {
    let row = sqlx::query(CONNECTION).bind(storable(tenant)).bind(storable(name)).fetch_optional(database).await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let stored: String = row.try_get(2)?;
    if stored != partner {
        return Err(StoreError::Inconsistent(format!(
            "connection {name} of tenant {tenant} belongs to partner {stored}, not {partner}"
        )));
    }
    Ok(Some(Connection {
        id: row.try_get(0)?,
        tenant_id: row.try_get(1)?,
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        partner: stored,
        generation: row.try_get(3)?,
        next_record: row.try_get(4)?,
        active: parsed(row.try_get(5)?, "the counts of a connection")?,
        applied: applied(&row)?,
        has_held: row.try_get(9)?,
        hold: Hold::default(),
    }))
}

fn applied(row: &PgRow) -> Result<Option<Applied>, StoreError> {
    let Some(sha256) = row.try_get::<Option<[u8; 32]>, _>(6)? else {
        return Ok(None);
    };
    let digest = |column: usize| Ok::<_, StoreError>(Digest::from_bytes(row.try_get(column)?));
    let (Some(setting), Some(state)) = (digest(7)?, digest(8)?) else {
        return Err(damaged("what was applied last"));
    };
    Ok(Some(Applied { sha256, setting, state }))
}
