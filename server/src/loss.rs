//! Turns samples of what a partner sends into what of it gets lost: members that the description knows and nothing depends
//! on, and members that it does not know. None is dropped (all are kept with the record), but no reader ever sees them.
//!
//! Nobody has to declare what a mapper reads: each value of each sample is changed or left out, and the record is mapped again.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::json::Pointer;
use serde::Serialize;

use crate::preview::{PreviewError, Previewer};

/// What the note about a member that the description does not know is called.
const UNKNOWN: &str = "unknown-property";

/// What gets lost of samples.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Records that were looked at.
    pub records: usize,
    /// Members that the description knows and no result depends on.
    pub unused: Vec<Loss>,
    /// Members that the description does not know.
    pub unknown: Vec<Loss>,
    /// Values that were not tried, because their record has more than `places_per_record_max`.
    pub untried: usize,
}

/// A member that gets lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Loss {
    /// Where it stands: in a record type (`Section/students/*/seat`), or in the whole payload if it is unknown.
    pub member: String,
    /// How often it was there.
    pub seen: usize,
}

/// What was found in the samples so far.
#[derive(Debug, Default)]
pub struct Samples {
    records: usize,
    untried: usize,
    known: BTreeMap<String, Tally>,
    unknown: BTreeMap<String, usize>,
}

#[derive(Debug, Default)]
struct Tally {
    seen: usize,
    used: usize,
}

impl Samples {
    /// Looks at one more payload.
    pub fn add(&mut self, previewer: &Previewer<'_>, before: Option<&[u8]>, body: &[u8]) -> Result<(), PreviewError> {
        let notes = previewer.preview(before, body)?.warnings;
        let unknown: BTreeSet<_> =
            notes.into_iter().filter(|note| note.code == UNKNOWN).map(|note| general(&note.pointer)).collect();
        let is_unknown = |place: &str| {
            unknown.iter().any(|one| {
                place.strip_prefix(one.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        for one in previewer.reliances(before, body)? {
            self.records += 1;
            self.untried += one.reliance.untried;
            for place in one.reliance.body {
                let inside = general(&place.pointer);
                if is_unknown(&format!("{}{inside}", general(&one.pointer))) {
                    continue;
                }
                let tally = self.known.entry(format!("{}{inside}", one.record)).or_default();
                tally.seen += 1;
                tally.used += usize::from(!place.effects.is_empty());
            }
        }
        for place in unknown {
            *self.unknown.entry(place).or_default() += 1;
        }
        Ok(())
    }

    /// What gets lost of all of them.
    pub fn losses(self) -> Losses {
        let unused = self.known.into_iter().filter(|(_, tally)| tally.used == 0);
        Losses {
            records: self.records,
            unused: unused.map(|(member, tally)| Loss { member, seen: tally.seen }).collect(),
            unknown: self.unknown.into_iter().map(|(member, seen)| Loss { member, seen }).collect(),
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
