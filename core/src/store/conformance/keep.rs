//! Keeping less: what is old goes step by step and nothing else does; what is erased is rewritten or blank, wherever it stood.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::sample::{ORG, Plan, World, at, branch, id, line, org};
use super::{Database, conformance};
use crate::clock::Clock as _;
use crate::delivery::{Outcome, Report, Status};
use crate::digest::Digest;
use crate::json::Pointer;
use crate::note::Note;
use crate::retention::Prune;
use crate::store::keep::{Erasure, Keeper, Told};
use crate::store::read::SendQuery;
use crate::store::{
    Attempt, Connection, EntityLink, EntityRow, EntityStep, NewSend, RecordId, RecordStep, SendClaim, SendOutcome,
};
use crate::table::Cell;

conformance!(
    old_bodies_go_step_by_step_and_what_became_of_them_stays,
    a_body_goes_with_the_last_delivery_that_has_it,
    the_oldest_bodies_go_where_there_are_too_many_bytes,
    old_deliveries_go_with_their_logs,
    what_was_sent_goes_and_what_is_to_be_sent_stays,
    who_reads_the_feed_from_too_long_ago_is_told,
    a_body_is_rewritten_for_all_who_sent_it,
    a_body_may_become_one_that_is_there_already,
    what_is_told_of_a_delivery_can_be_told_otherwise,
    entities_that_are_gone_are_blanked_with_those_that_refer_to_them,
    a_send_that_is_forgotten_holds_up_nothing,
    who_was_erased_is_remembered_by_a_digest,
    the_log_of_what_is_written_can_be_emptied,
);

const BEGIN: &str = "2026-09-01T08:00:00Z";

impl World {
    fn keeper(&self) -> &dyn Keeper {
        self.store.keeper()
    }

    /// Prunes in steps of `rows_max`; how many rows went in each.
    async fn prune(&self, connection: &Connection, what: Prune, rows_max: u32) -> Vec<u64> {
        let mut steps = Vec::new();
        loop {
            let went = self.keeper().prune(&self.canonical, connection, what, rows_max).await.unwrap();
            if went == 0 {
                return steps;
            }
            assert!(went <= u64::from(rows_max));
            steps.push(went);
        }
    }

    /// A delivery that changed nothing.
    async fn settled(&self, connection: &Connection, body: &str) -> Uuid {
        let id = self.receive(connection, body).await;
        self.store.settle(id, self.clock.now(), &Report::new(Status::Unchanged), &[]).await.unwrap();
        id
    }

    async fn has_body(&self, delivery: Uuid) -> bool {
        self.store.body("demo", delivery).await.unwrap().is_some()
    }
}

fn hours(hours: i64) -> Timestamp {
    at(BEGIN) + jiff::SignedDuration::from_hours(hours)
}

async fn old_bodies_go_step_by_step_and_what_became_of_them_stays(database: &dyn Database) {
    let world = World::new(database).await;
    let (own, other) = (world.connection("demo", "school").await, world.connection("demo", "other").await);
    let mut old = Vec::new();
    for nth in 0..5 {
        old.push(world.settled(&own, &format!("[{nth}]")).await);
    }
    let of_other = world.settled(&other, "[0]").await;
    let unfinished = world.receive(&own, "[7]").await;
    let mut queued = world.received("[8]");
    queued.queued = true;
    world.store.receive(&own, &queued).await.unwrap();
    world.clock.advance(Duration::from_hours(1));
    let new = world.settled(&own, "[9]").await;

    assert_eq!(world.prune(&own, Prune::Bodies(hours(1)), 2).await, [2, 2, 1]);
    for delivery in old {
        assert!(!world.has_body(delivery).await);
        assert_eq!(world.store.delivery("demo", delivery).await.unwrap().unwrap().status, Status::Unchanged);
    }
    for kept in [of_other, unfinished, queued.id, new] {
        assert!(world.has_body(kept).await);
    }
    let next = world.store.next_queued("demo", "school").await.unwrap().unwrap();
    assert_eq!((next.delivery, next.body.as_slice()), (queued.id, b"[8]".as_slice()));
}

