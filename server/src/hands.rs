//! What this process is at, so that it can let go of everything else that is marked as its own.
//!
//! A database that ends while it is asked may have marked something and told nobody, and one that crashes may forget what
//! it was told last. Either way something would be this process's for as long as it lives, and nobody would be at it. So
//! every sign of life goes with a list of what is really in hand (see `presence`).
//!
//! To claim one more kind of thing: a set in [`Held`], filled between [`Hands::claiming`] and the end of what that gives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rollcall_core::store::{ConnectionName, Held};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

/// What this process is at.
#[derive(Debug, Default)]
pub struct Hands {
    held: Mutex<Held>,
    claims: RwLock<()>,
}

/// A delivery that is being answered. Where this is dropped before the delivery has ended, it never will by itself.
#[derive(Debug)]
pub struct Answering {
    hands: Arc<Hands>,
    delivery: Uuid,
    has_ended: bool,
}

impl Hands {
    /// Something is about to be claimed: as long as this is held, nothing is let go of.
    pub async fn claiming(&self) -> RwLockReadGuard<'_, ()> {
        self.claims.read().await
    }

    /// As long as this is held, nothing is claimed.
    pub async fn still(&self) -> RwLockWriteGuard<'_, ()> {
        self.claims.write().await
    }

    /// What is in hand.
    pub fn held(&self) -> Held {
        self.lock().clone()
    }

    /// These deliveries have been taken care of.
    pub fn have_ended(&self, deliveries: &Held) {
        self.lock().unended.retain(|delivery| !deliveries.unended.contains(delivery));
    }

    /// A connection's queue was claimed.
    pub fn take_queue(&self, name: &ConnectionName) {
        self.lock().queues.insert(name.clone());
    }

    /// Nobody here works on a connection's queue any more.
    pub fn leave_queue(&self, name: &ConnectionName) {
        self.lock().queues.remove(name);
    }

    /// Whether somebody here works on a connection's queue: whoever does looks for more after having left it.
    pub fn has_queue(&self, tenant: &str, connection: &str) -> bool {
        let held = self.lock();
        held.queues.iter().any(|name| (name.0.as_str(), name.1.as_str()) == (tenant, connection))
    }

    /// A send was claimed.
    pub fn take_send(&self, send: Uuid) {
        self.lock().sends.insert(send);
    }

    /// Nobody here sends it any more.
    pub fn leave_send(&self, send: Uuid) {
        self.lock().sends.remove(&send);
    }

    /// A delivery is about to be kept and answered.
    pub fn answer(self: &Arc<Self>, delivery: Uuid) -> Answering {
        Answering { hands: Arc::clone(self), delivery, has_ended: false }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answering {
    /// What became of it is stored, or it was never kept.
    pub fn end(mut self) {
        self.has_ended = true;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if !self.has_ended {
            self.hands.lock().unended.insert(self.delivery);
        }
    }
}
