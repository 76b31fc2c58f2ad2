//! Turns notes into what a partner's client reads, in its own language (`language` and `messages` at the root).

use std::collections::BTreeMap;

use super::Level;
use crate::note::Note;

/// What clients read, by code; `code.Record` beats `code`.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    texts: BTreeMap<String, (String, Option<Level>)>,
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The text, filled in.
    pub text: String,
    /// How bad it is, where the description says so.
    pub level: Option<Level>,
}

impl Messages {
    /// What is told of a note about a record of type `record`, if it is about one; its own message where the
    /// description has none for it.
    pub fn tell(&self, note: &Note, record: Option<&str>) -> Told {
        let special = record.and_then(|record| self.texts.get(&format!("{}.{record}", note.code)));
        let Some((text, level)) = special.or_else(|| self.texts.get(&note.code)) else {
            return Told { text: note.message.clone(), level: None };
        };
        let text =
            note.words.iter().fold(text.clone(), |text, (name, word)| text.replace(&format!("{{{name}}}"), word));
        Told { text, level: *level }
    }
}
