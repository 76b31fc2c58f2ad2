//! Turns what was decided about entities into the rows that are written of them.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use rayon::prelude::*;
use uuid::Uuid;

use super::{At, Outline, PLANNED_TOGETHER, Plan, Planner, Situation, Step, Voice, adding, contributors, is_uniform};
use crate::canonical::{Form, KindId, NestedReference};
use crate::fold::{Claim, Statement, fold};
use crate::map::{DecodeError, Value};
use crate::reference;
use crate::store::{EntityLink, EntityRow, EntityStep, Placed};
use crate::table::Cell;

/// The words of some turns that are packed, read again.
pub(super) struct Vocabulary<'v, 'c> {
    situation: &'v Situation<'c>,
    /// By turn and statement.
    read: HashMap<(usize, usize), Statement>,
}

impl<'v, 'c> Vocabulary<'v, 'c> {
    /// What these say.
    pub(super) fn of<'i>(
        situation: &'v Situation<'c>,
        voices: impl IntoIterator<Item = &'i Voice<'c>>,
    ) -> Result<Self, DecodeError>
    where
        'c: 'i,
    {
        let mut wanted: HashMap<usize, Vec<usize>> = HashMap::new();
        for voice in voices {
            if let At::Turn(turn, nth) = voice.words
                && situation.turns[turn].is_packed()
            {
                wanted.entry(turn).or_default().push(nth);
            }
        }
        let read = |(turn, wanted): (usize, Vec<usize>)| {
            let Some(said) = situation.turns[turn].after else { return Ok(Vec::new()) };
            let mut words: Vec<_> = said.words(situation.canonical)?.into_owned().into_iter().map(Some).collect();
            let wanted = wanted.into_iter();
            Ok(wanted.filter_map(|nth| Some(((turn, nth), words.get_mut(nth)?.take()?))).collect())
        };
        let mut wanted: Vec<_> = wanted.into_iter().collect();
        wanted.sort_unstable_by_key(|(turn, _)| *turn); // what was packed together is opened once
        let read = wanted.into_par_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { situation, read: read.into_iter().flatten().collect() })
    }

    /// Words that outlast this vocabulary.
    fn lasting(&self, voice: &Voice<'c>) -> Option<&'c Statement> {
        match voice.words {
            At::Turn(turn, nth) => self.situation.turns[turn].after?.loose()?.get(nth),
            At::Other(statement) => Some(statement),
        }
    }

    fn statement(&self, voice: &Voice<'c>) -> Option<&Statement> {
        match voice.words {
            At::Turn(turn, nth) => self.read.get(&(turn, nth)).or_else(|| self.lasting(voice)),
            At::Other(statement) => Some(statement),
        }
    }

    /// The voices with their words.
    pub(super) fn claims(&self, voices: &[Voice<'c>]) -> Vec<Claim<'_>> {
        let claim = |voice: &Voice<'c>| {
            Some(Claim { record: voice.record, rank: voice.rank, statement: self.statement(voice)? })
        };
        voices.iter().filter_map(claim).collect()
    }
}

impl<'c> Plan<'c> {
    /// The steps of a piece, in the order of the feed.
    pub fn steps(&self, piece: usize) -> Result<Vec<Placed<'c>>, DecodeError> {
        let Some(range) = self.pieces.get(piece) else { return Ok(Vec::new()) };
        let outlines = &self.steps[range.clone()];
        let planner = Planner { situation: &self.situation, turns: &self.turns };
        let speakers = outlines.par_iter().with_min_len(PLANNED_TOGETHER);
        let speakers: Vec<_> = speakers.map(|outline| planner.speakers(outline.entity as usize)).collect();
        let spoken = outlines.iter().zip(&speakers).filter(|(outline, _)| outline.step == Step::Put);
        let vocabulary = Vocabulary::of(&self.situation, spoken.flat_map(|(_, speakers)| speakers.needed()))?;
        let steps = outlines.par_chunks(PLANNED_TOGETHER).zip(speakers.par_chunks(PLANNED_TOGETHER));
        let steps = steps.map(|(outlines, speakers)| {
            let mut maker =
                Maker { planner: &planner, vocabulary: &vocabulary, resolved: HashMap::new(), ids: HashMap::new() };
            let mut steps = Vec::with_capacity(outlines.len());
            outlines.iter().zip(speakers).for_each(|(outline, speakers)| maker.steps(outline, speakers, &mut steps));
            steps
        });
        let mut steps: Vec<_> = steps.collect();
        Ok(if steps.len() == 1 { steps.swap_remove(0) } else { steps.into_iter().flatten().collect() })
    }
}

