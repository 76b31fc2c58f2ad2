//! What there is to tell about a payload: by place and shape, never by value.

use serde::{Deserialize, Serialize};

use crate::json::Pointer;

/// One thing to tell about a payload, by place and shape, never by value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// Where in the payload.
    pub pointer: Pointer,
    /// What kind of thing, for programs: `required`, `type`, `unknown-property`, `fault`, …
    pub code: String,
    /// What it is, for people.
    pub message: String,
}
