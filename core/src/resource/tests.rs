//! A library that is written record by record: publishers, books with chapters, readers, notes about any of them.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Changes, Desk, Members, Stop};
use crate::canonical::Canonical;
use crate::clock::{Clock as _, FixedClock};
use crate::delivery::{Asked, Received, Report, Status};
use crate::description::{
    At, By, Computation, Computed, Constraint, Expression, FieldPath, Keying, Member, Messages, Missing, Partner,
    ProblemClass, RecordType, RecordTypeId, Reference, Routes, Rule, Step, Type, WhenGone,
};
use crate::digest::Digest;
use crate::fixture;
use crate::record::digest_alone;
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Commit, Finish, RecordId, RecordRow, RecordStep, Store as _};
use crate::table::{ColumnForm, Table, columns, table_name};
use crate::validate::Schema;

const PUBLISHER: RecordTypeId = RecordTypeId(0);
const BOOK: RecordTypeId = RecordTypeId(1);
const READER: RecordTypeId = RecordTypeId(2);
const NOTE: RecordTypeId = RecordTypeId(3);

fn record_type(name: &str, properties: &[(&str, ColumnForm)], schema: &Value) -> RecordType {
    RecordType {
        name: name.to_owned(),
        key: vec![FieldPath { up: 0, path: vec!["id".to_owned()] }],
        table: Table { name: table_name(&["record", "library", name]), columns: columns(properties.iter().copied()) },
        schema: Schema::compile(schema, "").unwrap(),
        keying: Keying::Counted,
        blank: true,
        ..RecordType::default()
    }
}

fn computed(name: &str, value: Computation, at: At) -> Computed {
    Computed { path: Vec::new(), name: name.to_owned(), value, reads: Vec::new(), at, is_own: true }
}

fn reference(name: &str, to: RecordTypeId, by: By, gone: WhenGone) -> Reference {
    Reference { name: name.to_owned(), to, by, when: None, missing: Missing::Refuse, gone }
}

fn by_key(name: &str) -> By {
    By::Key(vec![vec![name.to_owned()]])
}

fn partner() -> Partner {
    use ColumnForm::{Integer, Json, Text};
    let title = Expression::compile("title", &[Member::required("title", Type::Text)]).unwrap();
    let publishers = record_type("Publisher", &[("id", Integer), ("name", Text)], &json!({"required": ["name"]}));
    let books = RecordType {
        computed: vec![
            computed("shelf_mark", Computation::Next(Vec::new()), At::Create),
            computed("slug", Computation::Slug(title), At::Create),
            computed("place", Computation::Next(vec!["publisher".to_owned()]), At::Create),
            computed("titles", Computation::History("title".to_owned()), At::Write),
            computed("changed", Computation::Now, At::Write),
            Computed {
                path: vec![Step::Member("chapters".to_owned()), Step::Items],
                ..computed("added", Computation::Now, At::Create)
            },
        ],
        defaults: json!({"language": "en"}).as_object().cloned().unwrap(),
        counted: vec![("chapters".to_owned(), "id".to_owned())],
        rules: vec![Rule { code: "taken".to_owned(), constraint: Constraint::Unique(vec!["isbn".to_owned()]) }],
        references: vec![
            reference("publisher", PUBLISHER, by_key("publisher"), WhenGone::Refuse),
            reference("readers", READER, By::Items("readers".to_owned()), WhenGone::Unset),
        ],
        ..record_type(
            "Book",
            &[
                ("id", Integer),
                ("title", Text),
                ("publisher", Integer),
                ("isbn", Text),
                ("place", Integer),
                ("shelf_mark", ColumnForm::Number),
                ("slug", Text),
                ("language", Text),
                ("changed", Text),
                ("titles", Json),
                ("chapters", Json),
                ("readers", Json),
            ],
            &json!({"required": ["title"], "properties": {"title": {"type": "string"}, "isbn": {"maxLength": 13}}}),
        )
    };
    let readers = record_type("Reader", &[("id", Integer), ("name", Text)], &json!({}));
    let about = |says: &str, to| {
        let (own, word, says) = ("subject".to_owned(), "kind".to_owned(), says.to_owned());
        reference("subject", to, By::Word { own, word, says }, WhenGone::Cascade)
    };
    let notes = RecordType {
        references: vec![about("book", BOOK), about("reader", READER)],
        ..record_type("Note", &[("id", Integer), ("kind", Text), ("subject", Integer)], &json!({}))
    };
    Partner {
        operator: Vec::new(),
        records_by_type: None,
        messages: Messages::default(),
        webhooks: None,
        refuses_unknown: false,
        name: "library".to_owned(),
        version: "1".to_owned(),
        digest: Digest::of(b"library"),
        operations: Vec::new(),
        records: vec![publishers, books, readers, notes],
        options: None,
        document: Value::Null,
        routes: Routes::default(),
    }
}

