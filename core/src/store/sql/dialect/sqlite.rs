//! SQLite's SQL: types are few and loose, JSON is text.

use serde_json::Value;

use super::{CONNECTION, Dialect};
use crate::description::formula::Contents;
use crate::store::sql::items::trigger;
use crate::store::sql::parts::Bound;
use crate::store::sql::{Holds, OwnForm, Sql, quoted};
use crate::table::{ColumnForm, Table};

/// SQLite's.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Sqlite;

impl Dialect for Sqlite {
    fn statement(&self, text: String) -> Sql {
        Sql(text)
    }

    fn parameter(&self, nth: usize, _: &Bound) -> String {
        format!("?{nth}")
    }

    fn of_connection(&self, row: &str) -> String {
        format!("{row}._connection = {CONNECTION}")
    }

    fn of_named_connection(&self) -> &'static str {
        "r._connection = (select c.id from connection c join tenant t on t.id = c.tenant \
         where t.name = ?1 and c.name = ?2)"
    }

    fn next(&self) -> &'static str {
        "?2"
    }

    /// The plus keeps SQLite from taking the index of ids, which would mean to sort all that the tenant has.
    fn feed_of(&self, tenant: &str) -> String {
        format!("+_tenant = {tenant}")
    }

    fn whose(&self) -> &'static [&'static str] {
        &["_connection"]
    }

    fn waits(&self) -> &'static str {
        "w.connection = r._connection and w.record = r._id"
    }

    fn page(&self, something: &str, matching: &str, order: &str, part: &str) -> String {
        format!("select {something} from {matching} order by {order} {part}")
    }

    fn column_type(&self, form: ColumnForm) -> &'static str {
        match form {
            ColumnForm::Text | ColumnForm::Number | ColumnForm::Json => "text",
            ColumnForm::Integer | ColumnForm::Boolean => "integer",
            ColumnForm::Id => "blob",
        }
    }

    fn own_type(&self, form: OwnForm) -> &'static str {
        match form {
            // Rows lie in this order.
            OwnForm::Place => "integer primary key",
            OwnForm::Integer | OwnForm::Boolean => "integer",
            OwnForm::Text => "text",
            OwnForm::Bytes | OwnForm::Id => "blob",
        }
    }

    fn keys(&self, holds: Holds) -> &'static str {
        match holds {
            Holds::Entities => "unique (_tenant, _sourced_id)",
            Holds::Records => "primary key (_connection, _id), unique (_connection, _key)",
        }
    }

    fn table_options(&self) -> &'static str {
        " strict"
    }

    fn create_items(&self, items: &str, table: &Table, column: &str) -> String {
        let [added, removed, changed] = trigger::ALL.map(|ending| quoted(&format!("{items}{ending}")));
        let (items, table, column) = (quoted(items), quoted(&table.name), quoted(column));
        let fill = |row: &str, from: &str| {
            format!(
                "insert or ignore into {items} select {row}._connection, i.value, {row}._id \
                 from {from}json_each({row}.{column}) i where i.type not in ('null', 'array', 'object')"
            )
        };
        let empty = format!(
            "delete from {items} where _connection = old._connection and _id = old._id \
             and _item in (select i.value from json_each(old.{column}) i)"
        );
        format!(
            "create table {items} (_connection integer not null, _item any not null, _id integer not null, \
             primary key (_connection, _item, _id)) strict, without rowid; \
             {}; \
             create trigger {added} after insert on {table} when new.{column} is not null begin {new}; end; \
             create trigger {removed} after delete on {table} when old.{column} is not null begin {empty}; end; \
             create trigger {changed} after update of {column} on {table} when old.{column} is not new.{column} \
             begin {empty}; {new}; end;",
            fill("r", &format!("{table} r, ")),
            new = fill("new", ""),
        )
    }

    fn drop_items(&self, items: &str, _: &str) -> String {
        let triggers = trigger::ALL.map(|ending| format!("drop trigger {}; ", quoted(&format!("{items}{ending}"))));
        format!("{}drop table {}", triggers.concat(), quoted(items))
    }

    fn keeps_item(&self, value: &Value) -> bool {
        !value.is_null()
    }

    fn among_integers(&self, integer: &str, list: &str) -> String {
        format!("{integer} in (select value from json_each({list}))")
    }

    fn among_list(&self, value: &str, _: ColumnForm, list: &str) -> String {
        format!("{value} in (select value from json_each({list}))")
    }

    fn holds_any(&self, json: &str, list: &str) -> String {
        format!(
            "exists (select 1 from json_each(case json_type({json}) when 'object' then null else {json} end) i \
             join json_each({list}) v on i.atom = v.atom and replace(i.type, 'real', 'integer') = \
             replace(v.type, 'real', 'integer'))"
        )
    }

    fn shown(&self, column: &str, _: ColumnForm) -> String {
        column.to_owned()
    }

    fn shown_json(&self, json: &str) -> String {
        json.to_owned()
    }

    fn boolean(&self, boolean: bool) -> &'static str {
        if boolean { "1" } else { "0" }
    }

    fn id_text(&self, id: &str) -> String {
        let part = |from, length| format!("substr(hex({id}), {from}, {length})");
        let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)];
        format!("lower({})", parts.join(" || '-' || "))
    }

    fn like(&self, text: &str, pattern: &str) -> String {
        format!("{text} like {pattern} escape '\\'")
    }

    fn by_code_point(&self, text: &str) -> String {
        text.to_owned()
    }

    fn same(&self, one: &str, other: &str) -> String {
        format!("{one} is {other}")
    }

    fn different(&self, one: &str, other: &str) -> String {
        format!("{one} is not {other}")
    }

    fn seldom(&self, condition: &str) -> String {
        format!("unlikely({condition})")
    }

    fn often(&self, condition: &str) -> String {
        format!("likely({condition})")
    }

    fn number(&self, text: &str) -> String {
        format!("cast({text} as numeric)")
    }

    fn whole(&self, text: &str) -> String {
        format!("cast({text} as integer)")
    }

    fn spelled(&self, number: &str) -> String {
        format!("cast({number} as text)")
    }

    fn sum(&self, one: &str, other: &str, _: ColumnForm) -> String {
        format!("({one} + {other})")
    }

    fn negated(&self, number: &str, _: ColumnForm) -> String {
        format!("(-{number})")
    }

    fn total(&self, integer: &str) -> String {
        format!("cast(total({integer}) as integer)")
    }

    fn is_decimal(&self, text: &str) -> String {
        format!(
            "(({text} glob '[0-9]*' or {text} glob '-[0-9]*') and substr({text}, 2) not glob '*[^0-9.]*' \
             and {text} not glob '*.*.*')"
        )
    }

    fn decimal(&self, text: &str) -> String {
        format!("case when {} then cast({text} as double precision) end", self.is_decimal(text))
    }

    fn length(&self, text: &str) -> String {
        format!("length({text})")
    }

    fn glob(&self, pattern: &str, text: &str) -> String {
        // A bracket means a set of characters there; in a set of its own it means itself.
        format!("{text} glob replace({pattern}, '[', '[[]')")
    }

    fn holds(&self, text: &str, part: &str) -> String {
        format!("instr(lower({text}), {part}) > 0")
    }

    fn json(&self, scalar: &str, form: ColumnForm) -> String {
        match form {
            ColumnForm::Json => scalar.to_owned(),
            ColumnForm::Boolean => format!("case {scalar} when 1 then 'true' when 0 then 'false' end"),
            ColumnForm::Integer | ColumnForm::Number => self.spelled(scalar),
            ColumnForm::Text | ColumnForm::Id => {
                format!("case when {scalar} is not null then json_quote({scalar}) end")
            }
        }
    }

    fn number_json(&self, stored: &str) -> String {
        stored.to_owned()
    }

    fn null_json(&self) -> &'static str {
        "null"
    }

    fn member(&self, json: &str, name: &str) -> String {
        format!("({json} -> {name})")
    }

    fn nth(&self, json: &str, nth: &str) -> String {
        format!("({json} -> {nth})")
    }

    fn scalar(&self, json: &str, _: ColumnForm) -> String {
        format!("({json} ->> '$')")
    }

    fn open(&self, value: &Value) -> Bound {
        Bound::scalar(value)
    }

    fn opened(&self, scalar: &str, _: ColumnForm) -> String {
        scalar.to_owned()
    }

    fn open_boolean(&self, open: &str) -> String {
        open.to_owned()
    }

    fn object(&self, members: &[(String, String)]) -> String {
        let members: Vec<_> = members.iter().map(|(name, json)| format!("{name}, json({json})")).collect();
        // A patch with null removes the member.
        format!("json_patch('{{}}', json_object({}))", members.join(", "))
    }

    fn contents(&self, json: &str, alias: &str, _: Contents) -> String {
        format!("json_each({json}) {alias}")
    }

    fn items(&self, json: &str, alias: &str) -> String {
        format!("json_each(case json_type({json}) when 'array' then {json} else json_array(json({json})) end) {alias}")
    }

    fn item(&self, alias: &str, _: ColumnForm) -> String {
        format!("{alias}.value")
    }

    fn item_of(&self, alias: &str, form: ColumnForm) -> String {
        match form {
            ColumnForm::Integer | ColumnForm::Number => {
                format!("case when {alias}.type in ('integer', 'real') then {alias}.value end")
            }
            ColumnForm::Boolean => format!("case when {alias}.type in ('true', 'false') then {alias}.value end"),
            ColumnForm::Text | ColumnForm::Id | ColumnForm::Json => {
                format!("case {alias}.type when 'text' then {alias}.value end")
            }
        }
    }

    fn is_item(&self, alias: &str, scalar: &str, _: ColumnForm) -> String {
        self.same(&format!("{alias}.value"), scalar)
    }

    fn nested_item(&self, alias: &str) -> String {
        format!("case when {alias}.type in ('object', 'array') then {alias}.value end")
    }

    fn item_member(&self, alias: &str, name: &str) -> String {
        format!("case {alias}.type when 'object' then {alias}.value -> {name} end")
    }

    fn name(&self, alias: &str) -> String {
        format!("{alias}.key")
    }

    fn order(&self, alias: &str) -> String {
        format!("{alias}.id")
    }

    fn size(&self, json: &str, contents: Contents) -> String {
        match contents {
            Contents::Items => format!("json_array_length({json})"),
            Contents::Members => {
                format!("case when {json} is not null then (select count(*) from json_each({json})) end")
            }
        }
    }
}
