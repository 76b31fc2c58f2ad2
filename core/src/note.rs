//! What there is to tell about a payload: by place and shape, never by value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::Pointer;

/// One thing to tell about a payload, by place and shape, never by value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// Where in the payload.
    pub pointer: Pointer,
    /// What kind of thing, for programs: `required`, `type`, `unknown-property`, `fault`, …
    pub code: String,
    /// What it is, for people.
    pub message: String,
    /// What a text in another language is filled in with: `field`, `key`, `other`, `expected`, `limit`. Names of
    /// members, keys of records and words of the description; no other value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, String>,
}

impl Note {
    /// A note that says `message`.
    pub fn new(pointer: Pointer, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer, code: code.into(), message: message.into(), words: BTreeMap::new() }
    }

    /// Adds a word for texts in other languages.
    #[must_use]
    pub fn with(mut self, name: &str, word: impl Into<String>) -> Self {
        self.words.insert(name.to_owned(), word.into());
        self
    }
}

/// A record's key, a canonical JSON list, as people read it: `C1`, or `C1 / 7` where it has several parts.
pub fn shown(key: &str) -> String {
    let Ok(parts) = serde_json::from_str::<Vec<Value>>(key) else { return key.to_owned() };
    let part = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
    parts.iter().map(part).collect::<Vec<_>>().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn keys_are_shown_without_their_brackets() {
        let table = [(r#"["C1"]"#, "C1"), (r#"["C1",7]"#, "C1 / 7"), ("[]", ""), ("odd", "odd")];
        for (key, text) in table {
            assert_eq!(shown(key), text);
        }
    }
}
