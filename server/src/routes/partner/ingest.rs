//! Calls that change records: what was sent becomes a delivery, worked on at once or, where the operation is
//! asynchronous, kept and answered first.

use std::sync::Arc;

use axum::body::Body;
use rollcall_core::delivery::{Received, Report, Status};
use rollcall_core::ingest::{IngestError, Ingested};
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;
use tokio::time::Instant;

use super::lists::Lists;
use super::{Call, Done, context, request};
use crate::access::Connection;
use crate::body::{self, Payload};
use crate::intake::{self, By, beside, blocking};
use crate::metrics::{self, Stage};
use crate::problem::Problem;

impl Call {
    /// Takes what was sent, or says why not and keeps it nevertheless.
    pub(super) async fn ingest(&self, connection: &Arc<Connection>, body: Body) -> Result<Done, Problem> {
        let limits = &self.app.ingest.limits;
        if let Err(problem) = request::check(self, &connection.sender.options) {
            let payload = body::read_refused(body, &self.head.headers, limits).await;
            return Err(self.reject(connection, payload, problem).await);
        }
        let start = Instant::now();
        let payload = body::read(body, &self.head.headers, limits).await;
        metrics::stage(&connection.sender, self.partner(), Stage::Read, start.elapsed());
        if let Err(problem) = intake::check_payload(self.operation(), &payload) {
            return Err(self.reject(connection, payload, problem).await);
        }
        if self.operation().asynchronous && !self.is_dry_run() {
            self.queue(connection, payload).await
        } else {
            self.work(connection, payload).await
        }
    }

    /// Keeps the payload and answers, if what surrounds its records is right; it is worked on when its turn comes.
    async fn queue(&self, connection: &Arc<Connection>, payload: Payload) -> Result<Done, Problem> {
        let full = self.app.backlog.check(&connection.sender, self.app.ingest.clock.now());
        full.map_err(|full| Problem::unavailable("busy", full.to_string()))?;
        let (app, loaded, operation) = (Arc::clone(&self.app), Arc::clone(&self.loaded), self.operation);
        let (options, bytes) = (Arc::clone(&connection.sender.options), payload.bytes.clone().unwrap_or_default());
        let size = payload.size;
        let check = async move { app.ingest.check(&loaded.partner.operations[operation], &options, &bytes) };
        if let Err(report) = beside(size, check).await? {
            let problem = intake::refusal(*report, Vec::new(), self.app.ingest.limits.violations_max);
            return Err(self.reject(connection, payload, problem).await);
        }
        let received =
            Received { queued: true, ..intake::received(payload, self.operation(), &*self.app.ingest.clock) };
        let (id, at) = (received.id, received.at);
        tracing::Span::current().record("delivery", tracing::field::display(id));
        let (app, loaded, from) = (Arc::clone(&self.app), Arc::clone(&self.loaded), Arc::clone(connection));
        beside(size, async move { app.ingest.enqueue(&from.sender, &loaded, &received).await }).await??;
        self.app.backlog.added(&connection.sender, at);
        self.app.queued(&connection.sender);
        let queued = Ingested::whole(Report::new(Status::Queued));
        let context = context::ingested(&self.loaded.partner.messages, None, &queued, Some(id), false);
        Ok(Done { context, lists: Lists::default(), delivery: Some(id), as_log: false })
    }

    /// Takes the payload through all stages, when it is its turn.
    async fn work(&self, connection: &Arc<Connection>, payload: Payload) -> Result<Done, Problem> {
        let received = intake::received(payload, self.operation(), &*self.app.ingest.clock);
        let dry_run = self.is_dry_run();
        let delivery = (!dry_run).then_some(received.id);
        let by = By::Partner(self.operation);
        let ingested = intake::take(&self.app, connection, &self.loaded, by, received, dry_run).await?;
        let as_log = self.operation().asynchronous && self.log_operation().is_some();
        let messages = &self.loaded.partner.messages;
        if as_log {
            return Ok(Done {
                context: context::log_of(messages, &ingested),
                lists: Lists::default(),
                delivery,
                as_log,
            });
        }
        let answer = self.operation().success();
        let context = context::ingested(messages, answer, &ingested, delivery, dry_run);
        Ok(Done { context, lists: context::lists(answer, ingested), delivery, as_log })
    }

    /// Keeps what was refused before it was worked on; gives the problem back, naming the delivery.
    pub(super) async fn reject(&self, connection: &Arc<Connection>, payload: Payload, problem: Problem) -> Problem {
        let errors = if problem.errors.is_empty() {
            let (code, message) = (problem.code.to_owned(), problem.detail.clone());
            vec![Note::new(Pointer::root(), code, message)]
        } else {
            problem.errors.iter().map(|finding| finding.note.clone()).collect()
        };
        let report = Report { omitted: problem.omitted, ..Report::rejected(problem.class, errors) };
        metrics::delivery(&connection.sender, self.partner(), payload.size, &report);
        if self.dry_run.is_err() || self.is_dry_run() {
            return problem;
        }
        let mut received = intake::received(payload, self.operation(), &*self.app.ingest.clock);
        if received.size > self.app.ingest.limits.rejected_body_bytes_max {
            received.body = None;
        }
        let (app, loaded, from) = (Arc::clone(&self.app), Arc::clone(&self.loaded), Arc::clone(connection));
        let answering = app.hands.answer(received.id);
        let work = async move {
            let id = app.ingest.reject(&from.sender, &loaded, received, &report).await?;
            answering.end();
            Ok::<_, IngestError>(id)
        };
        match blocking(work).await {
            Ok(Ok(id)) => problem.kept_as(Some(id)),
            Ok(Err(error)) => error.into(),
            Err(failed) => failed,
        }
    }
}
