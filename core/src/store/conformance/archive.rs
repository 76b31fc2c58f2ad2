//! What was received, to be worked on again: the whole call, in the order in which it was applied.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::sample::{Plan, World, line};
use super::{Database, conformance};
use crate::clock::Clock as _;
use crate::delivery::{Asked, Entry, Held, Outcome, Received, Report, Status};
use crate::json::Pointer;
use crate::note::Note;
use crate::store::archive::ArchiveQuery;

conformance!(
    a_call_is_kept_whole,
    calls_are_read_in_the_order_in_which_they_were_applied,
    what_is_held_is_held_until_something_becomes_of_it,
    what_comes_later_of_the_same_operation_takes_its_place,
    what_came_to_nothing_is_found_by_whose_it_is_and_how_it_ended,
    what_was_put_aside_is_found_until_somebody_decides,
);

/// Receives something that is held.
async fn hold(world: &World, connection: &str, operation: &str) -> Uuid {
    let connection = world.connection("demo", connection).await;
    let received = Received { operation: operation.to_owned(), ..world.received("{\"held\":true}") };
    world.store.receive(&connection, &received).await.unwrap();
    world.store.settle(received.id, received.at, &held(received.at), &[]).await.unwrap();
    received.id
}

fn held(since: Timestamp) -> Report {
    let held = Held { since, plan: "0".to_owned(), passed: Vec::new(), changes: Vec::new(), omitted: 0 };
    Report { held: Some(held), ..Report::new(Status::Held) }
}

async fn status(world: &World, id: Uuid) -> (Status, Status) {
    let delivery = world.store.delivery("demo", id).await.unwrap().unwrap();
    (delivery.status, delivery.report.unwrap().status)
}

async fn what_is_held_is_held_until_something_becomes_of_it(database: &dyn Database) {
    let world = World::new(database).await;
    let (one, other) = (hold(&world, "school", "mirror").await, hold(&world, "annex", "mirror").await);
    let school = world.connection("demo", "school").await;
    assert!(school.has_held);
    let of_school = world.store.archive().held(&school).await.unwrap();
    assert_eq!(of_school.iter().map(|call| (call.id, call.body.clone())).collect::<Vec<_>>(), [(one, None)]);
    assert_eq!(of_school[0].report.as_ref().unwrap().status, Status::Held);
    let backlog = world.store.backlog().await.unwrap().held;
    assert_eq!(
        backlog.iter().map(|waiting| (waiting.connection.as_str(), waiting.count)).collect::<Vec<_>>(),
        [("annex", 1), ("school", 1)]
    );

    // One is applied after all, the other put aside.
    let report = Report::new(Status::Applied);
    let commit = world.commit(&school, one, Plan::default(), &report);
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    assert_eq!(status(&world, one).await, (Status::Applied, Status::Applied));
    let report = Report::new(Status::Discarded);
    let turn = async || world.store.archive().turn(other, Status::Held, &report, world.clock.now()).await.unwrap();
    assert!(turn().await && !turn().await, "once");
    assert_eq!(status(&world, other).await, (Status::Discarded, Status::Discarded));
    for connection in ["school", "annex"] {
        assert!(!world.connection("demo", connection).await.has_held);
    }
    assert_eq!(world.store.archive().find(other).await.unwrap().unwrap().tenant, "demo");
    assert_eq!(world.store.archive().find(Uuid::nil()).await.unwrap(), None);
}

async fn what_comes_later_of_the_same_operation_takes_its_place(database: &dyn Database) {
    let world = World::new(database).await;
    for ends in [Status::Applied, Status::Unchanged, Status::Held, Status::Rejected] {
        let (same, another) = (hold(&world, "school", "mirror").await, hold(&world, "school", "other").await);
        let elsewhere = hold(&world, "annex", "mirror").await;
        let id = world.receive(&world.connection("demo", "school").await, "{}").await;
        if ends == Status::Applied {
            let (connection, report) = (world.connection("demo", "school").await, Report::new(ends));
            let commit = world.commit(&connection, id, Plan::default(), &report);
            world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
        } else {
            world.store.settle(id, world.clock.now(), &Report::new(ends), &[]).await.unwrap();
        }
        let became = if ends == Status::Rejected { Status::Held } else { Status::Superseded };
        assert_eq!(status(&world, same).await, (became, became), "{ends:?}");
        for other in [another, elsewhere] {
            assert_eq!(status(&world, other).await.0, Status::Held, "{ends:?}");
        }
    }
}

async fn what_came_to_nothing_is_found_by_whose_it_is_and_how_it_ended(database: &dyn Database) {
    let world = World::new(database).await;
    let mut ids = Vec::new();
    for (connection, ends) in
        [("school", Status::Rejected), ("annex", Status::Failed), ("school", Status::Applied), ("school", Status::Held)]
    {
        let id = world.receive(&world.connection("demo", connection).await, "{}").await;
        world.store.settle(id, world.clock.now(), &Report::new(ends), &[]).await.unwrap();
        ids.push(id);
        world.clock.advance(Duration::from_mins(1));
    }
    let start = world.clock.now() - Duration::from_mins(4);
    let all = [Status::Rejected, Status::Failed, Status::Held, Status::Interrupted, Status::Applied];
    let any = ArchiveQuery { statuses: &all, limit: 10, ..ArchiveQuery::default() };
    for (query, expected) in [
        (any, vec![0, 1, 3]),
        (ArchiveQuery { statuses: &[Status::Held], ..any }, vec![3]),
        (ArchiveQuery { tenant: Some("demo"), partner: Some("school"), ..any }, vec![0, 1, 3]),
        (ArchiveQuery { tenant: Some("elsewhere"), ..any }, vec![]),
        (ArchiveQuery { partner: Some("other"), ..any }, vec![]),
        (ArchiveQuery { connection: Some("school"), ..any }, vec![0, 3]),
        (ArchiveQuery { before: Some(start + Duration::from_secs(90)), ..any }, vec![0, 1]),
        (ArchiveQuery { after: Some(ids[0]), limit: 1, ..any }, vec![1]),
    ] {
        let found = world.store.archive().deliveries_that(&query).await.unwrap();
        let found: Vec<_> = found.iter().map(|found| ids.iter().position(|id| *id == found.delivery.id)).collect();
        assert_eq!(found, expected.into_iter().map(Some).collect::<Vec<_>>(), "{query:?}");
    }
}

