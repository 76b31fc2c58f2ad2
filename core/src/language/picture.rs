//! Turns a date picture (`DD/MM/YYYY`) into its parts, or says what is wrong with it.
//!
//! A picture shows how a date or a time of day is written: `YYYY MM DD HH mm ss SSS` stand for its fields, `T`, `Z` and
//! everything that is no letter for themselves. Every field has a fixed width, so that a text fits in one way or not.
//!
//! To add a field: a variant of [`Field`] in its place among the larger and the smaller ones, and a row in [`FIELDS`].

use std::fmt;

/// How a date or a time of day is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    source: String,
    parts: Vec<Part>,
}

/// One part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The digits of a field.
    Field(Field),
    /// This character.
    Literal(char),
}

/// A field of a date or a time of day, from the largest to the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

/// What is wrong with a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}

/// How fields are shown, in their order.
const FIELDS: [(&str, Field); 7] = [
    ("YYYY", Field::Year),
    ("MM", Field::Month),
    ("DD", Field::Day),
    ("HH", Field::Hour),
    ("mm", Field::Minute),
    ("ss", Field::Second),
    ("SSS", Field::Millisecond),
];

impl Picture {
    /// What it is made of, as a regular expression: for editors, which complete and underline by it.
    pub const PATTERN: &str = "^([^A-Za-z]|T|Z|YYYY|MM|DD|HH|mm|ss|SSS)+$";

    /// Whether `text` is meant to be a picture: it consists of the letters of dates and shows a year, a day or an hour.
    pub fn is_meant_by(text: &str) -> bool {
        let mut letters = text.chars().filter(|letter| letter.is_alphabetic());
        let shows = ["YY", "yy", "DD", "dd", "HH", "hh"].iter().any(|shown| text.contains(shown));
        shows && letters.all(|letter| "YyMmDdHhSsTZ".contains(letter))
    }

    /// Reads a picture.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parts = Vec::new();
        for run in runs(text) {
            match field(run) {
                Some(field) if parts.contains(&Part::Field(field)) => return Err(twice(run)),
                Some(field) => parts.push(Part::Field(field)),
                None if run.contains(char::is_alphabetic) && run != "T" && run != "Z" => return Err(unknown(run)),
                None => parts.extend(run.chars().map(Part::Literal)),
            }
        }
        let picture = Self { source: text.to_owned(), parts };
        picture.check()?;
        Ok(picture)
    }

    /// Its parts, in the order in which they are written.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether it shows a field.
    pub fn shows(&self, field: Field) -> bool {
        self.parts.contains(&Part::Field(field))
    }

    /// No field may stand there without the larger one; only the hour may do without a date.
    fn check(&self) -> Result<(), Malformed> {
        let has_date = self.shows(Field::Year) || self.shows(Field::Month) || self.shows(Field::Day);
        for pair in FIELDS.windows(2) {
            let [(larger_shown, larger), (shown, smaller)] = pair else { continue };
            let alone_is_fine = *smaller == Field::Hour && !has_date;
            if self.shows(*smaller) && !self.shows(*larger) && !alone_is_fine {
                return Err(Malformed {
                    problem: format!("a date picture with `{shown}` and without `{larger_shown}`"),
                    hint: "months are `MM`, minutes `mm`; each field needs the larger one beside it".to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl Field {
    /// How many digits it has.
    pub fn width(self) -> usize {
        FIELDS.iter().find(|(_, field)| *field == self).map_or(0, |(shown, _)| shown.len())
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Cuts a text where its characters change: `DD/MM` is `DD`, `/`, `MM`.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let length = rest.find(|letter| letter != first).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        rest = after;
        Some(run)
    })
}

fn field(run: &str) -> Option<Field> {
    FIELDS.iter().find(|(shown, _)| *shown == run).map(|(_, field)| *field)
}

fn twice(run: &str) -> Malformed {
    Malformed {
        problem: format!("a date picture with `{run}` twice"),
        hint: "months are `MM`, minutes `mm`; each field stands in a picture once".to_owned(),
    }
}

fn unknown(run: &str) -> Malformed {
    let alike = |shown: &&str| run.chars().all(|letter| shown.contains(letter));
    let alike_but_for_case = |shown: &&str| run.chars().all(|letter| shown.contains(letter.to_ascii_uppercase()));
    let shown = || FIELDS.iter().map(|(shown, _)| *shown);
    let hint = match shown().find(alike).or_else(|| shown().find(alike_but_for_case)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("known are: {}", shown().collect::<Vec<_>>().join(", ")),
    };
    Malformed { problem: format!("`{run}` is no field of a date picture"), hint }
}

#[cfg(test)]
mod tests {
    use super::{Field, Part, Picture};

    #[test]
    fn a_picture_is_read_into_fields_and_what_stands_between_them() {
        let picture = Picture::parse("DD/MM/YYYY-HH:mm").unwrap();
        let shown: Vec<_> = picture
            .parts()
            .iter()
            .map(|part| match part {
                Part::Field(field) => format!("{field:?}"),
                Part::Literal(literal) => literal.to_string(),
            })
            .collect();
        assert_eq!(shown, ["Day", "/", "Month", "/", "Year", "-", "Hour", ":", "Minute"]);
        assert!(picture.shows(Field::Hour) && !picture.shows(Field::Second));
    }

    #[test]
    fn pictures_are_known_by_their_look() {
        for picture in ["DD/MM/YYYY", "YYYY/MM/DDTHH:mm:ss.SSSZ", "HH:mm", "dd.mm.yyyy", "DD/MM/YY", "YYYYMMDD"] {
            assert!(Picture::is_meant_by(picture), "{picture}");
        }
        for other in ["date", "date-time", "cpf", "yyy-address", "e-mail", "uuid", "hh-code", ""] {
            assert!(!Picture::is_meant_by(other), "{other}");
        }
    }

    #[test]
    fn a_malformed_picture_is_told_with_a_hint() {
        let table = [
            ("DD/MM/YY", "`YY` is no field of a date picture", "did you mean `YYYY`?"),
            ("dd/MM/YYYY", "`dd` is no field of a date picture", "did you mean `DD`?"),
            ("YYYY-M-DD", "`M` is no field of a date picture", "did you mean `MM`?"),
            ("HH:mm:ss.S", "`S` is no field of a date picture", "did you mean `SSS`?"),
            ("HH:mm:sss", "`sss` is no field of a date picture", "did you mean `ss`?"),
            (
                "DD/MM/YYYY HH:MM",
                "a date picture with `MM` twice",
                "months are `MM`, minutes `mm`; each field stands in a picture once",
            ),
            (
                "DD/mm/YYYY",
                "a date picture with `DD` and without `MM`",
                "months are `MM`, minutes `mm`; each field needs the larger one beside it",
            ),
            (
                "YYYY-MM HH:mm",
                "a date picture with `HH` and without `DD`",
                "months are `MM`, minutes `mm`; each field needs the larger one beside it",
            ),
            ("YYYYwMM", "`w` is no field of a date picture", "known are: YYYY, MM, DD, HH, mm, ss, SSS"),
        ];
        for (picture, problem, hint) in table {
            let malformed = Picture::parse(picture).unwrap_err();
            assert_eq!((malformed.problem.as_str(), malformed.hint.as_str()), (problem, hint), "{picture}");
        }
    }
}
