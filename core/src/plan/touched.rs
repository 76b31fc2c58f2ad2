//! Turns the turns of records into the entities that they may change, and asks about these.
//!
//! However many statements there are, each takes a few bytes here: the entities are runs of one sorted list.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use foldhash::HashSet;
use rayon::prelude::*;
use uuid::Uuid;

use super::Turn;
use crate::canonical::KindId;
use crate::said::{Mark, Said};
use crate::store::{HeldEntity, RecordId};

/// The entities that a set of turns may change.
#[derive(Debug)]
pub struct Touched {
    /// What all turns say of all entities, by entity, then by turn.
    entries: Vec<Entry>,
    /// Which of these are about each entity; by kind and `sourcedId`, which is the order of the steps and of the feed.
    entities: Vec<Range<u32>>,
}

/// That a turn speaks of an entity.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: KindId,
    words: Words,
    sourced_id: Uuid,
    turn: u32,
    /// Which of the turn's statements it is.
    nth: u32,
}

/// Which words of a record are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Words {
    /// Those that it used before, and uses no longer.
    Old,
    /// Those that it did not use before.
    New,
    /// Those that it uses now as before.
    Same,
}

/// What the turns do to one entity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touch<'t> {
    entries: &'t [Entry],
}

/// What is held of touched entities, by their place among them.
#[derive(Debug, Default)]
pub struct Held(BTreeMap<usize, HeldEntity>);

/// Finds the entities about which the words of some record have changed.
pub fn touch(turns: &[Turn<'_>]) -> Touched {
    let mut entries: Vec<_> = turns.par_iter().enumerate().flat_map_iter(|(nth, turn)| entries(nth, turn)).collect();
    entries.par_sort_unstable_by_key(|entry| (entry.kind, entry.sourced_id, entry.turn, entry.words, entry.nth));
    let mut entities = Vec::new();
    let mut end = 0;
    for about_one in entries.chunk_by(Entry::is_about_the_same_as) {
        let start = end;
        end += narrow(about_one.len());
        if about_one.iter().any(|entry| entry.words != Words::Same) {
            entities.push(start..end);
        }
    }
    Touched { entries, entities }
}

/// What one turn says of each entity.
fn entries(turn: usize, it: &Turn<'_>) -> Vec<Entry> {
    let after = it.after.map_or(&[][..], Said::marks);
    let same = unchanged(&it.before, after);
    let is_same = |mark: &Mark| !same.is_empty() && same.contains(&(mark.kind, mark.sourced_id));
    let entry = |(nth, mark): (usize, &Mark), words| {
        let Mark { kind, sourced_id, .. } = *mark;
        Entry { kind, words, sourced_id, turn: narrow(turn), nth: narrow(nth) }
    };
    let old = it.before.iter().enumerate().filter(|(_, mark)| !is_same(mark)).map(|it| entry(it, Words::Old));
    let now = after.iter().enumerate().map(|it| entry(it, if is_same(it.1) { Words::Same } else { Words::New }));
    old.chain(now).collect()
}

/// The entities about which a record says just what it said before.
fn unchanged(before: &[Mark], after: &[Mark]) -> BTreeSet<(KindId, Uuid)> {
    if before.is_empty() || after.is_empty() {
        return BTreeSet::new();
    }
    let mut words: BTreeMap<_, (Vec<_>, Vec<_>)> = BTreeMap::new();
    for mark in before {
        words.entry((mark.kind, mark.sourced_id)).or_default().0.push(mark.digest);
    }
    for mark in after {
        words.entry((mark.kind, mark.sourced_id)).or_default().1.push(mark.digest);
    }
    let same = words.into_iter().filter_map(|(name, (mut before, mut after))| {
        before.sort_unstable();
        after.sort_unstable();
        (before == after).then_some(name)
    });
    same.collect()
}

/// A place among what one delivery says. There are never more than 2^32: its bytes would be as many.
pub(super) fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl Entry {
    fn is_about_the_same_as(&self, other: &Self) -> bool {
        (self.kind, self.sourced_id) == (other.kind, other.sourced_id)
    }

    /// The turn's place, and the statement's place in it.
    fn place(&self) -> (usize, usize) {
        (self.turn as usize, self.nth as usize)
    }
}

impl Touched {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// The touched entities: kinds and ids.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = (KindId, Uuid)> {
        self.some_entities(0..self.len())
    }

    /// Those at these places.
    pub fn some_entities(&self, places: Range<usize>) -> impl ExactSizeIterator<Item = (KindId, Uuid)> {
        self.entities[places].iter().map(|range| {
            let first = &self.entries[range.start as usize];
            (first.kind, first.sourced_id)
        })
    }

    pub(super) fn at(&self, place: usize) -> Touch<'_> {
        let range = &self.entities[place];
        Touch { entries: &self.entries[range.start as usize..range.end as usize] }
    }

    fn has(&self, kind: KindId, sourced_id: Uuid) -> bool {
        let key = |range: &Range<u32>| {
            let first = &self.entries[range.start as usize];
            (first.kind, first.sourced_id)
        };
        self.entities.binary_search_by_key(&(kind, sourced_id), key).is_ok()
    }

    /// The records without a turn whose statements are needed to fold the touched entities.
    pub fn needs(&self, turns: &[Turn<'_>], held: &Held) -> BTreeSet<RecordId> {
        let open = held.0.iter().filter(|(at, held)| !self.at(**at).settled_by(turns, Some(held)));
        open.flat_map(|(at, held)| self.at(*at).others(turns, Some(held))).collect()
    }

    /// The entities that the turns refer to and do not touch: whether they are there has to be asked.
    pub fn references(&self, turns: &[Turn<'_>]) -> BTreeSet<(KindId, Uuid)> {
        let elsewhere = |turn: &Turn<'_>| {
            let needs = turn.after.map_or(&[][..], Said::needs).iter();
            let references = needs.filter(|need| !need.adds).map(|need| (need.kind, need.sourced_id));
            references.filter(|(kind, sourced_id)| !self.has(*kind, *sourced_id)).collect::<BTreeSet<_>>()
        };
        turns.par_iter().flat_map_iter(elsewhere).collect()
    }

    /// The records that refer to an entity that will not be there, or only add to one, with the kind they wait for.
    /// `absent` are those that [`references`](Self::references) found and nobody holds.
    pub fn dangling(
        &self,
        turns: &[Turn<'_>],
        absent: &BTreeSet<(KindId, Uuid)>,
        held: &Held,
    ) -> BTreeMap<RecordId, KindId> {
        let going = self.entities().enumerate().filter(|(at, _)| !self.at(*at).will_be_active(turns, held.get(*at)));
        let missing: HashSet<_> = going.map(|(_, name)| name).chain(absent.iter().copied()).collect();
        if missing.is_empty() {
            return BTreeMap::new();
        }
        let waits = |turn: &Turn<'_>| {
            let needs = turn.after.map_or(&[][..], Said::needs);
            let first = needs.iter().find(|need| missing.contains(&(need.kind, need.sourced_id)))?;
            Some((turn.record, first.kind))
        };
        turns.iter().filter_map(waits).collect()
    }
}

