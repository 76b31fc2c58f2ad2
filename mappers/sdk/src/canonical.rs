//! The canonical entities, made from `schemas/canonical` when the SDK is built.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::{Entity, Fields, Number, Text};

/// A kind of canonical entity and its fields, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The kind's name.
    pub name: &'static str,
    /// The names of its fields.
    pub fields: &'static [&'static str],
}

/// A boolean that is written as the text `true` or `false`, as OneRoster does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl Flag {
    /// The text.
    pub fn as_str(self) -> &'static str {
        if self.0 { "true" } else { "false" }
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// An object with any members, for what has no field of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open<'a>(Vec<(Cow<'a, str>, Text<'a>)>);

impl<'a> Open<'a> {
    /// The same object with one more member.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'a, str>>, text: impl Into<Text<'a>>) -> Self {
        self.0.push((name.into(), text.into()));
        self
    }
}

impl Serialize for Open<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, text) in &self.0 {
            map.serialize_entry(name, text)?;
        }
        map.end()
    }
}

include!(concat!(env!("OUT_DIR"), "/canonical.rs"));
