//! Says which calls of a connection go on at all: so many in a second, so many at the same time. Whoever is refused is told
//! when to come again; one partner's loop in a script costs the others nothing.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use rollcall_core::ingest::Sender;
use rollcall_core::limits::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The gates of all connections.
#[derive(Debug)]
pub struct Admission {
    quota: Quota,
    calls_max: usize,
    clock: DefaultClock,
    gates: Mutex<HashMap<(String, String), Arc<Gate>>>,
}

/// What the calls of one connection pass.
#[derive(Debug)]
struct Gate {
    rate: DefaultDirectRateLimiter,
    places: Arc<Semaphore>,
}

/// A call that goes on, until this is dropped.
#[derive(Debug)]
pub struct Admitted {
    _place: OwnedSemaphorePermit,
}

/// Why a call does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There were too many within a short time.
    #[error("too many calls in a short time")]
    TooFast {
        /// When the next one goes on.
        wait: Duration,
    },
    /// Too many are in progress.
    #[error("too many calls at the same time")]
    TooMany,
}

impl Admission {
    /// No one has called yet.
    pub fn new(limits: &Limits) -> Self {
        let at_least_one = |max: u32| NonZeroU32::new(max).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.calls_per_second_max));
        Self {
            quota: quota.allow_burst(at_least_one(limits.calls_burst_max)),
            calls_max: limits.calls_in_progress_max.clamp(1, Semaphore::MAX_PERMITS),
            clock: DefaultClock::default(),
            gates: Mutex::default(),
        }
    }

    /// Lets a call of `sender` go on, or says why not.
    pub fn admit(&self, sender: &Sender) -> Result<Admitted, Refused> {
        let gate = self.gate(sender);
        let place = Arc::clone(&gate.places).try_acquire_owned().map_err(|_| Refused::TooMany)?;
        match gate.rate.check() {
            Ok(()) => Ok(Admitted { _place: place }),
            Err(until) => Err(Refused::TooFast { wait: until.wait_time_from(self.clock.now()) }),
        }
    }

    fn gate(&self, sender: &Sender) -> Arc<Gate> {
        let new = || {
            let rate = RateLimiter::direct_with_clock(self.quota, self.clock.clone());
            Arc::new(Gate { rate, places: Arc::new(Semaphore::new(self.calls_max)) })
        };
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry((sender.tenant.clone(), sender.connection.clone())).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rollcall_core::ingest::Sender;
    use rollcall_core::limits::Limits;
    use serde_json::Value;

    use super::{Admission, Refused};

    fn sender(connection: &str) -> Sender {
        Sender {
            tenant: "north".to_owned(),
            connection: connection.to_owned(),
            options: Arc::new(Value::Null),
            thresholds: Arc::default(),
        }
    }

    #[test]
    fn who_calls_too_often_is_told_when_to_come_again_and_delays_no_other() {
        let limits = Limits { calls_per_second_max: 1, calls_burst_max: 3, ..Limits::default() };
        let admission = Admission::new(&limits);
        for _ in 0..3 {
            assert!(admission.admit(&sender("school")).is_ok());
        }
        let Err(Refused::TooFast { wait }) = admission.admit(&sender("school")) else { panic!("it went on") };
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(admission.admit(&sender("annex")).is_ok());
    }

    #[test]
    fn a_call_that_ends_makes_room_for_another() {
        let admission = Admission::new(&Limits { calls_in_progress_max: 2, ..Limits::default() });
        let (one, _two) = (admission.admit(&sender("school")).unwrap(), admission.admit(&sender("school")).unwrap());
        assert_eq!(admission.admit(&sender("school")).unwrap_err(), Refused::TooMany);
        assert!(admission.admit(&sender("annex")).is_ok());
        drop(one);
        assert!(admission.admit(&sender("school")).is_ok());
    }
}
