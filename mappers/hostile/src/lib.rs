//! Turns each record into the attack that it asks for: `{"id": 1, "do": "loop"}`. Everything that the host promises to
//! withstand is tried here, below the SDK's types, which would not allow most of it.
//!
//! To add an attack: add a variant to [`Attack`] and an arm to [`answer`], and a row to the host's tests.

mod edition;
mod lawful;
mod logic;

use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_mapper_sdk::canonical::{Class, CourseRef, KINDS, Org, OrgRef, User, UserRole};
use rollcall_mapper_sdk::wasm::bindings::exports::rollcall::mapper::mapping::{Diagnostic, Kind, Outcome, Severity};
use rollcall_mapper_sdk::wasm::{Answer, Guest, Input, Profile};
use rollcall_mapper_sdk::{Contributions, Entity};
use serde::Deserialize;

/// The mapper.
#[derive(Debug)]
pub struct Hostile;

/// A record: which attack, and a number that makes its entity its own.
#[derive(Debug, Deserialize)]
struct Record {
    id: u64,
    r#do: Attack,
    #[serde(default)]
    editions: edition::Editions,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Attack {
    /// None: says something good.
    Nothing,
    /// None: says what the record has for this edition of the mapper.
    Edition,
    Refuse,
    Loop,
    GrowMemory,
    Recurse,
    Panic,
    GiantOutput,
    ManyContributions,
    ManyDiagnostics,
    LongDiagnostic,
    WrongKind,
    UndescribedKind,
    UndescribedField,
    FieldTwice,
    MissingField,
    WrongType,
    WrongWord,
    TextAsReference,
    ReferenceToNowhere,
    EmptySourceId,
    LongSourceId,
    BrokenNested,
    MalformedNested,
    DeepNested,
    HugeNested,
    BadUtf8,
    TruncatedRows,
    UnknownTag,
    /// Answers with what it has seen before: another answer if instances were shared.
    Remember,
    /// Leaves a trap for the record that comes next in the same instance.
    Poison,
    /// Makes the whole batch short of one answer.
    Silence,
}

static SEEN: AtomicU64 = AtomicU64::new(0);
static POISONED: AtomicU64 = AtomicU64::new(0);

impl Guest for Hostile {
    fn describe() -> Profile {
        let name = |text: &&str| (*text).to_owned();
        Profile {
            partner: "hostile".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            records: vec!["Attack".to_owned()],
            kinds: KINDS
                .iter()
                .map(|kind| Kind { name: kind.name.to_owned(), fields: kind.fields.iter().map(name).collect() })
                .collect(),
        }
    }

    fn convert(_: Vec<u8>, inputs: Vec<Input>) -> Vec<Answer> {
        inputs.iter().filter_map(|input| answer(&serde_json::from_slice(&input.body).expect("a record"))).collect()
    }
}

#[cfg(target_arch = "wasm32")]
mod component {
    use super::Hostile;
    rollcall_mapper_sdk::wasm::export!(Hostile);
}

fn answer(record: &Record) -> Option<Answer> {
    assert_eq!(POISONED.load(Ordering::Relaxed), 0, "poisoned");
    let seen = SEEN.fetch_add(1, Ordering::Relaxed);
    let rows = match record.r#do {
        Attack::Nothing => good(record.id).rows(),
        Attack::Edition => match record.editions.rows() {
            Some(rows) => rows,
            None => return Some(refused()),
        },
        Attack::Refuse => return Some(refused()),
        Attack::Loop => endless(),
        Attack::GrowMemory => grow(),
        Attack::Recurse => vec![recurse(record.id).to_le_bytes()[0]],
        Attack::Panic => panic!("on request"),
        Attack::GiantOutput => vec![0; 48 << 20],
        Attack::ManyContributions => good(record.id).rows().repeat(200_000),
        Attack::ManyDiagnostics => return Some(chatter("short", 5_000)),
        Attack::LongDiagnostic => return Some(chatter(&"long".repeat(10_000), 1)),
        Attack::Remember => good(seen).rows(),
        Attack::Poison => {
            POISONED.store(1, Ordering::Relaxed);
            good(record.id).rows()
        }
        Attack::Silence => return None,
        other => forged(other, record.id),
    };
    Some(Answer { outcome: Outcome::Contributions(rows), diagnostics: Vec::new() })
}

