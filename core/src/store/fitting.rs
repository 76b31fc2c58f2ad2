//! Turns the table of a schema and what a database has of it into what has to be added; whatever is not adding is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::StoreError;
use super::contributors::damaged;
use super::sql::{self, Holds, Items, Sqlite};
use crate::canonical::Kind;
use crate::description::{FieldPath, Partner, RecordType};
use crate::table::{Column, Table};

/// Whose table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner<'a> {
    pub(super) holds: Holds,
    /// Empty for entities.
    pub(super) partner: &'a str,
    /// The kind's or the record type's name.
    pub(super) of: &'a str,
}

/// What `stored_table` says of a table.
#[derive(Debug)]
pub(super) struct StoredTable {
    /// The word of [`Holds`].
    pub(super) holds: String,
    /// See [`Owner::partner`].
    pub(super) partner: String,
    /// See [`Owner::of`].
    pub(super) of: String,
    /// The columns that follow from the schema, JSON.
    pub(super) columns: String,
}

impl<'a> Owner<'a> {
    /// Who owns the table of a kind.
    pub(super) fn kind(kind: &'a Kind) -> Self {
        Self { holds: Holds::Entities, partner: "", of: &kind.name }
    }

    /// Who owns the table of a record type.
    pub(super) fn record(partner: &'a Partner, record: &'a RecordType) -> Self {
        Self { holds: Holds::Records, partner: &partner.name, of: &record.name }
    }

    /// The columns that `table` has so far, if it is this owner's.
    pub(super) fn columns(self, table: &Table, stored: &StoredTable) -> Result<Vec<Column>, StoreError> {
        let StoredTable { holds, partner, of, columns } = stored;
        if (holds.as_str(), partner.as_str(), of.as_str()) != (self.holds.word(), self.partner, self.of) {
            let whose = if partner.is_empty() { of.clone() } else { format!("{partner}.{of}") };
            return Err(breaking(table, format!("it already holds {whose}")));
        }
        serde_json::from_str(columns).map_err(|_| damaged("the list of a table's columns"))
    }
}

/// The columns of `table` as `stored_table` keeps them.
pub(super) fn columns(table: &Table) -> Result<String, StoreError> {
    refuse_twins(table)?;
    serde_json::to_string(&table.columns).map_err(|error| StoreError::Database(Box::new(error)))
}

/// The members that records are found by in an index, declared or not.
pub(super) fn indexes(record: &RecordType) -> impl Iterator<Item = Vec<String>> {
    key_index(record).into_iter().chain(record.indexes.iter().cloned())
}

/// The member that is the key of records that clients handle one by one: others refer to it, it is sorted by, and the
/// largest is looked for when the next one is counted.
fn key_index(record: &RecordType) -> Option<Vec<String>> {
    let [FieldPath { up: 0, path }] = record.key.as_slice() else { return None };
    (record.blank && path.len() == 1).then(|| path.clone())
}

/// The lists in records of this type whose items stand in tables of their own.
pub(super) fn items(record: &RecordType) -> impl Iterator<Item = Items<'_>> {
    record.indexes.iter().filter_map(|members| match members.as_slice() {
        [member] => sql::items(&record.table, member),
        _ => None,
    })
}

/// What is declared of one table, beside its columns.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) indexes: BTreeSet<String>,
    pub(super) items: BTreeSet<String>,
}

/// What any of these versions of a partner declares, by table.
pub(super) fn declared<'p>(versions: &[&'p Partner]) -> BTreeMap<&'p str, Declared> {
    let mut all = BTreeMap::<_, Declared>::new();
    for record in versions.iter().flat_map(|version| &version.records) {
        let declared = all.entry(record.table.name.as_str()).or_default();
        for members in indexes(record) {
            // Names are the same in every dialect.
            declared.indexes.extend(sql::record_index(&Sqlite, &record.table, &members).map(|(name, _)| name));
        }
        declared.items.extend(items(record).map(|items| items.name));
    }
    all
}

/// Gives a partner's tables the columns that the database has of them beside, because another version has or had them:
/// what is sent under their names goes there, so that any version reads all that a record says. Says what does not fit:
/// nothing but a column whose content would be of another kind.
pub fn fit(partner: &mut Partner, stored: Vec<Option<Vec<Column>>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (record, stored) in partner.records.iter_mut().zip(stored) {
        let table = &mut record.table;
        table.columns.truncate(table.columns.len() - record.kept);
        record.kept = 0;
        for column in stored.into_iter().flatten() {
            match table.columns.iter().find(|other| other.name == column.name || other.property == column.property) {
                None => {
                    record.kept += 1;
                    table.columns.push(column);
                }
                Some(other) => wrong.extend(unlike(other, &column).map(|reason| breaking(table, reason).to_string())),
            }
        }
    }
    wrong
}

/// Whether a version of a partner has all columns that the database has.
pub fn is_fit(partner: &Partner, stored: &[Option<Vec<Column>>]) -> bool {
    let mut tables = partner.records.iter().zip(stored);
    tables.all(|(record, stored)| stored.iter().flatten().all(|column| record.table.columns.contains(column)))
}

/// Why a column cannot take the place of the one that is stored.
fn unlike(column: &Column, stored: &Column) -> Option<String> {
    let reason = if column == stored {
        return None;
    } else if column.form == stored.form {
        format!("column {} would hold another property", stored.name)
    } else {
        format!("column {} would change from {:?} to {:?}", stored.name, stored.form, column.form)
    };
    Some(reason.to_lowercase())
}

/// What `table` has more than what is stored. Anything but more is refused.
pub(super) fn added<'t>(table: &'t Table, stored: &[Column]) -> Result<Vec<&'t Column>, StoreError> {
    for column in stored {
        match table.columns.iter().find(|other| other.name == column.name) {
            None => return Err(breaking(table, format!("column {} is gone from the schema", column.name))),
            Some(other) => {
                if let Some(reason) = unlike(other, column) {
                    return Err(breaking(table, reason));
                }
            }
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
