//! Turns what records said before and say now into the exact steps that make the stored entities true again.
//!
//! Pure: no clock, no database, no choice left for the commit. The pipeline asks in three moves, because a plan needs
//! to know what is held: [`touch`] finds the entities that may change, [`Touched::needs`] the held claims that must be
//! read to fold them, [`plan`] the steps.
//!
//! An entity that a record speaks of in the same words as before is not even looked at. One on which all records agree
//! is not read again either: another record that says the same, or one fewer, cannot change it.
//!
//! What happens to each entity is decided by digests. The rows are made when they are asked for, a piece of the delivery at
//! a time ([`Plan::steps`]), so that no more of them need be in memory.

mod row;
#[cfg(test)]
mod tests;
mod tie;
mod touched;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use foldhash::HashMap;
use rayon::prelude::*;
use uuid::Uuid;

use self::row::Vocabulary;
pub use self::tie::Ties;
pub use self::touched::{Held, Touched, touch};
use self::touched::{Touch, Word, narrow};
use crate::canonical::{Canonical, KindId};
use crate::delivery::Counts;
use crate::digest::Sketch;
use crate::fold::{Rank, Statement, fold};
use crate::identity::Namespace;
use crate::map::DecodeError;
use crate::said::{Mark, Need, Reading, Said};
use crate::store::{HeldEntity, RecordId};

/// Entities that are planned one after the other; beside them, others are.
const PLANNED_TOGETHER: usize = 512;

/// Statements whose entities make up a piece where they belong to no piece of the delivery.
const STATEMENTS_PER_PIECE: usize = 16_384;

/// Pieces that are in memory together where their words are there anyway: each has [`PLANNED_TOGETHER`] rows at most.
const PIECES_TOGETHER: usize = 16;

/// What one record said when it was last taken, and what it says now.
#[derive(Debug)]
pub struct Turn<'c> {
    /// The record.
    pub record: RecordId,
    /// Its place among the records that speak of one entity.
    pub rank: Rank<'c>,
    /// Of whom it spoke.
    pub before: Vec<Mark>,
    /// What it says; nothing when it is gone.
    pub after: Option<&'c Said>,
    /// The piece of the delivery that it belongs to.
    pub piece: u32,
}

impl Turn<'_> {
    /// Whether its words have to be read again.
    fn is_packed(&self) -> bool {
        self.after.is_some_and(|said| said.loose().is_none())
    }

    /// How many words there are, before and now.
    fn words(&self) -> usize {
        self.before.len() + self.after.map_or(0, Said::count)
    }

    /// Who has to be there for what it says.
    fn needs(&self, reading: Reading<'_>) -> Result<Cow<'_, [Need]>, DecodeError> {
        Ok(self.after.map(|said| said.needs(reading)).transpose()?.unwrap_or_default())
    }
}

/// Statements of records that have no turn, but speak of a touched entity, each with its mark.
pub type Others = HashMap<RecordId, Vec<(Mark, Statement)>>;

/// The steps, and what they amount to.
#[derive(Debug)]
pub struct Plan<'c> {
    situation: Situation<'c>,
    turns: HashMap<RecordId, usize>,
    /// In the order of the pieces; in each, in that of the feed.
    steps: Vec<Outline>,
    pieces: Vec<Range<usize>>,
    /// Whether words have to be read again for the rows.
    is_packed: bool,
    /// How many places in the feed they take.
    pub changes: usize,
    /// Per kind, by name.
    pub counts: BTreeMap<String, Counts>,
    /// Active entities per kind afterwards, by name.
    pub active: BTreeMap<String, u64>,
    /// Fields of entities for which a claim had to be picked: the leading record, the kind, and the field.
    pub disputes: Vec<(RecordId, KindId, u16)>,
}

/// What happens to an entity, without the words.
#[derive(Debug, Clone, Copy)]
struct Outline {
    /// Its place among the touched ones.
    entity: u32,
    /// Its place in the feed among all that change, if it does.
    place: u32,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is written.
    Put,
    /// Others speak of it.
    Relink,
    /// Nobody speaks of it any more.
    Retire,
    /// Nobody states it any more, but some add to it.
    RetireAndRelink,
}

/// Everything that [`plan`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'c> {
    /// The kinds of entity.
    pub canonical: &'c Canonical,
    /// Where ids come from.
    pub namespace: Namespace,
    /// The turns that `touched` came from.
    pub turns: &'c [Turn<'c>],
    /// The entities they may change.
    pub touched: &'c Touched,
    /// What is held of these.
    pub held: &'c Held,
    /// What the other records say, as far as [`Touched::needs`] asked for it.
    pub others: &'c Others,
    /// The place of every record that has no turn.
    pub ranks: &'c HashMap<RecordId, Rank<'c>>,
    /// Active entities per kind so far.
    pub active: &'c BTreeMap<String, u64>,
}

