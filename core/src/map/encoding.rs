//! Turns [`Contribution`]s into bytes that are stored beside their record, and back.
//!
//! Kinds and fields are written by *name*: a blob opens with a table of the names that it uses, so that it can still be
//! read after the canonical schemas have gained kinds and fields. A value that the contribution of the same kind before it
//! has in the same field is not written again: thirty students of one class share class, school and roles. What is long
//! is compressed: a page of the database then holds several records rather than one.
//!
//! To add a kind of value: give it a tag below that was never used before; old blobs stay readable.

use std::borrow::Cow;

use super::{Contribution, Value};
use crate::canonical::{Canonical, KindId};
use crate::compression::{compress, decompress};

/// The first byte of a blob: which encoding it is in.
const VERSION: u8 = 1;

/// The first byte of a blob that is another one, compressed: the length of that one follows, then what is left of it.
const COMPRESSED: u8 = 2;

/// Bytes of a blob from which compressing it is worth it.
pub(crate) const WORTH_COMPRESSING_BYTES: usize = 1 << 10;

/// Bytes of a blob that is damaged where it says to have more when it is not compressed.
const BYTES_MAX: usize = 1 << 30;

const TEXT: u8 = 0;
const INTEGER: u8 = 1;
const NUMBER: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const REFERENCE: u8 = 5;
const NESTED: u8 = 6;
/// What the contribution of the same kind before this one has in the same field.
const SAME: u8 = 7;

/// Why a stored blob cannot be read. The record it belongs to has to be mapped again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The blob is in an encoding that this program does not know.
    #[error("stored contributions are in encoding {0}, which is unknown")]
    Version(u8),
    /// The blob ends early or contains what was never written.
    #[error("stored contributions are damaged at byte {0}")]
    Damaged(usize),
    /// The canonical schemas no longer have a kind.
    #[error("stored contributions are of kind {0}, which the canonical schemas do not have")]
    Kind(String),
    /// The canonical schemas no longer have a field.
    #[error("stored contributions have the field {0}.{1}, which the canonical schemas do not have")]
    Field(String, String),
}

/// Writes contributions for storing.
pub fn encode(contributions: &[Contribution], canonical: &Canonical) -> Vec<u8> {
    let tables = Tables::of(contributions);
    let mut out = Vec::with_capacity(64 + contributions.len() * 128);
    out.push(VERSION);
    tables.write(canonical, &mut out);
    let mut before: Vec<&[(u16, Value)]> = vec![&[]; tables.0.len()];
    write_length(contributions.len(), &mut out);
    for contribution in contributions {
        let (at, table) = tables.get(contribution.kind);
        write_length(at, &mut out);
        write_text(&contribution.source_id, &mut out);
        write_length(contribution.fields.len(), &mut out);
        for (field, value) in &contribution.fields {
            write_length(table.partition_point(|one| one < field), &mut out);
            if find(before[at], *field) == Some(value) {
                out.push(SAME);
            } else {
                write_value(value, &mut out);
            }
        }
        before[at] = &contribution.fields;
    }
    if out.len() < WORTH_COMPRESSING_BYTES { out } else { compressed(out) }
}

/// The same blob in fewer bytes; as it is where that cannot be.
fn compressed(blob: Vec<u8>) -> Vec<u8> {
    let Ok(fewer) = compress(&blob) else { return blob };
    let mut out = Vec::with_capacity(fewer.len() + 8);
    out.push(COMPRESSED);
    write_length(blob.len(), &mut out);
    out.extend_from_slice(&fewer);
    if out.len() < blob.len() { out } else { blob }
}

/// The blob itself.
fn plain(blob: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    if blob.first() != Some(&COMPRESSED) {
        return Ok(Cow::Borrowed(blob));
    }
    let mut reader = Reader { blob, at: 1 };
    let length = reader.length()?;
    let bytes = if length > BYTES_MAX { None } else { decompress(&blob[reader.at..], length).ok() };
    bytes.map(Cow::Owned).ok_or(DecodeError::Damaged(reader.at))
}

/// Reads what [`encode`] wrote.
pub fn decode(blob: &[u8], canonical: &Canonical) -> Result<Vec<Contribution>, DecodeError> {
    let blob = &*plain(blob)?;
    let mut reader = Reader { blob, at: 0 };
    match reader.byte()? {
        VERSION => {}
        other => return Err(DecodeError::Version(other)),
    }
    let tables = reader.tables(canonical)?;
    let mut before: Vec<Option<usize>> = vec![None; tables.len()];
    let count = reader.length()?;
    let mut contributions: Vec<Contribution> = Vec::with_capacity(count.min(blob.len()));
    for _ in 0..count {
        let at = reader.length()?;
        let (kind, table) = tables.get(at).ok_or(DecodeError::Damaged(reader.at))?;
        let source_id = reader.text()?.to_owned();
        let count = reader.length()?;
        let mut fields = Vec::with_capacity(count.min(table.len()));
        for _ in 0..count {
            let number = reader.length()?;
            let field = *table.get(number).ok_or(DecodeError::Damaged(reader.at))?;
            let same = before[at].and_then(|before| find(&contributions[before].fields, field));
            fields.push((field, reader.value(same)?));
        }
        // Indexes follow the schemas of today, which may order the fields anew.
        fields.sort_unstable_by_key(|(field, _)| *field);
        before[at] = Some(contributions.len());
        contributions.push(Contribution { kind: *kind, source_id, fields });
    }
    if reader.at == blob.len() { Ok(contributions) } else { Err(DecodeError::Damaged(reader.at)) }
}

