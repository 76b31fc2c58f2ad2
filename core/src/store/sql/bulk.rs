//! The statements of PostgreSQL that read and write many rows at once: a list of keys, or an array per column.
//!
//! The number of the tenant and that of the connection are bound first.

use super::{Dialect as _, Postgres, Sql, push, quoted};
use crate::table::{Column, ColumnForm, Table};

/// What holds for a record `r` of the connection.
const OF_CONNECTION: &str = "r._tenant = $1 and r._connection = $2";

/// A record `r` as planning needs it: id, key, digest, as of, whether it waits.
const HELD: &str = "r._id, r._key, r._digest, r._as_of, exists (select 1 from waiting w \
                    where w.tenant = r._tenant and w.connection = r._connection and w.record = r._id)";

/// All records of a connection: id, key, digest, as of.
pub(in crate::store) fn held_records(table: &Table) -> Sql {
    let name = quoted(&table.name);
    Sql(format!("select r._id, r._key, r._digest, r._as_of from {name} r where {OF_CONNECTION} order by r._id"))
}

/// The records with these keys: as they are above, and whether they wait.
pub(in crate::store) fn records_by_key(table: &Table) -> Sql {
    Sql(format!("select {HELD} from {} r where {OF_CONNECTION} and r._key = any($3)", quoted(&table.name)))
}

/// The records with these numbers, as they are above.
pub(in crate::store) fn records_by_id(table: &Table) -> Sql {
    Sql(format!("select {HELD} from {} r where {OF_CONNECTION} and r._id = any($3)", quoted(&table.name)))
}

/// What the records with these numbers say: the number, what the schema does not know, the columns.
pub(in crate::store) fn record_bodies(table: &Table) -> Sql {
    let columns = shown("r._id, r._unknown", &table.columns);
    Sql(format!("select {columns} from {} r where {OF_CONNECTION} and r._id = any($3)", quoted(&table.name)))
}

/// Some columns of all records of a connection: the number, then these.
pub(in crate::store) fn record_values<'c>(table: &Table, columns: impl IntoIterator<Item = &'c Column>) -> Sql {
    let columns = shown("r._id", columns);
    Sql(format!("select {columns} from {} r where {OF_CONNECTION} order by r._id", quoted(&table.name)))
}

/// The contributions of the records with these numbers, with the number.
pub(in crate::store) fn contributions(table: &Table) -> Sql {
    let name = quoted(&table.name);
    Sql(format!("select r._id, r._contributions from {name} r where {OF_CONNECTION} and r._id = any($3)"))
}

/// The entities of a tenant with these ids, as planning needs them. The tenant's number alone is bound before.
pub(in crate::store) fn held_entities(table: &Table) -> Sql {
    Sql(format!(
        "select _sourced_id, _digest, _active, _uniform, _record, _contributors from {} \
         where _tenant = $1 and _sourced_id = any($2)",
        quoted(&table.name)
    ))
}

/// The ancestors of the records with these numbers, with the number.
pub(in crate::store) fn ancestors(table: &Table) -> Sql {
    let name = quoted(&table.name);
    Sql(format!("select r._id, r._ancestors from {name} r where {OF_CONNECTION} and r._id = any($3)"))
}

/// The ids of all entities of a connection.
pub(in crate::store) fn entity_ids(table: &Table) -> Sql {
    Sql(format!("select r._sourced_id from {} r where {OF_CONNECTION}", quoted(&table.name)))
}

/// Deletes entities that have been gone for long, the oldest first (before when, how many); gives back their places.
pub(in crate::store) fn delete_tombstones(table: &Table) -> Sql {
    let name = quoted(&table.name);
    Sql(format!(
        "delete from {name} where _tenant = $1 and _sequence = any(select r._sequence from {name} r \
         where {OF_CONNECTION} and r._active = false and r._modified < $3 order by r._modified limit $4 \
         for update skip locked) returning _sequence"
    ))
}

