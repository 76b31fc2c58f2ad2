mod databases;
mod grammar;

use std::cell::{Cell, RefCell};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use self::databases::{Database, PostgresDatabase, SqliteMemory};
use self::grammar::{expressions, stored};
use super::{Column, Scope, computed, condition};
use crate::description::{
    Derived, Expression, FieldPath, Keying, Member, Messages, Partner, RecordType, RecordTypeId, Routes, Type,
};
use crate::digest::Digest;
use crate::store::sql::parts::Parts;
use crate::store::sql::quoted;
use crate::table::{ColumnForm, Table, columns, table_name};

fn list(of: Type) -> Type {
    Type::List(Box::new(of))
}

/// What a course says; the last ones are derived.
fn course() -> Vec<Member> {
    let guest = vec![Member::required("user_id", Type::Integer), Member::optional("name", Type::Text)];
    vec![
        Member::required("id", Type::Integer),
        Member::required("name", Type::Text),
        Member::optional("category_id", Type::nullable(Type::Integer)),
        Member::optional("cost", Type::nullable(Type::Text)),
        Member::optional("places", Type::nullable(Type::Integer)),
        Member::optional("weight", Type::Number),
        Member::optional("is_open", Type::Boolean),
        Member::optional("labels", list(Type::Integer)),
        Member::optional("tags", list(Type::Text)),
        Member::optional("place", Type::Object(vec![Member::optional("city", Type::Text)])),
        Member::optional("guests", list(Type::Object(guest))),
        Member::required("takers", Type::Integer),
        Member::optional("free", Type::nullable(Type::Boolean)),
        Member::optional("cheapest", Type::nullable(Type::Text)),
    ]
}

fn category() -> Vec<Member> {
    vec![
        Member::required("id", Type::Integer),
        Member::optional("title", Type::nullable(Type::Text)),
        Member::optional("parent_id", Type::nullable(Type::Integer)),
        Member::optional("is_open", Type::Boolean),
        Member::required("size", Type::Integer),
    ]
}

fn enrolment() -> Vec<Member> {
    vec![
        Member::required("id", Type::Integer),
        Member::required("course_id", Type::Integer),
        Member::optional("student_id", Type::nullable(Type::Integer)),
        Member::optional("status", Type::Text),
        Member::optional("cost", Type::Text),
    ]
}

/// A record type: its name, what its records say, and which of that is derived, and how.
type Described = (&'static str, fn() -> Vec<Member>, &'static [(&'static str, &'static str)]);

const RECORDS: [Described; 3] = [
    (
        "Course",
        course,
        &[
            ("takers", "size(Enrolment.filter(e, e.course_id == id && e.status in ['a', 'b']))"),
            ("free", "places == null || takers < places"),
            ("cheapest", "Enrolment.filter(e, e.course_id == id).min(e, e.cost)"),
        ],
    ),
    ("Category", category, &[("size", "size(Course.filter(c, c.category_id == id))")]),
    ("Enrolment", enrolment, &[]),
];

/// What expressions may speak of beside a record's members.
fn names() -> Vec<Member> {
    let options = vec![
        Member::required("word", Type::Text),
        Member::required("number", Type::Integer),
        Member::optional("flag", Type::Boolean),
    ];
    let records = RECORDS
        .map(|(name, members, _)| Member::required(name, Type::records(name, Some("id"), Type::Object(members()))));
    let mut names = records.to_vec();
    names.push(Member::required("options", Type::Object(options)));
    names.push(Member::required("value", list(Type::Integer)));
    names
}

fn options() -> Value {
    json!({"word": "a", "number": 2})
}

fn value() -> Value {
    json!([1, 3])
}

fn compile(source: &str, own: &[Member]) -> Result<Expression, crate::description::Fault> {
    Expression::compile_beside(source, own, &names())
}

