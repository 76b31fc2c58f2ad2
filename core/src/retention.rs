//! How long what was stored is kept, as settings: per connection, each by a name of its own, and nothing goes where nobody
//! said so.
//!
//! What is true now (records, active entities, what may be skipped) is never pruned; only how it came to be so is. Who
//! reads the feed from a place before which tombstones went is told (see [`Reader::horizon`](crate::store::read::Reader::horizon)).
//!
//! To keep something else for a while only: a setting here, an arm of [`Prune`], its statement in each store.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hours of a day: what is kept is kept for so many hours, whatever a calendar says of some day.
const HOURS: i64 = 24;

/// For how long things are kept. What is not said is kept for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Days that the body of a delivery is kept after it was received. What became of it stays known.
    pub bodies_days: Option<u32>,
    /// Bytes that the bodies of a connection may take, compressed as they are stored. The oldest go first.
    pub bodies_bytes_max: Option<u64>,
    /// Days that a delivery is known at all, with its report and its log.
    pub deliveries_days: Option<u32>,
    /// Days that is known what was sent to subscribers, after it was taken or given up.
    pub sends_days: Option<u32>,
    /// Days that the feed shows of an entity that it is gone. Who has not read the feed for so long reads everything anew.
    pub feed_days: Option<u32>,
}

/// One thing to prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Bodies of deliveries that were received before.
    Bodies(Timestamp),
    /// The oldest bodies, until they take no more bytes than these.
    BodiesOver(u64),
    /// Deliveries that were received before.
    Deliveries(Timestamp),
    /// What was sent and happened before.
    Sends(Timestamp),
    /// Entities that have been gone since before.
    Tombstones(Timestamp),
}

impl Retention {
    /// What is said here, and what `other` says where nothing is said here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            bodies_days: self.bodies_days.or(other.bodies_days),
            bodies_bytes_max: self.bodies_bytes_max.or(other.bodies_bytes_max),
            deliveries_days: self.deliveries_days.or(other.deliveries_days),
            sends_days: self.sends_days.or(other.sends_days),
            feed_days: self.feed_days.or(other.feed_days),
        }
    }

    /// What is to be pruned now.
    pub fn due(self, now: Timestamp) -> Vec<Prune> {
        let before = |days: Option<u32>| {
            let age = SignedDuration::from_hours(i64::from(days?) * HOURS);
            now.checked_sub(age).ok()
        };
        let due = [
            before(self.bodies_days).map(Prune::Bodies),
            self.bodies_bytes_max.map(Prune::BodiesOver),
            before(self.deliveries_days).map(Prune::Deliveries),
            before(self.sends_days).map(Prune::Sends),
            before(self.feed_days).map(Prune::Tombstones),
        ];
        due.into_iter().flatten().collect()
    }
}

impl Prune {
    /// The word for what goes, in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bodies(_) | Self::BodiesOver(_) => "bodies",
            Self::Deliveries(_) => "deliveries",
            Self::Sends(_) => "sends",
            Self::Tombstones(_) => "tombstones",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Prune, Retention};

    #[test]
    fn nothing_goes_unless_somebody_says_so() {
        let now = "2026-09-01T08:00:00Z".parse().unwrap();
        assert_eq!(Retention::default().due(now), []);
        let both = Retention { bodies_days: Some(1), bodies_bytes_max: Some(7), ..Retention::default() };
        let before = "2026-08-31T08:00:00Z".parse().unwrap();
        assert_eq!(both.due(now), [Prune::Bodies(before), Prune::BodiesOver(7)]);
    }

    #[test]
    fn a_connection_says_more_than_its_server() {
        let own = Retention { bodies_days: Some(1), ..Retention::default() };
        let all = Retention { bodies_days: Some(30), sends_days: Some(7), ..Retention::default() };
        assert_eq!(own.or(all), Retention { bodies_days: Some(1), sends_days: Some(7), ..Retention::default() });
    }
}
