//! What subscribers are told: nothing is lost, each record's in order, and nobody waits for somebody else's subscriber.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::sample::{Plan, World, at};
use super::{Database, conformance};
use crate::clock::Clock as _;
use crate::delivery::{Report, Status};
use crate::store::read::SendQuery;
use crate::store::{Attempt, DueSend, NewSend, SendClaim, SendOutcome, StoreError};

conformance!(
    what_is_raised_is_there_after_the_end_of_the_process,
    what_a_commit_raises_is_raised_with_it_or_not_at_all,
    what_happens_to_one_record_is_told_in_order,
    what_is_given_up_holds_up_nothing,
    a_retry_is_due_when_its_time_has_come,
    every_subscription_has_its_turn,
    how_it_went_is_told_the_newest_first,
    what_has_ended_is_never_sent_again,
);

/// Everything that a subscriber of these tests can be told is due by then.
fn late() -> Timestamp {
    at("2026-09-02T08:00:00Z")
}

/// The event `event` of the branch `key`, for `subscription`.
fn new(world: &World, subscription: &str, key: &str, event: &str) -> NewSend {
    NewSend {
        id: world.clock.next_id(),
        subscription: subscription.to_owned(),
        event: event.to_owned(),
        record: ("Branch".to_owned(), key.to_owned()),
        body: format!("{{\"event\":\"{event}\"}}").into_bytes(),
    }
}

async fn raise(world: &World, connection: &str, sends: Vec<NewSend>) -> Result<i64, StoreError> {
    let connection = world.connection("demo", connection).await;
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
    commit.sends = sends;
    world.store.commit(&world.canonical, &world.partner, commit).await
}

/// Raises these events, each given as subscription, record and event, one after the other.
async fn raised(world: &World, events: &[[&str; 3]]) -> Vec<Uuid> {
    let sends: Vec<_> = events.iter().map(|[subscription, key, event]| new(world, subscription, key, event)).collect();
    let ids = sends.iter().map(|send| send.id).collect();
    raise(world, "school", sends).await.unwrap();
    ids
}

/// What could be taken on; it is given back at once.
async fn look(world: &World, now: Timestamp, limit: u32, each: u32) -> Vec<DueSend> {
    let due = world.store.claim_sends(&SendClaim { now, limit, each, failing: &[] }).await.unwrap();
    world.store.leave(now).await.unwrap();
    due
}

async fn due(world: &World) -> Vec<DueSend> {
    look(world, late(), 100, 100).await
}

async fn events(world: &World) -> Vec<String> {
    due(world).await.into_iter().map(|send| send.event).collect()
}

fn attempt(minute: i64, status: Option<u16>) -> Attempt {
    Attempt {
        at: at("2026-09-01T08:00:00Z") + SignedDuration::from_mins(minute),
        took_ms: 12,
        status,
        response: status.map(|_| "as sent".to_owned()),
        problem: status.is_none().then(|| "no answer".to_owned()),
    }
}

async fn note(world: &World, send: Uuid, outcome: SendOutcome) {
    let status = (outcome == SendOutcome::Succeeded).then_some(204);
    world.store.note_attempt(send, &attempt(0, status), outcome).await.unwrap();
}

async fn what_is_raised_is_there_after_the_end_of_the_process(database: &dyn Database) {
    let world = World::new(database).await;
    let ids = raised(&world, &[["[1]", "[7]", "created"]]).await;
    drop(world);

    let world = World::new(database).await;
    let [send] = <[DueSend; 1]>::try_from(due(&world).await).unwrap();
    assert_eq!((send.id, send.at, send.attempts), (ids[0], world.clock.now(), 0));
    let words = [&send.tenant, &send.connection, &send.partner, &send.subscription, &send.event].map(String::as_str);
    assert_eq!(words, ["demo", "school", "school", "[1]", "created"]);
    assert_eq!(send.body, b"{\"event\":\"created\"}");
    assert!(look(&world, send.at - SignedDuration::from_millis(1), 1, 1).await.is_empty());
}

