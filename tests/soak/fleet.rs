//! Turns a site into servers that come and go: who calls takes whichever is there.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::script::{PARTNERS, Partner};
use super::{PATIENCE, TENANTS};
use crate::client::Client;
use crate::site::{Server, Site, digest};

/// How often somebody who waits looks again.
const LOOK: Duration = Duration::from_millis(2);

/// A connection, and who calls it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its tenant.
    pub tenant: &'static str,
    /// Its name.
    pub name: String,
    /// Its partner.
    pub partner: &'static Partner,
}

impl Connection {
    /// What its client shows.
    pub fn credential(&self) -> String {
        format!("{}-{}", self.tenant, self.name)
    }

    /// What its tenant's reader shows.
    pub fn reader(&self) -> String {
        reader(self.tenant)
    }
}

/// What the reader of a tenant shows.
pub fn reader(tenant: &str) -> String {
    format!("{tenant}-reader")
}

/// All connections: so many of each partner in each tenant.
pub fn connections(each: usize) -> Vec<Connection> {
    let of = |tenant, partner: &'static Partner| {
        (0..each).map(move |nth| Connection { tenant, name: format!("{}-{nth}", partner.name), partner })
    };
    TENANTS.into_iter().flat_map(|tenant| PARTNERS.iter().flat_map(move |partner| of(tenant, partner))).collect()
}

/// Writes all connections into the configuration of `site`.
pub fn furnish(site: &mut Site, each: usize) {
    let mut tenants = Map::new();
    for connection in connections(each) {
        let tenant = tenants
            .entry(connection.tenant)
            .or_insert_with(|| json!({"readers": {"reader": [digest(&reader(connection.tenant))]}, "connections": {}}));
        tenant["connections"][&connection.name] = json!({
            "partner": connection.partner.name,
            "options": (connection.partner.options)(),
            "credentials": [digest(&connection.credential())],
        });
    }
    site.config["tenants"] = Value::Object(tenants);
    site.config["webhooks"] = json!({"allow": ["127.0.0.1"]});
    // Nobody waits long for whoever is gone.
    let limits = [
        ("lease_seconds", 3),
        ("send_retry_seconds_min", 1),
        ("send_retry_seconds_max", 2),
        ("send_attempts_max", 1_000),
    ];
    for (limit, value) in limits {
        site.config["limits"][limit] = json!(value);
    }
}

/// Servers at numbered places, all on one database.
pub struct Fleet {
    site: Site,
    places: Mutex<Vec<Option<Server>>>,
    has_ended: Mutex<bool>,
    ended: Condvar,
}

/// Whoever sends or reads goes on until this is dropped.
pub struct Ending<'f>(&'f Fleet);

impl Fleet {
    /// Starts so many servers.
    pub fn start(site: Site, servers: usize) -> Self {
        let places = (0..servers).map(|_| Some(site.start())).collect();
        Self { site, places: Mutex::new(places), has_ended: Mutex::new(false), ended: Condvar::new() }
    }

    /// A client of one of the servers that are running; which one, `choice` says.
    pub fn any(&self, choice: usize) -> Option<Client> {
        let places = locked(&self.places);
        let running: Vec<_> = places.iter().flatten().collect();
        (!running.is_empty()).then(|| Client::clone(running[choice % running.len()]))
    }

    /// Kills the server at a place and starts another one there.
    pub fn kill(&self, nth: usize) {
        let server = locked(&self.places)[nth].take();
        server.expect("a server is at every place").kill();
        let server = self.site.start();
        locked(&self.places)[nth] = Some(server);
    }

    /// Ends everybody's work as soon as it is dropped, also because somebody panicked.
    pub(super) fn ending(&self) -> Ending<'_> {
        Ending(self)
    }

    /// Whether everybody's work has ended; waits a little for that.
    pub(super) fn has_ended(&self, within: Duration) -> bool {
        let ended = self.ended.wait_timeout_while(locked(&self.has_ended), within, |ended| !*ended);
        *ended.expect("nobody panics with this lock").0
    }

    /// Waits until something holds; not for ever.
    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "it is waited in vain until {what}");
            self.has_ended(LOOK);
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        *locked(&self.0.has_ended) = true;
        self.0.ended.notify_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with this lock")
}
