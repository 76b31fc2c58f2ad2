//! Deliveries: durable once received, their bodies kept once, ended once.

use futures_util::future::join_all;
use uuid::Uuid;

use super::sample::{Plan, World, line};
use super::{Database, conformance};
use crate::delivery::{Counts, Entry, Outcome, Received, Report, Status};
use crate::json::Pointer;
use crate::note::Note;
use crate::store::{Finish, StoreError};

conformance!(
    a_body_comes_back_as_it_was_sent,
    the_same_bytes_are_kept_once_per_connection,
    what_is_wrong_with_one_delivery_costs_none_that_comes_with_it,
    a_store_that_works_says_so,
    a_delivery_ends_once,
    a_rejected_delivery_keeps_its_report,
    a_delivery_that_changes_nothing_is_kept_with_its_end,
    what_was_left_unanswered_is_interrupted_and_not_applied,
    newest_deliveries_come_first,
    a_body_too_large_to_keep_is_absent,
    a_log_is_read_page_by_page_as_it_was_told,
    a_log_comes_with_what_ended_its_delivery,
);

async fn a_body_comes_back_as_it_was_sent(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let mut received = world.received(&"{\"name\":\"North\"} ".repeat(1_000));
    received.content_encoding = Some("br".to_owned());
    world.store.receive(&connection, &received).await.unwrap();
    let body = world.store.body("demo", received.id).await.unwrap().unwrap();
    assert_eq!(Some(body.bytes.as_slice()), received.body.as_deref());
    assert_eq!(body.content_encoding, received.content_encoding);
    let delivery = world.store.delivery("demo", received.id).await.unwrap().unwrap();
    assert_eq!((delivery.sha256, delivery.size), (hex::encode(received.sha256), received.size));
    assert_eq!((delivery.received_at, delivery.finished_at), (received.at, None));
    let words = (delivery.connection.as_str(), delivery.partner.as_str(), delivery.operation.as_str());
    assert_eq!(words, ("school", "school", "mirror"));
}

async fn the_same_bytes_are_kept_once_per_connection(database: &dyn Database) {
    let world = World::new(database).await;
    let connections = [world.connection("demo", "school").await, world.connection("demo", "other").await];
    for connection in &connections {
        for _ in 0..3 {
            let id = world.receive(connection, "{\"same\":true}").await;
            assert_eq!(world.store.body("demo", id).await.unwrap().unwrap().bytes, b"{\"same\":true}");
        }
    }
    assert_eq!(database.count("body"), 2);
    let deliveries = world.store.deliveries("demo", None, None, 10).await.unwrap();
    assert_eq!(deliveries.len(), 6);
    for delivery in deliveries {
        assert!(world.store.body("demo", delivery.id).await.unwrap().is_some());
    }
}

async fn what_is_wrong_with_one_delivery_costs_none_that_comes_with_it(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let known = world.receive(&connection, "{}").await;
    // Every fifth one is poisoned: its id is taken already.
    let received = (0..100).map(|nth| {
        let received = world.received(&format!("{{\"nth\":{}}}", nth / 2));
        let id = if nth % 5 == 0 { known } else { received.id };
        Received { id, queued: nth % 3 == 0, ..received }
    });
    let received: Vec<_> = received.collect();
    let kept = join_all(received.iter().map(|received| world.store.receive(&connection, received))).await;
    for (received, kept) in received.iter().zip(kept) {
        assert_eq!(kept.is_err(), received.id == known);
        let body = world.store.body("demo", received.id).await.unwrap().unwrap();
        assert!(kept.is_err() || Some(body.bytes.as_slice()) == received.body.as_deref());
    }
    assert_eq!(world.store.deliveries("demo", None, None, 1_000).await.unwrap().len(), 81);
}

async fn a_store_that_works_says_so(database: &dyn Database) {
    let world = World::new(database).await;
    world.store.probe().await.unwrap();
    assert!(world.store.deliveries("demo", None, None, 10).await.unwrap().is_empty());
}

async fn a_delivery_ends_once(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let id = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Unchanged);
    world.store.settle(id, world.received("").at, &report, &[]).await.unwrap();
    assert!(matches!(
        world.store.settle(id, world.received("").at, &report, &[]).await,
        Err(StoreError::Inconsistent(_))
    ));
    let commit = world.commit(&connection, id, Plan::default(), &report);
    assert!(world.store.commit(&world.canonical, &world.partner, commit).await.is_err());
    assert_eq!(world.connection("demo", "school").await.generation, 0);
}

async fn a_rejected_delivery_keeps_its_report(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let received = world.received("{\"branches\":1}");
    world.store.receive(&connection, &received).await.unwrap();
    let mut report = Report::new(Status::Rejected);
    report.counts.insert("org".to_owned(), Counts { created: 1, ..Counts::default() });
    report.rejections.push(Note::new(Pointer::root().member("branches"), "type", "expected a list, found an integer"));
    world.store.settle(received.id, received.at, &report, &[]).await.unwrap();
    let delivery = world.store.delivery("demo", received.id).await.unwrap().unwrap();
    assert_eq!((delivery.status, delivery.finished_at), (Status::Rejected, Some(received.at)));
    assert_eq!(delivery.report, Some(report));
}

