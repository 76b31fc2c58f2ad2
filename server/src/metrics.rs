//! Turns what happens into figures that Prometheus reads. Labels name tenants, connections and partners, never people.
//!
//! To add one: a line in [`catalogue`], a function here or a member of what is counted for each connection, and `BLESS=1
//! cargo test -p rollcall`, which lists it in `server/OPERATING.md`.

pub mod catalogue;
mod connection;
#[cfg(test)]
mod tests;
pub mod watch;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::metrics::{KeyName, counter, gauge, histogram, with_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use rollcall_core::delivery::Report;
use rollcall_core::ingest::{Loaded, Sender};
use rollcall_core::limits::Limits;
use rollcall_core::store::{DueSend, SendOutcome, Trouble};

use self::catalogue::{
    ALL, BUILD, Kind, LIMIT, LOGGED, PARTNER, REQUEST_SECONDS, REQUESTS, REQUESTS_IN_PROGRESS, SHADOWED, TROUBLE,
    WORKING,
};
pub use self::connection::Stage;

/// Where the figures are read from.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    process: Collector,
}

/// Why there are no metrics.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the metrics cannot be set up: {0}")]
pub struct MetricsError(String);

/// Whether figures tell connections apart.
static PER_CONNECTION: AtomicBool = AtomicBool::new(true);

fn per_connection() -> bool {
    PER_CONNECTION.load(Ordering::Relaxed)
}

impl Metrics {
    /// The process's metrics; the first call sets them up.
    pub fn install() -> Result<Self, MetricsError> {
        static INSTALLED: OnceLock<Result<Metrics, MetricsError>> = OnceLock::new();
        INSTALLED.get_or_init(|| Self::build().map_err(MetricsError)).clone()
    }

    fn build() -> Result<Self, String> {
        let mut builder = PrometheusBuilder::new();
        for metric in ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                let matcher = Matcher::Full(metric.name.to_owned());
                builder = builder.set_buckets_for_metric(matcher, bounds).map_err(|error| error.to_string())?;
            }
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        ::metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
        describe();
        gauge!(BUILD.name, "version" => env!("CARGO_PKG_VERSION")).set(1);
        for level in ["warn", "error"] {
            counter!(LOGGED.name, "level" => level).increment(0);
        }
        let process = Collector::default();
        process.describe();
        Ok(Self { handle, process })
    }

    /// All figures, in Prometheus's text format.
    pub fn render(&self) -> String {
        self.process.collect();
        self.handle.render()
    }

    /// Folds what has been measured into the buckets, so that it takes no memory. Call it every few seconds.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn describe() {
    with_recorder(|recorder| {
        for metric in ALL {
            let (name, unit, help) = (KeyName::from_const_str(metric.name), metric.unit(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, unit, help),
                Kind::Gauge => recorder.describe_gauge(name, unit, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, unit, help),
            }
        }
    });
}

/// Says whether figures tell connections apart. Before anything is counted.
pub fn tell_connections_apart(apart: bool) {
    PER_CONNECTION.store(apart, Ordering::Relaxed);
}

/// Makes the figures of a connection, so that they begin with zero.
pub fn expect(tenant: &str, connection: &str, partner: &str) {
    connection::of(tenant, connection, partner);
    watch::nothing_waits(tenant, connection, partner);
}

/// Says which versions a partner is loaded in.
pub fn loaded(loaded: &Loaded) {
    gauge!(PARTNER.name, &labels(loaded)).set(1);
}

/// Says that a version is not in use any more.
pub fn unloaded(loaded: &Loaded) {
    gauge!(PARTNER.name, &labels(loaded)).set(0);
}

fn labels(loaded: &Loaded) -> [(&'static str, String); 3] {
    let (partner, mapper) = (&loaded.partner, &loaded.mapper);
    [("partner", partner.name.clone()), ("version", partner.version.clone()), ("mapper", mapper.version().to_owned())]
}

/// Says what alerts compare with.
pub fn limits(limits: &Limits) {
    for (name, limit) in [
        ("fuel_per_delivery_max", limits.mapper.fuel_per_delivery_max),
        ("memory_bytes_max", limits.mapper.memory_bytes_max as u64),
        ("queue_deliveries_max", limits.queue_deliveries_max as u64),
    ] {
        gauge!(LIMIT.name, "limit" => name).set(precise(limit));
    }
}

/// Counts an answered request. `route` is the route's pattern, never a path with ids in it.
pub fn request(route: &str, status: u16, took: Duration) {
    counter!(REQUESTS.name, "route" => route.to_owned(), "status" => status.to_string()).increment(1);
    histogram!(REQUEST_SECONDS.name, "route" => route.to_owned()).record(took);
}

/// Counts one more request until the guard is dropped.
pub fn answering() -> impl Drop + Send + use<> {
    InProgress::new(gauge!(REQUESTS_IN_PROGRESS.name))
}

/// Counts a stage of a delivery.
pub fn stage(sender: &Sender, partner: &str, stage: Stage, took: Duration) {
    connection::of(&sender.tenant, &sender.connection, partner).stage(stage, took);
}

/// Counts a delivery and what became of it.
pub fn delivery(sender: &Sender, partner: &str, bytes: u64, report: &Report) {
    connection::of(&sender.tenant, &sender.connection, partner).delivery(bytes, report);
}

/// Says what keeps the database from working, if anything does.
pub fn trouble(now: Option<Trouble>) {
    for trouble in Trouble::ALL {
        gauge!(TROUBLE.name, "trouble" => trouble.word()).set(u8::from(now == Some(trouble)));
    }
}

/// Counts a delivery that a version which runs beside the one in use has looked at.
pub fn shadowed(partner: &str, outcome: &'static str) {
    counter!(SHADOWED.name, "partner" => partner.to_owned(), "outcome" => outcome).increment(1);
}

/// Says that so many stored records are about to be mapped anew; none is left when the guard is dropped.
pub fn remapping(sender: &Sender, partner: &str, left: u64) -> impl Drop + Send + use<> {
    connection::of(&sender.tenant, &sender.connection, partner).remapping(left)
}

/// Counts stored records that were mapped anew, and says how many are left.
pub fn remapped(sender: &Sender, partner: &str, records: u64, left: u64) {
    connection::of(&sender.tenant, &sender.connection, partner).remapped(records, left);
}

/// Counts an attempt to send a webhook.
pub fn sent(send: &DueSend, outcome: SendOutcome, took: Duration) {
    let outcome = match outcome {
        SendOutcome::Succeeded => "succeeded",
        SendOutcome::Retry(_) => "retried",
        SendOutcome::Failed => "failed",
    };
    connection::of(&send.tenant, &send.connection, &send.partner).attempt(outcome, took);
}

/// Counts one more delivery in progress until the guard is dropped.
pub fn in_progress(partner: &str) -> impl Drop + Send + use<> {
    InProgress::new(gauge!(WORKING.name, "partner" => partner.to_owned()))
}

/// Counts a line of the log.
pub fn logged(level: &'static str) {
    // Before there are metrics, nobody counts.
    counter!(LOGGED.name, "level" => level).increment(1);
}

struct InProgress(::metrics::Gauge);

impl InProgress {
    fn new(gauge: ::metrics::Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// A figure as gauges and histograms take it.
#[expect(clippy::cast_precision_loss, reason = "nobody reads it to the last digit")]
fn precise(figure: u64) -> f64 {
    figure as f64
}
