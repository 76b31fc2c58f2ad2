//! Measures what a school of 4,800 students costs the store: 202 records and 11,241 entities in one commit, read back,
//! written again. `cargo bench --workspace --bench store`
//!
//! Every figure is the least and the median of several rounds in milliseconds; each round starts with an empty
//! database: an SQLite file, or one of a PostgreSQL server that waits for the disk.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use rollcall_core::canonical::{Canonical, KindId};
use rollcall_core::clock::{Clock as _, SystemClock};
use rollcall_core::delivery::{Asked, Received, Report, Status};
use rollcall_core::description::{Messages, Partner, RecordType, RecordTypeId, Routes};
use rollcall_core::digest::Digest;
use rollcall_core::identity::Namespace;
use rollcall_core::store::postgres::{PostgresOptions, PostgresStore};
use rollcall_core::store::sqlite::{Durability, SqliteOptions, SqliteStore};
use rollcall_core::store::{
    Commit, Connection, EntityLink, EntityRow, EntityStep, Finish, RecordId, RecordRow, RecordStep, Storage,
};
use rollcall_core::table::{Cell, ColumnForm, Table, columns, table_name};
use rollcall_test_cluster::{Cluster, Database, Settings};
use rusqlite::types::Value as SqlValue;
use serde_json::Value;
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

/// Rounds per setting.
const ROUNDS: usize = 11;

/// Records of the payload.
const RECORDS: usize = 202;

/// Properties and their values.
type Filled = &'static [(&'static str, &'static str)];

/// Kind, how many entities, and the fields that have a value; references take the entity's own id.
const KINDS: [(&str, usize, Filled); 5] = [
    ("org", 1, &[("name", "North"), ("type", "school"), ("identifier", "10")]),
    ("course", 280, &[("title", "Grade 1"), ("courseCode", "1"), ("org", "")]),
    (
        "class",
        160,
        &[
            ("title", "Grade 1 A"),
            ("classType", "homeroom"),
            ("course", ""),
            ("school", ""),
            ("subjects", r#"["Arabic","Mathematics","Science"]"#),
            ("terms", "[]"),
        ],
    ),
    (
        "user",
        5_040,
        &[
            ("enabledUser", "true"),
            ("givenName", "Student"),
            ("familyName", "Number One"),
            ("email", "student.1@school.example"),
            ("identifier", "1000001"),
            ("primaryOrg", ""),
            ("roles", r#"[{"org":"7a0c16a4-9f0e-5a4b-8f57-3f1d5c0e2b11","role":"student","roleType":"primary"}]"#),
            ("metadata", r#"{"name":"Student Number One"}"#),
        ],
    ),
    ("enrollment", 5_760, &[("role", "student"), ("user", ""), ("class", ""), ("school", "")]),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let school = School::new()?;
    for durability in [Durability::Full, Durability::Normal] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let folder = tempfile::tempdir()?;
            rounds.push(school.round_on_sqlite(&folder.path().join("hub.db"), durability).await?);
        }
        tell(&format!("SQLite, synchronous = {durability:?}"), rounds)?;
    }
    let cluster = Cluster::start(&Settings::default())?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(school.round_on_postgres(&cluster.database()?).await?);
    }
    tell("PostgreSQL, synchronous_commit = on", rounds)
}

/// What was done, and how many milliseconds it took.
type Laps = Vec<(&'static str, f64)>;

/// Prints the least and the median of each lap.
fn tell(title: &str, rounds: Vec<Laps>) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let mut timings: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (what, milliseconds) in rounds.into_iter().flatten() {
        timings.entry(what).or_default().push(milliseconds);
    }
    writeln!(out, "{title}")?;
    for (what, mut milliseconds) in timings {
        milliseconds.sort_by(f64::total_cmp);
        writeln!(out, "  {what:<48} {:>8.2} {:>8.2}", milliseconds[0], milliseconds[ROUNDS / 2])?;
    }
    Ok(())
}

/// What is written.
struct School {
    canonical: Canonical,
    partner: Partner,
    body: Vec<u8>,
    records: Vec<(String, String, Vec<u8>)>,
    entities: Vec<(KindId, Uuid, String)>,
}

