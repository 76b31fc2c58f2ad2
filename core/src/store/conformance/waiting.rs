//! Waiting: who waits is held to wait, until it is linked, gone, or has waited too long; its log tells which.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::sample::{BRANCH, Plan, SECTION, World, at, branch, line, section};
use super::{Database, conformance};
use crate::delivery::{Entry, Outcome, Report, Status};
use crate::note::Note;
use crate::store::{RecordId, RecordStep, WaitStep};

conformance!(
    who_waits_is_held_to_wait,
    who_is_linked_waits_no_longer_and_the_log_tells_what_became_of_it,
    who_waits_again_goes_on_waiting,
    who_is_removed_waits_no_longer,
    what_waited_too_long_is_quarantined_once,
    what_was_quarantined_and_then_linked_is_no_error_any_more,
    who_is_linked_to_no_avail_is_an_error,
    where_no_log_is_kept_none_is_told,
);

const NOW: &str = "2026-09-01T08:00:00Z";

fn days(days: i64) -> Timestamp {
    at(NOW) + SignedDuration::from_hours(24 * days)
}

/// One delivery: its log's outcomes, its steps.
#[derive(Default)]
struct Step {
    log: Vec<Entry>,
    records: Vec<RecordStep<'static>>,
    waits: Vec<WaitStep>,
}

fn put(id: i64, new: bool) -> RecordStep<'static> {
    let (branch_key, section_key) = ("[1]", "[1,\"A\"]");
    let row = if id == 1 { branch(1, branch_key, "North") } else { section(id, section_key, "A") };
    RecordStep::Put(crate::store::RecordRow { new, ..row })
}

fn wait(record: i64, until: Option<Timestamp>, entry: Option<u32>) -> WaitStep {
    let of = if record == 1 { BRANCH } else { SECTION };
    WaitStep::Wait { of, record: RecordId(record), for_what: "owner".to_owned(), until, entry }
}

fn linked(record: i64, outcome: Outcome) -> WaitStep {
    WaitStep::Linked { record: RecordId(record), outcome }
}

fn parked(nth: usize) -> Entry {
    let note = |code| Note::new(format!("/{nth}/owner").into(), code, "…").with("other", "[7]");
    Entry { notes: vec![note("unknown-property"), note("parked")], ..line(nth, Outcome::Parked) }
}

async fn apply(world: &World, step: Step) -> Uuid {
    let connection = world.connection("demo", "school").await;
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
    (commit.records, commit.waits, commit.entries) = (step.records, step.waits, &step.log);
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    delivery
}

/// A branch that waits for a week at line 1 of its log, and a section that waits for ever at line 2.
async fn two_that_wait(world: &World) -> Uuid {
    let waits = vec![wait(1, Some(days(7)), Some(1)), wait(2, None, Some(2))];
    let log = vec![line(0, Outcome::Rejected), parked(1), parked(2)];
    apply(world, Step { log, records: vec![put(1, true), put(2, true)], waits }).await
}

async fn who_waits(world: &World) -> Vec<i64> {
    let connection = world.connection("demo", "school").await;
    let held = world.store.held_records(&connection, &world.partner).await.unwrap();
    held.into_iter().filter(|record| record.waits).map(|record| record.id.0).collect()
}

/// Errors, then each line's outcome and the codes of its notes.
async fn told(world: &World, delivery: Uuid) -> (u64, Vec<String>) {
    let log = world.store.log("demo", "school", delivery, 100, 0).await.unwrap().unwrap();
    let errors = log.entries.iter().filter(|entry| entry.outcome.is_error()).count();
    assert_eq!(log.errors, errors as u64, "the count of errors is not what the lines say");
    let lines = log.entries.into_iter().map(|entry| {
        let codes: Vec<_> = entry.notes.into_iter().map(|note| note.code).collect();
        format!("{} {}", entry.outcome.word(), codes.join(" ")).trim_end().to_owned()
    });
    (log.errors, lines.collect())
}

async fn who_waits_is_held_to_wait(database: &dyn Database) {
    let world = World::new(database).await;
    assert!(who_waits(&world).await.is_empty());
    apply(&world, Step { records: vec![put(1, true)], waits: vec![wait(1, None, None)], ..Step::default() }).await;
    apply(&world, Step { records: vec![put(2, true)], ..Step::default() }).await;
    assert_eq!(who_waits(&world).await, [1]);
    let other = world.connection("demo", "other").await;
    let plan = Plan { records: vec![put(1, true)], entities: Vec::new() };
    world.apply(&other, plan).await.unwrap();
    assert!(!world.store.held_records(&other, &world.partner).await.unwrap()[0].waits);
}

async fn who_is_linked_waits_no_longer_and_the_log_tells_what_became_of_it(database: &dyn Database) {
    let world = World::new(database).await;
    let first = two_that_wait(&world).await;
    let parked = "parked unknown-property parked";
    assert_eq!(told(&world, first).await, (1, vec!["rejected".into(), parked.into(), parked.into()]));
    let waits = vec![linked(1, Outcome::Created), linked(9, Outcome::Created)];
    let second = apply(&world, Step { log: vec![line(0, Outcome::Created)], waits, ..Step::default() }).await;
    assert_eq!(who_waits(&world).await, [2]);
    assert_eq!(told(&world, first).await, (1, vec!["rejected".into(), "created".into(), parked.into()]));
    assert_eq!(told(&world, second).await, (0, vec!["created".into()]));
    assert_eq!(world.store.quarantine_expired(days(8)).await.unwrap(), 0);
}

