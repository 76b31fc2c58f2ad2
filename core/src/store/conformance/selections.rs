//! Selections: which records, what they say and what is derived of it, in which order, and page by page.

use serde_json::{Map, Value, json};

use super::sample::{Plan, World, branch, partner_with, record};
use super::{Database, conformance};
use crate::description::{
    Derived, Expression, Filter, Location, Member, Partner, RecordType, RecordTypeId, Selection, Sort, SortWord, Type,
};
use crate::store::read::{Cursor, SelectPart, SelectQuery, SelectedRecords};
use crate::store::{RecordId, RecordRow, RecordStep, StoreError};
use crate::table::{Cell, ColumnForm};

conformance!(
    a_record_shows_what_is_stored_and_what_is_derived,
    filters_choose_records,
    an_order_puts_what_is_absent_last_and_backwards_first,
    parts_of_a_list_are_counted_off_and_counted,
    cursors_lead_forth_and_back_through_any_order,
    a_cursor_stands_where_it_stood_whatever_comes_and_goes,
    a_record_is_found_by_its_key_among_those_that_are_chosen,
    the_first_record_of_a_selection_is_held,
    what_was_committed_is_read_at_once,
    what_holds_an_item_is_found_whatever_becomes_of_it,
    a_connection_shows_nothing_of_another,
    a_filter_that_is_not_there_is_said,
);

pub(super) const COURSE: RecordTypeId = RecordTypeId(0);
pub(super) const ENROLMENT: RecordTypeId = RecordTypeId(1);

pub(super) const COURSE_MEMBERS: [(&str, ColumnForm); 7] = [
    ("id", ColumnForm::Integer),
    ("name", ColumnForm::Text),
    ("category_id", ColumnForm::Integer),
    ("start", ColumnForm::Text),
    ("is_open", ColumnForm::Boolean),
    ("score", ColumnForm::Number),
    ("tags", ColumnForm::Json),
];

pub(super) const ENROLMENT_MEMBERS: [(&str, ColumnForm); 2] =
    [("id", ColumnForm::Integer), ("course_id", ColumnForm::Integer)];

fn members(of: &[(&str, ColumnForm)]) -> Vec<Member> {
    let member = |&(name, form): &(&str, ColumnForm)| {
        let of = match form {
            ColumnForm::Text | ColumnForm::Id => Type::Text,
            ColumnForm::Integer => Type::Integer,
            ColumnForm::Boolean => Type::Boolean,
            ColumnForm::Number => Type::Number,
            ColumnForm::Json => Type::List(Box::new(Type::Text)),
        };
        Member::optional(name, Type::nullable(of))
    };
    of.iter().map(member).collect()
}

/// What a course says, derived members too.
fn course() -> Vec<Member> {
    let mut course = members(&COURSE_MEMBERS);
    course.push(Member::required("takers", Type::Integer));
    course.push(Member::optional("full", Type::nullable(Type::Boolean)));
    course
}

fn expression(source: &str, value: Type) -> Expression {
    let list = |name, of| Member::required(name, Type::records(name, Some("id"), Type::Object(of)));
    let options = vec![Member::required("places", Type::Integer)];
    let names = [
        list("Course", course()),
        list("Enrolment", members(&ENROLMENT_MEMBERS)),
        Member::required("options", Type::Object(options)),
        Member::required("value", value),
    ];
    Expression::compile_beside(source, &course(), &names).unwrap()
}

/// `Course`, which knows how many take it and whether it is full, and `Enrolment`.
pub(super) fn partner() -> Partner {
    let derived = [
        ("takers", "size(Enrolment.filter(e, e.course_id == id))"),
        ("full", "is_open == null ? null : takers >= options.places"),
    ];
    let derived = derived
        .map(|(name, source)| Derived { name: name.to_owned(), value: expression(source, Type::Null) })
        .into_iter()
        .collect();
    let indexes = vec![vec!["tags".to_owned()]];
    let course = RecordType { blank: true, derived, indexes, ..record("Course", &COURSE_MEMBERS) };
    let enrolment = RecordType {
        blank: true,
        indexes: vec![vec!["course_id".to_owned()]],
        ..record("Enrolment", &ENROLMENT_MEMBERS)
    };
    partner_with(vec![course, enrolment])
}

