//! What a run is made of: servers on one SQLite file, several on one PostgreSQL, or on one that a standby takes over from.

use std::fs;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall_test_cluster::{Cluster, Database, Settings, Stop};
use serde_json::json;

use super::address::Address;
use super::{Blow, Figures, Plan, run};
use crate::site::Site;

/// The database of clusters that are started here.
const DATABASE: &str = "postgres";

/// What the standby calls itself.
const STANDBY: &str = "standby";

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// See [`Plan::seed`].
    pub seed: u64,
    /// How often a server is killed.
    pub kills: usize,
    /// See [`Plan::connections`].
    pub connections: usize,
    /// See [`Plan::answers_max`].
    pub answers_max: usize,
}

impl Measure {
    fn plan(self, servers: usize) -> Plan {
        let Self { seed, kills, connections, answers_max } = self;
        let blows = (0..kills).map(|nth| Blow::Kill(nth % servers)).collect();
        Plan { seed, servers, connections, answers_max, blows }
    }
}

/// One server on an SQLite file.
pub fn sqlite(site: impl Fn() -> Site, measure: Measure) -> Figures {
    run(site(), site(), measure.plan(1))
}

/// Three servers on one PostgreSQL, each killed in its turn; PostgreSQL itself is ended as by a crash twice.
pub fn processes(site: impl Fn() -> Site, measure: Measure) -> io::Result<Figures> {
    const SERVERS: usize = 3;
    let cluster = Arc::new(Cluster::start(&Settings::default())?);
    let control = Database::fresh();
    let mut plan = measure.plan(SERVERS);
    for part in [2, 1] {
        let crashing = Arc::clone(&cluster);
        let crash = move || crashing.restart(Stop::Immediate).expect("PostgreSQL starts again");
        let blow = Blow::Other("PostgreSQL ended at once and started again", Box::new(move |_| crash()));
        plan.blows.insert(plan.blows.len() * part / 3, blow);
    }
    Ok(run(on(site(), &cluster.url(DATABASE)), on(site(), &control.url()), plan))
}

/// Two servers on a PostgreSQL that another one follows. In the middle the first one is destroyed, with all that it
/// holds, and the other one takes its place.
pub fn standby(site: impl Fn() -> Site, measure: Measure) -> io::Result<Figures> {
    const SERVERS: usize = 2;
    let primary = Cluster::start(&Settings::default())?;
    let follower = primary.standby(STANDBY, &Settings::default())?;
    primary
        .add_settings(&[format!("synchronous_standby_names = '{STANDBY}'"), "synchronous_commit = on".to_owned()])?;
    primary.reload()?;
    let control = Database::fresh();
    let address = Arc::new(Address::to(primary.port())?);
    let url = primary.url(DATABASE).replace(&format!(":{}/", primary.port()), &format!(":{}/", address.port()));
    let mut plan = measure.plan(SERVERS);
    let follower = Arc::new(follower);
    let (next, moving) = (Arc::clone(&follower), Arc::clone(&address));
    let take_over = move || {
        destroy(&primary)?;
        next.promote()?;
        moving.moves_to(next.port());
        Ok::<_, io::Error>(())
    };
    let happens = Box::new(move |_: &_| take_over().expect("the standby takes over"));
    plan.blows.insert(plan.blows.len() / 2, Blow::Other("PostgreSQL destroyed, its standby promoted", happens));
    Ok(run(on(site(), &url), on(site(), &control.url()), plan))
}

/// How long a fire may take.
const BURNT: Duration = Duration::from_mins(1);

/// Ends it as a fire would.
fn destroy(cluster: &Cluster) -> io::Result<()> {
    let file = fs::read_to_string(cluster.data().join("postmaster.pid"))?;
    let process = file.lines().next().unwrap_or_default();
    if !Command::new("kill").args(["-KILL", process]).status()?.success() {
        return Err(io::Error::other("the primary cannot be killed"));
    }
    // Its children live a moment longer, and go on writing what is being removed.
    let start = Instant::now();
    loop {
        match fs::remove_dir_all(cluster.data()) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && start.elapsed() < BURNT => {}
            removed => return removed,
        }
    }
}

/// The site with its data in the database at `url`.
fn on(mut site: Site, url: &str) -> Site {
    site.config["database_url"] = json!(url);
    site
}
