//! Turns a list in records into a table of its items, by which records are found that hold one of them: what an index is
//! for scalars. Triggers keep it as the records are, whoever writes these.

use super::{Sql, quoted};
use crate::table::{ColumnForm, Table, table_name};

/// The items of a list, with the records that hold them: `_connection`, `_item`, `_id`.
pub(in crate::store) struct Items {
    /// What their table is called.
    pub(in crate::store) name: String,
    /// What makes it and fills it with what is there, and makes its triggers.
    pub(in crate::store) create: Sql,
}

/// Ends the name of the trigger for records that are added; the rest is the name of the items' table.
const ADDED: &str = "_added";
const REMOVED: &str = "_removed";
const CHANGED: &str = "_changed";

/// The items of the list that records say in `member`; `None` where that is no list.
pub(in crate::store) fn items(table: &Table, member: &str) -> Option<Items> {
    let column = table.columns.iter().find(|column| column.property == member && column.form == ColumnForm::Json)?;
    let name = table_name(&["items", &table.name, member]);
    let (items, table, column) = (quoted(&name), quoted(&table.name), quoted(&column.name));
    let trigger = |ending: &str| quoted(&format!("{name}{ending}"));
    let (added, removed, changed) = (trigger(ADDED), trigger(REMOVED), trigger(CHANGED));
    let fill = |row: &str, from: &str| {
        format!(
            "insert or ignore into {items} select {row}._connection, i.value, {row}._id from {from}json_each({row}.{column}) i \
             where i.type not in ('null', 'array', 'object')"
        )
    };
    let empty = format!(
        "delete from {items} where _connection = old._connection and _id = old._id \
         and _item in (select i.value from json_each(old.{column}) i)"
    );
    let create = format!(
        "create table {items} (_connection integer not null, _item any not null, _id integer not null, \
         primary key (_connection, _item, _id)) strict, without rowid; \
         {}; \
         create trigger {added} after insert on {table} when new.{column} is not null begin {new}; end; \
         create trigger {removed} after delete on {table} when old.{column} is not null begin {empty}; end; \
         create trigger {changed} after update of {column} on {table} when old.{column} is not new.{column} \
         begin {empty}; {new}; end;",
        fill("r", &format!("{table} r, ")),
        new = fill("new", ""),
    );
    Some(Items { name, create: Sql(create) })
}

/// The name of the items' table, if this is the name of the trigger that adds to one.
pub(in crate::store) fn items_of(trigger: &str) -> Option<&str> {
    trigger.strip_suffix(ADDED)
}

/// Drops the items' table of this name, and its triggers.
pub(in crate::store) fn drop_items(name: &str) -> Sql {
    let triggers =
        [ADDED, REMOVED, CHANGED].map(|ending| format!("drop trigger {}; ", quoted(&format!("{name}{ending}"))));
    Sql(format!("{}drop table {}", triggers.concat(), quoted(name)))
}
