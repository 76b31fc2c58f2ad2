//! Records: what was put comes back as it was sent, whole or member by member.

use std::borrow::Cow;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::sample::{BRANCH, Plan, SECTION, World, branch, partner_with, record, section, text};
use super::{Database, conformance};
use crate::clock::Clock as _;
use crate::delivery::{Report, Status};
use crate::description::{FieldPath, Partner, RecordType, RecordTypeId, Shape};
use crate::digest::Digest;
use crate::json::{Gaps, Json};
use crate::limits::{INDEX_BYTES_MAX, KEY_BYTES_MAX};
use crate::record::{Keeping, Record, cut};
use crate::store::read::{RecordQuery, StoredRecord};
use crate::store::{Connection, Gone, Matching, NewSend, RecordId, RecordRow, RecordStep, StoreError, WaitStep};
use crate::table::{Cell, ColumnForm};

conformance!(
    any_object_comes_back_as_it_was_put,
    bodies_come_in_the_order_asked_for,
    a_record_that_is_not_there_says_nothing,
    scalar_members_are_told_as_text_by_number,
    a_list_shows_what_was_sent_in_the_order_of_first_arrival,
    a_list_may_leave_out_who_waits_or_who_does_not,
    how_old_a_record_is_is_remembered,
    a_table_of_an_earlier_version_gets_what_is_missing,
    whatever_records_may_be_found_by_can_be_stored,
);

/// A text of so many bytes that nothing makes shorter.
fn noise(seed: u32, bytes: usize) -> String {
    let mut state = seed;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4e00 + (state >> 16) % 0x5000).unwrap()
    });
    let text: String = letters.take(bytes / 3).collect();
    format!("{text}{}", "x".repeat(bytes % 3))
}

async fn whatever_records_may_be_found_by_can_be_stored(database: &dyn Database) {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let columns = [("id", ColumnForm::Text), ("title", ColumnForm::Text), ("shelf", ColumnForm::Text)];
    let book = RecordType { indexes: vec![names(&["title"]), names(&["id", "shelf"])], ..record("Book", &columns) };
    let (partner, world) = (partner_with(vec![book]), World::new(database).await);
    world.store.prepare_partner(&partner).await.unwrap();
    let connection = world.connection("demo", "school").await;
    let delivery = world.receive(&connection, "{}").await;
    let key = |seed| format!("[\"{}\"]", noise(seed, KEY_BYTES_MAX - 4));
    let (title, half) = (noise(3, INDEX_BYTES_MAX), noise(4, INDEX_BYTES_MAX / 2));
    let keys = [key(1), key(2)];
    let cell = |text: &str| Cell::Text(Cow::Owned(text.to_owned()));
    let put = RecordRow { cells: vec![cell(&half), cell(&title), cell(&half)], key: &keys[0], ..branch(1, "", "") };
    let report = Report::new(Status::Applied);
    let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
    commit.records = vec![RecordStep::Put(put)];
    commit.gone = vec![Gone { of: RecordTypeId(0), key: keys[1].clone(), as_of: 7 }];
    let send = NewSend {
        id: world.clock.next_id(),
        subscription: keys[1].clone(),
        event: "book.created".to_owned(),
        record: ("Book".to_owned(), keys[0].clone()),
        body: b"{}".to_vec(),
    };
    commit.sends = vec![send];
    world.store.commit(&world.canonical, &partner, commit).await.unwrap();

    let connection = world.connection("demo", "school").await;
    let found = world.store.records_by_key(&connection, &partner, RecordTypeId(0), &keys).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    for text in [&title, &format!("{title}x")] {
        let matching = Matching { members: vec![("title".to_owned(), vec![json!(text)])], limit: None };
        let matching = world.store.records_matching(&connection, &partner, RecordTypeId(0), &matching).await.unwrap();
        assert_eq!(matching.len(), usize::from(*text == title));
    }
}

/// A type with a column of every form, all of them optional; its key is beside them.
const FORMS: [(&str, ColumnForm); 6] = [
    ("id", ColumnForm::Text),
    ("text", ColumnForm::Text),
    ("whole", ColumnForm::Integer),
    ("number", ColumnForm::Number),
    ("flag", ColumnForm::Boolean),
    ("nested", ColumnForm::Json),
];