async fn a_body_goes_with_the_last_delivery_that_has_it(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    let old = world.settled(&own, "[1]").await;
    world.clock.advance(Duration::from_hours(1));
    let new = world.settled(&own, "[1]").await;
    assert_eq!(world.prune(&own, Prune::Bodies(hours(1)), 10).await, [1]);
    assert!(!world.has_body(old).await && world.has_body(new).await);
    assert_eq!(world.prune(&own, Prune::Bodies(hours(2)), 10).await, [1]);
    assert!(!world.has_body(new).await);
    assert!(world.keeper().kept_bodies(&own, i64::MIN, 10).await.unwrap().is_empty());
    let again = world.settled(&own, "[1]").await;
    assert!(world.has_body(again).await);
}

async fn the_oldest_bodies_go_where_there_are_too_many_bytes(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    let mut deliveries = Vec::new();
    for nth in 0..6 {
        deliveries.push(world.settled(&own, &format!("[{nth}]")).await);
    }
    let mut queued = world.received("[8]");
    queued.queued = true;
    world.store.receive(&own, &queued).await.unwrap();
    assert!(world.prune(&own, Prune::BodiesOver(1 << 20), 4).await.is_empty());
    let steps = world.prune(&own, Prune::BodiesOver(40), 2).await;
    assert!(!steps.is_empty());
    let mut kept = Vec::new();
    for delivery in &deliveries {
        kept.push(world.has_body(*delivery).await);
    }
    assert!(kept.is_sorted() && !kept[0] && kept[5], "{kept:?}");
    world.prune(&own, Prune::BodiesOver(0), 2).await;
    assert!(!world.has_body(deliveries[5]).await && world.has_body(queued.id).await);
}

async fn old_deliveries_go_with_their_logs(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    let old = world.receive(&own, "[1]").await;
    let log: Vec<_> = (0..5).map(|nth| line(nth, Outcome::Created)).collect();
    world.store.settle(old, world.clock.now(), &Report::new(Status::Applied), &log).await.unwrap();
    let unfinished = world.receive(&own, "[2]").await;
    world.clock.advance(Duration::from_hours(1));
    let new = world.settled(&own, "[3]").await;
    assert_eq!(world.prune(&own, Prune::Deliveries(hours(1)), 2).await, [2, 2, 2], "five lines and their delivery");
    let known: Vec<_> = world.store.deliveries("demo", None, None, 10).await.unwrap();
    assert_eq!(known.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [new, unfinished]);
    assert!(world.store.log("demo", "school", old, 10, 0).await.unwrap().is_none());
    assert_eq!(world.keeper().kept_bodies(&own, i64::MIN, 10).await.unwrap().len(), 2);
}

/// Raises events about records, all for one subscription.
async fn raise(world: &World, keys: &[&str]) -> Vec<Uuid> {
    let own = world.connection("demo", "school").await;
    let delivery = world.receive(&own, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&own, delivery, Plan::default(), &report);
    let new = |key: &&str| NewSend {
        id: world.clock.next_id(),
        subscription: "[1]".to_owned(),
        event: "changed".to_owned(),
        record: ("Branch".to_owned(), (*key).to_owned()),
        body: format!("{{\"key\":{key}}}").into_bytes(),
    };
    commit.sends = keys.iter().map(new).collect();
    let ids = commit.sends.iter().map(|send| send.id).collect();
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    ids
}

async fn sent(world: &World) -> Vec<Uuid> {
    let query = SendQuery {
        tenant: "demo",
        connection: "school",
        subscription: "[1]",
        failed: false,
        since: None,
        until: None,
        limit: 10,
        offset: 0,
    };
    world.store.sends(&query).await.unwrap().rows.iter().map(|send| send.id).collect()
}

