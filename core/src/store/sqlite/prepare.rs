//! Turns the tables of schemas into tables of the database. Only ever adds: a table, a column, an index; indexes that nobody
//! needs any more are dropped when it is said so.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, params};

use super::writer::Transaction;
use crate::canonical::Canonical;
use crate::description::{Partner, RecordType};
use crate::store::StoreError;
use crate::store::fitting::{self, Owner, StoredTable, added};
use crate::store::sql::{self, Holds, Sqlite};
use crate::table::{Column, Table};

pub(super) fn canonical(transaction: &Transaction<'_>, canonical: &Canonical) -> Result<(), StoreError> {
    for kind in canonical.kinds() {
        prepare(transaction, Owner::kind(kind), &kind.table)?;
        transaction.execute_batch(&sql::tombstone_index(&Sqlite, &kind.table).1)?;
    }
    Ok(())
}

pub(super) fn partner(transaction: &Transaction<'_>, partner: &Partner) -> Result<(), StoreError> {
    for record in &partner.records {
        prepare(transaction, Owner::record(partner, record), &record.table)?;
        indexes(transaction, record)?;
    }
    Ok(())
}

/// Drops the indexes and tables of items that none of these versions of a partner declares.
pub(super) fn tidy(transaction: &Transaction<'_>, versions: &[&Partner]) -> Result<(), StoreError> {
    for (table, declared) in fitting::declared(versions) {
        for name in indexes_of(transaction, table)?.difference(&declared.indexes) {
            transaction.execute_batch(&sql::drop_index(name))?;
        }
        for name in items_of(transaction, table)?.difference(&declared.items) {
            transaction.execute_batch(&sql::drop_items(&Sqlite, name, table))?;
        }
    }
    Ok(())
}

/// Makes the indexes that the record type declares.
fn indexes(transaction: &Transaction<'_>, record: &RecordType) -> Result<(), StoreError> {
    for members in fitting::indexes(record) {
        if let Some((_, create)) = sql::record_index(&Sqlite, &record.table, &members) {
            transaction.execute_batch(&create)?;
        }
    }
    items(transaction, record)
}

/// Makes the tables of items that the record type declares.
fn items(transaction: &Transaction<'_>, record: &RecordType) -> Result<(), StoreError> {
    let mut there = items_of(transaction, &record.table.name)?;
    for items in fitting::items(record) {
        if there.insert(items.name.clone()) {
            transaction.execute_batch(&items.create(&Sqlite))?;
        }
    }
    Ok(())
}

/// The indexes that a table has. What its own constraints made has no statement.
fn indexes_of(transaction: &Transaction<'_>, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut statement = transaction
        .prepare_cached("select name from sqlite_schema where type = 'index' and tbl_name = ?1 and sql is not null")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// The tables of items that a table has.
fn items_of(transaction: &Transaction<'_>, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut statement =
        transaction.prepare_cached("select name from sqlite_schema where type = 'trigger' and tbl_name = ?1")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    let names = names.collect::<Result<Vec<String>, _>>()?;
    Ok(names.iter().filter_map(|name| sql::items_of(name)).map(str::to_owned).collect())
}

/// The columns that the tables of a partner's records have so far, by the place of the record type.
pub(super) fn columns(
    transaction: &Transaction<'_>,
    partner: &Partner,
) -> Result<Vec<Option<Vec<Column>>>, StoreError> {
    let records = partner.records.iter();
    records.map(|record| stored(transaction, Owner::record(partner, record), &record.table)).collect()
}

fn prepare(transaction: &Transaction<'_>, owner: Owner<'_>, table: &Table) -> Result<(), StoreError> {
    let columns = fitting::columns(table)?;
    match stored(transaction, owner, table)? {
        None => {
            transaction.execute_batch(&sql::create(&Sqlite, owner.holds, table))?;
            transaction.execute(
                "insert into stored_table (name, holds, partner, type, columns) values (?1, ?2, ?3, ?4, ?5)",
                params![table.name, owner.holds.word(), owner.partner, owner.of, columns],
            )?;
        }
        Some(stored) => {
            add_own_columns(transaction, owner.holds, table)?;
            if stored != table.columns {
                for column in added(table, &stored)? {
                    transaction.execute_batch(&sql::add_column(&Sqlite, table, column))?;
                }
                transaction
                    .execute("update stored_table set columns = ?2 where name = ?1", params![table.name, columns])?;
            }
        }
    }
    Ok(())
}

/// Adds those of the store's own columns that were not thought of yet when the table was made.
fn add_own_columns(transaction: &Transaction<'_>, holds: Holds, table: &Table) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("select name from pragma_table_info(?1)")?;
    let there = statement.query_map([&table.name], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?;
    for column in holds.columns(&Sqlite) {
        if !there.contains(column.name) {
            transaction.execute_batch(&sql::add_own_column(&Sqlite, table, *column))?;
        }
    }
    Ok(())
}

/// The columns that `table` has so far; `None` if there is no such table yet.
fn stored(transaction: &Transaction<'_>, owner: Owner<'_>, table: &Table) -> Result<Option<Vec<Column>>, StoreError> {
    let stored = transaction
        .query_row("select holds, partner, type, columns from stored_table where name = ?1", [&table.name], |row| {
            Ok(StoredTable { holds: row.get(0)?, partner: row.get(1)?, of: row.get(2)?, columns: row.get(3)? })
        })
        .optional()?;
    stored.map(|stored| owner.columns(table, &stored)).transpose()
}
