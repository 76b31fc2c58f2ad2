//! Turns what is wrong with a payload into what there is to see at both of its ends: where it stands in what was sent, and
//! what the partner's own description says there; and where a mapper is to blame, the canonical field that it got wrong.
//!
//! Of what was sent only the shape is told.
//!
//! To give a hint for a further kind of trouble: add an arm to [`hint`].

#[cfg(test)]
mod tests;

use std::fmt;

use rollcall_core::canonical::{Canonical, Field, Form, Kind, TextRule};
use rollcall_core::description::Operation;
use rollcall_core::ingest::Loaded;
use rollcall_core::json::{Pointer, Spot};
use rollcall_core::language::described::{Described, body_schema, described, named_schema};
use rollcall_core::language::diagnostic::closest;
use rollcall_core::language::schema::properties;
use rollcall_core::language::{Document, Folder};
use rollcall_core::note::Note;
use serde::Serialize;

use crate::partners::DESCRIPTION;
use crate::preview::Preview;

/// Lines of a description that are shown of one place.
const LINES_MAX: usize = 8;

/// Characters of each.
const LINE_CHARS_MAX: usize = 160;

/// Troubles of one payload that are told.
const TOLD_MAX: usize = 20;

/// Digits of the digest that a mapper is named by.
const DIGITS: usize = 12;

/// What kind of trouble there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// What was sent breaks the description.
    Rejected,
    /// The mapper declines a record.
    Refused,
    /// The mapper trapped, or its answer is not believed.
    Fault,
}

/// What there is to see at both ends of one thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Where it stands in what was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What the description says there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub described: Option<Clause>,
    /// The record type that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The canonical field that is not as it has to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<Wanted>,
    /// The mapper: its version, and the first digits of its component's digest.
    pub mapper: String,
    /// What may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Where something stands in what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What stands there, by shape.
    pub shape: String,
}

/// What a description says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// What is written there, as it is written, up to a few lines.
    pub text: String,
}

/// What a canonical field has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// The kind of entity.
    pub kind: String,
    /// The field.
    pub field: String,
    /// What it has to be.
    pub wanted: String,
}

/// Shows what is wrong with payloads that are sent to one operation.
#[derive(Debug)]
pub struct Witness<'w> {
    canonical: &'w Canonical,
    loaded: &'w Loaded,
    operation: &'w Operation,
    document: Option<Document>,
}

impl<'w> Witness<'w> {
    /// `files` are the partner's, where there are any.
    pub fn new(
        canonical: &'w Canonical,
        loaded: &'w Loaded,
        operation: &'w Operation,
        files: Option<Folder<'_>>,
    ) -> Self {
        // It could be loaded, so nothing is wrong with it.
        let document = files.and_then(|files| Document::read_in(files, DESCRIPTION, &mut Vec::new()));
        Self { canonical, loaded, operation, document }
    }

    /// What there is to see of something that is wrong with `body`.
    pub fn evidence(&self, body: &[u8], trouble: Trouble, note: &Note) -> Evidence {
        let spot = Spot::find(body, &note.pointer);
        let found = self.document.as_ref().and_then(|document| self.described(document, &note.pointer));
        let record = found.as_ref().and_then(|found| self.record(found));
        let canonical = if trouble == Trouble::Fault { self.refused(&note.message) } else { None };
        let hint = self.hint(trouble, note, found.as_ref());
        let described = self.document.as_ref().zip(found.as_ref()).map(|(document, found)| clause(document, found));
        let place = spot.map(|Spot { line, column, shape, .. }| Place { line, column, shape });
        let digest = self.loaded.mapper.digest().to_string();
        let digits = digest.get(..DIGITS).unwrap_or(&digest);
        let mapper = format!("{} {digits}", self.loaded.mapper.version());
        Evidence { place, described, record, canonical, mapper, hint }
    }

