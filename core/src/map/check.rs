//! Turns what a mapper answered into [`Contribution`]s, or into the reason why it is not believed.
//!
//! A guest is as untrusted as a partner. Scalars are checked here; `jsonschema` serves what is nested. Thousands of people
//! share one `roles` value, so a nested text that was found good before is not looked at again.

use std::sync::Arc;

use foldhash::HashMap;

use super::raw::{RawAnswer, RawDiagnostic, RawValue, Rows, Unreadable};
use super::{Contribution, Diagnostic, Mapped, Outcome, Value};
use crate::canonical::{Canonical, Form, Join, Kind, KindId, TextRule};
use crate::json::{Json, Pointer};
use crate::limits::MapperLimits;

/// Where each kind and field of a mapper's profile stands in the canonical schemas.
#[derive(Debug)]
pub(super) struct Agreement(pub(super) Vec<(KindId, Vec<u16>)>);

/// Why an answer is not believed: a sentence about the mapper, never a value.
type Wrong = String;

/// Checks the answers of one batch.
pub(super) struct Checker<'a> {
    canonical: &'a Canonical,
    agreement: &'a Agreement,
    limits: &'a MapperLimits,
    /// Nested texts as the mapper wrote them, by field, and their canonical form.
    nested: HashMap<(KindId, u16), HashMap<Arc<str>, Arc<str>>>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(canonical: &'a Canonical, agreement: &'a Agreement, limits: &'a MapperLimits) -> Self {
        Self { canonical, agreement, limits, nested: HashMap::default() }
    }

    /// Checks the answer to a record that may give contributions of `kinds`.
    pub(super) fn answer(&mut self, answer: RawAnswer, kinds: &[KindId]) -> Result<Mapped, Wrong> {
        let diagnostics = self.diagnostics(answer.diagnostics)?;
        let outcome = match answer.rows {
            Some(rows) => Outcome::Contributions(self.rows(&rows, kinds)?),
            None => Outcome::Refused,
        };
        Ok(Mapped { outcome, diagnostics })
    }

    /// Checks the packed rows of one record.
    pub(super) fn rows(&mut self, rows: &[u8], kinds: &[KindId]) -> Result<Vec<Contribution>, Wrong> {
        let mut rows = Rows::new(rows);
        let mut contributions = Vec::new();
        while !rows.is_empty() {
            if contributions.len() >= self.limits.contributions_per_record_max {
                return Err(format!("it gave more than {} contributions", contributions.len()));
            }
            contributions.push(self.row(&mut rows, kinds)?);
        }
        Ok(contributions)
    }

    fn row(&mut self, rows: &mut Rows<'_>, kinds: &[KindId]) -> Result<Contribution, Wrong> {
        let (number, source_id, count) = rows.row().map_err(unreadable)?;
        let agreement = self.agreement;
        let agreed = agreement.0.get(usize::from(number));
        let (id, numbers) = agreed.ok_or("it wrote a kind that it did not describe")?;
        let kind = self.canonical.kind(*id);
        if !kinds.contains(id) {
            return Err(format!("it wrote {}, which the description does not let it write for this record", kind.name));
        }
        let source_id = self.source_id(source_id, kind)?.to_owned();
        let mut fields = Vec::with_capacity(usize::from(count).min(kind.fields.len()));
        for _ in 0..count {
            let (number, value) = rows.field().map_err(unreadable)?;
            let field = numbers.get(usize::from(number));
            let field = *field.ok_or_else(|| format!("it wrote a field of {} that it did not describe", kind.name))?;
            fields.push((field, self.value(*id, kind, field, value)?));
        }
        // A mapper may know the fields in another order.
        fields.sort_unstable_by_key(|(field, _)| *field);
        if let Some(twice) = fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("it wrote {} twice", name(kind, twice[0].0)));
        }
        complete(kind, &fields)?;
        Ok(Contribution { kind: *id, source_id, fields })
    }

    fn value(&mut self, id: KindId, kind: &Kind, at: u16, value: RawValue<'_>) -> Result<Value, Wrong> {
        let field = &kind.fields[usize::from(at)];
        match (&field.form, value) {
            (Form::Text(rule), RawValue::Text(text)) => match broken(rule, text) {
                None => Ok(Value::Text(text.to_owned())),
                Some(rule) => Err(format!("{} must be {rule}", name(kind, at))),
            },
            (Form::Integer(min, max), RawValue::Integer(integer)) => {
                if (*min..=*max).contains(&integer) {
                    Ok(Value::Integer(integer))
                } else {
                    Err(format!("{} must be between {min} and {max}", name(kind, at)))
                }
            }
            (Form::Number, RawValue::Number(number)) => match Json::parse(number.as_bytes(), 0) {
                Ok(Json::Number(_)) => Ok(Value::Number(number.to_owned())),
                _ => Err(format!("{} must be a number", name(kind, at))),
            },
            (Form::Boolean, RawValue::Boolean(boolean)) => Ok(Value::Boolean(boolean)),
            (Form::Reference(_), RawValue::Reference(source_id)) => {
                Ok(Value::Reference(self.source_id(source_id, kind)?.to_owned()))
            }
            (Form::Nested(..), RawValue::Nested(text)) => self.nested(id, kind, at, text),
            (form, found) => Err(format!("{} must be {}, not {}", name(kind, at), wanted(form), shape(found))),
        }
    }

    fn nested(&mut self, id: KindId, kind: &Kind, at: u16, text: &str) -> Result<Value, Wrong> {
        let known = self.nested.entry((id, at)).or_default();
        if let Some(known) = known.get(text) {
            return Ok(Value::Nested(Arc::clone(known)));
        }
        let Form::Nested(schema, _) = &kind.fields[usize::from(at)].form else {
            return Err(format!("{} is not nested", name(kind, at)));
        };
        let json = Json::parse(text.as_bytes(), self.limits.depth_max)
            .map_err(|error| format!("{} is not JSON that is taken: {error}", name(kind, at)))?;
        if !schema.is_valid(&json) {
            let violations = schema.violations(&json, 1);
            let note = violations.notes.first();
            return Err(note.map_or_else(
                || format!("{} breaks its schema", name(kind, at)),
                |note| format!("{} breaks its schema at `{}`: {}", name(kind, at), note.pointer, note.message),
            ));
        }
        let canonical = String::from_utf8(json.to_bytes()).map_err(|_| "it wrote what is not UTF-8")?;
        let canonical: Arc<str> = canonical.into();
        let written = if *canonical == *text { Arc::clone(&canonical) } else { text.into() };
        known.insert(written, Arc::clone(&canonical));
        Ok(Value::Nested(canonical))
    }

    fn source_id<'t>(&self, source_id: &'t str, kind: &Kind) -> Result<&'t str, Wrong> {
        if source_id.is_empty() || source_id.len() > self.limits.text_bytes_max {
            let most = self.limits.text_bytes_max;
            return Err(format!("a source id in {} must have between 1 and {most} bytes", kind.name));
        }
        Ok(source_id)
    }

    fn diagnostics(&self, raw: Vec<RawDiagnostic>) -> Result<Vec<Diagnostic>, Wrong> {
        let most = self.limits.text_bytes_max;
        let fits = |one: &RawDiagnostic| [&one.code, &one.pointer, &one.message].iter().all(|text| text.len() <= most);
        if !raw.iter().all(fits) {
            return Err(format!("a text of a diagnostic must have at most {most} bytes"));
        }
        Ok(raw
            .into_iter()
            .take(self.limits.diagnostics_per_record_max)
            .map(|one| Diagnostic {
                severity: one.severity,
                code: one.code,
                pointer: Pointer::from(one.pointer),
                message: one.message,
            })
            .collect())
    }
}

