//! Everything under `/<partner>`: turns a call into a delivery, and what became of it into the answer that the
//! partner's description documents.
//!
//! The order is fixed: route, credential, headers and parameters, media type, body, work. Whoever is known gets what
//! was sent kept, also where it is refused, so that both sides can look at it later.

mod answer;
mod authenticate;
mod request;

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use rollcall_core::delivery::{Received, Report, Status};
use rollcall_core::description::{Operation, Partner, ProblemClass, RouteMiss};
use rollcall_core::ingest::Loaded;
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;
use tokio::runtime::Handle;
use tokio::time::Instant;
use uuid::Uuid;

use super::PartnerRoute;
use crate::access::Connection;
use crate::app::App;
use crate::body::{self, Flaw, Payload};
use crate::metrics::{self, Stage};
use crate::problem::Problem;

/// Answers a call of any partner's route.
pub(super) async fn call(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let no_route = || Problem::unknown("there is no such route");
    let Some((name, rest)) = path.strip_prefix('/').map(|path| path.split_at(path.find('/').unwrap_or(path.len())))
    else {
        return no_route().into_response();
    };
    let Some(loaded) = app.registry.get(name) else { return no_route().into_response() };
    let (operation, path) = match loaded.partner.route(head.method.as_str(), rest) {
        Ok((operation, path)) => (position(&loaded.partner, operation), path),
        Err(RouteMiss::NotFound) => return no_route().into_response(),
        Err(RouteMiss::MethodNotAllowed { allowed }) => {
            return Problem::method_not_allowed(&allowed.join(", ")).into_response();
        }
    };
    let route = PartnerRoute(format!("/{name}{}", loaded.partner.operations[operation].path));
    let call = Call { app, loaded, operation, dry_run: request::dry_run(&head.headers), head, path };
    let mut response = match call.serve(body).await {
        Ok(report) => answer::success(&call, &report.0, report.1),
        Err(problem) => answer::problem(&call, problem),
    };
    response.extensions_mut().insert(route);
    response
}

/// Where an operation stands among its partner's: an index outlives the borrow.
fn position(partner: &Partner, operation: &Operation) -> usize {
    partner.operations.iter().position(|other| std::ptr::eq(other, operation)).unwrap_or_default()
}

/// One call of one operation.
struct Call {
    app: Arc<App>,
    loaded: Arc<Loaded>,
    /// Which of the partner's operations.
    operation: usize,
    head: Parts,
    /// The path's parameters.
    path: Vec<(String, String)>,
    /// Whether nothing is to be stored; an error where the header says neither yes nor no.
    dry_run: Result<bool, Problem>,
}

impl Call {
    fn operation(&self) -> &Operation {
        &self.loaded.partner.operations[self.operation]
    }

    fn partner(&self) -> &str {
        &self.loaded.partner.name
    }

    fn is_dry_run(&self) -> bool {
        matches!(self.dry_run, Ok(true))
    }

    /// What became of the delivery, and its id unless it was a dry run.
    async fn serve(&self, body: Body) -> Result<(Report, Option<Uuid>), Problem> {
        let limits = &self.app.ingest.limits;
        let connection = match authenticate::connection(&self.app.access, self.partner(), self.operation(), &self.head)
        {
            Ok(connection) => connection,
            Err(problem) => {
                body::read_refused(body, &self.head.headers, limits).await;
                return Err(problem);
            }
        };
        if let Err(problem) = request::check(self, &connection.sender.options) {
            let payload = body::read_refused(body, &self.head.headers, limits).await;
            return Err(self.reject(&connection, payload, problem).await);
        }
        let start = Instant::now();
        let payload = body::read(body, &self.head.headers, limits).await;
        metrics::stage(&connection.sender, self.partner(), Stage::Read, start.elapsed());
        if let Err(problem) = check_payload(self.operation(), &payload) {
            return Err(self.reject(&connection, payload, problem).await);
        }
        self.ingest(&connection, payload).await
    }

