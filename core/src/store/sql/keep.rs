//! The statements behind pruning and erasing in SQLite; and what both databases have for it.

use super::{Dialect, Sql, push, quoted};
use crate::table::{ColumnForm, Table, table_name};

/// The index by which old tombstones are found: entities that are there pay nothing for it.
pub(in crate::store) fn tombstone_index(dialect: &dyn Dialect, table: &Table) -> (String, Sql) {
    let name = table_name(&["gone", &table.name]);
    let (index, table, no) = (quoted(&name), quoted(&table.name), dialect.boolean(false));
    let create =
        format!("create index if not exists {index} on {table} (_tenant, _connection, _modified) where _active = {no}");
    (name, dialect.statement(create))
}

/// The places of entities that have been gone for long, the oldest first: tenant, connection, before when, how many.
pub(in crate::store) fn old_tombstones(table: &Table) -> Sql {
    Sql(format!(
        "select _sequence from {} where _active = 0 and _tenant = ?1 and _connection = ?2 and _modified < ?3 \
         order by _modified limit ?4",
        quoted(&table.name)
    ))
}

/// Deletes the entity at a place of the feed.
pub(in crate::store) fn delete_entity_at(table: &Table) -> Sql {
    Sql(format!("delete from {} where _sequence = ?1", quoted(&table.name)))
}

/// The ids of all entities of a connection: tenant, connection.
pub(in crate::store) fn entity_ids(table: &Table) -> Sql {
    Sql(format!("select _sourced_id from {} where _tenant = ?1 and _connection = ?2", quoted(&table.name)))
}

/// The ancestors of a record: connection, id.
pub(in crate::store) fn ancestors(table: &Table) -> Sql {
    Sql(format!("select _ancestors from {} where _connection = ?1 and _id = ?2", quoted(&table.name)))
}

/// Blanks the entity with an id, and those that refer to it, as far as they are gone: tenant, connection, the id, and the
/// id as a pattern of text.
pub(in crate::store) fn blank_entities(table: &Table) -> Sql {
    let mut sets = "_source_id = '', _digest = zeroblob(32)".to_owned();
    let mut speaks = "_sourced_id = ?3".to_owned();
    for column in &table.columns {
        let name = quoted(&column.name);
        push(&mut sets, format_args!(", {name} = null"));
        match column.form {
            ColumnForm::Id => push(&mut speaks, format_args!(" or {name} = ?3")),
            ColumnForm::Json => push(&mut speaks, format_args!(" or instr({name}, ?4) > 0")),
            _ => {}
        }
    }
    Sql(format!(
        "update {} set {sets} where _tenant = ?1 and _connection = ?2 and _active = 0 and _source_id <> '' \
         and ({speaks})",
        quoted(&table.name)
    ))
}
