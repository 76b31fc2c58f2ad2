//! Says whose turn it is: deliveries of one connection one after the other, deliveries of one partner a few at a time,
//! so that neither a busy connection nor a slow mapper delays what belongs to another partner.
//!
//! Waiting costs no thread. A connection's turn is taken first: its queue never holds the partner's places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_core::limits::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The queues of all connections and partners.
#[derive(Debug)]
pub struct Turns {
    waiting_max: usize,
    partner_max: usize,
    queues: Mutex<HashMap<String, Arc<Queue>>>,
}

/// One connection's or one partner's queue.
#[derive(Debug)]
struct Queue {
    /// Who may enter the queue at all.
    places: Arc<Semaphore>,
    /// Whose turn it is.
    turns: Arc<Semaphore>,
}

/// Somebody waits in a connection's queue, or is worked on, until this is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// It is your turn until this is dropped.
#[derive(Debug)]
pub struct Turn {
    _permits: [OwnedSemaphorePermit; 2],
    _place: Option<Place>,
}

/// Too many are waiting already.
#[derive(Debug, thiserror::Error)]
#[error("too many deliveries of this connection are waiting")]
pub struct Busy;

impl Turns {
    /// No one waits yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            waiting_max: limits.queue_deliveries_max,
            partner_max: limits.partner_mappings_max,
            queues: Mutex::default(),
        }
    }

    /// Waits for the turn of a delivery. Refuses at once where the connection's queue is full.
    pub async fn take(&self, tenant: &str, connection: &str, partner: &str) -> Result<Turn, Busy> {
        let place = self.enter(tenant, connection)?;
        let turn = self.next(tenant, connection, partner).await?;
        Ok(Turn { _place: Some(place), ..turn })
    }

    /// A place in the connection's queue. Refuses at once where that is full.
    pub fn enter(&self, tenant: &str, connection: &str) -> Result<Place, Busy> {
        let places = Arc::clone(&self.own(tenant, connection).places);
        Ok(Place { _permit: places.try_acquire_owned().map_err(|_| Busy)? })
    }

    /// Waits for the turn of those who have a place already.
    pub async fn next(&self, tenant: &str, connection: &str, partner: &str) -> Result<Turn, Busy> {
        let own = self.own(tenant, connection);
        let shared = self.queue(partner.to_owned(), self.partner_max, Semaphore::MAX_PERMITS);
        let turn = Arc::clone(&own.turns).acquire_owned().await.map_err(|_| Busy)?;
        let mapping = Arc::clone(&shared.turns).acquire_owned().await.map_err(|_| Busy)?;
        Ok(Turn { _permits: [turn, mapping], _place: None })
    }

    fn own(&self, tenant: &str, connection: &str) -> Arc<Queue> {
        self.queue(format!("{tenant}\n{connection}"), 1, self.waiting_max + 1)
    }

    /// The queue called `name`. Names of connections hold a line feed, names of partners never do.
    fn queue(&self, name: String, turns: usize, places: usize) -> Arc<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let new =
            || Arc::new(Queue { places: Arc::new(Semaphore::new(places)), turns: Arc::new(Semaphore::new(turns)) });
        Arc::clone(queues.entry(name).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rollcall_core::limits::Limits;
    use tokio::time::timeout;

    use super::Turns;

    fn turns() -> Turns {
        Turns::new(&Limits { queue_deliveries_max: 1, partner_mappings_max: 2, ..Limits::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn one_connection_goes_one_by_one_and_its_queue_is_bounded() {
        let turns = turns();
        let first = turns.take("t", "a", "p").await.unwrap();
        let second = turns.take("t", "a", "p");
        tokio::pin!(second);
        assert!(timeout(Duration::from_secs(1), second.as_mut()).await.is_err(), "the first still has its turn");
        assert!(turns.take("t", "a", "p").await.is_err(), "one is waiting already");
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_partner_delays_no_other() {
        let turns = turns();
        let _one = turns.take("t", "a", "p").await.unwrap();
        let _two = turns.take("t", "b", "p").await.unwrap();
        assert!(timeout(Duration::from_secs(1), turns.take("t", "c", "p")).await.is_err());
        assert!(timeout(Duration::from_secs(1), turns.take("t", "d", "q")).await.unwrap().is_ok());
    }
}
