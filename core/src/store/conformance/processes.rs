//! Several processes on one database: each thing has one process at a time that is at it, and whoever is gone leaves
//! nothing undone.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::sample::{Plan, World, at, branch};
use super::{Database, conformance};
use crate::clock::Clock as _;
use crate::delivery::{Report, Status};
use crate::store::{Attempt, ConnectionName, Held, NewSend, RecordStep, SendClaim, SendOutcome, Signal, StoreError};

conformance!(
    a_queue_is_claimed_by_one_process_at_a_time,
    who_was_claimed_longest_ago_comes_first,
    what_a_process_claimed_is_ended_by_it_alone,
    what_a_gone_process_claimed_is_taken_over_and_it_can_end_nothing_more,
    what_a_living_process_answers_is_not_interrupted,
    who_comes_back_goes_on,
    who_leaves_leaves_nothing,
    what_nobody_is_at_is_let_go_of,
    a_send_is_claimed_by_one_process_at_a_time,
    what_a_gone_process_was_sending_is_sent_by_another,
    a_failing_subscription_has_one_place_over_all_processes,
    what_one_says_all_hear,
    who_holds_a_connection_is_overtaken_by_nobody,
    who_works_on_what_is_erased_cannot_end_it,
);

/// Seconds of a lease.
const LEASE: i64 = 30;

/// The process with this number, and what it sees.
async fn process(database: &dyn Database, nth: u128) -> World {
    let world = World::new(database).await;
    sign(&world, nth, 0).await;
    // No two processes draw the same id.
    world.clock.advance(std::time::Duration::from_secs(u64::try_from(nth).unwrap()));
    world
}

/// A sign of life of a process, so many seconds after the beginning.
async fn sign(world: &World, nth: u128, seconds: i64) {
    world.store.join(Uuid::from_u128(nth), second(seconds + LEASE)).await.unwrap();
}

fn second(nth: i64) -> Timestamp {
    at("2026-09-01T08:00:00Z") + SignedDuration::from_secs(nth)
}

fn name(connection: &str) -> ConnectionName {
    ("demo".to_owned(), connection.to_owned())
}

async fn enqueue(world: &World, connection: &str, id: u128) -> Uuid {
    let connection = world.connection("demo", connection).await;
    let mut received = world.received("{}");
    (received.id, received.queued) = (Uuid::from_u128(id), true);
    world.store.receive(&connection, &received).await.unwrap();
    received.id
}

async fn claim(world: &World, seconds: i64) -> Option<String> {
    let claimed = world.store.claim_queue(second(seconds), &[]).await.unwrap();
    claimed.map(|(tenant, connection)| {
        assert_eq!(tenant, "demo");
        connection
    })
}

async fn next(world: &World) -> Option<Uuid> {
    world.store.next_queued("demo", "school").await.unwrap().map(|queued| queued.delivery)
}

async fn status(world: &World, delivery: Uuid) -> Status {
    world.store.delivery("demo", delivery).await.unwrap().unwrap().status
}

/// Commits something as what became of a delivery.
async fn apply(world: &World, delivery: Uuid) -> Result<i64, StoreError> {
    let connection = world.connection("demo", "school").await;
    let report = Report::new(Status::Applied);
    let plan = Plan { records: vec![RecordStep::Put(branch(1, "[1]", "North"))], entities: Vec::new() };
    world.store.commit(&world.canonical, &world.partner, world.commit(&connection, delivery, plan, &report)).await
}

async fn a_queue_is_claimed_by_one_process_at_a_time(database: &dyn Database) {
    let (one, other) = (process(database, 1).await, process(database, 2).await);
    assert_eq!(claim(&one, 0).await, None);
    let first = enqueue(&one, "school", 10).await;
    enqueue(&other, "annex", 11).await;
    let claimed = [claim(&one, 0).await.unwrap(), claim(&other, 0).await.unwrap()];
    assert_eq!(claimed, ["school", "annex"]);
    assert_eq!((claim(&one, 0).await, claim(&other, 0).await), (None, None));
    assert_eq!((next(&one).await, next(&other).await), (Some(first), None));
    other.store.give_back("demo", "school").await.unwrap();
    assert_eq!(claim(&other, 0).await, None, "it gave back what was not its own");
    one.store.give_back("demo", "school").await.unwrap();
    assert_eq!(other.store.claim_queue(second(0), &[name("school")]).await.unwrap(), None);
    assert_eq!(claim(&other, 0).await.unwrap(), "school");
    assert_eq!((next(&one).await, next(&other).await), (None, Some(first)));
}

