//! Measures what clients wait for when they read: one record by its key, and a hundred that a filter chooses out of
//! forty thousand, alone and sixty-four at a time. `cargo bench --workspace --bench select`
//!
//! A course has forty members, two of which are counted whenever it is read.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rollcall_core::delivery::{Asked, Received, Report, Status};
use rollcall_core::description::{
    Derived, Expression, FieldPath, Filter, Location, Member, Messages, Partner, RecordType, RecordTypeId, Routes,
    Selection, Sort, SortWord, Type,
};
use rollcall_core::digest::Digest;
use rollcall_core::store::read::{Cursor, Reader as _, SelectPart, SelectQuery};
use rollcall_core::store::sqlite::{Durability, SqliteOptions, SqliteStore};
use rollcall_core::store::{Commit, Finish, RecordId, RecordRow, RecordStep, Store as _};
use rollcall_core::table::{Cell, ColumnForm, Table, columns, table_name};
use serde_json::{Value, json};
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

/// Courses, and as many enrolments.
const RECORDS: i64 = 40_000;

/// Courses in a category.
const CATEGORY: i64 = 1_000;

/// Members of a course that are stored.
const MEMBERS: usize = 38;

/// Clients that ask at the same time.
const CLIENTS: usize = 64;

/// How long each figure is measured.
const TIME: Duration = Duration::from_secs(3);

const COURSE: RecordTypeId = RecordTypeId(0);
const ENROLMENT: RecordTypeId = RecordTypeId(1);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let school = Arc::new(School::open(&folder.path().join("hub.db")).await?);
    let deep = Cursor { values: vec![json!("2026-01-01T07:00:00.000Z")], id: RECORDS / 2, back: false };
    let mut out = std::io::stdout();
    for (what, part, filter, sort) in [
        ("one record by its key", SelectPart::Key("[20000]".to_owned()), None, None),
        ("a hundred of a category", SelectPart::Offset { limit: Some(100), offset: 0 }, Some(7), None),
        ("the last hundred of a category", SelectPart::Offset { limit: Some(100), offset: 900 }, Some(7), None),
        ("a hundred by date", SelectPart::Offset { limit: Some(100), offset: 0 }, None, Some(0)),
        ("a hundred by date, after a cursor", SelectPart::Cursor { limit: 100, at: Some(deep) }, None, Some(0)),
        ("a hundred by date, after 39,900", SelectPart::Offset { limit: Some(100), offset: 39_900 }, None, Some(0)),
    ] {
        let asked = Arc::new((part, filter, sort));
        for clients in [1, CLIENTS] {
            let (count, mut latencies) = measure(&school, &asked, clients).await?;
            latencies.sort_unstable();
            let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
            let rate = count / usize::try_from(TIME.as_secs())?;
            writeln!(out, "{what:<36} {clients:>3} clients {rate:>8}/s  p50 {:>10.1?}  p99 {:>10.1?}", at(50), at(99))?;
        }
    }
    Ok(())
}

/// Which part, of which category, in which order.
type Question = (SelectPart, Option<i64>, Option<usize>);

async fn measure(
    school: &Arc<School>,
    asked: &Arc<Question>,
    clients: usize,
) -> Result<(usize, Vec<Duration>), Failure> {
    let count = Arc::new(AtomicUsize::new(0));
    let until = Instant::now() + TIME;
    let client = || {
        let (school, asked, count) = (Arc::clone(school), Arc::clone(asked), Arc::clone(&count));
        async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let since = Instant::now();
                school.select(&asked).await?;
                latencies.push(since.elapsed());
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Failure>(latencies)
        }
    };
    let clients: Vec<_> = (0..clients).map(|_| tokio::spawn(client())).collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await??);
    }
    Ok((count.load(Ordering::Relaxed), latencies))
}

/// What is read.
struct School {
    store: SqliteStore,
    partner: Partner,
    selection: Selection,
}

impl School {
    async fn open(path: &Path) -> Result<Self, Failure> {
        let options = SqliteOptions { durability: Durability::Normal, ..SqliteOptions::default() };
        let store = SqliteStore::open(path, &options).await?;
        let school = Self { store, partner: partner()?, selection: selection()? };
        school.store.prepare_partner(&school.partner).await?;
        let connection = school.store.connection("demo", "school", "school").await?;
        let keys: Vec<_> = (1..=RECORDS).map(|id| format!("[{id}]")).collect();
        let report = Report::new(Status::Applied);
        let received = received();
        let commit = Commit {
            connection: &connection,
            delivery: received.id,
            at: received.at,
            next_record: 2 * RECORDS + 1,
            active: std::collections::BTreeMap::new(),
            applied: None,
            records: (1..).zip(&keys).flat_map(|(id, key)| steps(id, key)).collect(),
            gone: Vec::new(),
            waits: Vec::new(),
            entries: &[],
            entities: Vec::new(),
            pieces: None,
            report: &report,
            received: Some(&received),
            numbers: Vec::new(),
            sends: Vec::new(),
            finish: Finish::Synced,
            keeps_origins: false,
        };
        let canonical = rollcall_core::canonical::Canonical::from_kinds(Vec::new(), Digest::of(b"canonical"));
        school.store.commit(&canonical, &school.partner, commit).await?;
        school.store.prepare_partner(&school.partner).await?; // looks at what is there now
        Ok(school)
    }

