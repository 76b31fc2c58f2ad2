//! Turns records into [`Contribution`]s: the only door to WebAssembly. Nothing of wasmtime leaves this module.

use std::sync::Arc;

use crate::canonical::KindId;
use crate::json::Pointer;

/// What one record says about one canonical entity, checked against the canonical schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The kind of entity.
    pub kind: KindId,
    /// The partner's own id for it, as the mapper composed it: `student:4711`.
    pub source_id: String,
    /// Field (index into the kind's fields) and value, by field, each field at most once.
    pub fields: Vec<(u16, Value)>,
}

/// A checked value of one field. References are still source ids: the host makes `sourcedId`s of them when it stores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Text, a date or an instant.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A number, as spelled.
    Number(String),
    /// A boolean.
    Boolean(bool),
    /// The source id of the entity referred to; its kind is the field's.
    Reference(String),
    /// A list or object, as canonical JSON.
    Nested(Arc<str>),
}

/// One record on its way into the sandbox.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The record type's name: `Section`.
    pub record: &'a str,
    /// The kinds that its contributions may be of.
    pub kinds: &'a [KindId],
    /// Its body, canonical JSON.
    pub body: &'a [u8],
    /// Its ancestors, canonical JSON.
    pub ancestors: &'a [u8],
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// Contributions, or why there are none.
    pub outcome: Outcome,
    /// What the mapper had to say beside.
    pub diagnostics: Vec<Diagnostic>,
}

/// The three ways in which mapping a record ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// What the record says.
    Contributions(Vec<Contribution>),
    /// The mapper declines the record; its diagnostics say why.
    Refused,
    /// The mapper trapped, ran out of its means, or returned what the canonical schemas do not allow.
    Fault(String),
}

/// Something a mapper says about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// For programs.
    pub code: String,
    /// Where in the record.
    pub pointer: Pointer,
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

/// A loaded component.
#[derive(Debug)]
pub struct Mapper;
