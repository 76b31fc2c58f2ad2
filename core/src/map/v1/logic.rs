//! A partner's own logic, the optional interface of version 1.1 (`mappers/wit/v1.1`): turns a component that exports it
//! into [`RawStep`].

use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::map::host::Guest;
use crate::map::raw::step::{RawChange, RawDecision, RawDecline, RawEvent, RawFound, RawQuestion, RawStep};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../mappers/wit/v1.1",
        world: "mapper-logic",
        ownership: Borrowing { duplicate_if_necessary: false },
    });
}

use self::bindings::MapperLogicPre;
use self::bindings::exports::rollcall::mapper::logic as contract;

/// A checked component with logic, ready to be instantiated.
pub(in crate::map) struct Prepared(MapperLogicPre<Guest>);

impl Prepared {
    /// Checks that the component exports the interface with these very types.
    pub(super) fn new(pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        Ok(Self(MapperLogicPre::new(pre)?))
    }

    /// Asks a new instance which calls it takes.
    pub(in crate::map) fn names(&self, store: &mut Store<Guest>) -> wasmtime::Result<Vec<String>> {
        let logic = self.0.instantiate(&mut *store)?;
        logic.rollcall_mapper_logic().call_names(store)
    }

    /// Has a new instance work on a call.
    pub(in crate::map) fn call(
        &self,
        store: &mut Store<Guest>,
        name: &str,
        options: &[u8],
        context: &[u8],
        found: &[RawFound],
    ) -> wasmtime::Result<RawStep> {
        let logic = self.0.instantiate(&mut *store)?;
        let found: Vec<_> = found
            .iter()
            .map(|found| match found {
                RawFound::Records(records) => contract::Found::Records(records),
                RawFound::Number(number) => contract::Found::Number(*number),
            })
            .collect();
        Ok(logic.rollcall_mapper_logic().call_call(store, name, options, context, &found)?.into())
    }
}

impl From<contract::Step> for RawStep {
    fn from(step: contract::Step) -> Self {
        match step {
            contract::Step::Ask(questions) => Self::Ask(questions.into_iter().map(RawQuestion::from).collect()),
            contract::Step::Decide(decision) => Self::Decide(RawDecision {
                changes: decision.changes.into_iter().map(RawChange::from).collect(),
                told: decision.told,
                events: decision.events.into_iter().map(RawEvent::from).collect(),
            }),
            contract::Step::Decline(decline) => Self::Decline(RawDecline {
                class: decline.class,
                code: decline.code,
                field: decline.field,
                message: decline.message,
            }),
            contract::Step::Fail(message) => Self::Fail(message),
        }
    }
}

impl From<contract::Question> for RawQuestion {
    fn from(question: contract::Question) -> Self {
        match question {
            contract::Question::Records(query) => Self::Records {
                of: query.of,
                conditions: query.conditions.into_iter().map(|one| (one.member, one.values)).collect(),
                limit: query.limit,
            },
            contract::Question::Number(of) => Self::Number(of),
        }
    }
}

impl From<contract::Change> for RawChange {
    fn from(change: contract::Change) -> Self {
        match change {
            contract::Change::Put(put) => Self::Put { of: put.of, members: put.members },
            contract::Change::Remove(removal) => Self::Remove { of: removal.of, key: removal.key },
        }
    }
}

impl From<contract::Event> for RawEvent {
    fn from(event: contract::Event) -> Self {
        Self { name: event.name, of: event.of, key: event.key }
    }
}