impl School {
    fn new() -> Result<Self, Failure> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/canonical");
        let canonical = Canonical::load(&folder).map_err(|problems| format!("{problems:?}"))?;
        let ids = Namespace::of("demo", "school");
        let mut entities = Vec::new();
        for (kind, count, _) in KINDS {
            let id = canonical.id(kind).ok_or("a kind is missing")?;
            entities.extend((0..count).map(|nth| {
                let source_id = format!("branch:10/{kind}:{nth}");
                (id, ids.sourced_id(kind, &source_id), source_id)
            }));
        }
        entities.sort();
        let student = r#"{"name_user":"Student Number One","user_email":"one@school.example","user_no":1234567}"#;
        Ok(Self {
            canonical,
            partner: partner(),
            body: (0..6_800).flat_map(|nth| student.replace("1234567", &format!("{nth:07},")).into_bytes()).collect(),
            records: (0..RECORDS)
                .map(|nth| (format!("[10,{nth}]"), format!("[{}]", [student; 33].join(",")), vec![7; 5_000]))
                .collect(),
            entities,
        })
    }

    async fn round_on_sqlite(&self, path: &Path, durability: Durability) -> Result<Laps, Failure> {
        let watch = Watch::start();
        let store = SqliteStore::open(path, &SqliteOptions { durability, ..SqliteOptions::default() }).await?;
        let mut laps = self.round(&store, watch).await?;
        store.close().await;
        laps.push(("11 insert 11,241 entities plainly, never synced", self.insert_plainly(path)?));
        Ok(laps)
    }

    async fn round_on_postgres(&self, database: &Database) -> Result<Laps, Failure> {
        let watch = Watch::start();
        let store = PostgresStore::open(&database.url(), &PostgresOptions::default()).await?;
        let laps = self.round(&store, watch).await?;
        store.close().await;
        Ok(laps)
    }

    async fn round(&self, store: &dyn Storage, mut watch: Watch) -> Result<Laps, Failure> {
        store.prepare_canonical(&self.canonical).await?;
        store.prepare_partner(&self.partner).await?;
        let connection = store.connection("demo", "school", "library").await?;
        watch.lap("01 open and prepare an empty database");
        let first = self.receive(store, &connection).await?;
        watch.lap("02 receive 585 KB");
        let commit = self.commit(&connection, first, |_| true, true);
        watch.lap("");
        store.commit(&self.canonical, &self.partner, commit).await?;
        watch.lap("03 commit 202 records and 11,241 entities");

        let connection = store.connection("demo", "school", "library").await?;
        store.held_records(&connection, &self.partner).await?;
        watch.lap("04 hold 202 records");
        let asked: Vec<_> = self.entities.iter().map(|(kind, id, _)| (*kind, *id)).collect();
        store.held_entities(&connection, &self.canonical, &asked).await?;
        watch.lap("05 hold 11,241 entities");
        let asked: Vec<_> = (1..=202).map(|id| (RecordTypeId(0), RecordId(id))).collect();
        store.contributions(&connection, &self.partner, &asked).await?;
        watch.lap("06 read 202 contributions");

        let again = self.receive(store, &connection).await?;
        watch.lap("07 receive the same 585 KB");
        store.settle(again, Timestamp::now(), &Report::new(Status::Unchanged), &[]).await?;
        watch.lap("08 settle as unchanged");
        let third = self.receive(store, &connection).await?;
        let commit = self.commit(&connection, third, |nth| nth == 0, false);
        watch.lap("");
        store.commit(&self.canonical, &self.partner, commit).await?;
        watch.lap("09 commit one record and one entity");
        let connection = store.connection("demo", "school", "library").await?;
        let fourth = self.receive(store, &connection).await?;
        let commit = self.commit(&connection, fourth, |_| true, false);
        watch.lap("");
        store.commit(&self.canonical, &self.partner, commit).await?;
        watch.lap("10 update 202 records and 11,241 entities");
        Ok(watch.laps)
    }

    /// What the entities cost without checks and durability: copies of their rows into tables with nothing but a key.
    fn insert_plainly(&self, path: &Path) -> Result<f64, Failure> {
        let mut database = rusqlite::Connection::open(path)?;
        database.pragma_update(None, "synchronous", "off")?;
        let mut tables = Vec::new();
        for kind in self.canonical.kinds() {
            let name = &kind.table.name;
            database.execute_batch(&format!(
                "create table plain_{name} as select * from {name} where false;
                 create unique index plain_{name}_key on plain_{name} (_tenant, _sourced_id)"
            ))?;
            let mut statement = database.prepare(&format!("select * from {name}"))?;
            let width = statement.column_count();
            let parameters = vec!["?"; width].join(", ");
            let mut rows = statement.query([])?;
            let mut copies = Vec::new();
            while let Some(row) = rows.next()? {
                copies.push((0..width).map(|nth| row.get(nth)).collect::<Result<Vec<SqlValue>, _>>()?);
            }
            tables.push((format!("insert into plain_{name} values ({parameters})"), copies));
        }
        let since = Instant::now();
        let transaction = database.transaction()?;
        for (sql, rows) in &tables {
            let mut statement = transaction.prepare_cached(sql)?;
            for row in rows {
                statement.execute(rusqlite::params_from_iter(row))?;
            }
        }
        transaction.commit()?;
        Ok(since.elapsed().as_secs_f64() * 1_000.0)
    }

    async fn receive(&self, store: &dyn Storage, connection: &Connection) -> Result<Uuid, Failure> {
        let received = Received {
            id: SystemClock.next_id(),
            first: None,
            operation: "mirror".to_owned(),
            asked: Asked::default(),
            at: Timestamp::now(),
            body: Some(self.body.clone().into()),
            content_encoding: None,
            sha256: [1; 32],
            size: self.body.len() as u64,
            queued: false,
        };
        store.receive(connection, &received).await?;
        Ok(received.id)
    }

    fn commit<'a>(
        &'a self,
        connection: &'a Connection,
        delivery: Uuid,
        wanted: impl Fn(usize) -> bool,
        new: bool,
    ) -> Commit<'a> {
        let report = Box::leak(Box::new(Report::new(Status::Applied)));
        let records = self.records.iter().enumerate().filter(|(nth, _)| wanted(*nth));
        let entities = self.entities.iter().enumerate().filter(|(nth, _)| wanted(*nth));
        Commit {
            connection,
            delivery,
            at: Timestamp::now(),
            next_record: 203,
            active: BTreeMap::new(),
            applied: None,
            records: records
                .map(|(nth, (key, students, contributions))| {
                    RecordStep::Put(RecordRow {
                        of: RecordTypeId(0),
                        id: RecordId(i64::try_from(nth).unwrap_or_default() + 1),
                        new,
                        key,
                        digest: Some(Digest::of(key.as_bytes())),
                        ancestors: b"{\"id\":1,\"parent\":{\"id\":10}}",
                        cells: vec![text("A"), text(students)],
                        unknown: None,
                        contributions: Some(contributions.as_slice().into()),
                        as_of: None,
                    })
                })
                .collect(),
            gone: Vec::new(),
            waits: Vec::new(),
            entries: &[],
            entities: entities.map(|(nth, entity)| EntityStep::Put(self.entity(nth, entity, new))).collect(),
            pieces: None,
            report,
            received: None,
            numbers: Vec::new(),
            sends: Vec::new(),
            finish: Finish::Synced,
            keeps_origins: false,
        }
    }

    fn entity<'a>(&'a self, nth: usize, (kind, id, source_id): &'a (KindId, Uuid, String), new: bool) -> EntityRow<'a> {
        let of = self.canonical.kind(*kind);
        let filled = KINDS.iter().find(|(name, ..)| *name == of.name).map_or(&[][..], |(_, _, filled)| filled);
        let cells = of.table.columns.iter().map(|column| {
            match (filled.iter().find(|(property, _)| *property == column.property), column.form) {
                (None, _) => Cell::Null,
                (Some(_), ColumnForm::Id) => Cell::Id(*id),
                (Some((_, value)), ColumnForm::Boolean) => Cell::Boolean(*value == "true"),
                (Some((_, value)), _) => text(value),
            }
        });
        let cells = cells.collect();
        let contributor = RecordId(i64::try_from(nth % RECORDS).unwrap_or_default() + 1);
        EntityRow {
            link: EntityLink { kind: *kind, sourced_id: *id, uniform: true, contributors: vec![contributor] },
            new,
            source_id: source_id.into(),
            digest: Digest::of(source_id.as_bytes()),
            cells,
        }
    }
}

fn partner() -> Partner {
    let properties = [("name", ColumnForm::Text), ("students", ColumnForm::Json)];
    Partner {
        name: "library".to_owned(),
        version: "1".to_owned(),
        digest: Digest::of(b"library"),
        operations: Vec::new(),
        records: vec![RecordType {
            name: "Section".to_owned(),
            table: Table { name: table_name(&["record", "library", "Section"]), columns: columns(properties) },
            ..RecordType::default()
        }],
        operator: Vec::new(),
        records_by_type: None,
        messages: Messages::default(),
        webhooks: None,
        refuses_unknown: false,
        options: None,
        document: Value::Null,
        routes: Routes::default(),
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

/// Times what happens between two laps.
struct Watch {
    since: Instant,
    laps: Laps,
}

impl Watch {
    fn start() -> Self {
        Self { since: Instant::now(), laps: Vec::new() }
    }

    /// Notes what has just been done; nothing where it has no name.
    fn lap(&mut self, what: &'static str) {
        if !what.is_empty() {
            self.laps.push((what, self.since.elapsed().as_secs_f64() * 1_000.0));
        }
        self.since = Instant::now();
    }
}