async fn what_a_commit_raises_is_raised_with_it_or_not_at_all(database: &dyn Database) {
    let world = World::new(database).await;
    let twice = new(&world, "[1]", "[7]", "created");
    assert!(raise(&world, "school", vec![twice.clone(), twice]).await.is_err());
    assert_eq!(events(&world).await, Vec::<String>::new());
    assert_eq!(world.connection("demo", "school").await.generation, 0);
}

async fn what_happens_to_one_record_is_told_in_order(database: &dyn Database) {
    let world = World::new(database).await;
    let ids = raised(
        &world,
        &[["[1]", "[7]", "created"], ["[1]", "[7]", "updated"], ["[1]", "[8]", "other"], ["[2]", "[7]", "elsewhere"]],
    )
    .await;
    let elsewhere = new(&world, "[1]", "[7]", "neighbour");
    raise(&world, "other", vec![elsewhere]).await.unwrap();
    assert_eq!(events(&world).await, ["created", "elsewhere", "neighbour", "other"]);
    note(&world, ids[0], SendOutcome::Retry(late())).await;
    assert_eq!(events(&world).await, ["other", "elsewhere", "neighbour", "created"]);
    raised(&world, &[["[1]", "[7]", "deleted"]]).await;
    assert!(!events(&world).await.contains(&"updated".to_owned()));
    note(&world, ids[0], SendOutcome::Succeeded).await;
    assert_eq!(events(&world).await, ["updated", "elsewhere", "neighbour", "other"]);
    note(&world, ids[1], SendOutcome::Succeeded).await;
    assert_eq!(events(&world).await, ["other", "elsewhere", "neighbour", "deleted"]);
}

async fn what_is_given_up_holds_up_nothing(database: &dyn Database) {
    let world = World::new(database).await;
    let ids = raised(&world, &[["[1]", "[7]", "created"], ["[1]", "[7]", "updated"]]).await;
    note(&world, ids[0], SendOutcome::Failed).await;
    assert_eq!(events(&world).await, ["updated"]);
    note(&world, ids[1], SendOutcome::Failed).await;
    raised(&world, &[["[1]", "[7]", "deleted"]]).await;
    assert_eq!(events(&world).await, ["deleted"]);
}

async fn a_retry_is_due_when_its_time_has_come(database: &dyn Database) {
    let world = World::new(database).await;
    let ids = raised(&world, &[["[1]", "[7]", "created"], ["[1]", "[8]", "other"]]).await;
    let (now, again) = (world.clock.now(), world.clock.now() + SignedDuration::from_mins(3));
    assert_eq!(world.store.next_send_at(None).await.unwrap(), Some(now));
    assert_eq!(world.store.next_send_at(Some(now)).await.unwrap(), None);
    note(&world, ids[0], SendOutcome::Retry(again)).await;
    note(&world, ids[1], SendOutcome::Succeeded).await;
    assert_eq!(world.store.next_send_at(Some(now)).await.unwrap(), Some(again));
    let early = again - SignedDuration::from_millis(1);
    assert!(look(&world, early, 10, 10).await.is_empty());
    let [send] = <[DueSend; 1]>::try_from(look(&world, again, 10, 10).await).unwrap();
    assert_eq!((send.id, send.attempts), (ids[0], 1));
    assert_eq!(world.store.next_send_at(Some(again)).await.unwrap(), None);
    note(&world, ids[0], SendOutcome::Failed).await;
    assert_eq!(world.store.next_send_at(None).await.unwrap(), None);
}

async fn every_subscription_has_its_turn(database: &dyn Database) {
    let world = World::new(database).await;
    let keys: Vec<_> = (0..50).map(|nth| format!("[{nth}]")).collect();
    let busy: Vec<_> = keys.iter().map(|key| ["[1]", key.as_str(), "busy"]).collect();
    raised(&world, &busy).await;
    raised(&world, &[["[2]", "[1]", "quiet"], ["[2]", "[2]", "quiet"], ["[3]", "[1]", "rare"]]).await;
    let due = async |limit, each| {
        let due = look(&world, late(), limit, each).await;
        due.into_iter().map(|send| send.event).collect::<Vec<_>>()
    };
    assert_eq!(due(4, 100).await, ["busy", "quiet", "rare", "busy"]);
    assert_eq!(due(100, 2).await, ["busy", "quiet", "rare", "busy", "quiet"]);
    assert_eq!(due(100, 100).await.len(), 53);
}

