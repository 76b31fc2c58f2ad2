//! B10: what a resync of one school costs while others are stored beside it: ten thousand, a hundred thousand, a million
//! users. Whoever looks at more than what is the connection's own is found out here.

use std::time::{Duration, Instant};

use rollcall_tests::jusoor;
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::{Server, Site, digest};
use serde_json::{Map, Value, json};

use crate::figures::{Figures, Measure};
use crate::rounds::{changed, fastest};

/// The connection that is measured.
const TOKEN: &str = "north-school";

/// Connections beside it, each with about 5,000 users, when a resync is measured.
const LEVELS: [(usize, Measure, Measure); 3] = [
    (2, Measure::ShuffledBeside10K, Measure::IdenticalBeside10K),
    (20, Measure::ShuffledBeside100K, Measure::IdenticalBeside100K),
    (200, Measure::ShuffledBeside1M, Measure::IdenticalBeside1M),
];

/// Measures the same resyncs at each level, on one server.
pub(crate) fn beside_others(figures: &mut Figures) {
    let most = LEVELS[LEVELS.len() - 1].0;
    let server = site(most).start();
    let payload = Payload::of(Size::LARGE);
    let bytes = payload.to_bytes();
    post(&server, TOKEN, &bytes);
    let mut seeds = 0..;
    let mut stored = 0;
    for (others, shuffled, identical) in LEVELS {
        for other in stored..others {
            post(&server, &token(other), &bytes);
        }
        stored = others;
        let resync = |_| post(&server, TOKEN, &changed(&payload, seeds.next().expect("there are enough numbers")));
        figures.took(shuffled, fastest(resync));
        post(&server, TOKEN, &bytes);
        figures.took(identical, fastest(|_| post(&server, TOKEN, &bytes)));
    }
}

/// A server with a tenant beside those that every site has, with so many connections.
fn site(others: usize) -> Site {
    let mut site = Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), jusoor::PARTNER);
    let connection = |other| json!({ "partner": jusoor::PARTNER, "credentials": [digest(&token(other))] });
    let connections: Map<String, Value> = (0..others).map(|other| (token(other), connection(other))).collect();
    site.config["tenants"]["others"] = json!({ "connections": connections });
    site
}

fn token(other: usize) -> String {
    format!("other-{other}")
}

fn post(server: &Server, token: &str, body: &[u8]) -> Duration {
    let start = Instant::now();
    let answer = server.post(jusoor::BRANCHES, &jusoor::headers(token), body);
    let time = start.elapsed();
    assert_eq!(answer.status, 200, "{}", answer.text());
    time
}
