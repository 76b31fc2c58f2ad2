//! The one path from a schema to a table: a typed column per scalar property, JSON for nested ones.
//!
//! Foreign records and canonical entities both become a [`Table`]; the store turns it into DDL and adds its own columns.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::Digest;

/// A table that follows from a schema. Which columns of its own the store adds depends on what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// What the table is called, see [`table_name`].
    pub name: String,
    /// The columns, in the schema's order, see [`columns`].
    pub columns: Vec<Column>,
}

/// A column that follows from a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The property's name as the partner spells it, which may be any text.
    pub property: String,
    /// The column's name; a checked identifier.
    pub name: String,
    /// What it holds.
    pub form: ColumnForm,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnForm {
    /// Text, dates and decimals among it.
    Text,
    /// A 64-bit integer.
    Integer,
    /// A number, as spelled (stored as text: nothing is rounded).
    Number,
    /// A boolean.
    Boolean,
    /// A `sourcedId`, 16 bytes.
    Id,
    /// Anything nested, as canonical JSON text.
    Json,
}

/// One value on its way into a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Absent.
    Null,
    /// For [`ColumnForm::Text`], [`ColumnForm::Number`] and [`ColumnForm::Json`].
    Text(Cow<'a, str>),
    /// For [`ColumnForm::Integer`].
    Integer(i64),
    /// For [`ColumnForm::Boolean`].
    Boolean(bool),
    /// For [`ColumnForm::Id`].
    Id(Uuid),
}

impl Cell<'_> {
    /// The same, on its own.
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Integer(integer) => Cell::Integer(integer),
            Self::Boolean(boolean) => Cell::Boolean(boolean),
            Self::Id(id) => Cell::Id(id),
        }
    }
}

/// Longest name of a column, in bytes: PostgreSQL cuts at 63.
const NAME_BYTES_MAX: usize = 60;

/// Longest name of a table, in bytes: leaves room for what databases call its indexes.
const TABLE_NAME_BYTES_MAX: usize = 50;

/// Bytes of `_` and eight digits of a digest.
const DIGEST_BYTES: usize = 9;

/// Turns any text into a name that both databases take: starts with a letter, lower case, `a-z 0-9 _` only, at most
/// 60 bytes. What that loses is made up for by eight digits of a digest, so that two texts become one name only where
/// they differ in case alone (`userNo`, `user_no`); [`columns`] sees to those.
///
/// No name starts with `_`: those are the store's own columns.
pub fn identifier(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut previous_lower = false;
    for letter in text.chars() {
        if letter.is_ascii_uppercase() && previous_lower {
            name.push('_');
        }
        previous_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        name.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let camel = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if (plain || camel) && starts_well && name.len() <= NAME_BYTES_MAX {
        return name;
    }
    if !starts_well {
        name.insert(0, 'x');
    }
    marked(name, NAME_BYTES_MAX, &Digest::of(text.as_bytes()))
}

/// The name of a table, from what it holds outward in: `["record", "school", "Section"]` is `record__school__section`.
/// Two lists become one name only where they differ in case alone; the store refuses to give one table to both.
pub fn table_name(parts: &[&str]) -> String {
    let names: Vec<_> = parts.iter().map(|part| identifier(part)).collect();
    let name = names.join("__");
    let apart = !names.iter().any(|name| name.contains("__") || name.ends_with('_'));
    if apart && name.len() <= TABLE_NAME_BYTES_MAX {
        return name;
    }
    marked(name, TABLE_NAME_BYTES_MAX, &Digest::of_parts(parts.iter().map(|part| part.as_bytes())))
}

/// The columns of the given properties, in the same order; where two would have one name, the one that is not spelled
/// like it gives way.
pub fn columns<'a>(properties: impl IntoIterator<Item = (&'a str, ColumnForm)>) -> Vec<Column> {
    let mut columns: Vec<_> = properties
        .into_iter()
        .map(|(property, form)| Column { property: property.to_owned(), name: identifier(property), form })
        .collect();
    let mut times: HashMap<String, usize> = HashMap::new();
    for column in &columns {
        *times.entry(column.name.clone()).or_default() += 1;
    }
    for column in &mut columns {
        if times[&column.name] > 1 && column.name != column.property {
            let digest = Digest::of(column.property.as_bytes());
            column.name = marked(std::mem::take(&mut column.name), NAME_BYTES_MAX, &digest);
        }
    }
    columns
}

/// `name`, cut so that it and eight digits of `digest` have room.
fn marked(mut name: String, bytes_max: usize, digest: &Digest) -> String {
    name.truncate(bytes_max - DIGEST_BYTES);
    format!("{name}_{}", &digest.to_string()[..DIGEST_BYTES - 1])
}

#[cfg(test)]
mod tests {
    use super::{ColumnForm, columns, identifier, table_name};

    #[test]
    fn names_are_plain_and_never_meet() {
        assert_eq!(identifier("dateLastModified"), "date_last_modified");
        assert_eq!(identifier("user_no"), "user_no");
        assert_ne!(identifier("Straße"), identifier("Stra_e"));
        assert_ne!(identifier("a b"), identifier("a_b"));
        assert_ne!(identifier("user_No"), identifier("user_no"));
        assert_ne!(identifier("1st"), identifier("x1st"));
        assert_ne!(identifier(""), identifier("x"));
        assert!(identifier(&"long".repeat(40)).len() <= 60);
        for odd in ["\"; drop table x", "_id", "1", "", "é", "ключ"] {
            let name = identifier(odd);
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
            assert!(name.starts_with(|first: char| first.is_ascii_lowercase()), "{name}");
        }
    }

    #[test]
    fn tables_of_different_owners_never_meet() {
        assert_eq!(table_name(&["record", "school", "Section"]), "record__school__section");
        assert_ne!(table_name(&["record", "a_", "b"]), table_name(&["record", "a", "_b"]));
        assert_ne!(table_name(&["record", "a__b", "c"]), table_name(&["record", "a", "b__c"]));
        assert!(table_name(&["record", &"long".repeat(20), "x"]).len() <= 50);
    }

    #[test]
    fn properties_that_differ_in_case_alone_have_columns_of_their_own() {
        let columns =
            columns([("userNo", ColumnForm::Text), ("user_no", ColumnForm::Text), ("id", ColumnForm::Integer)]);
        assert_eq!(columns[1].name, "user_no");
        assert_eq!(columns[2].name, "id");
        assert!(columns[0].name.starts_with("user_no_"));
    }
}
