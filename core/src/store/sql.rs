//! Turns tables into SQL. This is the only place where SQL is put together from parts: every name goes through
//! [`quoted`], every value is bound, and [`Sql`] is the proof that a text was made here. What databases say differently
//! is in [`dialect`].
//!
//! Columns whose names start with `_` are the store's own; no property's column does, see [`crate::table::identifier`].

pub(super) mod bulk;
mod dialect;
mod expression;
mod feed;
mod items;
mod keep;
mod matching;
mod parts;
mod question;
mod record;
mod selection;

use std::fmt::Write as _;
use std::ops::Deref;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

pub(super) use self::dialect::Postgres;
pub(super) use self::dialect::{Dialect, Sqlite};
pub(super) use self::feed::{changes, contributors, sources};
pub(super) use self::items::{Items, drop_items, items, items_of};
pub(super) use self::keep::{ancestors, blank_entities, delete_entity_at, entity_ids, old_tombstones, tombstone_index};
pub(super) use self::matching::{largest, matching};
pub(super) use self::parts::{Bound, Question, Whose};
pub(super) use self::question::{count, page, single};
pub(super) use self::record::{
    RECORD_PARAMETERS, contributions, held_records, insert_record, record_body, record_by_key, record_values,
    records_by_id, records_count, records_page, remove_record, update_record,
};
pub(super) use self::selection::{PartQuestions, Told, Wanted};
use crate::table::{Column, ColumnForm, Table, table_name};

/// A statement that was made in this module.
#[derive(Debug, Clone)]
pub(super) struct Sql(String);

impl Deref for Sql {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl SqlSafeStr for Sql {
    fn into_sql_str(self) -> SqlStr {
        AssertSqlSafe(self.0).into_sql_str()
    }
}

/// What a table that follows from a schema holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Canonical entities.
    Entities,
    /// Foreign records.
    Records,
}

impl Holds {
    /// The word for it in `stored_table`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Entities => "entity",
            Self::Records => "record",
        }
    }

    /// The store's own columns. The small ones stand first: a large row is read only as far as is needed. One that is
    /// not there from the beginning must be one that may be null.
    pub(super) fn columns(self, dialect: &dyn Dialect) -> impl Iterator<Item = &'static OwnColumn> {
        let columns = match self {
            Self::Entities => ENTITY_COLUMNS,
            Self::Records => RECORD_COLUMNS,
        };
        let whose = dialect.whose();
        let is_kept = move |column: &&OwnColumn| {
            self == Self::Entities || !["_tenant", "_connection"].contains(&column.name) || whose.contains(&column.name)
        };
        columns.iter().filter(is_kept)
    }
}

/// One of the store's own columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnColumn {
    /// Its name.
    pub(super) name: &'static str,
    form: OwnForm,
    required: bool,
}

/// What one of the store's own columns holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnForm {
    /// A place in the feed.
    Place,
    /// An integer.
    Integer,
    /// A boolean.
    Boolean,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A UUID.
    Id,
}

impl OwnColumn {
    const fn required(name: &'static str, form: OwnForm) -> Self {
        Self { name, form, required: true }
    }

    const fn optional(name: &'static str, form: OwnForm) -> Self {
        Self { name, form, required: false }
    }

    fn declared(self, dialect: &dyn Dialect) -> String {
        let Self { name, form, required } = self;
        let required = if required { " not null" } else { "" };
        format!("{name} {}{required}", dialect.own_type(form))
    }
}

const ENTITY_COLUMNS: &[OwnColumn] = &[
    OwnColumn::optional("_sequence", OwnForm::Place),
    OwnColumn::required("_tenant", OwnForm::Integer),
    OwnColumn::required("_sourced_id", OwnForm::Id),
    OwnColumn::required("_connection", OwnForm::Integer),
    OwnColumn::required("_source_id", OwnForm::Text),
    OwnColumn::required("_active", OwnForm::Boolean),
    OwnColumn::required("_modified", OwnForm::Integer),
    OwnColumn::required("_digest", OwnForm::Bytes),
    OwnColumn::required("_uniform", OwnForm::Boolean),
    OwnColumn::optional("_record", OwnForm::Integer),
    OwnColumn::optional("_contributors", OwnForm::Bytes),
];

