//! Turns samples of what a partner sends into what of it gets lost: members that the description knows and nothing depends
//! on, and members that it does not know. None is dropped (all are kept with the record), but no reader ever sees them. Beside
//! that, the words of its lists that never came, and how often there was one that is in no list.
//!
//! Nobody has to declare what a mapper reads: each value of each sample is changed or left out, and the record is mapped again.

mod stored;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rollcall_core::json::Pointer;
use serde::{Deserialize, Serialize};

pub use self::stored::of_stored;
use crate::preview::{PreviewError, Previewer};

/// What the note about a member that the description does not know is called.
const UNKNOWN: &str = "unknown-property";

/// What the note about a word that is in no list is called.
const UNLISTED: &str = "enum";

/// What gets lost of samples.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Losses {
    /// Payloads that were looked at.
    pub payloads: usize,
    /// Payloads that were not, because they were too large, or cannot be read.
    pub left_out: usize,
    /// Records whose values were tried.
    pub records: usize,
    /// Members that the description knows and no result depends on.
    pub unused: Vec<Loss>,
    /// Members that the description does not know.
    pub unknown: Vec<Loss>,
    /// Members whose words the description lists.
    pub words: Vec<Words>,
    /// Where there was a word that it does not list, so that the record or all of the payload was rejected.
    pub unlisted: Vec<Loss>,
    /// Values that were not tried, because their record has more than `places_per_record_max`.
    pub untried: usize,
}

/// A member that gets lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Where it stands: in a record type (`Section/students/*/seat`), or in the whole payload if it is unknown.
    pub member: String,
    /// How often it was there.
    #[serde(flatten)]
    pub seen: Seen,
}

/// A member whose words the description lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Where it stands.
    pub member: String,
    /// The words that came.
    pub came: BTreeMap<String, Seen>,
    /// The words that never did.
    pub never: Vec<String>,
}

/// How often something was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// How often.
    #[serde(rename = "seen")]
    pub times: usize,
    /// When it was sent for the first time, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// When it was sent for the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
}

/// What was found in the samples so far.
#[derive(Debug)]
pub struct Samples {
    /// Records of each type whose values are tried.
    records_max: usize,
    payloads: usize,
    left_out: usize,
    records: BTreeMap<String, usize>,
    untried: usize,
    known: BTreeMap<String, Tally>,
    unknown: BTreeMap<String, Seen>,
    words: BTreeMap<String, Listed>,
    unlisted: BTreeMap<String, Seen>,
}

#[derive(Debug, Default)]
struct Tally {
    seen: Seen,
    used: usize,
}

/// The words of one member.
#[derive(Debug, Default)]
struct Listed {
    all: Vec<String>,
    came: BTreeMap<String, Seen>,
}

impl Seen {
    fn add(&mut self, at: Option<Timestamp>) {
        self.times += 1;
        self.first_seen = self.first_seen.into_iter().chain(at).min();
        self.last_seen = self.last_seen.into_iter().chain(at).max();
    }
}

impl Samples {
    /// None yet; of each type, the values of so many records will be tried.
    pub fn new(records_max: usize) -> Self {
        Self {
            records_max,
            payloads: 0,
            left_out: 0,
            records: BTreeMap::new(),
            untried: 0,
            known: BTreeMap::new(),
            unknown: BTreeMap::new(),
            words: BTreeMap::new(),
            unlisted: BTreeMap::new(),
        }
    }

    /// Looks at one more payload, which was sent `at` some time.
    pub fn add(
        &mut self,
        previewer: &Previewer<'_>,
        before: Option<&[u8]>,
        body: &[u8],
        at: Option<Timestamp>,
    ) -> Result<(), PreviewError> {
        let preview = previewer.preview(before, body)?;
        for note in preview.rejections.iter().filter(|note| note.code == UNLISTED) {
            self.unlisted.entry(general(&note.pointer)).or_default().add(at);
        }
        let notes = preview.warnings.into_iter();
        let unknown: BTreeSet<_> =
            notes.filter(|note| note.code == UNKNOWN).map(|note| general(&note.pointer)).collect();
        self.rely(previewer, before, body, &unknown, at)?;
        for place in unknown {
            self.unknown.entry(place).or_default().add(at);
        }
        for (member, word, all) in previewer.words(before, body)? {
            let listed = self.words.entry(member).or_default();
            all.clone_into(&mut listed.all);
            listed.came.entry(word).or_default().add(at);
        }
        self.payloads += 1;
        Ok(())
    }

    /// There is one that cannot be looked at.
    pub fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Finds out what nothing depends on.
    fn rely(
        &mut self,
        previewer: &Previewer<'_>,
        before: Option<&[u8]>,
        body: &[u8],
        unknown: &BTreeSet<String>,
        at: Option<Timestamp>,
    ) -> Result<(), PreviewError> {
        let is_unknown = |place: &str| {
            unknown.iter().any(|one| {
                place.strip_prefix(one.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let (records, most) = (&mut self.records, self.records_max);
        let is_tried = |name: &str| {
            let tried = records.entry(name.to_owned()).or_default();
            let is_tried = *tried < most;
            *tried += usize::from(is_tried);
            is_tried
        };
        for one in previewer.reliances(before, body, is_tried)? {
            self.untried += one.reliance.untried;
            for place in one.reliance.body {
                let inside = general(&place.pointer);
                if is_unknown(&format!("{}{inside}", general(&one.pointer))) {
                    continue;
                }
                let tally = self.known.entry(format!("{}{inside}", one.record)).or_default();
                tally.seen.add(at);
                tally.used += usize::from(!place.effects.is_empty());
            }
        }
        Ok(())
    }

    /// What gets lost of all of them.
    pub fn losses(self) -> Losses {
        let lost = |(member, seen): (String, Seen)| Loss { member, seen };
        let unused = self.known.into_iter().filter(|(_, tally)| tally.used == 0);
        let words = self.words.into_iter().map(|(member, Listed { all, came })| Words {
            member,
            never: all.into_iter().filter(|word| !came.contains_key(word)).collect(),
            came,
        });
        Losses {
            payloads: self.payloads,
            left_out: self.left_out,
            records: self.records.into_values().sum(),
            unused: unused.map(|(member, tally)| Loss { member, seen: tally.seen }).collect(),
            unknown: self.unknown.into_iter().map(lost).collect(),
            words: words.collect(),
            unlisted: self.unlisted.into_iter().map(lost).collect(),
            untried: self.untried,
        }
    }
}

/// The place in any item of its lists: `/students/*/seat`.
fn general(pointer: &Pointer) -> String {
    let mut general = String::new();
    for step in pointer.steps() {
        general.push('/');
        let is_index = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        general.push_str(if is_index { "*" } else { &step });
    }
    general
}
