//! Calls that change records: what was sent becomes a delivery, worked on at once or, where the operation is
//! asynchronous, kept and answered first.

use std::sync::Arc;

use axum::body::Body;
use rollcall_core::delivery::{Received, Report, Status};
use rollcall_core::description::{Operation, ProblemClass};
use rollcall_core::ingest::Ingested;
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;
use tokio::time::Instant;

use super::request::CONDITION;
use super::{Call, Done, blocking, context, request};
use crate::access::Connection;
use crate::body::{self, Flaw, Payload};
use crate::metrics::{self, Stage};
use crate::problem::{Finding, Problem};

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
        if let Err(problem) = check_payload(self.operation(), &payload) {
            return Err(self.reject(connection, payload, problem).await);
        }
        if let Err(problem) = self.check_body(connection, &payload).await? {
            return Err(self.reject(connection, payload, problem).await);
        }
        if self.operation().asynchronous && !self.is_dry_run() {
            self.queue(connection, payload).await
        } else {
            self.work(connection, payload).await
        }
    }

    /// Checks of the body what has to be right before it is answered or worked on.
    async fn check_body(
        &self,
        connection: &Arc<Connection>,
        payload: &Payload,
    ) -> Result<Result<(), Problem>, Problem> {
        let (loaded, operation, limits) = (Arc::clone(&self.loaded), self.operation, self.app.ingest.limits.clone());
        let (options, bytes) = (Arc::clone(&connection.sender.options), payload.bytes.clone());
        let media = self.operation().body.as_ref().and_then(|body| body.media.first());
        let answered_first = self.operation().asynchronous;
        if !media.is_some_and(|media| answered_first || !media.must.is_empty()) {
            return Ok(Ok(())); // the work itself finds all else
        }
        blocking(async move {
            let media = loaded.partner.operations[operation].body.as_ref().and_then(|body| body.media.first());
            let Some(media) = media else { return Ok(()) };
            request::check_body(media, &bytes.unwrap_or_default(), &options, &limits).map(drop)
        })
        .await
    }

    /// Keeps the payload and answers; it is worked on when its turn comes.
    async fn queue(&self, connection: &Arc<Connection>, payload: Payload) -> Result<Done, Problem> {
        let received = Received { queued: true, ..self.received(payload) };
        let id = received.id;
        tracing::Span::current().record("delivery", tracing::field::display(id));
        let (app, loaded, from) = (Arc::clone(&self.app), Arc::clone(&self.loaded), Arc::clone(connection));
        blocking(async move { app.ingest.enqueue(&from.sender, &loaded, &received).await }).await??;
        self.app.bell.notify_one();
        let queued = Ingested {
            report: Report::new(Status::Queued),
            entries: Vec::new(),
            bodies: Vec::new(),
            removed: Vec::new(),
        };
        let context = context::ingested(&self.loaded.partner.messages, &queued, Some(id), false);
        Ok(Done { context, delivery: Some(id), as_log: false })
    }

    /// Takes the payload through all stages, when it is its turn.
    async fn work(&self, connection: &Arc<Connection>, payload: Payload) -> Result<Done, Problem> {
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
        let ingested = blocking(work).await.map_err(|problem| problem.kept_as(delivery))?;
        let ingested = ingested.map_err(|error| Problem::from(error).kept_as(delivery))?;
        let report = &ingested.report;
        metrics::stage(sender, self.partner(), Stage::Ingest, start.elapsed());
        metrics::delivery(sender, self.partner(), size, report);
        tracing::info!(tenant = sender.tenant, connection = sender.connection, status = ?report.status, dry_run, "delivery");
        if matches!(report.status, Status::Rejected | Status::Failed) {
            return Err(refusal(ingested, self.app.ingest.limits.violations_max).kept_as(delivery));
        }
        let as_log = self.operation().asynchronous && self.log_operation().is_some();
        let messages = &self.loaded.partner.messages;
        let context = if as_log {
            context::log_of(messages, &ingested)
        } else {
            context::ingested(messages, &ingested, delivery, dry_run)
        };
        Ok(Done { context, delivery, as_log })
    }

    /// Keeps what was refused before it was worked on; gives the problem back, naming the delivery.
    async fn reject(&self, connection: &Arc<Connection>, payload: Payload, problem: Problem) -> Problem {
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
        let mut received = self.received(payload);
        if received.size > self.app.ingest.limits.rejected_body_bytes_max {
            received.body = None;
        }
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

/// The problem that ended a delivery. Where each record was looked at, the records say what is wrong with them.
pub(super) fn refusal(ingested: Ingested, errors_max: usize) -> Problem {
    let Ingested { report, entries, .. } = ingested;
    let class = report.problem.unwrap_or(ProblemClass::Fault);
    if let [only] = report.rejections.as_slice()
        && only.code == CONDITION
    {
        return Problem::said(class, CONDITION, only.message.clone()).with_errors(report.rejections, 0);
    }
    let (code, detail, errors) = match (report.status, class) {
        (Status::Failed, _) => ("failed", "the delivery could not be worked on; nothing was applied", report.faults),
        (_, ProblemClass::Malformed) => ("malformed", "the body is not valid JSON", report.rejections),
        _ => ("invalid", "the body breaks the description; nothing was applied", report.rejections),
    };
    let bad = entries.into_iter().filter(|entry| entry.outcome.is_error());
    let of_record = |record: String, notes: Vec<Note>| {
        notes.into_iter().map(move |note| Finding { note, record: Some(record.clone()) })
    };
    let mut findings: Vec<_> = bad.flat_map(|entry| of_record(entry.record, entry.notes)).collect();
    let mut omitted = report.omitted;
    if findings.is_empty() {
        findings = errors.into_iter().map(Finding::from).collect();
    } else {
        omitted = findings.len().saturating_sub(errors_max);
        findings.truncate(errors_max);
    }
    Problem::new(class, code, detail).with_findings(findings, omitted)
}

/// Whether a body can be worked on at all.
pub(super) fn check_payload(operation: &Operation, payload: &Payload) -> Result<(), Problem> {
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
