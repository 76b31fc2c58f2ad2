//! Turns the tables of schemas into tables of the database. Only ever adds: a table, a column, an index; indexes that nobody
//! needs any more are dropped when it is said so.
//!
//! What is there already is not touched, not even to say that it is there: a process that starts beside others must not
//! make them wait.

use std::collections::BTreeSet;

use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Row as _};

use crate::canonical::Canonical;
use crate::description::{Partner, RecordType};
use crate::store::StoreError;
use crate::store::fitting::{self, Owner, StoredTable, added};
use crate::store::sql::{self, Postgres, Sql};
use crate::table::{Column, Table};

/// What processes lock that start at the same time: any number that nothing else of ours locks.
const PREPARING: i64 = 0x0726_6f6c_6c63_616c;

pub(super) async fn canonical(database: &mut PgConnection, canonical: &Canonical) -> Result<(), StoreError> {
    wait_for_others(database).await?;
    for kind in canonical.kinds() {
        prepare(database, Owner::kind(kind), &kind.table).await?;
        tombstones(database, &kind.table).await?;
    }
    Ok(())
}

pub(super) async fn partner(database: &mut PgConnection, partner: &Partner) -> Result<(), StoreError> {
    wait_for_others(database).await?;
    for record in &partner.records {
        prepare(database, Owner::record(partner, record), &record.table).await?;
        indexes(database, record).await?;
        items(database, record).await?;
    }
    Ok(())
}

/// Until the end of the transaction nobody else prepares anything.
async fn wait_for_others(database: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(PREPARING).execute(database).await?;
    Ok(())
}

/// Makes the index by which old tombstones are found, where it is not there yet.
async fn tombstones(database: &mut PgConnection, table: &Table) -> Result<(), StoreError> {
    let (name, create) = sql::tombstone_index(&Postgres, table);
    let there = sqlx::query_scalar::<_, bool>("select to_regclass(quote_ident($1)) is not null").bind(name);
    if there.fetch_one(&mut *database).await? { Ok(()) } else { run(database, create).await }
}

async fn run(database: &mut PgConnection, sql: Sql) -> Result<(), StoreError> {
    database.execute(sqlx::raw_sql(sql)).await?;
    Ok(())
}

/// Drops the indexes and tables of items that none of these versions of a partner declares.
pub(super) async fn tidy(database: &mut PgConnection, versions: &[&Partner]) -> Result<(), StoreError> {
    wait_for_others(database).await?;
    for (table, declared) in fitting::declared(versions) {
        for name in indexes_of(database, table).await?.difference(&declared.indexes) {
            run(database, sql::drop_index(name)).await?;
        }
        for name in items_of(database, table).await?.difference(&declared.items) {
            run(database, sql::drop_items(&Postgres, name, table)).await?;
        }
    }
    Ok(())
}

/// Makes the indexes that the record type declares.
async fn indexes(database: &mut PgConnection, record: &RecordType) -> Result<(), StoreError> {
    let mut there = indexes_of(database, &record.table.name).await?;
    for members in fitting::indexes(record) {
        if let Some((name, create)) = sql::record_index(&Postgres, &record.table, &members)
            && there.insert(name)
        {
            run(database, create).await?;
        }
    }
    Ok(())
}

/// Makes the tables of items that the record type declares.
async fn items(database: &mut PgConnection, record: &RecordType) -> Result<(), StoreError> {
    let mut there = items_of(database, &record.table.name).await?;
    for items in fitting::items(record) {
        if there.insert(items.name.clone()) {
            run(database, items.create(&Postgres)).await?;
        }
    }
    Ok(())
}

/// The indexes that a table has. What its own constraints made is not among them.
async fn indexes_of(database: &mut PgConnection, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let sql = "select i.relname::text from pg_index x join pg_class i on i.oid = x.indexrelid \
               where x.indrelid = to_regclass(quote_ident($1)) and not x.indisunique";
    names(database, sql, table).await
}

/// The tables of items that a table has.
async fn items_of(database: &mut PgConnection, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let sql = "select tgname::text from pg_trigger where tgrelid = to_regclass(quote_ident($1)) and not tgisinternal";
    let triggers = names(database, sql, table).await?;
    Ok(triggers.iter().filter_map(|name| sql::items_of(name)).map(str::to_owned).collect())
}

/// The columns that the tables of a partner's records have so far, by the place of the record type.
pub(super) async fn columns(
    database: &mut PgConnection,
    partner: &Partner,
) -> Result<Vec<Option<Vec<Column>>>, StoreError> {
    let mut all = Vec::new();
    for record in &partner.records {
        all.push(stored(database, Owner::record(partner, record), &record.table).await?);
    }
    Ok(all)
}

/// The names that a question about a table gives.
async fn names(database: &mut PgConnection, sql: &'static str, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let rows = sqlx::query(sql).bind(table).fetch_all(database).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn prepare(database: &mut PgConnection, owner: Owner<'_>, table: &Table) -> Result<(), StoreError> {
    let columns = fitting::columns(table)?;
    match stored(database, owner, table).await? {
        None => {
            run(database, sql::create(&Postgres, owner.holds, table)).await?;
            sqlx::query("insert into stored_table (name, holds, partner, type, columns) values ($1, $2, $3, $4, $5)")
                .bind(&table.name)
                .bind(owner.holds.word())
                .bind(owner.partner)
                .bind(owner.of)
                .bind(columns)
                .execute(database)
                .await?;
        }
        Some(stored) => {
            add_own_columns(database, owner, table).await?;
            if stored != table.columns {
                for column in added(table, &stored)? {
                    run(database, sql::add_column(&Postgres, table, column)).await?;
                }
                sqlx::query("update stored_table set columns = $2 where name = $1")
                    .bind(&table.name)
                    .bind(columns)
                    .execute(database)
                    .await?;
            }
        }
    }
    Ok(())
}

/// Adds those of the store's own columns that were not thought of yet when the table was made.
async fn add_own_columns(database: &mut PgConnection, owner: Owner<'_>, table: &Table) -> Result<(), StoreError> {
    let there = names(
        database,
        "select attname::text from pg_attribute where attrelid = to_regclass(quote_ident($1)) and attnum > 0 \
         and not attisdropped",
        &table.name,
    );
    let there = there.await?;
    for column in owner.holds.columns(&Postgres) {
        if !there.contains(column.name) {
            run(database, sql::add_own_column(&Postgres, table, *column)).await?;
        }
    }
    Ok(())
}

/// The columns that `table` has so far; `None` if there is no such table yet.
async fn stored(
    database: &mut PgConnection,
    owner: Owner<'_>,
    table: &Table,
) -> Result<Option<Vec<Column>>, StoreError> {
    let row = sqlx::query("select holds, partner, type, columns from stored_table where name = $1")
        .bind(&table.name)
        .fetch_optional(database)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let stored =
        StoredTable { holds: row.try_get(0)?, partner: row.try_get(1)?, of: row.try_get(2)?, columns: row.try_get(3)? };
    owner.columns(table, &stored).map(Some)
}
