//! Looks at what a version would make of what is stored: maps, folds and plans everything at once, and stores nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::super::mapping::{Changed, Ending, Outcomes};
use super::super::work::Work;
use super::before::Before;
use super::difference::{Difference, RecordCounts};
use super::entities::Entities;
use super::parts::parts;
use super::stored::{Again, read};
use super::{Foreseen, Progress, RemapError, Sample};
use crate::costs::Stage;
use crate::delivery::Held;
use crate::description::RecordTypeId;
use crate::hold;
use crate::ingest::Loaded;
use crate::map::{Input, Outcome};
use crate::plan::{self, Plan, Situation, Ties, Turn};
use crate::record::Record;
use crate::said;
use crate::state::State;
use crate::store::{Connection, HeldRecord, RecordId};

/// Records that are read at a time.
const READ_TOGETHER: usize = 500;

/// A look at what a version would make of what is stored.
pub(super) struct Looking<'l> {
    /// What the stages of that version are.
    pub(super) work: &'l Work<'l>,
    /// The version as which the tables are.
    pub(super) from: &'l Loaded,
    pub(super) sample: Sample,
    pub(super) progress: Progress<'l>,
}

/// What was read: all records that there are, and what those say that would be mapped anew.
#[derive(Default)]
struct Found {
    held: Vec<HeldRecord>,
    again: Vec<(Record<'static>, Option<i64>)>,
    counts: BTreeMap<String, RecordCounts>,
}

/// What planning comes to beside what is different.
struct Planned {
    ties: Vec<(RecordId, RecordId)>,
    /// Records that would wait.
    parked: Vec<RecordId>,
    /// Digest of all that would be done, hexadecimal.
    digest: String,
    held: Option<Held>,
}

impl Looking<'_> {
    pub(super) async fn run(&self) -> Result<Foreseen, RemapError> {
        let work = self.work;
        let partner = &work.loaded.partner;
        let connection = work.ingest.connect(work.sender, work.loaded).await?;
        let Found { held, again, counts } = self.read(&connection).await?;
        let state = State::new(held, &partner.records);
        let again = Again::new(again, partner);
        let changed = again.changed(&state, partner, connection.next_record);
        let outcomes = work.costs.stage(Stage::Map, || work.map_apart(&changed))?;
        let mut difference = Difference { records: counts, ..Difference::default() };
        difference.sample = matches!(self.sample, Sample::Some(_)).then_some(again.records().len() as u64);
        let before = Before {
            was_taken: self.was_taken(&again, &state)?,
            was_well: state.records().iter().filter(|held| held.digest.is_some()).map(|held| held.id).collect(),
            types: again
                .records()
                .filter_map(|record| Some((state.get(record.of, &record.key)?.id, record.of)))
                .collect(),
            partner,
            details_max: work.ingest.limits.remap_details_max,
        };
        before.tell(&outcomes, &mut difference);
        let planned = self.plan(&connection, &state, &changed, &outcomes, &before, &mut difference).await?;
        let bad = outcomes.each().filter(|(_, ending, _)| *ending != Ending::Well).map(|(record, ..)| record);
        let ended = bad.chain(planned.parked).filter(|record| !before.was_well.contains(record)).collect();
        let ids: Vec<_> = before.types.keys().copied().collect();
        let parts = parts(&ids, &planned.ties, &ended, work.ingest.limits.remap_records.max(1));
        let (plan, held) = (planned.digest, planned.held);
        Ok(Foreseen { difference, generation: connection.generation, parts, plan, held })
    }

    /// The type of a record in the version that is looked at.
    fn of(&self, of: RecordTypeId) -> Option<RecordTypeId> {
        let name = &self.from.partner.records[usize::from(of.0)].name;
        let types = &self.work.loaded.partner.records;
        (0..).map(RecordTypeId).zip(types).find(|(_, of)| of.name == *name).map(|(id, _)| id)
    }

    /// Reads what is stored.
    async fn read(&self, connection: &Connection) -> Result<Found, RemapError> {
        let (ingest, from) = (self.work.ingest, &self.from.partner);
        let mut held = ingest.store.held_records(connection, from).await?;
        held.sort_by_key(|held| (held.of, held.id));
        let mut found = Found::default();
        held.retain(|held| {
            let counts = found.counts.entry(from.records[usize::from(held.of.0)].name.clone()).or_default();
            counts.stored += 1;
            counts.waiting += u64::from(held.waits);
            let of = self.of(held.of);
            counts.forgotten += u64::from(of.is_none());
            found.held.extend(of.map(|of| HeldRecord { of, ..held.clone() }));
            of.is_some() && !held.waits
        });
        if let Sample::Some(count) = self.sample {
            let every = held.len().div_ceil(count.max(1)).max(1);
            held = held.into_iter().step_by(every).collect();
        }
        for (nth, some) in held.chunks(READ_TOGETHER).enumerate() {
            (self.progress)(nth * READ_TOGETHER, held.len());
            self.read_some(connection, some, &mut found).await?;
        }
        (self.progress)(held.len(), held.len());
        Ok(found)
    }

