//! Turns two versions of a partner into what is different for those who call it and for what is stored: routes, parameters,
//! schemas field by field, record types and their tables, each with whether it breaks something, and what.
//!
//! What clients see is compared as they see it: in the published documents. A request breaks where less is taken than
//! before, an answer where less is promised. Where that cannot be told (another pattern, other alternatives), it is said
//! to break: who plans an upgrade can look, who was not told cannot.
//!
//! To compare something more: a function that gives [`Change`]s, called from [`changes`]; an [`Area`] where none fits.

mod records;
mod routes;
mod schemas;
#[cfg(test)]
mod tests;
mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::text::{difference, listed};
use crate::description::Partner;

/// Something that is different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What it is about.
    pub area: Area,
    /// Where: an operation, a place in a body, a record type, a column.
    pub place: String,
    /// Whether something is new, another, or gone.
    pub sign: Sign,
    /// What is different.
    pub what: String,
    /// Why somebody would notice to whom nobody has said anything; nobody would, where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks: Option<String>,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// What can be called, and what that does.
    Routes,
    /// Path, query and header parameters.
    Parameters,
    /// What bodies must look like.
    Requests,
    /// What answers look like.
    Answers,
    /// What payloads are cut into.
    Records,
    /// Where that is stored.
    Tables,
}

/// Whether something is new, another, or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// It is new.
    Added,
    /// It is another.
    Changed,
    /// It is gone.
    Removed,
}

impl Area {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Routes => "routes",
            Self::Parameters => "parameters",
            Self::Requests => "requests",
            Self::Answers => "answers",
            Self::Records => "records",
            Self::Tables => "tables",
        }
    }
}

impl Sign {
    /// The sign in texts.
    pub fn letter(self) -> char {
        match self {
            Self::Added => '+',
            Self::Changed => '~',
            Self::Removed => '-',
        }
    }
}

/// All that is different, by area and place.
pub fn changes(from: &Partner, to: &Partner) -> Vec<Change> {
    let mut found = Found::default();
    routes::compare(from, to, &mut found);
    records::compare(from, to, &mut found);
    found.0.sort();
    found.0.dedup();
    found.0
}

/// What has been found so far.
#[derive(Default)]
struct Found(Vec<Change>);

impl Found {
    fn add(&mut self, area: Area, place: impl Into<String>, sign: Sign, what: impl Into<String>) {
        self.put(area, place.into(), sign, what.into(), None);
    }

    fn breaking(
        &mut self,
        area: Area,
        place: impl Into<String>,
        sign: Sign,
        what: impl Into<String>,
        breaks: impl Into<String>,
    ) {
        self.put(area, place.into(), sign, what.into(), Some(breaks.into()));
    }

    fn put(&mut self, area: Area, place: String, sign: Sign, what: String, breaks: Option<String>) {
        self.0.push(Change { area, place, sign, what, breaks });
    }
}
