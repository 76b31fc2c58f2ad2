//! What versions come to that run beside the ones in use, as a store keeps it.
//!
//! Each process has a row of its own for each run, and writes it as a whole: who does not know whether it was written writes
//! it again, nobody waits for anybody, and what somebody counted who is gone stays counted. All of them together are read.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StoreError;

/// A version that runs beside the one in use, from when that was decided until something else is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The partner's name.
    pub partner: String,
    /// The number of the log's line that tells of the decision.
    pub number: i64,
}

/// What a run has come to. Says nothing of what records and entities hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many deliveries came to what.
    pub counts: BTreeMap<Outcome, u64>,
    /// The last that came to something else, the newest first.
    pub last: Vec<Seen>,
}

/// A delivery that came to something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The delivery.
    pub delivery: Uuid,
    /// What it came to.
    pub outcome: Outcome,
    /// In what the two differ, by shape.
    pub differences: Vec<String>,
}

/// What a delivery comes to with the version that runs beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The same.
    Same,
    /// Something else.
    Different,
    /// More is rejected or refused.
    Refused,
    /// More faults, or all of it.
    Faulted,
    /// Nobody looked: it is too large, or too many waited.
    Dropped,
}

/// What keeps tallies.
#[async_trait]
pub trait Tallies: Send + Sync {
    /// Keeps what a process has counted of a run in the place of what it had counted before.
    async fn put_tally(&self, run: &Run, process: Uuid, tally: &Tally) -> Result<(), StoreError>;

    /// What each process has counted of a run, in no order.
    async fn tallies(&self, run: &Run) -> Result<Vec<Tally>, StoreError>;

    /// Forgets what was counted of a partner's runs before the one with this number.
    async fn forget_tallies(&self, partner: &str, before: i64) -> Result<(), StoreError>;
}

impl Outcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Refused => "refused",
            Self::Faulted => "faulted",
            Self::Dropped => "dropped",
        }
    }
}

impl Tally {
    /// Deliveries that are shown of those that came to something else.
    pub const SHOWN_MAX: usize = 20;

    /// Counts a delivery, and shows it if it came to something else.
    pub fn count(&mut self, seen: Seen) {
        *self.counts.entry(seen.outcome).or_default() += 1;
        if !matches!(seen.outcome, Outcome::Same | Outcome::Dropped) {
            self.last.insert(0, seen);
            self.last.truncate(Self::SHOWN_MAX);
        }
    }

    /// What several have counted together. Ids of deliveries grow: the newest is who has the largest.
    pub fn sum(tallies: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        for Self { counts, last } in tallies {
            for (outcome, count) in counts {
                *sum.counts.entry(outcome).or_default() += count;
            }
            sum.last.extend(last);
        }
        sum.last.sort_by_key(|seen| std::cmp::Reverse(seen.delivery));
        sum.last.truncate(Self::SHOWN_MAX);
        sum
    }
}
