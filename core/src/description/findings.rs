//! What reading a description finds out on its way: what is wrong with it, and which of its words were understood.
//!
//! A word that nothing understands would be ignored silently; `unsupported.rs` reports those that are left in the end.

use std::collections::HashSet;

use crate::json::Pointer;
use crate::language::Diagnostic;

/// What is known of a description so far.
pub(super) struct Findings<'p> {
    /// All that is wrong.
    pub(super) problems: &'p mut Vec<Diagnostic>,
    /// Words that something made use of, by where they stand.
    understood: HashSet<Pointer>,
}

impl<'p> Findings<'p> {
    /// Goes on with the problems that were found before.
    pub(super) fn new(problems: &'p mut Vec<Diagnostic>) -> Self {
        Self { problems, understood: HashSet::new() }
    }

    /// Adds a problem.
    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Notes that the word at `word` was made use of.
    pub(super) fn understand(&mut self, word: Pointer) {
        self.understood.insert(word);
    }

    /// Whether the word at `word` was made use of.
    pub(super) fn is_understood(&self, word: &Pointer) -> bool {
        self.understood.contains(word)
    }
}
