//! Turns the bytes of a body into the records that were sent, or into a report of what is wrong with it as a whole.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::sparse;
use crate::costs::{Costs, Stage};
use crate::delivery::{Report, Status};
use crate::description::{Media, Operation, ProblemClass, RecordType};
use crate::digest::Digest;
use crate::json::{Gaps, Json, Malformed, Pointer};
use crate::limits::Limits;
use crate::note::Note;
use crate::record::{Cut, Keeping, Sent, cut, sent};
use crate::validate::Violations;

/// Bytes of a body from which it is checked by two threads: to wake another one takes longer than to check a small one.
const WORTH_SHARING_BYTES: usize = 64 << 10;

/// What was sent.
pub(super) enum Payload<'b> {
    /// Checked as a whole, and cut into its records.
    Whole(Cut<'b>),
    /// Records that are checked one by one.
    OneByOne {
        /// In the payload's order.
        sent: Vec<Sent>,
        /// When it was true, in microseconds since 1970, if it says so.
        as_of: Option<i64>,
    },
}

impl<'b> Payload<'b> {
    /// Reads a body; the report holds what is accepted but looks wrong. What is wrong is all said at once, as far as
    /// the limit goes.
    pub(super) fn read(
        operation: &Operation,
        options: &Value,
        types: &[RecordType],
        setting: Digest,
        limits: &Limits,
        body: &'b [u8],
        costs: &Costs,
    ) -> Result<(Self, Report), Box<Report>> {
        if operation.body.is_none() {
            return Ok((Self::OneByOne { sent: Vec::new(), as_of: None }, Report::new(Status::Applied)));
        }
        let Checked { json, gaps, media, unknown } = check(operation, options, body, limits, costs)?;
        let mut report = Report::new(Status::Applied);
        report.warnings = unknown.notes;
        report.omitted = unknown.omitted;
        let keeping = if body.len() > limits.piece_bytes { Keeping::Packed } else { Keeping::Loose };
        if media.one_by_one {
            let sent = costs.stage(Stage::Cut, || sent(&json, &gaps, &media.shape, types, keeping));
            note_unknown(&sent, types, limits, &mut report);
            return Ok((Self::OneByOne { as_of: as_of(media, &json), sent }, report));
        }
        let mut cut = costs.stage(Stage::Cut, || cut(json, &gaps, &media.shape, types, setting, keeping));
        if !cut.rejections.is_empty() {
            let mut report = Report::rejected(ProblemClass::Invalid, std::mem::take(&mut cut.rejections));
            report.omitted = report.rejections.len().saturating_sub(limits.violations_max);
            report.rejections.truncate(limits.violations_max);
            return Err(Box::new(report));
        }
        Ok((Self::Whole(cut), report))
    }
}

impl Payload<'_> {
    /// The same, which outlives the bytes that it was read from: of a large one, these take more room than all of this.
    pub(super) fn into_owned(self) -> Payload<'static> {
        match self {
            Self::Whole(cut) => Payload::Whole(cut.into_owned()),
            Self::OneByOne { sent, as_of } => Payload::OneByOne { sent, as_of },
        }
    }
}

/// A body that is as described, its single records aside.
pub(super) struct Checked<'b, 'o> {
    pub(super) json: Json<'b>,
    /// What was left out of it, where it is large.
    gaps: Gaps<'b>,
    media: &'o Media,
    /// What no schema declares.
    unknown: Violations,
}

/// The body as JSON, if it is that, breaks no schema, and its conditions hold. Records that are checked one by one are
/// not looked at.
pub(super) fn check<'b, 'o>(
    operation: &'o Operation,
    options: &Value,
    body: &'b [u8],
    limits: &Limits,
    costs: &Costs,
) -> Result<Checked<'b, 'o>, Box<Report>> {
    let Some(media) = operation.body.as_ref().and_then(|body| body.media.first()) else {
        return Err(Box::new(Report::rejected(ProblemClass::UnsupportedMedia, Vec::new())));
    };
    let sparsely = if body.len() > limits.piece_bytes { sparse::read(media, body, limits, costs) } else { None };
    let (json, gaps, unknown) = match sparsely {
        Some(read) => read,
        None => whole(media, body, limits, costs)?,
    };
    for (path, must) in &media.must {
        let Some(value) = path.iter().try_fold(&json, |json, name| json.get(name)) else { continue };
        if !must.that.holds(&json!({"value": value.to_value(), "options": options})) {
            let pointer = path.iter().fold(Pointer::root(), |pointer, name| pointer.member(name));
            let message = must.say.clone().unwrap_or_else(|| "does not meet a condition of this operation".to_owned());
            let note = Note::new(pointer, "condition", message).with("field", path.last().map_or("", String::as_str));
            return Err(Box::new(Report::rejected(must.problem, vec![note])));
        }
    }
    Ok(Checked { json, gaps, media, unknown })
}

/// The body as a tree without gaps, if it is JSON and breaks no schema, and what no schema declares in it.
fn whole<'b>(
    media: &Media,
    body: &'b [u8],
    limits: &Limits,
    costs: &Costs,
) -> Result<(Json<'b>, Gaps<'b>, Violations), Box<Report>> {
    let json = costs
        .stage(Stage::Parse, || Json::parse(body, limits.json_depth_max))
        .map_err(|malformed| Box::new(Report::rejected(ProblemClass::Malformed, vec![note(&malformed)])))?;
    let violations = || media.schema.violations(&json, limits.violations_max);
    let unknown = || media.schema.unknown(&json, limits.warnings_max);
    let (violations, unknown) = costs.stage(Stage::Validate, || {
        if body.len() < WORTH_SHARING_BYTES { (violations(), unknown()) } else { rayon::join(violations, unknown) }
    });
    if !violations.notes.is_empty() {
        let mut report = Report::rejected(ProblemClass::Invalid, violations.notes);
        report.omitted = violations.omitted;
        return Err(Box::new(report));
    }
    Ok((json, Gaps::default(), unknown))
}

/// Notes what no schema declares in the records.
fn note_unknown(sent: &[Sent], types: &[RecordType], limits: &Limits, report: &mut Report) {
    for one in sent {
        let of = &types[usize::from(one.of.0)];
        let bytes = one.body.read();
        let Ok(json) = Json::parse(&bytes, limits.json_depth_max) else { continue };
        let left = limits.warnings_max.saturating_sub(report.warnings.len());
        let unknown = of.schema.unknown(&json, left);
        report.omitted += unknown.omitted;
        report.warnings.extend(unknown.notes.into_iter().map(|mut note| {
            note.pointer = note.pointer.steps().fold(one.pointer.clone(), |place, step| place.member(&step));
            note
        }));
    }
}

/// When the body was true, if it says so.
fn as_of(media: &Media, json: &Json<'_>) -> Option<i64> {
    let (member, formats) = media.as_of.as_ref()?;
    let text = json.get(member)?.as_text()?;
    formats.iter().find_map(|format| format.instant(text)).map(Timestamp::as_microsecond)
}

fn note(malformed: &Malformed) -> Note {
    let (code, pointer) = match malformed {
        Malformed::Encoding { .. } => ("encoding", Pointer::root()),
        Malformed::Syntax { .. } => ("syntax", Pointer::root()),
        Malformed::DuplicateKey { pointer, .. } => ("duplicate-key", pointer.clone()),
        Malformed::Depth { .. } => ("depth", Pointer::root()),
    };
    Note::new(pointer, code, malformed.to_string())
}
