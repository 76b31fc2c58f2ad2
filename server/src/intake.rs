//! Turns what was read of a request into a delivery, and takes that through all stages when it is its turn.

use std::future::Future;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rollcall_core::clock::Clock;
use rollcall_core::delivery::{Entry, Received, Report, Status};
use rollcall_core::description::{Operation, ProblemClass};
use rollcall_core::ingest::{Asked, IngestError, Ingested, Loaded, Written};
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;
use tokio::runtime::Handle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::access::Connection;
use crate::app::App;
use crate::body::{Flaw, Payload};
use crate::gathering::{self, Call};
use crate::metrics::{self, Stage};
use crate::panic;
use crate::problem::{Finding, Problem};
use crate::shadow::{self, Offered};

/// The header that asks for an answer without consequences.
pub const DRY_RUN: HeaderName = HeaderName::from_static("rollcall-dry-run");

/// The header that names the delivery, whatever the answer looks like.
pub const DELIVERY: HeaderName = HeaderName::from_static("rollcall-delivery");

/// Bytes of a body that are checked and compressed where they were read: to hand them to another thread takes longer.
const SMALL_BYTES: u64 = 16 << 10;

/// The code of a problem that is a condition of the description.
pub const CONDITION: &str = "condition";

/// Which operation a delivery came by.
#[derive(Debug)]
pub enum By {
    /// One that the partner's clients call: its place among them.
    Partner(usize),
    /// One that operators call: its place among them.
    Operator(usize),
    /// One that no description holds.
    Own(Box<Operation>),
}

impl By {
    /// The operation.
    pub fn operation<'o>(&'o self, loaded: &'o Loaded) -> &'o Operation {
        match self {
            Self::Partner(at) => &loaded.partner.operations[*at],
            Self::Operator(at) => &loaded.partner.operator[*at],
            Self::Own(operation) => operation,
        }
    }
}

/// Whether nothing is to be stored. Guessing would be dangerous either way.
pub fn dry_run(headers: &HeaderMap) -> Result<bool, Problem> {
    match headers.get(DRY_RUN).map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case(b"true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case(b"false") => Ok(false),
        Some(_) => Err(Problem::bad_parameter("Rollcall-Dry-Run", "must be `true` or `false`")),
    }
}