async fn what_was_put_aside_is_found_until_somebody_decides(database: &dyn Database) {
    let world = World::new(database).await;
    let refused = vec![Note::new(Pointer::root().item(1), "refused", "is not for us")];
    let end = async |ends: Status, log: &[Entry]| {
        let connection = world.connection("demo", "school").await;
        let id = world.receive(&connection, "{}").await;
        let report = Report { refusals: refused.clone(), ..Report::new(ends) };
        if ends == Status::Applied {
            let mut commit = world.commit(&connection, id, Plan::default(), &report);
            commit.entries = log;
            world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
        } else {
            world.store.settle(id, world.clock.now(), &report, log).await.unwrap();
        }
        id
    };
    let log = [line(0, Outcome::Created), line(1, Outcome::Refused), line(2, Outcome::Fault)];
    let (logged, noted) = (end(Status::Applied, &log).await, end(Status::Unchanged, &[]).await);
    let rejected = end(Status::Rejected, &log).await;
    end(Status::Applied, &log[..1]).await;
    let found = async |statuses: &[Status], aside| -> Vec<_> {
        let query = ArchiveQuery { statuses, aside, tenant: Some("demo"), limit: 10, ..ArchiveQuery::default() };
        let found = world.store.archive().deliveries_that(&query).await.unwrap();
        found.into_iter().map(|found| (found.delivery.id, found.aside)).collect()
    };
    assert_eq!(found(&[], true).await, [(logged, 2), (noted, 1)]);
    assert_eq!(found(&[Status::Rejected], true).await, [(logged, 2), (noted, 1), (rejected, 0)]);
    assert_eq!(found(&[Status::Rejected, Status::Applied], false).await, [(rejected, 0)]);
    assert_eq!(world.store.archive().errors(logged).await.unwrap(), log[1..]);
    assert_eq!(world.store.archive().errors(noted).await.unwrap(), []);

    let decided = Report { warnings: refused.clone(), ..Report::new(Status::Applied) };
    let decide = async |id| world.store.archive().decide_aside(id, &decided).await.unwrap();
    assert!(
        decide(logged).await && !decide(logged).await && !decide(rejected).await,
        "once, and where there is something"
    );
    assert_eq!(found(&[], true).await, [(noted, 1)]);
    assert_eq!(world.store.archive().find(logged).await.unwrap().unwrap().delivery.report, Some(decided.clone()));
}

async fn a_call_is_kept_whole(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let path = json!({"id": 7, "name": "a\u{0}b"}).as_object().unwrap().clone();
    let query = json!({"tags": ["x", "y"], "all": true}).as_object().unwrap().clone();
    let first = world.receive(&connection, "{}").await;
    let large = "{\"name\":\"North\"} ".repeat(10_000);
    // Alone and as a repetition, small and large: each is another statement.
    for (body, queued) in [("{\"n\":1}", false), ("{\"n\":1}", true), (&large, false), (&large, false)] {
        let asked = Asked { path: path.clone(), query: query.clone() };
        let received = Received { asked, first: Some(first), queued, ..world.received(body) };
        world.store.receive(&connection, &received).await.unwrap();
        let call = world.store.archive().call(&connection, received.id).await.unwrap().unwrap();
        assert_eq!((&call.asked, call.first, call.at), (&received.asked, received.first, received.at));
        assert_eq!((call.operation.as_str(), call.applied, call.report), ("mirror", None, None));
        assert_eq!((call.body.as_deref(), call.sha256), (received.body.as_deref(), received.sha256));
    }
    let call = world.store.archive().call(&connection, first).await.unwrap().unwrap();
    assert_eq!((call.asked, call.first), (Asked::default(), None));
    let elsewhere = world.connection("demo", "other").await;
    assert_eq!(world.store.archive().call(&elsewhere, first).await.unwrap(), None);
}

async fn calls_are_read_in_the_order_in_which_they_were_applied(database: &dyn Database) {
    let world = World::new(database).await;
    let mut ids = Vec::new();
    for nth in 0..5 {
        ids.push(world.receive(&world.connection("demo", "school").await, &format!("{{\"n\":{nth}}}")).await);
    }
    let unchanged = ids.remove(1);
    world.store.settle(unchanged, world.received("").at, &Report::new(Status::Unchanged), &[]).await.unwrap();
    let order = [ids[2], ids[0], ids[3], ids[1]];
    for id in order {
        let connection = world.connection("demo", "school").await;
        let report = Report::new(Status::Applied);
        let commit = world.commit(&connection, id, Plan::default(), &report);
        world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    }
    let connection = world.connection("demo", "school").await;
    let (mut after, mut read) = (0, Vec::new());
    loop {
        let calls = world.store.archive().applied(&connection, after, 3).await.unwrap();
        let Some(last) = calls.last() else { break };
        after = last.applied.unwrap();
        read.extend(calls.into_iter().map(|call| call.id));
    }
    assert_eq!(read, order);
}
