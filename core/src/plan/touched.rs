//! Turns the turns of records into the entities that they may change, and asks about these.
//!
//! However many statements there are, each takes a few bytes here, and all that planning asks of it: the entities are runs of
//! one sorted list.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use foldhash::HashSet;
use rayon::prelude::*;
use uuid::Uuid;

use super::Turn;
use crate::canonical::KindId;
use crate::digest::Sketch;
use crate::map::DecodeError;
use crate::said::{Mark, Reading};
use crate::store::{HeldEntity, RecordId};

/// Turns of which the words are read together, beside each other.
const TURNS_READ_TOGETHER: usize = 1_024;

/// The entities that a set of turns may change.
#[derive(Debug)]
pub struct Touched {
    /// What all turns say of these entities, by entity, then by turn.
    entries: Vec<Word>,
    /// Where those begin that are about each entity; by kind and `sourcedId`, which is the order of the steps and of the feed.
    entities: Vec<u32>,
}

/// That a turn speaks of an entity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    kind: KindId,
    words: Words,
    /// See [`Mark::whole`].
    pub(super) whole: bool,
    sourced_id: Uuid,
    turn: u32,
    /// Which of the turn's statements it is.
    nth: u32,
    /// Of what it says.
    pub(super) digest: Sketch,
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
    entries: &'t [Word],
}

/// What is held of touched entities, by their place among them.
#[derive(Debug, Default)]
pub struct Held(BTreeMap<usize, HeldEntity>);

