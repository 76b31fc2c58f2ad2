//! When deleted records were deleted, where their partner tells: what is older must not bring them back.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgPool};

use crate::description::{Partner, RecordTypeId};
use crate::store::{Commit, Connection, Gone, RecordStep, StoreError};

const FORGET: &str = "delete from gone g using unnest($3::text[], $4::text[]) back (type, key) \
                      where g.tenant = $1 and g.connection = $2 and g.type = back.type and g.key = back.key";

const REMEMBER: &str = "insert into gone (tenant, connection, type, key, as_of) \
                        select $1, $2, u.type, u.key, u.as_of from unnest($3::text[], $4::text[], $5::bigint[]) \
                        u (type, key, as_of) \
                        on conflict (tenant, connection, type, key) do update set as_of = excluded.as_of";

/// All of a connection's.
pub(super) async fn of(pool: &PgPool, connection: &Connection, partner: &Partner) -> Result<Vec<Gone>, StoreError> {
    let rows = sqlx::query("select type, key, as_of from gone where tenant = $1 and connection = $2")
        .bind(connection.tenant_id)
        .bind(connection.id)
        .fetch_all(pool)
        .await?;
    let mut gone = Vec::with_capacity(rows.len());
    for row in &rows {
        let name: &str = row.try_get(0)?;
        let of = (0..).map(RecordTypeId).zip(&partner.records).find(|(_, of)| of.name == name);
        if let Some((of, _)) = of {
            gone.push(Gone { of, key: row.try_get(1)?, as_of: row.try_get(2)? });
        }
    }
    Ok(gone)
}

/// Forgets what is brought back.
pub(super) async fn forget(
    database: &mut PgConnection,
    partner: &Partner,
    connection: &Connection,
    steps: &[RecordStep<'_>],
) -> Result<(), StoreError> {
    let back = steps.iter().filter_map(|step| match step {
        RecordStep::Put(row) if row.new && row.as_of.is_some() => Some((name(partner, row.of), row.key)),
        _ => None,
    });
    let back: Vec<_> = back.collect();
    if !back.is_empty() {
        sqlx::query(FORGET)
            .bind(connection.tenant_id)
            .bind(connection.id)
            .bind(back.iter().map(|(of, _)| *of).bind_iter())
            .bind(back.iter().map(|(_, key)| *key).bind_iter())
            .execute(database)
            .await?;
    }
    Ok(())
}

/// Remembers what `commit` deletes.
pub(super) async fn remember(
    database: &mut PgConnection,
    partner: &Partner,
    commit: &Commit<'_>,
) -> Result<(), StoreError> {
    // The last word about a key counts.
    let gone: BTreeMap<_, _> =
        commit.gone.iter().map(|gone| ((name(partner, gone.of), gone.key.as_str()), gone.as_of)).collect();
    if !gone.is_empty() {
        sqlx::query(REMEMBER)
            .bind(commit.connection.tenant_id)
            .bind(commit.connection.id)
            .bind(gone.keys().map(|(of, _)| *of).bind_iter())
            .bind(gone.keys().map(|(_, key)| *key).bind_iter())
            .bind(gone.values().copied().bind_iter())
            .execute(&mut *database)
            .await?;
    }
    Ok(())
}

fn name(partner: &Partner, of: RecordTypeId) -> &str {
    &partner.records[usize::from(of.0)].name
}