impl<'t> Touch<'t> {
    pub(super) fn kind(&self) -> KindId {
        self.entries[0].kind
    }

    pub(super) fn sourced_id(&self) -> Uuid {
        self.entries[0].sourced_id
    }

    /// How many statements are about it.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The new words about it: places of turns, and of statements in them.
    pub(super) fn new_words(&self) -> impl Iterator<Item = (usize, usize)> + use<'t> {
        self.entries.iter().filter(|entry| entry.words == Words::New).map(Entry::place)
    }

    /// The turns whose words about it have changed.
    pub(super) fn turned(&self) -> impl Iterator<Item = usize> + use<'t> {
        let turns = self.entries.chunk_by(|one, other| one.turn == other.turn);
        let changed = turns.filter(|entries| entries.iter().any(|entry| entry.words != Words::Same));
        changed.map(|entries| entries[0].turn as usize)
    }

    /// The words about it that a turn uses now as before.
    pub(super) fn same_words(&self, turn: usize) -> impl Iterator<Item = (usize, usize)> + use<'t> {
        let same = self.entries.iter().filter(|entry| entry.words == Words::Same).map(Entry::place);
        same.filter(move |(of, _)| *of == turn)
    }

    /// The records without a change of words that also speak of it.
    pub(super) fn others(&self, turns: &[Turn<'_>], held: Option<&HeldEntity>) -> Vec<RecordId> {
        let Some(held) = held.filter(|held| !held.contributors.is_empty()) else { return Vec::new() };
        let turned = self.entries.iter().filter(|entry| entry.words != Words::Same);
        let turned: HashSet<_> = turned.map(|entry| turns[entry.turn as usize].record).collect();
        held.contributors.iter().copied().filter(|record| !turned.contains(record)).collect()
    }

    /// Whether it will be there afterwards.
    pub(super) fn will_be_active(&self, turns: &[Turn<'_>], held: Option<&HeldEntity>) -> bool {
        let is_stated = self.new_words().any(|(turn, nth)| mark(turns, turn, nth).is_some_and(|mark| mark.whole));
        is_stated || held.is_some_and(|held| held.active) && !self.others(turns, held).is_empty()
    }

    /// Whether what is held already says what would come out, so that nobody else need be asked.
    pub(super) fn settled_by(&self, turns: &[Turn<'_>], held: Option<&HeldEntity>) -> bool {
        held.is_some_and(|it| {
            let says_so = |(turn, nth)| mark(turns, turn, nth).is_some_and(|mark| mark.digest == it.digest);
            it.active && it.uniform && self.new_words().all(says_so) && self.will_be_active(turns, held)
        })
    }
}

/// What a turn says now of an entity.
pub(super) fn mark<'t>(turns: &[Turn<'t>], turn: usize, nth: usize) -> Option<&'t Mark> {
    turns.get(turn)?.after?.marks().get(nth)
}

impl Held {
    /// Takes what is held of the entities from the place `from` on.
    pub fn take(&mut self, from: usize, held: impl IntoIterator<Item = Option<HeldEntity>>) {
        self.0.extend((from..).zip(held).filter_map(|(at, held)| Some((at, held?))));
    }

    /// What is held of the entity at this place.
    pub fn get(&self, at: usize) -> Option<&HeldEntity> {
        self.0.get(&at)
    }

    /// All that is held.
    pub fn iter(&self) -> impl Iterator<Item = &HeldEntity> {
        self.0.values()
    }
}