pub(super) fn cells(of: &[(&str, ColumnForm)], body: &Value) -> Vec<Cell<'static>> {
    let cell = |&(name, form): &(&str, ColumnForm)| match (&body[name], form) {
        (Value::Null, _) => Cell::Null,
        (value, ColumnForm::Integer) => Cell::Integer(value.as_i64().unwrap()),
        (value, ColumnForm::Boolean) => Cell::Boolean(value.as_bool().unwrap()),
        (Value::String(text), ColumnForm::Text) => Cell::Text(text.clone().into()),
        (value, _) => Cell::Text(value.to_string().into()),
    };
    of.iter().map(cell).collect()
}

const KEYS: [&str; 12] = ["[0]", "[1]", "[2]", "[3]", "[4]", "[5]", "[6]", "[7]", "[8]", "[9]", "[10]", "[11]"];

fn step(of: RecordTypeId, id: i64, body: &Value) -> RecordStep<'static> {
    let members = if of == COURSE { &COURSE_MEMBERS[..] } else { &ENROLMENT_MEMBERS[..] };
    let key = KEYS[usize::try_from(body["id"].as_i64().unwrap()).unwrap()];
    RecordStep::Put(RecordRow { of, cells: cells(members, body), ..branch(id, key, "") })
}

async fn put(world: &World, records: Vec<RecordStep<'static>>) {
    let connection = world.connection("demo", "school").await;
    world.apply(&connection, Plan { records, entities: Vec::new() }).await.unwrap();
}

/// Courses in the order of their arrival, with many that are alike and many that say nothing; `takers` are those of the
/// enrolments: course 3 has three, course 1 two, course 6 one.
fn courses() -> [Value; 8] {
    [
        json!({"id": 4, "name": "Drawing", "category_id": 2, "start": "2026-03-01", "is_open": true, "score": 1.5}),
        json!({"id": 1, "name": "Algebra", "category_id": 1, "start": "2026-01-01", "is_open": true, "score": 10}),
        json!({"id": 8, "name": "History", "category_id": 2, "is_open": false, "score": -2.25}),
        json!({"id": 2, "name": "Biology", "category_id": 1, "start": "2026-02-01", "tags": ["new", "lab"]}),
        json!({"id": 3, "name": "Chess", "start": "2026-02-01", "is_open": false, "score": 9.5, "tags": ["new"]}),
        json!({"id": 6, "name": "French", "category_id": 2, "start": "2026-02-01", "is_open": true}),
        json!({"id": 7, "name": "Geology", "category_id": 1}),
        json!({"id": 5, "category_id": 1, "start": "2026-01-01", "is_open": true, "score": 1.5, "tags": []}),
    ]
}

async fn school(database: &dyn Database) -> World {
    let mut world = World::new(database).await;
    world.partner = partner();
    world.store.prepare_partner(&world.partner).await.unwrap();
    let mut steps: Vec<_> = (1..).zip(courses()).map(|(id, body)| step(COURSE, id, &body)).collect();
    for (id, course) in [(1, 3), (2, 1), (3, 3), (4, 6), (5, 3), (6, 1)] {
        steps.push(step(ENROLMENT, 100 + id, &json!({"id": id, "course_id": course})));
    }
    put(&world, steps).await;
    world
}

/// All filters and words that the tests use.
pub(super) fn selection() -> Selection {
    let integers = || Type::List(Box::new(Type::Integer));
    let filters = [
        ("category_id", "category_id == value", Type::Integer),
        ("ids", "id in value", integers()),
        ("from", "start >= value", Type::Text),
        ("tag", "value in tags", Type::Text),
        ("open", "is_open == value", Type::Boolean),
        ("taken", "takers > 0", Type::Text),
        ("takers_min", "takers >= value", Type::Integer),
        ("name", "search(value, name)", Type::Text),
        ("score", "score > value", Type::Number),
        ("dateless", "start == null", Type::Text),
    ];
    let filters = filters.map(|(parameter, source, value)| Filter {
        parameter: parameter.to_owned(),
        location: Location::Query,
        condition: expression(source, value),
        default: None,
    });
    let words = ["id", "name", "category_id", "start", "is_open", "score", "takers"];
    let words = words.into_iter().flat_map(|member| {
        [false, true].map(|descending| SortWord {
            word: format!("{member}:{}", if descending { "desc" } else { "asc" }),
            member: member.to_owned(),
            descending,
        })
    });
    Selection {
        of: COURSE,
        only: None,
        filters: filters.into(),
        sort: Some(Sort { parameter: "sort".to_owned(), words: words.collect() }),
    }
}