fn partner() -> Partner {
    let records = RECORDS.map(|(name, members, derived)| {
        let derived: Vec<_> = derived
            .iter()
            .map(|(name, source)| Derived { name: (*name).to_owned(), value: compile(source, &members()).unwrap() })
            .collect();
        let stored = members();
        let stored = stored.iter().filter(|member| !derived.iter().any(|derived| derived.name == member.name));
        let columns = columns(stored.map(|member| (member.name.as_str(), form(&member.of))));
        RecordType {
            name: name.to_owned(),
            key: vec![FieldPath { up: 0, path: vec!["id".to_owned()] }],
            table: Table { name: table_name(&["record", "school", name]), columns },
            keying: Keying::Counted,
            blank: true,
            derived,
            // With and without a table of the items of a list.
            indexes: if name == "Course" { vec![vec!["tags".to_owned()]] } else { Vec::new() },
            ..RecordType::default()
        }
    });
    Partner {
        name: "school".to_owned(),
        version: "1".to_owned(),
        digest: Digest::of(b"school"),
        operations: Vec::new(),
        operator: Vec::new(),
        records_by_type: None,
        messages: Messages::default(),
        webhooks: None,
        refuses_unknown: false,
        records: records.into(),
        options: None,
        document: Value::Null,
        routes: Routes::default(),
    }
}

fn form(of: &Type) -> ColumnForm {
    match of {
        Type::Nullable(of) => form(of),
        Type::Text => ColumnForm::Text,
        Type::Integer => ColumnForm::Integer,
        Type::Number => ColumnForm::Number,
        Type::Boolean => ColumnForm::Boolean,
        _ => ColumnForm::Json,
    }
}

/// Records of the three types.
#[derive(Debug, Clone)]
struct Stored([Vec<Map<String, Value>>; 3]);

/// What evaluation makes of an expression for each course; what has no value is `null`.
fn evaluated(expression: &Expression, partner: &Partner, stored: &Stored) -> Vec<Value> {
    let mut lists = stored.0.clone();
    // Derived members speak of others: as often as one may speak of another.
    for _ in 0..3 {
        let context = context(&lists);
        for (record, rows) in partner.records.iter().zip(&mut lists) {
            for row in rows {
                for derived in &record.derived {
                    let mut names = context.clone();
                    names.extend(row.clone());
                    row.insert(derived.name.clone(), derived.value.evaluate(&names.into()).unwrap_or_default());
                }
            }
        }
    }
    let context = context(&lists);
    let of_row = |row: &Map<String, Value>| {
        let mut names = context.clone();
        names.extend(row.clone());
        expression.evaluate(&names.into()).unwrap_or_default()
    };
    lists[0].iter().map(of_row).collect()
}

fn context(lists: &[Vec<Map<String, Value>>; 3]) -> Map<String, Value> {
    let mut context = Map::from_iter([("options".to_owned(), options()), ("value".to_owned(), value())]);
    for ((name, _, _), rows) in RECORDS.iter().zip(lists) {
        context.insert((*name).to_owned(), rows.iter().cloned().map(Value::Object).collect());
    }
    context
}

fn scope<'s>(partner: &'s Partner, options: &'s Value, value: &'s Value) -> Scope<'s> {
    Scope { partner, of: RecordTypeId(0), row: "r", options, value: Some(value) }
}

/// Numbers that are the same are the same value, however they are spelled.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

/// Fails unless the database says of the courses of a connection what evaluation says.
fn agrees(source: &str, partner: &Partner, stored: &Stored, database: &mut dyn Database, connection: i64) {
    let expression = compile(source, &course()).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
    let expected = evaluated(&expression, partner, stored);
    let (options, value) = (options(), value());
    let (dialect, of) = (database.dialect(), database.whose(connection));
    let (table, whose) = (quoted(&partner.records[0].table.name), dialect.of_connection("r"));
    let mut parts = Parts::of(dialect, of);
    let Column { sql, form } = computed(&expression, scope(partner, &options, &value), &mut parts).unwrap();
    let question = parts.ask(format!("select {sql} from {table} r where {whose} order by r._id"));
    let found = database.asked(&question, form);
    let (found, wanted): (Vec<_>, Vec<_>) =
        (found.into_iter().map(plain).collect(), expected.iter().cloned().map(plain).collect());
    assert_eq!(found, wanted, "{source}\n{}\n{stored:?}", &*question.sql);
    if expression.is_condition() {
        let mut parts = Parts::of(dialect, of);
        let sql = condition(&expression, scope(partner, &options, &value), &mut parts).unwrap();
        let question = parts.ask(format!("select r._id from {table} r where {whose} and {sql} order by r._id"));
        let found = database.asked(&question, ColumnForm::Integer);
        let holds = (0..).zip(&expected).filter(|(_, value)| **value == json!(true)).map(|(id, _)| json!(id));
        assert_eq!(found, holds.collect::<Vec<Value>>(), "{source}\n{}\n{stored:?}", &*question.sql);
    }
}