/// Blanks the entities with these ids, and those that refer to one, as far as they are gone: the ids, and the same as
/// patterns of text.
pub(in crate::store) fn blank_entities(table: &Table) -> Sql {
    let mut sets = "_source_id = '', _digest = decode(repeat('00', 32), 'hex')".to_owned();
    // What no kind needs is bound nevertheless, and has to have a type.
    let mut speaks = "r._sourced_id = any($3::uuid[]) or cardinality($4::text[]) < 0".to_owned();
    for column in &table.columns {
        let name = quoted(&column.name);
        push(&mut sets, format_args!(", {name} = null"));
        match column.form {
            ColumnForm::Id => push(&mut speaks, format_args!(" or r.{name} = any($3)")),
            ColumnForm::Json => push(&mut speaks, format_args!(" or r.{name}::text like any($4)")),
            _ => {}
        }
    }
    Sql(format!(
        "update {} r set {sets} where {OF_CONNECTION} and not r._active and r._source_id <> '' and ({speaks})",
        quoted(&table.name)
    ))
}

/// Deletes the records with these numbers.
pub(in crate::store) fn remove_records(table: &Table) -> Sql {
    Sql(format!("delete from {} r where {OF_CONNECTION} and r._id = any($3)", quoted(&table.name)))
}

/// The store's own columns of a record, after the delivery, which is bound third.
const RECORD: Arrays = Arrays {
    bound: 3,
    own: &[
        ("_id", "bigint"),
        ("_key", "text"),
        ("_digest", "bytea"),
        ("_ancestors", "text"),
        ("_unknown", "text"),
        ("_contributions", "bytea"),
        ("_as_of", "bigint"),
    ],
};

/// Writes new records.
pub(in crate::store) fn insert_records(table: &Table) -> Sql {
    RECORD.insert(table, "_tenant, _connection, _delivery", "$1, $2, $3")
}

/// Takes new records, row by row, in the columns of [`insert_records`].
pub(in crate::store) fn copy_records(table: &Table) -> Sql {
    RECORD.copy(table, "_tenant, _connection, _delivery")
}

/// Writes records over what is there; keeps their contributions where there are no new ones.
pub(in crate::store) fn update_records(table: &Table) -> Sql {
    RECORD.update(
        table,
        "_delivery = coalesce($3, r._delivery), _key = u._key, _digest = u._digest, _ancestors = u._ancestors, \
         _unknown = u._unknown, _contributions = coalesce(u._contributions, r._contributions), _as_of = u._as_of",
        "r._tenant = $1 and r._connection = $2 and r._id = u._id",
    )
}

/// The store's own columns of an entity, after the time, which is bound third.
const ENTITY: Arrays = Arrays {
    bound: 3,
    own: &[
        ("_sourced_id", "uuid"),
        ("_uniform", "boolean"),
        ("_record", "bigint"),
        ("_contributors", "bytea"),
        ("_sequence", "bigint"),
        ("_source_id", "text"),
        ("_digest", "bytea"),
    ],
};

/// Writes new entities.
pub(in crate::store) fn insert_entities(table: &Table) -> Sql {
    ENTITY.insert(table, "_tenant, _connection, _modified, _active", "$1, $2, $3, true")
}

/// Takes new entities, row by row, in the columns of [`insert_entities`].
pub(in crate::store) fn copy_entities(table: &Table) -> Sql {
    ENTITY.copy(table, "_tenant, _connection, _modified, _active")
}

/// What holds for an entity `r` that one of the rows `u` is about.
const THE_ENTITY: &str = "r._tenant = $1 and r._connection = $2 and r._sourced_id = u._sourced_id";

/// Writes entities over what is there.
pub(in crate::store) fn update_entities(table: &Table) -> Sql {
    ENTITY.update(
        table,
        "_modified = $3, _source_id = u._source_id, _sequence = u._sequence, _digest = u._digest, \
         _uniform = u._uniform, _record = u._record, _contributors = u._contributors, _active = true",
        THE_ENTITY,
    )
}

