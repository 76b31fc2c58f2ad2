//! The queue: what was acknowledged is there after the end of the process, in order, until it ends, and ends once.

use uuid::Uuid;

use super::sample::{Plan, World, branch, line};
use super::{Database, conformance};
use crate::delivery::{Outcome, Report, Status};
use crate::store::{Connection, RecordStep, StoreError};

conformance!(
    what_is_queued_is_worked_on_in_the_order_in_which_it_arrived,
    the_queue_that_has_waited_longest_comes_first,
    what_is_queued_outlives_the_process,
    each_beginning_is_counted,
    a_beginning_can_be_taken_back,
    what_is_queued_ends_once_however_it_ends,
    progress_is_told_until_the_end,
    a_body_that_is_gone_holds_up_nothing,
);

async fn enqueue(world: &World, connection: &Connection, body: &str) -> Uuid {
    let mut received = world.received(body);
    received.queued = true;
    world.store.receive(connection, &received).await.unwrap();
    received.id
}

async fn next(world: &World) -> Option<Uuid> {
    world.store.next_queued("demo", "school").await.unwrap().map(|queued| queued.delivery)
}

async fn what_is_queued_is_worked_on_in_the_order_in_which_it_arrived(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    // What arrives later may have the smaller id: ids are drawn before a body is read.
    let (early, late) = (world.received("{\"nth\":2}"), world.received("{\"nth\":1}"));
    for mut received in [late.clone(), early.clone()] {
        received.queued = true;
        world.store.receive(&connection, &received).await.unwrap();
    }
    let third = enqueue(&world, &connection, "{\"nth\":1}").await;
    world.receive(&connection, "{\"nth\":0}").await;
    for expected in [late.id, early.id, third] {
        assert_eq!(next(&world).await, Some(expected));
        assert_eq!(next(&world).await, Some(expected));
        world.store.settle(expected, late.at, &Report::new(Status::Unchanged), &[]).await.unwrap();
    }
    assert_eq!(next(&world).await, None);
}

async fn the_queue_that_has_waited_longest_comes_first(database: &dyn Database) {
    let world = World::new(database).await;
    let (school, other) = (world.connection("demo", "school").await, world.connection("demo", "other").await);
    let elsewhere = world.connection("elsewhere", "school").await;
    assert!(world.store.queues().await.unwrap().is_empty());
    world.receive(&school, "{}").await;
    let first = enqueue(&world, &other, "{}").await;
    for connection in [&elsewhere, &other, &school] {
        enqueue(&world, connection, "{}").await;
    }
    let queues = async || {
        let queues = world.store.queues().await.unwrap();
        queues.iter().map(|of| format!("{}/{} {}", of.tenant, of.connection, of.length)).collect::<Vec<_>>()
    };
    assert_eq!(queues().await, ["demo/other 2", "elsewhere/school 1", "demo/school 1"]);
    let oldest = world.store.delivery("demo", first).await.unwrap().unwrap().received_at;
    assert_eq!(world.store.queues().await.unwrap()[0].oldest, oldest);
    world.store.settle(first, world.received("").at, &Report::new(Status::Failed), &[]).await.unwrap();
    assert_eq!(queues().await, ["elsewhere/school 1", "demo/other 1", "demo/school 1"]);
    for (tenant, name) in [("demo", "elsewhere"), ("nobody", "school")] {
        assert_eq!(world.store.next_queued(tenant, name).await.unwrap(), None);
    }
}

async fn what_is_queued_outlives_the_process(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let body = "{\"sent\":true} ".repeat(1_000);
    let id = enqueue(&world, &connection, &body).await;
    world.store.begin(id).await.unwrap();
    drop(world);

    let world = World::new(database).await;
    let now = world.received("").at;
    assert_eq!(world.store.bury(now, now).await.unwrap(), 0);
    let queued = world.store.next_queued("demo", "school").await.unwrap().unwrap();
    assert_eq!((queued.delivery, queued.attempts, queued.body.as_slice()), (id, 1, body.as_bytes()));
    assert_eq!(queued.sha256, world.received(&body).sha256);
    let words = [&queued.tenant, &queued.connection, &queued.partner, &queued.operation].map(String::as_str);
    assert_eq!(words, ["demo", "school", "school", "mirror"]);
    let delivery = world.store.delivery("demo", id).await.unwrap().unwrap();
    assert_eq!((delivery.status, delivery.finished_at), (Status::Queued, None));
}

