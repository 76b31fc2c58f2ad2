//! Turns the name of a format into what it says about a text: whether the text has it, and which instant it names.
//!
//! JSON Schema leaves open which formats there are. Beside those that every validator knows, ours are date pictures
//! (`DD/MM/YYYY`, for dates that exist) and `cpf` (a person's number in Brazil's tax register, with its check digits).
//!
//! To add a format: a variant of `Kind`, its name in [`Format::named`] and in `language::words`, its meaning in
//! [`Format::fits`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::language::picture::{Field, Part, Picture};

/// A format that a text may have: one of ours, or one that tells an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Date,
    DateTime,
    Picture(Picture),
    Cpf,
}

impl Format {
    /// The format called `name`, if it is one of ours or tells an instant.
    pub fn named(name: &str) -> Option<Self> {
        let kind = match name {
            "date" => Kind::Date,
            "date-time" => Kind::DateTime,
            "cpf" => Kind::Cpf,
            picture if Picture::is_meant_by(picture) => Kind::Picture(Picture::parse(picture).ok()?),
            _ => return None,
        };
        Some(Self(kind))
    }

    /// Whether `text` has this format.
    pub fn fits(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Date => text.parse::<Date>().is_ok(),
            Kind::DateTime => text.parse::<Timestamp>().is_ok(),
            Kind::Picture(picture) => read(picture, text).is_some(),
            Kind::Cpf => is_cpf(text),
        }
    }

    /// Whether its texts name instants.
    pub fn tells_instants(&self) -> bool {
        match &self.0 {
            Kind::Date | Kind::DateTime => true,
            Kind::Picture(picture) => picture.shows(Field::Year),
            Kind::Cpf => false,
        }
    }

    /// The instant that `text` names, if it has this format and the format tells one; without an offset it is UTC.
    pub fn instant(&self, text: &str) -> Option<Timestamp> {
        let read = match &self.0 {
            Kind::Date => text.parse::<Date>().ok()?.at(0, 0, 0, 0),
            Kind::DateTime => return text.parse().ok(),
            Kind::Picture(picture) if picture.shows(Field::Year) => read(picture, text)?,
            Kind::Picture(_) | Kind::Cpf => return None,
        };
        Some(read.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }

    /// What is told where a text does not have it.
    pub(super) fn demand(name: &str) -> String {
        match Self::named(name) {
            Some(Self(Kind::Picture(picture))) if picture.shows(Field::Day) => {
                format!("must be a date that exists, written {name}")
            }
            Some(Self(Kind::Picture(_))) => format!("must be written {name}"),
            _ => format!("must be a {name}"),
        }
    }

    /// Those of ours that `document` names anywhere: the validator does not know them.
    pub(super) fn ours_in(document: &Value) -> BTreeMap<String, Self> {
        let mut found = BTreeMap::new();
        collect(document, &mut found);
        found
    }
}

fn collect(value: &Value, found: &mut BTreeMap<String, Format>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => {
            if let Some(name) = members.get("format").and_then(Value::as_str)
                && let Some(format) = Format::named(name)
                && matches!(format.0, Kind::Picture(_) | Kind::Cpf)
            {
                found.insert(name.to_owned(), format);
            }
            members.values().for_each(|member| collect(member, found));
        }
        _ => {}
    }
}

