//! Reading: filters, sorting and paging, the feed, provenance; never across tenants.

use serde_json::{Value, json};
use uuid::Uuid;

use super::sample::{BRANCH, ORG, PERSON, Plan, SECTION, World, at, branch, id, org, section, text};
use super::{Database, conformance};
use crate::digest::Digest;
use crate::store::read::{EntityQuery, Filter, Operator, Page, QueryError, Sort};
use crate::store::{EntityLink, EntityRow, EntityStep, RecordId, RecordStep};
use crate::table::Cell;

conformance!(
    every_form_comes_back_as_json,
    filters_find_what_they_should,
    what_cannot_be_asked_is_said,
    sorting_puts_absent_values_last,
    pages_neither_overlap_nor_skip,
    lists_are_limited_to_a_connection_and_a_status,
    the_feed_shows_each_entity_once_at_its_latest_change,
    provenance_names_the_records,
    a_tenant_sees_nothing_of_another,
    the_database_answers,
);

/// `(source id, given name, age, score, enabled, roles)`
type Row = (&'static str, &'static str, Option<i64>, Option<&'static str>, Option<bool>, Option<&'static str>);

const PEOPLE: [Row; 4] = [
    ("1", "Amal", Some(9), Some("1.50"), Some(true), Some(r#"[{"role":"student","grade":7,"tags":["a","b"]}]"#)),
    ("2", "Élise", Some(10), Some("12"), Some(false), Some(r#"[{"role":"teacher"},{"role":"student","new":true}]"#)),
    ("3", "أمل", None, None, None, Some(r#"{"role":"principal"}"#)),
    ("4", "amal_2", Some(-1), Some("-3e0"), Some(true), Some(r#"["amanda","amal"]"#)),
];

fn person((source_id, name, age, score, enabled, roles): Row) -> EntityStep<'static> {
    let school = id("org", "north");
    EntityStep::Put(EntityRow {
        link: EntityLink {
            kind: PERSON,
            sourced_id: id("person", source_id),
            uniform: true,
            contributors: vec![RecordId(1)],
        },
        new: true,
        source_id: source_id.into(),
        digest: Digest::of(name.as_bytes()),
        cells: vec![
            text(name),
            age.map_or(Cell::Null, Cell::Integer),
            score.map_or(Cell::Null, text),
            enabled.map_or(Cell::Null, Cell::Boolean),
            if source_id == "1" { Cell::Id(school) } else { Cell::Null },
            roles.map_or(Cell::Null, text),
        ],
    })
}

async fn people(database: &dyn Database) -> World {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let entities = PEOPLE.into_iter().map(person).collect();
    world.apply(&connection, Plan { records: Vec::new(), entities }).await.unwrap();
    world
}

fn question(kind: crate::canonical::KindId) -> EntityQuery {
    EntityQuery {
        tenant: "demo".to_owned(),
        kind,
        connection: None,
        active: None,
        filter: None,
        sort: None,
        page: Page::Offset { limit: 100, offset: 0 },
        count: true,
    }
}

fn compare(path: &str, operator: Operator, value: &str) -> Filter {
    Filter::Compare { path: path.split('.').map(str::to_owned).collect(), operator, value: value.to_owned() }
}

/// The source ids of the people found, in the order in which they were found.
async fn found(world: &World, query: &EntityQuery) -> Result<Vec<&'static str>, QueryError> {
    let entities = world.store.entities(&world.canonical, query).await?;
    let source = |row: &serde_json::Map<String, Value>| {
        let is = |person: &&Row| row["sourcedId"] == id("person", person.0).to_string();
        PEOPLE.iter().find(is).unwrap().0
    };
    Ok(entities.rows.iter().map(source).collect())
}

async fn every_form_comes_back_as_json(database: &dyn Database) {
    let world = people(database).await;
    let read = world.store.entity(&world.canonical, "demo", PERSON, id("person", "1")).await.unwrap().unwrap();
    let expected = json!({
        "sourcedId": id("person", "1"),
        "status": "active",
        "dateLastModified": "2026-09-01T08:00:00.000Z",
        "givenName": "Amal",
        "age": 9,
        "score": 1.5,
        "enabled": true,
        "school": id("org", "north"),
        "roles": [{"role": "student", "grade": 7, "tags": ["a", "b"]}],
    });
    assert_eq!(Value::Object(read), expected);
    let sparse = world.store.entity(&world.canonical, "demo", PERSON, id("person", "3")).await.unwrap().unwrap();
    assert_eq!(sparse.keys().len(), 5);
}

async fn filters_find_what_they_should(database: &dyn Database) {
    use Operator::{Contains, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let world = people(database).await;
    let north = id("org", "north").to_string();
    let first = id("person", "1").to_string();
    for (path, operator, value, expected) in [
        ("givenName", Equal, "Amal", "1"),
        ("givenName", Equal, "amal", ""),
        ("givenName", NotEqual, "Amal", "2 3 4"),
        ("givenName", Contains, "AMAL", "1 4"),
        ("givenName", Contains, "l_2", "4"),
        ("givenName", Contains, "%", ""),
        ("givenName", Contains, "élise", "2"),
        ("givenName", Contains, "ÉLI", "2"),
        ("givenName", Contains, "مل", "3"),
        ("givenName", Equal, "' or 1=1 --", ""),
        ("age", Equal, "9", "1"),
        ("age", Greater, "9", "2"),
        ("age", LessOrEqual, "9", "1 4"),
        ("age", Less, "9.5", "1 4"),
        ("age", Equal, "nine", ""),
        ("age", NotEqual, "nine", "1 2 4"),
        ("score", Greater, "2", "2"),
        ("score", Equal, "1.5", "1"),
        ("score", Less, "0", "4"),
        ("enabled", Equal, "true", "1 4"),
        ("enabled", NotEqual, "true", "2"),
        ("enabled", Equal, "yes", ""),
        ("school", Equal, &north, "1"),
        ("school.sourcedId", Equal, &north.to_uppercase(), "1"),
        ("school", Contains, &north[..9], "1"),
        ("school", Equal, "north", ""),
        ("sourcedId", Equal, &first, "1"),
        ("sourcedId", NotEqual, &first, "2 3 4"),
        ("status", Equal, "active", "1 2 3 4"),
        ("status", NotEqual, "active", ""),
        ("dateLastModified", GreaterOrEqual, "2026-09-01T08:00:00.000Z", "1 2 3 4"),
        ("dateLastModified", Greater, "2026-09-01T10:00:00+02:00", ""),
        ("dateLastModified", Greater, "2026-09-01", "1 2 3 4"),
        ("dateLastModified", Equal, "yesterday", ""),
        ("roles.role", Equal, "student", "1 2"),
        ("roles.role", Equal, "principal", "3"),
        ("roles.role", Contains, "TEACH", "2"),
        ("roles.grade", Greater, "6", "1"),
        ("roles.new", Equal, "true", "2"),
        ("roles.tags", Equal, "b", "1"),
        ("roles.tags.deeper", Equal, "b", ""),
        ("roles.org.sourcedId", Equal, &north, ""),
    ] {
        let query = EntityQuery { filter: Some(compare(path, operator, value)), ..question(PERSON) };
        let mut sources = found(&world, &query).await.unwrap();
        sources.sort_unstable();
        assert_eq!(sources.join(" "), expected, "{path} {operator:?} {value}");
        let total = world.store.entities(&world.canonical, &query).await.unwrap().total;
        assert_eq!(total, Some(sources.len() as u64), "{path} {operator:?} {value}");
    }
    let (young, teacher) = (compare("age", Less, "10"), compare("roles.role", Equal, "teacher"));
    let both =
        EntityQuery { filter: Some(Filter::And(young.clone().into(), teacher.clone().into())), ..question(PERSON) };
    let either = EntityQuery { filter: Some(Filter::Or(young.into(), teacher.into())), ..question(PERSON) };
    assert_eq!(found(&world, &both).await.unwrap().len(), 0);
    assert_eq!(found(&world, &either).await.unwrap().len(), 3);
}

async fn what_cannot_be_asked_is_said(database: &dyn Database) {
    let world = people(database).await;
    for path in ["surname", "givenName.length", "_digest", "roles.a\"b", "roles.$", "school.name", "age.x"] {
        let query = EntityQuery { filter: Some(compare(path, Operator::Equal, "x")), ..question(PERSON) };
        assert!(matches!(found(&world, &query).await, Err(QueryError::UnknownField(field)) if field == path), "{path}");
    }
    for field in ["surname", "roles", "_sequence"] {
        let query = EntityQuery { sort: Some(sorted(field, false)), ..question(PERSON) };
        assert!(matches!(found(&world, &query).await, Err(QueryError::UnknownField(_))), "{field}");
    }
}

fn sorted(field: &str, descending: bool) -> Sort {
    Sort { field: field.to_owned(), descending }
}

async fn sorting_puts_absent_values_last(database: &dyn Database) {
    let world = people(database).await;
    for (field, descending, expected) in [
        ("age", false, "4 1 2 3"),
        ("age", true, "2 1 4 3"),
        ("score", false, "4 1 2 3"),
        ("givenName", true, "3 2 4 1"),
    ] {
        let query = EntityQuery { sort: Some(sorted(field, descending)), ..question(PERSON) };
        assert_eq!(found(&world, &query).await.unwrap().join(" "), expected, "{field}");
    }
    for field in ["sourcedId", "status", "dateLastModified", "school"] {
        let query = EntityQuery { sort: Some(sorted(field, true)), ..question(PERSON) };
        assert_eq!(found(&world, &query).await.unwrap().len(), 4, "{field}");
    }
}

async fn pages_neither_overlap_nor_skip(database: &dyn Database) {
    let world = people(database).await;
    let all = found(&world, &question(PERSON)).await.unwrap();
    let mut by_offset = Vec::new();
    for offset in [0, 3, 6] {
        let page = Page::Offset { limit: 3, offset };
        by_offset.extend(found(&world, &EntityQuery { page, ..question(PERSON) }).await.unwrap());
    }
    assert_eq!(by_offset, all);
    // Whoever is found twice over counts once.
    let filter = Some(compare("roles", Operator::Contains, "ama"));
    let page = Page::Offset { limit: 3, offset: 1 };
    assert!(found(&world, &EntityQuery { filter, page, ..question(PERSON) }).await.unwrap().is_empty());
    let (mut by_cursor, mut after) = (Vec::new(), None);
    loop {
        let query = EntityQuery { page: Page::After { limit: 3, after }, ..question(PERSON) };
        assert_eq!(world.store.entities(&world.canonical, &query).await.unwrap().total, Some(4));
        let page = found(&world, &query).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        after = Some(id("person", last));
        by_cursor.extend(page);
    }
    assert_eq!(by_cursor, all);
}

async fn lists_are_limited_to_a_connection_and_a_status(database: &dyn Database) {
    let world = people(database).await;
    let other = world.connection("demo", "other").await;
    let put = EntityStep::Put(org(Uuid::from_u128(1), "x", "Elsewhere"));
    world.apply(&other, Plan { records: Vec::new(), entities: vec![put] }).await.unwrap();
    let connection = world.connection("demo", "school").await;
    let retire = EntityStep::Retire(PERSON, id("person", "2"));
    world.apply(&connection, Plan { records: Vec::new(), entities: vec![retire] }).await.unwrap();

    let size = async |kind, connection: Option<&str>, active| {
        let query = EntityQuery { connection: connection.map(str::to_owned), active, count: false, ..question(kind) };
        let entities = world.store.entities(&world.canonical, &query).await.unwrap();
        assert_eq!(entities.total, None);
        entities.rows.len()
    };
    assert_eq!(size(ORG, None, None).await, 1);
    assert_eq!(size(ORG, Some("school"), None).await, 0);
    assert_eq!(size(ORG, Some("other"), None).await, 1);
    assert_eq!(size(PERSON, Some("school"), Some(true)).await, 3);
    assert_eq!(size(PERSON, None, Some(false)).await, 1);
    assert_eq!(size(PERSON, Some("nowhere"), None).await, 0);
}

async fn the_feed_shows_each_entity_once_at_its_latest_change(database: &dyn Database) {
    let world = people(database).await;
    let retire = EntityStep::Retire(PERSON, id("person", "1"));
    let put = EntityStep::Put(org(id("org", "north"), "north", "North"));
    let connection = world.connection("demo", "school").await;
    let end = world.apply(&connection, Plan { records: Vec::new(), entities: vec![retire, put] }).await.unwrap();

    let feed = world.store.changes(&world.canonical, "demo", 0, 100).await.unwrap();
    let places: Vec<_> =
        feed.iter().map(|change| (change.sequence, change.kind.as_str(), change.status.as_str())).collect();
    assert_eq!(
        places,
        [
            (2, "person", "active"),
            (3, "person", "active"),
            (4, "person", "active"),
            (5, "person", "tobedeleted"),
            (6, "org", "active"),
        ]
    );
    assert_eq!((end, feed[3].sourced_id, feed[3].connection.as_str()), (6, id("person", "1"), "school"));
    assert_eq!(feed[4].date_last_modified, at("2026-09-01T08:00:00Z"));

    let (mut cursor, mut again) = (0, Vec::new());
    loop {
        let page = world.store.changes(&world.canonical, "demo", cursor, 2).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        cursor = last.sequence;
        again.extend(page);
    }
    assert_eq!(again, feed);
}

async fn provenance_names_the_records(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let sourced_id = id("org", "north");
    let mut row = org(sourced_id, "branch:1", "North");
    row.link.contributors = vec![RecordId(3), RecordId(1), RecordId(2)];
    let records = vec![
        RecordStep::Put(branch(1, "[1]", "North")),
        RecordStep::Put(section(2, "[1,\"A\"]", "A")),
        RecordStep::Put(section(3, "[1,\"B\"]", "B")),
    ];
    let plan = Plan { records, entities: vec![EntityStep::Put(row)] };
    world.apply(&connection, plan).await.unwrap();

    let sources = world.store.provenance(&world.canonical, "demo", ORG, sourced_id).await.unwrap().unwrap();
    let told: Vec<_> =
        sources.iter().map(|source| (source.record.as_str(), source.key.to_string(), source.leads)).collect();
    let section = |key: &str, leads| ("Section", key.to_owned(), leads);
    assert_eq!(told, [section("[1,\"B\"]", true), ("Branch", "[1]".to_owned(), false), section("[1,\"A\"]", false)]);
    let delivery = world.store.deliveries("demo", None, None, 1).await.unwrap()[0].id;
    assert!(sources.iter().all(|source| source.delivery == delivery && source.source_id == "branch:1"));

    let retire = EntityStep::Retire(ORG, sourced_id);
    let connection = world.connection("demo", "school").await;
    world.apply(&connection, Plan { records: Vec::new(), entities: vec![retire] }).await.unwrap();
    let sources = world.store.provenance(&world.canonical, "demo", ORG, sourced_id).await.unwrap();
    assert_eq!(sources, Some(Vec::new()));
    assert_eq!(world.store.provenance(&world.canonical, "demo", PERSON, sourced_id).await.unwrap(), None);
}

async fn a_tenant_sees_nothing_of_another(database: &dyn Database) {
    let world = people(database).await;
    let theirs = world.connection("elsewhere", "school").await;
    let delivery = world.store.deliveries("demo", None, None, 1).await.unwrap()[0].id;
    let person = id("person", "1");
    let store = &world.store;
    for tenant in ["elsewhere", "nobody", ""] {
        let query = EntityQuery { tenant: tenant.to_owned(), ..question(PERSON) };
        let entities = store.entities(&world.canonical, &query).await.unwrap();
        assert_eq!((entities.rows.len(), entities.total), (0, Some(0)));
        let query = EntityQuery { connection: Some("school".to_owned()), ..query };
        assert!(store.entities(&world.canonical, &query).await.unwrap().rows.is_empty());
        assert_eq!(store.entity(&world.canonical, tenant, PERSON, person).await.unwrap(), None);
        assert_eq!(store.provenance(&world.canonical, tenant, PERSON, person).await.unwrap(), None);
        assert_eq!(store.changes(&world.canonical, tenant, 0, 100).await.unwrap(), []);
        assert_eq!(store.deliveries(tenant, None, None, 100).await.unwrap(), []);
        assert_eq!(store.delivery(tenant, delivery).await.unwrap(), None);
        assert_eq!(store.body(tenant, delivery).await.unwrap(), None);
    }
    let connection = world.connection("demo", "school").await;
    let asked = [(PERSON, person)];
    assert!(store.held_entities(&connection, &world.canonical, &asked).await.unwrap()[0].is_some());
    world.apply(&theirs, Plan::default()).await.unwrap();
    let theirs = world.connection("elsewhere", "school").await;
    assert_eq!(store.held_entities(&theirs, &world.canonical, &asked).await.unwrap(), [None]);
    assert!(store.held_records(&theirs, &world.partner).await.unwrap().is_empty());
    let asked = [(BRANCH, RecordId(1)), (SECTION, RecordId(1))];
    let contributions = store.contributions(&theirs, &world.partner, &asked).await.unwrap();
    assert!(contributions.iter().all(Vec::is_empty));
    let foreign = Plan { records: Vec::new(), entities: vec![EntityStep::Retire(PERSON, person)] };
    assert!(world.apply(&theirs, foreign).await.is_err());
}

async fn the_database_answers(database: &dyn Database) {
    let world = World::new(database).await;
    world.store.ping().await.unwrap();
}