fn forms() -> RecordType {
    let id = FieldPath { up: 0, path: vec!["id".to_owned()] };
    RecordType { key: vec![id], ..record("Form", &FORMS) }
}

/// Any JSON, as text; numbers in many spellings.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(&["null", "-0"]).prop_map(str::to_owned),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|whole| whole.to_string()),
        "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let item = inner.clone();
        prop_oneof![
            prop::collection::vec(item, 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map(any::<String>(), inner, 0..3).prop_map(object),
        ]
    })
}

fn object(members: impl IntoIterator<Item = (String, String)>) -> String {
    let members = members.into_iter().map(|(name, json)| format!("{}:{json}", Value::from(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// An object with some of the members that have columns, whatever they hold, and some that have none.
fn any_object() -> impl Strategy<Value = String> {
    let name = prop_oneof![3 => prop::sample::select(&FORMS[1..]).prop_map(|(name, _)| name.to_owned()), 1 => ".*"];
    prop::collection::btree_map(name, any_json(), 0..8).prop_map(|mut members| {
        members.insert("id".to_owned(), "\"1\"".to_owned());
        object(members)
    })
}

fn only_record<'a>(body: &'a str, partner: &Partner) -> Record<'a> {
    let shape = Shape::Record(RecordTypeId(0), Vec::new());
    let json = Json::parse(body.as_bytes(), 64).unwrap();
    cut(json, &Gaps::default(), &shape, &partner.records, Digest::of(b"setting"), Keeping::Loose).records.remove(0)
}

/// How many records are put at a time: few and very many, which a store may write in different ways.
const AT_A_TIME: [usize; 2] = [300, 2_500];

async fn any_object_comes_back_as_it_was_put(database: &dyn Database) {
    let mut world = World::new(database).await;
    world.partner = partner_with(vec![forms()]);
    world.store.prepare_partner(&world.partner).await.unwrap();
    let mut runner = TestRunner::default();
    for count in AT_A_TIME {
        let objects = prop::collection::vec(any_object(), count).new_tree(&mut runner).unwrap().current();
        let sent: Vec<_> = objects.iter().map(|object| only_record(object, &world.partner)).collect();
        let keys: Vec<_> = (0..sent.len()).map(|nth| format!("[{nth}]")).collect();
        let connection = world.connection("demo", &format!("school-{count}")).await;
        let delivery = world.receive(&connection, "{}").await;
        let report = Report::new(Status::Applied);
        let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
        commit.records = (1..)
            .zip(sent.iter().zip(&keys))
            .map(|(id, (record, key))| {
                let (cells, unknown) = record.row(&world.partner.records[0]);
                RecordStep::Put(RecordRow { of: RecordTypeId(0), cells, unknown, ..branch(id, "", "") }.keyed(key))
            })
            .collect();
        world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();

        let ids: Vec<_> = (1..).take(sent.len()).map(RecordId).collect();
        let bodies = world.store.bodies(&connection, &world.partner, RecordTypeId(0), &ids).await.unwrap();
        for (body, record) in bodies.iter().zip(&sent) {
            assert_eq!(String::from_utf8_lossy(body), String::from_utf8_lossy(&record.content.read()));
        }
    }
}

impl<'a> RecordRow<'a> {
    fn keyed(self, key: &'a str) -> Self {
        Self { key, ..self }
    }
}

async fn put(world: &World, rows: Vec<RecordRow<'static>>) -> Connection {
    let connection = world.connection("demo", "school").await;
    let records = rows.into_iter().map(RecordStep::Put).collect();
    world.apply(&connection, Plan { records, entities: Vec::new() }).await.unwrap();
    world.connection("demo", "school").await
}

async fn bodies_come_in_the_order_asked_for(database: &dyn Database) {
    let world = World::new(database).await;
    let odd = RecordRow { unknown: Some("{\"a\":null,\"z\":1.50}".to_owned()), ..branch(3, "[3]", "South \"3\"") };
    let connection = put(&world, vec![branch(1, "[1]", "North"), section(2, "[2]", "A"), odd]).await;
    let asked = async |of, ids: &[i64]| {
        let ids: Vec<_> = ids.iter().copied().map(RecordId).collect();
        let bodies = world.store.bodies(&connection, &world.partner, of, &ids).await.unwrap();
        bodies.into_iter().map(|body| String::from_utf8(body).unwrap()).collect::<Vec<_>>()
    };
    let (north, south) = (r#"{"name":"North"}"#, r#"{"a":null,"name":"South \"3\"","z":1.50}"#);
    assert_eq!(asked(BRANCH, &[3, 1, 3]).await, [south, north, south]);
    assert_eq!(asked(SECTION, &[2]).await, [r#"{"name":"A","students":[]}"#]);
    assert!(asked(BRANCH, &[]).await.is_empty());
}

async fn a_record_that_is_not_there_says_nothing(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = put(&world, vec![branch(1, "[1]", "North")]).await;
    let theirs = world.connection("elsewhere", "school").await;
    for (connection, of, id) in [(&connection, BRANCH, 2), (&connection, SECTION, 1), (&theirs, BRANCH, 1)] {
        let asked = world.store.bodies(connection, &world.partner, of, &[RecordId(id)]).await;
        assert!(matches!(asked, Err(StoreError::Inconsistent(_))));
    }
}

async fn scalar_members_are_told_as_text_by_number(database: &dyn Database) {
    let mut world = World::new(database).await;
    world.partner = partner_with(vec![forms()]);
    world.store.prepare_partner(&world.partner).await.unwrap();
    let row = |id, key, cells: [Cell<'static>; 5]| RecordRow {
        of: RecordTypeId(0),
        cells: std::iter::once(text("x")).chain(cells).collect(),
        ..branch(id, key, "")
    };
    let (whole, flag) = (Cell::Integer, Cell::Boolean);
    let rows = vec![
        row(5, "[5]", [text("08"), whole(8), text("8.0"), flag(true), text("\"eight\"")]),
        row(1, "[1]", [text(""), whole(-1), text("1e2"), flag(false), text("12")]),
        row(3, "[3]", [Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null]),
        row(4, "[4]", [text("null"), whole(0), text("-0"), flag(true), text("{\"a\":1}")]),
    ];
    let connection = put(&world, rows).await;
    let told = async |members: &[&str]| {
        let members: Vec<_> = members.iter().map(|member| (*member).to_owned()).collect();
        let values = world.store.values(&connection, &world.partner, RecordTypeId(0), &members).await;
        values.map(|values| {
            let texts = values.into_iter().map(|(id, texts)| {
                let texts = texts.into_iter().map(|text| text.map_or(Cow::Borrowed("-"), Cow::Owned));
                format!("{}: {}", id.0, texts.collect::<Vec<_>>().join("|"))
            });
            texts.collect::<Vec<_>>()
        })
    };
    assert_eq!(
        told(&["nested", "text", "whole", "number", "flag"]).await.unwrap(),
        ["1: 12||-1|1e2|false", "3: -|-|-|-|-", "4: -|null|0|-0|true", "5: eight|08|8|8.0|true"]
    );
    assert_eq!(told(&["text"]).await.unwrap(), ["1: ", "3: -", "4: null", "5: 08"]);
    assert!(matches!(told(&["surname"]).await, Err(StoreError::Inconsistent(said)) if said.contains("surname")));
    let theirs = world.connection("elsewhere", "school").await;
    let members = ["text".to_owned()];
    assert!(world.store.values(&theirs, &world.partner, RecordTypeId(0), &members).await.unwrap().is_empty());
}

fn question(of: RecordTypeId) -> RecordQuery {
    let (tenant, connection) = ("demo".to_owned(), "school".to_owned());
    RecordQuery { tenant, connection, of, waiting: None, limit: None, offset: 0 }
}

async fn a_list_shows_what_was_sent_in_the_order_of_first_arrival(database: &dyn Database) {
    let world = World::new(database).await;
    let odd = RecordRow {
        cells: vec![Cell::Null],
        unknown: Some("{\"big\":1e999,\"more\":{\"b\":1.5,\"a\":null},\"name\":null}".to_owned()),
        ..branch(3, "[0]", "")
    };
    put(&world, vec![branch(2, "[2]", "South"), branch(5, "[1]", "East"), odd, section(4, "[4]", "A")]).await;
    put(&world, vec![RecordRow { new: false, ..branch(5, "[1]", "Far east") }]).await;
    let read = async |query: RecordQuery| {
        let records = world.store.records(&world.partner, &query).await.unwrap();
        (records.total, Value::from(records.rows.into_iter().map(|row| Value::from(row.body)).collect::<Vec<_>>()))
    };
    let (south, east) = (json!({"name": "South"}), json!({"name": "Far east"}));
    let odd = json!({"big": null, "more": {"b": 1.5, "a": null}, "name": null});
    assert_eq!(read(question(BRANCH)).await, (3, json!([south, odd, east])));
    assert_eq!(read(question(SECTION)).await, (1, json!([{"name": "A", "students": []}])));
    for (limit, offset, expected) in [
        (Some(2), 0, json!([south, odd])),
        (Some(2), 2, json!([east])),
        (Some(2), 3, json!([])),
        (None, 1, json!([odd, east])),
        (Some(0), 0, json!([])),
        (Some(u64::MAX), u64::MAX, json!([])),
    ] {
        assert_eq!(read(RecordQuery { limit, offset, ..question(BRANCH) }).await, (3, expected));
    }
    for (tenant, connection) in [("demo", "other"), ("elsewhere", "school"), ("nobody", "school")] {
        world.connection(tenant, connection).await;
        let (tenant, connection) = (tenant.to_owned(), connection.to_owned());
        assert_eq!(read(RecordQuery { tenant, connection, ..question(BRANCH) }).await, (0, json!([])));
    }
}

async fn a_list_may_leave_out_who_waits_or_who_does_not(database: &dyn Database) {
    let world = World::new(database).await;
    let waiting_elsewhere = world.connection("demo", "other").await;
    for connection in [world.connection("demo", "school").await, waiting_elsewhere] {
        let delivery = world.receive(&connection, "{}").await;
        let report = Report::new(Status::Applied);
        let records = vec![RecordStep::Put(branch(1, "[1]", "North")), RecordStep::Put(branch(2, "[2]", "South"))];
        let mut commit = world.commit(&connection, delivery, Plan { records, entities: Vec::new() }, &report);
        let record = RecordId(if connection.name == "school" { 2 } else { 1 });
        commit.waits =
            vec![WaitStep::Wait { of: BRANCH, record, for_what: "owner".to_owned(), until: None, entry: None }];
        world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    }
    for (waiting, expected) in
        [(None, "[1] North, [2] South waits"), (Some(true), "[2] South waits"), (Some(false), "[1] North")]
    {
        let query = RecordQuery { waiting, ..question(BRANCH) };
        let records = world.store.records(&world.partner, &query).await.unwrap();
        let told = records.rows.iter().map(|StoredRecord { key, waiting, body }| {
            format!("{key} {}{}", body["name"].as_str().unwrap(), if *waiting { " waits" } else { "" })
        });
        let told: Vec<_> = told.collect();
        assert_eq!((told.join(", ").as_str(), records.total), (expected, told.len() as u64));
    }
}

async fn how_old_a_record_is_is_remembered(database: &dyn Database) {
    let world = World::new(database).await;
    let as_of = async |new, as_of| {
        let connection = put(&world, vec![RecordRow { new, as_of, ..branch(1, "[1]", "North") }]).await;
        world.store.held_records(&connection, &world.partner).await.unwrap()[0].as_of
    };
    let year_9999 = 253_402_300_799_999_999;
    assert_eq!(as_of(true, Some(-1)).await, Some(-1));
    assert_eq!(as_of(false, Some(year_9999)).await, Some(year_9999));
    assert_eq!(as_of(false, None).await, None);
}

async fn a_table_of_an_earlier_version_gets_what_is_missing(database: &dyn Database) {
    let world = World::new(database).await;
    put(&world, vec![branch(1, "[1]", "North")]).await;
    let shape = database.shape();
    database.meddle("alter table record__school__branch drop column _as_of");
    assert_ne!(database.shape(), shape);

    let world = World { store: database.open().await.unwrap(), ..world };
    world.store.prepare_partner(&world.partner).await.unwrap();
    assert_eq!(database.shape(), shape);
    let connection = put(&world, vec![RecordRow { as_of: Some(7), ..branch(2, "[2]", "South") }]).await;
    let held = world.store.held_records(&connection, &world.partner).await.unwrap();
    assert_eq!(held.iter().map(|record| record.as_of).collect::<Vec<_>>(), [None, Some(7)]);
}
