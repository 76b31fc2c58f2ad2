//! What is known of whoever is to be erased: whom to look for, and what nobody else says.

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use crate::canonical::{Canonical, KindId};
use crate::erasure::{Marks, Saying, each};
use crate::identity::Namespace;
use crate::json::Json;
use crate::map::Contribution;
use crate::note::shown;
use crate::reference::Seen;

/// Levels of nesting in what is looked at: it was checked when it came.
const DEPTH_MAX: u32 = 256;

/// Characters of the shortest text that is looked for where nothing tells what it means.
const DISTINCT_CHARS_MIN: usize = 4;

/// Characters of the shortest text that is looked for inside of others.
const INSIDE_CHARS_MIN: usize = 6;

/// What is known of whoever is to be erased.
#[derive(Debug)]
pub(super) struct Traces {
    marks: Marks,
    /// How many marks were added on the way.
    added: usize,
    /// Records that go as a whole: type and key.
    records: BTreeSet<(String, String)>,
    /// The same keys as notes show them.
    shown: HashSet<String>,
    /// Texts of what goes; in the end those that nothing else says.
    texts: HashSet<String>,
    /// Entities that only what goes speaks of.
    retired: BTreeSet<Uuid>,
}

impl Traces {
    pub(super) fn new(marks: Marks) -> Self {
        Self {
            marks,
            added: 0,
            records: BTreeSet::new(),
            shown: HashSet::new(),
            texts: HashSet::new(),
            retired: BTreeSet::new(),
        }
    }

    /// Grows as long as more is found.
    pub(super) fn marked(&self) -> usize {
        self.added
    }

    pub(super) fn has_entity(&self, kind: &str, id: Uuid) -> bool {
        self.marks.has(self.marks.entity(kind, id))
    }

    pub(super) fn has_record(&self, of: &str, key: &str) -> bool {
        self.marks.has(self.marks.record(of, key))
    }

    pub(super) fn has_text(&self, text: &str) -> bool {
        self.marks.has(self.marks.text(text))
    }

    pub(super) fn has_object(&self, json: &[u8]) -> bool {
        self.marks.has(self.marks.object(json))
    }

    /// Whether contributions are about, or refer to, someone who is marked.
    pub(super) fn has_any(&self, said: &[Contribution], canonical: &Canonical, namespace: Namespace) -> bool {
        let has = |kind: KindId, source_id: &str| {
            let name = &canonical.kind(kind).name;
            self.has_entity(name, namespace.sourced_id(name, source_id))
        };
        let mut seen = Seen::default();
        let mut refers = false;
        said.iter().any(|contribution| {
            seen.each_new(contribution, canonical, &mut |kind, id| refers |= has(kind, id));
            has(contribution.kind, &contribution.source_id) || refers
        })
    }

    /// A record goes as a whole: whatever refers to it speaks of whom it was about.
    pub(super) fn add_record(&mut self, of: &str, key: &str, body: &Json<'_>) {
        self.added += usize::from(self.marks.add(self.marks.record(of, key)));
        self.records.insert((of.to_owned(), key.to_owned()));
        self.shown.insert(shown(key));
        self.add_texts(body);
    }

    /// Part of a record goes.
    pub(super) fn add_part(&mut self, json: &Json<'_>) {
        if let Json::Object(_) = json {
            self.added += usize::from(self.marks.add(self.marks.object(&json.to_bytes())));
        }
        self.add_texts(json);
    }

    fn add_texts(&mut self, json: &Json<'_>) {
        each(json, &mut |saying| {
            if let Saying::Text(text) = saying
                && text.chars().count() >= DISTINCT_CHARS_MIN
            {
                self.texts.insert(text.to_owned());
            }
        });
    }

    /// Somebody else says this too.
    pub(super) fn drop_texts(&mut self, json: &Json<'_>) {
        each(json, &mut |saying| {
            if let Saying::Text(text) = saying {
                self.texts.remove(text);
            }
        });
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (&str, &str)> {
        self.records.iter().map(|(of, key)| (of.as_str(), key.as_str()))
    }

    pub(super) fn retire(&mut self, entities: impl IntoIterator<Item = Uuid>) {
        self.retired.extend(entities);
    }

    pub(super) fn retired(&self) -> impl Iterator<Item = Uuid> {
        self.retired.iter().copied()
    }

    /// Whether a word of a note names what goes.
    pub(super) fn is_named(&self, word: &str) -> bool {
        self.shown.contains(word) || self.is_trace(word)
    }

    /// Whether a document, of which nothing is known, says what only what goes says.
    pub(super) fn mentions(&self, bytes: &[u8]) -> bool {
        match Json::parse(bytes, DEPTH_MAX) {
            Ok(json) => {
                let mut found = false;
                each(&json, &mut |saying| {
                    found |= match saying {
                        Saying::Text(text) => self.is_trace(text),
                        Saying::Item(json) => self.has_object(&json),
                    };
                });
                found
            }
            Err(_) => self.is_trace(&String::from_utf8_lossy(bytes)),
        }
    }

    fn is_trace(&self, text: &str) -> bool {
        let long = |trace: &&String| trace.chars().count() >= INSIDE_CHARS_MIN;
        self.texts.contains(text)
            || self.has_text(text)
            || self.texts.iter().filter(long).any(|trace| text.contains(trace.as_str()))
    }
}