    /// Everything that is wrong with what is in a file, as people read it.
    pub fn told(&self, file: &str, body: &[u8], preview: &Preview) -> Vec<String> {
        let kinds = [
            (Trouble::Rejected, &preview.rejections),
            (Trouble::Refused, &preview.refusals),
            (Trouble::Fault, &preview.faults),
        ];
        let all = kinds.into_iter().flat_map(|(trouble, notes)| notes.iter().map(move |note| (trouble, note)));
        let tell = |(trouble, note): (Trouble, &Note)| {
            let evidence = self.evidence(body, trouble, note);
            Told { file, trouble, note, evidence: &evidence }.to_string()
        };
        let mut told: Vec<_> = all.clone().take(TOLD_MAX).map(tell).collect();
        if let more @ 1.. = all.count().saturating_sub(TOLD_MAX) {
            told.push(format!("and {more} more"));
        }
        told
    }

    fn described(&self, document: &Document, pointer: &Pointer) -> Option<Described> {
        if let Some(schema) = body_schema(document, &self.operation.id) {
            return described(document, &schema, pointer);
        }
        // Records by the names of their types: `/Book/0/title`.
        let mut steps = pointer.steps();
        let schema = named_schema(document, &steps.next()?)?;
        let inside = steps.skip(1).fold(Pointer::root(), |inside, step| inside.member(&step));
        described(document, &schema, &inside)
    }

    fn record(&self, found: &Described) -> Option<String> {
        let is_record = |name: &&String| self.loaded.partner.records.iter().any(|record| record.name == **name);
        found.through.iter().rev().find(is_record).cloned()
    }

    /// The field that a fault speaks of. What the host says of an answer that it does not believe begins with it.
    fn refused(&self, message: &str) -> Option<Wanted> {
        let named = message.split([' ', ':']).next()?;
        let (kind, field) = named.split_once('.')?;
        let (_, kind) = self.canonical.iter().find(|(_, one)| one.name == kind)?;
        let field = kind.fields.iter().find(|one| one.name == field)?;
        Some(Wanted { kind: kind.name.clone(), field: field.name.clone(), wanted: self.wanted(kind, field) })
    }

    fn wanted(&self, kind: &Kind, field: &Field) -> String {
        let what = match &field.form {
            Form::Text(TextRule::Any(0)) => "text".to_owned(),
            Form::Text(TextRule::Any(least)) => format!("text of at least {least} characters"),
            Form::Text(TextRule::OneOf(words, false)) => format!("one of {}", words.join(", ")),
            Form::Text(TextRule::OneOf(words, true)) => format!("one of {}, or `ext:…`", words.join(", ")),
            Form::Text(TextRule::Date) => "a date".to_owned(),
            Form::Text(TextRule::DateTime) => "an instant".to_owned(),
            Form::Integer(i64::MIN, i64::MAX) => "an integer".to_owned(),
            Form::Integer(min, max) => format!("an integer from {min} to {max}"),
            Form::Number => "a number".to_owned(),
            Form::Boolean => "a boolean".to_owned(),
            Form::Reference(to) => format!("a reference to a {}", self.canonical.kind(*to).name),
            Form::Nested(..) => format!("what `schemas/canonical/{}.yaml` says", kind.name),
        };
        if field.required { format!("{what}, required") } else { what }
    }

    fn hint(&self, trouble: Trouble, note: &Note, found: Option<&Described>) -> Option<String> {
        if trouble == Trouble::Rejected && note.code == "additionalProperties" {
            let (document, found) = self.document.as_ref().zip(found)?;
            let known = properties(document, &found.at);
            let close = closest(note.words.get("field")?, known.iter().map(|property| property.name.as_str()))?;
            return Some(format!("did you mean `{close}`?"));
        }
        hint(trouble, note).map(str::to_owned)
    }
}