/// That a record speaks of the entity that is being planned.
#[derive(Debug, Clone, Copy)]
struct Voice<'c> {
    record: RecordId,
    rank: Rank<'c>,
    digest: Sketch,
    whole: bool,
    words: At<'c>,
}

/// Where words are.
#[derive(Debug, Clone, Copy)]
enum At<'c> {
    /// The turn, and the statement in it.
    Turn(usize, usize),
    /// With a record that has no turn.
    Other(&'c Statement),
}

/// Plans the steps.
pub fn plan<'c>(situation: &Situation<'c>) -> Result<Plan<'c>, DecodeError> {
    let turns = situation.turns.iter().enumerate().map(|(at, turn)| (turn.record, at)).collect();
    let planner = Planner { situation, turns: &turns };
    let parts = (0..situation.touched.len()).into_par_iter().chunks(PLANNED_TOGETHER);
    let parts = parts.map(|entities| planner.part(&entities)).collect::<Result<Vec<_>, _>>()?;
    Ok(Plan::of(parts, *situation, turns))
}

impl<'c> Plan<'c> {
    /// The parts, in their order, as one plan.
    fn of(parts: Vec<Part>, situation: Situation<'c>, turns: HashMap<RecordId, usize>) -> Self {
        let (mut counts, mut active, mut disputes) = (BTreeMap::new(), situation.active.clone(), Vec::new());
        let mut tallies: BTreeMap<KindId, Tally> = BTreeMap::new();
        let mut steps: Vec<(u32, Outline)> = Vec::with_capacity(parts.iter().map(|part| part.steps.len()).sum());
        let mut places = 0;
        for part in parts {
            for (piece, mut outline) in part.steps {
                outline.place = places;
                places += u32::from(outline.step != Step::Relink);
                steps.push((piece, outline));
            }
            disputes.extend(part.disputes);
            for (kind, tally) in part.tallies {
                tallies.entry(kind).or_default().add(&tally);
            }
        }
        for (kind, tally) in tallies {
            let name = &situation.canonical.kind(kind).name;
            let active: &mut u64 = active.entry(name.clone()).or_default();
            *active = active.saturating_add_signed(tally.gained);
            counts.insert(name.clone(), tally.counts);
        }
        // Whatever is active afterwards and was neither created nor updated is as it was.
        for (kind, active) in &active {
            let counts: &mut Counts = counts.entry(kind.clone()).or_default();
            counts.unchanged = active.saturating_sub(counts.created + counts.updated);
        }
        steps.sort_unstable_by_key(|(piece, outline)| (*piece, outline.entity));
        let is_packed = situation.turns.iter().any(Turn::is_packed);
        let pieces = if is_packed { cut(&steps, situation.touched) } else { cut_evenly(steps.len()) };
        let steps = steps.into_iter().map(|(_, outline)| outline).collect();
        Self { situation, turns, steps, pieces, is_packed, changes: places as usize, counts, active, disputes }
    }

    /// In how many pieces the steps are made.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// How many pieces may be in memory together: only one where it takes much room.
    pub fn pieces_together(&self) -> usize {
        if self.is_packed { 1 } else { PIECES_TOGETHER }
    }

    /// The entities that are marked as deleted.
    pub fn retired(&self) -> impl Iterator<Item = (KindId, Uuid)> {
        let retired = self.steps.iter().filter(|outline| matches!(outline.step, Step::Retire | Step::RetireAndRelink));
        retired.map(|outline| {
            let touch = self.situation.touched.at(outline.entity as usize);
            (touch.kind(), touch.sourced_id())
        })
    }

    /// Whether nothing changes that a reader sees.
    pub fn is_quiet(&self) -> bool {
        self.changes == 0
    }
}

/// As many steps as are made one after the other.
fn cut_evenly(steps: usize) -> Vec<Range<usize>> {
    (0..steps).step_by(PLANNED_TOGETHER).map(|from| from..steps.min(from + PLANNED_TOGETHER)).collect()
}

/// Which steps belong together where words have to be read again: those of one piece of the delivery, and of the others as many as go into one.
fn cut(steps: &[(u32, Outline)], touched: &Touched) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut statements = 0;
    for (at, (piece, outline)) in steps.iter().enumerate() {
        let is_new = at > start && (*piece != steps[start].0 || statements > STATEMENTS_PER_PIECE);
        if is_new {
            pieces.push(start..at);
            (start, statements) = (at, 0);
        }
        if *piece == Planner::ELSEWHERE {
            statements += touched.at(outline.entity as usize).len();
        }
    }
    if start < steps.len() {
        pieces.push(start..steps.len());
    }
    pieces
}