/// Whether a body can be worked on at all.
pub fn check_payload(operation: &Operation, payload: &Payload) -> Result<(), Problem> {
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

/// What was received, by an operation.
pub fn received(payload: Payload, operation: &Operation, clock: &dyn Clock) -> Received {
    Received {
        id: clock.next_id(),
        first: None,
        operation: operation.id.clone(),
        asked: Asked::default(),
        at: clock.now(),
        body: payload.bytes,
        content_encoding: payload.content_encoding,
        sha256: payload.sha256,
        size: payload.size,
        queued: false,
    }
}

/// Takes what was received through all stages, when it is its turn. Where it cannot be applied, that is the problem.
pub async fn take(
    app: &Arc<App>,
    from: &Arc<Connection>,
    loaded: &Arc<Loaded>,
    by: By,
    received: Received,
    dry_run: bool,
) -> Result<Ingested, Problem> {
    let (id, size) = (received.id, received.size);
    let offered = matches!(by, By::Partner(_)).then(|| Offered::of(&received)).flatten().filter(|_| !dry_run);
    let work = move |app: Arc<App>, from: Arc<Connection>, loaded: Arc<Loaded>| async move {
        app.ingest.run(&from.sender, &loaded, by.operation(&loaded), received, dry_run).await
    };
    let delivery = (!dry_run).then_some(id);
    let ingested = in_turn(app, from, loaded, id, work).await.map_err(|problem| problem.kept_as(delivery))?;
    ended(from, loaded, size, &ingested.report, dry_run);
    if let Some(offered) = offered {
        shadow::offer(app, from, loaded, offered);
    }
    app.told(&loaded.partner);
    if !is_refused(&ingested.report) {
        return Ok(ingested);
    }
    let Ingested { report, entries, held_as, .. } = ingested;
    Err(refusal(report, entries, app.ingest.limits.violations_max).kept_as(held_as.or(delivery)))
}

/// Does what one of the partner's operations (its place among them) says about single records, when it is its turn, and
/// waits until that survives a power cut. Where it cannot be done, that is the problem.
pub async fn write(
    app: &Arc<App>,
    from: &Arc<Connection>,
    loaded: &Arc<Loaded>,
    operation: usize,
    received: Received,
    dry_run: bool,
) -> Result<Written, Problem> {
    let (id, size) = (received.id, received.size);
    let delivery = (!dry_run).then_some(id);
    let written = if dry_run {
        let work = move |app: Arc<App>, from: Arc<Connection>, loaded: Arc<Loaded>| async move {
            let operation = &loaded.partner.operations[operation];
            app.ingest.write(&from.sender, &loaded, operation, received, dry_run).await
        };
        in_turn(app, from, loaded, id, work).await
    } else {
        let (from, loaded) = (Arc::clone(from), Arc::clone(loaded));
        gathering::write(app, Call { from, loaded, operation, received }).await
    };
    let mut written = written?;
    ended(from, loaded, size, &written.report, dry_run);
    let records = std::mem::take(&mut written.records);
    if let Some(offered) = Offered::written(id, operation, records).filter(|_| !dry_run) {
        shadow::offer(app, from, loaded, offered);
    }
    if written.concerns_subscribers && !dry_run {
        app.told(&loaded.partner);
    }
    not_refused(written, app.ingest.limits.violations_max).map_err(|problem| problem.kept_as(delivery))
}

/// What became of a call, unless it could not be done: then that is the problem.
pub fn not_refused(written: Written, errors_max: usize) -> Result<Written, Problem> {
    if is_refused(&written.report) { Err(refusal(written.report, Vec::new(), errors_max)) } else { Ok(written) }
}

/// Does work when it is its turn, on a thread where that harms no one.
pub async fn in_turn<W, F, T>(
    app: &Arc<App>,
    from: &Arc<Connection>,
    loaded: &Arc<Loaded>,
    id: Uuid,
    work: W,
) -> Result<T, Problem>
where
    W: FnOnce(Arc<App>, Arc<Connection>, Arc<Loaded>) -> F + Send + 'static,
    F: Future<Output = Result<T, IngestError>> + Send,
    T: Send + 'static,
{
    let (sender, partner) = (&from.sender, &loaded.partner.name);
    let start = Instant::now();
    let turn = app.turns.take(&sender.tenant, &sender.connection, partner).await;
    let turn = turn.map_err(|busy| Problem::unavailable("busy", busy.to_string()))?;
    metrics::stage(sender, partner, Stage::Wait, start.elapsed());
    tracing::Span::current().record("delivery", tracing::field::display(id));
    let start = Instant::now();
    let work = {
        let (app, from, loaded) = (Arc::clone(app), Arc::clone(from), Arc::clone(loaded));
        let answering = app.hands.answer(id);
        async move {
            let _turn = turn;
            let _working = metrics::in_progress(&loaded.partner.name);
            let done = work(app, from, loaded).await?;
            answering.end();
            Ok::<_, IngestError>(done)
        }
    };
    let done = blocking(work).await??;
    metrics::stage(sender, partner, Stage::Ingest, start.elapsed());
    Ok(done)
}

/// Notes how a delivery ended.
fn ended(from: &Arc<Connection>, loaded: &Arc<Loaded>, size: u64, report: &Report, dry_run: bool) {
    let (sender, partner) = (&from.sender, &loaded.partner.name);
    metrics::delivery(sender, partner, size, report);
    tracing::info!(tenant = sender.tenant, connection = sender.connection, status = ?report.status, dry_run, "delivery");
}

/// Whether nothing of a delivery was applied.
fn is_refused(report: &Report) -> bool {
    matches!(report.status, Status::Rejected | Status::Failed | Status::Held)
}

/// The problem that ended a delivery. Where each record was looked at, the records say what is wrong with them.
pub fn refusal(report: Report, entries: Vec<Entry>, errors_max: usize) -> Problem {
    let class = report.problem.unwrap_or(ProblemClass::Fault);
    if let Some(held) = &report.held {
        let detail = "this changes more than is likely; nothing was applied until an operator has looked at it";
        return Problem::new(class, "held", detail).with_errors(held.notes(), 0);
    }
    if let [only] = report.rejections.as_slice()
        && only.code == CONDITION
    {
        return Problem::said(class, CONDITION, only.message.clone()).with_errors(report.rejections, 0);
    }
    let (code, detail, errors) = match (report.status, class) {
        (Status::Failed, ProblemClass::Unavailable) => return Problem::unavailable("busy", "too much at a time"),
        (Status::Failed, _) => ("failed", "the delivery could not be worked on; nothing was applied", report.faults),
        (_, ProblemClass::Malformed) => ("malformed", "the body is not valid JSON", report.rejections),
        (_, ProblemClass::Invalid) => {
            ("invalid", "the body breaks the description; nothing was applied", report.rejections)
        }
        (_, class) => (class.word(), "this cannot be done; nothing was applied", report.rejections),
    };
    // What is wrong with the call as a whole, and with no member of it, is the problem itself.
    if let ([only], false) = (errors.as_slice(), matches!(class, ProblemClass::Invalid | ProblemClass::Malformed))
        && only.pointer == Pointer::root()
        && entries.is_empty()
        && report.status == Status::Rejected
    {
        return Problem::new(class, code, only.message.clone());
    }
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

/// Runs work on a body of so many bytes: right here where it is small, else on a thread where that harms no one.
pub async fn beside<F>(bytes: u64, work: F) -> Result<F::Output, Problem>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    if bytes <= SMALL_BYTES { Ok(work.await) } else { blocking(work).await }
}

/// Runs work that computes and waits for disks on a thread where that harms no one. It goes on when the caller leaves.
pub async fn blocking<F>(work: F) -> Result<F::Output, Problem>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let (runtime, span) = (Handle::current(), tracing::Span::current());
    let done = tokio::task::spawn_blocking(move || span.in_scope(|| runtime.block_on(work))).await;
    done.map_err(|error| match error.try_into_panic() {
        Ok(payload) => Problem::fault(format!("the work panicked: {}", panic::words(&*payload))),
        Err(error) => Problem::fault(error),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{DRY_RUN, dry_run};

    #[test]
    fn a_dry_run_is_never_guessed() {
        let asked = |value: &'static str| dry_run(&HeaderMap::from_iter([(DRY_RUN, HeaderValue::from_static(value))]));
        assert!(asked("True").unwrap() && !asked("false").unwrap() && !dry_run(&HeaderMap::new()).unwrap());
        for odd in ["", "1", "yes", "true, true"] {
            assert_eq!(asked(odd).unwrap_err().status, 400, "{odd:?}");
        }
    }
}
