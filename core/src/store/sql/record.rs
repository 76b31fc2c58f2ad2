//! The statements behind foreign records.

use super::{Dialect, Sql, insert_columns, parameters, push, quoted, update_columns};
use crate::table::{Column, Table};

/// Parameters of [`insert_record`] and [`update_record`] before those of the properties: connection, delivery, id, key,
/// digest, ancestors, unknown, contributions, as of.
pub(in crate::store) const RECORD_PARAMETERS: usize = 9;

/// Writes a new record.
pub(in crate::store) fn insert_record(table: &Table) -> Sql {
    let mut columns =
        "_connection, _delivery, _id, _key, _digest, _ancestors, _unknown, _contributions, _as_of".to_owned();
    let mut values = parameters(1..=RECORD_PARAMETERS);
    insert_columns(table, RECORD_PARAMETERS, &mut columns, &mut values);
    Sql(format!("insert into {} ({columns}) values ({values})", quoted(&table.name)))
}

/// Writes a record over what is there; keeps its contributions where there are no new ones.
pub(in crate::store) fn update_record(table: &Table) -> Sql {
    let mut sets = "_delivery = coalesce(?2, _delivery), _key = ?4, _digest = ?5, _ancestors = ?6, _unknown = ?7, \
                    _contributions = coalesce(?8, _contributions), _as_of = ?9"
        .to_owned();
    update_columns(table, RECORD_PARAMETERS, &mut sets);
    Sql(format!("update {} set {sets} where _connection = ?1 and _id = ?3", quoted(&table.name)))
}

/// Deletes a record: connection, id.
pub(in crate::store) fn remove_record(table: &Table) -> Sql {
    Sql(format!("delete from {} where _connection = ?1 and _id = ?2", quoted(&table.name)))
}

/// All records of a connection, as planning needs them.
pub(in crate::store) fn held_records(dialect: &dyn Dialect, table: &Table) -> Sql {
    let (name, of_connection) = (quoted(&table.name), dialect.of_connection("r"));
    dialect.statement(format!("select _id, _key, _digest, _as_of from {name} r where {of_connection} order by _id"))
}

/// A record as planning needs it, with whether it waits: connection, key.
pub(in crate::store) fn record_by_key(dialect: &dyn Dialect, table: &Table) -> Sql {
    one(dialect, &held(dialect), table, "_key")
}

/// Records as planning needs them, with whether they wait: connection, ids as a list.
pub(in crate::store) fn records_by_id(dialect: &dyn Dialect, table: &Table) -> Sql {
    let (name, of_connection) = (quoted(&table.name), dialect.of_connection("r"));
    let among = dialect.among_integers("r._id", dialect.next());
    dialect.statement(format!("select {} from {name} r where {of_connection} and {among}", held(dialect)))
}

/// The contributions of a record: connection, id.
pub(in crate::store) fn contributions(dialect: &dyn Dialect, table: &Table) -> Sql {
    one(dialect, "r._contributions", table, "_id")
}

/// What a record says (connection, id): what its schema does not know, then the columns.
pub(in crate::store) fn record_body(dialect: &dyn Dialect, table: &Table) -> Sql {
    one(dialect, &body(dialect, table), table, "_id")
}

/// Some columns of all records of a connection, by number: the number, then the columns.
pub(in crate::store) fn record_values<'a>(
    dialect: &dyn Dialect,
    table: &Table,
    columns: impl IntoIterator<Item = &'a Column>,
) -> Sql {
    let mut list = "r._id".to_owned();
    append(dialect, columns, &mut list);
    let (name, of_connection) = (quoted(&table.name), dialect.of_connection("r"));
    dialect.statement(format!("select {list} from {name} r where {of_connection} order by r._id"))
}

/// What records of a connection (tenant's name, connection's name, limit, offset) say, read like [`record_body`], then
/// `_key` and `_waits`; in the order in which they first arrived.
pub(in crate::store) fn records_page(dialect: &dyn Dialect, table: &Table, waiting: Option<bool>) -> Sql {
    let (columns, waits, matching) = (body(dialect, table), waits(dialect), matching(dialect, table, waiting));
    dialect.statement(format!(
        "select {columns}, r._key, {waits} as _waits from {matching} order by r._id limit ?3 offset ?4"
    ))
}

/// How many records of a connection there are (tenant's name, connection's name).
pub(in crate::store) fn records_count(dialect: &dyn Dialect, table: &Table, waiting: Option<bool>) -> Sql {
    dialect.statement(format!("select count(*) from {}", matching(dialect, table, waiting)))
}

/// A record `r` as planning needs it: id, key, digest, as of, whether it waits.
pub(super) fn held(dialect: &dyn Dialect) -> String {
    format!("r._id, r._key, r._digest, r._as_of, {}", waits(dialect))
}

/// Whether a record `r` waits.
fn waits(dialect: &dyn Dialect) -> String {
    format!("exists (select 1 from waiting w where {})", dialect.waits())
}

/// What a record `r` says: what its schema does not know, then the columns.
fn body(dialect: &dyn Dialect, table: &Table) -> String {
    let mut columns = "r._unknown".to_owned();
    append(dialect, &table.columns, &mut columns);
    columns
}

/// Something of the one record of a connection that has this value in a column.
fn one(dialect: &dyn Dialect, something: &str, table: &Table, column: &str) -> Sql {
    let (name, of_connection, value) = (quoted(&table.name), dialect.of_connection("r"), dialect.next());
    dialect.statement(format!("select {something} from {name} r where {of_connection} and r.{column} = {value}"))
}

/// The records of a connection: all, only those that wait, or only those that do not.
fn matching(dialect: &dyn Dialect, table: &Table, waiting: Option<bool>) -> String {
    let condition = match waiting {
        None => String::new(),
        Some(true) => format!(" and {}", waits(dialect)),
        Some(false) => format!(" and not {}", waits(dialect)),
    };
    format!("{} r where {}{condition}", quoted(&table.name), dialect.of_named_connection())
}

fn append<'a>(dialect: &dyn Dialect, columns: impl IntoIterator<Item = &'a Column>, list: &mut String) {
    for column in columns {
        let shown = dialect.shown(&format!("r.{}", quoted(&column.name)), column.form);
        push(list, format_args!(", {shown}"));
    }
}