async fn each_beginning_is_counted(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let (id, later) = (enqueue(&world, &connection, "{}").await, enqueue(&world, &connection, "{}").await);
    for attempts in 0..3 {
        assert_eq!(world.store.next_queued("demo", "school").await.unwrap().unwrap().attempts, attempts);
        world.store.begin(id).await.unwrap();
    }
    world.store.settle(id, world.received("").at, &Report::new(Status::Failed), &[]).await.unwrap();
    let queued = world.store.next_queued("demo", "school").await.unwrap().unwrap();
    assert_eq!((queued.delivery, queued.attempts), (later, 0));
    for not_queued in [id, world.receive(&connection, "{}").await, Uuid::from_u128(1)] {
        assert!(matches!(world.store.begin(not_queued).await, Err(StoreError::Inconsistent(_))));
    }
}

async fn a_beginning_can_be_taken_back(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let id = enqueue(&world, &connection, "{}").await;
    let attempts = async || world.store.next_queued("demo", "school").await.unwrap().unwrap().attempts;
    world.store.unbegin(id).await.unwrap();
    assert_eq!(attempts().await, 0);
    for _ in 0..2 {
        world.store.begin(id).await.unwrap();
    }
    world.store.unbegin(id).await.unwrap();
    assert_eq!(attempts().await, 1);
    world.store.settle(id, world.received("").at, &Report::new(Status::Failed), &[]).await.unwrap();
    world.store.unbegin(id).await.unwrap();
}

async fn what_is_queued_ends_once_however_it_ends(database: &dyn Database) {
    let world = World::new(database).await;
    let at = world.received("").at;
    for (nth, status) in [Status::Applied, Status::Unchanged, Status::Rejected, Status::Failed].into_iter().enumerate()
    {
        let connection = world.connection("demo", "school").await;
        let id = enqueue(&world, &connection, "{}").await;
        let report = Report::new(status);
        let plan = || Plan {
            records: match nth {
                0 => vec![RecordStep::Put(branch(1, "[1]", "North"))],
                _ => Vec::new(),
            },
            entities: Vec::new(),
        };
        if status == Status::Applied {
            let commit = world.commit(&connection, id, plan(), &report);
            world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
        } else {
            world.store.settle(id, at, &report, &[]).await.unwrap();
        }
        assert_eq!(world.store.delivery("demo", id).await.unwrap().unwrap().status, status);
        assert_eq!(next(&world).await, None);
        let connection = world.connection("demo", "school").await;
        assert!(world.store.settle(id, at, &report, &[]).await.is_err());
        let commit = world.commit(&connection, id, plan(), &report);
        assert!(world.store.commit(&world.canonical, &world.partner, commit).await.is_err());
        assert_eq!(world.connection("demo", "school").await.generation, 1);
    }
}

async fn progress_is_told_until_the_end(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let (logged, unlogged) = (enqueue(&world, &connection, "{}").await, enqueue(&world, &connection, "{}").await);
    let told = async |id| {
        let log = world.store.log("demo", "school", id, 10, 0).await.unwrap().unwrap();
        (log.sent, log.errors, log.finished)
    };
    assert_eq!(told(logged).await, (0, 0, false));
    for id in [logged, unlogged] {
        world.store.progress(id, 10_000, 0).await.unwrap();
        world.store.progress(id, 10_000, 7).await.unwrap();
    }
    assert_eq!(told(logged).await, (10_000, 7, false));
    let (at, report) = (world.received("").at, Report::new(Status::Failed));
    let entries = [line(0, Outcome::Created), line(1, Outcome::Rejected), line(2, Outcome::Unchanged)];
    world.store.settle(logged, at, &report, &entries).await.unwrap();
    world.store.settle(unlogged, at, &report, &[]).await.unwrap();
    for id in [logged, unlogged] {
        world.store.progress(id, 1, 1).await.unwrap();
    }
    assert_eq!((told(logged).await, told(unlogged).await), ((3, 1, true), (10_000, 7, true)));
}

async fn a_body_that_is_gone_holds_up_nothing(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    enqueue(&world, &connection, "{\"gone\":true}").await;
    database.meddle("update delivery set body = null; delete from body");
    let queued = world.store.next_queued("demo", "school").await.unwrap().unwrap();
    assert!(queued.body.is_empty());
}
