//! What databases say differently.
//!
//! To add a database: one more [`Dialect`].

use crate::description::formula::Contents;

/// How a database says what formulas need beyond what all databases say alike. Operands are SQL, and so is what is made
/// of them.
pub(super) trait Dialect {
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

    /// A number or an integer, spelled as text.
    fn spelled(&self, number: &str) -> String;

    /// Whether a text is digits, with a `-` before them and one point among them if need be.
    fn is_decimal(&self, text: &str) -> String;

    /// The number that such a text is; null for others.
    fn decimal(&self, text: &str) -> String {
        format!("case when {} then cast({text} as double precision) end", self.is_decimal(text))
    }

    /// Whether a text fits a pattern of `*` and `?`.
    fn glob(&self, pattern: &str, text: &str) -> String;

    /// Whether a text, its ASCII letters lower case, holds another.
    fn holds(&self, text: &str, part: &str) -> String;

    /// What stands inside JSON at a member or item, as JSON.
    fn inside(&self, json: &str, step: &str) -> String;

    /// The scalar that JSON is.
    fn scalar(&self, json: &str) -> String;

    /// JSON of a text.
    fn quoted(&self, text: &str) -> String;

    /// JSON of an object with these members, names and JSON; those that are null are left out.
    fn object(&self, members: &[(String, String)]) -> String;

    /// The sum of an integer in all rows, 0 where there is none; never an error.
    fn total(&self, integer: &str) -> String;

    /// A table, called `alias`, of what JSON contains.
    fn contents(&self, json: &str, alias: &str) -> String;

    /// In such a table: the scalar that an item is.
    fn item(&self, alias: &str) -> String;

    /// In such a table: the list or object that an item is, as JSON; null where it is neither.
    fn nested_item(&self, alias: &str) -> String;

    /// In such a table: the name of a member.
    fn name(&self, alias: &str) -> String;

    /// In such a table: its order.
    fn order(&self, alias: &str) -> String;

    /// How many items or members JSON has; null where it is null.
    fn size(&self, json: &str, contents: Contents) -> String;
}

/// SQLite's.
pub(super) struct Sqlite;

impl Dialect for Sqlite {
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

    fn spelled(&self, number: &str) -> String {
        format!("cast({number} as text)")
    }

    fn is_decimal(&self, text: &str) -> String {
        format!(
            "(({text} glob '[0-9]*' or {text} glob '-[0-9]*') and substr({text}, 2) not glob '*[^0-9.]*' \
             and {text} not glob '*.*.*')"
        )
    }

    fn glob(&self, pattern: &str, text: &str) -> String {
        // A bracket means a set of characters there; in a set of its own it means itself.
        format!("{text} glob replace({pattern}, '[', '[[]')")
    }

    fn holds(&self, text: &str, part: &str) -> String {
        format!("instr(lower({text}), {part}) > 0")
    }

    fn inside(&self, json: &str, step: &str) -> String {
        format!("({json} -> {step})")
    }

    fn scalar(&self, json: &str) -> String {
        format!("({json} ->> '$')")
    }

    fn quoted(&self, text: &str) -> String {
        format!("json_quote({text})")
    }

    fn object(&self, members: &[(String, String)]) -> String {
        let members: Vec<_> = members.iter().map(|(name, json)| format!("{name}, json({json})")).collect();
        // A patch with null removes the member.
        format!("json_patch('{{}}', json_object({}))", members.join(", "))
    }

    fn total(&self, integer: &str) -> String {
        format!("cast(total({integer}) as integer)")
    }

    fn contents(&self, json: &str, alias: &str) -> String {
        format!("json_each({json}) {alias}")
    }

    fn item(&self, alias: &str) -> String {
        format!("{alias}.value")
    }

    fn nested_item(&self, alias: &str) -> String {
        format!("case when {alias}.type in ('object', 'array') then {alias}.value end")
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
