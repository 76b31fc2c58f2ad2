//! Lets servers, and what they stand on, be killed for as long as one likes: `make soak`, or
//! `cargo bench --package rollcall --bench soak -- sqlite --kills 50`.

#![expect(clippy::print_stdout, reason = "it talks to the person at the terminal")]

use std::io;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use rollcall_tests::jusoor::PARTNER;
use rollcall_tests::site::Site;
use rollcall_tests::soak::Figures;
use rollcall_tests::soak::target::{self, Measure};

/// Kills servers while clients send; says in the end that nothing was lost, or what was.
#[derive(Parser)]
struct Arguments {
    /// What servers stand on; everything in turn where nothing is named.
    on: Vec<On>,
    /// Goes on with other seeds for so many minutes, and ends with the first run after them.
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// How often a server is killed in each run.
    #[arg(long, default_value_t = 50)]
    kills: usize,
    /// Connections of each partner in each of two tenants.
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// At most so many requests are answered between two kills.
    #[arg(long, default_value_t = 200)]
    answers: usize,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What Cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What servers stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum On {
    /// One server on an SQLite file.
    Sqlite,
    /// Three servers on one PostgreSQL, which crashes twice.
    Processes,
    /// Two servers on a PostgreSQL that is destroyed, and a standby that takes over.
    Standby,
}

fn main() -> io::Result<()> {
    let Arguments { mut on, minutes, kills, connections, answers, seed, bench: _ } = Arguments::parse();
    if on.is_empty() {
        on = On::value_variants().to_vec();
    }
    let start = Instant::now();
    for seed in seed.. {
        for on in &on {
            let figures = once(*on, Measure { seed, kills, connections, answers_max: answers })?;
            println!("{on:?}, seed {seed}: {figures}");
        }
        if start.elapsed() >= Duration::from_secs(minutes * 60) {
            break;
        }
    }
    Ok(())
}

fn once(on: On, measure: Measure) -> io::Result<Figures> {
    let site = || Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), PARTNER);
    match on {
        On::Sqlite => Ok(target::sqlite(site, measure)),
        On::Processes => target::processes(site, measure),
        On::Standby => target::standby(site, measure),
    }
}