/// A question in the words of a client.
#[derive(Default)]
struct Asked {
    filters: Value,
    sort: &'static str,
}

impl Asked {
    fn given(&self, selection: &Selection) -> Vec<(usize, Value)> {
        let place = |name: &String| selection.filters.iter().position(|filter| filter.parameter == *name).unwrap();
        let given = self.filters.as_object().into_iter().flatten();
        given.map(|(name, value)| (place(name), value.clone())).collect()
    }

    fn sort(&self, selection: &Selection) -> Vec<usize> {
        let words = &selection.sort.as_ref().unwrap().words;
        let place = |asked: &str| words.iter().position(|word| word.word == asked).unwrap();
        self.sort.split_whitespace().map(place).collect()
    }

    async fn select(&self, world: &World, selection: &Selection, part: SelectPart) -> SelectedRecords {
        let options = json!({"places": 2});
        let query = SelectQuery {
            tenant: "demo",
            connection: "school",
            selection,
            given: self.given(selection),
            sort: self.sort(selection),
            options: &options,
            part,
            counts: true,
        };
        world.store.select(&world.partner, &query).await.unwrap()
    }

    /// The ids of all that are chosen, in their order.
    async fn all(&self, world: &World) -> String {
        let selected = self.select(world, &selection(), ALL).await;
        assert_eq!(selected.total, Some(selected.rows.len() as u64));
        ids(&selected.rows)
    }
}

pub(super) const ALL: SelectPart = SelectPart::Offset { limit: None, offset: 0 };

fn ids(rows: &[Map<String, Value>]) -> String {
    rows.iter().map(|row| row["id"].to_string()).collect::<Vec<_>>().join(" ")
}

async fn a_record_shows_what_is_stored_and_what_is_derived(database: &dyn Database) {
    let world = school(database).await;
    let odd = RecordRow {
        of: COURSE,
        cells: cells(&COURSE_MEMBERS, &json!({"id": 9, "score": 1e100})),
        unknown: Some("{\"more\":{\"b\":[1.50],\"a\":null}}".to_owned()),
        ..branch(9, "[9]", "")
    };
    put(&world, vec![RecordStep::Put(odd)]).await;
    let asked = Asked { filters: json!({"ids": [3, 7, 9, 5]}), ..Asked::default() };
    let selected = asked.select(&world, &selection(), ALL).await;
    let rows: Vec<_> = selected.rows.into_iter().map(Value::Object).collect();
    let [_, _, _, _, mut chess, _, mut geology, mut sparse] = courses();
    (chess["takers"], chess["full"]) = (json!(3), json!(true));
    geology["takers"] = json!(0);
    (sparse["takers"], sparse["full"]) = (json!(0), json!(false));
    let odd = json!({"id": 9, "score": 1e100, "takers": 0, "more": {"a": null, "b": [1.5]}});
    assert_eq!(rows, [chess, geology, sparse, odd]);
}

async fn filters_choose_records(database: &dyn Database) {
    let world = school(database).await;
    for (filters, expected) in [
        (json!({}), "4 1 8 2 3 6 7 5"),
        (json!({"category_id": 1}), "1 2 7 5"),
        (json!({"category_id": 99}), ""),
        (json!({"ids": [6, 1, 99]}), "1 6"),
        (json!({"ids": [7]}), "7"),
        (json!({"ids": []}), ""),
        (json!({"from": "2026-02-01"}), "4 2 3 6"),
        (json!({"tag": "new"}), "2 3"),
        (json!({"open": false}), "8 3"),
        (json!({"open": true, "category_id": 2}), "4 6"),
        (json!({"taken": "yes"}), "1 3 6"),
        (json!({"takers_min": 2}), "1 3"),
        (json!({"name": "g"}), "4 1 2 7"),
        (json!({"name": "%"}), ""),
        (json!({"score": 1.5}), "1 3"),
        (json!({"score": -3}), "4 1 8 3 5"),
        (json!({"dateless": "yes"}), "8 7"),
        (json!({"name": "' or 1=1 --"}), ""),
    ] {
        let asked = Asked { filters: filters.clone(), ..Asked::default() };
        assert_eq!(asked.all(&world).await, expected, "{filters}");
    }
    let only = Some(expression("category_id == options.places && is_open == true", Type::Null));
    let selection = Selection { only, ..selection() };
    let selected = Asked::default().select(&world, &selection, ALL).await;
    assert_eq!((ids(&selected.rows).as_str(), selected.total), ("4 6", Some(2)));
}

