//! Every metric there is: its name, what its labels are, what it says.
//!
//! Labels name tenants, connections, partners, routes and words of ours: never people, records or anything else that was
//! sent. What is not in [`ALL`] is shown by nobody; `server/OPERATING.md` lists what is.

use ::metrics::Unit;

/// What is measured.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it is counted.
    pub kind: Kind,
    /// Its labels, in the order in which they are given.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// How something is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often it was at most so much; the bounds are said.
    Histogram(&'static [f64]),
}

/// Upper bounds of durations, in seconds.
const SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0];

/// Upper bounds of durations that can be short.
const MOMENTS: &[f64] = &[0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0];

/// Upper bounds of fuel.
const FUEL: &[f64] = &[1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];

/// Upper bounds of memory, in bytes.
const MEMORY: &[f64] = &[
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
    33_554_432.0,
    67_108_864.0,
    134_217_728.0,
    268_435_456.0,
];

/// Whose it is; `tenant` and `connection` only where `metrics.per_connection` is set.
pub(super) const WHOSE: [&str; 3] = ["tenant", "connection", "partner"];

const OF_CONNECTION: &[&str] = &WHOSE;

macro_rules! metrics {
    ($($metric:ident = $kind:expr, $name:literal, $labels:expr, $help:literal;)+) => {
        $(pub(super) const $metric: Metric = Metric { name: $name, kind: $kind, labels: $labels, help: $help };)+

        /// All of them.
        pub const ALL: &[Metric] = &[$($metric),+];
    };
}

