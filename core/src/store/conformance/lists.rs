//! Lists of random records, by random filters, in a random order, page by page: they are what one gets who looks at each
//! record, keeps those for which the conditions hold, sorts them and counts them off.

use std::cmp::Ordering;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::sample::{Plan, World, branch};
use super::selections::{ALL, COURSE, COURSE_MEMBERS, ENROLMENT, ENROLMENT_MEMBERS, cells, partner, selection};
use super::{Database, PostgresDatabase, conformance};
use crate::description::{RecordTypeId, Selection, VALUE};
use crate::store::read::{Cursor, SelectPart, SelectQuery, SelectedRecords};
use crate::store::{RecordRow, RecordStep};
use crate::table::ColumnForm;

conformance!(lists_are_what_one_gets_who_looks_at_each_record);

#[tokio::test]
async fn lists_are_the_same_whatever_order_a_database_prefers() {
    let database = PostgresDatabase(rollcall_test_cluster::Database::fresh_in_natural_order());
    let order = "select string_agg(t, '' order by t) from unnest(array['a', 'B']) t";
    assert_eq!(database.0.texts(order).unwrap(), ["aB"], "by their bytes");
    lists_are_what_one_gets_who_looks_at_each_record(&database).await;
}

/// How many random lists are looked at.
const CASES: usize = 100;

/// Records, and what is asked of them.
#[derive(Debug, Clone)]
struct Case {
    courses: Vec<Map<String, Value>>,
    enrolments: Vec<Map<String, Value>>,
    /// Places of filters, with what they are given.
    given: Vec<(usize, Value)>,
    /// Places of words of the sort.
    sort: Vec<usize>,
    /// Rows on a page.
    limit: u64,
    /// Rows left out before.
    offset: u64,
}

fn values(form: ColumnForm) -> BoxedStrategy<Value> {
    let text = |texts: &'static [&str]| prop::sample::select(texts).prop_map(Value::from);
    match form {
        ColumnForm::Integer => (0_i64..4).prop_map(Value::from).boxed(),
        ColumnForm::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        ColumnForm::Number => {
            prop::sample::select(vec![json!(1.5), json!(2), json!(2.0), json!(-3), json!(10)]).boxed()
        }
        ColumnForm::Json => prop::collection::vec(text(&["new", "lab"]), 0..3).prop_map(Value::from).boxed(),
        ColumnForm::Text | ColumnForm::Id => {
            text(&["2026-01-01", "2026-02-01", "Ada", "ada", "Émile", "", "10", "9"]).boxed()
        }
    }
}

/// Records with these members, each of which may be absent but for the first, their number.
fn records(members: &'static [(&str, ColumnForm)], most: usize) -> impl Strategy<Value = Vec<Map<String, Value>>> {
    let others = members[1..]
        .iter()
        .map(|(name, form)| prop::option::of(values(*form)).prop_map(move |value| Some(((*name).to_owned(), value?))));
    prop::collection::vec(others.collect::<Vec<_>>(), 0..most).prop_map(|records| {
        let numbered = |(number, record): (usize, Vec<Option<(String, Value)>>)| {
            record.into_iter().flatten().chain([("id".to_owned(), json!(number))]).collect()
        };
        records.into_iter().enumerate().map(numbered).collect()
    })
}

/// What the parameter of this name may say.
fn asked(parameter: &str) -> BoxedStrategy<Value> {
    match parameter {
        "category_id" | "takers_min" => values(ColumnForm::Integer),
        "ids" => prop::collection::vec(0_i64..12, 0..6).prop_map(Value::from).boxed(),
        "tag" => values(ColumnForm::Json).prop_map(|tags| tags.get(0).cloned().unwrap_or(json!("old"))).boxed(),
        "open" => values(ColumnForm::Boolean),
        "score" => values(ColumnForm::Number),
        _ => values(ColumnForm::Text),
    }
}

fn cases(selection: &Selection) -> impl Strategy<Value = Case> + use<> {
    let words = selection.sort.as_ref().unwrap().words.len();
    let filters = selection.filters.iter().enumerate().map(|(at, filter)| {
        let value = asked(&filter.parameter);
        // Few at a time: with all of them hardly anything would be left.
        prop::option::weighted(0.15, value).prop_map(move |value| Some((at, value?)))
    });
    let given = filters.collect::<Vec<_>>().prop_map(|given| given.into_iter().flatten().collect());
    let sort = prop::collection::vec(0..words, 0..4);
    (records(&COURSE_MEMBERS, 14), records(&ENROLMENT_MEMBERS, 14), given, sort, 1_u64..5, 0_u64..8).prop_map(
        |(courses, enrolments, given, sort, limit, offset)| Case { courses, enrolments, given, sort, limit, offset },
    )
}

fn options() -> Value {
    json!({"places": 2})
}

impl Case {
    /// The courses that are chosen, in their order, by looking at each.
    fn expected(&self, world: &World, selection: &Selection) -> Vec<Value> {
        let sort = selection.sort.as_ref().unwrap();
        let courses = self.derived(world);
        let context = self.context(&courses);
        let mut chosen: Vec<_> = courses
            .iter()
            .filter(|course| {
                self.given.iter().all(|(at, value)| {
                    let mut names = context.clone();
                    names.extend((*course).clone());
                    names.insert(VALUE.to_owned(), value.clone());
                    selection.filters[*at].condition.holds(&names.into())
                })
            })
            .collect();
        // They are in the order of their arrival; the sort keeps it where it finds no difference.
        let is_backwards = self.sort.first().is_some_and(|at| sort.words[*at].descending);
        if is_backwards {
            chosen.reverse();
        }
        chosen.sort_by(|one, other| {
            let orders = self.sort.iter().map(|at| {
                let asked = &sort.words[*at];
                let order = order(one.get(&asked.member), other.get(&asked.member));
                if asked.descending { order.reverse() } else { order }
            });
            orders.fold(Ordering::Equal, Ordering::then)
        });
        chosen.into_iter().map(|course| course["id"].clone()).collect()
    }