/// Finds the entities about which the words of some record have changed.
pub fn touch(turns: &[Turn<'_>], reading: Reading<'_>) -> Result<Touched, DecodeError> {
    let mut entries = Vec::with_capacity(turns.iter().map(Turn::words).sum());
    for (nth, some) in turns.chunks(TURNS_READ_TOGETHER).enumerate() {
        let before = nth * TURNS_READ_TOGETHER;
        let words = some.par_iter().enumerate().map(|(nth, turn)| words(before + nth, turn, reading));
        entries.extend(words.collect::<Result<Vec<_>, _>>()?.into_iter().flatten());
    }
    entries.par_sort_unstable_by_key(|entry| (entry.kind, entry.sourced_id, entry.turn, entry.words, entry.nth));
    let mut entities = Vec::new();
    let (mut start, mut kept) = (0, 0);
    while let Some(about_one) = entries[start..].chunk_by(Word::is_about_the_same_as).next() {
        let end = start + about_one.len();
        if about_one.iter().any(|entry| entry.words != Words::Same) {
            entities.push(narrow(kept));
            entries.copy_within(start..end, kept);
            kept += end - start;
        }
        start = end;
    }
    entries.truncate(kept);
    entities.shrink_to_fit();
    Ok(Touched { entries, entities })
}

/// What one turn says of each entity.
fn words(turn: usize, it: &Turn<'_>, reading: Reading<'_>) -> Result<Vec<Word>, DecodeError> {
    let after = it.after.map(|said| said.marks(reading)).transpose()?.unwrap_or_default();
    let same = unchanged(&it.before, &after);
    let is_same = |mark: &Mark| !same.is_empty() && same.contains(&(mark.kind, mark.sourced_id));
    let entry = |(nth, mark): (usize, &Mark), words| {
        let Mark { kind, whole, sourced_id, digest } = *mark;
        Word { kind, words, whole, sourced_id, turn: narrow(turn), nth: narrow(nth), digest: digest.sketch() }
    };
    let old = it.before.iter().enumerate().filter(|(_, mark)| !is_same(mark)).map(|it| entry(it, Words::Old));
    let now = after.iter().enumerate().map(|it| entry(it, if is_same(it.1) { Words::Same } else { Words::New }));
    Ok(old.chain(now).collect())
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

impl Word {
    fn is_about_the_same_as(&self, other: &Self) -> bool {
        self.name() == other.name()
    }

    /// The entity.
    fn name(&self) -> (KindId, Uuid) {
        (self.kind, self.sourced_id)
    }

    /// The turn's place.
    pub(super) fn turn(&self) -> usize {
        self.turn as usize
    }

    /// The statement's place in the turn.
    pub(super) fn nth(&self) -> usize {
        self.nth as usize
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
        self.entities[places].iter().map(|start| self.entries[*start as usize].name())
    }

    pub(super) fn at(&self, place: usize) -> Touch<'_> {
        let start = self.entities[place] as usize;
        let end = self.entities.get(place + 1).map_or(self.entries.len(), |end| *end as usize);
        Touch { entries: &self.entries[start..end] }
    }

    fn has(&self, kind: KindId, sourced_id: Uuid) -> bool {
        let name = |start: &u32| self.entries[*start as usize].name();
        self.entities.binary_search_by_key(&(kind, sourced_id), name).is_ok()
    }

    /// The records without a turn whose statements are needed to fold the touched entities.
    pub fn needs(&self, turns: &[Turn<'_>], held: &Held) -> BTreeSet<RecordId> {
        let open = held.0.iter().filter(|(at, held)| !self.at(**at).settled_by(turns, Some(held)));
        open.flat_map(|(at, held)| self.at(*at).others(turns, Some(held))).collect()
    }

    /// The entities that the turns refer to and do not touch: whether they are there has to be asked.
    pub fn references(
        &self,
        turns: &[Turn<'_>],
        reading: Reading<'_>,
    ) -> Result<BTreeSet<(KindId, Uuid)>, DecodeError> {
        let elsewhere = |turn: &Turn<'_>| {
            let needs = turn.needs(reading)?;
            let references = needs.iter().filter(|need| !need.adds).map(|need| (need.kind, need.sourced_id));
            Ok(references.filter(|(kind, sourced_id)| !self.has(*kind, *sourced_id)).collect::<BTreeSet<_>>())
        };
        let both = |mut one: BTreeSet<_>, mut other: BTreeSet<_>| {
            one.append(&mut other);
            Ok(one)
        };
        turns.par_iter().map(elsewhere).try_reduce(BTreeSet::new, both)
    }

    /// The records that refer to an entity that will not be there, or only add to one, with the kind they wait for.
    /// `absent` are those that [`references`](Self::references) found and nobody holds.
    pub fn dangling(
        &self,
        turns: &[Turn<'_>],
        absent: &BTreeSet<(KindId, Uuid)>,
        held: &Held,
        reading: Reading<'_>,
    ) -> Result<BTreeMap<RecordId, KindId>, DecodeError> {
        let going = self.entities().enumerate().filter(|(at, _)| !self.at(*at).will_be_active(turns, held.get(*at)));
        let missing: HashSet<_> = going.map(|(_, name)| name).chain(absent.iter().copied()).collect();
        if missing.is_empty() {
            return Ok(BTreeMap::new());
        }
        let waits = |turn: &Turn<'_>| {
            let needs = turn.needs(reading)?;
            let first = needs.iter().find(|need| missing.contains(&(need.kind, need.sourced_id)));
            Ok(first.map(|first| (turn.record, first.kind)))
        };
        turns.iter().map(waits).filter_map(Result::transpose).collect()
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

    /// The new words about it.
    pub(super) fn new_words(&self) -> impl Iterator<Item = &'t Word> + use<'t> {
        self.entries.iter().filter(|entry| entry.words == Words::New)
    }

    /// The turns whose words about it have changed.
    pub(super) fn turned(&self) -> impl Iterator<Item = usize> + use<'t> {
        let turns = self.entries.chunk_by(|one, other| one.turn == other.turn);
        let changed = turns.filter(|entries| entries.iter().any(|entry| entry.words != Words::Same));
        changed.map(|entries| entries[0].turn as usize)
    }

    /// The words about it that a turn uses now as before.
    pub(super) fn same_words(&self, turn: usize) -> impl Iterator<Item = &'t Word> + use<'t> {
        self.entries.iter().filter(move |entry| entry.words == Words::Same && entry.turn() == turn)
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
        let is_stated = self.new_words().any(|word| word.whole);
        is_stated || held.is_some_and(|held| held.active) && !self.others(turns, held).is_empty()
    }

    /// Whether what is held already says what would come out, so that nobody else need be asked.
    pub(super) fn settled_by(&self, turns: &[Turn<'_>], held: Option<&HeldEntity>) -> bool {
        held.is_some_and(|it| {
            let says_so = |word: &Word| word.digest == it.digest.sketch();
            it.active && it.uniform && self.new_words().all(says_so) && self.will_be_active(turns, held)
        })
    }
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
