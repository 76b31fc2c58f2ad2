//! What a description may count on: which mappers there are, and which calls their logic takes.

use super::outline::{OperationOutline, Outline};
use crate::json::Pointer;
use crate::language::{Diagnostic, Document, EXTENSION};

/// Knows the mappers that belong to descriptions.
pub trait Mappers {
    /// Whether there is a mapper of this name.
    fn has(&self, name: &str) -> bool;

    /// The calls that its logic takes; `None` where that is not known, because it is not built yet.
    fn calls(&self, name: &str) -> Option<Vec<String>>;
}

/// All that is known is which there are.
impl<F: Fn(&str) -> bool> Mappers for F {
    fn has(&self, name: &str) -> bool {
        self(name)
    }

    fn calls(&self, _: &str) -> Option<Vec<String>> {
        None
    }
}

/// Finds the calls that the mapper called `name` does not take.
pub(super) fn check_calls(
    document: &Document,
    outline: &Outline,
    name: &str,
    mappers: &dyn Mappers,
    problems: &mut Vec<Diagnostic>,
) {
    let made = |operation: &OperationOutline| -> Option<(Pointer, String)> {
        Some((operation.at.member(EXTENSION).member("call"), operation.keys.call.clone()?))
    };
    let made: Vec<_> = outline.operations.iter().filter_map(made).collect();
    if made.is_empty() {
        return;
    }
    let taken = if mappers.has(name) { mappers.calls(name) } else { Some(Vec::new()) };
    let Some(taken) = taken else { return };
    for (at, call) in made.into_iter().filter(|(_, call)| !taken.contains(call)) {
        let problem =
            Diagnostic::at(document.place(&at), format!("the mapper `{name}` does not take the call `{call}`"));
        problems.push(if taken.is_empty() {
            problem
                .hint(format!("it has no logic of its own: `export_mapper!(…, logic)` in `mappers/{name}` exports it"))
        } else {
            problem.did_you_mean(&call, taken.iter().map(String::as_str))
        });
    }
}