const RECORD_COLUMNS: &[OwnColumn] = &[
    OwnColumn::required("_tenant", OwnForm::Integer),
    OwnColumn::required("_connection", OwnForm::Integer),
    OwnColumn::required("_id", OwnForm::Integer),
    OwnColumn::required("_key", OwnForm::Text),
    OwnColumn::optional("_digest", OwnForm::Bytes),
    OwnColumn::optional("_as_of", OwnForm::Integer),
    OwnColumn::required("_delivery", OwnForm::Id),
    OwnColumn::required("_ancestors", OwnForm::Text),
    OwnColumn::optional("_unknown", OwnForm::Text),
    OwnColumn::optional("_contributions", OwnForm::Bytes),
];

/// A name in quotes, such that it cannot be anything but a name.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether there are such rows. The limit keeps SQLite (3.51) from turning this into a join, of which an offset around it
/// would count each row rather than the first.
fn exists(from: &str, condition: &str) -> String {
    format!("exists (select 1 from {from} where {condition} limit 1)")
}

/// What makes a table and its indexes.
///
/// SQLite keeps entities in the order of the feed, so that a change is written at the table's end and the feed needs no
/// index: that makes a first sync a seventh faster than any other order.
pub(super) fn create(dialect: &dyn Dialect, holds: Holds, table: &Table) -> Sql {
    let mut columns = String::new();
    for column in holds.columns(dialect) {
        push(&mut columns, format_args!("{}, ", column.declared(dialect)));
    }
    for column in &table.columns {
        push(&mut columns, format_args!("{} {}, ", quoted(&column.name), dialect.column_type(column.form)));
    }
    let (name, keys, options) = (quoted(&table.name), dialect.keys(holds), dialect.table_options());
    dialect.statement(format!("create table {name} ({columns}{keys}){options}"))
}

/// What adds a column to a table.
pub(super) fn add_column(dialect: &dyn Dialect, table: &Table, column: &Column) -> Sql {
    let (table, name) = (quoted(&table.name), quoted(&column.name));
    dialect.statement(format!("alter table {table} add column {name} {}", dialect.column_type(column.form)))
}

/// What adds one of the store's own columns to a table that an earlier version made.
pub(super) fn add_own_column(dialect: &dyn Dialect, table: &Table, column: OwnColumn) -> Sql {
    dialect.statement(format!("alter table {} add column {}", quoted(&table.name), column.declared(dialect)))
}

/// What makes an index by which records of a connection are found, sorted and chosen by what they say in some members:
/// its name, and the statement. The record's number stands last, so that what is alike comes in the order of arrival.
/// There is none where a member is nested or is kept as it was spelled, for such are not compared as they are stored.
pub(super) fn record_index(dialect: &dyn Dialect, table: &Table, members: &[String]) -> Option<(String, Sql)> {
    let mut columns = dialect.whose().join(", ");
    for member in members {
        let column = table.columns.iter().find(|column| column.property == *member)?;
        if matches!(column.form, ColumnForm::Json | ColumnForm::Number) {
            return None;
        }
        push(&mut columns, format_args!(", {}", quoted(&column.name)));
    }
    let parts: Vec<_> = ["index", &table.name].into_iter().chain(members.iter().map(String::as_str)).collect();
    let name = table_name(&parts);
    let (index, table) = (quoted(&name), quoted(&table.name));
    let create = format!("create index if not exists {index} on {table} ({columns}, _id)");
    Some((name, dialect.statement(create)))
}

/// Drops an index.
pub(super) fn drop_index(name: &str) -> Sql {
    Sql(format!("drop index {}", quoted(name)))
}

/// Parameters of [`insert_entities`] and [`update_entity`] before those of the fields: tenant, connection, modified,
/// sourced id, source id, sequence, digest, uniform, record, contributors.
pub(super) const ENTITY_PARAMETERS: usize = 10;

/// How many of these all rows of [`insert_entities`] share; the others, and the fields, follow row by row.
pub(super) const ENTITY_PARAMETERS_SHARED: usize = 3;