    async fn select(&self, (part, filter, sort): &Question) -> Result<(), Failure> {
        let query = SelectQuery {
            tenant: "demo",
            connection: "school",
            selection: &self.selection,
            given: filter.iter().map(|category| (0, json!(category))).collect(),
            sort: sort.iter().copied().collect(),
            options: &Value::Null,
            part: part.clone(),
            counts: false,
        };
        let selected = self.store.select(&self.partner, &query).await?;
        if selected.rows.is_empty() { Err("nothing was found".into()) } else { Ok(()) }
    }
}

/// A course and an enrolment in it.
fn steps(id: i64, key: &str) -> [RecordStep<'_>; 2] {
    let texts = (3..MEMBERS).map(|nth| match nth % 3 {
        0 => Cell::Integer(id * 7),
        1 => Cell::Boolean(id % 2 == 0),
        _ => Cell::Text(format!("What is said of course {id} in member {nth}").into()),
    });
    let start = format!("{:04}-{:02}-01T07:00:00.000Z", 2020 + id % 10, 1 + id % 12);
    let course = [Cell::Integer(id), Cell::Integer(id * CATEGORY / RECORDS / 25), Cell::Text(start.into())];
    let put = |of, id, cells| {
        RecordStep::Put(RecordRow {
            of,
            id: RecordId(id),
            new: true,
            key,
            digest: Some(Digest::of(key.as_bytes())),
            ancestors: b"{}",
            cells,
            unknown: None,
            contributions: None,
            as_of: None,
        })
    };
    let enrolment = vec![Cell::Integer(id), Cell::Integer(id % 20_000)];
    [put(COURSE, id, course.into_iter().chain(texts).collect()), put(ENROLMENT, RECORDS + id, enrolment)]
}

fn members() -> Vec<(String, ColumnForm)> {
    let named = [("id", ColumnForm::Integer), ("category_id", ColumnForm::Integer), ("start", ColumnForm::Text)];
    let others = (3..MEMBERS).map(|nth| {
        let form = [ColumnForm::Integer, ColumnForm::Boolean, ColumnForm::Text][nth % 3];
        (format!("member_{nth}"), form)
    });
    named.into_iter().map(|(name, form)| (name.to_owned(), form)).chain(others).collect()
}

fn expression(source: &str) -> Result<Expression, Failure> {
    let integer = |name| Member::required(name, Type::Integer);
    let enrolment = Type::Object(vec![integer("id"), integer("course_id")]);
    let names = [Member::required("Enrolment", Type::records("Enrolment", Some("id"), enrolment)), integer("value")];
    let own = [integer("id"), integer("category_id"), integer("takers")];
    Expression::compile_beside(source, &own, &names).map_err(|fault| fault.problem.into())
}

fn partner() -> Result<Partner, Failure> {
    let key = vec![FieldPath { up: 0, path: vec!["id".to_owned()] }];
    let record = |name: &str, members: &[(String, ColumnForm)], index: &[&str]| RecordType {
        name: name.to_owned(),
        key: key.clone(),
        table: Table {
            name: table_name(&["record", "school", name]),
            columns: columns(members.iter().map(|(name, form)| (name.as_str(), *form))),
        },
        blank: true,
        indexes: index.iter().map(|member| vec![(*member).to_owned()]).collect(),
        ..RecordType::default()
    };
    let derived = [("takers", "size(Enrolment.filter(e, e.course_id == id))"), ("is_full", "takers > 1")];
    let derived = derived.map(|(name, source)| Ok(Derived { name: name.to_owned(), value: expression(source)? }));
    let derived = derived.into_iter().collect::<Result<_, Failure>>()?;
    let course = RecordType { derived, ..record("Course", &members(), &["category_id", "start"]) };
    let enrolment =
        members().drain(..2).map(|(name, form)| (name.replace("category", "course"), form)).collect::<Vec<_>>();
    Ok(Partner {
        name: "school".to_owned(),
        version: "1".to_owned(),
        digest: Digest::of(b"school"),
        operations: Vec::new(),
        operator: Vec::new(),
        messages: Messages::default(),
        records_by_type: None,
        webhooks: None,
        refuses_unknown: false,
        records: vec![course, record("Enrolment", &enrolment, &["course_id"])],
        options: None,
        document: Value::Null,
        routes: Routes::default(),
    })
}

fn selection() -> Result<Selection, Failure> {
    let filter = Filter {
        parameter: "category_id".to_owned(),
        location: Location::Query,
        condition: expression("category_id == value")?,
        default: None,
    };
    let word = SortWord { word: "start".to_owned(), member: "start".to_owned(), descending: false };
    let sort = Some(Sort { parameter: "sort".to_owned(), words: vec![word] });
    Ok(Selection { filters: vec![filter], sort, ..Selection::default() })
}

fn received() -> Received {
    Received {
        id: Uuid::nil(),
        first: None,
        operation: "fill".to_owned(),
        asked: Asked::default(),
        at: jiff::Timestamp::UNIX_EPOCH,
        body: None,
        content_encoding: None,
        sha256: [0; 32],
        size: 0,
        queued: false,
    }
}
