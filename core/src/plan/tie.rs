//! Finds out which turns belong together: those that must be taken in one commit, so that what others read in between is
//! always whole, and taking them part by part comes to what taking them at once does.
//!
//! Two turns are tied when their words about one entity have changed, and when one brings, or takes, an entity that the
//! other needs. What is not tied has nothing to do with each other.

use std::collections::HashMap;

use uuid::Uuid;

use super::touched::Touch;
use super::{Held, Touched, Turn};
use crate::canonical::KindId;
use crate::map::DecodeError;
use crate::said::{Need, Reading};
use crate::store::RecordId;

/// Which turns belong together, as far as that is known.
#[derive(Debug, Default)]
pub struct Ties {
    /// Pairs of records.
    pub pairs: Vec<(RecordId, RecordId)>,
    /// Entities that come or go, with a record of those whose words do that.
    changing: HashMap<(KindId, Uuid), RecordId>,
}

impl Ties {
    /// The ties of turns, without those of what records needed before.
    pub fn of(turns: &[Turn<'_>], touched: &Touched, held: &Held, reading: Reading<'_>) -> Result<Self, DecodeError> {
        let mut ties = Self::default();
        for (at, name) in touched.entities().enumerate() {
            let touch = touched.at(at);
            let turned: Vec<_> = touch.turned().map(|turn| turns[turn].record).collect();
            let Some((first, others)) = turned.split_first() else { continue };
            ties.pairs.extend(others.iter().map(|other| (*first, *other)));
            if touch.comes_or_goes(turns, held.get(at)) {
                ties.changing.insert(name, *first);
            }
        }
        for turn in turns {
            ties.needs(turn.record, &turn.needs(reading)?);
        }
        Ok(ties)
    }

    /// Whether some entity comes or goes, so that it matters what records needed before.
    pub fn has_changing(&self) -> bool {
        !self.changing.is_empty()
    }

    /// A record needs, or needed, these entities.
    pub fn needs(&mut self, record: RecordId, needs: &[Need]) {
        if self.changing.is_empty() {
            return;
        }
        let found = needs.iter().filter_map(|need| self.changing.get(&(need.kind, need.sourced_id)));
        self.pairs.extend(found.map(|first| (*first, record)));
    }
}

impl Touch<'_> {
    /// Whether it is there now and will not be, or the other way round.
    fn comes_or_goes(self, turns: &[Turn<'_>], held: Option<&crate::store::HeldEntity>) -> bool {
        held.is_some_and(|held| held.active) != self.will_be_active(turns, held)
    }
}
