//! Prints the benchmark's payload, to be posted by hand: `cargo run -p rollcall-tests --example school > school.json`.

use std::io::{self, Write as _};

use rollcall_tests::school::{Payload, Size};

fn main() -> io::Result<()> {
    io::stdout().write_all(&Payload::of(Size::LARGE).to_bytes())
}
