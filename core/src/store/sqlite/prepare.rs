//! Turns the tables of schemas into tables of the database. Only ever adds: a table, a column. Indexes come and go.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::canonical::Canonical;
use crate::description::{FieldPath, Partner, RecordType};
use crate::store::StoreError;
use crate::store::contributors::damaged;
use crate::store::sql::{self, Holds};
use crate::table::{Column, Table};

/// Whose table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner<'a> {
    holds: Holds,
    /// Empty for entities.
    partner: &'a str,
    /// The kind's or the record type's name.
    of: &'a str,
}

pub(super) fn canonical(transaction: &Transaction<'_>, canonical: &Canonical) -> Result<(), StoreError> {
    for kind in canonical.kinds() {
        prepare(transaction, Owner { holds: Holds::Entities, partner: "", of: &kind.name }, &kind.table)?;
    }
    Ok(())
}

pub(super) fn partner(transaction: &Transaction<'_>, partner: &Partner) -> Result<(), StoreError> {
    for record in &partner.records {
        let owner = Owner { holds: Holds::Records, partner: &partner.name, of: &record.name };
        prepare(transaction, owner, &record.table)?;
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
    for members in key_index(record).iter().chain(&record.indexes) {
        if let Some((name, create)) = sql::record_index(&record.table, members) {
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
            transaction.execute_batch(&items.create)?;
        }
        made.insert(items.name);
    }
    for name in surplus {
        transaction.execute_batch(&sql::drop_items(&name))?;
    }
    Ok(())
}

/// The member that is the key of records that clients handle one by one: others refer to it, it is sorted by, and the
/// largest is looked for when the next one is counted.
fn key_index(record: &RecordType) -> Option<Vec<String>> {
    let [FieldPath { up: 0, path }] = record.key.as_slice() else { return None };
    (record.blank && path.len() == 1).then(|| path.clone())
}

fn prepare(transaction: &Transaction<'_>, owner: Owner<'_>, table: &Table) -> Result<(), StoreError> {
    let columns = serde_json::to_string(&table.columns).map_err(|error| StoreError::Database(Box::new(error)))?;
    refuse_twins(table)?;
    match stored(transaction, owner, table)? {
        None => {
            transaction.execute_batch(&sql::create(owner.holds, table))?;
            transaction.execute(
                "insert into stored_table (name, holds, partner, type, columns) values (?1, ?2, ?3, ?4, ?5)",
                params![table.name, owner.holds.word(), owner.partner, owner.of, columns],
            )?;
        }
        Some(stored) => {
            add_own_columns(transaction, owner.holds, table)?;
            if stored != table.columns {
                for column in added(table, &stored)? {
                    transaction.execute_batch(&sql::add_column(table, column))?;
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
    for (name, of) in holds.columns() {
        if !there.contains(*name) {
            transaction.execute_batch(&sql::add_own_column(table, name, of))?;
        }
    }
    Ok(())
}

/// The columns that `table` has so far; `None` if there is no such table yet.
fn stored(transaction: &Transaction<'_>, owner: Owner<'_>, table: &Table) -> Result<Option<Vec<Column>>, StoreError> {
    let row = transaction
        .query_row("select holds, partner, type, columns from stored_table where name = ?1", [&table.name], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
        })
        .optional()?;
    let Some((holds, partner, of, columns)) = row else {
        return Ok(None);
    };
    if (holds.as_str(), partner.as_str(), of.as_str()) != (owner.holds.word(), owner.partner, owner.of) {
        let whose = if partner.is_empty() { of } else { format!("{partner}.{of}") };
        return Err(breaking(table, format!("it already holds {whose}")));
    }
    serde_json::from_str(&columns).map(Some).map_err(|_| damaged("the list of a table's columns"))
}

/// What `table` has more than what is stored. Anything but more is refused.
fn added<'a>(table: &'a Table, stored: &[Column]) -> Result<Vec<&'a Column>, StoreError> {
    for column in stored {
        match table.columns.iter().find(|other| other.name == column.name) {
            None => return Err(breaking(table, format!("column {} is gone from the schema", column.name))),
            Some(other) if other != column => {
                let reason = if other.form == column.form {
                    format!("column {} would hold another property", column.name)
                } else {
                    format!("column {} would change from {:?} to {:?}", column.name, column.form, other.form)
                };
                return Err(breaking(table, reason.to_lowercase()));
            }
            Some(_) => {}
        }
    }
    Ok(table.columns.iter().filter(|column| !stored.contains(column)).collect())
}

fn refuse_twins(table: &Table) -> Result<(), StoreError> {
    for (nth, column) in table.columns.iter().enumerate() {
        if table.columns[..nth].iter().any(|other| other.name == column.name) {
            return Err(breaking(table, format!("column {} would hold two properties", column.name)));
        }
    }
    Ok(())
}

fn breaking(table: &Table, reason: String) -> StoreError {
    StoreError::Breaking { table: table.name.clone(), reason }
}
