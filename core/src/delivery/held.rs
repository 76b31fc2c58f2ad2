//! Turns what a delivery would have done, and did not, into what operators decide by.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::json::Pointer;
use crate::note::Note;

/// Why a change set waits for an operator, and what it would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Since when something of this kind waits: what is sent again while it waits takes its place in time, too.
    pub since: Timestamp,
    /// Digest of all that it would do, hexadecimal: what is approved is this and nothing else.
    pub plan: String,
    /// What passes the thresholds.
    pub passed: Vec<Passed>,
    /// What it would change, as far as the limit goes.
    pub changes: Vec<HeldChange>,
    /// How many changes more there are.
    pub omitted: usize,
}

/// What passes a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Passed {
    /// The kind of entity, by name.
    pub kind: String,
    /// Which part of the kind: all teachers among the users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// What would become of them.
    pub change: Change,
    /// Of how many.
    pub count: u64,
    /// How many there are.
    pub of: u64,
}

/// What becomes of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Created,
    /// It is another.
    Updated,
    /// It is gone.
    Removed,
}

/// What would become of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldChange {
    /// Its kind, by name.
    pub kind: String,
    /// Its id.
    pub sourced_id: Uuid,
    /// What would become of it.
    pub change: Change,
}

/// What an operator said when putting a delivery aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Held {
    /// Why it waits, for whoever sent it.
    pub fn notes(&self) -> Vec<Note> {
        let note = |passed: &Passed| Note::new(Pointer::root(), "held", passed.why());
        self.passed.iter().map(note).collect()
    }
}

impl Passed {
    /// What it is that is so much.
    pub fn why(&self) -> String {
        let Self { kind, part, change, count, of } = self;
        let whom = part.as_ref().map_or_else(|| kind.clone(), |part| format!("{kind} ({part})"));
        match change {
            Change::Removed => format!("would remove {count} of {of}: {whom}"),
            Change::Updated => format!("would change {count} of {of}: {whom}"),
            Change::Created => format!("would add {count} to {of}: {whom}"),
        }
    }
}