async fn who_was_claimed_longest_ago_comes_first(database: &dyn Database) {
    let world = process(database, 1).await;
    for (nth, connection) in ["a", "b", "c"].into_iter().enumerate() {
        enqueue(&world, connection, 10 + nth as u128).await;
    }
    let mut claimed = Vec::new();
    for seconds in 1..=6 {
        let connection = claim(&world, seconds).await.unwrap();
        world.store.give_back("demo", &connection).await.unwrap();
        claimed.push(connection);
    }
    assert_eq!(claimed, ["a", "b", "c", "a", "b", "c"]);
}

async fn what_a_process_claimed_is_ended_by_it_alone(database: &dyn Database) {
    let (one, other) = (process(database, 1).await, process(database, 2).await);
    let id = enqueue(&one, "school", 10).await;
    let refused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Inconsistent(_)));
    claim(&other, 0).await.unwrap();
    assert!(refused(one.store.begin(id).await));
    assert!(refused(one.store.settle(id, second(0), &Report::new(Status::Failed), &[]).await));
    assert!(refused(apply(&one, id).await.map(drop)));
    assert_eq!((status(&one, id).await, one.connection("demo", "school").await.generation), (Status::Queued, 0));
    other.store.begin(id).await.unwrap();
    apply(&other, id).await.unwrap();
    assert_eq!(status(&one, id).await, Status::Applied);
}

async fn what_a_gone_process_claimed_is_taken_over_and_it_can_end_nothing_more(database: &dyn Database) {
    let (gone, other) = (process(database, 1).await, process(database, 2).await);
    let (queued, answered) =
        (enqueue(&gone, "school", 10).await, gone.receive(&gone.connection("demo", "school").await, "{}").await);
    claim(&gone, 0).await.unwrap();
    gone.store.begin(queued).await.unwrap();
    sign(&other, 2, 20).await;
    assert_eq!(other.store.bury(second(LEASE - 1), second(29)).await.unwrap(), 0);
    assert_eq!(claim(&other, 29).await, None);
    assert_eq!(other.store.bury(second(LEASE), second(31)).await.unwrap(), 1);
    assert_eq!(claim(&other, 31).await.unwrap(), "school");
    let taken = other.store.next_queued("demo", "school").await.unwrap().unwrap();
    assert_eq!((taken.delivery, taken.attempts), (queued, 1));

    let late = Report::new(Status::Unchanged);
    for delivery in [queued, answered] {
        assert!(apply(&gone, delivery).await.is_err());
        assert!(gone.store.settle(delivery, second(32), &late, &[]).await.is_err());
    }
    assert!(gone.store.begin(queued).await.is_err());
    assert_eq!((status(&other, queued).await, status(&other, answered).await), (Status::Queued, Status::Interrupted));
    apply(&other, queued).await.unwrap();
    assert_eq!(other.connection("demo", "school").await.generation, 1);
}

async fn what_a_living_process_answers_is_not_interrupted(database: &dyn Database) {
    let (living, other) = (process(database, 1).await, process(database, 2).await);
    let delivery = living.receive(&living.connection("demo", "school").await, "{}").await;
    for seconds in [20, 40, 60] {
        sign(&living, 1, seconds).await;
        sign(&other, 2, seconds).await;
        assert_eq!(other.store.bury(second(seconds + 1), second(seconds + 1)).await.unwrap(), 0);
    }
    assert!(apply(&other, delivery).await.is_err(), "it is another's");
    apply(&living, delivery).await.unwrap();
    // Nobody buries itself, however late it is.
    let delivery = other.receive(&other.connection("demo", "school").await, "{}").await;
    assert_eq!(other.store.bury(Timestamp::MAX, second(99)).await.unwrap(), 0);
    assert_eq!(status(&other, delivery).await, Status::Received);
}

async fn who_comes_back_goes_on(database: &dyn Database) {
    let (away, other) = (process(database, 1).await, process(database, 2).await);
    let id = enqueue(&away, "school", 10).await;
    claim(&away, 0).await.unwrap();
    sign(&other, 2, 30).await;
    other.store.bury(second(31), second(31)).await.unwrap();
    sign(&away, 1, 32).await;
    assert_eq!(next(&away).await, None, "its claim was taken back");
    assert_eq!(claim(&away, 32).await.unwrap(), "school");
    apply(&away, id).await.unwrap();
    let answered = away.receive(&away.connection("demo", "school").await, "{\"again\":1}").await;
    other.store.bury(second(33), second(33)).await.unwrap();
    assert_eq!(status(&away, answered).await, Status::Received);
}