async fn an_order_puts_what_is_absent_last_and_backwards_first(database: &dyn Database) {
    let world = school(database).await;
    for (sort, expected) in [
        ("", "4 1 8 2 3 6 7 5"),
        ("id:asc", "1 2 3 4 5 6 7 8"),
        ("id:desc", "8 7 6 5 4 3 2 1"),
        ("name:asc", "1 2 3 4 6 7 8 5"),
        ("name:desc", "5 8 7 6 4 3 2 1"),
        ("category_id:asc", "1 2 7 5 4 8 6 3"),
        ("category_id:desc", "3 6 8 4 5 7 2 1"),
        ("start:asc", "1 5 2 3 6 4 8 7"),
        ("start:desc", "7 8 4 6 3 2 5 1"),
        ("is_open:asc", "8 3 4 1 6 5 2 7"),
        ("score:asc", "8 4 5 3 1 2 6 7"),
        ("score:desc", "7 6 2 1 3 5 4 8"),
        ("takers:asc", "4 8 2 7 5 6 1 3"),
        ("takers:desc start:asc id:desc", "3 1 6 5 2 4 8 7"),
        ("category_id:asc start:desc", "7 2 1 5 8 4 6 3"),
    ] {
        assert_eq!(Asked { filters: json!({}), sort }.all(&world).await, expected, "{sort}");
    }
}

async fn parts_of_a_list_are_counted_off_and_counted(database: &dyn Database) {
    let world = school(database).await;
    let asked = Asked { filters: json!({"category_id": 1}), sort: "name:asc" };
    for (limit, offset, expected) in [
        (Some(2), 0, "1 2"),
        (Some(2), 2, "7 5"),
        (Some(2), 3, "5"),
        (Some(0), 0, ""),
        (None, 1, "2 7 5"),
        (Some(u64::MAX), u64::MAX, ""),
    ] {
        let selected = asked.select(&world, &selection(), SelectPart::Offset { limit, offset }).await;
        assert_eq!((ids(&selected.rows).as_str(), selected.total), (expected, Some(4)), "{limit:?} from {offset}");
        assert_eq!((selected.previous, selected.next), (None, None));
    }
}

/// Goes from page to page; the pages, in the order in which they were read.
async fn walk(world: &World, asked: &Asked, limit: u64, from: Option<Cursor>) -> Vec<SelectedRecords> {
    let mut pages: Vec<SelectedRecords> = Vec::new();
    let (mut at, back) = (from.clone(), from.is_some_and(|from| from.back));
    loop {
        let page = asked.select(world, &selection(), SelectPart::Cursor { limit, at }).await;
        at = if back { page.previous.clone() } else { page.next.clone() };
        pages.push(page);
        assert!(pages.len() < 20, "a way without an end");
        if at.is_none() {
            return pages;
        }
    }
}

async fn cursors_lead_forth_and_back_through_any_order(database: &dyn Database) {
    let world = school(database).await;
    let sorts = [
        "",
        "id:desc",
        "name:asc",
        "name:desc",
        "start:asc",
        "start:desc",
        "is_open:desc",
        "score:asc",
        "score:desc",
        "takers:asc",
        "takers:desc",
        "category_id:asc start:desc",
        "category_id:desc start:asc name:desc",
        "start:asc category_id:asc is_open:desc",
    ];
    for (sort, filters) in sorts.iter().flat_map(|sort| [json!({}), json!({"category_id": 1})].map(|it| (*sort, it))) {
        let asked = Asked { filters, sort };
        let all = asked.all(&world).await;
        for limit in 1..=9 {
            let forth = walk(&world, &asked, limit, None).await;
            let shown: Vec<_> = forth.iter().map(|page| ids(&page.rows)).collect();
            assert_eq!(shown.join(" "), all, "{sort} by {limit}");
            assert_eq!((&forth[0].previous, forth[0].total), (&None, Some(all.split(' ').count() as u64)));
            let Some(last) = forth.last().and_then(|page| page.previous.clone()) else { continue };
            let mut back: Vec<_> = walk(&world, &asked, limit, Some(last)).await;
            back.reverse();
            let shown: Vec<_> = back.iter().map(|page| ids(&page.rows)).chain(shown.last().cloned()).collect();
            assert_eq!(shown.join(" "), all, "{sort} back by {limit}");
            assert!(back.iter().all(|page| page.next.is_some()), "{sort} back by {limit}");
        }
    }
}