async fn due(world: &World) -> Vec<Uuid> {
    let claim = SendClaim { now: hours(100), limit: 10, each: 10, failing: &[] };
    let due = world.store.claim_sends(&claim).await.unwrap();
    world.store.leave(hours(100)).await.unwrap();
    due.iter().map(|send| send.id).collect()
}

async fn what_was_sent_goes_and_what_is_to_be_sent_stays(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    let ids = raise(&world, &["[1]", "[2]", "[3]"]).await;
    let attempt = Attempt { at: at(BEGIN), took_ms: 1, status: Some(204), response: None, problem: None };
    for send in &ids[..2] {
        world.store.note_attempt(*send, &attempt, SendOutcome::Succeeded).await.unwrap();
    }
    assert!(world.prune(&own, Prune::Sends(hours(0)), 1).await.is_empty());
    assert_eq!(world.prune(&own, Prune::Sends(hours(1)), 1).await, [1, 1]);
    assert_eq!((sent(&world).await, due(&world).await), (vec![ids[2]], vec![ids[2]]));
}

/// A branch whose organisation is gone again, and one that stays.
async fn one_gone_of_two(world: &World) -> Connection {
    let own = world.connection("demo", "school").await;
    let [gone, stays] = ["branch:1", "branch:2"].map(|name| id("org", name));
    let link = EntityLink { kind: ORG, sourced_id: gone, uniform: true, contributors: vec![RecordId(1)] };
    let other = EntityRow { link, cells: vec![Cell::Text("Gone".into()), Cell::Null], ..org(gone, "branch:1", "Gone") };
    let plan = Plan {
        records: vec![RecordStep::Put(branch(1, "[1]", "Gone"))],
        entities: vec![EntityStep::Put(other), EntityStep::Put(org(stays, "branch:2", "Stays"))],
    };
    world.apply(&own, plan).await.unwrap();
    let own = world.connection("demo", "school").await;
    let plan = Plan { entities: vec![EntityStep::Retire(ORG, gone)], ..Plan::default() };
    world.apply(&own, plan).await.unwrap();
    world.connection("demo", "school").await
}

async fn who_reads_the_feed_from_too_long_ago_is_told(database: &dyn Database) {
    let world = World::new(database).await;
    let own = one_gone_of_two(&world).await;
    assert_eq!(world.store.horizon("demo").await.unwrap(), 0);
    assert!(world.prune(&own, Prune::Tombstones(hours(0)), 10).await.is_empty());
    let end = world.store.changes(&world.canonical, "demo", 0, 10).await.unwrap().pop().unwrap();
    assert_eq!(end.status, "tobedeleted");
    assert_eq!(world.prune(&own, Prune::Tombstones(hours(1)), 10).await, [1]);
    assert_eq!(world.store.horizon("demo").await.unwrap(), end.sequence);
    assert_eq!(world.store.horizon("nobody").await.unwrap(), 0);
    let left = world.store.changes(&world.canonical, "demo", 0, 10).await.unwrap();
    assert_eq!(left.iter().map(|change| change.status.as_str()).collect::<Vec<_>>(), ["active"]);
    // It comes back as if it had never been there, behind all that was ever shown.
    let plan = Plan { entities: vec![EntityStep::Put(org(end.sourced_id, "branch:1", "Gone"))], ..Plan::default() };
    assert!(world.apply(&own, plan).await.unwrap() > end.sequence);
}