    /// Takes the payload through all stages, when it is its turn.
    async fn ingest(&self, connection: &Arc<Connection>, payload: Payload) -> Result<(Report, Option<Uuid>), Problem> {
        let sender = &connection.sender;
        let start = Instant::now();
        let turn = self.app.turns.take(&sender.tenant, &sender.connection, self.partner()).await;
        let turn = turn.map_err(|busy| Problem::unavailable("busy", busy.to_string()))?;
        metrics::stage(sender, self.partner(), Stage::Wait, start.elapsed());
        let received = self.received(payload);
        let (id, size) = (received.id, received.size);
        tracing::Span::current().record("delivery", tracing::field::display(id));
        let (app, loaded, operation, dry_run) =
            (Arc::clone(&self.app), Arc::clone(&self.loaded), self.operation, self.is_dry_run());
        let from = Arc::clone(connection);
        let start = Instant::now();
        let work = async move {
            let _turn = turn;
            let _working = metrics::in_progress(&loaded.partner.name);
            app.ingest.run(&from.sender, &loaded, &loaded.partner.operations[operation], received, dry_run).await
        };
        let delivery = (!dry_run).then_some(id);
        let report = blocking(work).await.map_err(|problem| problem.kept_as(delivery))?;
        let report = report.map_err(|error| Problem::from(error).kept_as(delivery))?.report;
        metrics::stage(sender, self.partner(), Stage::Ingest, start.elapsed());
        metrics::delivery(sender, self.partner(), size, &report);
        tracing::info!(tenant = sender.tenant, connection = sender.connection, status = ?report.status, dry_run, "delivery");
        match report.status {
            Status::Rejected | Status::Failed => Err(refusal(report).kept_as(delivery)),
            _ => Ok((report, delivery)),
        }
    }

    /// Keeps what was refused before it was worked on; gives the problem back, naming the delivery.
    async fn reject(&self, connection: &Arc<Connection>, payload: Payload, problem: Problem) -> Problem {
        let errors = if problem.errors.is_empty() {
            let (code, message) = (problem.code.to_owned(), problem.detail.clone());
            vec![Note::new(Pointer::root(), code, message)]
        } else {
            problem.errors.clone()
        };
        let report = Report::rejected(problem.class, errors);
        metrics::delivery(&connection.sender, self.partner(), payload.size, &report);
        if !matches!(self.dry_run, Ok(false)) {
            return problem;
        }
        let received = self.received(payload);
        let (app, loaded, from) = (Arc::clone(&self.app), Arc::clone(&self.loaded), Arc::clone(connection));
        let work = async move { app.ingest.reject(&from.sender, &loaded, received, &report).await };
        match blocking(work).await {
            Ok(Ok(id)) => problem.kept_as(Some(id)),
            Ok(Err(error)) => error.into(),
            Err(failed) => failed,
        }
    }

    fn received(&self, payload: Payload) -> Received {
        let clock = &self.app.ingest.clock;
        Received {
            id: clock.next_id(),
            operation: self.operation().id.clone(),
            at: clock.now(),
            body: payload.bytes,
            content_encoding: payload.content_encoding,
            sha256: payload.sha256,
            size: payload.size,
            queued: false,
        }
    }
}

/// The problem that ended a delivery.
fn refusal(report: Report) -> Problem {
    let class = report.problem.unwrap_or(ProblemClass::Fault);
    let (code, detail, errors) = match (report.status, class) {
        (Status::Failed, _) => ("failed", "the delivery could not be worked on; nothing was applied", report.faults),
        (_, ProblemClass::Malformed) => ("malformed", "the body is not valid JSON", report.rejections),
        _ => ("invalid", "the body breaks the description; nothing was applied", report.rejections),
    };
    Problem::new(class, code, detail).with_errors(errors, report.omitted)
}

/// Whether a body can be worked on at all.
fn check_payload(operation: &Operation, payload: &Payload) -> Result<(), Problem> {
    let class = match payload.flaw {
        Some(Flaw::TooLarge(_) | Flaw::Bomb(_)) => ProblemClass::TooLarge,
        Some(Flaw::Corrupt | Flaw::Slow(_) | Flaw::Broken) => ProblemClass::Malformed,
        None if payload.size == 0 && operation.body.as_ref().is_some_and(|body| body.required) => {
            return Err(Problem::new(ProblemClass::Malformed, "missing-body", "the body is missing"));
        }
        None => return Ok(()),
    };
    let code = if class == ProblemClass::TooLarge { "too-large" } else { "unreadable-body" };
    let detail = payload.flaw.map(|flaw| flaw.to_string()).unwrap_or_default();
    Err(Problem::new(class, code, detail))
}

/// Runs work that computes and waits for disks on a thread where that harms no one. It goes on when the caller leaves.
async fn blocking<F>(work: F) -> Result<F::Output, Problem>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let (runtime, span) = (Handle::current(), tracing::Span::current());
    tokio::task::spawn_blocking(move || span.in_scope(|| runtime.block_on(work))).await.map_err(Problem::fault)
}
