//! Looking up single records: by key, by number, by what they say.

use serde_json::{Value, json};

use super::sample::{BRANCH, Plan, SECTION, World, branch, partner_with, record, section, text};
use super::{Database, conformance};
use crate::delivery::{Report, Status};
use crate::description::RecordTypeId;
use crate::digest::Digest;
use crate::store::{HeldRecord, Matching, RecordId, RecordRow, RecordStep, StoreError, WaitStep};
use crate::table::{Cell, ColumnForm};

conformance!(
    records_are_found_by_key_in_the_order_asked_for,
    records_are_found_by_number_whatever_their_type,
    records_are_found_by_what_they_say,
    what_cannot_be_matched_is_said,
    the_largest_integer_is_found_among_those_that_match,
);

/// Branches 1 and 4, sections 2 and 3, of which 3 waits; another connection has a branch 1 of its own.
async fn world(database: &dyn Database) -> World {
    let world = World::new(database).await;
    let other = world.connection("demo", "other").await;
    let theirs = vec![RecordStep::Put(branch(1, "[9]", "Theirs"))];
    world.apply(&other, Plan { records: theirs, entities: Vec::new() }).await.unwrap();
    let connection = world.connection("demo", "school").await;
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let rows =
        [branch(1, "[1]", "North"), section(2, "[1,\"A\"]", "A"), section(3, "[1]", "B"), branch(4, "[4]", "South")];
    let records = rows.into_iter().map(RecordStep::Put).collect();
    let mut commit = world.commit(&connection, delivery, Plan { records, entities: Vec::new() }, &report);
    let (record, for_what) = (RecordId(3), "owner".to_owned());
    commit.waits = vec![WaitStep::Wait { of: SECTION, record, for_what, until: None, entry: None }];
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    world
}

fn held(id: i64, of: RecordTypeId, key: &str, name: &str) -> HeldRecord {
    let digest = Some(Digest::of(name.as_bytes()));
    HeldRecord { id: RecordId(id), of, key: key.to_owned(), digest, waits: id == 3, as_of: None }
}

async fn records_are_found_by_key_in_the_order_asked_for(database: &dyn Database) {
    let world = world(database).await;
    let connection = world.connection("demo", "school").await;
    let found = async |of, keys: &[&str]| {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        world.store.records_by_key(&connection, &world.partner, of, &keys).await.unwrap()
    };
    let (north, south) = (held(1, BRANCH, "[1]", "North"), held(4, BRANCH, "[4]", "South"));
    assert_eq!(
        found(BRANCH, &["[4]", "[9]", "[1]", "[4]", "[1,\"A\"]"]).await,
        [Some(south.clone()), None, Some(north), Some(south), None]
    );
    let section = held(3, SECTION, "[1]", "B");
    assert_eq!(found(SECTION, &["[1]"]).await, [Some(section)]);
    assert!(found(SECTION, &[]).await.is_empty());
}

async fn records_are_found_by_number_whatever_their_type(database: &dyn Database) {
    let world = world(database).await;
    let connection = world.connection("demo", "school").await;
    let found = async |ids: &[i64]| {
        let ids: Vec<_> = ids.iter().copied().map(RecordId).collect();
        let mut found = world.store.records_by_id(&connection, &world.partner, &ids).await.unwrap();
        found.sort_by_key(|record| record.id);
        found
    };
    let expected = [held(1, BRANCH, "[1]", "North"), held(2, SECTION, "[1,\"A\"]", "A"), held(3, SECTION, "[1]", "B")];
    assert_eq!(found(&[3, 99, 1, 2, 3]).await, expected);
    assert_eq!(found(&[3]).await, expected[2..]);
    assert_eq!(found(&[99]).await, []);
    assert_eq!(found(&[]).await, []);
}

const FORMS: [(&str, ColumnForm); 5] = [
    ("title", ColumnForm::Text),
    ("category_id", ColumnForm::Integer),
    ("cost", ColumnForm::Number),
    ("open", ColumnForm::Boolean),
    ("tags", ColumnForm::Json),
];

const COURSE: RecordTypeId = RecordTypeId(0);

