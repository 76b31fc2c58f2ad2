//! Calls that are decided by a component in the sandbox, over a real database: one that does as it should, and one that
//! attacks. What they decide is done whole, or nothing of it.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bundle::VersionId;
use crate::canonical::Canonical;
use crate::clock::FixedClock;
use crate::delivery::{Received, Report, Status};
use crate::description::{Partner, ProblemClass};
use crate::digest::Digest;
use crate::ingest::{Asked, Ingest, Loaded, Sender, Written};
use crate::language::render;
use crate::limits::{Limits, MapperLimits};
use crate::map::Host;
use crate::store::Store as _;
use crate::store::sqlite::{SqliteOptions, SqliteStore};

const DESCRIPTION: &str = r"
openapi: 3.1.0
info: {title: Orgs, version: '1'}
x-rollcall: {version: 1, options: {type: object, properties: {prefix: {type: string}}}}
security: [{token: []}]
paths:
  /orgs:
    get:
      operationId: survey
      x-rollcall: {list: Org, call: survey}
      responses: {'200': {description: All, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Org'}}}}}}
    post:
      operationId: found
      x-rollcall: {create: Org}
      requestBody: {$ref: '#/components/requestBodies/Org'}
      responses: {'201': {description: Founded, content: {application/json: {schema: {$ref: '#/components/schemas/Org'}}}}}
  /orgs/{id}/defend:
    put:
      operationId: defend
      x-rollcall: {update: Org, call: defend}
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: among, in: query, schema: {type: array, items: {type: string}}}
      requestBody: {$ref: '#/components/requestBodies/Org'}
      responses: {'200': {description: Defended, content: {application/json: {schema: {$ref: '#/components/schemas/Org'}}}}}
  /orgs/{id}/attack:
    put:
      operationId: attack
      x-rollcall: {update: Org, call: attack}
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [do], properties: {do: {type: string}}}}}}
      responses: {'200': {description: Attacked, content: {application/json: {schema: {$ref: '#/components/schemas/Org'}}}}}
components:
  securitySchemes: {token: {type: apiKey, in: header, name: token}}
  requestBodies:
    Org:
      required: true
      content:
        application/json:
          schema:
            type: object
            properties: {name: {type: string}, kind: {type: string}, parent: {type: integer}}
  schemas:
    Org:
      type: object
      x-rollcall: {key: id}
      properties:
        id: {type: integer, readOnly: true}
        name: {type: [string, 'null']}
        kind: {type: [string, 'null']}
        parent: {type: [integer, 'null']}
        code: {type: [string, 'null'], readOnly: true}
        was: {type: [string, 'null'], readOnly: true}
        note: {type: [string, 'null'], readOnly: true}
        at: {type: [string, 'null'], format: date-time, readOnly: true}
        children: {type: [integer, 'null'], readOnly: true}
";

static CANONICAL: LazyLock<Arc<Canonical>> = LazyLock::new(|| {
    Arc::new(Canonical::load(Path::new("../schemas/canonical")).expect("the canonical schemas are good"))
});
static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(&limits().mapper, None).expect("the sandbox starts"));

fn limits() -> Limits {
    let mapper = MapperLimits {
        fuel_base: 100_000_000,
        fuel_per_byte: 100,
        rounds_per_call_max: 5,
        records_per_call_max: 20,
        ..MapperLimits::default()
    };
    Limits { mapper, ..Limits::default() }
}

/// A connection with a few organisations: the third is a child of the first, and of kind `a`.
struct Town {
    ingest: Ingest,
    loaded: Loaded,
    sender: Sender,
    _folder: TempDir,
}

impl Town {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let described = folder.path().join("hostile");
        fs::create_dir(&described).unwrap();
        fs::write(described.join("openapi.yaml"), DESCRIPTION).unwrap();
        let partner = Partner::load(&described, &CANONICAL, &|_: &str| true);
        let partner = partner.unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
        let component = mapper_artifacts::component(mapper_artifacts::HOSTILE).unwrap();
        let mapper = HOST.load("hostile", &component, &CANONICAL).unwrap();
        mapper.check_calls(&partner).unwrap();
        let store = SqliteStore::open(&folder.path().join("town.db"), &SqliteOptions::default()).await.unwrap();
        store.prepare_canonical(&CANONICAL).await.unwrap();
        store.prepare_partner(&partner).await.unwrap();
        let clock = Arc::new(FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap()));
        let ingest = Ingest::new(Arc::new(store), Arc::clone(&CANONICAL), clock, limits());
        let options = Arc::new(json!({"prefix": "org-"}));
        let sender =
            Sender { tenant: "north".to_owned(), connection: "town".to_owned(), options, thresholds: Arc::default() };
        let town = Self {
            ingest,
            loaded: Loaded { partner, mapper, version: VersionId::of(b"town") },
            sender,
            _folder: folder,
        };
        for org in
            [json!({"name": "Hall"}), json!({"name": "Closed"}), json!({"name": "Ward", "kind": "a", "parent": 1})]
        {
            town.write("found", &json!({}), &org).await;
        }
        town
    }

    async fn write(&self, operation: &str, asked: &Value, body: &Value) -> Written {
        let operation = self.loaded.partner.operations.iter().find(|one| one.id == operation).unwrap();
        let part = |name: &str| asked[name].as_object().cloned().unwrap_or_default();
        let asked = Asked { path: part("path"), query: part("query") };
        let body: Arc<[u8]> = body.to_string().into_bytes().into();
        let received = Received {
            id: self.ingest.clock.next_id(),
            first: None,
            operation: operation.id.clone(),
            asked,
            at: self.ingest.clock.now(),
            sha256: *Digest::of(&body).as_bytes(),
            size: body.len() as u64,
            body: Some(body),
            content_encoding: None,
            queued: false,
        };
        self.ingest.write(&self.sender, &self.loaded, operation, received, false).await.unwrap()
    }

    async fn attack(&self, attack: &str) -> Report {
        self.write("attack", &json!({"path": {"id": 1}}), &json!({"do": attack})).await.report
    }

    /// All that is stored, as the partner's own logic is told of it.
    async fn survey(&self) -> Result<Vec<Value>, Report> {
        self.ingest.called_rows(&self.sender, &self.loaded, "survey", &Asked::default()).await.unwrap()
    }

    async fn names(&self) -> Vec<Value> {
        self.survey().await.unwrap().into_iter().map(|org| json!([org["id"], org["name"]])).collect()
    }
}

