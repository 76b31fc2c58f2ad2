//! What is counted, under which names. Labels name tenants, connections and partners, never people.
//!
//! To add one: a function here, described in [`Metrics::install`].

use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use rollcall_core::delivery::Report;
use rollcall_core::ingest::Sender;
use rollcall_core::store::{DueSend, SendOutcome, Trouble};

const REQUESTS: &str = "rollcall_http_requests_total";
const REQUEST_SECONDS: &str = "rollcall_http_request_duration_seconds";
const DELIVERIES: &str = "rollcall_deliveries_total";
const STAGE_SECONDS: &str = "rollcall_delivery_stage_duration_seconds";
const BODY_BYTES: &str = "rollcall_delivery_body_bytes_total";
const ENTITIES: &str = "rollcall_entity_changes_total";
const RECORDS: &str = "rollcall_bad_records_total";
const WORKING: &str = "rollcall_deliveries_in_progress";
const QUEUED: &str = "rollcall_deliveries_queued";
const TROUBLE: &str = "rollcall_database_trouble";
const SENDS: &str = "rollcall_webhook_attempts_total";
const SEND_SECONDS: &str = "rollcall_webhook_attempt_duration_seconds";

/// Upper bounds of the duration buckets, in seconds.
const SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0];

/// Where the figures are read from.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

/// What a delivery's time goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The body arrives.
    Read,
    /// Other deliveries of the connection or partner go first.
    Wait,
    /// From the whole body to the committed result.
    Ingest,
}

/// Why there are no metrics.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the metrics cannot be set up: {0}")]
pub struct MetricsError(String);

impl Metrics {
    /// The process's metrics; the first call sets them up.
    pub fn install() -> Result<Self, MetricsError> {
        static INSTALLED: OnceLock<Result<Metrics, MetricsError>> = OnceLock::new();
        INSTALLED.get_or_init(|| Self::build().map_err(MetricsError)).clone()
    }

    fn build() -> Result<Self, String> {
        let builder = [REQUEST_SECONDS, STAGE_SECONDS, SEND_SECONDS].into_iter().try_fold(
            PrometheusBuilder::new(),
            |builder, name| {
                builder
                    .set_buckets_for_metric(Matcher::Full(name.to_owned()), SECONDS)
                    .map_err(|error| error.to_string())
            },
        )?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        ::metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
        describe_counter!(REQUESTS, "Requests answered, by route and status.");
        describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "From a request's head to its answer's.");
        describe_counter!(DELIVERIES, "Deliveries, by how they ended.");
        describe_histogram!(STAGE_SECONDS, Unit::Seconds, "What a delivery's time goes to.");
        describe_counter!(BODY_BYTES, Unit::Bytes, "Bytes of delivered bodies, decoded.");
        describe_counter!(ENTITIES, "What deliveries did to entities.");
        describe_counter!(RECORDS, "Records that were rejected, refused, parked, or that the mapper trapped on.");
        describe_gauge!(WORKING, "Deliveries that are being worked on.");
        describe_gauge!(QUEUED, "Deliveries that were acknowledged and have not been worked on.");
        describe_gauge!(TROUBLE, "What keeps the database from working, 1 for what it is.");
        describe_counter!(SENDS, "Attempts to send a webhook: it was taken, is tried again, or is given up.");
        describe_histogram!(SEND_SECONDS, Unit::Seconds, "How long subscribers take to answer, or not to.");
        Ok(Self(handle))
    }

    /// All figures, in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what has been measured into the buckets, so that it takes no memory. Call it every few seconds.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Counts an answered request. `route` is the route's pattern, never a path with ids in it.
pub fn request(route: &str, status: u16, took: Duration) {
    counter!(REQUESTS, "route" => route.to_owned(), "status" => status.to_string()).increment(1);
    histogram!(REQUEST_SECONDS, "route" => route.to_owned()).record(took);
}

/// Counts a stage of a delivery.
pub fn stage(sender: &Sender, partner: &str, stage: Stage, took: Duration) {
    let stage = match stage {
        Stage::Read => "read",
        Stage::Wait => "wait",
        Stage::Ingest => "ingest",
    };
    let labels = [
        ("tenant", sender.tenant.clone()),
        ("connection", sender.connection.clone()),
        ("partner", partner.to_owned()),
        ("stage", stage.to_owned()),
    ];
    histogram!(STAGE_SECONDS, &labels).record(took);
}

