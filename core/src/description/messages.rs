//! Turns notes into what a partner's client reads, in its own language (`language` and `messages` at the root).
//!
//! A text names what it is filled in with: `{field}`, `{key}`, `{other}`, `{expected}`, `{limit}`. What a note fills in
//! is data: it is never itself looked through for placeholders.
//!
//! To add a placeholder: give the notes that know it a word of that name, see [`Note::with`].

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
    /// These texts, by code.
    pub(super) fn new(texts: BTreeMap<String, (String, Option<Level>)>) -> Self {
        Self { texts }
    }

    /// Whether what stands in braces is to be filled in.
    pub(super) fn is_placeholder(name: &str) -> bool {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase())
    }

    /// What is told of a note about a record of type `record`, if it is about one; its own message where the
    /// description has none for it. A text for the record type that names what the note does not know, such as the key
    /// of a record that has none, gives way to the general one.
    pub fn tell(&self, note: &Note, record: Option<&str>) -> Told {
        let general = self.texts.get(&note.code);
        let special = record.and_then(|record| self.texts.get(&format!("{}.{record}", note.code)));
        match special.filter(|(text, _)| general.is_none() || knows_all(text, &note.words)).or(general) {
            Some((text, level)) => Told { text: filled_in(text, &note.words), level: *level },
            None => Told { text: note.message.clone(), level: None },
        }
    }
}

/// Whether there is a word for every placeholder of the text.
fn knows_all(text: &str, words: &BTreeMap<String, String>) -> bool {
    let mut names = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    names.all(|name| !Messages::is_placeholder(name) || words.get(name).is_some_and(|word| !word.is_empty()))
}

/// The text with its placeholders replaced, in one pass; one that there is no word for becomes empty.
fn filled_in(text: &str, words: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        if let Some((name, after)) = after.split_once('}').filter(|(name, _)| Messages::is_placeholder(name)) {
            filled.push_str(words.get(name).map_or("", String::as_str));
            rest = after;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Messages, Told};
    use crate::description::Level;
    use crate::json::Pointer;
    use crate::note::Note;

    fn messages(texts: &[(&str, &str, Option<Level>)]) -> Messages {
        let texts = texts.iter().map(|(code, text, level)| ((*code).to_owned(), ((*text).to_owned(), *level)));
        Messages { texts: texts.collect::<BTreeMap<_, _>>() }
    }

    fn note() -> Note {
        Note::new(Pointer::root(), "required", "`title` is required").with("field", "title").with("key", "{field}")
    }

    #[test]
    fn placeholders_are_filled_in_once() {
        let table = [
            ("falta {field}", "falta title"),
            ("{field}{field}", "titletitle"),
            ("{key} sans {field}", "{field} sans title"),
            ("{key}", "{field}"),
            ("au plus {limit}.", "au plus ."),
            ("{{field}}", "{title}"),
            ("{", "{"),
            ("}{", "}{"),
            ("{}", "{}"),
            ("{ field }", "{ field }"),
            ("{Field} {field", "{Field} {field"),
            ("é{field}é", "étitleé"),
            ("", ""),
        ];
        for (text, told) in table {
            let messages = messages(&[("required", text, None)]);
            assert_eq!(messages.tell(&note(), None), Told { text: told.to_owned(), level: None }, "{text}");
        }
    }

    #[test]
    fn a_text_that_names_what_is_not_known_gives_way_to_the_general_one() {
        let texts = [("type", "mauvais type", None), ("type.Book", "livre {key} : {field}", None)];
        let note = Note::new(Pointer::root(), "type", "must be text").with("field", "title");
        let told = |texts, note: &Note| messages(texts).tell(note, Some("Book")).text;
        assert_eq!(told(&texts, &note), "mauvais type");
        assert_eq!(told(&texts, &note.clone().with("key", "")), "mauvais type");
        assert_eq!(told(&texts, &note.clone().with("key", "7")), "livre 7 : title");
        assert_eq!(told(&texts[1..], &note), "livre  : title", "there is no other text");
    }

    #[test]
    fn a_text_for_a_record_type_beats_the_general_one() {
        let messages = messages(&[
            ("required", "obligatoire", None),
            ("required.Book", "livre incomplet", Some(Level::Warning)),
            ("created", "créé", Some(Level::Info)),
        ]);
        let table = [
            (Some("Book"), "livre incomplet", Some(Level::Warning)),
            (Some("Shelf"), "obligatoire", None),
            (None, "obligatoire", None),
        ];
        for (record, text, level) in table {
            assert_eq!(messages.tell(&note(), record), Told { text: text.to_owned(), level }, "{record:?}");
        }
    }

    #[test]
    fn without_a_text_a_note_speaks_for_itself() {
        let told = messages(&[("type", "type", Some(Level::Error))]).tell(&note(), Some("Book"));
        assert_eq!(told, Told { text: "`title` is required".to_owned(), level: None });
    }
}