/// Changes who contributes: ids, uniform, record, contributors.
pub(in crate::store) fn relink_entities(table: &Table) -> Sql {
    Sql(format!(
        "update {} r set _uniform = u._uniform, _record = u._record, _contributors = u._contributors \
         from unnest($3::uuid[], $4::boolean[], $5::bigint[], $6::bytea[]) \
         u (_sourced_id, _uniform, _record, _contributors) where {THE_ENTITY}",
        quoted(&table.name)
    ))
}

/// Marks entities as deleted: the time, ids, places in the feed.
pub(in crate::store) fn retire_entities(table: &Table) -> Sql {
    Sql(format!(
        "update {} r set _active = false, _uniform = true, _record = null, _contributors = null, _modified = $3, \
         _sequence = u._sequence from unnest($4::uuid[], $5::bigint[]) u (_sourced_id, _sequence) where {THE_ENTITY}",
        quoted(&table.name)
    ))
}

/// Rows that are bound as an array per column: the store's own, then those that follow from the schema.
struct Arrays {
    /// How many parameters are bound before.
    bound: usize,
    /// Name and type.
    own: &'static [(&'static str, &'static str)],
}

impl Arrays {
    fn insert(&self, table: &Table, columns: &str, values: &str) -> Sql {
        let (mut columns, mut values) = (columns.to_owned(), values.to_owned());
        for (name, _) in self.own {
            push(&mut columns, format_args!(", {name}"));
            push(&mut values, format_args!(", u.{name}"));
        }
        for column in &table.columns {
            push(&mut columns, format_args!(", {}", quoted(&column.name)));
            push(&mut values, format_args!(", {}", value(column)));
        }
        let rows = self.rows(table);
        Sql(format!("insert into {} ({columns}) select {values} from {rows}", quoted(&table.name)))
    }

    fn copy(&self, table: &Table, columns: &str) -> Sql {
        let mut columns = columns.to_owned();
        let names = self.own.iter().map(|(name, _)| (*name).to_owned());
        for name in names.chain(table.columns.iter().map(|column| quoted(&column.name))) {
            push(&mut columns, format_args!(", {name}"));
        }
        Sql(format!("copy {} ({columns}) from stdin (format binary)", quoted(&table.name)))
    }

    fn update(&self, table: &Table, sets: &str, condition: &str) -> Sql {
        let mut sets = sets.to_owned();
        for column in &table.columns {
            push(&mut sets, format_args!(", {} = {}", quoted(&column.name), value(column)));
        }
        let rows = self.rows(table);
        Sql(format!("update {} r set {sets} from {rows} where {condition}", quoted(&table.name)))
    }

    /// The rows, called `u`.
    fn rows(&self, table: &Table) -> String {
        let (mut arrays, mut names) = (String::new(), String::new());
        let own = self.own.iter().map(|(name, of)| ((*name).to_owned(), *of));
        let columns = table.columns.iter().map(|column| (quoted(&column.name), array_type(column.form)));
        for (nth, (name, of)) in (self.bound + 1..).zip(own.chain(columns)) {
            let comma = if names.is_empty() { "" } else { ", " };
            push(&mut arrays, format_args!("{comma}${nth}::{of}[]"));
            push(&mut names, format_args!("{comma}{name}"));
        }
        format!("unnest({arrays}) u ({names})")
    }
}

/// What arrays of the values of a column are made of.
fn array_type(form: ColumnForm) -> &'static str {
    match form {
        ColumnForm::Text | ColumnForm::Number | ColumnForm::Json => "text",
        ColumnForm::Integer => "bigint",
        ColumnForm::Boolean => "boolean",
        ColumnForm::Id => "uuid",
    }
}

/// The value for a column in a row `u`.
fn value(column: &Column) -> String {
    let name = quoted(&column.name);
    if column.form == ColumnForm::Json { format!("u.{name}::jsonb") } else { format!("u.{name}") }
}

/// `first` and then the columns of records `r`, such that they can be read.
fn shown<'c>(first: &str, columns: impl IntoIterator<Item = &'c Column>) -> String {
    let mut list = first.to_owned();
    for column in columns {
        let shown = Postgres.shown(&format!("r.{}", quoted(&column.name)), column.form);
        push(&mut list, format_args!(", {shown}"));
    }
    list
}
