//! Turns the name of a format into what it says about a text.

use jiff::Timestamp;

/// A format that a text may have, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(String);

impl Format {
    /// The format called `name`, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Some(Self(name.to_owned()))
    }

    /// The instant that `text` names, if it has this format and the format tells one; without an offset it is UTC.
    pub fn instant(&self, text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }
}
