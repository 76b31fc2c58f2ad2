//! Turns a payload into what would become of it, without a server and without a database: for `rollcall map` and
//! `rollcall test`.
//!
//! The same stages as an ingest, in the same order, but the mapper may also be its native build: the two must agree.

mod mapping;
mod native;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rollcall_core::canonical::Canonical;
use rollcall_core::delivery::{Entry, Outcome as Became, Report};
use rollcall_core::description::Operation;
use rollcall_core::ingest::{Loaded, Trial};
use rollcall_core::json::{Json, Pointer};
use rollcall_core::limits::Limits;
use rollcall_core::map::{self, Cost, Diagnostic, MapError, Mapped, Outcome, Reliance, Severity};
use rollcall_core::note::Note;
use rollcall_core::record::Record;
use rollcall_core::validate::Schema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::mapping::Mapping;
use self::mapping::value_of;
pub use self::native::{Native, NativeError};

/// What becomes of a payload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preview {
    /// How it breaks its description. Where that costs more than single records, nothing else is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejections: Vec<Note>,
    /// Records that the mapper declines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Note>,
    /// Records that wait for others that they refer to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parked: Vec<Note>,
    /// Records on which the mapper traps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Note>,
    /// What is accepted but looks wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Note>,
    /// The entities, by kind, then by the partner's own id for them; references are such ids, too.
    pub entities: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
}

/// What one record says, in words that both builds of a mapper share.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Said {
    /// What it contributes; `None` if the mapper declines it.
    pub contributions: Option<Vec<Row>>,
    /// What the mapper has to say beside.
    pub diagnostics: Vec<Remark>,
}

/// What the values of one record are good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relied {
    /// The record type's name.
    pub record: String,
    /// Where it stands in the payload.
    pub pointer: Pointer,
    /// Its values.
    pub reliance: Reliance,
}

/// One contribution.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The kind of entity.
    pub kind: String,
    /// The partner's own id for it.
    pub source_id: String,
    /// What is said of it.
    pub fields: Map<String, Value>,
}

/// Something a mapper says about a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Remark {
    /// `info`, `warning` or `error`.
    pub severity: String,
    /// For programs.
    pub code: String,
    /// Where in the record.
    pub pointer: Pointer,
    /// For people.
    pub message: String,
}

/// Why there is no preview; what is wrong with the payload is in the [`Preview`] instead.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The operation takes no body.
    #[error("operation `{0}` takes no body")]
    NoBody(String),
    /// What is to be sent before is rejected.
    #[error("what is sent before it is rejected: {0}")]
    Before(String),
    /// The host gave up.
    #[error("failed to map the payload")]
    Map(#[from] MapError),
    /// The native build could not be run.
    #[error(transparent)]
    Native(#[from] NativeError),
}

/// What payloads of one operation become.
#[derive(Debug, Clone, Copy)]
pub struct Previewer<'p> {
    /// The kinds of entity.
    pub canonical: &'p Canonical,
    /// The partner and its mapper.
    pub loaded: &'p Loaded,
    /// What the payloads are sent to.
    pub operation: &'p Operation,
    /// The connection's options.
    pub options: &'p Value,
    /// The limits.
    pub limits: &'p Limits,
}

impl Preview {
    /// Whether everything in the payload becomes something.
    pub fn is_clean(&self) -> bool {
        self.rejections.is_empty() && self.refusals.is_empty() && self.faults.is_empty()
    }
}

