//! Everything under `/<partner>`: turns a call into what its operation's verb does, and what came of it into the answer
//! that the partner's description documents.
//!
//! The order is fixed: route, credential, headers and parameters, media type, body, work. Whoever is known gets what
//! was sent kept, also where it is refused, so that both sides can look at it later; calls that only read leave no trace.
//!
//! To add a verb: an arm in [`Call::serve`], and a file beside [`ingest`], [`read`], [`select`] and [`write`] if it is none of
//! these.

mod answer;
mod authenticate;
mod context;
mod ingest;
mod links;
mod lists;
mod paging;
mod parameters;
mod read;
mod request;
mod select;
#[cfg(test)]
mod tests;
mod version;
mod write;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use rollcall_core::description::{Action, Listed, Operation, Partner, ProblemClass, RouteMiss, Verb};
use rollcall_core::ingest::Loaded;
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use self::lists::Lists;
use super::PartnerRoute;
use super::document::page;
use crate::access::Connection;
use crate::app::App;
use crate::intake;
use crate::problem::Problem;
use crate::registry::Table;

/// Where a partner's document is, below its mount; an operation of its own there goes first.
const DOCUMENT: &str = "/openapi.json";

/// Where that can be read as a page; an operation of the partner's own there goes first, too.
const PAGE: &str = "/docs";

/// Answers a call of any partner's route.
pub(super) async fn call(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let no_route = || Problem::unknown("there is no such route");
    let Some((name, rest)) = path.strip_prefix('/').map(|path| path.split_at(path.find('/').unwrap_or(path.len())))
    else {
        return no_route().into_response();
    };
    let table = app.registry.table();
    let Some(loaded) = version::of_call(&app, &table, name, &head, rest) else {
        return if table.disabled.contains(name) { version::none() } else { no_route() }.into_response();
    };
    let mut response = answer(app, table, Arc::clone(&loaded), head, body, rest).await;
    response.headers_mut().insert(version::VERSION, version::header(&loaded));
    response
}

/// Answers a call by one version.
async fn answer(
    app: Arc<App>,
    table: Arc<Table>,
    loaded: Arc<Loaded>,
    head: Parts,
    body: Body,
    rest: &str,
) -> Response {
    let no_route = || Problem::unknown("there is no such route");
    if rest == DOCUMENT && head.method == Method::GET && loaded.partner.route("GET", DOCUMENT).is_err() {
        return document(&app, &head, &loaded.partner);
    }
    if rest == PAGE && head.method == Method::GET && loaded.partner.route("GET", PAGE).is_err() {
        let mut response = page(&loaded.partner.document);
        response.extensions_mut().insert(PartnerRoute(format!("/{}{PAGE}", loaded.partner.name)));
        return response;
    }
    let (operation, path) = match loaded.partner.route(head.method.as_str(), rest) {
        Ok((operation, path)) => (position(&loaded.partner, operation), path),
        Err(RouteMiss::NotFound) => return no_route().into_response(),
        Err(RouteMiss::MethodNotAllowed { allowed }) => {
            return Problem::method_not_allowed(&allowed.join(", ")).into_response();
        }
    };
    let route = PartnerRoute(format!("/{}{}", loaded.partner.name, loaded.partner.operations[operation].path));
    let call = Call { app, table, loaded, operation, dry_run: intake::dry_run(&head.headers), head, path };
    let mut response = match call.serve(body).await {
        Ok(done) => answer::success(&call, done),
        Err(problem) => answer::problem(&call, problem),
    };
    response.extensions_mut().insert(route);
    response
}

/// The partner's document, as a client or a fuzzer takes it: with the address that it was asked for at.
fn document(app: &App, head: &Parts, partner: &Partner) -> Response {
    let mut document = partner.document.clone();
    let url = format!("{}/{}", app.base_url(&head.headers, &head.uri), partner.name);
    document["servers"] = json!([{"url": url}]);
    let mut response = Json(document).into_response();
    response.extensions_mut().insert(PartnerRoute(format!("/{}{DOCUMENT}", partner.name)));
    response
}

