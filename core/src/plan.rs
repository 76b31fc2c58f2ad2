//! Turns what records said before and say now into the exact steps that make the stored entities true again.
//!
//! Pure: no clock, no database, no choice left for the commit. The pipeline asks in three moves, because a plan needs
//! to know what is held: [`touch`] finds the entities that may change, [`Touched::needs`] the held claims that must be
//! read to fold them, [`plan`] the steps.
//!
//! An entity that a record speaks of in the same words as before is not even looked at. One on which all records agree
//! is not read again either: another record that says the same, or one fewer, cannot change it.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet};
use rayon::prelude::*;
use uuid::Uuid;

use crate::canonical::{Canonical, Form, KindId, NestedReference};
use crate::delivery::Counts;
use crate::fold::{Claim, Folded, Rank, Statement, fold, is_stated};
use crate::identity::Namespace;
use crate::map::Value;
use crate::reference;
use crate::store::{EntityLink, EntityRow, EntityStep, HeldEntity, RecordId};
use crate::table::Cell;

/// Entities that are planned one after the other; beside them, others are.
const PLANNED_TOGETHER: usize = 512;

/// What one record said when it was last taken, and what it says now.
#[derive(Debug)]
pub struct Turn<'c> {
    /// The record.
    pub record: RecordId,
    /// Its place among the records that speak of one entity.
    pub rank: Rank<'c>,
    /// What it said.
    pub before: Cow<'c, [Statement]>,
    /// What it says; empty when it is gone.
    pub after: Cow<'c, [Statement]>,
}

/// An entity as the partner names it.
pub type Name<'c> = (KindId, &'c str);

/// The entities that a set of turns may change.
#[derive(Debug)]
pub struct Touched<'c> {
    /// In the order in which the turns speak of them.
    entities: Vec<Touch<'c>>,
    /// Where in `entities` each stands.
    places: HashMap<Name<'c>, usize>,
    /// Their places by kind and `sourcedId`: the order of the steps and of the feed.
    order: Vec<usize>,
}

/// What the turns do to one entity.
#[derive(Debug)]
struct Touch<'c> {
    name: Name<'c>,
    sourced_id: Uuid,
    /// The records whose words about it have changed.
    turned: Vec<RecordId>,
    /// What these say now.
    claims: Vec<Claim<'c>>,
}

/// What is held of the touched entities, in the order of [`Touched::entities`]; `None` for one that was never stored.
pub type Held = Vec<Option<HeldEntity>>;

/// Statements of records that have no turn, but speak of a touched entity.
pub type Others = HashMap<RecordId, Vec<Statement>>;

/// The steps, and what they amount to.
#[derive(Debug, Default)]
pub struct Plan<'c> {
    /// What to do, in the order of the feed.
    pub entities: Vec<EntityStep<'c>>,
    /// Per kind, by name.
    pub counts: BTreeMap<String, Counts>,
    /// Active entities per kind afterwards, by name.
    pub active: BTreeMap<String, u64>,
    /// Fields of entities for which a claim had to be picked: the leading record, the kind, and the field.
    pub disputes: Vec<(RecordId, KindId, u16)>,
}

/// Finds the entities about which the words of some record have changed.
pub fn touch<'c>(turns: &'c [Turn<'c>], canonical: &Canonical, namespace: Namespace) -> Touched<'c> {
    let most = turns.iter().map(|turn| turn.before.len().max(turn.after.len())).sum();
    let mut touched =
        Touched { entities: Vec::with_capacity(most), places: HashMap::with_capacity(most), order: Vec::new() };
    for turn in turns {
        let same = unchanged(turn);
        let differs = |statement: &&'c Statement| same.is_empty() || !same.contains(&name(statement));
        for statement in turn.before.iter().filter(differs) {
            touched.entity(name(statement)).turned_by(turn.record);
        }
        for statement in turn.after.iter().filter(differs) {
            let touch = touched.entity(name(statement));
            touch.turned_by(turn.record);
            touch.claims.push(Claim { record: turn.record, rank: turn.rank, statement });
        }
    }
    touched.entities.par_iter_mut().for_each(|touch| {
        let (kind, source_id) = touch.name;
        touch.sourced_id = namespace.sourced_id(&canonical.kind(kind).name, source_id);
    });
    touched.order = (0..touched.entities.len()).collect();
    let entities = &touched.entities;
    touched.order.par_sort_unstable_by_key(|at| (entities[*at].name.0, entities[*at].sourced_id));
    touched
}

fn name(statement: &Statement) -> Name<'_> {
    (statement.contribution.kind, &statement.contribution.source_id)
}