fn some_rows() -> Stored {
    let rows = |rows: Value| rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect();
    Stored([
        rows(json!([
            {"id": 1, "name": "Ada [1]", "category_id": 1, "cost": "9.50", "places": 2, "weight": 1.5, "is_open": true,
             "labels": [1, 2], "tags": ["a", "a", "b"], "place": {"city": "Oslo"}, "guests": [{"user_id": 3, "name": "X"}, {"user_id": 4}]},
            {"id": 2, "name": "bob", "category_id": 2, "cost": "10", "is_open": false, "labels": [], "tags": ["b"], "place": {}},
            {"id": 3, "name": "École", "cost": "free", "places": 0, "weight": 2},
        ])),
        rows(json!([{"id": 1, "title": "t", "parent_id": 2, "is_open": true}, {"id": 2}])),
        rows(json!([
            {"id": 1, "course_id": 1, "student_id": 3, "status": "a", "cost": "10.00"},
            {"id": 2, "course_id": 1, "student_id": 1, "status": "b", "cost": "9"},
            {"id": 3, "course_id": 3, "status": "c"},
        ])),
    ])
}

/// One of everything.
const EXPRESSIONS: &[&str] = &[
    "id",
    "name",
    "weight",
    "is_open",
    "labels",
    "takers",
    "free",
    "cheapest",
    "place.city",
    "labels[0]",
    "places == null",
    "places != 2",
    "!(places == 2)",
    "places < 1",
    "!(places < 1)",
    "is_open && places == 2",
    "!is_open",
    "!(is_open && places == null)",
    "is_open ? 'x' : name",
    "is_open && is_open ? null : null",
    "is_open && is_open ? decimal(options.word) < 1 : decimal(options.word) > 1",
    "(is_open ? decimal(options.word) < 1.5 : options.number < decimal(options.word)) && id == 1",
    "is_open ? decimal(options.word) < weight : name == 'bob'",
    "name + cost",
    "id + 1",
    "-id",
    "weight + 1",
    "size(name)",
    "size(labels)",
    "string(id) + string(is_open)",
    "decimal(cost)",
    "decimal(cost) >= 9.5",
    "id in value",
    "!(places in value)",
    "name in ['bob', options.word]",
    "category_id in [places, 1]",
    "options.number in labels",
    "labels.exists(l, l in value)",
    "value.exists(v, v in labels)",
    "7 in labels",
    "'a' in tags",
    "!('a' in tags)",
    "options.word in tags",
    "tags.exists(t, t in ['a', 'b'])",
    "tags.exists(t, t == options.word)",
    "!tags.exists(t, t == 'b')",
    "Course.exists(c, c.id != id && 'a' in c.tags)",
    "name in tags",
    "Course[1].tags",
    "'a' in Course[category_id].tags",
    "category_id in labels",
    "Category[category_id].title",
    "Category[category_id].title == 't'",
    "Category[category_id].size in [1, 2]",
    "Category[Category[category_id].parent_id].size",
    "Category[category_id] == null",
    "has(Category[category_id].is_open)",
    "Category[9].title",
    "Category[category_id]",
    "Enrolment.filter(e, e.course_id == id)[0]",
    "Enrolment.filter(e, e.course_id == id)[7]",
    "Category[category_id].is_open",
    "!Category[category_id].is_open",
    "!free",
    "free",
    "Enrolment.exists(e, e.course_id == id)",
    "Enrolment.exists(e, e.course_id == id && e.student_id in value)",
    "!Enrolment.exists(e, e.course_id == id && e.student_id == 3)",
    "Enrolment.exists(e, e.student_id == places && e.status == 'a')",
    "Enrolment.exists(e, e.student_id == category_id && e.status != 'a')",
    "size(Enrolment)",
    "size(Enrolment.filter(e, e.course_id == id).filter(e, e.status == 'a'))",
    "Enrolment.filter(e, e.course_id == id)[1].status",
    "Enrolment.filter(e, e.course_id > id)[0].cost",
    "Enrolment.min(e, e.cost)",
    "Enrolment.max(e, e.cost)",
    "Enrolment.sum(e, e.student_id)",
    "Enrolment.filter(e, e.course_id == id).sum(e, e.id)",
    "Enrolment.filter(e, e.course_id == id).max(e, e.student_id)",
    "Course.exists(c, Enrolment.exists(e, e.course_id == c.id && e.student_id == places))",
    "Course.filter(c, c.free && c.id != id)[0].takers",
    "Course.min(c, c.weight)",
    "guests.exists(g, g.user_id == 4)",
    "guests.filter(g, g.user_id > 3)[0].name",
    "guests[0].name",
    "size(guests)",
    "guests.exists(g, !has(g.name))",
    "glob('*[1*', name)",
    "glob('?' + options.word, name)",
    "search('É', name)",
    "search('O', name, place.city)",
    "!search('o', place.city)",
    "search('%', name)",
    "options.flag",
    "!options.flag || id == 1",
    "options.flag && id == 1",
    "id == 1 || options.flag",
    "options.word == 'a'",
    "options.number + id",
    "options.flag ? id : 0",
    "options.number == 2 ? cost : name",
    "cost == null ? name : cost",
    "places == null ? weight : 1",
    "'a' == options.word && name == 'bob'",
    "(places == null) == is_open",
    "(places < 1) == null",
    "places == category_id",
    "places != category_id",
    "name == 'bob' || cost < name",
    "cost in [null, 'free']",
    "has(cost) && !has(guests)",
    "value",
    "[1, 2]",
    "size(value) + id",
    "Category[options.number].is_open == null",
    "Category.filter(k, k.size > 0)[7].title",
];

