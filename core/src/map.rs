//! Turns records into [`Contribution`]s: the only door to WebAssembly. Nothing of wasmtime leaves this module.
//!
//! A [`Host`] loads a partner's component as a [`Mapper`]; the mapper maps a delivery's records within a [`Budget`]. What
//! it answers is checked against the canonical schemas before it is believed. A component may have logic of its own beside
//! ([`Mapper::call`]), which decides what becomes of calls that are more than a change of one record.
//!
//! To add a version of the contract: a folder in `mappers/wit`, a module beside `v1` that turns it into the nouns of
//! `raw`, and an arm where a component is loaded.

mod batch;
mod cache;
mod call;
mod check;
mod contract;
mod cost;
mod encoding;
mod host;
mod logic;
mod profile;
mod raw;
mod reliance;
mod v1;
mod wasi;

use std::fmt;
use std::sync::Arc;

pub use self::batch::Budget;
pub use self::call::{CallChange, CallEvent, CallInput, Decision, Decline, Found, Question, Step};
pub use self::contract::contract;
pub use self::cost::{Cost, Share};
pub(crate) use self::encoding::WORTH_COMPRESSING_BYTES;
pub use self::encoding::{DecodeError, decode, encode};
pub use self::host::{Host, HostError, LoadError};
pub use self::logic::enough;
pub use self::profile::{Profile, Profiles, UnknownProfile};
pub use self::reliance::{Effect, Place, Reliance};
use crate::canonical::{Canonical, KindId};
use crate::digest::Digest;
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

/// A loaded component. Can be shared between threads; every batch gets an instance of its own.
pub struct Mapper {
    prepared: v1::Prepared,
    sandbox: Arc<host::Sandbox>,
    agreement: check::Agreement,
    canonical: Digest,
    name: String,
    version: String,
    records: Vec<String>,
    calls: Vec<String>,
    digest: Digest,
}

/// Why a delivery could not be mapped. What a mapper does to single records is in their [`Outcome`]s instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A batch took too long by the clock on the wall. That says something about this machine, so it may be tried again.
    #[error("mapping a batch took longer than {0} ms")]
    Deadline(u64),
    /// As many instances are alive as there may be. May be tried again.
    #[error("no further mapper instance may be started now")]
    Busy,
    /// The records together took more fuel than a delivery may use.
    #[error("mapping the delivery took more fuel than {0} (`fuel_per_delivery_max`)")]
    Fuel(u64),
    /// Too many records faulted.
    #[error("the mapper faulted on more than {0} records of the delivery (`faults_per_delivery_max`)")]
    Faults(usize),
    /// The mapper was loaded for other canonical schemas.
    #[error("the mapper was loaded for other canonical schemas")]
    Canonical,
}

impl Mapper {
    /// The partner that it is for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own version, as it says itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The record types that it takes.
    pub fn records(&self) -> &[String] {
        &self.records
    }

    /// What it may import.
    pub fn profile(&self) -> Profile {
        self.sandbox.profile
    }

    /// The digest of the component: equal digests, equal mappings.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Maps records, and gives as many answers in the same order. `options` are the connection's, a JSON object.
    ///
    /// Blocks, and works on several threads while it does.
    pub fn map(
        &self,
        canonical: &Canonical,
        options: &[u8],
        inputs: &[Input<'_>],
        budget: &Budget,
    ) -> Result<Vec<Mapped>, MapError> {
        if canonical.digest() != self.canonical {
            return Err(MapError::Canonical);
        }
        batch::Run { mapper: self, canonical, options, budget }.all(inputs)
    }

    /// Checks packed rows (`mappers/wit/v1/mapper.wit`), one piece per record, as if an instance had answered them. So
    /// what the same mapper says as native code can be compared with what it says in the sandbox.
    pub fn check<'r>(
        &self,
        canonical: &Canonical,
        kinds: &[KindId],
        records: impl IntoIterator<Item = &'r [u8]>,
    ) -> Vec<Result<Vec<Contribution>, String>> {
        let mut checker = check::Checker::new(canonical, &self.agreement, &self.sandbox.limits);
        records.into_iter().map(|rows| checker.rows(rows, kinds)).collect()
    }
}

impl fmt::Debug for Mapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapper")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