fn hint(trouble: Trouble, note: &Note) -> Option<&'static str> {
    let expected = note.words.get("expected").map(String::as_str);
    Some(match (trouble, note.code.as_str(), expected) {
        (Trouble::Rejected, "type", Some("integer" | "number")) if note.message.contains("all digits") => {
            "numbers stand without quotation marks: nothing is converted"
        }
        (Trouble::Rejected, "type", Some("string")) if note.message.contains("an integer") => {
            "texts stand in quotation marks: nothing is converted"
        }
        (Trouble::Rejected, "type", _) if note.message.contains("found null") => {
            "leave the member out where it may be absent: `null` is a value"
        }
        (Trouble::Rejected, "format", Some("date")) => "dates are written 2026-09-01",
        (Trouble::Rejected, "format", Some("date-time")) => "instants are written 2026-09-01T08:00:00Z",
        (Trouble::Rejected, ..) => return None,
        (Trouble::Refused, ..) => "the mapper declines it on purpose: mend what is sent, or what the mapper takes",
        (Trouble::Fault, ..) if note.message == "it panicked" => {
            "put the payload into the examples: `rollcall test` runs the mapper natively too, and shows where it panics"
        }
        (Trouble::Fault, ..) => "mend the mapper: it converts the value, or refuses the record and says why and where",
    })
}

/// What is written in the description.
fn clause(document: &Document, found: &Described) -> Clause {
    let place = document.place(&found.at);
    let (line, column) = place.position();
    let rest = place.text().get(place.span().start..).unwrap_or_default();
    let mut lines = written(rest, column.saturating_sub(1));
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX);
        lines.push("…");
    }
    let text = lines.into_iter().map(|line| line.chars().take(LINE_CHARS_MAX).collect::<String>());
    Clause { file: place.path().display().to_string(), line, text: text.collect::<Vec<_>>().join("\n") }
}

/// The lines of the YAML value that a text begins with, which stands this far from the left; one more than are shown at most.
fn written(text: &str, indent: usize) -> Vec<&str> {
    if text.starts_with(['{', '[']) {
        return text[..closed(text)].lines().map(str::trim_start).take(LINES_MAX + 1).collect();
    }
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let inside = |line: &&str| line.len() - line.trim_start_matches(' ').len() >= indent && !line.trim().is_empty();
    let more = lines.take_while(|line| indent > 0 && inside(line)).filter_map(|line| line.get(indent..));
    std::iter::once(first).chain(more).map(str::trim_end).take(LINES_MAX + 1).collect()
}

/// Where the bracket that a text begins with is closed.
fn closed(text: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + letter.len_utf8();
        }
    }
    text.len()
}

impl Trouble {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Fault => "fault",
        }
    }
}

/// One thing that is wrong with what is in a file, as people read it.
struct Told<'t> {
    file: &'t str,
    trouble: Trouble,
    note: &'t Note,
    evidence: &'t Evidence,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, trouble, note, evidence } = self;
        let Evidence { place, described, record, canonical, mapper, hint } = evidence;
        write!(f, "{}: {} ({})", trouble.word(), note.message, note.code)?;
        let pointer = if note.pointer == Pointer::root() { "the whole".to_owned() } else { note.pointer.to_string() };
        write!(f, "\n  sent       {file}:")?;
        if let Some(Place { line, column, shape }) = place {
            write!(f, "{line}:{column}: {pointer}: {shape}")?;
        } else {
            write!(f, " {pointer}")?;
        }
        if let Some(record) = record {
            write!(f, "\n  record     {record}")?;
        }
        if let Some(Clause { file, line, text }) = described {
            write!(f, "\n  described  {file}:{line}")?;
            for line in text.lines() {
                write!(f, "\n             | {line}")?;
            }
        }
        if let Some(Wanted { kind, field, wanted }) = canonical {
            write!(f, "\n  canonical  {kind}.{field}: {wanted}")?;
        }
        if *trouble != Trouble::Rejected {
            write!(f, "\n  mapper     {mapper}")?;
        }
        if let Some(hint) = hint {
            write!(f, "\n  hint       {hint}")?;
        }
        Ok(())
    }
}