/// Who speaks of an entity.
enum Speakers<'c> {
    /// All say what this one says; who they are is found out when it is written.
    Agreed(Voice<'c>),
    /// These, by rank.
    Each(Vec<Voice<'c>>),
}

impl<'c> Planner<'_, 'c> {
    fn speakers(&self, at: usize) -> Speakers<'c> {
        match self.agreed(at) {
            Some(first) => Speakers::Agreed(self.voice(first)),
            None => Speakers::Each(self.voices(at)),
        }
    }
}

impl<'c> Speakers<'c> {
    fn voices(&self) -> &[Voice<'c>] {
        match self {
            Self::Agreed(first) => std::slice::from_ref(first),
            Self::Each(voices) => voices,
        }
    }

    /// Those whose words are needed to write it.
    fn needed(&self) -> &[Voice<'c>] {
        let voices = self.voices();
        if is_uniform(voices) { first(voices) } else { voices }
    }
}

/// One of several voices that say the same: of those that have a turn, the one in the earliest piece.
fn first<'v, 'c>(voices: &'v [Voice<'c>]) -> &'v [Voice<'c>] {
    let turn = |voice: &Voice<'c>| match voice.words {
        At::Turn(turn, _) => turn,
        At::Other(_) => usize::MAX,
    };
    let first = (0..voices.len()).min_by_key(|at| turn(&voices[*at]));
    first.map_or(&[], |at| std::slice::from_ref(&voices[at]))
}

/// Makes steps one after the other.
struct Maker<'m, 'c> {
    planner: &'m Planner<'m, 'c>,
    vocabulary: &'m Vocabulary<'m, 'c>,
    /// Nested values with their references resolved, by what they were.
    resolved: HashMap<(KindId, u16, Arc<str>), Arc<str>>,
    /// What was referred to before.
    ids: HashMap<KindId, HashMap<String, Uuid>>,
}

