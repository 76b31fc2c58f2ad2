//! Turns a [`Logic`] into the second export of a component.

/// Made from the contract.
#[expect(missing_docs, reason = "generated; the contract documents it")]
#[expect(clippy::same_length_and_capacity, reason = "generated: how a list crosses the boundary")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/v1.1",
        world: "mapper-logic",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "rollcall_mapper_sdk::wasm::logic::bindings",
    });
}

pub use self::bindings::export;
use self::bindings::exports::rollcall::mapper::logic as contract;
pub use self::bindings::exports::rollcall::mapper::logic::{Found, Guest, Step};
use crate::logic::{self, Logic};

/// The calls that it takes.
pub fn names<L: Logic>() -> Vec<String> {
    L::CALLS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// Works on a call as far as the answers go.
pub fn call<L: Logic>(name: &str, options: &[u8], context: &[u8], found: Vec<Found>) -> Step {
    let found: Vec<_> = found.into_iter().map(logic::Found::from).collect();
    logic::step::<L>(name, options, context, &found).into()
}

impl From<Found> for logic::Found {
    fn from(found: Found) -> Self {
        match found {
            Found::Records(records) => Self::Records(records),
            Found::Number(number) => Self::Number(number),
        }
    }
}

impl From<logic::Step> for Step {
    fn from(step: logic::Step) -> Self {
        match step {
            logic::Step::Ask(questions) => Self::Ask(questions.into_iter().map(contract::Question::from).collect()),
            logic::Step::Decide(decision) => Self::Decide(contract::Decision {
                changes: decision.changes.into_iter().map(contract::Change::from).collect(),
                told: json(&decision.told),
                events: decision.events.into_iter().map(contract::Event::from).collect(),
            }),
            logic::Step::Decline(decline) => Self::Decline(contract::Decline {
                class: decline.class.word().to_owned(),
                code: decline.code,
                field: decline.field,
                message: decline.message,
            }),
            logic::Step::Fail(message) => Self::Fail(message),
        }
    }
}

impl From<logic::Question> for contract::Question {
    fn from(question: logic::Question) -> Self {
        match question {
            logic::Question::Records { of, conditions, limit } => {
                let condition = |(member, values)| contract::Condition { member, values: json(&values) };
                let conditions = conditions.into_iter().map(condition).collect();
                Self::Records(contract::Query { of, conditions, limit })
            }
            logic::Question::Number(of) => Self::Number(of),
        }
    }
}

impl From<logic::Change> for contract::Change {
    fn from(change: logic::Change) -> Self {
        match change {
            logic::Change::Put { of, members } => Self::Put(contract::Put { of, members: json(&members) }),
            logic::Change::Remove { of, key } => Self::Remove(contract::Removal { of, key: json(&key) }),
        }
    }
}

impl From<logic::Event> for contract::Event {
    fn from(event: logic::Event) -> Self {
        Self { name: event.name, of: event.of, key: json(&event.key) }
    }
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("trees of JSON are JSON")
}