    /// The courses, with what is derived of them.
    fn derived(&self, world: &World) -> Vec<Map<String, Value>> {
        let mut courses = self.courses.clone();
        for derived in &world.partner.records[usize::from(COURSE.0)].derived {
            let context = self.context(&courses);
            for course in &mut courses {
                let mut names = context.clone();
                names.extend(course.clone());
                course.insert(derived.name.clone(), derived.value.evaluate(&names.into()).unwrap_or_default());
            }
        }
        courses
    }

    fn context(&self, courses: &[Map<String, Value>]) -> Map<String, Value> {
        let list = |records: &[Map<String, Value>]| records.iter().cloned().map(Value::Object).collect();
        Map::from_iter([
            ("options".to_owned(), options()),
            ("Course".to_owned(), list(courses)),
            ("Enrolment".to_owned(), list(&self.enrolments)),
        ])
    }

    /// Stores the records, in a connection of their own.
    async fn store(&self, world: &World, connection: &str) {
        let connection = world.connection("demo", connection).await;
        let step = |of: RecordTypeId, number: usize, members: &[_], record: &Map<String, Value>| {
            let key: &'static str = format!("[{}]", record["id"]).leak();
            let id = i64::try_from(number).unwrap();
            RecordStep::Put(RecordRow { of, cells: cells(members, &record.clone().into()), ..branch(id, key, "") })
        };
        let courses =
            self.courses.iter().zip(1..).map(|(course, number)| step(COURSE, number, &COURSE_MEMBERS, course));
        let enrolments = self
            .enrolments
            .iter()
            .zip(101..)
            .map(|(enrolment, number)| step(ENROLMENT, number, &ENROLMENT_MEMBERS, enrolment));
        let plan = Plan { records: courses.chain(enrolments).collect(), entities: Vec::new() };
        world.apply(&connection, plan).await.unwrap();
    }

    async fn select(
        &self,
        world: &World,
        connection: &str,
        selection: &Selection,
        part: SelectPart,
    ) -> SelectedRecords {
        let (options, given, sort) = (options(), self.given.clone(), self.sort.clone());
        let query =
            SelectQuery { tenant: "demo", connection, selection, given, sort, options: &options, part, counts: true };
        world.store.select(&world.partner, &query).await.unwrap()
    }
}

/// What is absent stands last.
fn order(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one.filter(|one| !one.is_null()), other.filter(|other| !other.is_null())) {
        (Some(Value::String(one)), Some(Value::String(other))) => one.cmp(other),
        (Some(Value::Bool(one)), Some(Value::Bool(other))) => one.cmp(other),
        (Some(one), Some(other)) => one.as_f64().partial_cmp(&other.as_f64()).unwrap(),
        (one, other) => one.is_none().cmp(&other.is_none()),
    }
}

fn ids(selected: &SelectedRecords) -> Vec<Value> {
    selected.rows.iter().map(|row| row["id"].clone()).collect()
}

async fn lists_are_what_one_gets_who_looks_at_each_record(database: &dyn Database) {
    let mut world = World::new(database).await;
    world.partner = partner();
    world.store.prepare_partner(&world.partner).await.unwrap();
    let (selection, mut runner) = (selection(), TestRunner::default());
    let cases = cases(&selection);
    for nth in 0..CASES {
        let case = cases.new_tree(&mut runner).unwrap().current();
        let connection = format!("school-{nth}");
        case.store(&world, &connection).await;
        let expected = case.expected(&world, &selection);
        let total = Some(expected.len() as u64);
        let all = case.select(&world, &connection, &selection, ALL).await;
        assert_eq!((ids(&all), all.total), (expected.clone(), total), "{case:?}");

        let part = SelectPart::Offset { limit: Some(case.limit), offset: case.offset };
        let page = case.select(&world, &connection, &selection, part).await;
        let at = |number: u64| usize::try_from(number).unwrap();
        let wanted: Vec<_> = expected.iter().skip(at(case.offset)).take(at(case.limit)).cloned().collect();
        assert_eq!((ids(&page), page.total), (wanted, total), "{case:?}");

        let forth = walk(&world, &connection, &selection, &case, None).await;
        assert_eq!(forth.concat(), expected, "forth: {case:?}");
        assert!(forth.iter().rev().skip(1).all(|page| page.len() as u64 == case.limit), "{case:?}");
    }
}

/// The pages from one to the next, and back again from the last, which has to show the same.
async fn walk(
    world: &World,
    connection: &str,
    selection: &Selection,
    case: &Case,
    mut at: Option<Cursor>,
) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    loop {
        let part = SelectPart::Cursor { limit: case.limit, at };
        let page = case.select(world, connection, selection, part).await;
        pages.push(ids(&page));
        assert!(pages.len() < 20, "a way without an end: {case:?}");
        let Some(next) = page.next else {
            at = page.previous;
            break;
        };
        at = Some(next);
    }
    for page in pages.iter().rev().skip(1) {
        assert!(at.is_some(), "no way back: {case:?}");
        let part = SelectPart::Cursor { limit: case.limit, at };
        let back = case.select(world, connection, selection, part).await;
        assert_eq!(ids(&back), *page, "back: {case:?}");
        at = back.previous;
    }
    assert_eq!(at, None, "{case:?}");
    pages
}
