//! Who may read what, over every route that reads.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use rollcall_core::canonical::{Canonical, KindId};
use rollcall_core::clock::FixedClock;
use rollcall_core::description::Partner;
use rollcall_core::ingest::Ingest;
use rollcall_core::limits::{BundleLimits, Limits, MapperLimits};
use rollcall_core::map::Host;
use rollcall_core::store::read::{
    Change, Delivery, Entities, EntityQuery, Filter, Log, QueryError, Reader, RecordQuery, Records, SelectQuery,
    SelectedRecords, SendQuery, Sends, Source, StoredBody,
};
use rollcall_core::store::sqlite::{SqliteOptions, SqliteStore};
use rollcall_core::store::{self, StoreError, Usage};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::router;
use crate::access::Access;
use crate::admission::Admission;
use crate::app::App;
use crate::backlog::Backlog;
use crate::condition::Condition;
use crate::config::{Config, Secret};
use crate::credential::Keyring;
use crate::gathering::Gathering;
use crate::metrics::Metrics;
use crate::presence::Signals;
use crate::rebuilding::Rebuilds;
use crate::registry::Registry;
use crate::turn::Turns;
use crate::versions::Versions;
use crate::webhook::Courier;

const ID: &str = "b719ee5d-dd9f-5e92-b91c-fef06dd6cbf7";

/// Every route that reads, with what it answers when there is nothing to read.
const READS: [(&str, u16); 17] = [
    ("/api/v1/entities/user", 200),
    ("/api/v1/entities/user/ID", 404),
    ("/api/v1/entities/user/ID/provenance", 404),
    ("/api/v1/changes", 200),
    ("/api/v1/deliveries", 200),
    ("/api/v1/deliveries/ID", 404),
    ("/api/v1/deliveries/ID/body", 404),
    ("/ims/oneroster/rostering/v1p2/orgs", 200),
    ("/ims/oneroster/rostering/v1p2/schools", 200),
    ("/ims/oneroster/rostering/v1p2/academicSessions", 200),
    ("/ims/oneroster/rostering/v1p2/terms", 200),
    ("/ims/oneroster/rostering/v1p2/courses", 200),
    ("/ims/oneroster/rostering/v1p2/classes", 200),
    ("/ims/oneroster/rostering/v1p2/users", 200),
    ("/ims/oneroster/rostering/v1p2/students/ID", 404),
    ("/ims/oneroster/rostering/v1p2/teachers", 200),
    ("/ims/oneroster/rostering/v1p2/enrollments", 200),
];

/// Knows nothing, and remembers for whom it was asked.
#[derive(Default)]
struct Empty {
    asked: Mutex<Vec<String>>,
}

impl Empty {
    fn note(&self, tenant: &str) {
        self.asked.lock().unwrap().push(tenant.to_owned());
    }
}

#[async_trait]
impl Reader for Empty {
    async fn entities(&self, _: &Canonical, query: &EntityQuery) -> Result<Entities, QueryError> {
        self.note(&query.tenant);
        match &query.filter {
            Some(Filter::Compare { path, .. }) if path[0] == "nonsense" => {
                Err(QueryError::UnknownField(path[0].clone()))
            }
            _ => Ok(Entities { total: Some(0), rows: Vec::new() }),
        }
    }

    async fn entity(
        &self,
        _: &Canonical,
        tenant: &str,
        _: KindId,
        _: Uuid,
    ) -> Result<Option<Map<String, Value>>, StoreError> {
        self.note(tenant);
        Ok(None)
    }

    async fn provenance(
        &self,
        _: &Canonical,
        tenant: &str,
        _: KindId,
        _: Uuid,
    ) -> Result<Option<Vec<Source>>, StoreError> {
        self.note(tenant);
        Ok(None)
    }

    async fn changes(&self, _: &Canonical, tenant: &str, _: i64, _: u32) -> Result<Vec<Change>, StoreError> {
        self.note(tenant);
        Ok(Vec::new())
    }

