//! Turns a list in records into a table of its items, by which records are found that hold one of them: what an index is
//! for scalars. Triggers keep it as the records are, whoever writes these.

use super::{Dialect, Sql};
use crate::table::{Column, ColumnForm, Table, table_name};

/// The items of a list, with the records that hold them: whose, `_item`, `_id`.
pub(in crate::store) struct Items<'t> {
    /// What their table is called.
    pub(in crate::store) name: String,
    table: &'t Table,
    column: &'t Column,
}

/// How the names of what keeps a table of items end; the rest is the name of that table.
pub(super) mod trigger {
    /// Of the trigger for records that are added.
    pub(super) const ADDED: &str = "_added";
    const REMOVED: &str = "_removed";
    const CHANGED: &str = "_changed";
    /// Of all triggers.
    pub(in super::super) const ALL: [&str; 3] = [ADDED, REMOVED, CHANGED];
    /// Of what the triggers run, where that has a name of its own.
    pub(in super::super) const KEEP: &str = "_keep";
}

/// The items of the list that records say in `member`; `None` where that is no list.
pub(in crate::store) fn items<'t>(table: &'t Table, member: &str) -> Option<Items<'t>> {
    let column = table.columns.iter().find(|column| column.property == member && column.form == ColumnForm::Json)?;
    Some(Items { name: table_name(&["items", &table.name, member]), table, column })
}

impl Items<'_> {
    /// What makes their table and fills it with what is there, and makes its triggers.
    pub(in crate::store) fn create(&self, dialect: &dyn Dialect) -> Sql {
        dialect.statement(dialect.create_items(&self.name, self.table, &self.column.name))
    }
}

/// The name of the items' table, if this is the name of the trigger that adds to one.
pub(in crate::store) fn items_of(trigger: &str) -> Option<&str> {
    trigger.strip_suffix(trigger::ADDED)
}

/// Drops the table of this name, which holds items of a table of records, and its triggers.
pub(in crate::store) fn drop_items(dialect: &dyn Dialect, items: &str, table: &str) -> Sql {
    dialect.statement(dialect.drop_items(items, table))
}
