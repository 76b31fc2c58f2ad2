//! Turns the row of a record back into what the record says: the very canonical JSON object that the row was made of.
//!
//! Nothing is lost on the way into a row: a scalar is kept as it was spelled, what is nested as canonical JSON, and what
//! fits no column, an explicit `null` among it, in one object beside the columns. So a record can be changed in part,
//! compared and shown to who sent it without keeping it twice.

use std::borrow::Cow;

use super::StoreError;
use super::contributors::damaged;
use crate::json::{Json, write_text};
use crate::table::{Column, ColumnForm};

/// A value as the database has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stored<'r> {
    /// In a text column.
    Text(&'r str),
    /// In an integer column.
    Integer(i64),
    /// In a column of nested values whose spelling is the database's own, not ours.
    Loose(&'r str),
}

/// A member on its way out of a row.
enum Member<'r> {
    Column(ColumnForm, Stored<'r>),
    Unknown(Json<'r>),
}

/// The object that the cells of `columns` and the members that have no column make up.
pub(super) fn write<'r>(
    columns: &'r [Column],
    cells: impl IntoIterator<Item = Result<Option<Stored<'r>>, StoreError>>,
    unknown: Option<&'r str>,
) -> Result<Vec<u8>, StoreError> {
    let mut members = Vec::with_capacity(columns.len());
    for (column, cell) in columns.iter().zip(cells) {
        if let Some(cell) = cell? {
            members.push((Cow::Borrowed(column.property.as_str()), Member::Column(column.form, cell)));
        }
    }
    if let Some(unknown) = unknown {
        let Json::Object(object) = parse(unknown)? else { return Err(damaged("what a record says")) };
        members.extend(object.into_members().into_iter().map(|(name, json)| (name, Member::Unknown(json))));
    }
    // What stands beside the columns counts: it is there where a column cannot hold the value as it was sent.
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    members.dedup_by(|later, earlier| {
        let twice = later.0 == earlier.0;
        if twice {
            std::mem::swap(later, earlier);
        }
        twice
    });
    let mut out = vec![b'{'];
    for (nth, (name, member)) in members.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write_text(name, &mut out);
        out.push(b':');
        match member {
            Member::Column(form, cell) => write_cell(*form, *cell, &mut out)?,
            Member::Unknown(json) => json.write(&mut out),
        }
    }
    out.push(b'}');
    Ok(out)
}

/// A scalar as text, as it is compared; `None` for what is nested.
pub(super) fn text(form: ColumnForm, cell: Stored<'_>) -> Result<Option<String>, StoreError> {
    Ok(match (form, cell) {
        (ColumnForm::Text | ColumnForm::Number, Stored::Text(text)) => Some(text.to_owned()),
        (ColumnForm::Integer, Stored::Integer(integer)) => Some(integer.to_string()),
        (ColumnForm::Boolean, Stored::Integer(boolean)) => Some(word(boolean).to_owned()),
        (ColumnForm::Json, Stored::Text(json) | Stored::Loose(json)) => match parse(json)? {
            Json::Text(text) => Some(text.into_owned()),
            Json::Number(_) | Json::Boolean(_) => Some(json.to_owned()),
            Json::Null | Json::List(_) | Json::Object(_) => None,
        },
        _ => return Err(damaged("what a record says")),
    })
}

fn write_cell(form: ColumnForm, cell: Stored<'_>, out: &mut Vec<u8>) -> Result<(), StoreError> {
    match (form, cell) {
        (ColumnForm::Text, Stored::Text(text)) => write_text(text, out),
        (ColumnForm::Number | ColumnForm::Json, Stored::Text(json)) => out.extend_from_slice(json.as_bytes()),
        (ColumnForm::Json, Stored::Loose(json)) => parse(json)?.write(out),
        (ColumnForm::Integer, Stored::Integer(integer)) => out.extend_from_slice(integer.to_string().as_bytes()),
        (ColumnForm::Boolean, Stored::Integer(boolean)) => out.extend_from_slice(word(boolean).as_bytes()),
        _ => return Err(damaged("what a record says")),
    }
    Ok(())
}

fn word(boolean: i64) -> &'static str {
    if boolean == 0 { "false" } else { "true" }
}

/// Stored JSON; how deep it is was checked when it came.
fn parse(json: &str) -> Result<Json<'_>, StoreError> {
    Json::parse(json.as_bytes(), u32::MAX).map_err(|_| damaged("what a record says"))
}