/// One thing that a client asks for.
enum Ask {
    /// A new record, or another state of the one whose `id` is among its members.
    Put(RecordTypeId, Value),
    /// That it goes.
    Remove(RecordTypeId, i64),
}

struct Library {
    store: SqliteStore,
    _folder: TempDir,
    partner: Partner,
    canonical: Canonical,
    options: Value,
    believes: bool,
}

impl Library {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("library.db"), &SqliteOptions::default()).await.unwrap();
        let (partner, canonical) = (partner(), fixture::canonical());
        store.prepare_canonical(&canonical).await.unwrap();
        store.prepare_partner(&partner).await.unwrap();
        Self { store, _folder: folder, partner, canonical, options: json!({}), believes: false }
    }

    /// Does all of it, or nothing; at this second of the first hour.
    async fn ask(&self, second: u8, asks: Vec<Ask>) -> Result<(), (ProblemClass, Vec<String>)> {
        let connection = self.store.connection("demo", "library", "library").await.unwrap();
        let clock = FixedClock::at(format!("2026-09-01T08:00:{second:02}Z").parse().unwrap());
        let desk = Desk {
            store: &self.store,
            connection: &connection,
            partner: &self.partner,
            options: &self.options,
            clock: &clock,
            now: clock.now(),
            depth_max: 16,
            notes_max: 10,
            believes: self.believes,
        };
        let mut changes = Changes::new(desk);
        for ask in asks {
            match ask {
                Ask::Remove(of, id) => changes.remove(of, &format!("[{id}]")).await.unwrap(),
                Ask::Put(of, members) => {
                    let sent = members.as_object().unwrap().clone();
                    let before = match changes.key(of, &sent) {
                        Ok(key) => changes.look(of, &key).await.unwrap().after.clone(),
                        Err(_) => None,
                    };
                    let mut members = before.clone().unwrap_or_default();
                    members.extend(sent);
                    let members = changes.complete(of, members, before.as_ref()).await.unwrap();
                    changes.put(of, members, true).await.unwrap();
                }
            }
        }
        match changes.settle().await {
            Ok(()) => {}
            Err(Stop::Rejected(class, notes)) => {
                return Err((class, notes.iter().map(|note| format!("{} {}", note.pointer, note.code)).collect()));
            }
            Err(other) => panic!("{other}"),
        }
        self.commit(&changes, &clock).await;
        Ok(())
    }

    async fn commit(&self, changes: &Changes<'_>, clock: &FixedClock) {
        let (reconciled, state) = changes.finish(None);
        let (connection, setting) = (changes.desk().connection, Digest::of(b""));
        let types = &self.partner.records;
        let of = |id: RecordTypeId| &types[usize::from(id.0)];
        let records: Vec<_> =
            reconciled.present.iter().map(|resulting| resulting.record(of(resulting.of), setting, 16)).collect();
        let mut next = connection.next_record;
        let mut steps = Vec::new();
        for record in &records {
            let held = state.get(record.of, &record.key);
            let (cells, unknown) = record.row(of(record.of));
            let id = held.map_or(RecordId(next), |held| held.id);
            next += i64::from(held.is_none());
            steps.push(RecordStep::Put(RecordRow {
                of: record.of,
                id,
                new: held.is_none(),
                key: &record.key,
                digest: Some(digest_alone(of(record.of), &record.content.read(), setting)),
                ancestors: &record.ancestors,
                cells,
                unknown,
                contributions: Some(b"".into()),
                as_of: None,
            }));
        }
        steps.extend(reconciled.gone.iter().map(|gone| RecordStep::Remove(gone.of, gone.id)));
        let received = Received {
            id: clock.next_id(),
            first: None,
            operation: "write".to_owned(),
            asked: Asked::default(),
            at: clock.now(),
            body: Some(b"{}".as_slice().into()),
            content_encoding: None,
            sha256: *Digest::of(b"{}").as_bytes(),
            size: 2,
            queued: false,
        };
        let commit = Commit {
            connection,
            delivery: received.id,
            at: clock.now(),
            next_record: next,
            active: connection.active.clone(),
            applied: None,
            records: steps,
            gone: Vec::new(),
            waits: Vec::new(),
            entries: &[],
            entities: Vec::new(),
            pieces: None,
            report: &Report::new(Status::Applied),
            received: Some(&received),
            numbers: changes.numbers().clone().into_iter().collect(),
            sends: Vec::new(),
            finish: Finish::Committed,
            keeps_origins: false,
        };
        self.store.commit(&self.canonical, &self.partner, commit).await.unwrap();
        self.store.synced().await.unwrap();
    }

    /// What is stored of a record.
    async fn get(&self, of: RecordTypeId, id: i64) -> Option<Members> {
        let connection = self.store.connection("demo", "library", "library").await.unwrap();
        let held = self.store.records_by_key(&connection, &self.partner, of, &[format!("[{id}]")]).await.unwrap();
        let held = held.into_iter().next().flatten()?;
        let bodies = self.store.bodies(&connection, &self.partner, of, &[held.id]).await.unwrap();
        Some(serde_json::from_slice(&bodies[0]).unwrap())
    }

    /// One of its members.
    async fn member(&self, of: RecordTypeId, id: i64, name: &str) -> Value {
        self.get(of, id).await.and_then(|members| members.get(name).cloned()).unwrap_or_default()
    }
}