async fn a_delivery_that_changes_nothing_is_kept_with_its_end(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    for (status, body) in [(Status::Rejected, "{\"odd\":1}"), (Status::Unchanged, "{}"), (Status::Unchanged, "{}")] {
        let (received, report) = (world.received(body), Report::new(status));
        world.store.conclude(&connection, &received, received.at, &report, Finish::Synced).await.unwrap();
        let delivery = world.store.delivery("demo", received.id).await.unwrap().unwrap();
        assert_eq!((delivery.status, delivery.finished_at, delivery.report), (status, Some(received.at), Some(report)));
        assert_eq!(world.store.body("demo", received.id).await.unwrap().unwrap().bytes, body.as_bytes());
        let again =
            world.store.conclude(&connection, &received, received.at, &Report::new(status), Finish::Synced).await;
        assert!(again.is_err(), "its id is taken");
    }
    assert_eq!(world.connection("demo", "school").await.generation, 0);
}

async fn what_was_left_unanswered_is_interrupted_and_not_applied(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let answered = world.receive(&connection, "{\"answered\":true}").await;
    world.store.settle(answered, world.received("").at, &Report::new(Status::Unchanged), &[]).await.unwrap();
    let left = world.receive(&connection, "{\"left\":true}").await;
    drop(world); // as far as the database can tell, the process ends here

    let world = World::new(database).await;
    let now = world.received("").at;
    assert_eq!(world.store.bury(now, now).await.unwrap(), 1);
    assert_eq!(world.store.bury(now, now).await.unwrap(), 0);
    let status = async |id| world.store.delivery("demo", id).await.unwrap().unwrap().status;
    assert_eq!((status(answered).await, status(left).await), (Status::Unchanged, Status::Interrupted));
    assert_eq!(world.store.body("demo", left).await.unwrap().unwrap().bytes, b"{\"left\":true}");
    assert_eq!(world.connection("demo", "school").await.generation, 0);
    assert!(world.store.changes(&world.canonical, "demo", 0, 10).await.unwrap().is_empty());
}

async fn newest_deliveries_come_first(database: &dyn Database) {
    let world = World::new(database).await;
    let (school, other) = (world.connection("demo", "school").await, world.connection("demo", "other").await);
    let mut ids = Vec::new();
    for connection in [&school, &other, &school, &school] {
        ids.push(world.receive(connection, "{}").await);
    }
    let listed = async |connection: Option<&str>, before, limit| {
        let deliveries = world.store.deliveries("demo", connection, before, limit).await.unwrap();
        deliveries.iter().map(|delivery| ids.iter().position(|id| *id == delivery.id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, None, 10).await, [3, 2, 1, 0]);
    assert_eq!(listed(None, Some(ids[2]), 1).await, [1]);
    assert_eq!(listed(Some("school"), Some(ids[3]), 10).await, [2, 0]);
}

async fn a_body_too_large_to_keep_is_absent(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let mut received = world.received("");
    (received.body, received.size) = (None, 1 << 40);
    world.store.receive(&connection, &received).await.unwrap();
    assert_eq!(world.store.body("demo", received.id).await.unwrap(), None);
    assert_eq!(world.store.delivery("demo", received.id).await.unwrap().unwrap().size, 1 << 40);
}

async fn a_log_is_read_page_by_page_as_it_was_told(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let note = Note::new("/1/born".into(), "format", "is no date").with("field", "born");
    let untold = Entry { key: None, notes: vec![note.clone(), note], ..line(1, Outcome::Rejected) };
    let entries = [line(0, Outcome::Created), untold, line(2, Outcome::Deleted), line(3, Outcome::Fault)];
    let id = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, id, Plan::default(), &report);
    commit.entries = &entries;
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();

    for (limit, offset, expected) in [
        (100, 0, 0..4),
        (2, 0, 0..2),
        (2, 2, 2..4),
        (2, 3, 3..4),
        (0, 0, 0..0),
        (2, 4, 0..0),
        (u64::MAX, u64::MAX, 0..0),
    ] {
        let log = world.store.log("demo", "school", id, limit, offset).await.unwrap().unwrap();
        assert_eq!((log.sent, log.errors, log.finished), (4, 2, true));
        assert_eq!(log.entries, entries[expected], "{limit} from {offset}");
    }
    for (tenant, connection, id) in
        [("elsewhere", "school", id), ("demo", "other", id), ("demo", "school", Uuid::from_u128(1))]
    {
        world.connection(tenant, connection).await;
        assert_eq!(world.store.log(tenant, connection, id, 100, 0).await.unwrap(), None);
    }
}

async fn a_log_comes_with_what_ended_its_delivery(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let id = world.receive(&connection, "{}").await;
    let log = async || world.store.log("demo", "school", id, 100, 0).await.unwrap().unwrap();
    assert_eq!((log().await.finished, log().await.report), (false, None));
    let report = Report::new(Status::Failed);
    world.store.settle(id, world.received("").at, &report, &[line(0, Outcome::Unchanged)]).await.unwrap();
    assert_eq!((log().await.finished, log().await.report, log().await.entries.len()), (true, Some(report), 1));
}