metrics! {
    REQUESTS = Kind::Counter, "rollcall_http_requests_total", &["route", "status"],
        "Requests answered.";
    REQUEST_SECONDS = Kind::Histogram(SECONDS), "rollcall_http_request_duration_seconds", &["route"],
        "From a request's head to its answer's.";
    REQUESTS_IN_PROGRESS = Kind::Gauge, "rollcall_http_requests_in_progress", &[],
        "Requests that are being answered.";
    DELIVERIES = Kind::Counter, "rollcall_deliveries_total", &["tenant", "connection", "partner", "status"],
        "Deliveries that ended, by how: applied, unchanged, rejected, failed, held.";
    BODY_BYTES = Kind::Counter, "rollcall_delivery_body_bytes_total", OF_CONNECTION,
        "Bytes of delivered bodies, decoded.";
    STAGE_SECONDS = Kind::Histogram(MOMENTS), "rollcall_delivery_stage_duration_seconds",
        &["tenant", "connection", "partner", "stage"],
        "What a delivery's time goes to: read and wait come first, ingest is the whole work, the others are its stages.";
    ROWS = Kind::Counter, "rollcall_rows_written_total", &["tenant", "connection", "partner", "rows"],
        "Rows that deliveries wrote: record, entity, entry (a line of a log), send (a webhook).";
    ENTITIES = Kind::Counter, "rollcall_entity_changes_total", &["tenant", "connection", "partner", "kind", "change"],
        "What deliveries did to entities: created, updated, removed.";
    RECORDS = Kind::Counter, "rollcall_bad_records_total", &["tenant", "connection", "partner", "outcome"],
        "What was not taken: rejected (it breaks its schema or a rule), refused (the mapper declines it), faulted (the \
         mapper trapped), parked (it waits for what it refers to).";
    WARNINGS = Kind::Counter, "rollcall_warnings_total", OF_CONNECTION,
        "What was taken but looks wrong.";
    AGAIN = Kind::Counter, "rollcall_commit_conflicts_total", OF_CONNECTION,
        "Plans that were made anew because another process had changed the connection.";
    WORKING = Kind::Gauge, "rollcall_deliveries_in_progress", &["partner"],
        "Deliveries that are being worked on.";
    FUEL_USED = Kind::Histogram(FUEL), "rollcall_delivery_fuel", OF_CONNECTION,
        "Fuel (about: instructions) that mapping a delivery used.";
    MEMORY_USED = Kind::Histogram(MEMORY), "rollcall_mapper_memory_bytes", OF_CONNECTION,
        "The most memory that an instance of the mapper had during a delivery.";
    QUEUED = Kind::Gauge, "rollcall_deliveries_queued", OF_CONNECTION,
        "Deliveries that were acknowledged and have not ended. As stored: each process says the same.";
    QUEUE_AGE = Kind::Gauge, "rollcall_queue_age_seconds", OF_CONNECTION,
        "How long the oldest of these has waited.";
    PENDING = Kind::Gauge, "rollcall_webhooks_pending", OF_CONNECTION,
        "Webhooks that were neither taken nor given up. As stored.";
    PENDING_AGE = Kind::Gauge, "rollcall_webhook_age_seconds", OF_CONNECTION,
        "How long the oldest of these has waited.";
    PARKED = Kind::Gauge, "rollcall_records_parked", OF_CONNECTION,
        "Records that wait for what they refer to. As stored.";
    QUARANTINED = Kind::Gauge, "rollcall_records_quarantined", OF_CONNECTION,
        "Records that have waited for too long. As stored.";
    HELD = Kind::Gauge, "rollcall_deliveries_held", OF_CONNECTION,
        "Deliveries that would change more than is likely and wait for an operator. As stored.";
    HELD_AGE = Kind::Gauge, "rollcall_held_age_seconds", OF_CONNECTION,
        "How long the oldest of these has waited.";
    SHADOWED = Kind::Counter, "rollcall_shadow_deliveries_total", &["partner", "outcome"],
        "What a version that runs beside the one in use makes of deliveries: same, different, refused, faulted; dropped \
         ones are not looked at.";
    REMAPPED = Kind::Counter, "rollcall_remapped_records_total", OF_CONNECTION,
        "Stored records that were mapped anew by the version in use.";
    REMAP_LEFT = Kind::Gauge, "rollcall_remap_records_left", OF_CONNECTION,
        "Stored records that are left where mapping anew is under way; 0 where it is not.";
    SENDS = Kind::Counter, "rollcall_webhook_attempts_total", &["tenant", "connection", "partner", "outcome"],
        "Attempts to send a webhook: succeeded, retried, failed (given up).";
    SEND_SECONDS = Kind::Histogram(SECONDS), "rollcall_webhook_attempt_duration_seconds", OF_CONNECTION,
        "How long subscribers take to answer, or not to.";
    DATABASE_UP = Kind::Gauge, "rollcall_database_up", &[],
        "1 if the database answered when it was last looked at, 0 if not.";
    TROUBLE = Kind::Gauge, "rollcall_database_trouble", &["trouble"],
        "What keeps the database from working: 1 for what it is, 0 for what it is not.";
    DATABASE_SECONDS = Kind::Histogram(MOMENTS), "rollcall_database_answer_duration_seconds", &[],
        "How long the database takes to say what waits.";
    DATABASE_CONNECTIONS = Kind::Gauge, "rollcall_database_connections", &["state"],
        "Connections to the database: busy, open, most (how many there may be).";
    LIMIT = Kind::Gauge, "rollcall_limit", &["limit"],
        "Limits that alerts compare with: fuel_per_delivery_max, memory_bytes_max, queue_deliveries_max.";
    BUILD = Kind::Gauge, "rollcall_build_info", &["version"],
        "1.";
    PARTNER = Kind::Gauge, "rollcall_partner_info", &["partner", "version", "mapper"],
        "1 for each partner that is loaded, with the versions of its description and of its mapper.";
    LOGGED = Kind::Counter, "rollcall_log_lines_total", &["level"],
        "Lines of the log that are warnings or errors.";
}

/// What is known of the process itself, which the crate `metrics-process` finds out: name and help.
pub const PROCESS: [(&str, &str); 8] = [
    ("process_cpu_seconds_total", "Processor time."),
    ("process_open_fds", "Open file descriptors."),
    ("process_max_fds", "How many there may be."),
    ("process_virtual_memory_bytes", "Virtual memory."),
    ("process_virtual_memory_max_bytes", "How much there may be."),
    ("process_resident_memory_bytes", "Resident memory."),
    ("process_start_time_seconds", "When it started, in seconds since 1970."),
    ("process_threads", "Threads."),
];

impl Metric {
    /// What it is counted in, as far as its name says so.
    pub(super) fn unit(&self) -> Option<Unit> {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        match name.rsplit('_').next() {
            Some("seconds") => Some(Unit::Seconds),
            Some("bytes") => Some(Unit::Bytes),
            _ => None,
        }
    }

    /// The word for how it is counted, as Prometheus has it.
    pub fn kind_word(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }
}