    async fn horizon(&self, _: &str) -> Result<i64, StoreError> {
        Ok(0)
    }

    async fn deliveries(
        &self,
        tenant: &str,
        _: Option<&str>,
        _: Option<Uuid>,
        _: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.note(tenant);
        Ok(Vec::new())
    }

    async fn delivery(&self, tenant: &str, _: Uuid) -> Result<Option<Delivery>, StoreError> {
        self.note(tenant);
        Ok(None)
    }

    async fn records(&self, _: &Partner, _: &RecordQuery) -> Result<Records, StoreError> {
        Ok(Records { total: 0, rows: Vec::new() })
    }

    async fn select(&self, _: &Partner, _: &SelectQuery<'_>) -> Result<SelectedRecords, StoreError> {
        Ok(SelectedRecords::default())
    }

    async fn sends(&self, _: &SendQuery<'_>) -> Result<Sends, StoreError> {
        Ok(Sends::default())
    }

    async fn log(&self, _: &str, _: &str, _: Uuid, _: u64, _: u64) -> Result<Option<Log>, StoreError> {
        Ok(None)
    }

    async fn body(&self, tenant: &str, _: Uuid) -> Result<Option<StoredBody>, StoreError> {
        self.note(tenant);
        Ok(None)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        panic!("a panic that no caller may read")
    }

    async fn backlog(&self) -> Result<store::Backlog, StoreError> {
        Ok(store::Backlog::default())
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// A server without partners.
struct Server {
    app: Arc<App>,
    reader: Arc<Empty>,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn new() -> Self {
        let key = Secret::from("k".repeat(32));
        let digest = |credential: &str| Keyring::new(&key).digest(credential).to_string();
        let yaml = format!(
            "operators: {{o: [{}]}}\ntenants: {{north: {{readers: {{r: [{}]}}, connections: {{c: {{partner: p, credentials: \
             [{}]}}}}}}, south: {{readers: {{r: [{}]}}}}}}",
            digest("operator"),
            digest("north"),
            digest("sender"),
            digest("south"),
        );
        let config = Config { credential_key: key.clone(), ..serde_yaml::from_str(&yaml).unwrap() };
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("hub.db"), &SqliteOptions::default()).await.unwrap();
        let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/canonical");
        let reader = Arc::new(Empty::default());
        let app = App {
            config: Arc::new(config.clone()),
            process: Uuid::nil(),
            access: ArcSwap::from_pointee(Access::new(&config).unwrap()),
            registry: Registry::default(),
            shadows: crate::shadow::Shadows::default(),
            versions: Versions::new(Host::new(&MapperLimits::default(), None).unwrap(), BundleLimits::default()),
            ingest: Arc::new(Ingest::new(
                Arc::new(store),
                Arc::new(Canonical::load(&schemas).unwrap()),
                Arc::new(FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap())),
                Limits::default(),
            )),
            reader: Arc::clone(&reader) as Arc<dyn Reader>,
            admission: Admission::new(&Limits::default()),
            backlog: Backlog::new(&Limits::default()),
            condition: Condition::default(),
            sample: Duration::from_secs(10),
            gathering: Gathering::default(),
            turns: Turns::new(&Limits::default()),
            bell: tokio::sync::Notify::new(),
            hands: Arc::default(),
            signals: Signals::default(),
            courier: Courier::new(&config).unwrap(),
            metrics: Metrics::install().unwrap(),
            rebuilds: Rebuilds::default(),
            remaps: crate::remapping::Remaps::default(),
            scratch: folder.path().to_owned(),
            public_url: None,
            ready: AtomicBool::new(true),
        };
        Self { app: Arc::new(app), reader, _folder: folder }
    }

