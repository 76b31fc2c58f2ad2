//! Knows how much of each connection is queued and since when, so that a queue that grows faster than it is worked on stops
//! growing at a limit: what is not acknowledged stays with its sender, who is told to come again.
//!
//! The store knows it exactly and is asked now and then; what is added and ends in between is counted here. It is a limit,
//! not a ledger: several processes together may let in a few more than it says.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rollcall_core::ingest::Sender;
use rollcall_core::limits::Limits;
use rollcall_core::store::{ConnectionName, Queue};

/// What is queued.
#[derive(Debug)]
pub struct Backlog {
    length_max: u64,
    age_max: SignedDuration,
    queues: Mutex<HashMap<ConnectionName, Known>>,
}

/// What is known of one connection's queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    length: u64,
    /// When the oldest was received.
    oldest: Option<Timestamp>,
}

/// Why no more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// `queued_deliveries_max`.
    #[error("too many deliveries of this connection are waiting to be worked on")]
    Long,
    /// `queued_age_seconds_max`.
    #[error("what this connection sent is waiting to be worked on for too long")]
    Old,
}

impl Backlog {
    /// Nothing is known yet.
    pub fn new(limits: &Limits) -> Self {
        let age_max = i64::try_from(limits.queued_age_seconds_max).unwrap_or(i64::MAX);
        Self {
            length_max: limits.queued_deliveries_max,
            age_max: SignedDuration::from_secs(age_max),
            queues: Mutex::default(),
        }
    }

    /// What the store says that there is.
    pub fn learn(&self, queues: impl IntoIterator<Item = Queue>) {
        let known = |Queue { tenant, connection, length, oldest }| {
            ((tenant, connection), Known { length, oldest: Some(oldest) })
        };
        *self.lock() = queues.into_iter().map(known).collect();
    }

    /// Whether one more may be queued.
    pub fn check(&self, sender: &Sender, now: Timestamp) -> Result<(), Full> {
        let known = self.lock().get(&name(sender)).copied().unwrap_or_default();
        if known.length >= self.length_max {
            return Err(Full::Long);
        }
        let is_old = known.oldest.is_some_and(|oldest| now.duration_since(oldest) > self.age_max);
        if is_old { Err(Full::Old) } else { Ok(()) }
    }

    /// One more was queued.
    pub fn added(&self, sender: &Sender, at: Timestamp) {
        let mut queues = self.lock();
        let known = queues.entry(name(sender)).or_default();
        known.length += 1;
        known.oldest.get_or_insert(at);
    }

    /// One of them has ended; which one is the oldest now is learned later.
    pub fn ended(&self, sender: &Sender) {
        if let Some(known) = self.lock().get_mut(&name(sender)) {
            known.length = known.length.saturating_sub(1);
            if known.length == 0 {
                known.oldest = None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionName, Known>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(sender: &Sender) -> ConnectionName {
    (sender.tenant.clone(), sender.connection.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::{SignedDuration, Timestamp};
    use rollcall_core::ingest::Sender;
    use rollcall_core::limits::Limits;
    use rollcall_core::store::Queue;
    use serde_json::Value;

    use super::{Backlog, Full};

    fn sender(connection: &str) -> Sender {
        Sender {
            tenant: "north".to_owned(),
            connection: connection.to_owned(),
            options: Arc::new(Value::Null),
            thresholds: Arc::default(),
        }
    }

    #[test]
    fn a_queue_stops_growing_at_its_length_and_at_its_age() {
        let now: Timestamp = "2026-09-01T08:00:00Z".parse().unwrap();
        let backlog =
            Backlog::new(&Limits { queued_deliveries_max: 2, queued_age_seconds_max: 60, ..Limits::default() });
        let school = sender("school");
        for _ in 0..2 {
            assert_eq!(backlog.check(&school, now), Ok(()));
            backlog.added(&school, now);
        }
        assert_eq!(backlog.check(&school, now), Err(Full::Long));
        assert_eq!(backlog.check(&sender("annex"), now), Ok(()), "each connection has its own");
        backlog.ended(&school);
        assert_eq!(backlog.check(&school, now), Ok(()));
        let late = now + SignedDuration::from_secs(61);
        assert_eq!(backlog.check(&school, late), Err(Full::Old));
        backlog.ended(&school);
        assert_eq!(backlog.check(&school, late), Ok(()), "nothing is left that could be old");
    }

    #[test]
    fn what_the_store_says_counts() {
        let now: Timestamp = "2026-09-01T08:00:00Z".parse().unwrap();
        let backlog = Backlog::new(&Limits { queued_deliveries_max: 9, ..Limits::default() });
        let school = sender("school");
        let (tenant, connection) = super::name(&school);
        backlog.learn([Queue { tenant, connection, length: 9, oldest: now }]);
        assert_eq!(backlog.check(&school, now), Err(Full::Long));
        backlog.learn([]);
        assert_eq!(backlog.check(&school, now), Ok(()));
    }
}