fn publisher(name: &str) -> Ask {
    Ask::Put(PUBLISHER, json!({"name": name}))
}

fn book(members: Value) -> Ask {
    Ask::Put(BOOK, members)
}

fn told(class: ProblemClass, notes: &[&str]) -> Result<(), (ProblemClass, Vec<String>)> {
    Err((class, notes.iter().map(|&note| note.to_owned()).collect()))
}

#[tokio::test]
async fn the_server_fills_in_what_is_its_own() {
    let library = Library::open().await;
    library.ask(0, vec![publisher("P"), publisher("Q")]).await.unwrap();
    let first =
        json!({"title": "A Book", "publisher": 1, "chapters": [{"name": "one"}, {"name": "two"}], "isbn": null});
    library.ask(1, vec![book(first), book(json!({"title": "A book!", "publisher": 1}))]).await.unwrap();
    library.ask(2, vec![book(json!({"title": "Other", "publisher": 2, "language": "nl"}))]).await.unwrap();
    let chapter = |id: u8, name: &str, second: u8| json!({"id": id, "name": name, "added": format!("2026-09-01T08:00:0{second}.000Z")});
    let wanted = json!({
        "id": 1, "title": "A Book", "publisher": 1, "chapters": [chapter(1, "one", 1), chapter(2, "two", 1)],
        "language": "en", "slug": "a-book", "place": 1, "shelf_mark": 1, "titles": [], "changed": "2026-09-01T08:00:01.000Z",
    });
    assert_eq!(library.get(BOOK, 1).await.map(Value::Object), Some(wanted));
    let second = [library.member(BOOK, 2, "slug").await, library.member(BOOK, 2, "place").await];
    assert_eq!(second, [json!("a-book-2"), json!(2)]);
    let third = [library.member(BOOK, 3, "place").await, library.member(BOOK, 3, "language").await];
    assert_eq!(third, [json!(1), json!("nl")]);
    assert_eq!(library.member(BOOK, 3, "shelf_mark").await, 3, "counted over all publishers");

    library.ask(3, vec![book(json!({"id": 1, "title": "A Tome", "chapters": [{"name": "three"}]}))]).await.unwrap();
    let after = library.get(BOOK, 1).await.unwrap();
    assert_eq!((&after["slug"], &after["titles"]), (&json!("a-book"), &json!(["A Book"])));
    assert_eq!((&after["chapters"], &after["place"]), (&json!([chapter(3, "three", 3)]), &json!(1)));
    assert_eq!(after["changed"], "2026-09-01T08:00:03.000Z");
}

#[tokio::test]
async fn what_is_written_as_it_is_leaves_no_trace() {
    let library = Library::open().await;
    library.ask(0, vec![publisher("P"), book(json!({"title": "A", "publisher": 1}))]).await.unwrap();
    library.ask(9, vec![book(json!({"id": 1, "title": "A"}))]).await.unwrap();
    assert_eq!(library.member(BOOK, 1, "changed").await, "2026-09-01T08:00:00.000Z");
}

#[tokio::test]
async fn numbers_are_never_given_again() {
    let library = Library::open().await;
    library.ask(0, vec![publisher("P"), publisher("Q")]).await.unwrap();
    library.ask(1, vec![Ask::Remove(PUBLISHER, 2)]).await.unwrap();
    library.ask(2, vec![publisher("R")]).await.unwrap();
    assert_eq!(library.get(PUBLISHER, 2).await, None);
    assert_eq!(library.member(PUBLISHER, 3, "name").await, "R");
}

