//! That memory grows with the piece that is worked on, not with the payload.

use rollcall_tests::database::Kind;
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::{campus, jusoor};
use serde_json::{Value, json};

use crate::{on_every_database, site_of};

on_every_database!(a_large_school_takes_little_memory, many_records_take_little_memory);

/// Bytes of a piece here, so that a payload has dozens of them.
const PIECE_BYTES: u64 = 64 << 10;

/// Bytes of memory for each byte of a payload, beside what a server needs for any. As rows they would take forty.
const BYTES_PER_BYTE_MAX: u64 = 12;

/// What a server needs for any payload: instances of the mapper, one piece, pages of the database.
const BYTES_MAX: u64 = 72 << 20;

fn a_large_school_takes_little_memory(kind: Kind) {
    let size = Size { classes: 280, ..Size::LARGE };
    let body = Payload::of(size).to_bytes();
    let answer = posted(kind, jusoor::PARTNER, jusoor::BRANCHES, &jusoor::headers("north-school"), &body);
    let people = size.classes * (size.sections * size.students + size.subjects);
    assert_eq!(answer["counts"]["user"]["created"], people);
}

fn many_records_take_little_memory(kind: Kind) {
    let headers = campus::headers("north-school");
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = posted(kind, campus::PARTNER, campus::CONTRACTS, &headers, &campus::contracts(6_000));
    assert_eq!((&answer["total"], answer["contrats"].as_array().map(Vec::len)), (&json!(6_000), Some(6_000)));
}

/// What a fresh server answers to a payload, which must not take more memory than it may.
fn posted(kind: Kind, partner: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let mut site = site_of(kind, partner);
    site.config["limits"] = json!({"piece_bytes": PIECE_BYTES});
    let server = site.start();
    server.forget_peak_memory();
    let before = server.peak_memory();
    let answer = server.post(path, headers, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (taken, may) = (server.peak_memory() - before, BYTES_MAX + BYTES_PER_BYTE_MAX * body.len() as u64);
    assert!(taken < may, "{} bytes took {taken} bytes of memory, not {may}", body.len());
    answer.json()
}
