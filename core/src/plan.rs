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
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;
use uuid::Uuid;

use crate::canonical::{Canonical, Form, KindId, NestedReference};
use crate::delivery::Counts;
use crate::fold::{Claim, Folded, Rank, Statement, fold};
use crate::identity::Namespace;
use crate::map::Value;
use crate::reference;
use crate::store::{EntityLink, EntityRow, EntityStep, HeldEntity, RecordId};
use crate::table::Cell;

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
    /// By name.
    entities: HashMap<Name<'c>, Touch<'c>>,
    /// Their names, by kind and `sourcedId`: the order of the steps and of the feed.
    order: Vec<Name<'c>>,
}

/// What the turns do to one entity.
#[derive(Debug, Default)]
struct Touch<'c> {
    sourced_id: Uuid,
    /// The records whose words about it have changed.
    turned: Vec<RecordId>,
    /// What these say now.
    claims: Vec<Claim<'c>>,
}

/// What is held, by name; an entity that was never stored is not in it.
pub type Held<'c> = HashMap<Name<'c>, &'c HeldEntity>;

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
    let mut entities: HashMap<Name<'c>, Touch<'c>> = HashMap::with_capacity(turns.iter().map(|t| t.after.len()).sum());
    for turn in turns {
        let same = unchanged(turn);
        for statement in turn.before.iter() {
            let name = name(statement);
            if !same.contains(&name) {
                entities.entry(name).or_default().turned_by(turn.record);
            }
        }
        for statement in turn.after.iter() {
            let name = name(statement);
            if !same.contains(&name) {
                let touch = entities.entry(name).or_default();
                touch.turned_by(turn.record);
                touch.claims.push(Claim { record: turn.record, rank: turn.rank, statement });
            }
        }
    }
    entities.par_iter_mut().for_each(|((kind, source_id), touch)| {
        touch.sourced_id = namespace.sourced_id(&canonical.kind(*kind).name, source_id);
    });
    let mut order: Vec<_> = entities.iter().map(|((kind, source), touch)| (*kind, touch.sourced_id, *source)).collect();
    order.par_sort_unstable();
    Touched { entities, order: order.into_iter().map(|(kind, _, source_id)| (kind, source_id)).collect() }
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

    /// Whether what is held already says what would come out, so that nobody else need be asked.
    fn settled_by(&self, held: Option<&HeldEntity>) -> bool {
        held.is_some_and(|held| {
            held.active
                && held.uniform
                && self.claims.iter().all(|claim| claim.statement.digest == held.digest)
                && (!self.claims.is_empty() || self.others(Some(held)).next().is_some())
        })
    }
}

impl<'c> Touched<'c> {
    /// The touched entities with their ids, by kind and id.
    pub fn entities(&self) -> impl Iterator<Item = (Name<'c>, Uuid)> {
        self.order.iter().map(|name| (*name, self.entities[name].sourced_id))
    }

    /// Whether a touched entity will be there afterwards.
    fn will_be_active(&self, name: &Name<'_>, held: &Held<'_>) -> bool {
        let touch = &self.entities[name];
        !touch.claims.is_empty() || touch.others(held.get(name).copied()).next().is_some()
    }

    /// The records without a turn whose statements are needed to fold the touched entities.
    pub fn needs(&self, held: &Held<'_>) -> BTreeSet<RecordId> {
        let open = self.entities.iter().filter(|(name, touch)| !touch.settled_by(held.get(*name).copied()));
        open.flat_map(|(name, touch)| touch.others(held.get(name).copied())).collect()
    }

    /// The entities that changed statements refer to and that no turn touches: whether they are there has to be asked.
    pub fn references(&self, canonical: &Canonical) -> BTreeSet<(KindId, String)> {
        let mut references = BTreeSet::new();
        let mut nested = reference::Nested::default();
        for name in &self.order {
            for claim in &self.entities[name].claims {
                nested.each(&claim.statement.contribution, canonical, &mut |kind, source_id| {
                    if !self.entities.contains_key(&(kind, source_id)) {
                        references.insert((kind, source_id.to_owned()));
                    }
                });
            }
        }
        references
    }

