//! Looks now and then at what is stored, and at the process: what no event tells, because it is a state.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ::metrics::{Gauge, gauge, histogram};
use jiff::Timestamp;
use rollcall_core::store::{Backlog, Usage, Waiting};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::catalogue::{
    DATABASE_CONNECTIONS, DATABASE_SECONDS, DATABASE_UP, HELD, HELD_AGE, Metric, PARKED, PENDING, PENDING_AGE,
    QUARANTINED, QUEUE_AGE, QUEUED,
};
use super::connection::whose;
use crate::app::App;

/// Whose something is.
type Labels = Vec<(&'static str, String)>;

/// Looks every `metrics.sample_seconds`, for ever. A database that does not answer is said not to, and asked again.
pub async fn watch(app: Arc<App>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Seen::default();
    loop {
        ticks.tick().await;
        app.metrics.upkeep();
        connections(app.reader.usage());
        let start = Instant::now();
        let looked = timeout(every, app.reader.backlog()).await;
        histogram!(DATABASE_SECONDS.name).record(start.elapsed());
        match looked {
            Ok(Ok(backlog)) => {
                gauge!(DATABASE_UP.name).set(1);
                seen.tell(&backlog, app.ingest.clock.now());
            }
            Ok(Err(error)) => {
                gauge!(DATABASE_UP.name).set(0);
                app.condition.suffer(&error, "what waits is not known");
            }
            Err(_) => {
                gauge!(DATABASE_UP.name).set(0);
                tracing::warn!("the database takes too long to say what waits");
            }
        }
    }
}

fn connections(usage: Usage) {
    for (state, count) in [("busy", usage.busy), ("open", usage.open), ("most", usage.most)] {
        gauge!(DATABASE_CONNECTIONS.name, "state" => state).set(count);
    }
}

/// Says that nothing waits of a connection, until that was looked at.
pub(super) fn nothing_waits(tenant: &str, connection: &str, partner: &str) {
    for metric in [QUEUED, QUEUE_AGE, PENDING, PENDING_AGE, PARKED, QUARANTINED, HELD, HELD_AGE] {
        of(&metric, &whose(tenant, connection, partner)).set(0);
    }
}

/// What was told of whom: where nothing waits any more, that has to be said once.
#[derive(Default)]
struct Seen(HashSet<(&'static str, Labels)>);

impl Seen {
    fn tell(&mut self, backlog: &Backlog, now: Timestamp) {
        for (waiting, count, age) in [
            (&backlog.queued, QUEUED, Some(QUEUE_AGE)),
            (&backlog.sends, PENDING, Some(PENDING_AGE)),
            (&backlog.parked, PARKED, None),
            (&backlog.quarantined, QUARANTINED, None),
            (&backlog.held, HELD, Some(HELD_AGE)),
        ] {
            self.list(waiting, &count, age.as_ref(), now);
        }
    }

    fn list(&mut self, waiting: &[Waiting], count: &Metric, age: Option<&Metric>, now: Timestamp) {
        let mut told: BTreeMap<Labels, (u64, Timestamp)> = BTreeMap::new();
        for one in waiting {
            let (sum, since) = told.entry(whose(&one.tenant, &one.connection, &one.partner)).or_insert((0, one.since));
            *sum += one.count;
            *since = one.since.min(*since);
        }
        let gone = |(name, labels): &(&'static str, Labels)| *name == count.name && !told.contains_key(labels);
        for (_, labels) in self.0.extract_if(gone) {
            of(count, &labels).set(0);
            if let Some(age) = age {
                of(age, &labels).set(0);
            }
        }
        for (labels, (sum, since)) in told {
            of(count, &labels).set(u32::try_from(sum).unwrap_or(u32::MAX));
            if let Some(age) = age {
                of(age, &labels).set(now.duration_since(since).as_secs_f64().max(0.0));
            }
            self.0.insert((count.name, labels));
        }
    }
}

fn of(metric: &Metric, labels: &Labels) -> Gauge {
    gauge!(metric.name, labels)
}