fn unreadable(error: Unreadable) -> Wrong {
    error.to_string()
}

/// Whether every required field is there, unless all fields only add to an entity that another record states: lists that
/// are united, and the like.
fn complete(kind: &Kind, fields: &[(u16, Value)]) -> Result<(), Wrong> {
    let numbers: Vec<_> = fields.iter().map(|(at, _)| *at).collect();
    let Some(missing) = kind.missing(&numbers) else { return Ok(()) };
    let adds = |at: &u16| kind.fields.get(usize::from(*at)).is_some_and(|field| field.join != Join::Pick);
    if !numbers.is_empty() && numbers.iter().all(adds) {
        return Ok(());
    }
    Err(format!("{} is missing", name(kind, missing)))
}

fn name(kind: &Kind, field: u16) -> String {
    format!("{}.{}", kind.name, kind.fields[usize::from(field)].name)
}

/// What the text would have to be, if it is not.
fn broken(rule: &TextRule, text: &str) -> Option<String> {
    match rule {
        TextRule::Any(0) => None,
        TextRule::Any(least) => {
            let enough = usize::try_from(*least).is_ok_and(|least| text.chars().nth(least.saturating_sub(1)).is_some());
            (!enough).then(|| format!("at least {least} characters long"))
        }
        TextRule::OneOf(words, open) => {
            let known = words.iter().any(|word| word == text) || (*open && text.starts_with("ext:"));
            (!known).then(|| "one of the words of its schema".to_owned())
        }
        TextRule::Date => (!is_date(text)).then(|| "a date".to_owned()),
        TextRule::DateTime => (!is_instant(text)).then(|| "an instant".to_owned()),
    }
}