/// The entities about which a record says just what it said before.
fn unchanged<'c>(turn: &'c Turn<'_>) -> BTreeSet<Name<'c>> {
    if turn.before.is_empty() || turn.after.is_empty() {
        return BTreeSet::new();
    }
    let mut words: BTreeMap<Name<'c>, (Vec<_>, Vec<_>)> = BTreeMap::new();
    for statement in turn.before.iter() {
        words.entry(name(statement)).or_default().0.push(statement.digest);
    }
    for statement in turn.after.iter() {
        words.entry(name(statement)).or_default().1.push(statement.digest);
    }
    let same = words.into_iter().filter_map(|(name, (mut before, mut after))| {
        before.sort_unstable();
        after.sort_unstable();
        (before == after).then_some(name)
    });
    same.collect()
}

impl Touch<'_> {
    fn turned_by(&mut self, record: RecordId) {
        if self.turned.last() != Some(&record) {
            self.turned.push(record);
        }
    }

    /// The records without a change of words that also speak of it.
    fn others<'h>(&'h self, held: Option<&'h HeldEntity>) -> impl Iterator<Item = RecordId> + 'h {
        let contributors = held.map_or(&[][..], |held| &held.contributors);
        contributors.iter().copied().filter(|record| !self.turned.contains(record))
    }

    /// Whether it will be there afterwards.
    fn will_be_active(&self, held: Option<&HeldEntity>) -> bool {
        let stays = || held.is_some_and(|held| held.active) && self.others(held).next().is_some();
        is_stated(&self.claims) || stays()
    }

    /// Whether what is held already says what would come out, so that nobody else need be asked.
    fn settled_by(&self, held: Option<&HeldEntity>) -> bool {
        held.is_some_and(|held| {
            held.active
                && held.uniform
                && self.claims.iter().all(|claim| claim.statement.digest == held.digest)
                && self.will_be_active(Some(held))
        })
    }
}

impl<'c> Touched<'c> {
    fn entity(&mut self, name: Name<'c>) -> &mut Touch<'c> {
        let place = *self.places.entry(name).or_insert_with(|| {
            let (turned, claims) = (Vec::new(), Vec::with_capacity(1));
            self.entities.push(Touch { name, sourced_id: Uuid::nil(), turned, claims });
            self.entities.len() - 1
        });
        &mut self.entities[place]
    }

    /// The touched entities with their ids.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = (Name<'c>, Uuid)> {
        self.entities.iter().map(|touch| (touch.name, touch.sourced_id))
    }

    /// The records without a turn whose statements are needed to fold the touched entities.
    pub fn needs(&self, held: &Held) -> BTreeSet<RecordId> {
        let with_held = self.entities.iter().zip(held).map(|(touch, held)| (touch, held.as_ref()));
        let open = with_held.filter(|(touch, held)| !touch.settled_by(*held));
        open.flat_map(|(touch, held)| touch.others(held)).collect()
    }

    /// The entities that the turns refer to and do not touch: whether they are there has to be asked.
    pub fn references(&self, turns: &[Turn<'_>], canonical: &Canonical) -> BTreeSet<(KindId, String)> {
        let elsewhere = |turn: &Turn<'_>| {
            let mut references = BTreeSet::new();
            let mut seen = reference::Seen::default();
            for statement in turn.after.iter() {
                seen.each_new(&statement.contribution, canonical, &mut |kind, source_id| {
                    if !self.places.contains_key(&(kind, source_id)) {
                        references.insert((kind, source_id.to_owned()));
                    }
                });
            }
            references
        };
        turns.par_iter().flat_map_iter(elsewhere).collect()
    }

