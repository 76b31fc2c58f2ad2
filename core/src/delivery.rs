//! A payload as it was sent, and what became of it.

mod clock;
mod held;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use self::clock::DeliveryClock;
pub use self::held::{Change, Discarded, Held, HeldChange, Passed};
use crate::description::ProblemClass;
use crate::digest::Digest;
use crate::json::Pointer;
use crate::note::Note;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Kept, not yet worked on or being worked on.
    Received,
    /// Applied: what it said is what the entities say.
    Applied,
    /// It said what was already known; nothing changed.
    Unchanged,
    /// The payload breaks its description; nothing was applied.
    Rejected,
    /// The host could not finish it (a mapper used up its delivery's means, the store failed); nothing was applied.
    Failed,
    /// The process ended before it was answered; it is never applied by itself.
    Interrupted,
    /// Kept and acknowledged; it is worked on when its turn comes, whatever happens in between.
    Queued,
    /// It would change more than is likely, and waits for an operator; nothing was applied.
    Held,
    /// It was held, and something later says what it said; nothing of it was applied.
    Superseded,
    /// An operator put it aside; nothing of it was, or will be, applied.
    Discarded,
}

impl Status {
    /// Whether what is held of the same operation is so no longer, after a delivery that ended like this.
    pub fn supersedes(self) -> bool {
        matches!(self, Self::Applied | Self::Unchanged | Self::Held)
    }

    /// The word for it, in JSON, in the database and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Superseded => "superseded",
            Self::Discarded => "discarded",
        }
    }
}

/// What a call says beside its body: parameters as they were read, lists as lists, cast as the description says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Path parameters.
    pub path: Map<String, Value>,
    /// Query parameters.
    pub query: Map<String, Value>,
}

impl Asked {
    /// Whether the call says nothing beside its body.
    pub fn is_empty(&self) -> bool {
        self.path.is_empty() && self.query.is_empty()
    }
}

/// A payload to be kept, before anything is done with it. All that its operation goes by is kept with it, so that it can
/// be worked on again from the database alone.
#[derive(Debug, Clone)]
pub struct Received {
    /// UUIDv7.
    pub id: Uuid,
    /// The delivery that this one repeats.
    pub first: Option<Uuid>,
    /// The operation of the partner's description that it came by.
    pub operation: String,
    /// What the call said beside its body, as far as the operation goes by it.
    pub asked: Asked,
    /// When its last byte was read. What it comes to goes by this time and not by that at which it is worked on, so that
    /// it comes to the same whenever that is.
    pub at: Timestamp,
    /// The body, decoded unless `content_encoding` says that it could not be; `None` when it was too large to keep.
    pub body: Option<std::sync::Arc<[u8]>>,
    /// The encoding that `body` is still in.
    pub content_encoding: Option<String>,
    /// SHA-256 of `body`, taken while reading.
    pub sha256: [u8; 32],
    /// Bytes of `body`, or of what was read of it when it was too large.
    pub size: u64,
    /// Whether it is only kept for now, and worked on when its turn comes.
    pub queued: bool,
}

/// What became of one record of a payload: a line of its delivery's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Where in the payload it stands.
    pub pointer: Pointer,
    /// The record type's name.
    pub record: String,
    /// Its key, as a canonical JSON list; `None` where it could not be told.
    pub key: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, and what else there is to tell.
    pub notes: Vec<Note>,
}

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is new.
    Created,
    /// It was there and is another now.
    Updated,
    /// It is as it was.
    Unchanged,
    /// It is gone, as was asked for.
    Deleted,
    /// It is older than what was applied last, and was not applied.
    Stale,
    /// It waits for a record that it refers to.
    Parked,
    /// It waited too long for a record that it refers to.
    Quarantined,
    /// It breaks its schema or a rule.
    Rejected,
    /// The mapper declines it.
    Refused,
    /// The mapper trapped on it.
    Fault,
}

impl Outcome {
    /// Whether it counts as an error of its delivery.
    pub fn is_error(self) -> bool {
        matches!(self, Self::Quarantined | Self::Rejected | Self::Refused | Self::Fault)
    }

    /// Whether what is stored is another than before.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Deleted | Self::Parked)
    }

    /// The word for it, in JSON, in the database and in descriptions.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Stale => "stale",
            Self::Parked => "parked",
            Self::Quarantined => "quarantined",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Fault => "fault",
        }
    }
}

/// What became of a delivery: stored with it and told to the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where it ended.
    pub status: Status,
    /// What kind of problem ended it, if it was rejected or failed.
    pub problem: Option<ProblemClass>,
    /// What it did, per kind of entity, by name.
    pub counts: std::collections::BTreeMap<String, Counts>,
    /// How the payload breaks its description: every violation up to the limit.
    pub rejections: Vec<Note>,
    /// Records that the mapper declined.
    pub refusals: Vec<Note>,
    /// Records on which the mapper trapped.
    pub faults: Vec<Note>,
    /// Records that refer to an entity that is not there yet.
    pub parked: Vec<Note>,
    /// What was accepted but looks wrong.
    pub warnings: Vec<Note>,
    /// How many more notes there were than the limits let through.
    pub omitted: usize,
    /// Why it waits, or waited, for an operator, and what it would do, or would have done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// What an operator said who put it aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded: Option<Discarded>,
}

/// What a delivery did to the entities of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counts {
    /// New ones.
    pub created: u64,
    /// Ones with a changed field, or back after having been removed.
    pub updated: u64,
    /// Ones that the payload speaks of and that are as they were; of a payload that says everything, all of them.
    pub unchanged: u64,
    /// Ones that are now `tobedeleted`.
    pub removed: u64,
}

impl Report {
    /// A report that the payload was rejected, and why.
    pub fn rejected(problem: ProblemClass, rejections: Vec<Note>) -> Self {
        Self { problem: Some(problem), rejections, ..Self::new(Status::Rejected) }
    }

    /// A report that says nothing but how it ended.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            problem: None,
            counts: std::collections::BTreeMap::new(),
            rejections: Vec::new(),
            refusals: Vec::new(),
            faults: Vec::new(),
            parked: Vec::new(),
            warnings: Vec::new(),
            omitted: 0,
            held: None,
            discarded: None,
        }
    }

    /// How many records were not taken of a delivery that was, as far as that is known: its log tells all of them.
    pub fn put_aside(&self, log: &[Entry]) -> u64 {
        if !matches!(self.status, Status::Applied | Status::Unchanged) {
            return 0;
        }
        let told = log.iter().filter(|entry| entry.outcome.is_error()).count();
        let noted = self.rejections.len() + self.refusals.len() + self.faults.len();
        (if log.is_empty() { noted } else { told }) as u64
    }
}

/// What must all be as it was for an identical payload to be answered without being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// SHA-256 of the body that was applied last.
    pub sha256: [u8; 32],
    /// Mapper, description, canonical schemas, options and operation.
    pub setting: Digest,
    /// The stored state of the scope's records right after it was applied.
    pub state: Digest,
}
