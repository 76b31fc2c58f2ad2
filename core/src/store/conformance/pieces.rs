//! Commits whose entities are made piece by piece: what is written is what they say, however they are cut.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::sample::{ORG, PERSON, Plan, World, id, org, text};
use super::{Database, conformance};
use crate::delivery::{Report, Status};
use crate::store::{EntityLink, EntityRow, EntityStep, Pieces, Placed, RecordId, RecordStep, StoreError};
use crate::table::Cell;

conformance!(
    kinds_that_take_turns_are_written_as_they_are_said,
    a_piece_that_cannot_be_made_leaves_nothing_behind,
    who_is_retired_in_a_piece_may_be_linked_there,
);

/// New entities of each kind: more than any store writes with one statement.
const MANY: i64 = 6_000;

/// How many of a kind come one after the other: in one cut some pieces are of one kind, in the other all are of both.
const IN_A_ROW: i64 = 300;

/// Steps that are cut evenly.
#[derive(Debug)]
struct Cut {
    steps: i64,
    long: i64,
    together: usize,
    /// The piece that cannot be made.
    broken: Option<usize>,
}

/// The `nth` step: an org or a person, or one of the first orgs anew.
fn step(nth: i64) -> EntityStep<'static> {
    let name = if nth % 2 == 0 { "North" } else { "South" };
    match nth / IN_A_ROW % 2 {
        _ if nth % 1_000 == 7 => EntityStep::Put(EntityRow { new: false, ..org(old(nth / 1_000), "old", name) }),
        0 => EntityStep::Put(org(new(nth), "new", name)),
        _ => {
            let mut row = org(new(nth), "new", name);
            row.link.kind = PERSON;
            row.cells = vec![text(name), Cell::Integer(nth), Cell::Null, Cell::Null, Cell::Null, text("[1]")];
            EntityStep::Put(row)
        }
    }
}

fn new(nth: i64) -> Uuid {
    id("new", &nth.to_string())
}

fn old(nth: i64) -> Uuid {
    id("old", &nth.to_string())
}

impl Pieces for Cut {
    fn records_count(&self) -> usize {
        0
    }

    fn records(&self, _: usize) -> Result<Vec<RecordStep<'_>>, StoreError> {
        Ok(Vec::new())
    }

    fn entities_count(&self) -> usize {
        usize::try_from(self.changes().div_euclid(self.long) + 1).unwrap()
    }

    fn entities_together(&self) -> usize {
        self.together
    }

    fn entities(&self, piece: usize) -> Result<Vec<Placed<'_>>, StoreError> {
        if self.broken == Some(piece) {
            return Err(StoreError::Inconsistent("on purpose".to_owned()));
        }
        let from = i64::try_from(piece).unwrap() * self.long;
        Ok((from..self.steps.min(from + self.long)).map(|nth| (nth, step(nth))).collect())
    }

    fn changes(&self) -> i64 {
        self.steps
    }
}

/// Commits the old ones, and then the steps.
async fn commit(world: &World, cut: &Cut) -> Result<i64, StoreError> {
    let entities = (0..=2 * MANY / 1_000).map(|nth| EntityStep::Put(org(old(nth), "old", "East"))).collect();
    let connection = world.connection("demo", "school").await;
    world.apply(&connection, Plan { records: Vec::new(), entities }).await.unwrap();
    let connection = world.connection("demo", "school").await;
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
    commit.pieces = Some(cut);
    world.store.commit(&world.canonical, &world.partner, commit).await
}

async fn kinds_that_take_turns_are_written_as_they_are_said(database: &dyn Database) {
    for (long, together) in [(IN_A_ROW, 16), (1_700, 16), (1_700, 1)] {
        let database = database.another();
        let world = World::new(&*database).await;
        let end = commit(&world, &Cut { steps: 2 * MANY, long, together, broken: None }).await.unwrap();
        let feed = world.store.changes(&world.canonical, "demo", end - 2 * MANY, u32::MAX).await.unwrap();
        let feed: Vec<_> = feed.iter().map(|change| (change.sequence, change.sourced_id)).collect();
        let said = (0..2 * MANY).map(|nth| match step(nth) {
            EntityStep::Put(row) => (end - 2 * MANY + 1 + nth, row.link.sourced_id),
            _ => unreachable!("all of them are put"),
        });
        assert_eq!(feed, said.collect::<Vec<_>>());
        let connection = world.connection("demo", "school").await;
        let mut wanted: BTreeMap<_, _> = BTreeMap::new();
        for nth in 0..2 * MANY {
            let EntityStep::Put(row) = step(nth) else { continue };
            wanted.insert((row.link.kind, row.link.sourced_id), row.digest);
        }
        let ids: Vec<_> = wanted.keys().copied().collect();
        let held = world.store.held_entities(&connection, &world.canonical, &ids).await.unwrap();
        let held: Vec<_> = held.iter().map(|held| held.as_ref().filter(|it| it.active).map(|it| it.digest)).collect();
        assert_eq!(held, wanted.values().map(|digest| Some(*digest)).collect::<Vec<_>>());
    }
}

async fn a_piece_that_cannot_be_made_leaves_nothing_behind(database: &dyn Database) {
    for broken in [0, 5, 19] {
        let database = database.another();
        let world = World::new(&*database).await;
        let cut = Cut { steps: 2 * MANY, long: 600, together: 16, broken: Some(broken) };
        assert!(matches!(commit(&world, &cut).await, Err(StoreError::Inconsistent(_))));
        let connection = world.connection("demo", "school").await;
        assert_eq!(connection.generation, 1, "what came before is there");
        let ids: Vec<_> = (0..2 * MANY).flat_map(|nth| [(ORG, new(nth)), (PERSON, new(nth))]).collect();
        let held = world.store.held_entities(&connection, &world.canonical, &ids).await.unwrap();
        assert!(held.iter().all(Option::is_none));
        assert!(world.store.ping().await.is_ok());
    }
}

async fn who_is_retired_in_a_piece_may_be_linked_there(database: &dyn Database) {
    #[derive(Debug)]
    struct Both;
    impl Pieces for Both {
        fn records_count(&self) -> usize {
            0
        }
        fn records(&self, _: usize) -> Result<Vec<RecordStep<'_>>, StoreError> {
            Ok(Vec::new())
        }
        fn entities_count(&self) -> usize {
            1
        }
        fn entities_together(&self) -> usize {
            16
        }
        fn entities(&self, _: usize) -> Result<Vec<Placed<'_>>, StoreError> {
            let link = EntityLink {
                kind: ORG,
                sourced_id: old(0),
                uniform: true,
                contributors: vec![RecordId(8), RecordId(9)],
            };
            Ok(vec![(0, EntityStep::Retire(ORG, old(0))), (1, EntityStep::Relink(link))])
        }
        fn changes(&self) -> i64 {
            1
        }
    }
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let entities = vec![EntityStep::Put(org(old(0), "old", "East"))];
    world.apply(&connection, Plan { records: Vec::new(), entities }).await.unwrap();
    let connection = world.connection("demo", "school").await;
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
    commit.pieces = Some(&Both);
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    let held = world.store.held_entities(&connection, &world.canonical, &[(ORG, old(0))]).await.unwrap();
    let held = held[0].as_ref().unwrap();
    assert_eq!((held.active, &held.contributors), (false, &vec![RecordId(8), RecordId(9)]));
}
