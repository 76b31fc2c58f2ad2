//! What is counted for each connection: made once, so that counting costs nothing but an addition.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use rollcall_core::costs::{Costs, Rows, Stage as Part};
use rollcall_core::delivery::{Report, Status};
use rollcall_core::ingest::{Meter, Sender};

use super::catalogue::{
    AGAIN, BODY_BYTES, DELIVERIES, ENTITIES, FUEL_USED, MEMORY_USED, RECORDS, REMAP_LEFT, REMAPPED, ROWS, SEND_SECONDS,
    SENDS, STAGE_SECONDS, WARNINGS, WHOSE,
};
use super::{Metrics, per_connection, precise};

/// What a delivery's time goes to, beside the stages of the work itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The body arrives.
    Read,
    /// Other deliveries of the connection or partner go first.
    Wait,
    /// From the whole body to the committed result.
    Ingest,
}

/// How deliveries end.
const ENDS: [Status; 5] = [Status::Applied, Status::Unchanged, Status::Rejected, Status::Failed, Status::Held];

/// What becomes of records that are not taken.
const OUTCOMES: [&str; 4] = ["rejected", "refused", "faulted", "parked"];

/// How attempts to send a webhook end.
const ATTEMPTS: [&str; 3] = ["succeeded", "retried", "failed"];

/// What is counted for one connection.
pub(super) struct OfConnection {
    labels: Vec<(&'static str, String)>,
    around: [Histogram; 3],
    stages: [Histogram; Part::ALL.len()],
    rows: [Counter; Rows::ALL.len()],
    ends: [Counter; ENDS.len()],
    outcomes: [Counter; OUTCOMES.len()],
    warnings: Counter,
    bytes: Counter,
    again: Counter,
    fuel: Histogram,
    memory: Histogram,
    remapped: Counter,
    remap_left: Gauge,
    attempts: OnceLock<([Counter; ATTEMPTS.len()], Histogram)>,
}

/// Sets a gauge to zero when what it tells of has ended.
struct Under(Gauge);

impl Drop for Under {
    fn drop(&mut self) {
        self.0.set(0);
    }
}

/// The labels that say whose something is.
pub(super) fn whose(tenant: &str, connection: &str, partner: &str) -> Vec<(&'static str, String)> {
    let all = WHOSE.into_iter().zip([tenant, connection, partner].map(ToOwned::to_owned));
    all.skip(if per_connection() { 0 } else { 2 }).collect()
}

/// What is counted for a connection.
pub(super) fn of(tenant: &str, connection: &str, partner: &str) -> Arc<OfConnection> {
    static KNOWN: OnceLock<RwLock<HashMap<String, Arc<OfConnection>>>> = OnceLock::new();
    let known = KNOWN.get_or_init(RwLock::default);
    let name = [tenant, connection, partner].join("\n");
    if let Some(of) = known.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
        return Arc::clone(of);
    }
    let new = || Arc::new(OfConnection::new(whose(tenant, connection, partner)));
    Arc::clone(known.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_insert_with(new))
}

impl OfConnection {
    fn new(labels: Vec<(&'static str, String)>) -> Self {
        let with = |name: &'static str, word: &str| {
            let mut labels = labels.clone();
            labels.push((name, word.to_owned()));
            labels
        };
        let stage = |word| histogram!(STAGE_SECONDS.name, &with("stage", word));
        Self {
            around: ["read", "wait", "ingest"].map(stage),
            stages: Part::ALL.map(|part| stage(part.word())),
            rows: Rows::ALL.map(|rows| counter!(ROWS.name, &with("rows", rows.word()))),
            ends: ENDS.map(|end| counter!(DELIVERIES.name, &with("status", end.word()))),
            outcomes: OUTCOMES.map(|outcome| counter!(RECORDS.name, &with("outcome", outcome))),
            warnings: counter!(WARNINGS.name, &labels),
            bytes: counter!(BODY_BYTES.name, &labels),
            again: counter!(AGAIN.name, &labels),
            fuel: histogram!(FUEL_USED.name, &labels),
            memory: histogram!(MEMORY_USED.name, &labels),
            remapped: counter!(REMAPPED.name, &labels),
            remap_left: gauge!(REMAP_LEFT.name, &labels),
            attempts: OnceLock::new(),
            labels,
        }
    }

    pub(super) fn stage(&self, stage: Stage, took: Duration) {
        self.around[stage as usize].record(took);
    }

    /// Counts a delivery of so many bytes and what became of it.
    pub(super) fn delivery(&self, bytes: u64, report: &Report) {
        if let Some(end) = ENDS.iter().position(|end| *end == report.status) {
            self.ends[end].increment(1);
        }
        self.bytes.increment(bytes);
        self.warnings.increment(report.warnings.len() as u64);
        let notes = [&report.rejections, &report.refusals, &report.faults, &report.parked];
        for (counter, notes) in self.outcomes.iter().zip(notes) {
            counter.increment(notes.len() as u64);
        }
        let done = report.counts.iter().filter(|_| report.status != Status::Held);
        for (kind, counts) in done {
            let changes = [("created", counts.created), ("updated", counts.updated), ("removed", counts.removed)];
            for (change, count) in changes.into_iter().filter(|(_, count)| *count > 0) {
                let mut labels = self.labels.clone();
                labels.extend([("kind", kind.clone()), ("change", change.to_owned())]);
                counter!(ENTITIES.name, &labels).increment(count);
            }
        }
    }

    /// Says how many stored records are left to be mapped anew, until the guard is dropped.
    pub(super) fn remapping(&self, left: u64) -> impl Drop + Send + use<> {
        self.remap_left.set(precise(left));
        Under(self.remap_left.clone())
    }

    /// Counts stored records that were mapped anew.
    pub(super) fn remapped(&self, records: u64, left: u64) {
        self.remapped.increment(records);
        self.remap_left.set(precise(left));
    }

    /// Counts an attempt to send a webhook; `outcome` is one of [`ATTEMPTS`].
    pub(super) fn attempt(&self, outcome: &'static str, took: Duration) {
        let (attempts, seconds) = self.attempts.get_or_init(|| {
            let attempts = ATTEMPTS.map(|outcome| {
                let mut labels = self.labels.clone();
                labels.push(("outcome", outcome.to_owned()));
                counter!(SENDS.name, &labels)
            });
            (attempts, histogram!(SEND_SECONDS.name, &self.labels))
        });
        for (counter, _) in attempts.iter().zip(ATTEMPTS).filter(|(_, word)| *word == outcome) {
            counter.increment(1);
        }
        seconds.record(took);
    }

    fn spent(&self, costs: &Costs) {
        for (part, took) in costs.stages() {
            self.stages[part as usize].record(took);
        }
        for (counter, rows) in self.rows.iter().zip(Rows::ALL) {
            counter.increment(costs.rows(rows));
        }
        self.again.increment(costs.again());
        if costs.fuel() > 0 {
            self.fuel.record(precise(costs.fuel()));
            self.memory.record(precise(costs.memory()));
        }
    }
}

impl Meter for Metrics {
    fn spent(&self, sender: &Sender, partner: &str, costs: &Costs) {
        of(&sender.tenant, &sender.connection, partner).spent(costs);
    }
}