impl Previewer<'_> {
    /// What becomes of a payload, of a connection that holds nothing but what was sent `before`.
    pub fn preview(&self, before: Option<&[u8]>, body: &[u8]) -> Result<Preview, PreviewError> {
        match self.send(before, body)? {
            Ok((trial, preview)) => trial.look(|records| self.mapping().made_of(records, preview)),
            Err(rejected) => Ok(rejected),
        }
    }

    /// The records that the two builds of the mapper do not agree on; `None` if the payload is rejected.
    pub fn disagreements(
        &self,
        before: Option<&[u8]>,
        body: &[u8],
        native: &Native,
    ) -> Result<Option<Vec<Pointer>>, PreviewError> {
        match self.send(before, body)? {
            Ok((trial, _)) => trial.look(|records| self.differing(records, native)).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// What each record that is mapped costs by itself.
    pub fn costs(&self, before: Option<&[u8]>, body: &[u8]) -> Result<Vec<Cost>, PreviewError> {
        match self.send(before, body)? {
            Ok((trial, _)) => trial.look(|records| {
                let (options, mapping) = (self.options.to_string(), self.mapping());
                let cost = |record: &Record<'_>| {
                    let body = record.content.read();
                    let input = mapping.input(record, &body);
                    self.loaded.mapper.cost(self.canonical, options.as_bytes(), &input, self.limits)
                };
                mapping.mapped(records).map(cost).collect::<Result<_, _>>().map_err(PreviewError::from)
            }),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// The words that the description lists, or would have to: where they stand, the word, and all that are listed there; none
    /// if the payload is rejected. Records that are checked by themselves are told from their beginning, the others from
    /// that of the payload.
    pub fn words(
        &self,
        before: Option<&[u8]>,
        body: &[u8],
    ) -> Result<Vec<(String, String, Vec<String>)>, PreviewError> {
        let Ok((trial, _)) = self.send(before, body)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let mut look = |of: &str, schema: &Schema, bytes: &[u8]| {
            let json = Json::parse(bytes, self.limits.json_depth_max).ok(); // it was read before
            let words = json.iter().flat_map(|json| schema.words(json));
            found.extend(words.map(|word| (format!("{of}{}", word.place), word.word, word.listed.to_vec())));
        };
        let media = self.operation.body.as_ref().and_then(|body| body.media.first());
        match media.filter(|media| !media.one_by_one) {
            Some(media) => look("", &media.schema, body),
            None => trial.look(|records| {
                let mapping = self.mapping();
                for record in records {
                    let of = mapping.record_type(record);
                    look(&of.name, &of.schema, &record.content.read());
                }
            }),
        }
        Ok(found)
    }

    /// What the values of each record are good for that is mapped and whose type `is_tried`; nothing if the payload is
    /// rejected.
    pub fn reliances(
        &self,
        before: Option<&[u8]>,
        body: &[u8],
        mut is_tried: impl FnMut(&str) -> bool,
    ) -> Result<Vec<Relied>, PreviewError> {
        match self.send(before, body)? {
            Ok((trial, _)) => trial.look(|records| {
                let (options, mapping) = (self.options.to_string(), self.mapping());
                let tried = mapping.mapped(records).filter(|record| is_tried(&mapping.record_type(record).name));
                let relied = tried.map(|record| {
                    let body = record.content.read();
                    let (input, mapper) = (mapping.input(record, &body), &self.loaded.mapper);
                    let reliance = mapper.reliance(self.canonical, options.as_bytes(), &input, self.limits)?;
                    Ok(Relied { record: input.record.to_owned(), pointer: record.pointer.clone(), reliance })
                });
                relied.collect()
            }),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn differing(&self, records: &[Record<'_>], native: &Native) -> Result<Vec<Pointer>, PreviewError> {
        let mapping = self.mapping();
        let sandboxed = mapping.map(records)?.into_iter().map(|mapped| self.said(mapped));
        let mapped: Vec<_> = mapping.mapped(records).map(|record| (record, record.content.read())).collect();
        let inputs: Vec<_> = mapped.iter().map(|(record, body)| mapping.input(record, body)).collect();
        let mut native = native.run(self.options, &inputs)?.into_iter();
        let differing = records.iter().zip(sandboxed).filter_map(|(record, sandboxed)| {
            let same = mapping.record_type(record).kinds.is_empty() || native.next() == sandboxed;
            (!same).then(|| record.pointer.clone())
        });
        Ok(differing.collect())
    }

    /// What records are mapped with.
    fn mapping(&self) -> Mapping<'_> {
        Mapping { canonical: self.canonical, loaded: self.loaded, options: self.options, limits: self.limits }
    }

    /// Sends what is sent before and the payload, or says what is wrong with it as a whole.
    fn send<'b>(
        &'b self,
        before: Option<&'b [u8]>,
        body: &'b [u8],
    ) -> Result<Result<(Trial<'b>, Preview), Preview>, PreviewError> {
        if self.operation.body.is_none() {
            return Err(PreviewError::NoBody(self.operation.id.clone()));
        }
        let mut trial = Trial::new(&self.loaded.partner, self.options, self.limits);
        if let Some(before) = before {
            let (entries, _) = trial.send(self.operation, before).map_err(|report| before_it(&report.rejections))?;
            let bad: Vec<_> = entries.into_iter().filter(|entry| entry.outcome.is_error()).collect();
            if let Some(first) = bad.first() {
                return Err(before_it(&first.notes));
            }
        }
        Ok(match trial.send(self.operation, body) {
            Ok((entries, report)) => Ok((trial, preview_of(entries, report))),
            Err(report) => Err(Preview { rejections: report.rejections, ..Preview::default() }),
        })
    }

    /// What the sandboxed mapper says, in the words that both builds share; `None` for a fault.
    fn said(&self, mapped: Mapped) -> Option<Said> {
        let contributions = match mapped.outcome {
            Outcome::Contributions(contributions) => {
                Some(contributions.into_iter().map(|contribution| self.row(contribution)).collect())
            }
            Outcome::Refused => None,
            Outcome::Fault(_) => return None,
        };
        Some(Said { contributions, diagnostics: mapped.diagnostics.into_iter().map(remark).collect() })
    }

    fn row(&self, contribution: map::Contribution) -> Row {
        let kind = self.canonical.kind(contribution.kind);
        let named = |field: u16| kind.fields.get(usize::from(field)).map(|field| field.name.clone());
        let fields = contribution.fields.iter().filter_map(|(field, value)| Some((named(*field)?, value_of(value))));
        Row { kind: kind.name.clone(), fields: fields.collect(), source_id: contribution.source_id }
    }
}

fn remark(diagnostic: Diagnostic) -> Remark {
    let severity = match diagnostic.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    Remark {
        severity: severity.to_owned(),
        code: diagnostic.code,
        pointer: diagnostic.pointer,
        message: diagnostic.message,
    }
}

fn before_it(notes: &[Note]) -> PreviewError {
    let told = notes.iter().map(|note| format!("{}: {}", note.pointer, note.message));
    PreviewError::Before(told.collect::<Vec<_>>().join("; "))
}

/// What there is to tell of a payload before it is mapped.
fn preview_of(entries: Vec<Entry>, report: Report) -> Preview {
    let mut preview = Preview { warnings: report.warnings, ..Preview::default() };
    for entry in entries {
        let told = match entry.outcome {
            Became::Parked => &mut preview.parked,
            outcome if outcome.is_error() => &mut preview.rejections,
            _ => &mut preview.warnings,
        };
        told.extend(entry.notes);
    }
    preview
}
