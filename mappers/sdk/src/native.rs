//! Runs a mapper as the host does, without the sandbox: for tests, and for `rollcall test`, which compares the two.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::canonical::KINDS;
use crate::contribution::tag;
use crate::{Contributions, Diagnostic, Foreign as _, Mapper, Severity};

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Contributions, or a refusal.
    pub outcome: Outcome,
    /// What there was to say.
    pub diagnostics: Vec<Diagnostic>,
}

/// The two ways in which mapping a record ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The packed rows of the contract.
    Contributions(Vec<u8>),
    /// The mapper declines the record.
    Refused,
}

/// One contribution, unpacked for people and tests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The kind of entity.
    pub kind: &'static str,
    /// The partner's own id for it.
    pub source_id: String,
    /// What is said of it.
    pub fields: BTreeMap<&'static str, Value>,
}

/// How a value in a row is unpacked.
pub type RowValue = Value;

/// Maps records given as (record type, body, ancestors), in order.
pub fn convert<'a, M: Mapper>(
    options: &[u8],
    inputs: impl Iterator<Item = (&'a str, &'a [u8], &'a [u8])>,
) -> impl Iterator<Item = Answer> {
    let options = serde_json::from_slice::<M::Options>(options);
    inputs.map(move |(name, body, ancestors)| {
        let Ok(options) = &options else {
            return refused("options", "the connection's options are not what the mapper expects".to_owned());
        };
        let record = match M::Record::read(name, body, ancestors) {
            Ok(record) => record,
            Err(error) => return refused("unreadable", error.to_string()),
        };
        // What a record becomes is several times its own size; room for it at once saves moving it about.
        let rows = Vec::with_capacity(body.len() * 4);
        let mut out = Contributions { rows, diagnostics: Vec::new() };
        match M::map(&record, options, &mut out) {
            Ok(()) => Answer { outcome: Outcome::Contributions(out.rows), diagnostics: out.diagnostics },
            Err(refusal) => {
                out.diagnostics.push(Diagnostic {
                    severity: Severity::Error,
                    code: refusal.code,
                    pointer: refusal.pointer,
                    message: refusal.message,
                });
                Answer { outcome: Outcome::Refused, diagnostics: out.diagnostics }
            }
        }
    })
}

/// Maps one record given as JSON values; for the unit tests of a mapper.
pub fn run_native<M: Mapper>(
    record: &str,
    body: &Value,
    ancestors: &Value,
    options: &Value,
) -> (Vec<Row>, Vec<Diagnostic>) {
    let (body, ancestors, options) = (body.to_string(), ancestors.to_string(), options.to_string());
    let inputs = [(record, body.as_bytes(), ancestors.as_bytes())];
    let answer = convert::<M>(options.as_bytes(), inputs.into_iter()).next();
    answer.map_or_else(Default::default, |answer| (answer.rows(), answer.diagnostics))
}

fn refused(code: &str, message: String) -> Answer {
    let why = Diagnostic { severity: Severity::Error, code: code.to_owned(), pointer: String::new(), message };
    Answer { outcome: Outcome::Refused, diagnostics: vec![why] }
}

impl Answer {
    /// The contributions, unpacked; none of a refused record.
    pub fn rows(&self) -> Vec<Row> {
        let Outcome::Contributions(rows) = &self.outcome else { return Vec::new() };
        let mut unpack = Unpack(rows);
        std::iter::from_fn(|| unpack.row()).collect()
    }
}

struct Unpack<'a>(&'a [u8]);

impl Unpack<'_> {
    fn row(&mut self) -> Option<Row> {
        let kind = KINDS.get(usize::from(self.number()?))?;
        let source_id = self.text()?;
        let mut fields = BTreeMap::new();
        for _ in 0..self.number()? {
            let field = kind.fields.get(usize::from(self.number()?))?;
            fields.insert(*field, self.value()?);
        }
        Some(Row { kind: kind.name, source_id, fields })
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.take(1)?[0] {
            tag::TEXT | tag::REFERENCE => self.text()?.into(),
            tag::INTEGER => i64::from_le_bytes(self.take(8)?.try_into().ok()?).into(),
            tag::FALSE => false.into(),
            tag::TRUE => true.into(),
            tag::NUMBER | tag::NESTED => serde_json::from_str(&self.text()?).ok()?,
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        String::from_utf8(self.take(length as usize)?.to_vec()).ok()
    }

    fn take(&mut self, bytes: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }
}

/// What [`serve_native`] reads.
#[derive(Deserialize)]
struct Batch {
    options: Box<RawValue>,
    records: Vec<BatchRecord>,
}

#[derive(Deserialize)]
struct BatchRecord {
    record: String,
    body: Box<RawValue>,
    ancestors: Box<RawValue>,
}

/// What [`serve_native`] writes, one per record.
#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    contributions: Option<Vec<Row>>,
    diagnostics: Vec<ShownDiagnostic>,
}

#[derive(Serialize)]
struct ShownDiagnostic {
    severity: &'static str,
    code: String,
    pointer: String,
    message: String,
}

/// Reads `{"options": …, "records": [{"record": …, "body": …, "ancestors": …}]}` from standard input and writes a list with
/// `{"contributions": […], "diagnostics": […]}` for each record to standard output; a refused record has no
/// `contributions`. See [`native_main!`](crate::native_main).
pub fn serve_native<M: Mapper>() -> ExitCode {
    match serve::<M>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ignored = writeln!(io::stderr(), "failed to map the batch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve<M: Mapper>() -> io::Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let batch: Batch = serde_json::from_str(&text)?;
    let inputs = batch
        .records
        .iter()
        .map(|one| (one.record.as_str(), one.body.get().as_bytes(), one.ancestors.get().as_bytes()));
    let shown: Vec<Shown> = convert::<M>(batch.options.get().as_bytes(), inputs).map(show).collect();
    serde_json::to_writer(io::stdout().lock(), &shown)?;
    Ok(())
}

fn show(answer: Answer) -> Shown {
    let contributions = matches!(answer.outcome, Outcome::Contributions(_)).then(|| answer.rows());
    let diagnostics = answer.diagnostics.into_iter().map(|one| ShownDiagnostic {
        severity: match one.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        },
        code: one.code,
        pointer: one.pointer,
        message: one.message,
    });
    Shown { contributions, diagnostics: diagnostics.collect() }
}
