//! Says of each entity what would become of it, and in which fields it would be another.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::super::work::Work;
use super::RemapError;
use super::difference::{Difference, EntityChange, Happening};
use crate::canonical::KindId;
use crate::fold::{Claim, Statement, fold};
use crate::plan::{Plan, Situation, Turn};
use crate::said::{Mark, Reading, marks};
use crate::state::State;
use crate::store::{Connection, EntityRow, EntityStep, HeldEntity, Placed, RecordId};

/// What the entities were and would be.
pub(super) struct Entities<'e> {
    work: &'e Work<'e>,
    connection: &'e Connection,
    state: &'e State,
    situation: Situation<'e>,
    held: HashMap<(KindId, Uuid), &'e HeldEntity>,
    turns: HashMap<RecordId, &'e Turn<'e>>,
}

/// What some records say, with of whom.
type Words<'w> = HashMap<RecordId, (Cow<'w, [Mark]>, Cow<'w, [Statement]>)>;

impl<'e> Entities<'e> {
    pub(super) fn new(
        work: &'e Work<'e>,
        connection: &'e Connection,
        state: &'e State,
        situation: Situation<'e>,
    ) -> Self {
        let names = situation.touched.entities().enumerate();
        let held = names.filter_map(|(at, name)| Some((name, situation.held.get(at)?))).collect();
        let turns = situation.turns.iter().map(|turn| (turn.record, turn)).collect();
        Self { work, connection, state, situation, held, turns }
    }

    /// Counts all that a plan would do, and names the first of it.
    pub(super) async fn tell(&self, planned: &Plan<'_>, difference: &mut Difference) -> Result<(), RemapError> {
        difference.entities.clone_from(&planned.counts);
        let mut changes = Vec::with_capacity(planned.changes);
        for piece in 0..planned.pieces() {
            let steps = planned.steps(piece)?;
            let (before, after) = self.words(&steps).await?;
            let found = steps.iter().filter_map(|(place, step)| Some((*place, self.change(step, &before, &after)?)));
            changes.extend(found);
        }
        changes.sort_by_key(|(place, _)| *place);
        let details_max = self.work.ingest.limits.remap_details_max;
        let mut named: BTreeMap<String, usize> = BTreeMap::new();
        for (_, change) in changes {
            if change.happens == Happening::Updated {
                let fields = difference.fields.entry(change.kind.clone()).or_default();
                for field in &change.fields {
                    *fields.entry(field.clone()).or_default() += 1;
                }
            }
            let named = named.entry(change.kind.clone()).or_default();
            *named += 1;
            if *named > details_max {
                difference.changes_omitted += 1;
            } else {
                difference.changes.push(change);
            }
        }
        Ok(())
    }

    /// What those said, and would say, who speak of entities that would be others.
    async fn words(&self, steps: &[Placed<'_>]) -> Result<(Words<'_>, Words<'_>), RemapError> {
        let updated = steps.iter().filter_map(|(_, step)| match step {
            EntityStep::Put(row) => Some((row, self.held_of(row)?)),
            _ => None,
        });
        let speakers: BTreeSet<_> =
            updated.flat_map(|(row, held)| held.contributors.iter().chain(&row.link.contributors).copied()).collect();
        let (canonical, namespace) = (self.situation.canonical, self.situation.namespace);
        let reading = Reading { canonical, namespace };
        let mut after = Words::new();
        for said in speakers.iter().filter_map(|record| Some((*record, self.turns.get(record)?.after?))) {
            let (record, said) = said;
            after.insert(record, (said.marks(reading)?, said.words(canonical)?));
        }
        let stored: Vec<_> = speakers.iter().filter_map(|record| self.state.find(*record)).collect();
        let stored = self.work.statements(self.connection, &stored).await?;
        let before = stored.into_iter().map(|(record, statements)| {
            (record, (Cow::Owned(marks(&statements, canonical, namespace)), Cow::Owned(statements)))
        });
        Ok((before.collect(), after))
    }

    /// What is held of an entity that is there and would be another.
    fn held_of(&self, row: &EntityRow<'_>) -> Option<&'e HeldEntity> {
        self.held.get(&(row.link.kind, row.link.sourced_id)).copied().filter(|held| held.active)
    }

    fn change(&self, step: &EntityStep<'_>, before: &Words<'_>, after: &Words<'_>) -> Option<EntityChange> {
        let name = |kind| self.situation.canonical.kind(kind).name.clone();
        match step {
            EntityStep::Relink(_) => None,
            EntityStep::Retire(kind, sourced_id) => {
                let (kind, sourced_id) = (name(*kind), *sourced_id);
                Some(EntityChange { kind, sourced_id, happens: Happening::Removed, fields: Vec::new() })
            }
            EntityStep::Put(row) => {
                let (happens, fields) = match self.held_of(row) {
                    Some(held) => (Happening::Updated, self.fields(row, held, before, after)),
                    None if row.new => (Happening::Created, Vec::new()),
                    None => (Happening::Restored, Vec::new()),
                };
                Some(EntityChange { kind: name(row.link.kind), sourced_id: row.link.sourced_id, happens, fields })
            }
        }
    }

    /// The fields in which what all say together was, and would be, another.
    fn fields(&self, row: &EntityRow<'_>, held: &HeldEntity, before: &Words<'_>, after: &Words<'_>) -> Vec<String> {
        let kind = self.situation.canonical.kind(row.link.kind);
        let mut was = self.claims(&held.contributors, row, |record| before.get(&record));
        let words = |record| if self.turns.contains_key(&record) { after.get(&record) } else { before.get(&record) };
        let mut will_be = self.claims(&row.link.contributors, row, words);
        if was.is_empty() || will_be.is_empty() {
            return Vec::new();
        }
        let (was, will_be) = (fold(kind, &mut was), fold(kind, &mut will_be));
        let was: BTreeMap<_, _> = was.fields.iter().map(|(field, value)| (*field, value)).collect();
        let will_be: BTreeMap<_, _> = will_be.fields.iter().map(|(field, value)| (*field, value)).collect();
        let all: BTreeSet<_> = was.keys().chain(will_be.keys()).copied().collect();
        let differing = all.into_iter().filter(|field| was.get(field) != will_be.get(field));
        differing.filter_map(|field| Some(kind.fields.get(usize::from(field))?.name.clone())).collect()
    }

    fn claims<'w>(
        &'w self,
        records: &[RecordId],
        row: &EntityRow<'_>,
        words: impl Fn(RecordId) -> Option<&'w (Cow<'w, [Mark]>, Cow<'w, [Statement]>)>,
    ) -> Vec<Claim<'w>> {
        let name = (row.link.kind, row.link.sourced_id);
        let claims = records.iter().flat_map(|&record| {
            let turn = self.turns.get(&record);
            let rank = turn.map(|turn| turn.rank).or_else(|| self.situation.ranks.get(&record).copied());
            let said = words(record).into_iter().flat_map(|(marks, statements)| marks.iter().zip(statements.iter()));
            let about = said.filter(move |(mark, _)| (mark.kind, mark.sourced_id) == name);
            about.filter_map(move |(_, statement)| Some(Claim { record, rank: rank?, statement }))
        });
        claims.collect()
    }
}
