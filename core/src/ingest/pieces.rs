//! Turns a delivery into what is written of it, a piece at a time: rows take many times the memory of a body, and are made
//! while others are being written.

use std::collections::BTreeSet;
use std::fmt;

use super::mapping::{Changed, Outcomes};
use crate::plan::Plan;
use crate::store::{self, EntityStep, Placed, RecordId, RecordStep, StoreError};

/// All that is written.
pub(super) struct Pieces<'p> {
    pub(super) changed: &'p Changed<'p, 'p>,
    pub(super) outcomes: &'p Outcomes,
    pub(super) bad: &'p BTreeSet<RecordId>,
    pub(super) planned: &'p Plan<'p>,
}

/// Everything that happens to records and to entities.
type Together<'p> = (Vec<RecordStep<'p>>, Vec<EntityStep<'p>>);

impl<'p> Pieces<'p> {
    /// Whether there are several.
    pub(super) fn are_many(&self) -> bool {
        self.outcomes.pieces() > 1 || self.planned.pieces() > 1
    }

    /// All of it, after what happens to `records` beside.
    pub(super) fn together(&'p self, mut records: Vec<RecordStep<'p>>) -> Result<Together<'p>, StoreError> {
        let mut placed = Vec::with_capacity(self.planned.changes);
        for piece in 0..self.outcomes.pieces() {
            records.extend(self.changed.put(self.outcomes, self.bad, piece));
        }
        for piece in 0..self.planned.pieces() {
            placed.append(&mut store::Pieces::entities(self, piece)?);
        }
        placed.sort_by_key(|(place, _)| *place);
        Ok((records, placed.into_iter().map(|(_, step)| step).collect()))
    }
}

impl store::Pieces for Pieces<'_> {
    fn records_count(&self) -> usize {
        self.outcomes.pieces()
    }

    fn records(&self, piece: usize) -> Result<Vec<RecordStep<'_>>, StoreError> {
        Ok(self.changed.put(self.outcomes, self.bad, piece))
    }

    fn entities_count(&self) -> usize {
        self.planned.pieces()
    }

    fn entities(&self, piece: usize) -> Result<Vec<Placed<'_>>, StoreError> {
        self.planned.steps(piece).map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn entities_together(&self) -> usize {
        self.planned.pieces_together()
    }

    fn changes(&self) -> i64 {
        i64::try_from(self.planned.changes).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("records", &self.outcomes.pieces()).finish_non_exhaustive()
    }
}