/// Counts a delivery and what became of it.
pub fn delivery(sender: &Sender, partner: &str, bytes: u64, report: &Report) {
    let labels =
        [("tenant", sender.tenant.clone()), ("connection", sender.connection.clone()), ("partner", partner.to_owned())];
    let with = |name: &'static str, value: String| [labels.as_slice(), &[(name, value)]].concat();
    counter!(DELIVERIES, &with("status", report.status.word().to_owned())).increment(1);
    counter!(BODY_BYTES, &labels).increment(bytes);
    for (kind, counts) in &report.counts {
        for (change, count) in [("created", counts.created), ("updated", counts.updated), ("removed", counts.removed)] {
            if count > 0 {
                let labels = [with("kind", kind.clone()), vec![("change", change.to_owned())]].concat();
                counter!(ENTITIES, &labels).increment(count);
            }
        }
    }
    for (outcome, notes) in [
        ("rejected", &report.rejections),
        ("refused", &report.refusals),
        ("faulted", &report.faults),
        ("parked", &report.parked),
    ] {
        if !notes.is_empty() {
            counter!(RECORDS, &with("outcome", outcome.to_owned())).increment(notes.len() as u64);
        }
    }
}

/// Says what keeps the database from working, if anything does.
pub fn trouble(now: Option<Trouble>) {
    for trouble in Trouble::ALL {
        gauge!(TROUBLE, "trouble" => trouble.word()).set(u8::from(now == Some(trouble)));
    }
}

/// Counts an attempt to send a webhook.
pub fn sent(send: &DueSend, outcome: SendOutcome, took: Duration) {
    let outcome = match outcome {
        SendOutcome::Succeeded => "succeeded",
        SendOutcome::Retry(_) => "retried",
        SendOutcome::Failed => "failed",
    };
    let labels = [
        ("tenant", send.tenant.clone()),
        ("connection", send.connection.clone()),
        ("partner", send.partner.clone()),
        ("outcome", outcome.to_owned()),
    ];
    counter!(SENDS, &labels).increment(1);
    histogram!(SEND_SECONDS, &labels[..3]).record(took);
}

/// Counts one more delivery in progress until the guard is dropped.
pub fn in_progress(partner: &str) -> impl Drop + Send + use<> {
    let gauge = gauge!(WORKING, "partner" => partner.to_owned());
    gauge.increment(1);
    InProgress(gauge)
}

/// Says how many deliveries of a connection are queued.
pub fn queued(tenant: &str, connection: &str, length: u64) {
    queue(tenant, connection).set(u32::try_from(length).unwrap_or(u32::MAX));
}

/// Counts that one of them has ended.
pub fn dequeued(tenant: &str, connection: &str) {
    queue(tenant, connection).decrement(1);
}

fn queue(tenant: &str, connection: &str) -> ::metrics::Gauge {
    gauge!(QUEUED, "tenant" => tenant.to_owned(), "connection" => connection.to_owned())
}

struct InProgress(::metrics::Gauge);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rollcall_core::delivery::{Counts, Report, Status};
    use rollcall_core::ingest::Sender;

    use super::{Metrics, delivery, in_progress};

    #[test]
    fn a_delivery_is_counted_under_its_connection() {
        let metrics = Metrics::install().unwrap();
        let sender = Sender {
            tenant: "north".to_owned(),
            connection: "school".to_owned(),
            options: Arc::new(serde_json::Value::Null),
        };
        let mut report = Report::new(Status::Applied);
        report.counts.insert("user".to_owned(), Counts { created: 3, ..Counts::default() });
        let working = in_progress("library");
        delivery(&sender, "library", 100, &report);
        let text = metrics.render();
        for line in [
            r#"rollcall_deliveries_total{tenant="north",connection="school",partner="library",status="applied"} 1"#,
            r#"rollcall_entity_changes_total{tenant="north",connection="school",partner="library",kind="user",change="created"} 3"#,
            r#"rollcall_delivery_body_bytes_total{tenant="north",connection="school",partner="library"} 100"#,
            r#"rollcall_deliveries_in_progress{partner="library"} 1"#,
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
        drop(working);
        assert!(metrics.render().contains(r#"rollcall_deliveries_in_progress{partner="library"} 0"#));
    }
}