/// Five courses; the last says nothing at all.
async fn courses(database: &dyn Database) -> World {
    let mut world = World::new(database).await;
    world.partner = partner_with(vec![record("Course", &FORMS)]);
    world.store.prepare_partner(&world.partner).await.unwrap();
    let (whole, flag) = (Cell::Integer, Cell::Boolean);
    let rows: [(i64, &str, [Cell<'static>; 5]); 5] = [
        (7, "[7]", [text("Rust"), whole(3), text("1.50"), flag(true), text("[1,\"a\",true]")]),
        (2, "[2]", [text("Rest"), whole(3), text("20"), flag(false), text("[2,\"1\",2.0]")]),
        (3, "[3]", [text("1"), whole(1), text("1.5e0"), flag(false), text("\"a\"")]),
        (4, "[4]", [text("true"), whole(-1), text("0"), flag(true), text("{\"a\":\"a\",\"b\":1}")]),
        (5, "[5]", [Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null]),
    ];
    let row = |(id, key, cells): (i64, &'static str, [Cell<'static>; 5])| {
        RecordStep::Put(RecordRow { of: COURSE, cells: cells.into(), ..branch(id, key, "") })
    };
    for connection in ["school", "other"] {
        let connection = world.connection("demo", connection).await;
        let records = rows.clone().into_iter().map(row).collect();
        world.apply(&connection, Plan { records, entities: Vec::new() }).await.unwrap();
    }
    world
}

fn matching(members: Value, limit: Option<u64>) -> Matching {
    let Value::Object(members) = members else { panic!("members with their values") };
    let values = |values: Value| values.as_array().cloned().unwrap_or_default();
    Matching { members: members.into_iter().map(|(member, of)| (member, values(of))).collect(), limit }
}

async fn records_are_found_by_what_they_say(database: &dyn Database) {
    let world = courses(database).await;
    let connection = world.connection("demo", "school").await;
    for (members, expected) in [
        (json!({}), "2 3 4 5 7"),
        (json!({"category_id": [3]}), "2 7"),
        (json!({"category_id": [3, -1, 99]}), "2 4 7"),
        (json!({"category_id": ["3"]}), ""),
        (json!({"category_id": [null]}), "5"),
        (json!({"category_id": [null, 1]}), "3 5"),
        (json!({"category_id": []}), ""),
        (json!({"title": ["Rust"]}), "7"),
        (json!({"title": ["Rust", "Rest", "rust"]}), "2 7"),
        (json!({"title": [1, true]}), ""),
        (json!({"title": ["1", "true"]}), "3 4"),
        (json!({"title": ["' or 1=1 --"]}), ""),
        (json!({"cost": [1.5]}), "3 7"),
        (json!({"cost": [20, 0]}), "2 4"),
        (json!({"open": [true]}), "4 7"),
        (json!({"open": [true, false]}), "2 3 4 7"),
        (json!({"open": [1]}), ""),
        (json!({"tags": [1]}), "7"),
        (json!({"tags": ["1"]}), "2"),
        (json!({"tags": [2]}), "2"),
        (json!({"tags": ["a"]}), "3 7"),
        (json!({"tags": [true]}), "7"),
        (json!({"tags": ["a", 2, 9]}), "2 3 7"),
        (json!({"tags": [null]}), "5"),
        (json!({"tags": [null, "1"]}), "2 5"),
        (json!({"category_id": [3], "open": [false]}), "2"),
        (json!({"category_id": [3], "open": [null]}), ""),
    ] {
        let question = matching(members.clone(), None);
        let found = world.store.records_matching(&connection, &world.partner, COURSE, &question).await.unwrap();
        let found: Vec<_> = found.iter().map(|record| record.id.0.to_string()).collect();
        assert_eq!(found.join(" "), expected, "{members}");
    }
    for (limit, expected) in [(0, &[][..]), (2, &[2, 3]), (u64::MAX, &[2, 3, 4, 5, 7])] {
        let question = matching(json!({}), Some(limit));
        let found = world.store.records_matching(&connection, &world.partner, COURSE, &question).await.unwrap();
        assert_eq!(found.iter().map(|record| record.id.0).collect::<Vec<_>>(), expected);
    }
}

async fn what_cannot_be_matched_is_said(database: &dyn Database) {
    let world = courses(database).await;
    let connection = world.connection("demo", "school").await;
    let unknown = matching(json!({"surname": ["x"]}), None);
    let found = world.store.records_matching(&connection, &world.partner, COURSE, &unknown).await;
    assert!(matches!(found, Err(StoreError::Inconsistent(said)) if said.contains("surname")));
    for member in ["surname", "title"] {
        let largest = world.store.largest(&connection, &world.partner, COURSE, member, &Matching::default()).await;
        assert!(matches!(largest, Err(StoreError::Inconsistent(said)) if said.contains(member)));
    }
}

async fn the_largest_integer_is_found_among_those_that_match(database: &dyn Database) {
    let world = courses(database).await;
    let connection = world.connection("demo", "school").await;
    for (members, expected) in [
        (json!({}), Some(3)),
        (json!({"open": [true], "title": ["true"]}), Some(-1)),
        (json!({"open": [null]}), None),
        (json!({"title": ["nothing"]}), None),
    ] {
        let question = matching(members.clone(), None);
        let largest = world.store.largest(&connection, &world.partner, COURSE, "category_id", &question).await;
        assert_eq!(largest.unwrap(), expected, "{members}");
    }
}