async fn who_leaves_leaves_nothing(database: &dyn Database) {
    let (leaving, other) = (process(database, 1).await, process(database, 2).await);
    let id = enqueue(&leaving, "school", 10).await;
    claim(&leaving, 0).await.unwrap();
    let answered = leaving.receive(&leaving.connection("demo", "school").await, "{}").await;
    let others = other.receive(&other.connection("demo", "school").await, "{\"other\":1}").await;
    assert_eq!(leaving.store.leave(second(1)).await.unwrap(), 1);
    assert_eq!((status(&other, answered).await, status(&other, others).await), (Status::Interrupted, Status::Received));
    assert_eq!(claim(&other, 1).await.unwrap(), "school");
    assert_eq!(next(&other).await, Some(id));
}

async fn who_works_on_what_is_erased_cannot_end_it(database: &dyn Database) {
    let (one, other) = (process(database, 1).await, process(database, 2).await);
    let queued = enqueue(&one, "school", 10).await;
    claim(&one, 0).await.unwrap();
    let connection = one.connection("demo", "school").await;
    let answered = one.receive(&connection, "[\"Ada\"]").await;
    let keeper = other.store.keeper();
    for body in keeper.kept_bodies(&connection, i64::MIN, 9).await.unwrap() {
        keeper.rewrite_body(&connection, body.id, Some(b"[]"), second(0)).await.unwrap();
    }
    for delivery in [queued, answered] {
        assert!(apply(&one, delivery).await.is_err(), "what it says of whoever is erased would be there again");
    }
    assert_eq!((next(&one).await, claim(&other, 1).await.unwrap()), (None, "school".to_owned()));
    assert_eq!(other.store.next_queued("demo", "school").await.unwrap().unwrap().body, b"[]");
    apply(&other, queued).await.unwrap();
    assert_eq!(other.store.bury(second(0), second(1)).await.unwrap(), 1);
    assert_eq!(status(&other, answered).await, Status::Interrupted);
}

async fn what_nobody_is_at_is_let_go_of(database: &dyn Database) {
    let (one, other) = (process(database, 1).await, process(database, 2).await);
    enqueue(&one, "school", 10).await;
    enqueue(&one, "annex", 11).await;
    raise(&one, "[1]", 2).await;
    let sends = take_on(&one, 9, &[]).await;
    let connection = one.connection("demo", "school").await;
    let [kept, lost] = [one.receive(&connection, "{}").await, one.receive(&connection, "{\"again\":1}").await];
    assert_eq!((claim(&one, 0).await.unwrap(), claim(&one, 1).await.unwrap()), ("school".into(), "annex".into()));
    let held = Held {
        queues: [name("school")].into(),
        sends: [sends[0].0].into(),
        unended: [lost, Uuid::from_u128(99)].into(),
    };
    // It is only the process itself that knows.
    assert_eq!(other.store.let_go(&Held { unended: [kept].into(), ..Held::default() }, second(1)).await.unwrap(), 0);
    assert_eq!((claim(&other, 1).await, take_on(&other, 9, &[]).await.len()), (None, 0));
    assert_eq!(one.store.let_go(&held, second(1)).await.unwrap(), 1);
    assert_eq!((status(&one, kept).await, status(&one, lost).await), (Status::Received, Status::Interrupted));
    assert_eq!((claim(&other, 1).await.unwrap(), claim(&other, 1).await), ("annex".to_owned(), None));
    assert_eq!(take_on(&other, 9, &[]).await, sends[1..]);
}

/// Raises one event of each branch, for a subscription.
async fn raise(world: &World, subscription: &str, branches: u128) {
    let connection = world.connection("demo", "school").await;
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
    let send = |nth: u128| NewSend {
        id: world.clock.next_id(),
        subscription: subscription.to_owned(),
        event: format!("{subscription} {nth}"),
        record: ("Branch".to_owned(), format!("[{nth}]")),
        body: b"{}".to_vec(),
    };
    commit.sends = (0..branches).map(send).collect();
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
}

/// The events that a process takes on.
async fn take_on(world: &World, each: u32, failing: &[&str]) -> Vec<(Uuid, String)> {
    let failing: Vec<_> =
        failing.iter().map(|key| ("demo".to_owned(), "school".to_owned(), (*key).to_owned())).collect();
    let claim = SendClaim { now: second(60), limit: 3, each, failing: &failing };
    let due = world.store.claim_sends(&claim).await.unwrap();
    due.into_iter().map(|send| (send.id, send.event)).collect()
}

fn events(sends: &[(Uuid, String)]) -> Vec<&str> {
    sends.iter().map(|(_, event)| event.as_str()).collect()
}