async fn who_waits_again_goes_on_waiting(database: &dyn Database) {
    let world = World::new(database).await;
    let first = two_that_wait(&world).await;
    let again = vec![wait(1, Some(days(90)), Some(0))];
    let second = apply(&world, Step { log: vec![parked(0)], records: vec![put(1, false)], waits: again }).await;
    assert_eq!(who_waits(&world).await, [1, 2]);
    assert_eq!(world.store.quarantine_expired(days(8)).await.unwrap(), 1);
    assert_eq!((told(&world, first).await.0, told(&world, second).await.0), (2, 0));
    let again = vec![wait(1, Some(days(90)), Some(0))];
    apply(&world, Step { records: vec![put(1, false)], waits: again, ..Step::default() }).await;
    assert_eq!(world.store.quarantine_expired(days(99)).await.unwrap(), 0);
    assert_eq!(told(&world, first).await.0, 2);
}

async fn who_is_removed_waits_no_longer(database: &dyn Database) {
    let world = World::new(database).await;
    let first = two_that_wait(&world).await;
    let removed = RecordStep::Remove(BRANCH, RecordId(1));
    apply(&world, Step { records: vec![removed], ..Step::default() }).await;
    assert_eq!(who_waits(&world).await, [2]);
    assert_eq!(world.store.quarantine_expired(days(8)).await.unwrap(), 0);
    let removed = RecordStep::Remove(SECTION, RecordId(2));
    let waits = vec![linked(2, Outcome::Deleted)];
    apply(&world, Step { records: vec![removed], waits, ..Step::default() }).await;
    let lines = told(&world, first).await.1;
    assert_eq!(lines, ["rejected", "parked unknown-property parked", "deleted"]);
}

async fn what_waited_too_long_is_quarantined_once(database: &dyn Database) {
    let world = World::new(database).await;
    let first = two_that_wait(&world).await;
    assert_eq!(world.store.quarantine_expired(days(6)).await.unwrap(), 0);
    assert_eq!(world.store.quarantine_expired(days(7)).await.unwrap(), 1);
    assert_eq!(world.store.quarantine_expired(days(8)).await.unwrap(), 0);
    assert_eq!(who_waits(&world).await, [1, 2]);
    let (errors, lines) = told(&world, first).await;
    let quarantined = "quarantined quarantined unknown-property";
    assert_eq!(
        (errors, lines),
        (2, vec!["rejected".into(), quarantined.into(), "parked unknown-property parked".into()])
    );
    assert_eq!(world.store.archive().find(first).await.unwrap().unwrap().aside, 2);
    let log = world.store.log("demo", "school", first, 1, 1).await.unwrap().unwrap();
    let note = &log.entries[0].notes[0];
    assert_eq!((note.pointer.as_str(), note.message.as_str()), ("/1/owner", "has waited too long for owner"));
    assert_eq!(note.words, BTreeMap::from([("other".to_owned(), "[7]".to_owned())]));
}

async fn what_was_quarantined_and_then_linked_is_no_error_any_more(database: &dyn Database) {
    let world = World::new(database).await;
    let first = two_that_wait(&world).await;
    assert_eq!(world.store.quarantine_expired(days(7)).await.unwrap(), 1);
    apply(&world, Step { waits: vec![linked(1, Outcome::Updated)], ..Step::default() }).await;
    let expected = ["rejected", "updated", "parked unknown-property parked"].map(str::to_owned);
    assert_eq!(told(&world, first).await, (1, expected.into()));
}

async fn who_is_linked_to_no_avail_is_an_error(database: &dyn Database) {
    let world = World::new(database).await;
    let first = two_that_wait(&world).await;
    assert_eq!(world.store.quarantine_expired(days(7)).await.unwrap(), 1);
    let waits = vec![linked(1, Outcome::Refused), linked(2, Outcome::Fault)];
    apply(&world, Step { waits, ..Step::default() }).await;
    assert_eq!(told(&world, first).await, (3, ["rejected", "refused", "fault"].map(str::to_owned).into()));
}

async fn where_no_log_is_kept_none_is_told(database: &dyn Database) {
    let world = World::new(database).await;
    let waits = vec![wait(1, Some(days(1)), None), wait(2, Some(days(1)), Some(5))];
    let first = apply(&world, Step { records: vec![put(1, true), put(2, true)], waits, ..Step::default() }).await;
    assert_eq!(world.store.quarantine_expired(days(1)).await.unwrap(), 2);
    assert_eq!(told(&world, first).await, (0, Vec::new()));
    let waits = vec![linked(1, Outcome::Created), linked(2, Outcome::Created)];
    apply(&world, Step { waits, ..Step::default() }).await;
    assert_eq!((who_waits(&world).await, told(&world, first).await), (Vec::new(), (0, Vec::new())));
}
