//! Turns what a client sends into the one form in which it is kept: the meaning of the word `cast`.
//!
//! To add a cast: a variant of [`Cast`], and its arm in [`Cast::apply`].

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use crate::json::Json;
use crate::language::keys::Cast;

impl Cast {
    /// What a value is kept as; `null` stays `null`, and each item of a list is cast by itself. `None` where it has
    /// none of the forms that the cast takes.
    pub fn apply(self, json: &Json<'_>) -> Option<Value> {
        match (self, json) {
            (_, Json::Null) => Some(Value::Null),
            (_, Json::List(items)) => items.iter().map(|item| self.apply(item)).collect(),
            (_, Json::Text(text)) => self.read(text),
            (Self::Boolean, Json::Boolean(boolean)) => Some(Value::Bool(*boolean)),
            (Self::Boolean | Self::Integer | Self::Decimal | Self::String, Json::Number(number)) => {
                self.read(number.as_str())
            }
            (Self::String, Json::Boolean(boolean)) => Some(boolean.to_string().into()),
            _ => None,
        }
    }

    /// The same of a bare text, as parameters are.
    pub fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Boolean => match text {
                "true" | "1" => Some(Value::Bool(true)),
                "false" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Integer => text.parse::<i64>().ok().map(Value::from),
            Self::Decimal => is_decimal(text).then(|| Value::from(text)),
            Self::String => Some(Value::from(text)),
            Self::Instant => instant(text).map(|at| Value::from(stamp(at))),
        }
    }
}

/// An instant as it is kept and told: UTC, with milliseconds, `2026-08-30T07:00:00.000Z`.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Digits, perhaps with a sign and a fraction: exact, however it is written.
fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// An ISO 8601 date and time, with an offset or in UTC; a date alone is its first moment.
fn instant(text: &str) -> Option<Timestamp> {
    let in_utc = |at: DateTime| at.to_zoned(TimeZone::UTC).as_ref().map(Zoned::timestamp).ok();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(in_utc))
        .or_else(|| text.parse::<Date>().ok().and_then(|date| in_utc(date.at(0, 0, 0, 0))))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Cast;
    use crate::json::Json;

    #[test]
    fn each_cast_has_one_form_for_all_that_it_takes() {
        let table = [
            (
                Cast::Boolean,
                r#"[true, "true", 1, "1", null, false, "false", 0, "0"]"#,
                json!([true, true, true, true, null, false, false, false, false]),
            ),
            (Cast::Integer, r#"[7, "7", "-7"]"#, json!([7, 7, -7])),
            (Cast::Decimal, r#"[12.50, "12.50", -3, "0.10"]"#, json!(["12.50", "12.50", "-3", "0.10"])),
            (Cast::String, r#"["a", 1.0, true]"#, json!(["a", "1.0", "true"])),
            (
                Cast::Instant,
                r#"["2026-08-30T09:00:00+02:00", "2026-08-30T07:00:00.1Z", "2026-08-30T07:00", "2026-08-30"]"#,
                json!([
                    "2026-08-30T07:00:00.000Z",
                    "2026-08-30T07:00:00.100Z",
                    "2026-08-30T07:00:00.000Z",
                    "2026-08-30T00:00:00.000Z",
                ]),
            ),
        ];
        for (cast, sent, kept) in table {
            assert_eq!(cast.apply(&Json::parse(sent.as_bytes(), 8).unwrap()), Some(kept), "{cast:?}");
        }
    }

    #[test]
    fn what_has_none_of_its_forms_is_not_cast() {
        let table = [
            (Cast::Boolean, "2"),
            (Cast::Boolean, "\"yes\""),
            (Cast::Integer, "1.5"),
            (Cast::Integer, "true"),
            (Cast::Decimal, "1e3"),
            (Cast::Decimal, "\"1,5\""),
            (Cast::Decimal, "\".5\""),
            (Cast::Instant, "\"31/02/2026\""),
            (Cast::Instant, "17"),
            (Cast::String, "{}"),
            (Cast::Boolean, "[true, 3]"),
        ];
        for (cast, sent) in table {
            assert_eq!(cast.apply(&Json::parse(sent.as_bytes(), 8).unwrap()), None::<Value>, "{cast:?} {sent}");
        }
    }
}
