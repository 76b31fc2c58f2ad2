//! What databases say differently: types, parameters, and what formulas need beyond what all databases say alike.
//!
//! Statements are put together with `?1`, `?2` for parameters; [`Dialect::statement`] writes them as its database does.
//! Operands are SQL, and so is what is made of them.
//!
//! To add a database: one more [`Dialect`].

mod postgres;
mod sqlite;

use std::fmt::Debug;

pub(in crate::store) use self::postgres::Postgres;
pub(in crate::store) use self::sqlite::Sqlite;
use super::parts::Bound;
use super::{Holds, OwnForm, Sql};
use crate::description::formula::Contents;
use crate::table::{ColumnForm, Table};

/// The number of the connection, which is bound first wherever records of one connection are asked for.
pub(super) const CONNECTION: &str = "?1";

/// The number of its tenant, which is bound second where the database wants it.
pub(super) const TENANT: &str = "?2";

/// How a database says it.
pub(in crate::store) trait Dialect: Debug + Send + Sync {
    /// A statement, with its parameters as the database writes them.
    fn statement(&self, text: String) -> Sql;

    /// How a statement names a value that is bound to its nth parameter.
    fn parameter(&self, nth: usize, value: &Bound) -> String;

    /// What holds for the rows that a connection has in a table of records, [`CONNECTION`] and [`TENANT`] being bound.
    fn of_connection(&self, row: &str) -> String;

