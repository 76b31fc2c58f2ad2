//! Turns a delivery into the time and the ids that its effect goes by: whoever works on it again, whenever that is, comes to
//! the same.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::{Builder, Uuid};

use crate::clock::Clock;
use crate::digest::Digest;

/// Bytes of a UUIDv7 beside its time.
const DRAWN_BYTES: usize = 10;

/// The time at which a delivery was received, and ids that follow from it: who works on it again, whenever that is, gets
/// the same.
#[derive(Debug)]
pub struct DeliveryClock {
    delivery: Uuid,
    at: Timestamp,
    drawn: AtomicU64,
}

impl DeliveryClock {
    /// For a delivery that was received at `at`.
    pub fn new(delivery: Uuid, at: Timestamp) -> Self {
        Self { delivery, at, drawn: AtomicU64::new(0) }
    }
}

impl Clock for DeliveryClock {
    fn now(&self) -> Timestamp {
        self.at
    }

    fn next_id(&self) -> Uuid {
        let nth = self.drawn.fetch_add(1, Ordering::Relaxed);
        let digest = Digest::of_parts([self.delivery.as_bytes().as_slice(), &nth.to_be_bytes()]);
        let mut bytes = [0; DRAWN_BYTES];
        bytes.copy_from_slice(&digest.as_bytes()[..DRAWN_BYTES]);
        let milliseconds = u64::try_from(self.at.as_millisecond()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::DeliveryClock;
    use crate::clock::Clock as _;

    #[test]
    fn a_delivery_draws_the_same_ids_whenever_it_is_worked_on() {
        let at = "2026-09-01T08:00:00.123Z".parse().unwrap();
        let drawn = |delivery| {
            let clock = DeliveryClock::new(Uuid::from_u128(delivery), at);
            [clock.next_id(), clock.next_id()]
        };
        assert_eq!(drawn(1), drawn(1));
        let all = [drawn(1), drawn(2)].concat();
        assert!(all.iter().all(|id| id.get_version_num() == 7 && all.iter().filter(|other| *other == id).count() == 1));
    }
}
