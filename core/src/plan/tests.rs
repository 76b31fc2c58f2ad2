//! The planner against a model: random states of a partner's records, one after the other, planned step by step, must
//! end in what folding the last state from scratch gives.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::{Held, Others, Plan, Situation, Touched, Turn, plan, touch};
use crate::canonical::{Canonical, KindId};
use crate::delivery::Counts;
use crate::digest::Digest;
use crate::fixture;
use crate::fold::{Claim, Rank, Statement, fold, is_stated};
use crate::identity::Namespace;
use crate::map::{Contribution, Value};
use crate::store::{EntityStep, HeldEntity, RecordId};

/// Says nothing of a person but a role.
const ROLE_ONLY: u8 = 4;

/// What records say, by key: name of a person and what is said about it.
type State = BTreeMap<String, Vec<(String, u8)>>;

/// A database in memory, as far as planning sees one.
#[derive(Debug, Default, Clone, PartialEq)]
struct World {
    records: BTreeMap<String, (RecordId, Vec<(String, u8)>)>,
    entities: BTreeMap<(KindId, String), HeldEntity>,
    active: BTreeMap<String, u64>,
    next: i64,
}

/// An entity with what is to be written of it (a digest if it says something new); `None` retires it.
type EntityChange = ((KindId, String), Option<(Option<Digest>, bool, Vec<RecordId>)>);

#[derive(Debug, Default)]
struct Tally {
    puts: usize,
    links: usize,
    retired: usize,
    counts: BTreeMap<String, Counts>,
}

fn namespace() -> Namespace {
    Namespace::of("tenant", "connection")
}

fn statements(words: &[(String, u8)], canonical: &Canonical) -> Vec<Statement> {
    let person = canonical.id("person").unwrap();
    let statement = |(source_id, variant): &(String, u8)| {
        let roles = (fixture::field("roles"), fixture::nested(&format!("[{}]", variant % 2)));
        let mut fields = vec![
            (fixture::field("name"), Value::Text(format!("name {}", variant % 3))),
            (fixture::field("since"), Value::Text(format!("2026-01-0{}", 1 + variant % 4))),
            roles,
        ];
        if *variant == ROLE_ONLY {
            fields.drain(..2);
        }
        Statement::new(Contribution { kind: person, source_id: source_id.clone(), fields }, canonical)
    };
    words.iter().map(statement).collect()
}

impl World {
    /// Takes the records to `state` by planning; `shuffle` turns the order in which they come.
    fn sync(&mut self, state: &State, shuffle: usize) -> Tally {
        let canonical = fixture::canonical();
        let keys: BTreeSet<_> = self.records.keys().chain(state.keys()).cloned().collect();
        let mut turns = Vec::new();
        for key in &keys {
            let (before, after) = (self.records.get(key), state.get(key));
            if before.map(|(_, words)| words) == after {
                continue;
            }
            let record = before.map_or(RecordId(self.next + 1), |(record, _)| *record);
            self.next += i64::from(before.is_none());
            let said = |words: Option<&Vec<_>>| words.map(|words| statements(words, &canonical)).unwrap_or_default();
            let (before, after) = (said(before.map(|(_, words)| words)), said(after));
            turns.push(Turn { record, rank: Rank { of: "Group", key }, before: before.into(), after: after.into() });
        }
        let length = turns.len().max(1);
        turns.rotate_left(shuffle % length);
        let touched = touch(&turns, &canonical, namespace());
        let held = self.held(&touched);
        let ranks =
            self.records.iter().map(|(key, (record, _))| (*record, Rank { of: "Group", key: key.as_str() })).collect();
        let others = self.others(&touched.needs(&held), &canonical);
        let (canonical, active) = (&canonical, &self.active);
        let (turns, touched, held, others, ranks) = (&turns[..], &touched, &held, &others, &ranks);
        let namespace = namespace();
        let planned = plan(&Situation { canonical, namespace, turns, touched, held, others, ranks, active });
        let ids: BTreeMap<Uuid, (KindId, String)> =
            touched.entities().map(|((kind, source_id), id)| (id, (kind, source_id.to_owned()))).collect();
        let records: Vec<_> = turns.iter().map(|turn| (turn.rank.key.to_owned(), turn.record)).collect();
        let (tally, changes) = Self::digest(planned, &ids);
        self.apply(changes, &tally, records, state)
    }

