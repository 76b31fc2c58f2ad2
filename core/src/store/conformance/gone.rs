//! Deletions: when they were true is known until the record comes back.

use super::sample::{BRANCH, Plan, World, branch};
use super::{Database, conformance};
use crate::delivery::{Report, Status};
use crate::store::{Gone, RecordId, RecordRow, RecordStep};

conformance!(what_is_gone_is_known_until_it_comes_back);

async fn apply(world: &World, records: Vec<RecordStep<'static>>, gone: Vec<Gone>) -> Vec<Gone> {
    let connection = world.connection("demo", "school").await;
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
    (commit.records, commit.gone) = (records, gone);
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    world.store.gone(&connection, &world.partner).await.unwrap()
}

async fn what_is_gone_is_known_until_it_comes_back(database: &dyn Database) {
    let world = World::new(database).await;
    let put = |id| RecordStep::Put(RecordRow { as_of: Some(5), ..branch(id, "[1]", "North") });
    let gone = |as_of| Gone { of: BRANCH, key: "[1]".to_owned(), as_of };
    assert_eq!(apply(&world, vec![put(1)], Vec::new()).await, []);
    assert_eq!(apply(&world, vec![RecordStep::Remove(BRANCH, RecordId(1))], vec![gone(7)]).await, [gone(7)]);
    assert_eq!(apply(&world, Vec::new(), vec![gone(9)]).await, [gone(9)]);
    assert_eq!(apply(&world, vec![put(2)], Vec::new()).await, []);
    let other = world.connection("demo", "other").await;
    assert_eq!(world.store.gone(&other, &world.partner).await.unwrap(), []);
}