async fn note(world: &World, send: Uuid, outcome: SendOutcome) -> Result<(), StoreError> {
    let attempt = Attempt { at: second(60), took_ms: 1, status: None, response: None, problem: None };
    world.store.note_attempt(send, &attempt, outcome).await
}

async fn a_send_is_claimed_by_one_process_at_a_time(database: &dyn Database) {
    let (one, other) = (process(database, 1).await, process(database, 2).await);
    raise(&one, "[1]", 5).await;
    let (first, second_ones) = (take_on(&one, 9, &[]).await, take_on(&other, 9, &[]).await);
    assert_eq!(events(&first), ["[1] 0", "[1] 1", "[1] 2"]);
    assert_eq!(events(&second_ones), ["[1] 3", "[1] 4"]);
    assert_eq!(one.store.next_send_at(None).await.unwrap(), None, "what some process is at is not to be done");
    assert!(matches!(note(&one, second_ones[0].0, SendOutcome::Succeeded).await, Err(StoreError::Inconsistent(_))));
    note(&one, first[0].0, SendOutcome::Retry(second(70))).await.unwrap();
    assert_eq!(one.store.next_send_at(None).await.unwrap(), Some(second(70)));
    assert!(take_on(&one, 9, &[]).await.is_empty());
    for (send, _) in &second_ones {
        note(&other, *send, SendOutcome::Succeeded).await.unwrap();
    }
}

async fn what_a_gone_process_was_sending_is_sent_by_another(database: &dyn Database) {
    let (gone, other) = (process(database, 1).await, process(database, 2).await);
    raise(&gone, "[1]", 2).await;
    let taken = take_on(&gone, 9, &[]).await;
    sign(&other, 2, 40).await;
    other.store.bury(second(29), second(29)).await.unwrap();
    assert!(take_on(&other, 9, &[]).await.is_empty());
    other.store.bury(second(31), second(31)).await.unwrap();
    assert_eq!(take_on(&other, 9, &[]).await, taken);
    assert!(note(&gone, taken[0].0, SendOutcome::Succeeded).await.is_err());
    note(&other, taken[0].0, SendOutcome::Succeeded).await.unwrap();
}

async fn a_failing_subscription_has_one_place_over_all_processes(database: &dyn Database) {
    let (one, other) = (process(database, 1).await, process(database, 2).await);
    raise(&one, "[1]", 4).await;
    raise(&one, "[2]", 4).await;
    assert_eq!(events(&take_on(&one, 2, &["[1]"]).await), ["[1] 0", "[2] 0", "[2] 1"]);
    assert!(take_on(&other, 2, &["[1]"]).await.is_empty());
    assert_eq!(events(&take_on(&other, 2, &[]).await), ["[1] 1"]);
    assert_eq!(events(&take_on(&other, 3, &[]).await), ["[1] 2", "[2] 2"]);
}

async fn what_one_says_all_hear(database: &dyn Database) {
    let (one, other) = (process(database, 1).await, process(database, 2).await);
    let mut hearing = vec![one.store.signals()];
    if one.store.is_shared() {
        hearing.push(other.store.signals());
    }
    one.store.signal(Signal::Due).await.unwrap();
    one.store.signal(Signal::Queued).await.unwrap();
    for signals in &mut hearing {
        assert_eq!([signals.recv().await.unwrap(), signals.recv().await.unwrap()], [Signal::Due, Signal::Queued]);
    }
}

async fn who_holds_a_connection_is_overtaken_by_nobody(database: &dyn Database) {
    let (one, other) = (process(database, 1).await, process(database, 2).await);
    let stale = one.connection("demo", "school").await;
    other.apply(&other.connection("demo", "school").await, Plan::default()).await.unwrap();
    assert!(matches!(one.apply(&stale, Plan::default()).await, Err(StoreError::Stale)));
    let held = one.store.hold(&stale).await.unwrap();
    assert_eq!(held.generation, 1);
    if !one.store.is_shared() {
        one.apply(&held, Plan::default()).await.unwrap();
        return;
    }
    let overtaking = other.connection("demo", "school").await;
    let (overtaken, applied) =
        tokio::join!(other.apply(&overtaking, Plan::default()), one.apply(&held, Plan::default()));
    applied.unwrap();
    assert!(matches!(overtaken, Err(StoreError::Stale)));
    // Who lets go of it without a commit stands in nobody's way.
    let held = one.store.hold(&held).await.unwrap();
    let waiting = other.connection("demo", "school").await;
    let (waited, ()) = tokio::join!(other.apply(&waiting, Plan::default()), async move { drop(held) });
    waited.unwrap();
}