/// How many random expressions are computed at least.
const CASES: u32 = 400;

fn computes_what_evaluation_does(database: &mut dyn Database) {
    let (partner, stored) = (partner(), some_rows());
    database.keep(&partner, &stored, 1);
    for source in EXPRESSIONS {
        agrees(source, &partner, &stored, database, 1);
    }
}

fn computes_what_evaluation_does_whatever_is_said(database: &mut dyn Database) {
    let partner = partner();
    let (database, connections) = (RefCell::new(database), Cell::new(0));
    let asked = ProptestConfig::default();
    let mut runner = TestRunner::new(ProptestConfig { cases: asked.cases.max(CASES), ..asked });
    let computes = runner.run(&(expressions(), stored()), |(source, stored)| {
        connections.set(connections.get() + 1);
        let database = &mut **database.borrow_mut();
        database.keep(&partner, &stored, connections.get());
        match compile(&source, &course()) {
            Ok(_) => agrees(&source, &partner, &stored, database, connections.get()),
            Err(fault) => prop_assert!(fault.problem.contains("at most"), "{source}: {fault:?}"),
        }
        Ok(())
    });
    computes.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn sqlite_computes_what_evaluation_does() {
    computes_what_evaluation_does(&mut SqliteMemory::new(&partner()));
}

#[test]
fn postgres_computes_what_evaluation_does() {
    computes_what_evaluation_does(&mut PostgresDatabase::new(&partner()));
}

#[test]
fn whatever_is_said_of_whatever_is_stored_sqlite_computes_what_evaluation_does() {
    computes_what_evaluation_does_whatever_is_said(&mut SqliteMemory::new(&partner()));
}

#[test]
fn whatever_is_said_of_whatever_is_stored_postgres_computes_what_evaluation_does() {
    computes_what_evaluation_does_whatever_is_said(&mut PostgresDatabase::new(&partner()));
}
