//! The last numbers that were given out, by what they number, so that none is ever given out again.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgPool};

use crate::store::{Commit, Connection, StoreError};

/// The last one of each; 0 where none was given out.
pub(super) async fn last(pool: &PgPool, connection: &Connection, of: &[String]) -> Result<Vec<i64>, StoreError> {
    let rows = sqlx::query("select what, last from number where tenant = $1 and connection = $2 and what = any($3)")
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(of)
        .fetch_all(pool)
        .await?;
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &rows {
        last.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(of.iter().map(|of| last.get(of.as_str()).copied().unwrap_or_default()).collect())
}

/// Remembers what `commit` gave out. What was given out before stays given out, whatever it says.
pub(super) async fn apply(database: &mut PgConnection, commit: &Commit<'_>) -> Result<(), StoreError> {
    let mut numbers: BTreeMap<&str, i64> = BTreeMap::new();
    for (of, last) in &commit.numbers {
        let highest = numbers.entry(of).or_insert(*last);
        *highest = (*highest).max(*last);
    }
    if numbers.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into number as n (tenant, connection, what, last) \
         select $1, $2, u.what, u.last from unnest($3::text[], $4::bigint[]) u (what, last) \
         on conflict (tenant, connection, what) do update set last = greatest(n.last, excluded.last)",
    )
    .bind(commit.connection.tenant_id)
    .bind(commit.connection.id)
    .bind(numbers.keys().copied().bind_iter())
    .bind(numbers.values().copied().bind_iter())
    .execute(database)
    .await?;
    Ok(())
}