/// What can be wrong inside of rows.
fn forged(attack: Attack, id: u64) -> Vec<u8> {
    let good = good(id);
    match attack {
        Attack::WrongKind => rows(
            "course:1",
            &rollcall_mapper_sdk::canonical::Course {
                title: Some("Math".into()),
                course_code: Some("1".into()),
                ..Default::default()
            },
        ),
        Attack::UndescribedKind => good.kind(999).rows(),
        Attack::UndescribedField => good.text(999, "x").rows(),
        Attack::FieldTwice => good.text(field("name"), "again").rows(),
        Attack::MissingField => rows("org:1", &Org { name: Some("School".into()), ..Org::default() }),
        Attack::WrongType => good.raw(field("name"), 4, &[]).rows(),
        Attack::WrongWord => good.without("type").text(field("type"), "zoo").rows(),
        Attack::TextAsReference => good.text(field("parent"), "org:2").rows(),
        Attack::ReferenceToNowhere => class_of_nowhere(),
        Attack::EmptySourceId => good.source_id("").rows(),
        Attack::LongSourceId => good.source_id(&"x".repeat(5_000)).rows(),
        Attack::BrokenNested => rows("user:1", &User { roles: vec![UserRole::default()], ..person() }),
        Attack::MalformedNested => good.nested(field("children"), "[\"org:2\"").rows(),
        Attack::DeepNested => good.nested(field("metadata"), &deep(10_000)).rows(),
        Attack::HugeNested => good.nested(field("metadata"), &format!("{{\"x\":\"{}\"}}", "y".repeat(1 << 20))).rows(),
        Attack::BadUtf8 => good.raw(field("metadata"), 6, &[2, 0, 0, 0, 0xff, 0xfe]).rows(),
        Attack::TruncatedRows => good.raw(field("metadata"), 6, &[0xff, 0xff, 0xff, 0xff]).rows(),
        _ => good.raw(field("metadata"), 77, &[]).rows(),
    }
}

/// A row in the making, field by field.
struct Forged {
    kind: u16,
    source_id: String,
    fields: Vec<(u16, u8, Vec<u8>)>,
}

fn good(id: u64) -> Forged {
    let org = KINDS.iter().position(|kind| kind.name == "org").and_then(|at| u16::try_from(at).ok());
    let empty = Forged { kind: org.expect("orgs exist"), source_id: format!("org:{id}"), fields: Vec::new() };
    empty.text(field("name"), "School").text(field("type"), "school").text(field("identifier"), &id.to_string())
}

/// The number of a field of `org`.
fn field(name: &str) -> u16 {
    let org = KINDS.iter().find(|kind| kind.name == "org").expect("orgs exist");
    org.fields.iter().position(|field| *field == name).and_then(|at| u16::try_from(at).ok()).expect("a field of org")
}

impl Forged {
    fn kind(mut self, kind: u16) -> Self {
        self.kind = kind;
        self
    }

    fn source_id(mut self, source_id: &str) -> Self {
        source_id.clone_into(&mut self.source_id);
        self
    }

    fn text(self, field: u16, text: &str) -> Self {
        self.raw(field, 0, &length_and(text))
    }

    fn nested(self, field: u16, json: &str) -> Self {
        self.raw(field, 6, &length_and(json))
    }

    fn raw(mut self, field: u16, tag: u8, value: &[u8]) -> Self {
        self.fields.push((field, tag, value.to_vec()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(number, ..)| *number != field(name));
        self
    }

    fn rows(&self) -> Vec<u8> {
        let mut rows = self.kind.to_le_bytes().to_vec();
        rows.extend(length_and(&self.source_id));
        rows.extend(u16::try_from(self.fields.len()).expect("few fields").to_le_bytes());
        for (number, tag, value) in &self.fields {
            rows.extend(number.to_le_bytes());
            rows.push(*tag);
            rows.extend(value);
        }
        rows
    }
}

fn length_and(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("short texts");
    [&length.to_le_bytes(), text.as_bytes()].concat()
}

/// The rows of one entity, by the SDK's own hand.
fn rows<E: Entity>(source_id: &str, entity: &E) -> Vec<u8> {
    let mut out = Contributions::default();
    out.add(source_id, entity);
    out.into_rows()
}

fn class_of_nowhere() -> Vec<u8> {
    rows(
        "class:1",
        &Class {
            title: Some("A".into()),
            course: Some(CourseRef::from("course:nowhere")),
            school: Some(OrgRef::from("org:nowhere")),
            ..Class::default()
        },
    )
}

fn person() -> User<'static> {
    User {
        enabled_user: Some(rollcall_mapper_sdk::canonical::Flag(true)),
        given_name: Some("Sara".into()),
        family_name: Some("Amri".into()),
        ..User::default()
    }
}

fn deep(levels: usize) -> String {
    format!("{}1{}", "{\"x\":".repeat(levels), "}".repeat(levels))
}

fn refused() -> Answer {
    Answer { outcome: Outcome::Refused, diagnostics: vec![diagnostic("declined")] }
}

fn chatter(message: &str, times: usize) -> Answer {
    Answer { outcome: Outcome::Refused, diagnostics: vec![diagnostic(message); times] }
}

fn diagnostic(message: &str) -> Diagnostic {
    let severity = Severity::Error;
    Diagnostic { severity, code: "hostile".to_owned(), pointer: "/do".to_owned(), message: message.to_owned() }
}

fn endless() -> Vec<u8> {
    let mut turns = 0u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn grow() -> Vec<u8> {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(std::hint::black_box(Vec::with_capacity(1 << 20)));
    }
}

#[expect(unconditional_recursion, reason = "that is the attack")]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    recurse(depth + 1).wrapping_add(frame[usize::try_from(depth % 64).unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use rollcall_mapper_sdk::canonical::{Org, OrgType};

    use super::{good, rows};

    #[test]
    fn the_good_row_is_what_the_sdk_would_write() {
        let org = Org {
            name: Some("School".into()),
            r#type: Some(OrgType::School),
            identifier: Some("7".into()),
            ..Org::default()
        };
        assert_eq!(good(7).rows(), rows("org:7", &org));
    }
}
