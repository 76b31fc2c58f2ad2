//! Turns the steps of entities, which are made piece by piece, into lots that are written alike, as large as memory allows.

use std::collections::BTreeMap;
use std::fmt;
use std::iter;

use super::sourced_id;
use crate::canonical::KindId;
use crate::store::postgres::copy;
use crate::store::postgres::rows::ROWS_PER_STATEMENT_MAX;
use crate::store::{Commit, EntityStep, Pieces, StoreError};

/// What is done to an entity; to one that is retired and then linked anew, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Retire,
    Relink,
    Update,
    Insert,
}

/// A step, and its place in the feed among all that its commit changes there, from 0.
#[derive(Debug)]
pub(super) struct Placed<'c> {
    pub(super) place: i64,
    made: Made<'c>,
}

#[derive(Debug)]
enum Made<'c> {
    /// With the commit.
    Before(&'c EntityStep<'c>),
    /// With its piece.
    Now(EntityStep<'c>),
}

impl<'c> Placed<'c> {
    pub(super) fn step(&self) -> &EntityStep<'c> {
        match &self.made {
            Made::Before(step) => step,
            Made::Now(step) => step,
        }
    }
}

/// What is written alike.
type Lot = (KindId, Action);

/// Pieces that are made when they are asked for.
type Coming<'c> = Box<dyn Iterator<Item = Result<Vec<Placed<'c>>, StoreError>> + Send + 'c>;

/// Steps that are made and not written yet, and those that are still to be made.
pub(super) struct Gathered<'c> {
    coming: Coming<'c>,
    lots: BTreeMap<Lot, Vec<Placed<'c>>>,
    /// How many rows there are in all lots.
    rows: usize,
    /// How many there may be before all are written.
    rows_max: usize,
    changes: i64,
}

impl<'c> Gathered<'c> {
    /// Those of a commit, of which none is made that need not be.
    pub(super) fn of(commit: &'c Commit<'c>) -> Self {
        let mut first = 0;
        let before = commit.entities.iter().map(|step| {
            let place = first;
            first += i64::from(!matches!(step, EntityStep::Relink(_)));
            Placed { place, made: Made::Before(step) }
        });
        let before: Vec<_> = before.collect();
        let now = commit.pieces.into_iter().flat_map(move |pieces| {
            let placed = move |(place, step)| Placed { place: first + place, made: Made::Now(step) };
            (0..pieces.entities_count()).map(move |piece| Ok(pieces.entities(piece)?.into_iter().map(placed).collect()))
        });
        Self {
            coming: Box::new(iter::once(Ok(before)).chain(now)),
            lots: BTreeMap::new(),
            rows: 0,
            rows_max: if commit.pieces.is_some_and(|it| it.entities_together() == 1) {
                1
            } else {
                ROWS_PER_STATEMENT_MAX
            },
            changes: first + commit.pieces.map_or(0, Pieces::changes),
        }
    }

    /// How many places in the feed all of them take.
    pub(super) fn changes(&self) -> i64 {
        self.changes
    }

    /// Makes the next piece; whether there was one.
    pub(super) fn make(&mut self) -> Result<bool, StoreError> {
        let Some(piece) = self.coming.next() else { return Ok(false) };
        for placed in piece? {
            self.rows += 1;
            self.lots.entry(lot(placed.step())).or_default().push(placed);
        }
        Ok(true)
    }

    /// Whether some are not worth waiting for more of them.
    pub(super) fn is_worth_writing(&self) -> bool {
        self.rows >= self.rows_max || self.copied().is_some()
    }

    /// Makes pieces until some are worth writing, or are all there is; whether there are any.
    pub(super) fn gather(&mut self) -> Result<bool, StoreError> {
        while !self.is_worth_writing() && self.make()? {}
        Ok(self.rows > 0)
    }

    /// A kind of which there are so many new ones that these are copied.
    pub(super) fn copied(&self) -> Option<KindId> {
        let lot =
            self.lots.iter().find(|((_, action), some)| *action == Action::Insert && some.len() >= copy::ROWS_MIN);
        lot.map(|((kind, _), _)| *kind)
    }

    /// More new ones of this kind, until others are worth writing, or there are none.
    pub(super) fn new_of(&mut self, kind: KindId) -> Result<Option<Vec<Placed<'c>>>, StoreError> {
        loop {
            if let Some(placed) = self.lots.remove(&(kind, Action::Insert)) {
                return Ok(Some(self.taken(placed)));
            }
            if self.is_worth_writing() || !self.make()? {
                return Ok(None);
            }
        }
    }

    /// All that are there, in the order in which they are written.
    pub(super) fn all(&mut self) -> Vec<(Lot, Vec<Placed<'c>>)> {
        let lots = std::mem::take(&mut self.lots);
        lots.into_iter().map(|(lot, placed)| (lot, self.taken(placed))).collect()
    }

    /// Some that are written now, in the order of their ids, which is the order of the index.
    fn taken(&mut self, mut placed: Vec<Placed<'c>>) -> Vec<Placed<'c>> {
        self.rows -= placed.len();
        placed.sort_unstable_by_key(|placed| *sourced_id(placed.step()).as_bytes());
        placed
    }
}

impl fmt::Debug for Gathered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathered").field("rows", &self.rows).finish_non_exhaustive()
    }
}

fn lot(step: &EntityStep<'_>) -> Lot {
    match step {
        EntityStep::Put(row) if row.new => (row.link.kind, Action::Insert),
        EntityStep::Put(row) => (row.link.kind, Action::Update),
        EntityStep::Relink(link) => (link.kind, Action::Relink),
        EntityStep::Retire(kind, _) => (*kind, Action::Retire),
    }
}