    /// The columns that say whose a record is, as they lead every key.
    fn whose(&self) -> &'static [&'static str];

    /// What holds for the records `r` of the connection that is named: the tenant's name, then its own.
    fn of_named_connection(&self) -> &'static str;

    /// The parameter after those that [`Dialect::of_connection`] speaks of.
    fn next(&self) -> &'static str;

    /// What holds for the entities of a tenant, such that they are read in the order of the feed.
    fn feed_of(&self, tenant: &str) -> String;

    /// What holds for the row `w` of `waiting` that is about the record `r`.
    fn waits(&self) -> &'static str;

    /// What something is of the rows `r` that `matching` comes to, in an order, as far as `part` goes: limit and offset.
    fn page(&self, something: &str, matching: &str, order: &str, part: &str) -> String;

    /// The type of a column that follows from a schema.
    fn column_type(&self, form: ColumnForm) -> &'static str;

    /// The type of one of the store's own columns.
    fn own_type(&self, form: OwnForm) -> &'static str;

    /// The keys of a table, as they are declared with it.
    fn keys(&self, holds: Holds) -> &'static str;

    /// What ends a statement that creates a table.
    fn table_options(&self) -> &'static str;

    /// What makes a table of the items of a list, fills it and keeps it as the records are: of this name, for the column
    /// of this name of a table.
    fn create_items(&self, items: &str, table: &Table, column: &str) -> String;

    /// What drops such a table.
    fn drop_items(&self, items: &str, table: &str) -> String;

    /// Whether the items' table has a value like this, if a list does.
    fn keeps_item(&self, value: &serde_json::Value) -> bool;

    /// That it is one of the integers of a list that is bound.
    fn among_integers(&self, integer: &str, list: &str) -> String;

    /// That it is one of the values of a JSON list that is bound, all of which a column of this form may hold.
    fn among_list(&self, value: &str, form: ColumnForm, list: &str) -> String;

    /// That nested JSON has one of the values of a JSON list that is bound among its items, or is one of them.
    fn holds_any(&self, json: &str, list: &str) -> String;

    /// A column that follows from a schema, such that it can be read: JSON as text.
    fn shown(&self, column: &str, form: ColumnForm) -> String;

    /// JSON that was computed, such that it can be read.
    fn shown_json(&self, json: &str) -> String;

    /// What is true, or what is false.
    fn boolean(&self, boolean: bool) -> &'static str;

    /// An id, spelled as readers know it.
    fn id_text(&self, id: &str) -> String;

    /// Whether a text fits a pattern of `like`, whatever the case of ASCII letters.
    fn like(&self, text: &str, pattern: &str) -> String;

    /// A text, such that it is compared by code point.
    fn by_code_point(&self, text: &str) -> String;

    /// Whether two values are the same, `null` and `null` too: true or false, never null.
    fn same(&self, one: &str, other: &str) -> String;

    /// Whether they are not.
    fn different(&self, one: &str, other: &str) -> String;

    /// A condition of which the database's planner is told that it holds for few.
    fn seldom(&self, condition: &str) -> String;

    /// A condition of which the database's planner is told that it holds for many.
    fn often(&self, condition: &str) -> String;

    /// The number that a text spells.
    fn number(&self, text: &str) -> String;

    /// The integer that a text spells, without what follows its point.
    fn whole(&self, text: &str) -> String;

    /// A number or an integer, spelled as text.
    fn spelled(&self, number: &str) -> String;

    /// One number more than the other.
    fn sum(&self, one: &str, other: &str, form: ColumnForm) -> String;

    /// The number with the other sign.
    fn negated(&self, number: &str, form: ColumnForm) -> String;

    /// The sum of an integer in all rows, 0 where there is none; never an error.
    fn total(&self, integer: &str) -> String;

    /// Whether a text is digits, with a `-` before them and one point among them if need be.
    fn is_decimal(&self, text: &str) -> String;

    /// The number that such a text is; null for others.
    fn decimal(&self, text: &str) -> String;

    /// How many characters a text has.
    fn length(&self, text: &str) -> String;

    /// Whether a text fits a pattern of `*` and `?`.
    fn glob(&self, pattern: &str, text: &str) -> String;

    /// Whether a text, its ASCII letters lower case, holds another.
    fn holds(&self, text: &str, part: &str) -> String;

    /// A scalar as JSON.
    fn json(&self, scalar: &str, form: ColumnForm) -> String;

    /// A number, as it is stored, as JSON.
    fn number_json(&self, stored: &str) -> String;

    /// JSON of what is absent.
    fn null_json(&self) -> &'static str;

    /// What stands inside JSON at a member.
    fn member(&self, json: &str, name: &str) -> String;

    /// What stands inside JSON at an item.
    fn nth(&self, json: &str, nth: &str) -> String;

    /// The scalar of this form that JSON is. What may be of any type ([`ColumnForm::Json`]) is *open*.
    fn scalar(&self, json: &str, form: ColumnForm) -> String;

    /// A value, as it is bound to be compared to something open.
    fn open(&self, value: &serde_json::Value) -> Bound;

    /// A scalar, as it is compared to something open.
    fn opened(&self, scalar: &str, form: ColumnForm) -> String;

    /// The boolean that something open is.
    fn open_boolean(&self, open: &str) -> String;

    /// JSON of an object with these members, names and JSON; those that are null are left out.
    fn object(&self, members: &[(String, String)]) -> String;

    /// A table, called `alias`, of what JSON contains.
    fn contents(&self, json: &str, alias: &str, contents: Contents) -> String;

    /// A table, called `alias`, of the items of a list, or of that alone which is no list.
    fn items(&self, json: &str, alias: &str) -> String;

    /// In such a table: the scalar of this form that an item is.
    fn item(&self, alias: &str, form: ColumnForm) -> String;

    /// In such a table: the scalar of this form that an item is, null where it is of another.
    fn item_of(&self, alias: &str, form: ColumnForm) -> String;

    /// In such a table: whether an item is the same as a scalar; null where that is null and the item is not.
    fn is_item(&self, alias: &str, scalar: &str, form: ColumnForm) -> String;

    /// In such a table: the list or object that an item is, as JSON; null where it is neither.
    fn nested_item(&self, alias: &str) -> String;

    /// In such a table: what a member that has this name holds; null where the item is no object.
    fn item_member(&self, alias: &str, name: &str) -> String;

    /// In such a table: the name of a member.
    fn name(&self, alias: &str) -> String;

    /// In such a table: its order.
    fn order(&self, alias: &str) -> String;

    /// How many items or members JSON has; null where it is null.
    fn size(&self, json: &str, contents: Contents) -> String;
}
