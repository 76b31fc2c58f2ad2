//! What those who watch are told: how much waits, whose it is, and since when.

use std::time::Duration;

use super::sample::{BRANCH, Plan, World, branch};
use super::{Database, conformance};
use crate::clock::Clock as _;
use crate::delivery::{Report, Status};
use crate::store::{Backlog, Commit, NewSend, RecordId, RecordStep, WaitStep, Waiting};

conformance!(
    nothing_waits_at_first,
    what_waits_is_counted_by_whose_it_is_and_since_when,
    who_is_asked_is_counted_as_busy
);

async fn nothing_waits_at_first(database: &dyn Database) {
    let world = World::new(database).await;
    world.connection("demo", "school").await;
    assert_eq!(world.store.backlog().await.unwrap(), Backlog::default());
}

/// Lets a minute pass, and commits what `with` puts into the commit.
async fn commit(world: &World, connection: &str, plan: Plan, with: impl FnOnce(&mut Commit<'_>)) {
    world.clock.advance(Duration::from_mins(1));
    let connection = world.connection("demo", connection).await;
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, delivery, plan, &report);
    with(&mut commit);
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
}

async fn enqueue(world: &World, connection: &str) {
    world.clock.advance(Duration::from_mins(1));
    let mut received = world.received("{}");
    received.queued = true;
    world.store.receive(&world.connection("demo", connection).await, &received).await.unwrap();
}

fn send(world: &World, key: &str) -> NewSend {
    NewSend {
        id: world.clock.next_id(),
        subscription: "[1]".to_owned(),
        event: "changed".to_owned(),
        record: ("Branch".to_owned(), key.to_owned()),
        body: b"{}".to_vec(),
    }
}

async fn what_waits_is_counted_by_whose_it_is_and_since_when(database: &dyn Database) {
    let world = World::new(database).await;
    let start = world.clock.now();
    for connection in ["school", "annex", "school"] {
        enqueue(&world, connection).await;
    }
    commit(&world, "annex", Plan::default(), |commit| commit.sends.push(send(&world, "[1]"))).await;
    commit(&world, "annex", Plan::default(), |commit| commit.sends.push(send(&world, "[2]"))).await;
    let records = vec![RecordStep::Put(branch(1, "[1]", "North")), RecordStep::Put(branch(2, "[2]", "South"))];
    let soon = world.clock.now() + Duration::from_mins(5);
    commit(&world, "school", Plan { records, entities: Vec::new() }, |commit| {
        let wait = |id, until| WaitStep::Wait {
            of: BRANCH,
            record: RecordId(id),
            for_what: "owner".to_owned(),
            until,
            entry: None,
        };
        commit.waits = vec![wait(1, None), wait(2, Some(soon))];
    })
    .await;
    let waiting = |connection: &str, count, minute| Waiting {
        tenant: "demo".to_owned(),
        connection: connection.to_owned(),
        partner: "school".to_owned(),
        count,
        since: start + Duration::from_mins(minute),
    };
    let expected = Backlog {
        queued: vec![waiting("annex", 1, 2), waiting("school", 2, 1)],
        sends: vec![waiting("annex", 2, 4)],
        parked: vec![waiting("school", 2, 6)],
        quarantined: Vec::new(),
        held: Vec::new(),
    };
    assert_eq!(world.store.backlog().await.unwrap(), expected);
    world.store.quarantine_expired(soon + Duration::from_mins(1)).await.unwrap();
    let expected =
        Backlog { parked: vec![waiting("school", 1, 6)], quarantined: vec![waiting("school", 1, 6)], ..expected };
    assert_eq!(world.store.backlog().await.unwrap(), expected);
}

async fn who_is_asked_is_counted_as_busy(database: &dyn Database) {
    let world = World::new(database).await;
    world.store.ping().await.unwrap();
    let usage = world.store.usage();
    assert!(usage.busy <= usage.open && (1..=usage.most).contains(&usage.open), "{usage:?}");
}
