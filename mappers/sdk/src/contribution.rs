//! Turns canonical entities into the packed rows of the contract (`mappers/wit/v1/mapper.wit`).

use serde::Serialize;

use crate::Number;

/// Tags of the values in a row; see the contract.
pub(crate) mod tag {
    pub(crate) const TEXT: u8 = 0;
    pub(crate) const INTEGER: u8 = 1;
    pub(crate) const NUMBER: u8 = 2;
    pub(crate) const FALSE: u8 = 3;
    pub(crate) const TRUE: u8 = 4;
    pub(crate) const REFERENCE: u8 = 5;
    pub(crate) const NESTED: u8 = 6;
}

/// A canonical entity, as far as a record speaks of it. Implemented by the generated types.
pub trait Entity {
    /// The number of its kind in [`KINDS`](crate::canonical::KINDS).
    const KIND: u16;

    /// Writes the fields that are set, in the order of their numbers.
    fn write(&self, fields: &mut Fields<'_>);
}

/// What one record says: contributions to canonical entities, and diagnostics.
#[derive(Debug, Default)]
pub struct Contributions {
    pub(crate) rows: Vec<u8>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Something to say about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// For programs: `no-name`.
    pub code: String,
    /// Where in the record, a JSON Pointer.
    pub pointer: String,
    /// For people; by shape, never by value.
    pub message: String,
}

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Accepted, but looks wrong.
    Warning,
    /// Why a record is refused.
    Error,
}

/// Why a record cannot be mapped. The record keeps what it said before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: String,
    /// Where in the record, a JSON Pointer.
    pub pointer: String,
    /// For people; by shape, never by value.
    pub message: String,
}

impl Refusal {
    /// Declines the record because of what stands at `pointer`.
    pub fn new(code: impl Into<String>, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), pointer: pointer.into(), message: message.into() }
    }
}

impl Contributions {
    /// The record says this of the entity that the partner calls `source_id`.
    pub fn add<E: Entity>(&mut self, source_id: &str, entity: &E) {
        self.rows.extend_from_slice(&E::KIND.to_le_bytes());
        write_text(source_id, &mut self.rows);
        let at = self.rows.len();
        self.rows.extend_from_slice(&[0, 0]);
        let mut fields = Fields { rows: &mut self.rows, count: 0 };
        entity.write(&mut fields);
        let count = fields.count;
        self.rows[at..at + 2].copy_from_slice(&count.to_le_bytes());
    }

    /// The packed rows of what was added.
    pub fn into_rows(self) -> Vec<u8> {
        self.rows
    }

    /// Accepts the record, but says that something looks wrong.
    pub fn warn(&mut self, code: &str, pointer: impl Into<String>, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            code: code.to_owned(),
            pointer: pointer.into(),
            message: message.into(),
        });
    }
}

/// The fields of one entity, being written. Numbers are places in the kind's list of fields.
#[derive(Debug)]
pub struct Fields<'a> {
    rows: &'a mut Vec<u8>,
    count: u16,
}

impl Fields<'_> {
    /// A text.
    pub fn text(&mut self, number: u16, text: &str) {
        self.start(number, tag::TEXT);
        write_text(text, self.rows);
    }

    /// The source id of another entity.
    pub fn reference(&mut self, number: u16, source_id: &str) {
        self.start(number, tag::REFERENCE);
        write_text(source_id, self.rows);
    }

    /// An integer.
    pub fn integer(&mut self, number: u16, integer: i64) {
        self.start(number, tag::INTEGER);
        self.rows.extend_from_slice(&integer.to_le_bytes());
    }

    /// A number.
    pub fn number(&mut self, number: u16, spelled: &Number<'_>) {
        self.start(number, tag::NUMBER);
        write_text(spelled.as_str(), self.rows);
    }

    /// A boolean.
    pub fn boolean(&mut self, number: u16, boolean: bool) {
        self.start(number, if boolean { tag::TRUE } else { tag::FALSE });
    }

    /// A list or an object.
    ///
    /// # Panics
    ///
    /// When `nested` cannot be written as JSON; the generated types always can.
    pub fn nested<T: Serialize + ?Sized>(&mut self, number: u16, nested: &T) {
        self.start(number, tag::NESTED);
        let at = self.rows.len();
        self.rows.extend_from_slice(&[0; 4]);
        serde_json::to_writer(&mut *self.rows, nested).expect("generated types are JSON");
        let length = length(self.rows.len() - at - 4);
        self.rows[at..at + 4].copy_from_slice(&length);
    }

    fn start(&mut self, number: u16, tag: u8) {
        self.count += 1;
        self.rows.extend_from_slice(&number.to_le_bytes());
        self.rows.push(tag);
    }
}

fn write_text(text: &str, rows: &mut Vec<u8>) {
    rows.extend_from_slice(&length(text.len()));
    rows.extend_from_slice(text.as_bytes());
}

/// A mapper's memory has 32-bit addresses, so no length is longer.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}