async fn a_body_is_rewritten_for_all_who_sent_it(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    let ended = world.settled(&own, "[\"Ada\",1]").await;
    let mut queued = world.received("[\"Ada\",1]");
    queued.queued = true;
    world.store.receive(&own, &queued).await.unwrap();
    let [kept] = <[_; 1]>::try_from(world.keeper().kept_bodies(&own, i64::MIN, 10).await.unwrap()).unwrap();
    assert_eq!(kept.bytes, b"[\"Ada\",1]");
    let sent_by: Vec<_> = kept.deliveries.iter().map(|it| (it.delivery, it.operation.as_str(), it.status)).collect();
    assert_eq!(sent_by, [(ended, "mirror", Status::Unchanged), (queued.id, "mirror", Status::Queued)]);

    world.keeper().rewrite_body(&own, kept.id, Some(b"[1]"), at(BEGIN)).await.unwrap();
    assert_eq!(world.store.body("demo", ended).await.unwrap().unwrap().bytes, b"[1]");
    let next = world.store.next_queued("demo", "school").await.unwrap().unwrap();
    let told = world.store.delivery("demo", ended).await.unwrap().unwrap();
    assert_eq!(told.sha256, hex::encode(queued.sha256), "what was sent is still known by its digest");
    assert!(next.body == b"[1]" && next.sha256 != queued.sha256, "what waits is known by what it says now");
    let again = world.settled(&own, "[\"Ada\",1]").await;
    assert_eq!(world.store.body("demo", again).await.unwrap().unwrap().bytes, b"[\"Ada\",1]");

    world.keeper().rewrite_body(&own, kept.id, None, at(BEGIN)).await.unwrap();
    assert!(!world.has_body(ended).await && world.has_body(again).await);
}

async fn a_body_may_become_one_that_is_there_already(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    let sha256 = "080a9ed428559ef602668b4c00f114f1a11c3f6b02a435f0bdc154578e4d7f22"; // of `[1]`
    let mut plain = world.received("[1]");
    hex::decode_to_slice(sha256, &mut plain.sha256).unwrap();
    world.store.receive(&own, &plain).await.unwrap();
    let other = world.settled(&own, "[1,2]").await;
    let kept = world.keeper().kept_bodies(&own, i64::MIN, 10).await.unwrap();
    world.keeper().rewrite_body(&own, kept[1].id, Some(b"[1]"), at(BEGIN)).await.unwrap();
    assert_eq!(world.store.body("demo", other).await.unwrap().unwrap().bytes, b"[1]");
    assert_eq!(world.keeper().kept_bodies(&own, i64::MIN, 10).await.unwrap().len(), 1);
}

async fn what_is_told_of_a_delivery_can_be_told_otherwise(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    world.settled(&own, "[0]").await;
    let delivery = world.receive(&own, "[1]").await;
    let mut report = Report::new(Status::Applied);
    report.warnings.push(Note::new(Pointer::root().item(0), "odd", "is odd").with("key", "Ada"));
    let log = [line(0, Outcome::Rejected), line(1, Outcome::Created)];
    world.store.settle(delivery, world.clock.now(), &report, &log).await.unwrap();
    let all = world.keeper().told(&own, None, 10).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[1], (delivery, Told { report: Some(report), entries: log.to_vec(), asked: None }));
    assert_eq!(world.keeper().told(&own, Some(all[0].0), 10).await.unwrap(), all[1..]);

    let mut told = all[1].1.clone();
    told.report.as_mut().unwrap().warnings.clear();
    (told.entries[0].key, told.entries[0].pointer) = (None, Pointer::root());
    world.keeper().retell(delivery, &told).await.unwrap();
    assert_eq!(world.keeper().told(&own, None, 10).await.unwrap()[1].1, told);
    let log = world.store.log("demo", "school", delivery, 10, 0).await.unwrap().unwrap();
    assert_eq!((log.sent, log.errors, log.entries), (2, 1, told.entries));
}