/// All that the first subscription was told.
fn of(tenant: &str, failed: bool, limit: u64, offset: u64) -> SendQuery<'_> {
    let (connection, subscription) = ("school", "[1]");
    SendQuery { tenant, connection, subscription, failed, since: None, until: None, limit, offset }
}

async fn how_it_went_is_told_the_newest_first(database: &dyn Database) {
    let world = World::new(database).await;
    let ids =
        raised(&world, &[["[1]", "[7]", "a"], ["[1]", "[8]", "b"], ["[1]", "[9]", "c"], ["[2]", "[9]", "d"]]).await;
    let retry = SendOutcome::Retry(late());
    for (send, nth, status, outcome) in [
        (ids[0], 0, None, retry),
        (ids[0], 1, Some(500), retry),
        (ids[0], 2, Some(200), SendOutcome::Succeeded),
        (ids[1], 3, Some(410), SendOutcome::Failed),
        (ids[2], 4, Some(503), retry),
    ] {
        world.store.note_attempt(send, &attempt(nth, status), outcome).await.unwrap();
    }
    let told = async |tenant: &str, failed, limit, offset| {
        let sends = world.store.sends(&of(tenant, failed, limit, offset)).await.unwrap();
        let line =
            |send: &super::super::read::StoredSend| format!("{} {} {}", send.event, send.status, send.attempts.len());
        (sends.total, sends.rows.iter().map(line).collect::<Vec<_>>())
    };
    let raised_later = raised(&world, &[["[1]", "[7]", "e"]]).await;
    let all = ["e pending 0", "c retry 1", "b failed 1", "a succeeded 3"].map(str::to_owned);
    assert_eq!(told("demo", false, 10, 0).await, (4, all.to_vec()));
    assert_eq!(told("demo", false, 2, 1).await, (4, all[1..3].to_vec()));
    assert_eq!(told("demo", true, 10, 0).await, (1, all[2..3].to_vec()));
    assert_eq!(told("elsewhere", false, 10, 0).await, (0, Vec::new()));
    let now = world.clock.now();
    let moment = std::time::Duration::from_secs(1);
    for (since, until, count) in [
        (Some(now), Some(now), 4),
        (Some(now - moment), None, 4),
        (Some(now + moment), None, 0),
        (None, Some(now - moment), 0),
    ] {
        let sends = world.store.sends(&SendQuery { since, until, ..of("demo", false, 10, 0) }).await.unwrap();
        assert_eq!((sends.total, sends.rows.len()), (count, usize::try_from(count).unwrap()), "{since:?} {until:?}");
    }
    let sends = world.store.sends(&of("demo", false, 10, 0)).await.unwrap().rows;
    assert_eq!((sends[0].id, sends[3].id, sends[3].at), (raised_later[0], ids[0], world.clock.now()));
    assert_eq!(sends[3].attempts, [attempt(0, None), attempt(1, Some(500)), attempt(2, Some(200))]);
    assert_eq!(sends[3].body, serde_json::json!({"event": "a"}));
}

async fn what_has_ended_is_never_sent_again(database: &dyn Database) {
    let world = World::new(database).await;
    let ids = raised(&world, &[["[1]", "[7]", "created"], ["[1]", "[8]", "other"]]).await;
    for (send, end) in [(ids[0], SendOutcome::Succeeded), (ids[1], SendOutcome::Failed)] {
        note(&world, send, end).await;
        for outcome in [SendOutcome::Succeeded, SendOutcome::Failed, SendOutcome::Retry(late())] {
            let again = world.store.note_attempt(send, &attempt(0, None), outcome).await;
            assert!(matches!(again, Err(StoreError::Inconsistent(_))));
        }
    }
    assert_eq!(events(&world).await, Vec::<String>::new());
    drop(world);
    assert_eq!(events(&World::new(database).await).await, Vec::<String>::new());
}