impl<'c> Maker<'_, 'c> {
    fn steps(&mut self, outline: &Outline, speakers: &Speakers<'c>, steps: &mut Vec<Placed<'c>>) {
        let voices = speakers.voices();
        let speaking = || match speakers {
            Speakers::Agreed(_) => self.planner.agreeing(outline.entity as usize),
            Speakers::Each(voices) => contributors(voices),
        };
        let touch = self.planner.situation.touched.at(outline.entity as usize);
        let (kind, sourced_id, place) = (touch.kind(), touch.sourced_id(), outline.place.into());
        let link = |uniform, contributors| EntityLink { kind, sourced_id, uniform, contributors };
        match outline.step {
            Step::Retire => steps.push((place, EntityStep::Retire(kind, sourced_id))),
            Step::RetireAndRelink => {
                steps.push((place, EntityStep::Retire(kind, sourced_id)));
                steps.push((place, EntityStep::Relink(link(false, adding(voices)))));
            }
            Step::Relink => {
                let held = self.planner.held(outline.entity as usize);
                let settled = held.filter(|_| touch.settled_by(self.planner.situation.turns, held));
                let link = match settled {
                    Some(held) => link(true, self.planner.linked(touch, held)),
                    None => link(is_uniform(voices), speaking()),
                };
                steps.push((place, EntityStep::Relink(link)));
            }
            Step::Put => {
                let link = link(is_uniform(voices), speaking());
                steps.extend(self.row(outline, voices, link).map(|row| (place, EntityStep::Put(row))));
            }
        }
    }

    fn row(&mut self, outline: &Outline, voices: &[Voice<'c>], link: EntityLink) -> Option<EntityRow<'c>> {
        let new = self.planner.held(outline.entity as usize).is_none();
        let kind = link.kind;
        let one = first(voices).first()?;
        if !link.uniform {
            let kind = self.planner.situation.canonical.kind(kind);
            let folded = fold(kind, &mut self.vocabulary.claims(voices));
            let (digest, fields) = (folded.digest, folded.fields.into_owned());
            let source_id = Cow::Owned(self.vocabulary.statement(one)?.contribution.source_id.clone());
            let cells = self.cells(link.kind, Cow::Owned(fields));
            return Some(EntityRow { link, new, source_id, digest, cells });
        }
        let (source_id, digest, fields) = if let Some(lasting) = self.vocabulary.lasting(one) {
            let said = &lasting.contribution;
            (Cow::Borrowed(said.source_id.as_str()), lasting.digest, Cow::Borrowed(said.fields.as_slice()))
        } else {
            let Statement { contribution: said, digest, .. } = self.vocabulary.statement(one)?;
            (Cow::Owned(said.source_id.clone()), *digest, Cow::Owned(said.fields.clone()))
        };
        let cells = self.cells(kind, fields);
        Some(EntityRow { link, new, source_id, digest, cells })
    }

    /// One cell per field of the kind; references become ids.
    fn cells(&mut self, kind: KindId, fields: Cow<'c, [(u16, Value)]>) -> Vec<Cell<'c>> {
        let count = self.planner.situation.canonical.kind(kind).fields.len();
        let mut cells: Vec<Cell<'c>> = Vec::with_capacity(count);
        cells.resize_with(count, || Cell::Null);
        let mut place = |field: u16, value: Cow<'c, Value>| {
            if let Some(place) = cells.get_mut(usize::from(field)) {
                *place = self.cell(kind, field, value);
            }
        };
        match fields {
            Cow::Borrowed(fields) => fields.iter().for_each(|(field, value)| place(*field, Cow::Borrowed(value))),
            Cow::Owned(fields) => fields.into_iter().for_each(|(field, value)| place(field, Cow::Owned(value))),
        }
        cells
    }

    fn cell(&mut self, kind: KindId, field: u16, value: Cow<'c, Value>) -> Cell<'c> {
        let canonical = self.planner.situation.canonical;
        let form = canonical.kind(kind).fields.get(usize::from(field)).map(|field| &field.form);
        match (value.as_ref(), form) {
            (Value::Reference(source_id), Some(Form::Reference(to))) => {
                return Cell::Id(self.sourced_id(*to, source_id));
            }
            (Value::Nested(json), Some(Form::Nested(_, references))) if !references.is_empty() => {
                return Cell::Text(self.resolved(kind, field, json, references).to_string().into());
            }
            _ => {}
        }
        match value {
            Cow::Borrowed(Value::Text(text) | Value::Number(text) | Value::Reference(text)) => Cell::Text(text.into()),
            Cow::Owned(Value::Text(text) | Value::Number(text) | Value::Reference(text)) => Cell::Text(text.into()),
            Cow::Borrowed(Value::Nested(json)) => Cell::Text(Cow::Borrowed(json)),
            Cow::Owned(Value::Nested(json)) => Cell::Text(json.to_string().into()),
            Cow::Borrowed(&Value::Integer(integer)) | Cow::Owned(Value::Integer(integer)) => Cell::Integer(integer),
            Cow::Borrowed(&Value::Boolean(boolean)) | Cow::Owned(Value::Boolean(boolean)) => Cell::Boolean(boolean),
        }
    }

    /// A nested value with ids for its references; thousands of entities share a handful of them.
    fn resolved(&mut self, kind: KindId, field: u16, json: &Arc<str>, references: &[NestedReference]) -> Arc<str> {
        let key = (kind, field, Arc::clone(json));
        if let Some(resolved) = self.resolved.get(&key) {
            return Arc::clone(resolved);
        }
        let Situation { canonical, namespace, .. } = *self.planner.situation;
        let sourced_id = |to, id: &str| namespace.sourced_id(&canonical.kind(to).name, id);
        let resolved: Arc<str> = reference::resolve(json, references, &sourced_id).into();
        self.resolved.insert(key, Arc::clone(&resolved));
        resolved
    }

    fn sourced_id(&mut self, kind: KindId, source_id: &str) -> Uuid {
        let ids = self.ids.entry(kind).or_default();
        if let Some(known) = ids.get(source_id) {
            return *known;
        }
        let Situation { canonical, namespace, .. } = *self.planner.situation;
        let id = namespace.sourced_id(&canonical.kind(kind).name, source_id);
        ids.insert(source_id.to_owned(), id);
        id
    }
}
