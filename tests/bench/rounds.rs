//! One round: both programs, side by side, from a fresh start.

use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rollcall_test_cluster::{Cluster, Settings};
use rollcall_tests::jusoor;
use rollcall_tests::process::Process;
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::{Server, Site, project};
use serde_json::json;

use crate::figures::{Figures, Measure};
use crate::receiver::Receiver;

/// Posts before anything is measured: caches are warm and the peer's code is compiled.
const WARM_UPS: u64 = 6;

/// How often the resyncs are measured in a round; the fastest counts.
const RESYNCS: u64 = 3;

/// The connection that is posted to.
const TOKEN: &str = "north-school";

/// How durable a commit is, for both: on disk before it is answered.
const SYNCHRONOUS: &str = "full";

/// Measures B1p: the first sync by both programs in turn, each with a database of its own on one PostgreSQL server that
/// waits for the disk.
pub(crate) fn over_http_on_postgres(figures: &mut Figures) {
    static CLUSTER: LazyLock<Cluster> =
        LazyLock::new(|| Cluster::start(&Settings::default()).expect("PostgreSQL is installed"));
    let mut site = Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), jusoor::PARTNER);
    let [own, peers] = [(); 2].map(|()| CLUSTER.database().expect("a database can be made"));
    site.config["database_url"] = json!(own.url());
    let rollcall = Rollcall(site.start());
    let peer = Peer::start_with(&site, &[&peers.url()]);
    let payload = Payload::of(Size::LARGE);
    let bytes = payload.to_bytes();
    for _ in 0..WARM_UPS {
        rollcall.dry_run(&bytes);
        peer.post(&bytes);
    }
    peer.fresh();
    figures.took(Measure::PeerFirstOnPostgres, peer.post(&bytes));
    figures.took(Measure::FirstOnPostgres, rollcall.post(&bytes));
    let changed: Vec<_> = (0..RESYNCS).map(|seed| changed(&payload, seed)).collect();
    figures.took(Measure::PeerShuffledOnPostgres, fastest(|nth| peer.post(&changed[nth])));
    figures.took(Measure::ShuffledOnPostgres, fastest(|nth| rollcall.post(&changed[nth])));
}

/// Measures B1, B2, B3 and memory, each by both programs in turn.
pub(crate) fn over_http(figures: &mut Figures) {
    let site = Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), jusoor::PARTNER);
    let rollcall = Rollcall(site.start());
    let peer = Peer::start(&site);
    let payload = Payload::of(Size::LARGE);
    let bytes = payload.to_bytes();
    for _ in 0..WARM_UPS {
        rollcall.dry_run(&bytes);
        peer.post(&bytes);
    }
    peer.fresh();

    figures.took(Measure::PeerFirst, peer.post(&bytes));
    figures.took(Measure::First, rollcall.post(&bytes));
    figures.took(Measure::PeerIdentical, fastest(|_| peer.post(&bytes)));
    figures.took(Measure::Identical, fastest(|_| rollcall.post(&bytes)));
    let receiver = Receiver::start();
    for _ in 0..WARM_UPS {
        receiver.post(&bytes);
    }
    figures.took(Measure::Received, fastest(|_| receiver.post(&bytes)));
    let changed: Vec<_> = (0..RESYNCS).map(|seed| changed(&payload, seed)).collect();
    figures.took(Measure::PeerShuffled, fastest(|nth| peer.post(&changed[nth])));
    figures.took(Measure::Shuffled, fastest(|nth| rollcall.post(&changed[nth])));
    figures.add(Measure::Memory, megabytes(rollcall.0.peak_memory()));
    figures.add(Measure::PeerMemory, megabytes(peer.0.peak_memory()));
}

struct Rollcall(Server);

impl Rollcall {
    fn post(&self, body: &[u8]) -> Duration {
        timed(&self.0, jusoor::BRANCHES, &jusoor::headers(TOKEN), body)
    }

    fn dry_run(&self, body: &[u8]) -> Duration {
        let headers: Vec<_> = jusoor::headers(TOKEN).into_iter().chain([("rollcall-dry-run", "true")]).collect();
        timed(&self.0, jusoor::BRANCHES, &headers, body)
    }
}

pub(crate) struct Peer(Process);

impl Peer {
    /// With SQLite files in the site's folder.
    pub(crate) fn start(site: &Site) -> Self {
        Self::start_with(site, &[&site.path().display().to_string(), SYNCHRONOUS])
    }

    fn start_with(site: &Site, arguments: &[&str]) -> Self {
        let program = project().join("tests/bench/peer/server.js");
        let mut command = Command::new("node");
        Self(Process::start(command.arg(program).args(arguments), &site.path().join("peer.log")))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.0.address()
    }

    fn post(&self, body: &[u8]) -> Duration {
        timed(&self.0, "/partner/branches", &[("token", "bench"), ("content-type", "application/json")], body)
    }

    fn fresh(&self) {
        timed(&self.0, "/fresh", &[], b"");
    }
}

fn timed(process: &Process, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Duration {
    let start = Instant::now();
    let answer = process.post(path, headers, body);
    let time = start.elapsed();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    time
}

/// The fastest of as many as a round has.
pub(crate) fn fastest(mut measure: impl FnMut(usize) -> Duration) -> Duration {
    (0..usize::try_from(RESYNCS).expect("it is a small number")).map(&mut measure).min().unwrap_or_default()
}

/// The same school with one student renamed and every list in another order.
pub(crate) fn changed(payload: &Payload, seed: u64) -> Vec<u8> {
    let mut payload = payload.clone();
    payload.section(7, 1).students[3].name_user = format!("Renamed {seed}");
    payload.shuffle(seed);
    payload.to_bytes()
}

#[expect(clippy::cast_precision_loss, reason = "a figure in a table")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
