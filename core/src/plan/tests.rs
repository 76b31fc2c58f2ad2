//! The planner against a model: random states of a partner's records, one after the other, planned step by step, must
//! end in what folding the last state from scratch gives.

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
use crate::said::{Reading, Said, marks};
use crate::store::{EntityStep, HeldEntity, RecordId};

/// Says nothing of a person but a role.
const ROLE_ONLY: u8 = 4;

/// What records say, by key: name of a person and what is said about it.
type State = BTreeMap<String, Vec<(String, u8)>>;

/// A database in memory, as far as planning sees one.
#[derive(Debug, Default, Clone, PartialEq)]
struct World {
    records: BTreeMap<String, (RecordId, Vec<(String, u8)>)>,
    entities: BTreeMap<(KindId, Uuid), HeldEntity>,
    active: BTreeMap<String, u64>,
    next: i64,
}

/// An entity with what is to be written of it (a digest if it says something new); `None` retires it.
type EntityChange = ((KindId, Uuid), Option<(Option<Digest>, bool, Vec<RecordId>)>);

#[derive(Debug, Default)]
struct Tally {
    puts: usize,
    links: usize,
    retired: usize,
    /// All steps with their words.
    steps: Vec<String>,
    counts: BTreeMap<String, Counts>,
}

fn namespace() -> Namespace {
    Namespace::of("tenant", "connection")
}

fn contributions(words: &[(String, u8)], canonical: &Canonical) -> Vec<Contribution> {
    let person = canonical.id("person").unwrap();
    let contribution = |(source_id, variant): &(String, u8)| {
        let roles = (fixture::field("roles"), fixture::nested(&format!("[{}]", variant % 2)));
        let mut fields = vec![
            (fixture::field("name"), Value::Text(format!("name {}", variant % 3))),
            (fixture::field("since"), Value::Text(format!("2026-01-0{}", 1 + variant % 4))),
            roles,
        ];
        if *variant == ROLE_ONLY {
            fields.drain(..2);
        }
        Contribution { kind: person, source_id: source_id.clone(), fields }
    };
    words.iter().map(contribution).collect()
}

fn statements(words: &[(String, u8)], canonical: &Canonical) -> Vec<Statement> {
    contributions(words, canonical).into_iter().map(|one| Statement::new(one, canonical)).collect()
}

fn said(words: &[(String, u8)], canonical: &Canonical) -> Said {
    Said::new(contributions(words, canonical), canonical, namespace())
}

impl World {
    /// Takes the records to `state` by planning; `shuffle` turns the order in which they come.
    fn sync(&mut self, state: &State, shuffle: usize) -> Tally {
        self.sync_in_pieces(state, shuffle, usize::MAX)
    }

    /// The same for a delivery whose pieces have so many records each, and whose words are packed if there is more than one.
    fn sync_in_pieces(&mut self, state: &State, shuffle: usize, piece_records: usize) -> Tally {
        let canonical = fixture::canonical();
        let reading = Reading { canonical: &canonical, namespace: namespace() };
        let keys: BTreeSet<_> = self.records.keys().chain(state.keys()).cloned().collect();
        let mut said_anew = Vec::new();
        for key in &keys {
            let (before, after) = (self.records.get(key), state.get(key));
            if before.map(|(_, words)| words) == after {
                continue;
            }
            let record = before.map_or(RecordId(self.next + 1), |(record, _)| *record);
            self.next += i64::from(before.is_none());
            let before = before
                .map(|(_, words)| said(words, &canonical).marks(reading).unwrap().into_owned())
                .unwrap_or_default();
            let after = after.map(|words| said(words, &canonical));
            said_anew.push((record, key, before, after));
        }
        let length = said_anew.len().max(1);
        said_anew.rotate_left(shuffle % length);
        if length > piece_records {
            for (.., after) in &mut said_anew {
                *after = after.take().map(Said::packed);
            }
        }
        let turns = said_anew.iter().enumerate().map(|(at, (record, key, before, after))| Turn {
            record: *record,
            rank: Rank { of: "Group", key },
            before: before.clone(),
            after: after.as_ref(),
            piece: u32::try_from(at / piece_records).unwrap(),
        });
        let turns: Vec<_> = turns.collect();
        let touched = touch(&turns, reading).unwrap();
        let held = self.held(&touched);
        let ranks =
            self.records.iter().map(|(key, (record, _))| (*record, Rank { of: "Group", key: key.as_str() })).collect();
        let others = self.others(&touched.needs(&turns, &held), &canonical);
        let (canonical, active) = (&canonical, &self.active);
        let (turns, touched, held, others, ranks) = (&turns[..], &touched, &held, &others, &ranks);
        let namespace = namespace();
        let planned = plan(&Situation { canonical, namespace, turns, touched, held, others, ranks, active }).unwrap();
        let records: Vec<_> = turns.iter().map(|turn| (turn.rank.key.to_owned(), turn.record)).collect();
        let (tally, changes) = Self::digest(&planned);
        self.apply(changes, tally, records, state)
    }

