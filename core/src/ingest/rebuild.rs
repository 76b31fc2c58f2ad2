//! Folds the state of a connection again from all that it sent, beside the state that is there, and says what is different;
//! and puts the one in the place of the other.
//!
//! What a delivery comes to goes by what it says, by the time at which it was received, and by the state before: so who works
//! on the same deliveries in the order in which they were applied comes to the same state. It is folded into a store of its
//! own, by the very stages that every delivery passes. Where that ends early it is gone on with: a delivery that the other
//! store knows has been worked on.
//!
//! What was not kept cannot be folded: how many deliveries that were is told, and then nothing is replaced.

mod compare;
mod replace;

use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;

pub use self::compare::{Difference, Different};
use super::{Ingest, IngestError, Loaded, Sender};
use crate::delivery::Status;
use crate::description::{Change, Operation, RecordTypeId, Shape, Verb};
use crate::hold::Thresholds;
use crate::store::archive::StoredCall;
use crate::store::{Connection, Store, StoreError};
use crate::validate::Schema;

/// The operation that deliveries came by which only put a rebuilt state in place. No description has one of this name.
pub const REBUILD: &str = "$rebuild";

/// Deliveries that are read at a time: each may be large.
const AT_A_TIME: u32 = 8;

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Folded {
    /// The place of the last delivery that was looked at, in the order in which they were applied.
    pub place: i64,
    /// Deliveries that were worked on, before this was gone on with included.
    pub deliveries: u64,
    /// Deliveries that cannot be worked on: what they said is not kept, or their operation is not there any more.
    pub missing: u64,
    /// Deliveries that are not taken any more as they were.
    pub refused: u64,
}

/// What becomes of a delivery that is folded again.
enum Again {
    Done,
    Missing,
    Refused,
}

/// A rebuild under way.
pub struct Rebuild<'r> {
    /// What is there.
    live: &'r Ingest,
    /// What is being folded.
    scratch: Ingest,
    sender: Sender,
    loaded: &'r Loaded,
    folded: Folded,
}

impl Ingest {
    /// Folds the state of a connection again into `scratch`, which is empty or holds what an earlier rebuild of the same
    /// connection, by the same version, left there.
    pub async fn rebuild<'r>(
        &'r self,
        sender: &Sender,
        loaded: &'r Loaded,
        scratch: Arc<dyn Store>,
    ) -> Result<Rebuild<'r>, IngestError> {
        scratch.prepare_canonical(&self.canonical).await?;
        scratch.prepare_partner(&loaded.partner).await?;
        let sender = Sender { thresholds: Arc::new(Thresholds::off()), ..sender.clone() };
        let (canonical, clock) = (Arc::clone(&self.canonical), Arc::clone(&self.clock));
        let scratch = Self::new(scratch, canonical, clock, self.limits.clone());
        Ok(Rebuild { live: self, scratch, sender, loaded, folded: Folded::default() })
    }
}

impl Rebuild<'_> {
    /// How far it is.
    pub fn folded(&self) -> Folded {
        self.folded
    }

    /// Folds a few more deliveries; whether there may be more. Must run on a thread that may block.
    pub async fn step(&mut self) -> Result<bool, IngestError> {
        let live = self.connection(self.live).await?;
        let calls = self.live.store.archive().applied(&live, self.folded.place, AT_A_TIME).await?;
        for call in &calls {
            match self.again(call).await? {
                Again::Done => self.folded.deliveries += 1,
                Again::Missing => self.folded.missing += 1,
                Again::Refused => {
                    self.folded.deliveries += 1;
                    self.folded.refused += 1;
                }
            }
            self.folded.place = call.applied.unwrap_or(self.folded.place);
        }
        Ok(!calls.is_empty())
    }

    async fn connection(&self, ingest: &Ingest) -> Result<Connection, StoreError> {
        ingest.connect(&self.sender, self.loaded).await
    }

    /// Works on a delivery once more, unless that was done before.
    async fn again(&self, call: &StoredCall) -> Result<Again, IngestError> {
        let scratch = self.connection(&self.scratch).await?;
        let known = self.scratch.store.archive().call(&scratch, call.id).await?;
        let status = known.as_ref().map(|known| known.status);
        match status {
            Some(Status::Applied | Status::Unchanged) => return Ok(Again::Done),
            Some(Status::Rejected | Status::Failed) => return Ok(Again::Refused),
            _ => {}
        }
        if call.operation.starts_with('$') {
            return Ok(Again::Done); // it only did what follows from others
        }
        let Some(operation) = self.operation(&call.operation) else { return Ok(Again::Missing) };
        let has_body = operation.body.is_some();
        if has_body && call.body.is_none() || call.content_encoding.is_some() {
            return Ok(Again::Missing);
        }
        let mut received = call.received(call.id, call.first);
        let report = if matches!(operation.verb, Verb::Resource(_) | Verb::Receive) {
            self.scratch.write(&self.sender, self.loaded, &operation, received, false).await?.report
        } else {
            received.queued = true;
            if known.is_none() {
                self.scratch.enqueue(&self.sender, self.loaded, &received).await?;
            }
            self.scratch.run(&self.sender, self.loaded, &operation, received, false).await?.report
        };
        Ok(if matches!(report.status, Status::Applied | Status::Unchanged) { Again::Done } else { Again::Refused })
    }

    /// The operation that deliveries came by: a partner's, or one of its operators'.
    fn operation(&self, id: &str) -> Option<Named<'_>> {
        let partner = &self.loaded.partner;
        let among_operators = || partner.operator.iter().find(|operation| operation.id == id);
        if let Some(operation) = partner.operation(id).or_else(among_operators) {
            return Some(Named::Described(operation));
        }
        let name = id.strip_suffix(REMOVAL)?;
        let of = (0..).zip(&partner.records).find_map(|(at, of)| (of.name == name).then_some(RecordTypeId(at)))?;
        Some(Named::Removal(Box::new(removal(name, of))))
    }
}

/// An operation that a delivery came by.
enum Named<'o> {
    Described(&'o Operation),
    Removal(Box<Operation>),
}

impl Deref for Named<'_> {
    type Target = Operation;

    fn deref(&self) -> &Operation {
        match self {
            Self::Described(operation) => operation,
            Self::Removal(operation) => operation,
        }
    }
}

/// What the operation's name ends with by which operators remove records of a type.
const REMOVAL: &str = ".delete";

/// The operation by which operators remove records of a type: its body names one.
pub fn removal(name: &str, of: RecordTypeId) -> Operation {
    let record = Shape::Record(of, Vec::new());
    let shape = Shape::Changed(Change::Delete, Box::new(record));
    Operation::of_operator(format!("{name}{REMOVAL}"), of, Schema::default(), shape)
}