    /// The records that refer to an entity that will not be there, or only add to one, with the kind they wait for.
    /// `absent` are those that [`references`](Self::references) found and nobody holds.
    pub fn dangling(
        &self,
        turns: &[Turn<'_>],
        canonical: &Canonical,
        absent: &BTreeSet<(KindId, String)>,
        held: &Held,
    ) -> BTreeMap<RecordId, KindId> {
        let going = self.entities.iter().zip(held).filter(|(touch, held)| !touch.will_be_active(held.as_ref()));
        let elsewhere = absent.iter().map(|(kind, source_id)| (*kind, source_id.as_str()));
        let missing: HashSet<_> = going.map(|(touch, _)| touch.name).chain(elsewhere).collect();
        let mut dangling = BTreeMap::new();
        if missing.is_empty() {
            return dangling;
        }
        for turn in turns {
            let mut seen = reference::Seen::default();
            for statement in turn.after.iter() {
                if !statement.whole && missing.contains(&name(statement)) {
                    dangling.entry(turn.record).or_insert(statement.contribution.kind);
                }
                seen.each_new(&statement.contribution, canonical, &mut |kind, source_id| {
                    if missing.contains(&(kind, source_id)) {
                        dangling.entry(turn.record).or_insert(kind);
                    }
                });
            }
        }
        dangling
    }
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
    pub touched: &'c Touched<'c>,
    /// What is held of these.
    pub held: &'c Held,
    /// What the other records say, as far as [`Touched::needs`] asked for it.
    pub others: &'c Others,
    /// The place of every record that has no turn.
    pub ranks: &'c HashMap<RecordId, Rank<'c>>,
    /// Active entities per kind so far.
    pub active: &'c BTreeMap<String, u64>,
}

/// Plans the steps.
pub fn plan<'c>(situation: &Situation<'c>) -> Plan<'c> {
    let turns = situation.turns.iter().map(|turn| (turn.record, turn)).collect();
    let parts = situation.touched.order.par_chunks(PLANNED_TOGETHER).map(|places| {
        let mut planner =
            Planner { situation: *situation, turns: &turns, part: Part::default(), resolved: HashMap::new() };
        for &place in places {
            let held = situation.held.get(place).and_then(Option::as_ref);
            planner.entity(&situation.touched.entities[place], held);
        }
        planner.part
    });
    let parts: Vec<_> = parts.collect();
    Plan::of(parts, situation)
}

impl<'c> Plan<'c> {
    /// The parts, in their order, as one plan.
    fn of(parts: Vec<Part<'c>>, situation: &Situation<'c>) -> Self {
        let mut plan = Self { active: situation.active.clone(), ..Self::default() };
        plan.entities.reserve(parts.iter().map(|part| part.entities.len()).sum());
        let mut tallies: BTreeMap<KindId, Tally> = BTreeMap::new();
        for part in parts {
            plan.entities.extend(part.entities);
            plan.disputes.extend(part.disputes);
            for (kind, tally) in part.tallies {
                tallies.entry(kind).or_default().add(&tally);
            }
        }
        for (kind, tally) in tallies {
            let name = &situation.canonical.kind(kind).name;
            let active = plan.active.entry(name.clone()).or_default();
            *active = active.saturating_add_signed(tally.gained);
            plan.counts.insert(name.clone(), tally.counts);
        }
        // Whatever is active afterwards and was neither created nor updated is as it was.
        for (kind, active) in &plan.active {
            let counts = plan.counts.entry(kind.clone()).or_default();
            counts.unchanged = active.saturating_sub(counts.created + counts.updated);
        }
        plan
    }
}

/// What becomes of some of the entities.
#[derive(Default)]
struct Part<'c> {
    entities: Vec<EntityStep<'c>>,
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

/// Plans some of the entities: what becomes of one follows from nothing that becomes of another.
struct Planner<'p, 'c> {
    situation: Situation<'c>,
    turns: &'p HashMap<RecordId, &'c Turn<'c>>,
    part: Part<'c>,
    /// Nested values with their references resolved, by what they were.
    resolved: HashMap<(KindId, u16, Arc<str>), Arc<str>>,
}

