//! Measures Rollcall against the peer in `peer/`.

fn main() {}
