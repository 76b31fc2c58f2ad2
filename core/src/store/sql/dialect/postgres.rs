//! PostgreSQL's SQL: every value has a type, JSON is `jsonb`, a number is of double precision, as everywhere else.
//!
//! No value that is stored may make a statement fail, for then one record would stand in the way of all: what cannot be
//! computed is null. So a cast stands in a `case` that lets nothing else through, and integers are computed as
//! `numeric` and are integers again where they fit.

use serde_json::Value;

use super::{CONNECTION, Dialect, TENANT};
use crate::description::formula::Contents;
use crate::store::sql::items::trigger;
use crate::store::sql::parts::Bound;
use crate::store::sql::{Holds, OwnForm, Sql, quoted};
use crate::table::{ColumnForm, Table};

/// PostgreSQL's, 15 and later.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Postgres;

/// Bytes of an item, as JSON, up to which it is kept in a table of items: an entry of an index has room for some 2,700.
const ITEM_BYTES_MAX: usize = 1000;

/// What a number is spelled like that has room where numbers are computed with.
const NUMBER: &str = "^-?[0-9]+(\\.[0-9]+)?([eE][-+]{0,1}0*(1[0-9]{2}|[0-9]{1,2}))?$";

/// Characters of such a number.
const NUMBER_CHARACTERS_MAX: usize = 100;

/// What a decimal is spelled like.
const DECIMAL: &str = "^-?[0-9]+\\.?[0-9]*$";

/// Characters of a number without an exponent that has room where numbers are computed with.
const DECIMAL_CHARACTERS_MAX: usize = 300;

/// SQL that speaks of a value several times, and computes it once: a planner copies whatever is not held together.
fn once(value: &str, sql: impl FnOnce(&str) -> String) -> String {
    let is_simple = |letter: char| letter.is_ascii_alphanumeric() || "_.\"?".contains(letter);
    if value.chars().all(is_simple) {
        return sql(value);
    }
    format!("(select {} from (select {value} as o offset 0) o)", sql("o.o"))
}

/// The number of a type that a text of this pattern spells, if it is not too long; null for others.
fn number(text: &str, pattern: &str, characters_max: usize, of: &str) -> String {
    once(text, |text| {
        format!("case when {text} ~ '{pattern}' and length({text}) <= {characters_max} then {text}::{of} end")
    })
}

/// The number that JSON is; null where it is none.
fn json_number(json: &str) -> String {
    once(json, |json| {
        let number = number(&format!("({json} #>> '{{}}')"), DECIMAL, DECIMAL_CHARACTERS_MAX, DOUBLE);
        format!("case jsonb_typeof({json}) when 'number' then {number} end")
    })
}

/// The type of numbers that may be no integers.
const DOUBLE: &str = "double precision";

/// The integer that SQL of a number comes to; null where it is none, or is too large.
fn integer(number: &str) -> String {
    format!(
        "(select n::bigint from (select {number} as n offset 0) v where n between {} and {} and n = trunc(n))",
        i64::MIN,
        i64::MAX
    )
}

