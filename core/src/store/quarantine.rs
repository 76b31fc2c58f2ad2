//! Turns what a log told of a record that waits into what it tells when that has waited too long.

use crate::delivery::Outcome;
use crate::json::Pointer;
use crate::note::Note;

/// What was told, with the note that the record waits turned into one that it waited too long.
pub(super) fn quarantined(pointer: Pointer, mut told: Vec<Note>, for_what: &str) -> Vec<Note> {
    let (parked, quarantined) = (Outcome::Parked.word(), Outcome::Quarantined.word());
    let waits = told.extract_if(.., |note| note.code == parked).next();
    let note = waits.unwrap_or(Note { pointer, ..Note::default() });
    let message = format!("has waited too long for {for_what}");
    told.insert(0, Note { code: quarantined.to_owned(), message, ..note });
    told
}
