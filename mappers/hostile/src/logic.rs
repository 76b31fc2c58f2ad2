//! Turns each call into the attack that its argument `do` asks for: what the host promises to withstand of a partner's
//! own logic.
//!
//! To add an attack: add a variant to [`Attack`] and an arm to [`step`], and a row to the host's tests.

use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_mapper_sdk::wasm::logic::bindings::exports::rollcall::mapper::logic::{
    Change, Condition, Decision, Decline, Event, Put, Query, Question, Removal,
};
use rollcall_mapper_sdk::wasm::logic::{Found, Guest, Step, call};
use serde::Deserialize;

use crate::Hostile;
use crate::lawful::Lawful;

#[derive(Deserialize)]
struct Context {
    arguments: Arguments,
}

#[derive(Deserialize)]
struct Arguments {
    r#do: Attack,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Attack {
    /// None: decides something good.
    Nothing,
    /// Asks, and tells what it was answered.
    Ask,
    Decline,
    Fail,
    Loop,
    GrowMemory,
    Recurse,
    Panic,
    AskForEver,
    AskNothing,
    ManyQuestions,
    AskWithoutLimit,
    ValueThatIsAList,
    ManyValues,
    ManyChanges,
    ManyEvents,
    GiantAnswer,
    MalformedMembers,
    MembersInAList,
    MemberTwice,
    DeepMembers,
    BadUtf8,
    NothingTold,
    EmptyKey,
    KeyOfNothing,
    KeyThatIsNone,
    NamelessRecord,
    /// Speaks of records that the description does not know.
    UnknownRecord,
    /// Writes what the record's schema does not allow.
    BrokenRecord,
    /// Removes what is not there.
    MissingRecord,
    /// Raises an event of what is not there.
    MissingWitness,
    LongName,
    HostsOwnProblem,
    UnknownClass,
    NamelessProblem,
    LongMessage,
    LongFailure,
    /// Answers with what it has seen before: another answer if instances were shared.
    Remember,
}

static SEEN: AtomicU64 = AtomicU64::new(0);

impl Guest for Hostile {
    fn names() -> Vec<String> {
        ["attack", "defend", "survey"].map(str::to_owned).to_vec()
    }

