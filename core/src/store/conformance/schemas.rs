//! Schemas that change: what only adds is migrated, anything else is refused, nothing is ever shared.

use super::sample::{ORG, ORG_FIELDS, Plan, World, canonical, id, kind, org, partner, partner_with, record, text};
use super::{Database, SqliteFile, conformance};
use crate::canonical::Canonical;
use crate::description::{FieldPath, Partner, RecordType};
use crate::digest::Digest;
use crate::store::{EntityStep, StoreError, fit, is_fit};
use crate::table::ColumnForm;

conformance!(
    preparing_twice_changes_nothing,
    added_columns_keep_what_is_there,
    a_migrated_schema_is_the_fresh_one,
    what_does_not_only_add_is_refused_by_name,
    two_owners_never_share_a_table,
    two_properties_never_share_a_column,
    indexes_come_and_go_as_they_are_declared,
    what_a_version_in_use_declares_stays,
    every_version_reads_all_that_a_record_says,
);

/// Also checks that only the file's owner may read it and that what a newer version wrote is refused.
#[tokio::test]
async fn a_sqlite_file_is_private_and_never_older_than_its_reader() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = SqliteFile::new();
    drop(World::new(&file).await);
    for entry in file.0.path().read_dir().unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    file.meddle(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (999, 'later', true, x'00', 0)",
    );
    let refused = file.open().await.err().unwrap().to_string();
    assert!(refused.contains("newer version"), "{refused}");
}

fn with_org(fields: &[(&str, ColumnForm)]) -> Canonical {
    Canonical::from_kinds(vec![kind("org", fields)], Digest::of(b"canonical"))
}

async fn preparing_twice_changes_nothing(database: &dyn Database) {
    let world = World::new(database).await;
    let before = database.shape();
    world.store.prepare_canonical(&world.canonical).await.unwrap();
    world.store.prepare_partner(&world.partner).await.unwrap();
    assert_eq!(database.shape(), before);
}

async fn added_columns_keep_what_is_there(database: &dyn Database) {
    let mut world = World::new(database).await;
    let (old, new) = (id("org", "1"), id("org", "2"));
    let put = |row| Plan { records: Vec::new(), entities: vec![EntityStep::Put(row)] };
    world.apply(&world.connection("demo", "school").await, put(org(old, "1", "North"))).await.unwrap();

    world.canonical = with_org(&[("code", ColumnForm::Text), ORG_FIELDS[0], ORG_FIELDS[1]]);
    world.store.prepare_canonical(&world.canonical).await.unwrap();
    let mut row = org(new, "2", "South");
    row.cells.insert(0, text("S"));
    world.apply(&world.connection("demo", "school").await, put(row)).await.unwrap();
    let read = async |id| world.store.entity(&world.canonical, "demo", ORG, id).await.unwrap().unwrap();
    assert_eq!((read(old).await.get("code"), &read(old).await["name"]), (None, &"North".into()));
    assert_eq!((&read(new).await["code"], &read(new).await["name"]), (&"S".into(), &"South".into()));
}

async fn a_migrated_schema_is_the_fresh_one(database: &dyn Database) {
    let store = database.open().await.unwrap();
    store.prepare_canonical(&with_org(&ORG_FIELDS[..1])).await.unwrap();
    store.prepare_partner(&partner_with(vec![record("Section", &[("students", ColumnForm::Json)])])).await.unwrap();
    store.prepare_canonical(&canonical()).await.unwrap();
    store.prepare_partner(&partner()).await.unwrap();

    let fresh = database.another();
    drop(World::new(fresh.as_ref()).await);
    assert_eq!(database.shape(), fresh.shape());
}