/// The date and time of day that `text` shows; what the picture leaves out is the first there is.
fn read(picture: &Picture, text: &str) -> Option<DateTime> {
    let [mut year, mut month, mut day] = [1_970, 1, 1];
    let [mut hour, mut minute, mut second, mut millisecond] = [0; 4];
    let mut rest = text;
    for part in picture.parts() {
        match *part {
            Part::Literal(literal) => rest = rest.strip_prefix(literal)?,
            Part::Field(field) => {
                let digits = rest.get(..field.width()).filter(|digits| all_digits(digits))?;
                rest = &rest[field.width()..];
                let place = match field {
                    Field::Year => &mut year,
                    Field::Month => &mut month,
                    Field::Day => &mut day,
                    Field::Hour => &mut hour,
                    Field::Minute => &mut minute,
                    Field::Second => &mut second,
                    Field::Millisecond => &mut millisecond,
                };
                *place = digits.parse::<i16>().ok()?;
            }
        }
    }
    let [month, day, hour, minute, second] =
        [month, day, hour, minute, second].map(|field| i8::try_from(field).unwrap_or(i8::MAX));
    let nanosecond = i32::from(millisecond) * 1_000_000;
    DateTime::new(year, month, day, hour, minute, second, nanosecond).ok().filter(|_| rest.is_empty())
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Eleven digits, `ddddddddddd` or `ddd.ddd.ddd-dd`, of which the last two check those before. Eleven times the same
/// digit would check out, and is nobody's.
fn is_cpf(text: &str) -> bool {
    let shape: String = text.chars().map(|letter| if letter.is_ascii_digit() { 'd' } else { letter }).collect();
    if shape != "ddddddddddd" && shape != "ddd.ddd.ddd-dd" {
        return false;
    }
    let digits: Vec<u32> = text.chars().filter_map(|letter| letter.to_digit(10)).collect();
    let is_one_digit = digits.windows(2).all(|pair| pair[0] == pair[1]);
    let checks = |place: usize| {
        let sum: u32 = digits[..place].iter().rev().zip(2..).map(|(digit, weight)| digit * weight).sum();
        digits[place] == sum * 10 % 11 % 10
    };
    !is_one_digit && checks(9) && checks(10)
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn only_dates_that_exist_fit_a_picture() {
        let table = [
            ("DD/MM/YYYY", "28/02/2026", true),
            ("DD/MM/YYYY", "29/02/2024", true),
            ("DD/MM/YYYY", "29/02/2026", false),
            ("DD/MM/YYYY", "31/02/2026", false),
            ("DD/MM/YYYY", "31/04/2026", false),
            ("DD/MM/YYYY", "00/01/2026", false),
            ("DD/MM/YYYY", "01/13/2026", false),
            ("DD/MM/YYYY", "1/2/2026", false),
            ("DD/MM/YYYY", "01-02-2026", false),
            ("DD/MM/YYYY", "01/02/2026 ", false),
            ("DD/MM/YYYY", "01/02/26", false),
            ("DD/MM/YYYY", "2026-02-01", false),
            ("DD/MM/YYYY", "٠١/٠٢/٢٠٢٦", false),
            ("DD/MM/YYYY", "", false),
            ("DD/MM/YYYY-HH:mm", "01/09/2025-08:30", true),
            ("DD/MM/YYYY-HH:mm", "01/09/2025-24:00", false),
            ("DD/MM/YYYY-HH:mm", "01/09/2025-08:60", false),
            ("DD/MM/YYYY-HH:mm", "01/09/2025", false),
            ("YYYY/MM/DDTHH:mm:ss.SSSZ", "2018/11/05T15:25:16.584Z", true),
            ("YYYY/MM/DDTHH:mm:ss.SSSZ", "2018/11/05T15:25:60.000Z", false),
            ("YYYY/MM/DDTHH:mm:ss.SSSZ", "2018-11-05T15:25:16.584Z", false),
            ("YYYY/MM/DDTHH:mm:ss.SSSZ", "2018/11/05T15:25:16Z", false),
            ("YYYY/MM/DDTHH:mm:ss.SSSZ", "2018/11/05T15:25:16.584+01:00", false),
            ("YYYYMMDD", "20260131", true),
            ("MM/YYYY", "13/2026", false),
            ("HH:mm", "23:59", true),
            ("HH:mm", "2359", false),
        ];
        for (name, text, fits) in table {
            assert_eq!(Format::named(name).unwrap().fits(text), fits, "{name}: {text}");
        }
    }

    #[test]
    fn check_digits_must_check() {
        let table = [
            ("52998224725", true),
            ("529.982.247-25", true),
            ("111.444.777-35", true),
            ("00000000191", true),
            ("52998224724", false),
            ("52998224735", false),
            ("11111111111", false),
            ("000.000.000-00", false),
            ("529982247-25", false),
            ("529.982.247.25", false),
            ("5299822472", false),
            ("529982247255", false),
            (" 52998224725", false),
            ("", false),
        ];
        for (text, fits) in table {
            assert_eq!(Format::named("cpf").unwrap().fits(text), fits, "{text}");
        }
    }

    #[test]
    fn an_instant_is_read_from_what_names_one() {
        let table = [
            ("YYYY/MM/DDTHH:mm:ss.SSSZ", "2018/11/05T15:25:16.584Z", Some("2018-11-05T15:25:16.584Z")),
            ("date-time", "2018-11-05T15:25:16.584Z", Some("2018-11-05T15:25:16.584Z")),
            ("date-time", "2018-11-05T15:25:16-03:00", Some("2018-11-05T18:25:16Z")),
            ("date", "2018-11-05", Some("2018-11-05T00:00:00Z")),
            ("DD/MM/YYYY", "05/11/2018", Some("2018-11-05T00:00:00Z")),
            ("DD/MM/YYYY", "31/02/2018", None),
            ("HH:mm", "15:25", None),
            ("cpf", "52998224725", None),
            ("date-time", "soon", None),
        ];
        for (name, text, instant) in table {
            let instant = instant.map(|instant| instant.parse().unwrap());
            assert_eq!(Format::named(name).unwrap().instant(text), instant, "{name}: {text}");
        }
    }

    #[test]
    fn what_is_no_format_of_ours_has_no_meaning_here() {
        for name in ["email", "DD/MM/YY", "CPF", ""] {
            assert_eq!(Format::named(name), None, "{name}");
        }
    }
}
