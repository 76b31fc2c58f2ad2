//! A whole server in one process, for tests: a database in a temporary folder, a partner whose records say what its
//! mapper shall do, one tenant with two connections, and clients of them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use mapper_artifacts::HOSTILE;
use rollcall_core::clock::{Clock, FixedClock};
use rollcall_core::store::read::Delivery;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::{JoinHandle, yield_now};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::app::App;
use crate::config::{Config, Secret};
use crate::credential::Keyring;
use crate::routes::router;
use crate::start::start;
use crate::{webhook, worker};

/// The tenant.
pub(crate) const TENANT: &str = "north";

/// What the partner's routes start with.
pub(crate) const PARTNER: &str = HOSTILE;

/// A place for a server.
pub(crate) struct Site {
    folder: Arc<TempDir>,
    /// Shared by all servers that start here one after the other: no id is drawn twice.
    pub(crate) clock: Arc<FixedClock>,
    /// What it will be told. Change it before the start.
    pub(crate) config: Config,
}

/// A server that runs in this process. Its folder is there as long as it is.
pub(crate) struct Server {
    /// What it works with.
    pub(crate) app: Arc<App>,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    _folder: Arc<TempDir>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The delivery that it names.
    pub(crate) delivery: Option<Uuid>,
    pub(crate) headers: HeaderMap,
    /// Its body; `null` if there is none.
    pub(crate) body: Value,
}

impl Site {
    /// An empty database; the connections `school` and `annex`, whose credentials are their names, and an operator.
    pub(crate) fn new() -> Self {
        let options = |name: &str| json!({"sandbox": name == "school", "environments": ["test"]});
        Self::described(include_str!("fixture/openapi.yaml"), options)
    }

    /// The same, where the partner's clients write single records.
    pub(crate) fn of_records() -> Self {
        let options = |_: &str| json!({"prefix": "O-", "site": "https://school.example"});
        Self::described(include_str!("fixture/orgs.yaml"), options)
    }

    /// A place for a server whose partner is described so; `options` are those of the connection with a name.
    pub(crate) fn described(description: &str, options: impl Fn(&str) -> Value) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let schemas = folder.path().join("schemas");
        copy_folder(&repository.join("schemas/canonical"), &schemas.join("canonical"));
        fs::create_dir(schemas.join(PARTNER)).unwrap();
        fs::write(schemas.join(PARTNER).join("openapi.yaml"), description).unwrap();
        let mappers = folder.path().join("mappers");
        fs::create_dir(&mappers).unwrap();
        fs::write(mappers.join(PARTNER).with_extension("wasm"), mapper_artifacts::component(HOSTILE).unwrap()).unwrap();
        let key = Secret::from("k".repeat(32));
        let digest = |credential: &str| Keyring::new(&key).digest(credential).to_string();
        let connection =
            |name: &str| json!({"partner": PARTNER, "credentials": [digest(name)], "options": options(name)});
        let tenant = json!({"connections": {"school": connection("school"), "annex": connection("annex")}});
        let config = json!({
            "database_url": format!("sqlite:{}", folder.path().join("hub.db").display()),
            "schemas_dir": schemas,
            "mappers_dir": mappers,
            "tenants": {TENANT: tenant},
            "operators": {"operator": [digest("operator")]},
        });
        let config = Config { credential_key: key, ..serde_json::from_value(config).unwrap() };
        let clock = FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap());
        Self { folder, clock: Arc::new(clock), config }
    }

    /// The partner's description, to be changed before the start.
    pub(crate) fn describe(&self, change: impl Fn(&str) -> String) {
        let path = self.folder.path().join("schemas").join(PARTNER).join("openapi.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let changed = change(&text);
        assert_ne!(text, changed, "the description is as it was");
        fs::write(path, changed).unwrap();
    }

    /// A server without a worker: what is queued stays queued.
    pub(crate) async fn start(&self) -> Server {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let app = start(&self.config, clock).await.unwrap();
        app.set_ready(true);
        Server { app, stop: watch::channel(false).0, workers: Vec::new(), _folder: Arc::clone(&self.folder) }
    }
}

impl Server {
    /// Lets those begin who work on what is queued and send what is to be sent.
    pub(crate) fn work(&mut self) {
        self.workers.push(tokio::spawn(worker::work(Arc::clone(&self.app), self.stop.subscribe())));
        self.workers.push(tokio::spawn(webhook::work(Arc::clone(&self.app), self.stop.subscribe())));
    }

    /// Lets them finish what they have begun, and waits for that.
    pub(crate) async fn rest(&mut self) {
        self.stop.send_replace(true);
        for worker in self.workers.drain(..) {
            worker.await.unwrap();
        }
        self.stop = watch::channel(false).0;
    }

    /// Calls a route as a connection or, with its own credential, as an operator.
    pub(crate) async fn call(&self, method: &str, path: &str, credential: &str, body: &str) -> Reply {
        self.send(method, path, &[("token", credential)], body).await
    }

    /// Calls a route.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", "hub.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = router(Arc::clone(&self.app)).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let delivery = headers.get("rollcall-delivery").map(|id| id.to_str().unwrap().parse().unwrap());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_else(|_| text()) };
        Reply { status, delivery, headers, body }
    }

    /// Sends events that wait for their turn; the delivery's id.
    pub(crate) async fn enqueue(&self, connection: &str, events: &Value) -> Uuid {
        let body = json!({"sender": connection, "events": events}).to_string();
        let reply = self.call("POST", &format!("/{PARTNER}/test/events"), connection, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.delivery.unwrap()
    }

    /// A delivery as it stands.
    pub(crate) async fn delivery(&self, id: Uuid) -> Delivery {
        self.app.reader.delivery(TENANT, id).await.unwrap().unwrap()
    }

    /// A delivery when it is finished.
    pub(crate) async fn finished(&self, id: Uuid) -> Delivery {
        loop {
            let delivery = self.delivery(id).await;
            if delivery.finished_at.is_some() {
                return delivery;
            }
            yield_now().await;
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