    /// Reads some records, and keeps those that would be mapped anew.
    async fn read_some(
        &self,
        connection: &Connection,
        some: &[HeldRecord],
        found: &mut Found,
    ) -> Result<(), RemapError> {
        let (work, to) = (self.work, &self.work.loaded.partner);
        for stored in read(&*work.ingest.store, connection, &self.from.partner, some).await? {
            let Some(of) = self.of(stored.held.of) else { continue };
            let record = stored.record(of, to, work.mapping, work.ingest.limits.json_depth_max);
            if stored.held.digest == Some(record.digest) {
                continue;
            }
            let described = &to.records[usize::from(of.0)];
            let counts = found.counts.entry(described.name.clone()).or_default();
            counts.mapped += 1;
            counts.breaking_schema += u64::from(!record.look(|json| described.schema.is_valid(json)));
            found.again.push((record.packed(), stored.held.as_of));
        }
        Ok(())
    }

    /// Of the records that say nothing that was mapped well: those that the version before would take, so that they were
    /// not refused, but waited.
    fn was_taken(&self, again: &Again, state: &State) -> Result<BTreeSet<RecordId>, RemapError> {
        let types = &self.from.partner.records;
        let mut taken = BTreeSet::new();
        let mut asked = Vec::new();
        let mut unsure = Vec::new();
        for record in again.records() {
            let Some(held) = state.get(record.of, &record.key) else { continue };
            if held.digest.is_some() {
                taken.insert(held.id);
                continue;
            }
            let name = &self.work.loaded.partner.records[usize::from(record.of.0)].name;
            match types.iter().find(|of| of.name == *name) {
                Some(of) if !of.kinds.is_empty() => {
                    asked.push(held.id);
                    unsure.push((of, record.content.read(), record.ancestors.as_slice()));
                }
                _ => _ = taken.insert(held.id),
            }
        }
        let inputs =
            unsure.iter().map(|(of, body, ancestors)| Input { record: &of.name, kinds: &of.kinds, body, ancestors });
        let inputs: Vec<_> = inputs.collect();
        let mapped = self.work.ingest.map_apart(self.from, &self.work.options, &inputs, &self.work.costs)?;
        let well = asked.into_iter().zip(mapped).filter(|(_, it)| matches!(it.outcome, Outcome::Contributions(_)));
        taken.extend(well.map(|(id, _)| id));
        Ok(taken)
    }

    /// Folds and plans, as a commit of everything would.
    async fn plan(
        &self,
        connection: &Connection,
        state: &State,
        changed: &Changed<'_, '_>,
        outcomes: &Outcomes,
        before: &Before<'_>,
        difference: &mut Difference,
    ) -> Result<Planned, RemapError> {
        let work = self.work;
        let canonical = &work.ingest.canonical;
        let mut turns = work.turns(connection, changed, outcomes).await?;
        let mut ties = Vec::new();
        let mut parked = BTreeMap::new();
        let (touched, held) = loop {
            let touched = plan::touch(&turns, work.reading())?;
            let held = work.held(connection, &touched).await?;
            let mut found = Ties::of(&turns, &touched, &held, work.reading())?;
            self.needed_before(connection, state, &turns, &mut found).await?;
            ties.append(&mut found.pairs);
            let dangling = work.dangling(connection, &turns, &touched, &held).await?;
            if dangling.is_empty() {
                break (touched, held);
            }
            turns.retain(|turn| !dangling.contains_key(&turn.record));
            parked.extend(dangling);
        };
        before.tell_waiting(parked.keys(), difference);
        let others = work.others(connection, state, touched.needs(&turns, &held)).await?;
        let ranks = state.ranks().collect();
        let situation = Situation {
            canonical,
            namespace: work.namespace,
            turns: &turns,
            touched: &touched,
            held: &held,
            others: &others,
            ranks: &ranks,
            active: &connection.active,
        };
        let planned = plan::plan(&situation)?;
        Entities::new(work, connection, state, situation).tell(&planned, difference).await?;
        let digest = hold::digest(&planned, canonical)?.to_string();
        let held = self.held(connection, state, &turns, &planned, &digest).await?;
        difference.passed = held.iter().flat_map(|held| held.passed.iter().cloned()).collect();
        Ok(Planned { ties, parked: parked.into_keys().collect(), digest, held })
    }

    /// What records said before ties them, too, to those that take away what they needed for it.
    async fn needed_before(
        &self,
        connection: &Connection,
        state: &State,
        turns: &[Turn<'_>],
        ties: &mut Ties,
    ) -> Result<(), RemapError> {
        if !ties.has_changing() {
            return Ok(());
        }
        let work = self.work;
        let spoke = turns.iter().filter(|turn| !turn.before.is_empty());
        let records: Vec<_> = spoke.filter_map(|turn| state.find(turn.record)).collect();
        for some in records.chunks(READ_TOGETHER) {
            for (record, statements) in work.statements(connection, some).await? {
                ties.needs(record, &said::needs(&statements, &work.ingest.canonical, work.namespace));
            }
        }
        Ok(())
    }

    /// Why all of it together would have to wait for an operator. Of a sample that cannot be told.
    async fn held(
        &self,
        connection: &Connection,
        state: &State,
        turns: &[Turn<'_>],
        planned: &Plan<'_>,
        digest: &str,
    ) -> Result<Option<Held>, RemapError> {
        let work = self.work;
        if self.sample != Sample::All || !work.sender.thresholds.is_enabled() {
            return Ok(None);
        }
        let passed = work.passed(connection, state, turns, planned).await?;
        if passed.is_empty() {
            return Ok(None);
        }
        let most = work.ingest.limits.held_changes_max;
        let (changes, omitted) = hold::changes(planned, &work.ingest.canonical, most)?;
        Ok(Some(Held { since: work.received_at, plan: digest.to_owned(), passed, changes, omitted }))
    }
}
