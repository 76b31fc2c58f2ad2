//! A connection whose records say what they say in each of two versions, and what its readers see.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::bundle::VersionId;
use crate::canonical::Canonical;
use crate::clock::FixedClock;
use crate::delivery::{Asked, Received, Report, Status};
use crate::description::Partner;
use crate::digest::Digest;
use crate::identity::Namespace;
use crate::ingest::remap::{Foreseen, Part, Place, Sample};
use crate::ingest::{Ingest, Loaded, Sender};
use crate::language::render;
use crate::limits::Limits;
use crate::map::Host;
use crate::store::Storage;
use crate::store::postgres::{PostgresOptions, PostgresStore};
use crate::store::sqlite::{SqliteOptions, SqliteStore};

const TENANT: &str = "north";
const CONNECTION: &str = "town";

const DESCRIPTION: &str = r"
openapi: 3.1.0
info: {title: Words, version: '1'}
x-rollcall: {version: 1}
security: [{token: []}]
paths:
  /attacks:
    post:
      operationId: push
      x-rollcall: {snapshot: WHAT, accept: HOW}
      requestBody: {required: true, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/WHAT'}}}}}
      responses: {'200': {description: Taken}}
components:
  securitySchemes: {token: {type: apiKey, in: header, name: token}}
  schemas:
    Attack:
      type: object
      required: [id, do]
      properties: {id: {type: integer, format: int64}, do: {type: string}, editions: {type: object}}
      x-rollcall: {key: KEY, kinds: [org]}
";

static CANONICAL: LazyLock<Arc<Canonical>> = LazyLock::new(|| {
    Arc::new(Canonical::load(Path::new("../schemas/canonical")).expect("the canonical schemas are good"))
});
static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(&Limits::default().mapper, None).expect("the sandbox starts"));
static COMPONENTS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let one = mapper_artifacts::component(mapper_artifacts::HOSTILE).expect("it is built");
    let (word, other) = (b"rollcall edition one", b"rollcall edition two");
    let places: Vec<_> = one.windows(word.len()).enumerate().filter(|(_, it)| it == word).map(|(at, _)| at).collect();
    let [place] = places[..] else { panic!("the edition stands once in the component, not {} times", places.len()) };
    let mut two = one.clone();
    two[place..place + word.len()].copy_from_slice(other);
    [one, two]
});

// Compiling takes longer than anything that is done with the result.
static ALONE: LazyLock<[Loaded; 2]> = LazyLock::new(|| loaded(Style::Alone));
static NESTED: LazyLock<[Loaded; 2]> = LazyLock::new(|| loaded(Style::Nested));

/// What records stand in where they do not stand alone.
const GROUP: &str = r"    Group:
      type: object
      required: [id]
      properties: {id: {type: integer, format: int64}, attacks: {type: array, items: {$ref: '#/components/schemas/Attack'}}}
      x-rollcall: {key: id, kinds: []}
";

/// The database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// How records are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// One by one.
    Alone,
    /// Inside of others, so that the payload is checked as a whole.
    Nested,
}

/// A version of the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

pub(super) struct Town {
    ingest: Ingest,
    reader: Arc<dyn Storage>,
    versions: &'static [Loaded; 2],
    sender: Sender,
    style: Style,
    _folder: TempDir,
    _database: Option<rollcall_test_cluster::Database>,
}

/// What readers see: entities by id, and the places of the feed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    entities: BTreeMap<Uuid, Map<String, Value>>,
    places: BTreeMap<Uuid, i64>,
}