/// What becomes of some of the entities.
#[derive(Default)]
struct Part {
    steps: Vec<(u32, Outline)>,
    tallies: BTreeMap<KindId, Tally>,
    disputes: Vec<(RecordId, KindId, u16)>,
}

/// How many entities of one kind become what.
#[derive(Default)]
struct Tally {
    counts: Counts,
    /// How many more are active afterwards.
    gained: i64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.counts.created += other.counts.created;
        self.counts.updated += other.counts.updated;
        self.counts.removed += other.counts.removed;
        self.gained += other.gained;
    }
}

/// Plans entities: what becomes of one follows from nothing that becomes of another.
struct Planner<'p, 'c> {
    situation: &'p Situation<'c>,
    turns: &'p HashMap<RecordId, usize>,
}

/// An entity on which records disagree, or that is settled.
enum Look {
    Decided,
    Mixed,
}

impl<'c> Planner<'_, 'c> {
    /// The piece of steps whose words stand in several pieces, or that need none.
    const ELSEWHERE: u32 = u32::MAX;

    fn part(&self, entities: &[usize]) -> Result<Part, DecodeError> {
        let mut part = Part::default();
        let mut mixed = Vec::new();
        for &at in entities {
            if let Some(first) = self.agreed(at).filter(|first| first.whole) {
                self.created(at, first, &mut part);
                continue;
            }
            let voices = self.voices(at);
            match self.entity(at, &voices, &mut part) {
                Look::Decided => {}
                Look::Mixed => mixed.push((at, voices)),
            }
        }
        if mixed.is_empty() {
            return Ok(part);
        }
        let vocabulary = Vocabulary::of(self.situation, mixed.iter().flat_map(|(_, voices)| voices))?;
        for (at, voices) in &mixed {
            self.mixed(*at, voices, &vocabulary, &mut part);
        }
        part.steps.sort_by_key(|(_, outline)| outline.entity);
        Ok(part)
    }

    fn held(&self, at: usize) -> Option<&'c HeldEntity> {
        self.situation.held.get(at)
    }

    /// The first of those who speak of an entity that nothing is held of, if all of them say the same. There may be very many
    /// of these, and nothing else need be known of them.
    fn agreed(&self, at: usize) -> Option<&'c Word> {
        let mut words = self.situation.touched.at(at).new_words();
        let first = words.next().filter(|_| self.held(at).is_none())?;
        words.all(|word| word.digest == first.digest).then_some(first)
    }

    /// Who speaks of an entity on which all agree, by rank.
    fn agreeing(&self, at: usize) -> Vec<RecordId> {
        let turns = self.situation.turns;
        let mut speaking: Vec<_> = self.situation.touched.at(at).new_words().map(Word::turn).collect();
        speaking.dedup();
        speaking.sort_by_key(|turn| turns[*turn].rank);
        speaking.into_iter().map(|turn| turns[turn].record).collect()
    }

    /// An entity that nothing was held of is written.
    fn created(&self, at: usize, first: &Word, part: &mut Part) {
        part.step(at, Step::Put, self.situation.turns[first.turn()].piece);
        let tally = part.tallies.entry(self.situation.touched.at(at).kind()).or_default();
        tally.counts.created += 1;
        tally.gained += 1;
    }

    /// Who speaks of an entity, by rank; those who do so as before only where it has to be known.
    fn voices(&self, at: usize) -> Vec<Voice<'c>> {
        let Situation { turns, touched, .. } = *self.situation;
        let (touch, held) = (touched.at(at), self.held(at));
        let mut voices: Vec<_> = touch.new_words().map(|word| self.voice(word)).collect();
        if !touch.settled_by(turns, held) {
            for record in touch.others(turns, held) {
                self.voices_of(record, touch, &mut voices);
            }
        }
        voices.sort_by(|one, other| (one.rank, one.digest).cmp(&(other.rank, other.digest)));
        voices
    }

    fn voice(&self, word: &Word) -> Voice<'c> {
        let Word { digest, whole, .. } = *word;
        let of = &self.situation.turns[word.turn()];
        Voice { record: of.record, rank: of.rank, digest, whole, words: At::Turn(word.turn(), word.nth()) }
    }

    /// What a record says of an entity that did not change its words about it.
    fn voices_of(&self, record: RecordId, touch: Touch<'_>, voices: &mut Vec<Voice<'c>>) {
        if let Some(turn) = self.turns.get(&record) {
            voices.extend(touch.same_words(*turn).map(|word| self.voice(word)));
            return;
        }
        let rank = self.situation.ranks.get(&record).copied();
        let (Some(rank), Some(statements)) = (rank, self.situation.others.get(&record)) else { return };
        let name = (touch.kind(), touch.sourced_id());
        let about = statements.iter().filter(|(mark, _)| (mark.kind, mark.sourced_id) == name);
        voices.extend(about.map(|(mark, statement)| {
            let Mark { digest, whole, .. } = *mark;
            Voice { record, rank, digest: digest.sketch(), whole, words: At::Other(statement) }
        }));
    }

    /// Decides what becomes of an entity, as far as that can be done without the words.
    fn entity(&self, at: usize, voices: &[Voice<'c>], part: &mut Part) -> Look {
        let (touch, held) = (self.situation.touched.at(at), self.held(at));
        if touch.settled_by(self.situation.turns, held) {
            if held.is_some_and(|held| self.linked(touch, held) != held.contributors) {
                part.step(at, Step::Relink, Self::ELSEWHERE);
            }
            return Look::Decided;
        }
        if !voices.iter().any(|voice| voice.whole) {
            if held.is_some_and(|held| held.active) {
                let step = if voices.is_empty() { Step::Retire } else { Step::RetireAndRelink };
                part.step(at, step, Self::ELSEWHERE);
                let tally = part.tallies.entry(touch.kind()).or_default();
                tally.counts.removed += 1;
                tally.gained -= 1;
            }
            return Look::Decided;
        }
        if voices.iter().any(|voice| voice.digest != voices[0].digest) {
            return Look::Mixed;
        }
        let of_turn = voices.iter().filter_map(|voice| match voice.words {
            At::Turn(turn, _) => Some(self.situation.turns[turn].piece),
            At::Other(_) => None,
        });
        self.stated(at, voices, voices[0].digest, of_turn.min().unwrap_or(Self::ELSEWHERE), part);
        Look::Decided
    }

    /// The same for one on which records disagree.
    fn mixed(&self, at: usize, voices: &[Voice<'c>], vocabulary: &Vocabulary<'_, 'c>, part: &mut Part) {
        let kind = self.situation.touched.at(at).kind();
        let folded = fold(self.situation.canonical.kind(kind), &mut vocabulary.claims(voices));
        if let Some(&leader) = folded.contributors.first() {
            part.disputes.extend(folded.disputed.iter().map(|field| (leader, kind, *field)));
        }
        self.stated(at, voices, folded.digest.sketch(), Self::ELSEWHERE, part);
    }

    /// An entity that says what `digest` tells is written, unless it says that already.
    fn stated(&self, at: usize, voices: &[Voice<'c>], digest: Sketch, piece: u32, part: &mut Part) {
        let held = self.held(at);
        if let Some(held) = held.filter(|held| held.active && held.digest.sketch() == digest) {
            if held.uniform != is_uniform(voices) || held.contributors != contributors(voices) {
                part.step(at, Step::Relink, Self::ELSEWHERE);
            }
            return;
        }
        part.step(at, Step::Put, piece);
        let tally = part.tallies.entry(self.situation.touched.at(at).kind()).or_default();
        if held.is_none() {
            tally.counts.created += 1;
        } else {
            tally.counts.updated += 1;
        }
        tally.gained += i64::from(held.is_none_or(|held| !held.active));
    }

    /// Who speaks of an entity that says what it said.
    fn linked(&self, touch: Touch<'_>, held: &HeldEntity) -> Vec<RecordId> {
        let turns = self.situation.turns;
        let rank = |record: &RecordId| {
            self.turns.get(record).map(|turn| turns[*turn].rank).or_else(|| self.situation.ranks.get(record).copied())
        };
        let speaking = touch.new_words().map(|word| turns[word.turn()].record);
        let mut contributors: Vec<_> = touch.others(turns, Some(held)).into_iter().chain(speaking).collect();
        contributors.sort_by_key(rank);
        contributors.dedup();
        contributors
    }
}

impl Part {
    fn step(&mut self, entity: usize, step: Step, piece: u32) {
        self.steps.push((piece, Outline { entity: narrow(entity), place: 0, step }));
    }
}

/// Whether all say the same.
fn is_uniform(voices: &[Voice<'_>]) -> bool {
    voices.windows(2).all(|pair| pair[0].digest == pair[1].digest)
}

/// The records that speak, by rank.
fn contributors(voices: &[Voice<'_>]) -> Vec<RecordId> {
    let mut contributors: Vec<_> = voices.iter().map(|voice| voice.record).collect();
    contributors.dedup();
    contributors
}

/// The same where only some speak, each once.
fn adding(voices: &[Voice<'_>]) -> Vec<RecordId> {
    let adding: BTreeSet<_> = voices.iter().map(|voice| (voice.rank, voice.record)).collect();
    adding.into_iter().map(|(_, record)| record).collect()
}