impl<'c> Planner<'_, 'c> {
    fn entity(&mut self, touch: &'c Touch<'c>, held: Option<&HeldEntity>) {
        if let (true, Some(held)) = (touch.settled_by(held), held) {
            self.relink(touch, held);
            return;
        }
        let kind = touch.name.0;
        let mut claims = touch.claims.clone();
        for record in touch.others(held) {
            self.claims_of(record, touch.name, &mut claims);
        }
        if !is_stated(&claims) {
            self.retire(touch, held, &claims);
            return;
        }
        let folded = fold(self.situation.canonical.kind(kind), &mut claims);
        if let Some(&leader) = folded.contributors.first() {
            self.part.disputes.extend(folded.disputed.iter().map(|field| (leader, kind, *field)));
        }
        match held {
            Some(held) if held.active && held.digest == folded.digest => {
                if held.uniform != folded.uniform || held.contributors != folded.contributors {
                    self.part.entities.push(EntityStep::Relink(link(touch, folded.uniform, folded.contributors)));
                }
            }
            held => self.put(touch, held, folded),
        }
    }

    /// Nobody states it any more. Who still adds to it is kept with it, for when it comes back.
    fn retire(&mut self, touch: &Touch<'c>, held: Option<&HeldEntity>, claims: &[Claim<'c>]) {
        if !held.is_some_and(|held| held.active) {
            return;
        }
        let kind = touch.name.0;
        self.part.entities.push(EntityStep::Retire(kind, touch.sourced_id));
        if !claims.is_empty() {
            let adding: BTreeSet<_> = claims.iter().map(|claim| (claim.rank, claim.record)).collect();
            let contributors = adding.into_iter().map(|(_, record)| record).collect();
            self.part.entities.push(EntityStep::Relink(link(touch, false, contributors)));
        }
        let tally = self.tally(kind);
        tally.counts.removed += 1;
        tally.gained -= 1;
    }

    /// It says what it said; only who says it may have changed.
    fn relink(&mut self, touch: &Touch<'c>, held: &HeldEntity) {
        let rank = |record: &RecordId| {
            self.turns.get(record).map(|turn| turn.rank).or_else(|| self.situation.ranks.get(record).copied())
        };
        let speaking = touch.claims.iter().map(|claim| claim.record);
        let mut contributors: Vec<_> = touch.others(Some(held)).chain(speaking).collect();
        contributors.sort_by_key(rank);
        contributors.dedup();
        if contributors != held.contributors {
            self.part.entities.push(EntityStep::Relink(link(touch, true, contributors)));
        }
    }

    /// What a record that did not change its words about `name` says about it.
    fn claims_of(&self, record: RecordId, name: Name<'c>, claims: &mut Vec<Claim<'c>>) {
        let (rank, statements) = match self.turns.get(&record) {
            Some(turn) => (Some(turn.rank), Some(turn.after.as_ref())),
            None => (self.situation.ranks.get(&record).copied(), self.situation.others.get(&record).map(Vec::as_slice)),
        };
        let (Some(rank), Some(statements)) = (rank, statements) else { return };
        let about = statements.iter().filter(|statement| self::name(statement) == name);
        claims.extend(about.map(|statement| Claim { record, rank, statement }));
    }

    fn put(&mut self, touch: &Touch<'c>, held: Option<&HeldEntity>, folded: Folded<'c>) {
        let (kind, source_id) = touch.name;
        let cells = self.cells(kind, folded.fields);
        let row = EntityRow {
            link: link(touch, folded.uniform, folded.contributors),
            new: held.is_none(),
            source_id,
            digest: folded.digest,
            cells,
        };
        self.part.entities.push(EntityStep::Put(row));
        let tally = self.tally(kind);
        if held.is_none() {
            tally.counts.created += 1;
        } else {
            tally.counts.updated += 1;
        }
        tally.gained += i64::from(held.is_none_or(|held| !held.active));
    }

    /// One cell per field of the kind; references become ids.
    fn cells(&mut self, kind: KindId, fields: Cow<'c, [(u16, Value)]>) -> Vec<Cell<'c>> {
        let count = self.situation.canonical.kind(kind).fields.len();
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
        let form = self.situation.canonical.kind(kind).fields.get(usize::from(field)).map(|field| &field.form);
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
        let resolved: Arc<str> = reference::resolve(json, references, &|to, id| self.sourced_id(to, id)).into();
        self.resolved.insert(key, Arc::clone(&resolved));
        resolved
    }

    fn sourced_id(&self, kind: KindId, source_id: &str) -> Uuid {
        let Situation { canonical, namespace, touched, .. } = self.situation;
        let place = touched.places.get(&(kind, source_id));
        place.map_or_else(
            || namespace.sourced_id(&canonical.kind(kind).name, source_id),
            |place| touched.entities[*place].sourced_id,
        )
    }

    fn tally(&mut self, kind: KindId) -> &mut Tally {
        self.part.tallies.entry(kind).or_default()
    }
}

fn link(touch: &Touch<'_>, uniform: bool, contributors: Vec<RecordId>) -> EntityLink {
    EntityLink { kind: touch.name.0, sourced_id: touch.sourced_id, uniform, contributors }
}