#[tokio::test]
async fn a_reference_leads_somewhere() {
    use ProblemClass::Invalid;
    let library = Library::open().await;
    library.ask(0, vec![publisher("P"), Ask::Put(READER, json!({"name": "R"}))]).await.unwrap();
    let table = [
        (json!({"title": "A", "publisher": 2}), told(Invalid, &["/publisher reference"])),
        (json!({"title": "A", "readers": [1, 7]}), told(Invalid, &["/readers/1 reference"])),
        (
            json!({"publisher": 9, "isbn": "12345678901234"}),
            told(Invalid, &[" required", "/isbn maxLength", "/publisher reference"]),
        ),
        (json!({"title": "A", "publisher": 1, "readers": [1]}), Ok(())),
    ];
    for (members, wanted) in table {
        assert_eq!(library.ask(1, vec![book(members.clone())]).await, wanted, "{members}");
    }
    let note = |kind: &str, subject| vec![Ask::Put(NOTE, json!({"kind": kind, "subject": subject}))];
    assert_eq!(library.ask(2, note("book", 2)).await, told(Invalid, &["/subject reference"]));
    assert_eq!(library.ask(2, note("reader", 1)).await, Ok(()));
    // What is written together may refer to each other.
    assert_eq!(library.ask(3, vec![book(json!({"title": "B", "publisher": 2})), publisher("Q")]).await, Ok(()));
}

#[tokio::test]
async fn what_goes_takes_along_or_stays() {
    let library = Library::open().await;
    let reader = |name: &str| Ask::Put(READER, json!({"name": name}));
    library.ask(0, vec![publisher("P"), reader("A"), reader("B")]).await.unwrap();
    library.ask(1, vec![book(json!({"title": "T", "publisher": 1, "readers": [1, 2]}))]).await.unwrap();
    let about = |kind: &str| Ask::Put(NOTE, json!({"kind": kind, "subject": 1}));
    library.ask(2, vec![about("book"), about("reader"), about("book")]).await.unwrap();

    let refused = library.ask(3, vec![Ask::Remove(PUBLISHER, 1)]).await;
    assert_eq!(refused, told(ProblemClass::Clash, &[" referenced"]));
    library.ask(4, vec![Ask::Remove(READER, 1)]).await.unwrap();
    assert_eq!(library.member(BOOK, 1, "readers").await, json!([2]), "the list has lost its item");
    assert_eq!(library.member(BOOK, 1, "changed").await, "2026-09-01T08:00:04.000Z");
    assert_eq!(library.get(NOTE, 2).await, None, "its note went along");
    assert!(library.get(NOTE, 1).await.is_some());
    library.ask(5, vec![Ask::Remove(BOOK, 1)]).await.unwrap();
    assert_eq!((library.get(NOTE, 1).await, library.get(NOTE, 3).await), (None, None));
    library.ask(6, vec![Ask::Remove(PUBLISHER, 1)]).await.unwrap();
}

#[tokio::test]
async fn only_one_has_what_only_one_may_have() {
    let library = Library::open().await;
    let isbn = |title: &str, isbn: &str| book(json!({"title": title, "isbn": isbn}));
    library.ask(0, vec![isbn("A", "1"), isbn("B", "2")]).await.unwrap();
    let taken = told(ProblemClass::Invalid, &["/isbn taken"]);
    assert_eq!(library.ask(1, vec![isbn("C", "1")]).await, taken);
    assert_eq!(library.ask(1, vec![book(json!({"id": 2, "isbn": "1"}))]).await, taken);
    assert_eq!(library.ask(1, vec![isbn("C", "3"), isbn("D", "3")]).await.unwrap_err().1.len(), 2);
    let swap = vec![book(json!({"id": 1, "isbn": "2"})), book(json!({"id": 2, "isbn": "1"}))];
    assert_eq!(library.ask(2, swap).await, Ok(()), "both change hands at once");
    assert_eq!(library.ask(3, vec![book(json!({"title": "no number"})), book(json!({"title": "none"}))]).await, Ok(()));
}

#[tokio::test]
async fn what_comes_from_elsewhere_is_believed() {
    let mut library = Library::open().await;
    library.believes = true;
    library.ask(0, vec![book(json!({"id": 70, "title": "T", "publisher": 5, "slug": "its-own"}))]).await.unwrap();
    let wanted = json!({"id": 70, "title": "T", "publisher": 5, "slug": "its-own"});
    assert_eq!(library.get(BOOK, 70).await.map(Value::Object), Some(wanted));
    library.believes = false;
    library.ask(1, vec![book(json!({"id": 70, "title": "U"}))]).await.unwrap();
    assert_eq!(library.member(BOOK, 70, "title").await, "U", "what led nowhere before is not looked at again");
}