/// Writes `count` new entities. Where one is refused, those before it stay: to take them back by itself, a statement
/// of several rows would keep a copy of each page that it changes, and who writes gives up the transaction anyway.
pub(super) fn insert_entities(table: &Table, count: usize) -> Sql {
    let mut columns =
        "_tenant, _connection, _modified, _sourced_id, _source_id, _sequence, _digest, _uniform, _record, \
                       _contributors, _active"
            .to_owned();
    for column in &table.columns {
        push(&mut columns, format_args!(", {}", quoted(&column.name)));
    }
    let own = ENTITY_PARAMETERS - ENTITY_PARAMETERS_SHARED + table.columns.len();
    let rows: Vec<_> = (0..count)
        .map(|nth| {
            let from = ENTITY_PARAMETERS_SHARED + 1 + nth * own;
            let (linked, fields) = (from + ENTITY_PARAMETERS - ENTITY_PARAMETERS_SHARED, from + own);
            let before = parameters((1..=ENTITY_PARAMETERS_SHARED).chain(from..linked));
            if linked == fields {
                format!("({before}, 1)")
            } else {
                format!("({before}, 1, {})", parameters(linked..fields))
            }
        })
        .collect();
    Sql(format!("insert or fail into {} ({columns}) values {}", quoted(&table.name), rows.join(", ")))
}

/// Writes an entity over what is there.
pub(super) fn update_entity(table: &Table) -> Sql {
    let mut sets = "_modified = ?3, _source_id = ?5, _sequence = ?6, _digest = ?7, _uniform = ?8, _record = ?9, \
                    _contributors = ?10, _active = 1"
        .to_owned();
    update_columns(table, ENTITY_PARAMETERS, &mut sets);
    let name = quoted(&table.name);
    Sql(format!("update {name} set {sets} where _tenant = ?1 and _sourced_id = ?4 and _connection = ?2"))
}

/// Changes who contributes: tenant, connection, sourced id, uniform, record, contributors.
pub(super) fn relink_entity(table: &Table) -> Sql {
    Sql(format!(
        "update {} set _uniform = ?4, _record = ?5, _contributors = ?6 \
         where _tenant = ?1 and _connection = ?2 and _sourced_id = ?3",
        quoted(&table.name)
    ))
}

/// Marks an entity as deleted: tenant, connection, sourced id, modified, sequence.
pub(super) fn retire_entity(table: &Table) -> Sql {
    Sql(format!(
        "update {} set _active = 0, _uniform = 1, _record = null, _contributors = null, _modified = ?4, \
         _sequence = ?5 where _tenant = ?1 and _connection = ?2 and _sourced_id = ?3",
        quoted(&table.name)
    ))
}

/// An entity as planning needs it: tenant, sourced id.
pub(super) fn held_entity(dialect: &dyn Dialect, table: &Table) -> Sql {
    dialect.statement(format!(
        "select _digest, _active, _uniform, _record, _contributors from {} where _tenant = ?1 and _sourced_id = ?2",
        quoted(&table.name)
    ))
}

/// `?1, ?2, …`
fn parameters(numbers: impl IntoIterator<Item = usize>) -> String {
    let mut list = String::new();
    for number in numbers {
        let comma = if list.is_empty() { "" } else { ", " };
        push(&mut list, format_args!("{comma}?{number}"));
    }
    list
}

/// Appends the columns of `table` and their parameters, numbered from the one after `before`.
fn insert_columns(table: &Table, before: usize, columns: &mut String, values: &mut String) {
    for (number, column) in (before + 1..).zip(&table.columns) {
        push(columns, format_args!(", {}", quoted(&column.name)));
        push(values, format_args!(", ?{number}"));
    }
}

/// Appends `column = parameter` for the columns of `table`, numbered from the one after `before`.
fn update_columns(table: &Table, before: usize, sets: &mut String) {
    for (number, column) in (before + 1..).zip(&table.columns) {
        push(sets, format_args!(", {} = ?{number}", quoted(&column.name)));
    }
}

/// Appends to a text, which cannot fail.
fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    _ = text.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("user"), "\"user\"");
        assert_eq!(quoted("x\" drop table y; --"), "\"x\"\" drop table y; --\"");
    }
}