async fn entities_that_are_gone_are_blanked_with_those_that_refer_to_them(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    let [north, child, stays, other] = ["north", "child", "stays", "other"].map(|name| id("org", name));
    let row = |of, name: &'static str, parent: Uuid| {
        let link = EntityLink { kind: ORG, sourced_id: of, uniform: true, contributors: vec![RecordId(1)] };
        let cells = vec![Cell::Text(name.into()), Cell::Id(parent)];
        EntityStep::Put(EntityRow { link, cells, ..org(of, name, name) })
    };
    let plan = Plan {
        records: vec![RecordStep::Put(branch(1, "[1]", "North"))],
        entities: vec![
            row(north, "north", other),
            row(child, "child", north),
            row(stays, "stays", north),
            row(other, "other", other),
        ],
    };
    world.apply(&own, plan).await.unwrap();
    let own = world.connection("demo", "school").await;
    let retired = [north, child, other].map(|gone| EntityStep::Retire(ORG, gone)).into();
    world.apply(&own, Plan { entities: retired, ..Plan::default() }).await.unwrap();

    let mut all = world.keeper().entity_ids(&own, &world.canonical).await.unwrap();
    all.sort();
    let mut expected = [north, child, stays, other].map(|id| (ORG, id));
    expected.sort();
    assert_eq!(all, expected);
    assert_eq!(world.keeper().blank_entities(&own, &world.canonical, &[north]).await.unwrap(), 2);
    for (entity, name) in [(north, None), (child, None), (stays, Some("stays")), (other, Some("other"))] {
        let entity = world.store.entity(&world.canonical, "demo", ORG, entity).await.unwrap().unwrap();
        assert_eq!(entity.get("name").and_then(serde_json::Value::as_str), name, "{entity:?}");
    }
    let ids = [(ORG, north)];
    let held = world.store.held_entities(&own, &world.canonical, &ids).await.unwrap();
    assert!(held[0].as_ref().is_some_and(|held| !held.active), "it is still known to be gone");
    let changes = world.store.changes(&world.canonical, "demo", 0, 10).await.unwrap();
    assert_eq!(changes.len(), 4);
}

async fn a_send_that_is_forgotten_holds_up_nothing(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    let ids = raise(&world, &["[1]", "[1]", "[2]"]).await;
    let kept = world.keeper().kept_sends(&own, i64::MIN, 10).await.unwrap();
    assert_eq!(kept.iter().map(|send| send.key.as_str()).collect::<Vec<_>>(), ["[1]", "[1]", "[2]"]);
    assert_eq!((kept[2].record.as_str(), kept[2].body.as_str()), ("Branch", "{\"key\":[2]}"));
    assert_eq!(world.keeper().kept_sends(&own, kept[1].id, 10).await.unwrap(), kept[2..]);
    assert_eq!(due(&world).await, [ids[0], ids[2]]);
    world.keeper().forget_sends(&own, &[kept[0].id, kept[2].id]).await.unwrap();
    assert_eq!((sent(&world).await, due(&world).await), (vec![ids[1]], vec![ids[1]]));
}

async fn who_was_erased_is_remembered_by_a_digest(database: &dyn Database) {
    let world = World::new(database).await;
    world.connection("demo", "school").await;
    let erasure = Erasure {
        id: world.clock.next_id(),
        tenant: "demo".to_owned(),
        connection: "school".to_owned(),
        digest: Digest::of(b"somebody"),
        at: at(BEGIN),
        finished_at: None,
    };
    for _ in 0..2 {
        world.keeper().begin_erasure(&erasure).await.unwrap(); // a second time it is known already
    }
    assert_eq!(world.keeper().erasures().await.unwrap(), std::slice::from_ref(&erasure));
    world.keeper().end_erasure(erasure.id, hours(1)).await.unwrap();
    let ended = Erasure { finished_at: Some(hours(1)), ..erasure };
    assert_eq!(world.keeper().erasures().await.unwrap(), [ended]);
}

async fn the_log_of_what_is_written_can_be_emptied(database: &dyn Database) {
    let world = World::new(database).await;
    let own = world.connection("demo", "school").await;
    world.settled(&own, "[1]").await;
    world.keeper().scrub().await.unwrap();
    assert_eq!(world.keeper().kept_bodies(&own, i64::MIN, 10).await.unwrap().len(), 1);
}
