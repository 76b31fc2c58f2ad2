//! Turns the tables of schemas into tables of the database. Only ever adds: a table, a column. Indexes come and go.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, Transaction, params};

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

/// Makes the indexes that the record type declares, and drops those that it does not declare any more.
fn indexes(transaction: &Transaction<'_>, record: &RecordType) -> Result<(), StoreError> {
    let mut surplus = {
        // What a table's own constraints made has no statement.
        let mut statement = transaction.prepare_cached(
            "select name from sqlite_schema where type = 'index' and tbl_name = ?1 and sql is not null",
        )?;
        let names = statement.query_map([&record.table.name], |row| row.get(0))?;
        names.collect::<Result<BTreeSet<String>, _>>()?
    };
    for members in fitting::indexes(record) {
        if let Some((name, create)) = sql::record_index(&Sqlite, &record.table, &members) {
            transaction.execute_batch(&create)?;
            surplus.remove(&name);
        }
    }
    for name in surplus {
        transaction.execute_batch(&sql::drop_index(&name))?;
    }
    items(transaction, record)
}

/// Makes the tables of items that the record type declares, and drops those that it does not declare any more.
fn items(transaction: &Transaction<'_>, record: &RecordType) -> Result<(), StoreError> {
    let mut surplus = {
        let mut statement =
            transaction.prepare_cached("select name from sqlite_schema where type = 'trigger' and tbl_name = ?1")?;
        let names = statement.query_map([&record.table.name], |row| row.get(0))?;
        let names = names.collect::<Result<Vec<String>, _>>()?;
        names.iter().filter_map(|name| sql::items_of(name)).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let mut made = BTreeSet::new();
    for members in &record.indexes {
        let [member] = members.as_slice() else { continue };
        let Some(items) = sql::items(&record.table, member) else { continue };
        if !surplus.remove(&items.name) && !made.contains(&items.name) {
            transaction.execute_batch(&items.create(&Sqlite))?;
        }
        made.insert(items.name);
    }
    for name in surplus {
        transaction.execute_batch(&sql::drop_items(&Sqlite, &name, &record.table.name))?;
    }
    Ok(())
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
