//! Turns the records of one type into the clashes between them.

use std::borrow::Cow;

use crate::description::Rule;
use crate::json::Pointer;
use crate::note::Note;

/// One record of the resulting state, as far as rules look at it.
#[derive(Debug)]
pub struct Row<'r> {
    /// Its key.
    pub key: &'r str,
    /// Where it stands in the payload, if it was sent.
    pub incoming: Option<&'r Pointer>,
    /// What it says in the members that rules look at.
    pub values: Vec<Option<Cow<'r, str>>>,
}

/// The members that rules look at.
pub fn members(rules: &[Rule]) -> Vec<String> {
    _ = rules;
    Vec::new()
}

/// Every incoming record that takes part in a clash, with why.
pub fn clashes(rules: &[Rule], rows: &[Row<'_>]) -> Vec<(usize, Note)> {
    _ = (rules, rows);
    Vec::new()
}