    fn held(&self, touched: &Touched<'_>) -> Held {
        touched.entities().map(|((kind, id), _)| self.entities.get(&(kind, id.to_owned())).cloned()).collect()
    }

    fn others(&self, needs: &BTreeSet<RecordId>, canonical: &Canonical) -> Others {
        let needed = self.records.values().filter(|(record, _)| needs.contains(record));
        needed.map(|(record, words)| (*record, statements(words, canonical))).collect()
    }

    fn digest(plan: Plan<'_>, ids: &BTreeMap<Uuid, (KindId, String)>) -> (Tally, Vec<EntityChange>) {
        let mut tally = Tally { counts: plan.counts, ..Tally::default() };
        let mut changes = Vec::new();
        for step in plan.entities {
            match step {
                EntityStep::Put(row) => {
                    tally.puts += 1;
                    let change = (Some(row.digest), row.link.uniform, row.link.contributors);
                    changes.push((ids[&row.link.sourced_id].clone(), Some(change)));
                }
                EntityStep::Relink(link) => {
                    tally.links += 1;
                    changes.push((ids[&link.sourced_id].clone(), Some((None, link.uniform, link.contributors))));
                }
                EntityStep::Retire(_, id) => {
                    tally.retired += 1;
                    changes.push((ids[&id].clone(), None));
                }
            }
        }
        (tally, changes)
    }

    fn apply(
        &mut self,
        changes: Vec<EntityChange>,
        tally: &Tally,
        records: Vec<(String, RecordId)>,
        state: &State,
    ) -> Tally {
        for (name, change) in changes {
            let held = self.entities.get(&name).cloned();
            let entity = match change {
                Some((Some(digest), uniform, contributors)) => {
                    HeldEntity { digest, active: true, uniform, contributors }
                }
                Some((None, uniform, contributors)) => {
                    HeldEntity { uniform, contributors, ..held.expect("only what is held is relinked") }
                }
                None => HeldEntity {
                    active: false,
                    contributors: Vec::new(),
                    ..held.expect("only what is held is retired")
                },
            };
            self.entities.insert(name, entity);
        }
        for (key, record) in records {
            match state.get(&key) {
                Some(words) => drop(self.records.insert(key, (record, words.clone()))),
                None => drop(self.records.remove(&key)),
            }
        }
        let active = self.entities.values().filter(|entity| entity.active).count();
        self.active = BTreeMap::from([("person".to_owned(), active as u64)]);
        Tally { puts: tally.puts, links: tally.links, retired: tally.retired, counts: tally.counts.clone() }
    }

    /// What must be there, folded from scratch: digest, agreement and contributors of every active entity.
    fn expected(&self) -> BTreeMap<(KindId, String), (Digest, bool, Vec<RecordId>)> {
        let canonical = fixture::canonical();
        let person = canonical.id("person").unwrap();
        let all: Vec<_> =
            self.records.iter().map(|(key, (record, words))| (key, *record, statements(words, &canonical))).collect();
        let mut claims: BTreeMap<String, Vec<Claim<'_>>> = BTreeMap::new();
        for (key, record, statements) in &all {
            for statement in statements {
                let claim = Claim { record: *record, rank: Rank { of: "Group", key }, statement };
                claims.entry(statement.contribution.source_id.clone()).or_default().push(claim);
            }
        }
        let stated = claims.into_iter().filter(|(_, claims)| is_stated(claims));
        let folded = stated.map(|(source_id, mut claims)| {
            let folded = fold(canonical.kind(person), &mut claims);
            ((person, source_id), (folded.digest, folded.uniform, folded.contributors))
        });
        folded.collect()
    }

    fn found(&self) -> BTreeMap<(KindId, String), (Digest, bool, Vec<RecordId>)> {
        let active = self.entities.iter().filter(|(_, entity)| entity.active);
        active.map(|(name, held)| (name.clone(), (held.digest, held.uniform, held.contributors.clone()))).collect()
    }
}