/// `2026-09-01`, and a day that exists.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
    bytes.len() == 10
        && (bytes[4], bytes[7]) == (b'-', b'-')
        && digits(0..4)
        && digits(5..7)
        && digits(8..10)
        && text.parse::<jiff::civil::Date>().is_ok()
}

/// RFC 3339: a date, `T`, a time, an offset.
fn is_instant(text: &str) -> bool {
    text.get(..10).is_some_and(is_date)
        && text.as_bytes().get(10).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'T'))
        && !text.contains('[')
        && text.parse::<jiff::Timestamp>().is_ok()
}

fn wanted(form: &Form) -> &'static str {
    match form {
        Form::Text(_) => "a text",
        Form::Integer(..) => "an integer",
        Form::Number => "a number",
        Form::Boolean => "a boolean",
        Form::Reference(_) => "a reference",
        Form::Nested(..) => "nested",
    }
}

fn shape(value: RawValue<'_>) -> &'static str {
    match value {
        RawValue::Text(_) => "a text",
        RawValue::Integer(_) => "an integer",
        RawValue::Number(_) => "a number",
        RawValue::Boolean(_) => "a boolean",
        RawValue::Reference(_) => "a reference",
        RawValue::Nested(_) => "nested",
    }
}

#[cfg(test)]
mod tests {
    use super::{broken, complete};
    use crate::canonical::{KindId, TextRule};
    use crate::fixture::{canonical, field, nested};
    use crate::map::Value;

    #[test]
    fn what_is_required_may_lack_only_where_all_else_adds() {
        let canonical = canonical();
        let name = || (field("name"), Value::Text("A".to_owned()));
        let mail = || (field("email"), Value::Text("a@example.org".to_owned()));
        let since = || (field("since"), Value::Text("2026-01-01".to_owned()));
        let roles = || (field("roles"), nested("[]"));
        let table = [
            (vec![name()], true),
            (vec![name(), mail(), since(), roles()], true),
            (vec![since(), roles()], true),
            (vec![roles()], true),
            (vec![mail()], false),
            (vec![mail(), roles()], false),
            (vec![], false),
        ];
        for (fields, good) in table {
            assert_eq!(complete(canonical.kind(KindId(1)), &fields).is_ok(), good, "{fields:?}");
        }
    }

    #[test]
    fn texts_are_what_their_rule_says() {
        let words = || vec!["school".to_owned()];
        let table = [
            (TextRule::Any(0), "", true),
            (TextRule::Any(1), "", false),
            (TextRule::Any(2), "é", false),
            (TextRule::Any(2), "éa", true),
            (TextRule::OneOf(words(), false), "school", true),
            (TextRule::OneOf(words(), false), "ext:x", false),
            (TextRule::OneOf(words(), true), "ext:x", true),
            (TextRule::OneOf(words(), true), "School", false),
            (TextRule::Date, "2026-02-28", true),
            (TextRule::Date, "2026-02-30", false),
            (TextRule::Date, "20260228", false),
            (TextRule::Date, "2026-02-28T00:00", false),
            (TextRule::DateTime, "2026-02-28T08:00:00Z", true),
            (TextRule::DateTime, "2026-02-28T08:00:00+03:00", true),
            (TextRule::DateTime, "2026-02-28 08:00:00Z", false),
            (TextRule::DateTime, "2026-02-28", false),
        ];
        for (rule, text, good) in table {
            assert_eq!(broken(&rule, text).is_none(), good, "{rule:?} {text}");
        }
    }
}
