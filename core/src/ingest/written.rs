//! What became of a call about single records, and of the records that it wrote.

use serde_json::Value;

use crate::delivery::Report;
use crate::description::{Partner, RecordType, RecordTypeId};
use crate::digest::Digest;
use crate::json::Pointer;
use crate::parcel::Content;
use crate::reconcile::Resulting;
use crate::record::{Record, digest_alone};

/// What became of a call about single records.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// What is stored with the delivery. A rejected one says in `problem` of which kind the problem is.
    pub report: Report,
    /// The key of the record that the call is about, a canonical JSON list.
    pub key: Option<String>,
    /// What it says afterwards; what it said, where it is gone.
    pub record: Value,
    /// What the partner's own logic adds to the answer, by name.
    pub told: Value,
    /// Whether there is something to tell subscribers, or they are others than before.
    pub concerns_subscribers: bool,
    /// Every record that says something else than before, and was to be mapped.
    pub records: Vec<WrittenRecord>,
}

/// A record as a call wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenRecord {
    of: RecordTypeId,
    key: String,
    /// Canonical JSON.
    body: Content<'static>,
}

impl WrittenRecord {
    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// What the version that wrote it calls its type.
    pub fn record_type<'p>(&self, writer: &'p Partner) -> &'p RecordType {
        &writer.records[usize::from(self.of.0)]
    }

    /// The record, as a version takes it that may be another one than the writer; none, if it knows none of its type. Nothing
    /// is skipped by its digest.
    pub fn record(&self, writer: &Partner, reader: &Partner) -> Option<Record<'_>> {
        let name = &self.record_type(writer).name;
        let (of, of_type) = (0..).map(RecordTypeId).zip(&reader.records).find(|(_, of)| of.name == *name)?;
        let digest = digest_alone(of_type, &self.body.read(), Digest::of(b""));
        Some(Record::alone_packed(of, self.key.clone(), self.body.borrowed(), Pointer::root(), digest))
    }
}

impl From<Resulting> for WrittenRecord {
    fn from(Resulting { of, key, body, .. }: Resulting) -> Self {
        Self { of, key, body }
    }
}
