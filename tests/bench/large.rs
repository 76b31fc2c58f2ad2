//! What payloads of any size take: how long, and how much memory beyond what the server had before, for each megabyte.
//!
//! `cargo bench -p rollcall --bench large` posts every payload to a fresh server; `… -- school` those of which the name
//! begins so. To add one: a row in [`CASES`].

#![expect(clippy::print_stdout, reason = "it talks to the person at the terminal")]

use std::time::Instant;

use rollcall_tests::database::Kind;
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::Site;
use rollcall_tests::{campus, jusoor};
use serde_json::json;

/// A payload: what it is called, what it is made of, and what it is sent to.
type Case = (&'static str, Made, Kind);

/// What a payload is made of.
#[derive(Clone, Copy)]
enum Made {
    /// One document of nested records: a school with so many classes of 120 students.
    School(u64),
    /// A list of so many records.
    Contracts(u64),
}

const CASES: [Case; 6] = [
    ("school", Made::School(680), Kind::Sqlite),
    ("school", Made::School(6_800), Kind::Sqlite),
    ("contracts", Made::Contracts(20_000), Kind::Sqlite),
    ("contracts", Made::Contracts(200_000), Kind::Sqlite),
    ("school on PostgreSQL", Made::School(6_800), Kind::Postgres),
    ("contracts on PostgreSQL", Made::Contracts(200_000), Kind::Postgres),
];

/// The connection that is posted to.
const TOKEN: &str = "north-school";

fn main() {
    let only: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    println!("payload                     MB       s   MB of memory before, at most   per MB");
    for (name, made, kind) in CASES {
        if only.is_empty() || only.iter().any(|part| name.starts_with(part.as_str())) {
            measure(name, made, kind);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures in a table")]
fn measure(name: &str, made: Made, kind: Kind) {
    let (partner, path, body) = match made {
        Made::School(classes) => {
            let school = Payload::of(Size { classes, ..Size::LARGE });
            (jusoor::PARTNER, jusoor::BRANCHES, school.to_bytes())
        }
        Made::Contracts(count) => (campus::PARTNER, campus::CONTRACTS, campus::contracts(count)),
    };
    let mut site = Site::on(kind, env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), partner);
    site.config["limits"] = json!({"body_bytes_max": 1 << 30, "body_wire_bytes_max": 1 << 30});
    let server = site.start();
    server.forget_peak_memory();
    let before = server.peak_memory();
    let start = Instant::now();
    let answer = match made {
        Made::School(_) => server.post(path, &jusoor::headers(TOKEN), &body),
        Made::Contracts(_) => {
            let headers = campus::headers(TOKEN);
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            server.post(path, &headers, &body)
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let (length, least, most) = (body.len() as f64 / 1e6, megabytes(before), megabytes(server.peak_memory()));
    let per = (most - least) / length;
    println!("{name:<24} {length:>7.1} {seconds:>7.1} {least:>21.0} {most:>9.0} {per:>8.1}");
}
