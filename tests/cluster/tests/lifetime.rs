//! Servers start, crash, follow one another, and go.

use rollcall_test_cluster::{Cluster, Database, Settings, Stop};

#[test]
fn every_test_has_a_database_of_its_own() {
    let (one, other) = (Database::fresh(), Database::fresh());
    one.execute("create table book (title text); insert into book values ('Emma')").unwrap();
    assert_eq!(one.texts("select title from book").unwrap(), ["Emma"]);
    assert!(other.texts("select title from book").is_err());
    let url = one.url();
    drop(one);
    assert_ne!(url, other.url());
    assert_eq!(other.texts("select datname::text from pg_database where datname like 'rollcall_%'").unwrap().len(), 1);
}

#[test]
fn a_server_goes_on_after_a_crash_and_goes_with_its_folder() {
    let cluster = Cluster::start(&Settings::default()).unwrap();
    cluster.restart(Stop::Immediate).unwrap();
    let standby = cluster.standby("second", &Settings::default()).unwrap();
    cluster.stop(Stop::Immediate).unwrap();
    standby.promote().unwrap();
    let folders = [cluster.folder().to_owned(), standby.folder().to_owned()];
    assert!(folders.iter().all(|folder| folder.exists()));
    drop((cluster, standby));
    assert!(!folders.iter().any(|folder| folder.exists()));
}
