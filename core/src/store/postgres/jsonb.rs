//! Turns nested values into what `jsonb` takes, and keeps beside the columns what it cannot give back.
//!
//! `jsonb` gives back other white space and another order, which is made up for when it is read. It also writes out
//! exponents, forgets that a zero was negative, and takes neither U+0000 nor numbers of more digits than it has room for.
//! What was sent is kept as it was sent: such a value stands in the column as near as it can be, so that it can be looked
//! for, and exactly among the members that have no column, which count when the record is read.

use std::borrow::Cow;

use crate::json::Json;
use crate::store::StoreError;
use crate::store::contributors::damaged;
use crate::table::{Cell, Column, ColumnForm};

/// Digits up to which a number is taken for one that `jsonb` gives back; it has room for some thousands.
const DIGITS_MAX: usize = 400;

/// The escape that `jsonb` refuses, as canonical JSON spells it, and what takes its place.
const NUL: &[u8] = b"\\u0000";
const INSTEAD_OF_NUL: &[u8] = b"\\ufffd";

/// Canonical JSON as `jsonb` can hold it.
pub(super) fn storable(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < bytes.len() {
        let token = Token::at(&bytes[at..]);
        match token.instead() {
            Some(instead) => out.get_or_insert_with(|| bytes[..at].to_vec()).extend_from_slice(&instead),
            None => {
                if let Some(out) = &mut out {
                    out.extend_from_slice(token.0);
                }
            }
        }
        at += token.0.len();
    }
    match out {
        None => Cow::Borrowed(json),
        // What was put in is ASCII, in the place of ASCII.
        Some(out) => Cow::Owned(String::from_utf8_lossy(&out).into_owned()),
    }
}

/// What to keep of a record beside its columns: `unknown`, and whatever the columns cannot give back as it is.
pub(super) fn beside<'u>(
    columns: &[Column],
    cells: &[Cell<'_>],
    unknown: Option<&'u str>,
) -> Result<Option<Cow<'u, str>>, StoreError> {
    let is_lossy = |(column, cell): &(&Column, &Cell<'_>)| match (column.form, cell) {
        (ColumnForm::Text, Cell::Text(text)) => text.contains('\0'),
        (ColumnForm::Json, Cell::Text(json)) => matches!(storable(json), Cow::Owned(_)),
        _ => false,
    };
    let mut lossy = columns.iter().zip(cells).filter(is_lossy).peekable();
    if lossy.peek().is_none() {
        return Ok(unknown.map(Cow::Borrowed));
    }
    let unknown = Json::parse(unknown.unwrap_or("{}").as_bytes(), u32::MAX);
    let Ok(Json::Object(mut object)) = unknown else { return Err(damaged("what a record says")) };
    for (column, cell) in lossy {
        if let Cell::Text(text) = cell {
            let exact = match column.form {
                ColumnForm::Json => {
                    Json::parse(text.as_bytes(), u32::MAX).map_err(|_| damaged("what a record says"))?
                }
                _ => Json::Text(Cow::Borrowed(text)),
            };
            object.insert(Cow::Borrowed(&column.property), exact);
        }
    }
    let bytes = Json::Object(object).to_bytes();
    String::from_utf8(bytes).map(|text| Some(Cow::Owned(text))).map_err(|_| damaged("what a record says"))
}

/// A piece of canonical JSON: a string, a number, or a single byte of anything else.
struct Token<'j>(&'j [u8]);

impl<'j> Token<'j> {
    fn at(rest: &'j [u8]) -> Self {
        let length = match rest[0] {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len())
            }
            _ => 1,
        };
        Self(&rest[..length])
    }

    /// What to store where this cannot be.
    fn instead(&self) -> Option<Vec<u8>> {
        match self.0[0] {
            b'"' => without_nul(self.0),
            b'-' | b'0'..=b'9' => plain_number(self.0),
            _ => None,
        }
    }
}

/// Bytes of the string that `rest` begins with, quotes included.
fn string_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    rest.len().min(at + 1)
}

fn without_nul(string: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < string.len() {
        let length = if string[at] == b'\\' { 2 } else { 1 };
        if string[at..].starts_with(NUL) {
            out.get_or_insert_with(|| string[..at].to_vec()).extend_from_slice(INSTEAD_OF_NUL);
            at += NUL.len();
        } else {
            if let Some(out) = &mut out {
                out.extend_from_slice(&string[at..string.len().min(at + length)]);
            }
            at += length;
        }
    }
    out
}

/// A number that `jsonb` would give back otherwise, as near as can be; `null` where it is beyond all measure.
fn plain_number(number: &[u8]) -> Option<Vec<u8>> {
    let has_exponent = number.iter().any(|byte| matches!(byte, b'e' | b'E'));
    let is_negative_zero = number[0] == b'-' && number[1..].iter().all(|byte| matches!(byte, b'0' | b'.'));
    if !has_exponent && !is_negative_zero && number.len() <= DIGITS_MAX {
        return None;
    }
    let value = str::from_utf8(number).ok().and_then(|text| text.parse::<f64>().ok());
    let value = value.filter(|value| value.is_finite());
    Some(value.map_or_else(|| b"null".to_vec(), |value| value.to_string().into_bytes()))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{beside, storable};
    use crate::table::{Cell, ColumnForm, columns};

    #[test]
    fn what_jsonb_gives_back_is_not_touched() {
        for json in [
            r#"{"a":[1,-2.50,0.10,0,-0.5],"e":"1e5 \\u0000 \" -0","true":true,"x":null}"#,
            r#""\\\\u0000""#,
            "123456789012345678901234567890",
            "[]",
        ] {
            assert!(matches!(storable(json), Cow::Borrowed(_)), "{json}");
        }
    }

    #[test]
    fn what_it_does_not_is_as_near_as_can_be() {
        for (json, expected) in [
            (r#"{"a":1e2,"b":[-0,-0.00,1.5E-3]}"#, r#"{"a":100,"b":[-0,-0,0.0015]}"#),
            (r#""\u0000 and \\\u0000""#, r#""\ufffd and \\\ufffd""#),
            ("[1e999,-1e99999]", "[null,null]"),
        ] {
            assert_eq!(storable(json), expected);
        }
        assert_eq!(storable(&"9".repeat(401)), "null");
    }

    #[test]
    fn what_columns_cannot_hold_stands_beside_them() {
        let columns = columns([("name", ColumnForm::Text), ("tags", ColumnForm::Json), ("age", ColumnForm::Integer)]);
        let cells = |name: &'static str, tags: &'static str| {
            vec![Cell::Text(name.into()), Cell::Text(tags.into()), Cell::Integer(1)]
        };
        let kept = |cells: &[Cell<'_>], unknown| beside(&columns, cells, unknown).unwrap().map(Cow::into_owned);
        assert_eq!(kept(&cells("x", "[1]"), None), None);
        assert_eq!(kept(&cells("x", "[1]"), Some("{}")), Some("{}".to_owned()));
        assert_eq!(kept(&cells("x\0", "[1e2]"), None), Some(r#"{"name":"x\u0000","tags":[1e2]}"#.to_owned()));
        assert_eq!(kept(&cells("x", "[1e2]"), Some(r#"{"z":1}"#)), Some(r#"{"tags":[1e2],"z":1}"#.to_owned()));
    }
}