    fn held(&self, touched: &Touched) -> Held {
        let mut held = Held::default();
        held.take(0, touched.entities().map(|name| self.entities.get(&name).cloned()));
        held
    }

    fn others(&self, needs: &BTreeSet<RecordId>, canonical: &Canonical) -> Others {
        let needed = self.records.values().filter(|(record, _)| needs.contains(record));
        let said = |words: &Vec<_>| {
            let statements = statements(words, canonical);
            marks(&statements, canonical, namespace()).into_iter().zip(statements).collect()
        };
        needed.map(|(record, words)| (*record, said(words))).collect()
    }

    fn digest(plan: &Plan<'_>) -> (Tally, Vec<EntityChange>) {
        let mut tally = Tally { counts: plan.counts.clone(), ..Tally::default() };
        let mut steps: Vec<_> = (0..plan.pieces()).flat_map(|piece| plan.steps(piece).unwrap()).collect();
        steps.sort_by_key(|(place, _)| *place);
        let in_feed = steps.iter().filter(|(_, step)| !matches!(step, EntityStep::Relink(_)));
        assert!(
            in_feed.map(|(place, _)| *place).eq(0..i64::try_from(plan.changes).unwrap()),
            "a place for each change"
        );
        let mut changes = Vec::new();
        for (_, step) in steps {
            tally.steps.push(format!("{step:?}"));
            match step {
                EntityStep::Put(row) => {
                    tally.puts += 1;
                    let change = (Some(row.digest), row.link.uniform, row.link.contributors);
                    changes.push(((row.link.kind, row.link.sourced_id), Some(change)));
                }
                EntityStep::Relink(link) => {
                    tally.links += 1;
                    changes.push(((link.kind, link.sourced_id), Some((None, link.uniform, link.contributors))));
                }
                EntityStep::Retire(kind, id) => {
                    tally.retired += 1;
                    changes.push(((kind, id), None));
                }
            }
        }
        (tally, changes)
    }

    fn apply(
        &mut self,
        changes: Vec<EntityChange>,
        tally: Tally,
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
        tally
    }

    /// What must be there, folded from scratch: digest, agreement and contributors of every active entity.
    fn expected(&self) -> BTreeMap<(KindId, Uuid), (Digest, bool, Vec<RecordId>)> {
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
            (
                (person, namespace().sourced_id("person", &source_id)),
                (folded.digest, folded.uniform, folded.contributors),
            )
        });
        folded.collect()
    }

    fn found(&self) -> BTreeMap<(KindId, Uuid), (Digest, bool, Vec<RecordId>)> {
        let active = self.entities.iter().filter(|(_, entity)| entity.active);
        active.map(|(name, held)| (*name, (held.digest, held.uniform, held.contributors.clone()))).collect()
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
    fn pieces_of_any_size_come_to_the_same_steps(
        states in prop::collection::vec((state(), 0..5_usize), 1..6),
        piece_records in 1..4_usize,
    ) {
        let (mut whole, mut in_pieces) = (World::default(), World::default());
        for (state, shuffle) in &states {
            let (one, other) = (whole.sync(state, *shuffle), in_pieces.sync_in_pieces(state, *shuffle, piece_records));
            prop_assert_eq!(one.steps, other.steps);
            prop_assert_eq!(one.counts, other.counts);
            prop_assert_eq!(&whole, &in_pieces);
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
    let said = said(&[("a".to_owned(), ROLE_ONLY)], &canonical);
    let rank = Rank { of: "Group", key: "1" };
    let turns = [Turn { record: RecordId(1), rank, before: Vec::new(), after: Some(&said), piece: 0 }];
    let reading = Reading { canonical: &canonical, namespace: namespace() };
    let touched = touch(&turns, reading).unwrap();
    let waiting = touched.dangling(&turns, &BTreeSet::new(), &Held::default(), reading);
    assert_eq!(waiting.unwrap(), BTreeMap::from([(RecordId(1), person)]));
}
