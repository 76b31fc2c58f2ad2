//! Measures Rollcall against the peer in `peer/`, interleaved in one run, lets the other benchmarks measure single stages,
//! and writes all figures into `BENCHMARKS.md`.
//!
//! `make bench` installs the peer, builds for release, and runs this; `cargo bench --workspace --bench peer -- records`
//! measures one part only, and writes nothing. To add a part: a row in [`PARTS`]; to add a benchmark of a stage: a row in
//! [`STAGES`].

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "it talks to the person at the terminal")]

mod figures;
mod load;
mod receiver;
mod receiving;
mod rounds;
mod stored;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use rollcall_tests::site::project;

use self::figures::Figures;

/// Where the figures stand in the document.
const MARKS: (&str, &str) = ("<!-- figures: begin -->\n", "<!-- figures: end -->");

/// Benchmarks of single stages: what they measure, and what they are called.
const STAGES: [(&str, &str); 4] = [
    ("B4: mapping in the sandbox and natively", "mapping"),
    ("B7: storing", "store"),
    ("B11: more processes", "processes"),
    ("Large payloads", "large"),
];

/// How often everything is measured.
const ROUNDS: usize = 15;

/// A part of the benchmark: what it is called, in how many rounds it is measured, and how.
type Part = (&'static str, usize, fn(&mut Figures));

/// What is measured of whole programs.
const PARTS: [Part; 5] = [
    ("sync", ROUNDS, rounds::over_http),
    ("postgres", ROUNDS, rounds::over_http_on_postgres),
    ("records", 5, load::of_records),
    ("receiving", 5, receiving::of_deliveries),
    ("stored", 2, stored::beside_others),
];

fn main() {
    // Cargo says `--bench` to whatever it runs as a benchmark.
    let only: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let mut figures = Figures::default();
    for round in 1..=ROUNDS {
        for (name, rounds, measure) in PARTS {
            if round <= rounds && (only.is_empty() || only.iter().any(|part| part == name)) {
                eprintln!("{name}, round {round} of {rounds}");
                measure(&mut figures);
            }
        }
    }
    let mut table = format!("{}\n\n{}", machine(), figures.to_markdown());
    if !only.is_empty() {
        println!("{table}");
        return;
    }
    for (title, name) in STAGES {
        eprintln!("{title}");
        let said = output("cargo", &["bench", "--workspace", "--bench", name]);
        write!(table, "\n{title} (least and median, ms):\n\n```text\n{}\n```\n", said.trim())
            .expect("a text can be written to");
    }
    println!("{table}");

    let path = project().join("BENCHMARKS.md");
    let document = fs::read_to_string(&path).expect("BENCHMARKS.md is there");
    let (before, rest) = document.split_once(MARKS.0).expect("BENCHMARKS.md has a place for the figures");
    let (_, after) = rest.split_once(MARKS.1).expect("that place has an end");
    let written = format!("{before}{}{table}\n{}{after}", MARKS.0, MARKS.1);
    fs::write(&path, written).expect("BENCHMARKS.md can be written");
}

/// What was measured, and on what, in one line.
fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    let (date, rust, node) =
        (first_line("date", &["-I"]), first_line("rustc", &["--version"]), first_line("node", &["--version"]));
    let commit = first_line("git", &["rev-parse", "--short", "HEAD"]);
    format!(
        "Commit {commit}, measured {date} on {cores} cores ({}), load {load} at the end; {rust}; Node {node}; {ROUNDS} rounds.",
        processor.unwrap_or("unknown processor")
    )
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    output(program, arguments).lines().next().unwrap_or("?").to_owned()
}

/// What a program says in this project's folder.
///
/// What Cargo tells this program of its package is kept from it: libraries whose build asks for that would be built anew.
fn output(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(project()).stderr(Stdio::inherit());
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let output = command.output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
