//! What is PostgreSQL's alone: servers that go and come back, and what a URL says.

use rollcall_test_cluster::{Cluster, Database, Settings, Stop};

use super::{PostgresOptions, PostgresStore};
use crate::store::Store as _;
use crate::store::read::Reader as _;

#[tokio::test]
async fn a_server_that_comes_back_is_found_again() {
    let cluster = Cluster::start(&Settings { fsync: false, ..Settings::default() }).unwrap();
    let options = PostgresOptions { connections_max: 3, ..PostgresOptions::default() };
    let store = PostgresStore::open(&cluster.url("postgres"), &options).await.unwrap();
    let before = store.connection("demo", "school", "library").await.unwrap();
    cluster.stop(Stop::Immediate).unwrap();
    assert!(store.ping().await.is_err());
    cluster.resume().unwrap();
    // Each connection that the pool still has is found to be dead once.
    let mut answers = Vec::new();
    for _ in 0..=options.connections_max {
        answers.push(store.ping().await.is_ok());
    }
    assert_eq!(answers.last(), Some(&true), "{answers:?}");
    assert_eq!(store.connection("demo", "school", "library").await.unwrap().id, before.id);
}

#[tokio::test]
async fn who_asks_for_tls_has_it_or_nothing() {
    let database = Database::fresh();
    let open = async |mode: &str| {
        let separator = if database.url().contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}sslmode={mode}", database.url());
        PostgresStore::open(&url, &PostgresOptions::default()).await.map(drop)
    };
    // The server that tests start has no certificate.
    if std::env::var_os("ROLLCALL_TEST_POSTGRES").is_none() {
        assert!(open("require").await.is_err());
        open("prefer").await.unwrap();
    }
}

#[tokio::test]
async fn processes_that_start_at_the_same_time_prepare_one_after_the_other() {
    let database = Database::fresh();
    let canonical = crate::fixture::canonical();
    let start = async || {
        let store = PostgresStore::open(&database.url(), &PostgresOptions::default()).await.unwrap();
        store.prepare_canonical(&canonical).await.unwrap();
        store.connection("demo", "school", "library").await.unwrap().id
    };
    let (one, two, three) = tokio::join!(start(), start(), start());
    assert_eq!((one, two), (two, three));
}
