//! What is queued is worked on: in order, in spite of everything, and not for ever.

use rollcall_core::delivery::Status;
use serde_json::{Value, json};

use crate::fixture::{Server, Site, TENANT};

fn insert(id: u64, what: &str) -> Value {
    json!([{"does": "insert", "attack": [{"id": id, "do": what}]}])
}

/// The log of a delivery, by what became of each record.
async fn outcomes(server: &Server, connection: &str, delivery: uuid::Uuid) -> Vec<&'static str> {
    let log = server.app.reader.log(TENANT, connection, delivery, 100, 0).await.unwrap().unwrap();
    log.entries.iter().map(|entry| entry.outcome.word()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_is_worked_on_in_order_and_by_whoever_starts_next() {
    let site = Site::new();
    let mut server = site.start().await;
    let first = server.enqueue("school", &insert(1, "nothing")).await;
    let second = server.enqueue("school", &insert(1, "nothing")).await;
    assert_eq!(server.delivery(first).await.status, Status::Queued);
    drop(server);

    server = site.start().await;
    server.work();
    assert_eq!(server.finished(second).await.status, Status::Unchanged);
    assert_eq!(server.delivery(first).await.status, Status::Applied);
    assert_eq!(outcomes(&server, "school", first).await, ["created"]);
    assert_eq!(outcomes(&server, "school", second).await, ["rejected"]);

    let third = server.enqueue("school", &json!([{"does": "delete", "attack": [{"id": 1}]}])).await;
    assert_eq!(server.finished(third).await.status, Status::Applied);
    server.rest().await;
    let fourth = server.enqueue("school", &insert(2, "nothing")).await;
    assert_eq!(server.delivery(fourth).await.status, Status::Queued);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_the_process_each_time_fails_for_good_and_the_next_one_goes_on() {
    let mut site = Site::new();
    site.config.limits.queued_attempts_max = 3;
    let mut server = site.start().await;
    let (poison, good) =
        (server.enqueue("school", &insert(1, "nothing")).await, server.enqueue("school", &insert(2, "nothing")).await);
    let (store, now) = (&server.app.ingest.store, server.app.ingest.clock.now());
    assert_eq!(store.claim_queue(now, &[]).await.unwrap(), Some((TENANT.to_owned(), "school".to_owned())));
    for _ in 0..3 {
        store.begin(poison).await.unwrap();
    }
    store.give_back(TENANT, "school").await.unwrap();
    server.work();
    assert_eq!(server.finished(good).await.status, Status::Applied);
    let poison = server.delivery(poison).await;
    assert_eq!(poison.status, Status::Failed);
    assert_eq!(poison.report.unwrap().faults[0].message, "was begun 3 times and never finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_failure_is_tried_again_but_not_for_ever() {
    let mut site = Site::new();
    site.config.limits.queued_attempts_max = 2;
    site.config.limits.queued_retry_seconds_max = 0;
    // Enough fuel to loop until the deadline.
    site.config.limits.mapper.deadline_ms = 1_000;
    site.config.limits.mapper.fuel_base = 1 << 42;
    site.config.limits.mapper.fuel_per_delivery_max = 1 << 50;
    let mut server = site.start().await;
    let slow = server.enqueue("school", &insert(1, "loop")).await;
    let good = server.enqueue("school", &insert(2, "nothing")).await;
    server.work();
    assert_eq!(server.finished(good).await.status, Status::Applied);
    let slow = server.delivery(slow).await;
    assert_eq!(slow.status, Status::Failed);
    assert_eq!(slow.report.unwrap().faults[0].message, "was begun 2 times and never finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapper_that_uses_up_its_means_costs_its_own_delivery() {
    let mut site = Site::new();
    site.config.limits.mapper.faults_per_delivery_max = 0;
    let mut server = site.start().await;
    let wasteful = server.enqueue("school", &insert(1, "panic")).await;
    let good = server.enqueue("school", &insert(2, "nothing")).await;
    server.work();
    assert_eq!(server.finished(good).await.status, Status::Applied);
    assert_eq!(server.delivery(wasteful).await.status, Status::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_work_on_waits_and_holds_up_nobody_else() {
    let site = Site::new();
    let server = site.start().await;
    let orphan = server.enqueue("annex", &insert(1, "nothing")).await;
    drop(server);
    site.describe(|text| text.replace("sendEvents", "sendSomething"));
    let mut server = site.start().await;
    server.work();
    let other = server.enqueue("school", &insert(1, "nothing")).await;
    assert_eq!(server.finished(other).await.status, Status::Applied);
    assert_eq!(server.delivery(orphan).await.status, Status::Queued);
    server.rest().await;
    drop(server);

    site.describe(|text| text.replace("sendSomething", "sendEvents"));
    let mut server = site.start().await;
    server.work();
    assert_eq!(server.finished(orphan).await.status, Status::Applied);
}