async fn what_does_not_only_add_is_refused_by_name(database: &dyn Database) {
    let world = World::new(database).await;
    let before = database.shape();
    for (fields, column) in [
        ([("name", ColumnForm::Text)].as_slice(), "parent is gone"),
        (&[("name", ColumnForm::Integer), ("parent", ColumnForm::Id)], "name would change from text to integer"),
        (
            &[("Name", ColumnForm::Text), ("parent", ColumnForm::Id), ("more", ColumnForm::Id)],
            "name would hold another",
        ),
    ] {
        match world.store.prepare_canonical(&with_org(fields)).await {
            Err(StoreError::Breaking { table, reason }) => {
                assert_eq!(table, "entity__org");
                assert!(reason.contains(column), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(database.shape(), before);
}

async fn two_owners_never_share_a_table(database: &dyn Database) {
    let world = World::new(database).await;
    let mut other = partner();
    other.name = "library".to_owned();
    let refused = world.store.prepare_partner(&other).await;
    assert!(matches!(refused, Err(StoreError::Breaking { reason, .. }) if reason == "it already holds school.Branch"));
}

async fn two_properties_never_share_a_column(database: &dyn Database) {
    let store = database.open().await.unwrap();
    let mut twins = with_org_kind();
    twins.table.columns[1].name = "name".to_owned();
    let canonical = Canonical::from_kinds(vec![twins], Digest::of(b"canonical"));
    assert!(matches!(store.prepare_canonical(&canonical).await, Err(StoreError::Breaking { .. })));
}

fn with_org_kind() -> crate::canonical::Kind {
    kind("org", ORG_FIELDS)
}

async fn indexes_come_and_go_as_they_are_declared(database: &dyn Database) {
    let world = World::new(database).await;
    let shape = || {
        // Whose a row is leads every key: where one number says it, and where two do.
        let whose = |line: &String| line.contains(" _tenant");
        database.shape().into_iter().filter(|line| !whose(line)).collect::<Vec<_>>()
    };
    let without = shape();
    let properties = [("id", ColumnForm::Integer), ("students", ColumnForm::Json), ("openedAt", ColumnForm::Text)];
    let indexed = |blank, members: &[&[&str]]| {
        let list = |members: &&[&str]| members.iter().map(|member| (*member).to_owned()).collect();
        let key = vec![FieldPath { up: 0, path: vec!["id".to_owned()] }];
        let indexes = members.iter().map(list).collect();
        RecordType { key, blank, indexes, ..record("Course", &properties) }
    };
    let prepared = async |record| {
        let partner = partner_with(vec![record]);
        world.store.prepare_partner(&partner).await.unwrap();
        world.store.tidy_partner(&[&partner]).await.unwrap();
        let added = shape().into_iter().filter(|line| line.starts_with("index index__") && !without.contains(line));
        let columns = added.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned());
        columns.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(prepared(indexed(false, &[])).await, "");
    assert_eq!(prepared(indexed(true, &[])).await, "_connection _id id");
    let by_two = indexed(false, &[&["openedAt", "id"], &["openedAt", "id"], &["students"], &["nothing"]]);
    assert_eq!(prepared(by_two).await, "_connection _id id opened_at");
    let tables = |shape: Vec<String>| shape.into_iter().filter(|line| line.starts_with("table items__")).count();
    assert_eq!(tables(shape()), 3);
    assert_eq!(prepared(indexed(false, &[])).await, "");
    assert_eq!(tables(shape()), 0);
}

async fn what_a_version_in_use_declares_stays(database: &dyn Database) {
    let world = World::new(database).await;
    let version = |members: &[&str]| {
        let properties = [("id", ColumnForm::Integer), ("students", ColumnForm::Json), ("openedAt", ColumnForm::Text)];
        let indexes = members.iter().map(|member| vec![(*member).to_owned()]).collect();
        partner_with(vec![RecordType { indexes, ..record("Course", &properties) }])
    };
    let (old, new) = (version(&["students", "id"]), version(&["openedAt"]));
    world.store.prepare_partner(&old).await.unwrap();
    let of_old = database.shape();
    world.store.prepare_partner(&new).await.unwrap();
    let of_both = database.shape();
    assert!(of_old.iter().all(|line| of_both.contains(line)), "something of a version in use was taken away");
    world.store.tidy_partner(&[&new, &old]).await.unwrap();
    assert_eq!(database.shape(), of_both);
    world.store.tidy_partner(&[&old]).await.unwrap();
    assert_eq!(database.shape(), of_old);
}

async fn every_version_reads_all_that_a_record_says(database: &dyn Database) {
    let world = World::new(database).await;
    let version = |properties: &[(&str, ColumnForm)]| partner_with(vec![record("Course", properties)]);
    let fitted = async |properties: &[(&str, ColumnForm)]| {
        let mut partner = version(properties);
        let stored = world.store.stored_columns(&partner).await.unwrap();
        let wrong = fit(&mut partner, stored);
        (partner, wrong)
    };
    let columns = |partner: &Partner| -> Vec<String> {
        partner.records[0].table.columns.iter().map(|column| column.property.clone()).collect()
    };
    let (id, seats, title) = (("id", ColumnForm::Integer), ("seats", ColumnForm::Integer), ("title", ColumnForm::Text));
    world.store.prepare_partner(&version(&[id, seats])).await.unwrap();

    let (without, wrong) = fitted(&[title, id]).await;
    assert_eq!((columns(&without), without.records[0].kept), (vec!["title".into(), "id".into(), "seats".into()], 1));
    assert!(wrong.is_empty());
    world.store.prepare_partner(&without).await.unwrap();

    let (back, wrong) = fitted(&[id, seats]).await;
    assert_eq!((columns(&back), back.records[0].kept), (vec!["id".into(), "seats".into(), "title".into()], 1));
    assert!(wrong.is_empty());
    let stored = world.store.stored_columns(&back).await.unwrap();
    assert!(is_fit(&back, &stored) && !is_fit(&version(&[id, seats]), &stored));
    let shape = database.shape();
    world.store.prepare_partner(&back).await.unwrap();
    assert_eq!(database.shape(), shape, "going back changes no table");

    let (_, wrong) = fitted(&[("id", ColumnForm::Text), ("seats", ColumnForm::Json)]).await;
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].contains("column id would change from integer to text"), "{wrong:?}");
}