/// Where an operation stands among its partner's: an index outlives the borrow.
fn position(partner: &Partner, operation: &Operation) -> usize {
    partner.operations.iter().position(|other| std::ptr::eq(other, operation)).unwrap_or_default()
}

/// One call of one operation.
struct Call {
    app: Arc<App>,
    /// The versions that were in use when it began.
    table: Arc<Table>,
    loaded: Arc<Loaded>,
    /// Which of the partner's operations.
    operation: usize,
    head: Parts,
    /// The path's parameters.
    path: Vec<(String, String)>,
    /// Whether the client wants nothing to be stored; an error where the header says neither yes nor no.
    dry_run: Result<bool, Problem>,
}

/// What a call came to.
struct Done {
    /// What the answer is filled in with.
    context: Value,
    /// Lists that it shows beside.
    lists: Lists,
    /// The delivery that keeps what was sent.
    delivery: Option<Uuid>,
    /// Whether the answer is the one of the operation that lists a delivery's log, because there is no delivery whose
    /// log could be asked for later.
    as_log: bool,
}

impl Call {
    fn operation(&self) -> &Operation {
        &self.loaded.partner.operations[self.operation]
    }

    fn partner(&self) -> &str {
        &self.loaded.partner.name
    }

    /// Whether the client asked for an answer without consequences.
    fn asks_dry_run(&self) -> bool {
        matches!(self.dry_run, Ok(true))
    }

    /// Whether nothing is stored: the client wants that, or the operation never does.
    fn is_dry_run(&self) -> bool {
        self.asks_dry_run() || self.operation().dry_run
    }

    /// The operation that lists the log of a delivery, if the partner has one.
    fn log_operation(&self) -> Option<&Operation> {
        let lists_log = |operation: &&Operation| matches!(operation.verb, Verb::List(Listed::Log { .. }));
        self.loaded.partner.operations.iter().find(lists_log)
    }

    async fn serve(&self, body: Body) -> Result<Done, Problem> {
        let (partner, operation) = (self.partner(), self.operation());
        let known = authenticate::connection(&self.app.access(), partner, operation, &self.head, &self.path);
        let connection = match known {
            Ok(connection) => connection,
            Err(problem) => {
                crate::body::read_refused(body, &self.head.headers, &self.app.ingest.limits).await;
                return Err(problem);
            }
        };
        if connection.disabled {
            let detail = "an operator has turned this connection off";
            return Err(Problem::new(ProblemClass::Forbidden, "disabled", detail));
        }
        if !version::is_of(&self.table, &self.loaded, &connection) {
            return Err(Problem::unknown("there is no such route")); // there is, in a version that is not its own
        }
        if !connection.permits(&self.loaded) {
            let detail = "this connection does not permit what the mapper needs";
            return Err(Problem::unavailable("not-permitted", detail));
        }
        let limits = &self.app.ingest.limits;
        let _admitted = match self.app.admission.admit(&connection.sender) {
            Ok(admitted) => admitted,
            Err(refused) => {
                crate::body::read_refused(body, &self.head.headers, limits).await;
                return Err(refused.into());
            }
        };
        let limit = limits.call_seconds_max;
        let done = timeout(Duration::from_secs(limit), self.perform(&connection, body)).await;
        done.unwrap_or_else(|_| {
            Err(Problem::unavailable("slow", format!("this was not done within {limit} seconds; it may still be done")))
        })
    }

    async fn perform(&self, connection: &Arc<Connection>, body: Body) -> Result<Done, Problem> {
        match &self.operation().verb {
            Verb::Snapshot { .. } | Verb::Merge { .. } | Verb::Clear { .. } => self.ingest(connection, body).await,
            Verb::List(listed) => self.list(connection, listed, body).await,
            Verb::Resource(resource) if resource.action == Action::Get => self.get(connection, resource, body).await,
            Verb::Resource(_) | Verb::Receive => self.write(connection, body).await,
            Verb::Connection => self.connection(connection, body).await,
        }
    }
}