impl Dialect for Postgres {
    /// Nothing but a parameter has a question mark with a digit behind it: names have none, see
    /// [`crate::table::identifier`], and the patterns here do without.
    fn statement(&self, text: String) -> Sql {
        let mut statement = String::with_capacity(text.len());
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let is_parameter = letter == '?' && letters.peek().is_some_and(char::is_ascii_digit);
            statement.push(if is_parameter { '$' } else { letter });
        }
        Sql(statement)
    }

    fn parameter(&self, nth: usize, value: &Bound) -> String {
        match value {
            Bound::Real(_) => format!("?{nth}::{DOUBLE}"),
            Bound::Json(_) => format!("?{nth}::jsonb"),
            Bound::Text(_) | Bound::Integer(_) | Bound::Boolean(_) | Bound::Id(_) => format!("?{nth}"),
        }
    }

    fn of_connection(&self, row: &str) -> String {
        format!("{row}._tenant = {TENANT} and {row}._connection = {CONNECTION}")
    }

    fn of_named_connection(&self) -> &'static str {
        "r._tenant = (select id from tenant where name = ?1) and r._connection = (select c.id from connection c \
         join tenant t on t.id = c.tenant where t.name = ?1 and c.name = ?2)"
    }

    fn next(&self) -> &'static str {
        "?3"
    }

    fn feed_of(&self, tenant: &str) -> String {
        format!("_tenant = {tenant}")
    }

    fn whose(&self) -> &'static [&'static str] {
        &["_tenant", "_connection"]
    }

    fn waits(&self) -> &'static str {
        "w.tenant = r._tenant and w.connection = r._connection and w.record = r._id"
    }

    /// The rows are chosen first, and what is computed of them afterwards: else the planner takes that into account for
    /// all that match, and how they are found does not matter to it beside that.
    fn page(&self, something: &str, matching: &str, order: &str, part: &str) -> String {
        format!("select {something} from (select r.* from {matching} order by {order} {part}) r order by {order}")
    }

    fn column_type(&self, form: ColumnForm) -> &'static str {
        match form {
            ColumnForm::Text | ColumnForm::Number => "text collate \"C\"",
            ColumnForm::Integer => "bigint",
            ColumnForm::Boolean => "boolean",
            ColumnForm::Id => "uuid",
            ColumnForm::Json => "jsonb",
        }
    }

    fn own_type(&self, form: OwnForm) -> &'static str {
        match form {
            OwnForm::Place => "bigint not null",
            OwnForm::Integer => "bigint",
            OwnForm::Boolean => "boolean",
            OwnForm::Text => "text collate \"C\"",
            OwnForm::Bytes => "bytea",
            OwnForm::Id => "uuid",
        }
    }

    fn keys(&self, holds: Holds) -> &'static str {
        match holds {
            // The second is the tenant's part of the feed.
            Holds::Entities => "primary key (_tenant, _sourced_id), unique (_tenant, _sequence)",
            Holds::Records => "primary key (_tenant, _connection, _id), unique (_tenant, _connection, _key)",
        }
    }

    fn table_options(&self) -> &'static str {
        ""
    }

    /// The triggers run once per statement and see all rows that it changed.
    fn create_items(&self, items: &str, table: &Table, column: &str) -> String {
        let [added, removed, changed] = trigger::ALL.map(|ending| quoted(&format!("{items}{ending}")));
        let keep = quoted(&format!("{items}{}", trigger::KEEP));
        let (items, table, column) = (quoted(items), quoted(&table.name), quoted(column));
        let rows = |json: &str| format!("jsonb_array_elements(case jsonb_typeof({json}) when 'array' then {json} end)");
        let fill = |from: &str, condition: &str| {
            format!(
                "insert into {items} select r._tenant, r._connection, i.value, r._id from {from}, {} i(value) \
                 where jsonb_typeof(i.value) in ('string', 'number', 'boolean') \
                 and octet_length(i.value::text) <= {ITEM_BYTES_MAX}{condition} on conflict do nothing",
                rows(&format!("r.{column}"))
            )
        };
        let empty = |from: &str, condition: &str| {
            format!(
                "delete from {items} t using {from}, {} i(value) where t._tenant = r._tenant \
                 and t._connection = r._connection and t._item = i.value and t._id = r._id{condition}",
                rows(&format!("r.{column}"))
            )
        };
        let pair = |one: &str, other: &str| {
            format!(
                "{one} r join {other} o on o._tenant = r._tenant and o._connection = r._connection and o._id = r._id"
            )
        };
        let differs = format!(" and o.{column} is distinct from r.{column}");
        format!(
            "create table {items} (_tenant bigint not null, _connection bigint not null, _item jsonb not null, \
             _id bigint not null, primary key (_tenant, _connection, _item, _id)); \
             {}; \
             create function {keep}() returns trigger language plpgsql as $$ begin \
             if tg_op = 'INSERT' then {}; elsif tg_op = 'DELETE' then {}; else {}; {}; end if; return null; end $$; \
             create trigger {added} after insert on {table} referencing new table as added for each statement \
             execute function {keep}(); \
             create trigger {removed} after delete on {table} referencing old table as removed for each statement \
             execute function {keep}(); \
             create trigger {changed} after update on {table} referencing old table as removed new table as added \
             for each statement execute function {keep}();",
            fill(&format!("{table} r"), ""),
            fill("added r", ""),
            empty("removed r", ""),
            empty(&pair("removed", "added"), &differs),
            fill(&pair("added", "removed"), &differs),
        )
    }

    fn drop_items(&self, items: &str, table: &str) -> String {
        let triggers = trigger::ALL
            .map(|ending| format!("drop trigger {} on {}; ", quoted(&format!("{items}{ending}")), quoted(table)));
        let keep = quoted(&format!("{items}{}", trigger::KEEP));
        format!("{}drop function {keep}(); drop table {}", triggers.concat(), quoted(items))
    }

    fn keeps_item(&self, value: &Value) -> bool {
        !value.is_null() && value.to_string().len() <= ITEM_BYTES_MAX
    }

    fn among_integers(&self, integer: &str, list: &str) -> String {
        format!("{integer} = any({list})")
    }

    fn among_list(&self, value: &str, form: ColumnForm, list: &str) -> String {
        let of = match form {
            ColumnForm::Integer => "bigint",
            ColumnForm::Number => DOUBLE,
            ColumnForm::Boolean => "boolean",
            ColumnForm::Text | ColumnForm::Id | ColumnForm::Json => "text",
        };
        // Computed once, and an index looks up each.
        format!("{value} = any(array(select value::{of} from jsonb_array_elements_text({list}) l(value)))")
    }

    fn holds_any(&self, json: &str, list: &str) -> String {
        format!(
            "exists (select 1 from {} where jsonb_typeof({json}) <> 'object' \
             and i.value = any(array(select value from jsonb_array_elements({list}) l(value))))",
            self.items(json, "i")
        )
    }

    fn shown(&self, column: &str, form: ColumnForm) -> String {
        match form {
            ColumnForm::Json => self.shown_json(column),
            _ => column.to_owned(),
        }
    }

    fn shown_json(&self, json: &str) -> String {
        format!("({json})::text")
    }

    fn boolean(&self, boolean: bool) -> &'static str {
        if boolean { "true" } else { "false" }
    }

    fn id_text(&self, id: &str) -> String {
        format!("{id}::text")
    }

    fn like(&self, text: &str, pattern: &str) -> String {
        format!("{} ilike {pattern} escape '\\'", self.by_code_point(text))
    }

    fn by_code_point(&self, text: &str) -> String {
        format!("{text} collate \"C\"")
    }

    fn same(&self, one: &str, other: &str) -> String {
        format!("{one} is not distinct from {other}")
    }

    fn different(&self, one: &str, other: &str) -> String {
        format!("{one} is distinct from {other}")
    }

    fn seldom(&self, condition: &str) -> String {
        condition.to_owned()
    }

    fn often(&self, condition: &str) -> String {
        condition.to_owned()
    }

    fn number(&self, text: &str) -> String {
        number(text, NUMBER, NUMBER_CHARACTERS_MAX, DOUBLE)
    }

    fn whole(&self, text: &str) -> String {
        integer(&format!("trunc({})", number(text, NUMBER, NUMBER_CHARACTERS_MAX, "numeric")))
    }

    fn spelled(&self, number: &str) -> String {
        format!("({number})::text")
    }

    fn sum(&self, one: &str, other: &str, form: ColumnForm) -> String {
        match form {
            ColumnForm::Integer => integer(&format!("{one}::numeric + {other}")),
            _ => format!("({one} + {other})"),
        }
    }

    fn negated(&self, number: &str, form: ColumnForm) -> String {
        match form {
            ColumnForm::Integer => integer(&format!("-({number}::numeric)")),
            _ => format!("(-{number})"),
        }
    }

    fn total(&self, integer: &str) -> String {
        format!(
            "case when coalesce(sum({integer}), 0) between {} and {} then coalesce(sum({integer}), 0)::bigint end",
            i64::MIN,
            i64::MAX
        )
    }

    fn is_decimal(&self, text: &str) -> String {
        format!("({text} ~ '{DECIMAL}')")
    }

    fn decimal(&self, text: &str) -> String {
        number(text, DECIMAL, DECIMAL_CHARACTERS_MAX, DOUBLE)
    }

    fn length(&self, text: &str) -> String {
        format!("length({text})::bigint")
    }

    fn glob(&self, pattern: &str, text: &str) -> String {
        let escaped = ['\\', '%', '_']
            .into_iter()
            .fold(pattern.to_owned(), |pattern, letter| format!("replace({pattern}, '{letter}', '\\{letter}')"));
        format!("{text} like replace(replace({escaped}, '*', '%'), '?', '_') escape '\\'")
    }

    fn holds(&self, text: &str, part: &str) -> String {
        format!("strpos(lower({}), {part}) > 0", self.by_code_point(text))
    }

    fn json(&self, scalar: &str, form: ColumnForm) -> String {
        match form {
            ColumnForm::Json => scalar.to_owned(),
            ColumnForm::Text => format!("to_jsonb({scalar}::text)"),
            ColumnForm::Integer | ColumnForm::Number | ColumnForm::Boolean | ColumnForm::Id => {
                format!("to_jsonb({scalar})")
            }
        }
    }

    fn number_json(&self, stored: &str) -> String {
        format!("to_jsonb({})", self.number(stored))
    }

    fn null_json(&self) -> &'static str {
        "null::jsonb"
    }

    fn member(&self, json: &str, name: &str) -> String {
        format!("({json} -> {name})")
    }

    fn nth(&self, json: &str, nth: &str) -> String {
        format!("({json} -> {nth}::integer)")
    }

    fn scalar(&self, json: &str, form: ColumnForm) -> String {
        match form {
            ColumnForm::Text | ColumnForm::Id => format!("({json} #>> '{{}}')"),
            ColumnForm::Integer => {
                integer(&once(json, |json| format!("case jsonb_typeof({json}) when 'number' then {json}::numeric end")))
            }
            ColumnForm::Number => json_number(json),
            ColumnForm::Boolean => self.open_boolean(json),
            ColumnForm::Json => format!("nullif({json}, 'null')"),
        }
    }

    fn open(&self, value: &Value) -> Bound {
        Bound::Json(value.clone())
    }

    fn opened(&self, scalar: &str, form: ColumnForm) -> String {
        self.json(scalar, form)
    }

    fn open_boolean(&self, open: &str) -> String {
        format!("case {open} when 'true'::jsonb then true when 'false'::jsonb then false end")
    }

    fn object(&self, members: &[(String, String)]) -> String {
        let members: Vec<_> = members.iter().map(|(name, json)| format!("({name}, {json})")).collect();
        format!(
            "coalesce((select jsonb_object_agg(name, value) from (values {}) m(name, value) \
             where value is not null and value <> 'null'), '{{}}')",
            members.join(", ")
        )
    }

    fn contents(&self, json: &str, alias: &str, contents: Contents) -> String {
        match contents {
            Contents::Items => format!(
                "jsonb_array_elements(case jsonb_typeof({json}) when 'array' then {json} end) \
                 with ordinality {alias}(value, nth)"
            ),
            Contents::Members => {
                format!("jsonb_each(case jsonb_typeof({json}) when 'object' then {json} end) {alias}(name, value)")
            }
        }
    }

    fn items(&self, json: &str, alias: &str) -> String {
        format!(
            "jsonb_array_elements(case jsonb_typeof({json}) when 'array' then {json} else jsonb_build_array({json}) end) \
             {alias}(value)"
        )
    }

    fn item(&self, alias: &str, form: ColumnForm) -> String {
        self.scalar(&format!("{alias}.value"), form)
    }

    fn item_of(&self, alias: &str, form: ColumnForm) -> String {
        let value = format!("{alias}.value");
        match form {
            ColumnForm::Integer | ColumnForm::Number => json_number(&value),
            ColumnForm::Boolean => self.open_boolean(&value),
            ColumnForm::Text | ColumnForm::Id | ColumnForm::Json => {
                format!("case jsonb_typeof({value}) when 'string' then {value} #>> '{{}}' end")
            }
        }
    }

    fn is_item(&self, alias: &str, scalar: &str, form: ColumnForm) -> String {
        format!("{alias}.value = coalesce({}, 'null')", self.opened(scalar, form))
    }

    fn nested_item(&self, alias: &str) -> String {
        format!("case when jsonb_typeof({alias}.value) in ('object', 'array') then {alias}.value end")
    }

    fn item_member(&self, alias: &str, name: &str) -> String {
        // Of what is no object, this is null.
        format!("({alias}.value -> {name})")
    }

    fn name(&self, alias: &str) -> String {
        format!("{alias}.name")
    }

    fn order(&self, alias: &str) -> String {
        format!("{alias}.nth")
    }

    fn size(&self, json: &str, contents: Contents) -> String {
        match contents {
            Contents::Items => once(json, |json| {
                format!("case jsonb_typeof({json}) when 'array' then jsonb_array_length({json})::bigint end")
            }),
            Contents::Members => once(json, |json| {
                format!(
                    "case jsonb_typeof({json}) when 'object' then (select count(*) from jsonb_object_keys({json})) end"
                )
            }),
        }
    }
}
