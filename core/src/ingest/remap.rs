//! Takes the records that are stored of a connection through another version of their partner: what would that change, and
//! that change itself.
//!
//! Mapping is a function of one record, so what another version makes of the records that are there is known exactly
//! beforehand: [`Ingest::foresee`] maps them, folds and plans as a commit would, and says what is different. The same, for
//! real, is done part by part, each a commit of its own, so that who sends meanwhile never waits for more than one.
//!
//! What belongs together is in one part (`Touched::ties`), so that readers never see one half of it, and parts can be taken
//! in any order, or the rest another day, and come to the same. Nothing is noted of how far it is: a record that the
//! version has mapped carries its digest and is left out by whoever starts again.
//!
//! A record that waits for something it refers to is left alone: whatever brings that has it mapped, by the version of
//! that time.
//!
//! Where all of it together would change more than is likely it waits for an operator, like a payload that would. That is
//! looked at before the first part, and not again while there are further ones.

mod before;
mod difference;
mod entities;
mod look;
mod part;
mod parts;
mod stored;
mod waiting;

use std::fmt;

pub use self::difference::{Difference, EntityChange, Happening, RecordCounts, Trouble};
use self::look::Looking;
use super::{ATTEMPTS_MAX, Ingest, IngestError, Loaded, Sender};
use crate::costs::Costs;
use crate::delivery::{Asked, Held, Received, Report};
use crate::description::{Operation, RecordTypeId, Shape};
use crate::digest::Digest;
use crate::map::{Budget, DecodeError, Input, MapError, Mapped};
use crate::store::{RecordId, StoreError};
use crate::validate::Schema;

/// The operation that deliveries came by which only map anew what is stored. No description has one of this name.
pub const REMAP: &str = "$remap";

/// What another version would make of what is stored, and the parts in which that is done.
#[derive(Debug)]
pub struct Foreseen {
    /// What is different.
    pub difference: Difference,
    /// The generation of the connection that was looked at.
    pub generation: i64,
    /// What belongs together, the oldest first.
    pub parts: Vec<Part>,
    /// Digest of all that would become of entities, hexadecimal.
    pub plan: String,
    /// Why it would have to wait for an operator, if it would.
    pub held: Option<Held>,
}

/// Records that are mapped anew in one commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part(Vec<RecordId>);

impl Part {
    /// How many records.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where a part stands among those of a remap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// There are others after it.
    Within,
    /// With it, all is done.
    Last,
}

/// Says how many of so many records have been looked at.
pub type Progress<'p> = &'p (dyn Fn(usize, usize) + Send + Sync);

/// Why nothing is known of what another version would make of what is stored.
#[derive(Debug, thiserror::Error)]
pub enum RemapError {
    /// What records say could not be found out.
    #[error("failed to map")]
    Map(#[from] MapError),
    /// It could not be read, or stored.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

impl From<StoreError> for RemapError {
    fn from(error: StoreError) -> Self {
        Self::Ingest(error.into())
    }
}

impl From<DecodeError> for RemapError {
    fn from(error: DecodeError) -> Self {
        StoreError::Inconsistent(error.to_string()).into()
    }
}

impl RemapError {
    /// Whether it may go well another time.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Map(MapError::Deadline(_) | MapError::Busy) | Self::Ingest(_))
    }
}

/// Which of the records are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// All of them: what is foreseen is exact.
    All,
    /// So many, spread evenly; what others say of the same entities is taken as it is.
    Some(usize),
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all records"),
            Self::Some(count) => write!(f, "a sample of {count} records"),
        }
    }
}

impl Ingest {
    /// What version `to` would make of what is stored of a connection, whose tables are as version `from` has them. Stores
    /// nothing.
    ///
    /// Must run on a thread that may block: it is mostly computing, and all that is different is in memory meanwhile.
    pub async fn foresee(
        &self,
        sender: &Sender,
        from: &Loaded,
        to: &Loaded,
        sample: Sample,
        progress: Progress<'_>,
    ) -> Result<Foreseen, RemapError> {
        let operation = operation();
        let received = self.nothing(Digest::of(b""));
        let work = self.work(sender, to, &operation, &received, true);
        let done = Looking { work: &work, from, sample, progress }.run().await;
        self.meter.spent(sender, &to.partner.name, &work.costs);
        done
    }

    /// Maps the records of a part anew and applies what is different, all of it or nothing; says what that was.
    ///
    /// It must be the connection's turn. Must run on a thread that may block.
    pub async fn remap(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        part: &Part,
        place: Place,
    ) -> Result<Report, RemapError> {
        let operation = operation();
        let mut received = self.nothing(Digest::of(b""));
        let work = self.work(sender, loaded, &operation, &received, false);
        if place == Place::Within {
            received.sha256 = *work.mapping.as_bytes();
        }
        let mut done = Err(StoreError::Stale.into());
        let mut connection = self.connect(sender, loaded).await?;
        for _ in 0..ATTEMPTS_MAX {
            done = work.remap(&connection, part, received.clone()).await;
            let Err(RemapError::Ingest(IngestError::Store(StoreError::Stale))) = done else { break };
            work.costs.begun_again();
            connection = self.store.hold(&connection).await?;
        }
        self.meter.spent(sender, &loaded.partner.name, &work.costs);
        done
    }

    /// What a mapper makes of records that nobody sent: a part at a time, each with the means of a delivery. However many
    /// fault, the others are mapped.
    pub(super) fn map_apart(
        &self,
        loaded: &Loaded,
        options: &[u8],
        inputs: &[Input<'_>],
        costs: &Costs,
    ) -> Result<Vec<Mapped>, MapError> {
        let mut limits = self.limits.clone();
        limits.mapper.faults_per_delivery_max = usize::MAX;
        let mut all = Vec::with_capacity(inputs.len());
        for some in inputs.chunks(limits.remap_records.max(1)) {
            let budget = Budget::new(&limits);
            let mapped = loaded.mapper.map(&self.canonical, options, some, &budget);
            costs.used(budget.fuel_used(), budget.memory_used());
            all.extend(mapped?);
        }
        Ok(all)
    }

    /// A delivery that has no body, because nobody sent it. Its digest says by what is being mapped anew, as long as there
    /// is more to map.
    fn nothing(&self, digest: Digest) -> Received {
        Received {
            id: self.clock.next_id(),
            first: None,
            asked: Asked::default(),
            operation: REMAP.to_owned(),
            at: self.clock.now(),
            body: None,
            content_encoding: None,
            sha256: *digest.as_bytes(),
            size: 0,
            queued: false,
        }
    }
}

/// What the stages take such a delivery for.
fn operation() -> Operation {
    Operation::of_operator(REMAP.to_owned(), RecordTypeId(0), Schema::default(), Shape::Plain)
}

#[cfg(test)]
mod tests;