fn state() -> impl Strategy<Value = State> {
    let words = prop::collection::vec(("[a-d]".prop_map(String::from), 0..=ROLE_ONLY), 0..4);
    prop::collection::btree_map("[1-5]".prop_map(String::from), words, 0..5).prop_map(without_dangling)
}

/// A record that only adds to what nobody states waits, and is not planned.
fn without_dangling(mut state: State) -> State {
    let stated = state.values().flatten().filter(|(_, variant)| *variant != ROLE_ONLY);
    let stated: BTreeSet<_> = stated.map(|(person, _)| person.clone()).collect();
    for words in state.values_mut() {
        words.retain(|(person, _)| stated.contains(person));
    }
    state
}

proptest! {
    #[test]
    fn step_by_step_ends_where_folding_from_scratch_does(states in prop::collection::vec((state(), 0..5_usize), 1..6)) {
        let mut world = World::default();
        for (state, shuffle) in &states {
            world.sync(state, *shuffle);
            prop_assert_eq!(world.found(), world.expected());
        }
    }

    #[test]
    fn the_same_state_again_is_no_step_at_all(state in state()) {
        let mut world = World::default();
        world.sync(&state, 0);
        let before = world.clone();
        let tally = world.sync(&state, 1);
        prop_assert_eq!((tally.puts, tally.links, tally.retired), (0, 0, 0));
        prop_assert_eq!(before, world);
    }

    #[test]
    fn counts_add_up_to_what_is_there(one in state(), other in state()) {
        let mut world = World::default();
        world.sync(&one, 0);
        let before = world.found().len() as u64;
        let tally = world.sync(&other, 0);
        let counts = tally.counts.get("person").copied().unwrap_or_default();
        let after = world.found().len() as u64;
        prop_assert_eq!(counts.unchanged + counts.updated + counts.created, after);
        prop_assert!(counts.removed <= before);
    }
}

#[test]
fn an_entity_comes_back_as_itself() {
    let mut world = World::default();
    let state = State::from([("1".to_owned(), vec![("a".to_owned(), 0)])]);
    world.sync(&state, 0);
    assert_eq!(world.sync(&State::new(), 0).retired, 1);
    let tally = world.sync(&state, 0);
    assert_eq!((tally.puts, tally.counts["person"].updated), (1, 1));
    assert_eq!(world.found(), world.expected());
}

#[test]
fn one_more_record_that_agrees_is_no_change_in_the_feed() {
    let mut world = World::default();
    let one = State::from([("2".to_owned(), vec![("a".to_owned(), 0)])]);
    let both = State::from([("1".to_owned(), vec![("a".to_owned(), 0)]), ("2".to_owned(), vec![("a".to_owned(), 0)])]);
    world.sync(&one, 0);
    let tally = world.sync(&both, 0);
    assert_eq!((tally.puts, tally.links), (0, 1));
    let tally = world.sync(&one, 0);
    assert_eq!((tally.puts, tally.links), (0, 1));
}

#[test]
fn who_only_adds_does_not_keep_an_entity_and_is_not_forgotten() {
    let mut world = World::default();
    let (stated, added) =
        (("1".to_owned(), vec![("a".to_owned(), 1)]), ("2".to_owned(), vec![("a".to_owned(), ROLE_ONLY)]));
    let (both, alone) = (State::from([stated, added.clone()]), State::from([added]));
    world.sync(&both, 0);
    assert_eq!(world.found(), world.expected());
    assert_eq!(world.sync(&alone, 0).retired, 1);
    assert!(world.found().is_empty());
    assert_eq!(world.sync(&both, 0).puts, 1);
    assert_eq!(world.found(), world.expected());
}

#[test]
fn who_adds_to_what_is_not_there_waits_for_it() {
    let canonical = fixture::canonical();
    let person = canonical.id("person").unwrap();
    let said = statements(&[("a".to_owned(), ROLE_ONLY)], &canonical);
    let rank = Rank { of: "Group", key: "1" };
    let turns = [Turn { record: RecordId(1), rank, before: Cow::Borrowed(&[]), after: said.into() }];
    let touched = touch(&turns, &canonical, namespace());
    let waiting = touched.dangling(&turns, &canonical, &BTreeSet::new(), &vec![None]);
    assert_eq!(waiting, BTreeMap::from([(RecordId(1), person)]));
}
