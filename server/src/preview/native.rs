//! Runs a mapper's native build: a program that reads a batch of records on its standard input and writes what it makes
//! of them to its standard output.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rollcall_core::map::Input;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Said;

/// A mapper's native build.
#[derive(Debug, Clone)]
pub struct Native(PathBuf);

/// Why the native build said nothing.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// There is no such program.
    #[error("there is no native build {} (build it with `cargo build -p {package}`)", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What would build it.
        package: String,
    },
    /// It could not be started or talked to.
    #[error("failed to run {}", path.display())]
    Run {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("{} ended with {status}", path.display())]
    Ended {
        /// The program.
        path: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// What it wrote is not what it should write.
    #[error("{} answered something else than was asked", path.display())]
    Answer {
        /// The program.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl Native {
    /// The native build of a partner's mapper in `folder`, where Cargo puts programs.
    pub fn find(folder: &Path, partner: &str) -> Result<Self, NativeError> {
        let package = format!("mapper-{partner}");
        let path = folder.join(&package).with_extension(std::env::consts::EXE_EXTENSION);
        if path.is_file() { Ok(Self(path)) } else { Err(NativeError::Missing { path, package }) }
    }

    /// What it makes of the records, in order.
    pub(super) fn run(&self, options: &Value, inputs: &[Input<'_>]) -> Result<Vec<Said>, NativeError> {
        let Self(path) = self;
        let answer = |source| NativeError::Answer { path: path.clone(), source };
        let batch = batch(options, inputs).map_err(answer)?;
        let output = talk(path, batch).map_err(|source| NativeError::Run { path: path.clone(), source })?;
        if !output.status.success() {
            return Err(NativeError::Ended { path: path.clone(), status: output.status });
        }
        serde_json::from_slice(&output.stdout).map_err(answer)
    }
}

/// What the program reads.
#[derive(Serialize)]
struct Batch<'a> {
    options: &'a Value,
    records: Vec<BatchRecord<'a>>,
}

#[derive(Serialize)]
struct BatchRecord<'a> {
    record: &'a str,
    body: &'a RawValue,
    ancestors: &'a RawValue,
}

fn batch(options: &Value, inputs: &[Input<'_>]) -> Result<Vec<u8>, serde_json::Error> {
    let records = inputs.iter().map(|input| {
        let (body, ancestors) = (serde_json::from_slice(input.body)?, serde_json::from_slice(input.ancestors)?);
        Ok(BatchRecord { record: input.record, body, ancestors })
    });
    let records = records.collect::<Result<_, serde_json::Error>>()?;
    serde_json::to_vec(&Batch { options, records })
}

/// Writes all of the batch while the program may already answer: neither waits for the other.
fn talk(path: &Path, batch: Vec<u8>) -> io::Result<std::process::Output> {
    let mut child = Command::new(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or_else(|| io::Error::other("it has no standard input"))?;
    let writer = std::thread::spawn(move || input.write_all(&batch));
    let output = child.wait_with_output()?;
    let written = writer.join().map_err(|_| io::Error::other("the batch could not be written"))?;
    if output.status.success() {
        written?;
    }
    Ok(output)
}