    async fn get(&self, path: &str, credential: Option<&str>) -> Response {
        let mut request = Request::get(path.replace("ID", ID)).header("host", "hub.example");
        if let Some(credential) = credential {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        router(Arc::clone(&self.app)).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// The status, and the tenants that were read for it.
    async fn reads(&self, path: &str, credential: Option<&str>) -> (u16, Vec<String>) {
        let response = self.get(path, credential).await;
        (response.status().as_u16(), std::mem::take(&mut *self.reader.asked.lock().unwrap()))
    }
}

async fn body(response: Response) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap()
}

#[tokio::test]
async fn every_read_is_of_the_callers_own_tenant() {
    let server = Server::new().await;
    let of = |tenant: &str| vec![tenant.to_owned()];
    for (path, found) in READS {
        let with = |tenant: &str| format!("{path}?tenant={tenant}");
        for (asked, credential, expected) in [
            (path.to_owned(), None, (401, vec![])),
            (path.to_owned(), Some("nobody"), (401, vec![])),
            (path.to_owned(), Some("sender"), (403, vec![])),
            (path.to_owned(), Some("north"), (found, of("north"))),
            (with("north"), Some("north"), (found, of("north"))),
            (with("south"), Some("north"), (403, vec![])),
            (path.to_owned(), Some("south"), (found, of("south"))),
            (path.to_owned(), Some("operator"), (400, vec![])),
            (with("south"), Some("operator"), (found, of("south"))),
            (with("east"), Some("operator"), (404, vec![])),
        ] {
            assert_eq!(server.reads(&asked, credential).await, expected, "{asked} by {credential:?}");
        }
    }
}

#[tokio::test]
async fn figures_are_for_operators() {
    let server = Server::new().await;
    for (credential, expected) in [(None, 401), (Some("north"), 403), (Some("sender"), 403), (Some("operator"), 200)] {
        assert_eq!(server.get("/metrics", credential).await.status(), expected, "{credential:?}");
    }
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing() {
    let server = Server::new().await;
    let response = server.get("/readyz", None).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!body(response).await.to_string().contains("panic"));
    server.app.set_ready(false);
    assert_eq!(server.get("/readyz", None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.get("/healthz", None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_in_the_shape_of_its_api() {
    let server = Server::new().await;
    for path in ["/", "/nobody", "/nobody/here", "/api", "/api/v1", "/api/v1/nothing", "/api/v1/entities/nothing"] {
        let response = server.get(path, Some("north")).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        assert!(response.headers().contains_key("x-request-id"));
    }
    for (path, status, code) in [
        ("/nothing", 404, "unknownobject"),
        ("/users/not-an-id", 404, "unknownobject"),
        ("/a/b/c", 404, "unknownobject"),
        ("/users?limit=0", 400, "invaliddata"),
        ("/users?offset=-1", 400, "invaliddata"),
        ("/users?orderBy=up", 400, "invaliddata"),
        ("/users?fields=sourcedId,nonsense", 400, "invalid_selection_field"),
        ("/users?filter=nonsense", 400, "invalid_filter_field"),
        ("/users?filter=nonsense%3D'1'", 400, "invalid_filter_field"),
        ("/users?sort=nonsense", 400, "invaliddata"),
        ("/users?tenant=south", 403, "forbidden"),
    ] {
        let response = server.get(&format!("/ims/oneroster/rostering/v1p2{path}"), Some("north")).await;
        assert_eq!(response.status(), status, "{path}");
        let body = body(response).await;
        assert_eq!(body["imsx_codeMajor"], "failure");
        assert_eq!(body["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"], code, "{path}");
    }
}

#[tokio::test]
async fn collections_are_wrapped_counted_and_linked() {
    let server = Server::new().await;
    let response = server.get("/ims/oneroster/rostering/v1p2/students?limit=5", Some("north")).await;
    assert_eq!(response.headers()["x-total-count"], "0");
    let link = response.headers()["link"].to_str().unwrap();
    assert!(link.starts_with("<http://hub.example/ims/oneroster/rostering/v1p2/students?limit=5&offset=0>"), "{link}");
    assert_eq!(body(response).await, json!({"users": []}));
    let response = server.get("/api/v1/entities/user", Some("north")).await;
    assert_eq!(response.headers()["x-total-count"], "0");
    assert_eq!(body(response).await, json!({"entities": [], "next": null}));
}
