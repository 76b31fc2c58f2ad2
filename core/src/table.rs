//! The one path from a schema to a table: a typed column per scalar property, JSON for nested ones.
//!
//! Foreign records and canonical entities both become a [`Table`]; the store turns it into DDL and adds its own columns.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A table that follows from a schema. Which columns of its own the store adds depends on what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// What the table is called; a checked identifier, see [`identifier`].
    pub name: String,
    /// The columns, in the schema's order.
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

/// Longest name of a table or column, in bytes: PostgreSQL cuts at 63.
const NAME_BYTES_MAX: usize = 60;

/// Turns any text into a name that both databases take unquoted, without two texts ever becoming one name:
/// lower case, `a-z 0-9 _` only, at most 60 bytes; what that loses is made up for by eight digits of a digest.
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
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let camel = !text.contains('_') && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if (plain || camel) && name.len() <= NAME_BYTES_MAX && !name.is_empty() {
        return name;
    }
    let digest = crate::digest::Digest::of(text.as_bytes()).to_string();
    name.truncate(NAME_BYTES_MAX - 9);
    format!("{name}_{}", &digest[..8])
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn names_are_plain_and_never_meet() {
        assert_eq!(identifier("dateLastModified"), "date_last_modified");
        assert_eq!(identifier("user_no"), "user_no");
        assert_ne!(identifier("Straße"), identifier("Stra_e"));
        assert_ne!(identifier("a b"), identifier("a_b"));
        assert_ne!(identifier("user_No"), identifier("user_no"));
        assert!(identifier(&"long".repeat(40)).len() <= 60);
        assert!(identifier("\"; drop table x").bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    }
}