async fn a_cursor_stands_where_it_stood_whatever_comes_and_goes(database: &dyn Database) {
    let world = school(database).await;
    let asked = Asked { filters: json!({}), sort: "start:asc" };
    let page = asked.select(&world, &selection(), SelectPart::Cursor { limit: 3, at: None }).await;
    assert_eq!(ids(&page.rows), "1 5 2");
    let early = json!({"id": 9, "start": "2025-01-01"});
    put(&world, vec![RecordStep::Remove(COURSE, RecordId(4)), step(COURSE, 9, &early)]).await;
    let cursor: Cursor = serde_json::from_value(serde_json::to_value(page.next.unwrap()).unwrap()).unwrap();
    let next = asked.select(&world, &selection(), SelectPart::Cursor { limit: 3, at: Some(cursor.clone()) }).await;
    assert_eq!(ids(&next.rows), "3 6 4");
    let back = Cursor { back: true, ..cursor };
    let before = asked.select(&world, &selection(), SelectPart::Cursor { limit: 2, at: Some(back) }).await;
    assert_eq!((ids(&before.rows).as_str(), before.previous.is_some()), ("1 5", true));
    for values in [json!([]), json!([7]), json!([{"a": 1}]), json!([true, "too", "many"])] {
        let cursor = Cursor { values: values.as_array().cloned().unwrap(), id: 3, back: false };
        let page = asked.select(&world, &selection(), SelectPart::Cursor { limit: 100, at: Some(cursor) }).await;
        assert!(page.rows.len() <= 8, "a cursor of another order leads to some place");
    }
}

async fn a_record_is_found_by_its_key_among_those_that_are_chosen(database: &dyn Database) {
    let world = school(database).await;
    for (key, filters, expected) in [
        ("[3]", json!({}), "3"),
        ("[3]", json!({"tag": "new"}), "3"),
        ("[3]", json!({"category_id": 1}), ""),
        ("[9]", json!({}), ""),
        ("3", json!({}), ""),
    ] {
        let asked = Asked { filters, ..Asked::default() };
        let selected = asked.select(&world, &selection(), SelectPart::Key(key.to_owned())).await;
        assert_eq!(ids(&selected.rows), expected, "{key} {}", asked.filters);
    }
    let chess = Asked::default().select(&world, &selection(), SelectPart::Key("[3]".to_owned())).await;
    assert_eq!((&chess.rows[0]["takers"], &chess.rows[0]["name"]), (&json!(3), &json!("Chess")));
}

async fn the_first_record_of_a_selection_is_held(database: &dyn Database) {
    let world = school(database).await;
    let (connection, selection, options) =
        (world.connection("demo", "school").await, selection(), json!({"places": 2}));
    for (filters, expected) in [
        (json!({}), Some((1, "[4]"))),
        (json!({"category_id": 1}), Some((2, "[1]"))),
        (json!({"takers_min": 3, "tag": "new"}), Some((5, "[3]"))),
        (json!({"ids": [99]}), None),
    ] {
        let given = Asked { filters: filters.clone(), ..Asked::default() }.given(&selection);
        let held = world.store.selected(&connection, &world.partner, &selection, &given, &options).await.unwrap();
        let held = held.map(|held| (held.id.0, held.key, held.of));
        assert_eq!(held, expected.map(|(id, key)| (id, key.to_owned(), COURSE)), "{filters}");
    }
}

