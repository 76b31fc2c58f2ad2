//! What is different when the records that are stored are mapped by another version: counts of everything, and the first
//! ones of everything by name. Says nothing of what records and entities hold.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::delivery::{Counts, Passed};
use crate::json::Pointer;

/// What is different. The same records give the same difference, in the same order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// How many records were looked at, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u64>,
    /// What would happen to the records of each type, by name.
    pub records: BTreeMap<String, RecordCounts>,
    /// What would happen to the entities of each kind, by name.
    pub entities: BTreeMap<String, Counts>,
    /// How many entities of each kind would change in each field.
    pub fields: BTreeMap<String, BTreeMap<String, u64>>,
    /// The entities that would change, by kind and id.
    pub changes: Vec<EntityChange>,
    /// How many more would.
    pub changes_omitted: u64,
    /// What the mapper has against records that it took before, by record type.
    pub troubles: Vec<Trouble>,
    /// How many more kinds of trouble there are.
    pub troubles_omitted: u64,
    /// What is more than is likely: it would wait for an operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Passed>,
}

/// What would happen to the records of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordCounts {
    /// All that are stored.
    pub stored: u64,
    /// Those that would be mapped anew; the others have been mapped by this very version.
    pub mapped: u64,
    /// Those that wait for something that they refer to, and are left alone.
    pub waiting: u64,
    /// Those that would be refused and were not.
    pub newly_refused: u64,
    /// Those that the mapper would trap on and did not.
    pub newly_faulted: u64,
    /// Those that would wait for an entity that they refer to and did not.
    pub newly_waiting: u64,
    /// Those that were refused, or trapped on, and would be taken.
    pub newly_taken: u64,
    /// Those that break the schema of their type: they would be refused if they were sent again.
    pub breaking_schema: u64,
    /// Those whose type is gone: they stay stored and say what they said.
    pub forgotten: u64,
}

/// What would happen to an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityChange {
    /// Its kind.
    pub kind: String,
    /// Its id.
    #[schemars(with = "String")]
    pub sourced_id: Uuid,
    /// What would happen.
    pub happens: Happening,
    /// The fields that would be others, where it is there before and afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// What would happen to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Happening {
    /// It would be new.
    Created,
    /// It would say something else.
    Updated,
    /// It was gone and would be there again.
    Restored,
    /// It would be marked `tobedeleted`.
    Removed,
}

/// What a mapper has against records that were taken before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// The record type's name.
    pub record: String,
    /// Where in the record.
    #[schemars(with = "String")]
    pub pointer: Pointer,
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// In how many records.
    pub records: u64,
}

impl Happening {
    /// The word for it, in JSON and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Restored => "restored",
            Self::Removed => "removed",
        }
    }
}

impl Difference {
    /// Whether readers would see nothing of it, and no record that was taken would be refused.
    pub fn is_quiet(&self) -> bool {
        let same = |counts: &Counts| counts.created + counts.updated + counts.removed == 0;
        let taken = |counts: &RecordCounts| {
            counts.newly_refused + counts.newly_faulted + counts.newly_waiting + counts.newly_taken == 0
        };
        self.entities.values().all(same) && self.records.values().all(taken)
    }
}