#[tokio::test]
async fn what_a_call_decides_is_done() {
    let town = Town::new().await;
    let asked = json!({"path": {"id": 1}, "query": {"among": ["a", "b"]}});
    let written = town.write("defend", &asked, &json!({"name": "Town hall"})).await;
    assert_eq!((written.report.status, written.report.problem), (Status::Applied, None), "{:?}", written.report);
    assert_eq!(written.told, json!({"location": "/orgs/4"}));
    assert_eq!(
        (written.key.as_deref(), &written.record),
        (Some("[1]"), &json!({"id": 1, "name": "Town hall", "children": 1}))
    );
    let made = json!({"id": 4, "code": "org-4", "was": "Hall", "at": "2026-09-01T08:00:00.000Z"});
    assert_eq!(
        town.survey().await.unwrap(),
        [json!({"id": 1, "name": "Town hall", "children": 1}), json!({"id": 2, "name": "Closed"}), made]
    );
}

#[tokio::test]
async fn calls_and_verbs_count_in_one_series() {
    let town = Town::new().await;
    for made in ["/orgs/4", "/orgs/6"] {
        let written = town.write("defend", &json!({"path": {"id": 1}}), &json!({})).await;
        assert_eq!(written.told["location"], made);
        town.write("found", &json!({}), &json!({"name": "New"})).await;
    }
    let ids: Vec<_> = town.survey().await.unwrap().into_iter().map(|org| org["id"].clone()).collect();
    assert_eq!(json!(ids), json!([1, 2, 3, 4, 5, 6, 7]));
}

#[tokio::test]
async fn what_a_call_declines_is_told_and_nothing_is_done() {
    let town = Town::new().await;
    let before = town.survey().await.unwrap();
    let written = town.write("defend", &json!({"path": {"id": 2}}), &json!({"name": "Open"})).await;
    let report = written.report;
    assert_eq!((report.status, report.problem), (Status::Rejected, Some(ProblemClass::Clash)));
    let [note] = report.rejections.as_slice() else { panic!("{report:?}") };
    assert_eq!((note.pointer.as_str(), note.code.as_str(), note.message.as_str()), ("/name", "closed", "it is closed"));
    assert_eq!(note.words["field"], "name");
    assert_eq!(town.survey().await.unwrap(), before);
}

#[tokio::test]
async fn an_attack_fails_and_changes_nothing() {
    let town = Town::new().await;
    let before = town.survey().await.unwrap();
    let table = [
        ("panic", "it panicked"),
        ("loop", "it used up its fuel"),
        ("ask-for-ever", "it asked more than 5 times"),
        ("long-name", "a name of a record type of 40000 bytes"),
        ("unknown-record", "no record type Stranger"),
        ("missing-witness", "an event of a record that is not there"),
    ];
    for (attack, why) in table {
        let report = town.attack(attack).await;
        assert_eq!((report.status, report.problem), (Status::Failed, Some(ProblemClass::Fault)), "{attack}");
        assert!(report.faults[0].message.contains(why), "{attack}: {}", report.faults[0].message);
        assert_eq!(town.survey().await.unwrap(), before, "{attack} left something behind");
    }
    let broken = town.attack("broken-record").await;
    assert_eq!((broken.status, broken.problem), (Status::Rejected, Some(ProblemClass::Invalid)));
    assert_eq!(broken.rejections[0].pointer.as_str(), "/name");
    assert_eq!(town.survey().await.unwrap(), before);

    assert_eq!(town.attack("missing-record").await.status, Status::Unchanged, "what is not there may go");
    assert_eq!(town.survey().await.unwrap(), before);
    let good = town.attack("nothing").await;
    assert_eq!(good.status, Status::Applied, "{good:?}");
    assert_eq!(town.names().await[0], json!([1, "School"]));
}

#[tokio::test]
async fn who_is_handed_too_much_fails() {
    let town = Town::new().await;
    for nth in 0..17 {
        town.write("found", &json!({}), &json!({"name": format!("House {nth}")})).await;
    }
    assert_eq!(town.survey().await.unwrap().len(), 20);
    town.write("found", &json!({}), &json!({"name": "One too many"})).await;
    let report = town.survey().await.unwrap_err();
    assert_eq!((report.status, report.problem), (Status::Failed, Some(ProblemClass::Fault)));
    assert_eq!(report.faults[0].message, "it asked for more than 20 records (`records_per_call_max`)");
}