    /// The records whose changed statements refer to an entity that will not be there, with the kind they wait for.
    /// `references` are those that [`references`](Self::references) found.
    pub fn dangling(
        &self,
        canonical: &Canonical,
        references: &BTreeSet<(KindId, String)>,
        held: &Held<'_>,
    ) -> BTreeMap<RecordId, KindId> {
        let held_active = |name: &Name<'_>| held.get(name).is_some_and(|held| held.active);
        let elsewhere = references.iter().map(|(kind, source_id)| (*kind, source_id.as_str()));
        let going = self.order.iter().copied().filter(|name| !self.will_be_active(name, held));
        let missing: HashSet<_> = elsewhere.filter(|name| !held_active(name)).chain(going).collect();
        let mut dangling = BTreeMap::new();
        if missing.is_empty() {
            return dangling;
        }
        let mut nested = reference::Nested::default();
        for name in &self.order {
            for claim in &self.entities[name].claims {
                nested.each(&claim.statement.contribution, canonical, &mut |kind, source_id| {
                    if missing.contains(&(kind, source_id)) {
                        dangling.entry(claim.record).or_insert(kind);
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
    pub held: &'c Held<'c>,
    /// What the other records say, as far as [`Touched::needs`] asked for it.
    pub others: &'c Others,
    /// The place of every record that has no turn.
    pub ranks: &'c HashMap<RecordId, Rank<'c>>,
    /// Active entities per kind so far.
    pub active: &'c BTreeMap<String, u64>,
}

/// Plans the steps.
pub fn plan<'c>(situation: &Situation<'c>) -> Plan<'c> {
    let mut planner = Planner {
        situation: *situation,
        plan: Plan { active: situation.active.clone(), ..Plan::default() },
        turns: situation.turns.iter().map(|turn| (turn.record, turn)).collect(),
        resolved: HashMap::new(),
    };
    for name in &situation.touched.order {
        planner.entity(*name);
    }
    planner.count_unchanged()
}

struct Planner<'c> {
    situation: Situation<'c>,
    plan: Plan<'c>,
    turns: HashMap<RecordId, &'c Turn<'c>>,
    /// Nested values with their references resolved, by what they were.
    resolved: HashMap<(KindId, u16, Arc<str>), Arc<str>>,
}

impl<'c> Planner<'c> {
    fn entity(&mut self, name: Name<'c>) {
        let touch = &self.situation.touched.entities[&name];
        let held = self.situation.held.get(&name).copied();
        if let (true, Some(held)) = (touch.settled_by(held), held) {
            self.relink(name, touch, held);
            return;
        }
        let mut claims = touch.claims.clone();
        for record in touch.others(held) {
            self.claims_of(record, name, &mut claims);
        }
        if claims.is_empty() {
            if held.is_some_and(|held| held.active) {
                self.plan.entities.push(EntityStep::Retire(name.0, touch.sourced_id));
                self.count(name.0, |counts| &mut counts.removed);
                self.gain(name.0, -1);
            }
            return;
        }
        let folded = fold(self.situation.canonical.kind(name.0), &mut claims);
        if let Some(&leader) = folded.contributors.first() {
            self.plan.disputes.extend(folded.disputed.iter().map(|field| (leader, name.0, *field)));
        }
        match held {
            Some(held) if held.active && held.digest == folded.digest => {
                if held.uniform != folded.uniform || held.contributors != folded.contributors {
                    let link = link(name.0, touch.sourced_id, folded.uniform, folded.contributors);
                    self.plan.entities.push(EntityStep::Relink(link));
                }
            }
            held => self.put(name, touch.sourced_id, held, folded),
        }
    }

    /// It says what it said; only who says it may have changed.
    fn relink(&mut self, name: Name<'c>, touch: &Touch<'c>, held: &HeldEntity) {
        let rank = |record: &RecordId| {
            self.turns.get(record).map(|turn| turn.rank).or_else(|| self.situation.ranks.get(record).copied())
        };
        let speaking = touch.claims.iter().map(|claim| claim.record);
        let mut contributors: Vec<_> = touch.others(Some(held)).chain(speaking).collect();
        contributors.sort_by_key(rank);
        contributors.dedup();
        if contributors != held.contributors {
            let link = link(name.0, touch.sourced_id, true, contributors);
            self.plan.entities.push(EntityStep::Relink(link));
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

    fn put(&mut self, name: Name<'c>, sourced_id: Uuid, held: Option<&HeldEntity>, folded: Folded<'c>) {
        let cells = self.cells(name.0, folded.fields);
        let row = EntityRow {
            link: link(name.0, sourced_id, folded.uniform, folded.contributors),
            new: held.is_none(),
            source_id: name.1,
            digest: folded.digest,
            cells,
        };
        self.plan.entities.push(EntityStep::Put(row));
        if held.is_none() {
            self.count(name.0, |counts| &mut counts.created);
        } else {
            self.count(name.0, |counts| &mut counts.updated);
        }
        if held.is_none_or(|held| !held.active) {
            self.gain(name.0, 1);
        }
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
        let touch = touched.entities.get(&(kind, source_id));
        touch.map_or_else(|| namespace.sourced_id(&canonical.kind(kind).name, source_id), |touch| touch.sourced_id)
    }

    fn count(&mut self, kind: KindId, which: fn(&mut Counts) -> &mut u64) {
        let name = &self.situation.canonical.kind(kind).name;
        let counts = match self.plan.counts.get_mut(name) {
            Some(counts) => counts,
            None => self.plan.counts.entry(name.clone()).or_default(),
        };
        *which(counts) += 1;
    }

    fn gain(&mut self, kind: KindId, gain: i64) {
        let active = self.plan.active.entry(self.situation.canonical.kind(kind).name.clone()).or_default();
        *active = active.saturating_add_signed(gain);
    }

    /// Whatever is active afterwards and was neither created nor updated is as it was.
    fn count_unchanged(mut self) -> Plan<'c> {
        for (kind, active) in &self.plan.active {
            let counts = self.plan.counts.entry(kind.clone()).or_default();
            counts.unchanged = active.saturating_sub(counts.created + counts.updated);
        }
        self.plan
    }
}

fn link(kind: KindId, sourced_id: Uuid, uniform: bool, contributors: Vec<RecordId>) -> EntityLink {
    EntityLink { kind, sourced_id, uniform, contributors }
}