impl Town {
    pub(super) async fn new(kind: Kind, style: Style) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = (kind == Kind::Postgres).then(rollcall_test_cluster::Database::fresh);
        let store: Arc<dyn Storage> = if let Some(database) = &database {
            let options = PostgresOptions { connections_max: 2, ..PostgresOptions::default() };
            Arc::new(PostgresStore::open(&database.url(), &options).await.unwrap())
        } else {
            let path = folder.path().join("town.db");
            Arc::new(SqliteStore::open(&path, &SqliteOptions::default()).await.unwrap())
        };
        let versions: &[Loaded; 2] = match style {
            Style::Alone => &ALONE,
            Style::Nested => &NESTED,
        };
        store.prepare_canonical(&CANONICAL).await.unwrap();
        store.prepare_partner(&versions[0].partner).await.unwrap();
        let clock = Arc::new(FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap()));
        let limits = Limits { remap_records: 2, ..Limits::default() };
        let options = Arc::new(json!({}));
        let (tenant, connection) = (TENANT.to_owned(), CONNECTION.to_owned());
        let sender = Sender { tenant, connection, options, thresholds: Arc::default() };
        let ingest = Ingest::new(store.clone(), Arc::clone(&CANONICAL), clock, limits);
        Self { ingest, reader: store, versions, sender, style, _folder: folder, _database: database }
    }

    fn version(&self, version: Version) -> &Loaded {
        &self.versions[usize::from(version == Version::Two)]
    }

    /// Sends records in a version; says the delivery's id.
    pub(super) async fn send(&self, version: Version, records: &[Value]) -> Uuid {
        let loaded = self.version(version);
        let operation = loaded.partner.operation("push").unwrap();
        let body = match self.style {
            Style::Alone => json!(records),
            Style::Nested => json!([{"id": 1, "attacks": records}]),
        };
        let body: Arc<[u8]> = body.to_string().into_bytes().into();
        let received = Received {
            id: self.ingest.clock.next_id(),
            first: None,
            operation: operation.id.clone(),
            asked: Asked::default(),
            at: self.ingest.clock.now(),
            sha256: *Digest::of(&body).as_bytes(),
            size: body.len() as u64,
            body: Some(body),
            content_encoding: None,
            queued: false,
        };
        let id = received.id;
        let report = self.ingest.run(&self.sender, loaded, operation, received, false).await.unwrap().report;
        assert!(matches!(report.status, Status::Applied | Status::Unchanged), "{report:?}");
        id
    }

    pub(super) async fn foresee(&self, from: Version, to: Version, sample: Sample) -> Foreseen {
        let (from, to) = (self.version(from), self.version(to));
        self.ingest.foresee(&self.sender, from, to, sample, &|_, _| {}).await.unwrap()
    }

    pub(super) async fn remap(&self, version: Version, parts: Vec<Part>) {
        for (nth, part) in parts.iter().enumerate() {
            let place = if nth + 1 == parts.len() { Place::Last } else { Place::Within };
            self.take(version, part, place).await;
        }
    }

    pub(super) async fn take(&self, version: Version, part: &Part, place: Place) {
        self.ingest.remap(&self.sender, self.version(version), part, place).await.unwrap();
    }

    pub(super) async fn has_begun(&self, version: Version) -> bool {
        self.ingest.has_begun_to_remap(&self.sender, self.version(version)).await.unwrap()
    }

    /// Has a remap wait for an operator.
    pub(super) async fn hold(&self, version: Version, foreseen: &Foreseen) -> (Uuid, Report) {
        let (counts, held) = (foreseen.difference.entities.clone(), foreseen.held.clone().unwrap());
        self.ingest.hold_remap(&self.sender, self.version(version), counts, held).await.unwrap()
    }

    /// Lets it begin, if it is still what was shown.
    pub(super) async fn approve(&self, version: Version, held: Uuid) -> Option<Foreseen> {
        let loaded = self.version(version);
        let connection = self.ingest.connect(&self.sender, loaded).await.unwrap();
        let call = self.ingest.store.archive().call(&connection, held).await.unwrap().unwrap();
        self.ingest.approve_remap(&self.sender, loaded, &call, false).await.unwrap()
    }

    /// What became of a delivery.
    pub(super) async fn status(&self, delivery: Uuid) -> Status {
        self.ingest.store.archive().find(delivery).await.unwrap().unwrap().delivery.status
    }

    /// What readers see now.
    pub(super) async fn state(&self) -> State {
        let mut state = State::default();
        for change in self.reader.changes(&CANONICAL, TENANT, 0, 10_000).await.unwrap() {
            let kind = CANONICAL.id(&change.kind).unwrap();
            let entity = self.reader.entity(&CANONICAL, TENANT, kind, change.sourced_id).await.unwrap().unwrap();
            state.entities.insert(change.sourced_id, entity);
            state.places.insert(change.sourced_id, change.sequence);
        }
        state
    }

    /// The deliveries that an organisation's records came by.
    pub(super) async fn origins(&self, org: &str) -> Vec<Uuid> {
        let id = Namespace::of(TENANT, CONNECTION).sourced_id("org", org);
        let kind = CANONICAL.id("org").unwrap();
        let sources = self.reader.provenance(&CANONICAL, TENANT, kind, id).await.unwrap().unwrap();
        sources.into_iter().map(|source| source.delivery).collect()
    }
}

