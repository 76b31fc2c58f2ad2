//! Lets a fuzzer loose on everything that a server's document describes: whatever is sent, one request after the other or
//! each by itself, no answer is a server error, and each is as the document says.
//!
//! The fuzzer is Schemathesis, a Python program: it is installed once, beside the other things that tests build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rollcall_tests::database::Kind;

use super::served::{PARTNER, SCHOOL, site};
use super::walk::document::Document;
use super::walk::furnish;

/// What is installed: the fuzzer, and all that it needs, each in one version.
const REQUIREMENTS: &str = include_str!("fuzzer.txt");

/// How it goes about it.
const SETTINGS: &str = include_str!("fuzzer.toml");

/// What is fuzzed at the same time, each by a process: operations by themselves, by their methods, and calls that follow
/// from each other.
const PARTS: [&[&str]; 5] = [
    &["--phases", "examples,coverage,fuzzing", "--include-method", "GET", "--include-method", "DELETE"],
    &["--phases", "examples,coverage,fuzzing", "--include-method", "POST"],
    &["--phases", "examples,coverage,fuzzing", "--include-method", "PUT"],
    &["--phases", "examples,coverage,fuzzing", "--include-method", "PATCH"],
    &["--phases", "stateful"],
];

#[test]
fn whatever_is_sent_is_answered_as_the_document_says() {
    let fuzzer = installed();
    let server = site(Kind::Sqlite).start();
    furnish(&server);
    let path = format!("/{PARTNER}/openapi.json");
    let described = Document::new(server.get_json(&path, "")).operations().len();
    let document = format!("{}{path}", server.address());
    let place = tempfile::tempdir().expect("there is a place for temporary files");
    let settings = place.path().join("fuzzer.toml");
    fs::write(&settings, SETTINGS).expect("the folder is ours");
    let started = PARTS.iter().enumerate().map(|(nth, part)| {
        let place = place.path().join(nth.to_string());
        fs::create_dir(&place).expect("the folder is ours");
        let mut fuzz = Command::new(&fuzzer);
        fuzz.current_dir(&place).env("PYTHONDONTWRITEBYTECODE", "1").stdout(Stdio::piped()).stderr(Stdio::piped());
        fuzz.arg("--config-file").arg(&settings).args(["run", "--no-color"]).args(*part);
        fuzz.args(["--header", &format!("Authorization: Bearer {SCHOOL}")]).arg(&document);
        let process = fuzz.spawn().expect("it was installed");
        std::thread::spawn(|| process.wait_with_output().expect("it is ours"))
    });
    let started: Vec<_> = started.collect();
    let outputs = started.into_iter().map(|part| part.join().expect("waiting does not fail"));
    let reports: Vec<_> = outputs.map(|output| Report::new(&output)).collect();
    let failed: Vec<_> = reports.iter().filter(|report| !report.is_good).map(|report| report.said.as_str()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let (alone, together) = reports.split_at(PARTS.len() - 1);
    assert_eq!(alone.iter().map(|report| report.operations).sum::<usize>(), described, "some were not fuzzed");
    assert!(together[0].operations > described / 3, "few calls followed from each other");
}

/// What a part came to.
struct Report {
    is_good: bool,
    /// How many operations were fuzzed.
    operations: usize,
    said: String,
}

impl Report {
    fn new(output: &Output) -> Self {
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let tested = said.lines().find_map(|line| line.trim().strip_prefix("Tested: ")?.trim().parse().ok());
        Self { is_good: output.status.success(), operations: tested.unwrap_or_default(), said }
    }
}

/// The fuzzer's program; installed if it is not there, or not in these versions.
fn installed() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzzer");
    let (program, mark) = (place.join("bin/schemathesis"), place.join("installed.txt"));
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == REQUIREMENTS) {
        return program;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place));
    let wanted = place.join("wanted.txt");
    fs::write(&wanted, REQUIREMENTS).expect("the folder is ours");
    run(Command::new(place.join("bin/pip")).args(["install", "--quiet", "--no-deps", "--requirement"]).arg(&wanted));
    fs::rename(&wanted, &mark).expect("the folder is ours");
    program
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; the fuzzer needs Python 3.11 or later with `venv` (https://www.python.org)")
    });
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