async fn what_was_committed_is_read_at_once(database: &dyn Database) {
    let world = school(database).await;
    let takers = async || {
        let one = Asked::default().select(&world, &selection(), SelectPart::Key("[7]".to_owned())).await;
        let all = Asked { filters: json!({"ids": [7]}), ..Asked::default() }.select(&world, &selection(), ALL).await;
        assert_eq!(one.rows, all.rows);
        one.rows[0]["takers"].clone()
    };
    assert_eq!(takers().await, json!(0));
    for count in 1..4 {
        put(&world, vec![step(ENROLMENT, 110 + count, &json!({"id": 6 + count, "course_id": 7}))]).await;
        assert_eq!(takers().await, json!(count));
    }
    put(&world, vec![RecordStep::Remove(ENROLMENT, RecordId(112))]).await;
    assert_eq!(takers().await, json!(2));
}

async fn what_holds_an_item_is_found_whatever_becomes_of_it(database: &dyn Database) {
    let mut world = school(database).await;
    let new = Asked { filters: json!({"tag": "new"}), ..Asked::default() };
    assert_eq!(new.all(&world).await, "2 3");
    let again = |id, body: Value| match step(COURSE, id, &body) {
        RecordStep::Put(row) => RecordStep::Put(RecordRow { new: false, ..row }),
        step @ RecordStep::Remove(..) => step,
    };
    // Course 2 is the fourth that came, 3 the fifth, 5 the eighth.
    put(&world, vec![again(4, json!({"id": 2, "tags": ["lab"]})), again(8, json!({"id": 5, "tags": ["old", "new"]}))])
        .await;
    assert_eq!(new.all(&world).await, "3 5");
    put(&world, vec![again(8, json!({"id": 5}))]).await;
    put(&world, vec![RecordStep::Remove(COURSE, RecordId(5))]).await;
    assert_eq!(new.all(&world).await, "");
    let lab = Asked { filters: json!({"tag": "lab"}), ..Asked::default() };
    assert_eq!(lab.all(&world).await, "2");
    // Whether there is an index or not, and whenever it was made, the same are found.
    for indexes in [Vec::new(), vec![vec!["tags".to_owned()]]] {
        world.partner = partner();
        world.partner.records[usize::from(COURSE.0)].indexes = indexes;
        world.store.prepare_partner(&world.partner).await.unwrap();
        assert_eq!(lab.all(&world).await, "2");
    }
}

async fn a_connection_shows_nothing_of_another(database: &dyn Database) {
    let world = school(database).await;
    let theirs = world.connection("demo", "other").await;
    let records = vec![step(COURSE, 1, &json!({"id": 3})), step(ENROLMENT, 2, &json!({"id": 1, "course_id": 3}))];
    world.apply(&theirs, Plan { records, entities: Vec::new() }).await.unwrap();
    world.connection("elsewhere", "school").await;
    let options = json!({"places": 2});
    for (tenant, connection, key, expected) in [
        ("demo", "other", "[3]", json!([{"id": 3, "takers": 1}])),
        ("demo", "other", "[1]", json!([])),
        ("elsewhere", "school", "[3]", json!([])),
        ("nobody", "school", "[3]", json!([])),
        ("demo", "nowhere", "[3]", json!([])),
    ] {
        let parts = [SelectPart::Key(key.to_owned()), SelectPart::Cursor { limit: 1, at: None }];
        for part in parts {
            let (selection, given, sort) = (selection(), vec![(1, json!([key.as_bytes()[1] - b'0']))], Vec::new());
            let query = SelectQuery {
                tenant,
                connection,
                selection: &selection,
                given,
                sort,
                options: &options,
                part,
                counts: true,
            };
            let selected = world.store.select(&world.partner, &query).await.unwrap();
            assert_eq!(selected.total, Some(selected.rows.len() as u64));
            let rows: Value = selected.rows.into_iter().map(Value::Object).collect();
            assert_eq!(rows, expected, "{tenant} {connection}");
        }
    }
}

async fn a_filter_that_is_not_there_is_said(database: &dyn Database) {
    let world = school(database).await;
    let (connection, selection) = (world.connection("demo", "school").await, selection());
    let given = [(selection.filters.len(), json!(1))];
    let held = world.store.selected(&connection, &world.partner, &selection, &given, &json!({})).await;
    assert!(matches!(held, Err(StoreError::Inconsistent(_))));
}
