//! The statements behind foreign records.

use super::{Sql, insert_columns, parameters, push, quoted, update_columns};
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
    let mut sets = "_delivery = ?2, _key = ?4, _digest = ?5, _ancestors = ?6, _unknown = ?7, \
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
pub(in crate::store) fn held_records(table: &Table) -> Sql {
    Sql(format!("select _id, _key, _digest, _as_of from {} where _connection = ?1 order by _id", quoted(&table.name)))
}

/// A record as planning needs it, with whether it waits: connection, key.
pub(in crate::store) fn record_by_key(table: &Table) -> Sql {
    Sql(format!("select {HELD} from {} r where r._connection = ?1 and r._key = ?2", quoted(&table.name)))
}

/// Records as planning needs them, with whether they wait: connection, ids as a JSON list.
pub(in crate::store) fn records_by_id(table: &Table) -> Sql {
    let name = quoted(&table.name);
    Sql(format!("select {HELD} from {name} r where r._connection = ?1 and r._id in (select value from json_each(?2))"))
}

/// The contributions of a record: connection, id.
pub(in crate::store) fn contributions(table: &Table) -> Sql {
    Sql(format!("select _contributions from {} where _connection = ?1 and _id = ?2", quoted(&table.name)))
}

/// What a record says (connection, id): what its schema does not know, then the columns.
pub(in crate::store) fn record_body(table: &Table) -> Sql {
    let mut columns = "_unknown".to_owned();
    append(&table.columns, &mut columns);
    Sql(format!("select {columns} from {} where _connection = ?1 and _id = ?2", quoted(&table.name)))
}

/// Some columns of all records of a connection, by number: the number, then the columns.
pub(in crate::store) fn record_values<'a>(table: &Table, columns: impl IntoIterator<Item = &'a Column>) -> Sql {
    let mut list = "_id".to_owned();
    append(columns, &mut list);
    Sql(format!("select {list} from {} where _connection = ?1 order by _id", quoted(&table.name)))
}

/// What records of a connection (tenant's name, connection's name, limit, offset) say, read like [`record_body`], then
/// `_key` and `_waits`; in the order in which they first arrived.
pub(in crate::store) fn records_page(table: &Table, waiting: Option<bool>) -> Sql {
    let mut columns = "_unknown".to_owned();
    append(&table.columns, &mut columns);
    let matching = matching(table, waiting);
    Sql(format!("select {columns}, _key, {WAITS} as _waits from {matching} order by _id limit ?3 offset ?4"))
}

/// How many records of a connection there are (tenant's name, connection's name).
pub(in crate::store) fn records_count(table: &Table, waiting: Option<bool>) -> Sql {
    Sql(format!("select count(*) from {}", matching(table, waiting)))
}

/// A record `r` as planning needs it: id, key, digest, as of, whether it waits.
pub(super) const HELD: &str = "r._id, r._key, r._digest, r._as_of, exists (select 1 from waiting w \
                               where w.connection = r._connection and w.record = r._id)";

/// Whether a record `r` waits.
const WAITS: &str = "exists (select 1 from waiting w where w.connection = r._connection and w.record = r._id)";

/// The records of a connection: all, only those that wait, or only those that do not.
fn matching(table: &Table, waiting: Option<bool>) -> String {
    let condition = match waiting {
        None => String::new(),
        Some(true) => format!(" and {WAITS}"),
        Some(false) => format!(" and not {WAITS}"),
    };
    format!(
        "{} r where r._connection = (select c.id from connection c join tenant t on t.id = c.tenant \
         where t.name = ?1 and c.name = ?2){condition}",
        quoted(&table.name)
    )
}

fn append<'a>(columns: impl IntoIterator<Item = &'a Column>, list: &mut String) {
    for column in columns {
        push(list, format_args!(", {}", quoted(&column.name)));
    }
}