/// The kinds that a blob speaks of, and the fields that it uses of each, sorted.
struct Tables(Vec<(KindId, Vec<u16>)>);

impl Tables {
    fn of(contributions: &[Contribution]) -> Self {
        let mut tables: Vec<(KindId, Vec<u16>)> = Vec::new();
        for contribution in contributions {
            let at = tables.iter().position(|(kind, _)| *kind == contribution.kind).unwrap_or_else(|| {
                tables.push((contribution.kind, Vec::new()));
                tables.len() - 1
            });
            let table = &mut tables[at].1;
            for (field, _) in &contribution.fields {
                if let Err(at) = table.binary_search(field) {
                    table.insert(at, *field);
                }
            }
        }
        Self(tables)
    }

    /// The table of `kind`, which is one that these were made of, and where it stands.
    fn get(&self, kind: KindId) -> (usize, &[u16]) {
        let at = self.0.iter().position(|(one, _)| *one == kind).unwrap_or_default();
        (at, &self.0[at].1)
    }

    fn write(&self, canonical: &Canonical, out: &mut Vec<u8>) {
        write_length(self.0.len(), out);
        for (kind, fields) in &self.0 {
            let kind = canonical.kind(*kind);
            write_text(&kind.name, out);
            write_length(fields.len(), out);
            for field in fields {
                write_text(&kind.fields[usize::from(*field)].name, out);
            }
        }
    }
}

/// The value of `field` among fields that are sorted.
fn find(fields: &[(u16, Value)], field: u16) -> Option<&Value> {
    let at = fields.binary_search_by_key(&field, |(one, _)| *one).ok()?;
    Some(&fields[at].1)
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => write_tagged(TEXT, text, out),
        Value::Integer(integer) => {
            out.push(INTEGER);
            out.extend_from_slice(&integer.to_le_bytes());
        }
        Value::Number(number) => write_tagged(NUMBER, number, out),
        Value::Boolean(false) => out.push(FALSE),
        Value::Boolean(true) => out.push(TRUE),
        Value::Reference(source_id) => write_tagged(REFERENCE, source_id, out),
        Value::Nested(text) => write_tagged(NESTED, text, out),
    }
}

fn write_tagged(tag: u8, text: &str, out: &mut Vec<u8>) {
    out.push(tag);
    write_text(text, out);
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// Writes a length in groups of seven bits, the lowest first (LEB128).
fn write_length(mut length: usize, out: &mut Vec<u8>) {
    while length > 0x7f {
        out.push(0x80 | length.to_le_bytes()[0]);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
}

struct Reader<'a> {
    blob: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn tables(&mut self, canonical: &Canonical) -> Result<Vec<(KindId, Vec<u16>)>, DecodeError> {
        let mut tables = Vec::new();
        for _ in 0..self.length()? {
            let name = self.text()?;
            let id = canonical.id(name).ok_or_else(|| DecodeError::Kind(name.to_owned()))?;
            let kind = canonical.kind(id);
            let mut fields = Vec::new();
            for _ in 0..self.length()? {
                let field = self.text()?;
                let at = (0u16..).zip(&kind.fields).find(|(_, one)| one.name == field);
                let (at, _) = at.ok_or_else(|| DecodeError::Field(kind.name.clone(), field.to_owned()))?;
                fields.push(at);
            }
            tables.push((id, fields));
        }
        Ok(tables)
    }

    /// The next value; `same` is what the contribution before has in its place.
    fn value(&mut self, same: Option<&Value>) -> Result<Value, DecodeError> {
        let start = self.at;
        Ok(match self.byte()? {
            TEXT => Value::Text(self.text()?.to_owned()),
            INTEGER => Value::Integer(i64::from_le_bytes(self.array()?)),
            NUMBER => Value::Number(self.text()?.to_owned()),
            FALSE => Value::Boolean(false),
            TRUE => Value::Boolean(true),
            REFERENCE => Value::Reference(self.text()?.to_owned()),
            NESTED => Value::Nested(self.text()?.into()),
            SAME => same.ok_or(DecodeError::Damaged(start))?.clone(),
            _ => return Err(DecodeError::Damaged(start)),
        })
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let start = self.at;
        let length = self.length()?;
        str::from_utf8(self.bytes(length)?).map_err(|_| DecodeError::Damaged(start))
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let start = self.at;
        let mut length = 0usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(length);
            }
        }
        Err(DecodeError::Damaged(start))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.blob.len());
        let end = end.ok_or(DecodeError::Damaged(self.at))?;
        let bytes = &self.blob[self.at..end];
        self.at = end;
        Ok(bytes)
    }
}