fn loaded(style: Style) -> [Loaded; 2] {
    let folder = tempfile::tempdir().unwrap();
    [0, 1].map(|nth| {
        let mapper = HOST.load("hostile", &COMPONENTS[nth], &CANONICAL).unwrap();
        Loaded { partner: partner(folder.path(), style), mapper, version: VersionId::of(&COMPONENTS[nth]) }
    })
}

fn partner(folder: &Path, style: Style) -> Partner {
    let described = folder.join("hostile");
    fs::create_dir_all(&described).unwrap();
    let (what, how, key) = match style {
        Style::Alone => ("Attack", "each", "id"),
        Style::Nested => ("Group", "all", "[parent.id, id]"),
    };
    let mut text = DESCRIPTION.replace("WHAT", what).replace("HOW", how).replace("KEY", key);
    if style == Style::Nested {
        text.push_str(GROUP);
    }
    fs::write(described.join("openapi.yaml"), text).unwrap();
    let partner = Partner::load(&described, &CANONICAL, &|_: &str| true);
    partner.unwrap_or_else(|problems| panic!("{}", render(&problems, false)))
}

impl State {
    /// What there is, without when and where in the feed it came to be so.
    pub(super) fn entities(&self) -> BTreeMap<Uuid, Map<String, Value>> {
        self.entities.clone()
    }

    pub(super) fn active(&self) -> usize {
        self.entities.values().filter(|entity| is_active(entity)).count()
    }

    pub(super) fn created_until(&self, later: &Self) -> BTreeSet<Uuid> {
        later.entities.keys().filter(|id| !self.entities.contains_key(id)).copied().collect()
    }

    pub(super) fn removed_until(&self, later: &Self) -> BTreeSet<Uuid> {
        self.turned(later, true, false)
    }

    pub(super) fn restored_until(&self, later: &Self) -> BTreeSet<Uuid> {
        self.turned(later, false, true)
    }

    /// What says something else, with the fields in which it does.
    pub(super) fn updated_until(&self, later: &Self) -> BTreeMap<Uuid, Vec<String>> {
        let both = self.entities.iter().filter_map(|(id, was)| Some((id, was, later.entities.get(id)?)));
        let updated = both.filter(|(_, was, is)| is_active(was) && is_active(is)).map(|(id, was, is)| {
            let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
            let differing = names.into_iter().filter(|name| was.get(*name) != is.get(*name)).cloned();
            (*id, differing.collect::<Vec<_>>())
        });
        let order = |fields: &mut Vec<String>| {
            let kind = CANONICAL.kind(CANONICAL.id("org").unwrap());
            fields.sort_by_key(|name| kind.fields.iter().position(|field| field.name == *name));
        };
        let updated = updated.filter(|(_, fields)| !fields.is_empty());
        updated.map(|(id, mut fields)| (order(&mut fields), (id, fields)).1).collect()
    }

    /// What the feed tells of anew.
    pub(super) fn told_until(&self, later: &Self) -> BTreeSet<Uuid> {
        later.places.iter().filter(|(id, place)| self.places.get(id) != Some(place)).map(|(id, _)| *id).collect()
    }

    fn turned(&self, later: &Self, was_active: bool, now_active: bool) -> BTreeSet<Uuid> {
        let both = self.entities.iter().filter_map(|(id, was)| Some((id, was, later.entities.get(id)?)));
        let turned = both.filter(|(_, was, is)| is_active(was) == was_active && is_active(is) == now_active);
        turned.filter(|(_, was, is)| is_active(was) != is_active(is)).map(|(id, ..)| *id).collect()
    }
}

fn is_active(entity: &Map<String, Value>) -> bool {
    entity["status"] == "active"
}

/// The parts in another order.
pub(super) fn shuffled(parts: &[Part], seed: usize) -> Vec<Part> {
    let mut parts = parts.to_vec();
    for at in (1..parts.len()).rev() {
        parts.swap(at, (seed.wrapping_mul(31).wrapping_add(at * 17)) % (at + 1));
    }
    parts
}
