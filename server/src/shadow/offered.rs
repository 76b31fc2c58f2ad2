//! Takes what was sent to be looked at by two versions, later; and leaves out what there is no room for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rollcall_core::delivery::Received;
use rollcall_core::ingest::{Loaded, WrittenRecord};
use rollcall_core::store::tally::{Outcome, Seen};
use uuid::Uuid;

use super::comparison::look;
use crate::access::Connection;
use crate::app::App;
use crate::intake::blocking;

/// A delivery, to be looked at by two versions.
#[derive(Debug)]
pub struct Offered {
    /// The delivery.
    pub delivery: Uuid,
    /// What they look at.
    pub what: What,
}

/// What two versions look at.
#[derive(Debug)]
pub enum What {
    /// A body that was sent.
    Sent {
        /// The operation.
        operation: String,
        /// The body.
        body: Arc<[u8]>,
    },
    /// What a call about single records wrote.
    Written {
        /// The operation, by its place among those of the version in use.
        operation: usize,
        /// The records.
        records: Vec<WrittenRecord>,
    },
}

impl Offered {
    /// What was received, if it has a body.
    pub fn of(received: &Received) -> Option<Self> {
        let (delivery, operation) = (received.id, received.operation.clone());
        received.body.clone().map(|body| Self { delivery, what: What::Sent { operation, body } })
    }

    /// What was written, if that is anything.
    pub fn written(delivery: Uuid, operation: usize, records: Vec<WrittenRecord>) -> Option<Self> {
        (!records.is_empty()).then_some(Self { delivery, what: What::Written { operation, records } })
    }

    fn size(&self) -> usize {
        match &self.what {
            What::Sent { body, .. } => body.len(),
            What::Written { records, .. } => records.iter().map(WrittenRecord::size).sum(),
        }
    }
}

/// Has what was sent looked at by both versions, later; the caller does not wait.
pub fn offer(app: &Arc<App>, from: &Arc<Connection>, active: &Arc<Loaded>, offered: Offered) {
    let shadow = app.shadows.of(&active.partner.name).filter(|shadow| from.permits(&shadow.loaded));
    let Some(shadow) = shadow else { return };
    let limits = &app.ingest.limits;
    let delivery = offered.delivery;
    let waiting = Arc::clone(&app.shadows.waiting);
    let has_room = waiting.fetch_add(1, Ordering::Relaxed) < limits.shadow_deliveries_max;
    if !has_room || offered.size() > limits.shadow_bytes_max {
        waiting.fetch_sub(1, Ordering::Relaxed);
        let seen = Seen { delivery, outcome: Outcome::Dropped, differences: Vec::new() };
        return app.shadows.count(&shadow, seen);
    }
    let (app, from, active) = (Arc::clone(app), Arc::clone(from), Arc::clone(active));
    tokio::spawn(async move {
        // It is never closed.
        let _turn = app.shadows.turn.acquire().await;
        let looking = {
            let (app, shadow) = (Arc::clone(&app), Arc::clone(&shadow));
            async move { look(&app, &from, [&active, &shadow.loaded], &offered.what) }
        };
        let (outcome, differences) = match blocking(looking).await {
            Ok(found) => found,
            Err(_) => (Outcome::Faulted, vec!["looking at it panicked".to_owned()]),
        };
        app.shadows.count(&shadow, Seen { delivery, outcome, differences });
        app.shadows.waiting.fetch_sub(1, Ordering::Release);
    });
}
