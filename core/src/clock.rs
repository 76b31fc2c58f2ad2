//! Time and ids as arguments: nothing below `main` reads the wall clock or draws randomness by itself, so that every
//! test can state the exact time and the exact id it expects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use uuid::{NoContext, Uuid};

/// What time it is, and the next id. [`SystemClock`] in a running server, [`FixedClock`] in tests.
pub trait Clock: Send + Sync {
    /// The present instant (UTC).
    fn now(&self) -> Timestamp;

    /// A new UUIDv7 for a delivery or a message: sorts by time, never repeats.
    fn next_id(&self) -> Uuid;
}

/// The machine's own clock and randomness.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that ids come from")]
    fn next_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// A clock that stands still until it is advanced; its ids count up from one.
#[derive(Debug)]
pub struct FixedClock {
    now: Mutex<Timestamp>,
    ids: AtomicU64,
}

impl FixedClock {
    /// A clock that reads `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Mutex::new(now), ids: AtomicU64::new(0) }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_id(&self) -> Uuid {
        let nth = self.ids.fetch_add(1, Ordering::Relaxed) + 1;
        let seconds = u64::try_from(self.now().as_second()).unwrap_or_default();
        let time = uuid::Timestamp::from_unix(NoContext, seconds, 0);
        let mut bytes = *Uuid::new_v7(time).as_bytes();
        bytes[8..].copy_from_slice(&nth.to_be_bytes());
        bytes[6] = 0x70;
        bytes[7] = 0;
        bytes[8] = 0x80;
        Uuid::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, FixedClock};

    #[test]
    fn a_fixed_clock_gives_the_same_ids_every_run() {
        let now = "2026-09-01T08:00:00Z".parse().unwrap();
        let (one, other) = (FixedClock::at(now), FixedClock::at(now));
        let ids: Vec<_> = (0..3).map(|_| one.next_id()).collect();
        let again: Vec<_> = (0..3).map(|_| other.next_id()).collect();
        assert_eq!(ids, again);
        assert!(ids.is_sorted());
        assert_eq!(ids[0].get_version_num(), 7);
    }
}
