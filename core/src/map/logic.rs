//! Runs a partner's own logic: gives a call and all that was found for it to an instance of its own, and turns what it
//! answers into a [`Step`].
//!
//! Nothing is remembered between two steps of a call, so that each is a function of what it is given, and an instance never
//! waits for the database. Its means are those of a batch; what it may ask and change in all has limits of its own.

mod check;

use self::check::Checker;
use super::batch::{fuel, verdict};
use super::raw::step::RawFound;
use super::{Budget, CallInput, Found, LoadError, MapError, Mapper, Step};
use crate::description::Partner;
use crate::limits::MapperLimits;

impl Mapper {
    /// The calls that the component's own logic takes; none where it has no second export.
    pub fn calls(&self) -> &[String] {
        &self.calls
    }

    /// Checks that the component takes every call that the description makes.
    pub fn check_calls(&self, partner: &Partner) -> Result<(), LoadError> {
        let takes = |call: &str| self.calls.iter().any(|one| one == call);
        for operation in &partner.operations {
            if let Some(call) = operation.verb.call().filter(|call| !takes(call)) {
                let (operation, call) = (operation.id.clone(), call.to_owned());
                return Err(LoadError::Call { operation, call, taken: self.calls.clone() });
            }
        }
        Ok(())
    }

    /// Has the partner's own logic work on a call, given the answers to all questions that it has asked so far. A trap,
    /// means that are used up, or an answer that is not believed, is the message of the `Err` inside.
    ///
    /// Blocks.
    pub fn call(
        &self,
        options: &[u8],
        input: &CallInput<'_>,
        found: &[Found],
        budget: &Budget,
    ) -> Result<Result<Step, String>, MapError> {
        let limits = &self.sandbox.limits;
        let Some(logic) = self.prepared.logic() else {
            return Ok(Err("the mapper has no logic of its own".to_owned()));
        };
        let checker = match enough(found, limits) {
            Ok(handed) => Checker { limits, asked: found.len(), handed },
            Err(wrong) => return Ok(Err(wrong)),
        };
        let context = input.context.to_string();
        let found: Vec<_> = found.iter().map(raw).collect();
        let bytes = options.len() + context.len() + found.iter().map(size).sum::<usize>();
        let fuel = fuel(limits, bytes);
        let mut store = self.sandbox.store(fuel);
        store.set_hostcall_fuel(limits.result_bytes_per_call_max);
        let step = logic.call(&mut store, input.name, options, context.as_bytes(), &found);
        budget.spend(&store, fuel, self.profile())?;
        match step {
            Ok(step) => Ok(checker.step(step)),
            Err(error) => verdict(&error, store.data(), limits, limits.result_bytes_per_call_max).map(Err),
        }
    }
}

/// How many records a call has been handed; an error where that is more than it may have.
pub fn enough(found: &[Found], limits: &MapperLimits) -> Result<usize, String> {
    let records = |found: &Found| if let Found::Records(records) = found { records.len() } else { 0 };
    let handed = found.iter().map(records).sum();
    let most = limits.records_per_call_max as usize;
    if handed > most {
        Err(format!("it asked for more than {most} records (`records_per_call_max`)"))
    } else {
        Ok(handed)
    }
}

/// An answer, as it goes in.
fn raw(found: &Found) -> RawFound {
    match found {
        Found::Records(records) => RawFound::Records([b"[", records.join(&b',').as_slice(), b"]"].concat()),
        Found::Number(number) => RawFound::Number(*number),
    }
}

fn size(found: &RawFound) -> usize {
    match found {
        RawFound::Records(records) => records.len(),
        RawFound::Number(_) => size_of::<i64>(),
    }
}

/// Checks the names that the logic of a component gives to its calls.
pub(super) fn check_names(names: &[String], limits: &MapperLimits) -> Result<(), String> {
    let is_word = |name: &String| {
        let is_of_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !name.is_empty() && name.len() <= limits.text_bytes_max && name.bytes().all(is_of_word)
    };
    if names.len() > limits.calls_max {
        return Err(format!("it takes more than {} calls (`calls_max`)", limits.calls_max));
    }
    if !names.iter().all(is_word) {
        return Err("it takes calls whose names are not words with hyphens".to_owned());
    }
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    twice.map_or(Ok(()), |(_, name)| Err(format!("it takes the call `{name}` twice")))
}

#[cfg(test)]
mod tests;