    fn call(name: String, options: Vec<u8>, context: Vec<u8>, found: Vec<Found>) -> Step {
        if name != "attack" {
            return call::<Lawful>(&name, &options, &context, found);
        }
        let context: Context = serde_json::from_slice(&context).expect("a context");
        step(context.arguments.r#do, &found)
    }
}

#[cfg(target_arch = "wasm32")]
mod component {
    use super::Hostile;
    rollcall_mapper_sdk::wasm::logic::export!(Hostile);
}

fn step(attack: Attack, found: &[Found]) -> Step {
    let seen = SEEN.fetch_add(1, Ordering::Relaxed);
    match attack {
        Attack::Nothing => Step::Decide(good()),
        Attack::Remember => Step::Decide(Decision { told: format!("{{\"seen\":{seen}}}").into_bytes(), ..good() }),
        Attack::Ask if found.is_empty() => Step::Ask(vec![question(), Question::Number("Org".to_owned())]),
        Attack::Ask => Step::Decide(Decision { told: told(found), ..good() }),
        Attack::Fail => Step::Fail("on request".to_owned()),
        Attack::LongFailure => Step::Fail("long".repeat(10_000)),
        Attack::Loop => Step::Fail(crate::endless().len().to_string()),
        Attack::GrowMemory => Step::Fail(crate::grow().len().to_string()),
        Attack::Recurse => Step::Fail(crate::recurse(1).to_string()),
        Attack::Panic => panic!("on request"),
        Attack::AskForEver | Attack::AskNothing | Attack::ManyQuestions => Step::Ask(many(attack)),
        Attack::AskWithoutLimit => Step::Ask(vec![question()]),
        Attack::ValueThatIsAList => Step::Ask(vec![with_values("[[1]]")]),
        Attack::ManyValues => Step::Ask(vec![with_values(&format!("[{}0]", "0,".repeat(30_000)))]),
        Attack::Decline
        | Attack::HostsOwnProblem
        | Attack::UnknownClass
        | Attack::NamelessProblem
        | Attack::LongMessage => Step::Decline(declined(attack)),
        forged => Step::Decide(self::forged(forged)),
    }
}

/// What can be wrong inside of a decision.
fn forged(attack: Attack) -> Decision {
    let put = |members: &[u8]| decision(vec![Change::Put(Put { of: "Org".to_owned(), members: members.to_vec() })]);
    let remove =
        |key: &str| decision(vec![Change::Remove(Removal { of: "Org".to_owned(), key: key.as_bytes().to_vec() })]);
    let named = |of: &str| decision(vec![Change::Put(Put { of: of.to_owned(), members: br#"{"id":1}"#.to_vec() })]);
    match attack {
        Attack::ManyChanges => decision((0..1_000_000).map(|_| nothing()).collect()),
        Attack::ManyEvents => Decision { events: vec![event(); 20_000], ..good() },
        Attack::GiantAnswer => put(&vec![b' '; 24 << 20]),
        Attack::MalformedMembers => put(br#"{"id":1"#),
        Attack::MembersInAList => put(b"[1]"),
        Attack::MemberTwice => put(br#"{"id":1,"id":2}"#),
        Attack::DeepMembers => put(crate::deep(10_000).as_bytes()),
        Attack::BadUtf8 => put(b"{\"id\":\"\xff\"}"),
        Attack::NothingTold => Decision { told: Vec::new(), ..good() },
        Attack::EmptyKey => remove("[]"),
        Attack::KeyOfNothing => remove("{}"),
        Attack::KeyThatIsNone => remove("[null]"),
        Attack::NamelessRecord => named(""),
        Attack::UnknownRecord => named("Stranger"),
        Attack::BrokenRecord => put(br#"{"id":1,"name":5}"#),
        Attack::MissingRecord => remove("[99]"),
        Attack::MissingWitness => Decision { events: vec![Event { key: b"[99]".to_vec(), ..event() }], ..good() },
        _ => named(&"long".repeat(10_000)),
    }
}

fn many(attack: Attack) -> Vec<Question> {
    match attack {
        Attack::AskForEver => vec![Question::Number("Org".to_owned())],
        Attack::AskNothing => Vec::new(),
        _ => (0..5_000).map(|_| Question::Number("Org".to_owned())).collect(),
    }
}

fn question() -> Question {
    with_values("[1,null]")
}

fn with_values(values: &str) -> Question {
    let condition = Condition { member: "parent".to_owned(), values: values.as_bytes().to_vec() };
    Question::Records(Query { of: "Org".to_owned(), conditions: vec![condition], limit: None })
}

/// Says how much it was answered.
fn told(found: &[Found]) -> Vec<u8> {
    let shown = found.iter().map(|one| match one {
        Found::Records(records) => String::from_utf8_lossy(records).into_owned(),
        Found::Number(number) => number.to_string(),
    });
    format!("{{\"found\":[{}]}}", shown.collect::<Vec<_>>().join(",")).into_bytes()
}

fn good() -> Decision {
    decision(vec![change()])
}

fn decision(changes: Vec<Change>) -> Decision {
    Decision { changes, told: b"{}".to_vec(), events: vec![event()] }
}

fn change() -> Change {
    Change::Put(Put { of: "Org".to_owned(), members: br#"{"id":1,"name":"School"}"#.to_vec() })
}

/// A change that costs next to nothing to make.
fn nothing() -> Change {
    Change::Put(Put { of: String::new(), members: Vec::new() })
}

fn event() -> Event {
    Event { name: "org.attacked".to_owned(), of: "Org".to_owned(), key: b"[1]".to_vec() }
}

fn declined(attack: Attack) -> Decline {
    let (class, code, message) = match attack {
        Attack::HostsOwnProblem => ("unauthenticated", "hostile", "declined".to_owned()),
        Attack::UnknownClass => ("nonsense", "hostile", "declined".to_owned()),
        Attack::NamelessProblem => ("invalid", "", "declined".to_owned()),
        Attack::LongMessage => ("invalid", "hostile", "long".repeat(10_000)),
        _ => ("invalid", "hostile", "declined".to_owned()),
    };
    Decline { class: class.to_owned(), code: code.to_owned(), field: Some("do".to_owned()), message }
}
