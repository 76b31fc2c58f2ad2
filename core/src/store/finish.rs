//! How far what is written is when a store says that it is done: some is worth a wait of its own, other shares one.

use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;

/// How far it is when [`Store::commit`](super::Store::commit) or [`Store::conclude`](super::Store::conclude) returns.
#[derive(Debug, Clone, Copy)]
pub enum Finish<'a> {
    /// It survives a power cut.
    Synced,
    /// It survives the end of the process. The caller waits for the disk, together with others:
    /// [`Store::synced`](super::Store::synced).
    Committed,
    /// Who works on the same connection next sees it, and may become part of the same transaction. The caller lets it be
    /// committed ([`Store::committed`](super::Store::committed)), waits likewise, and looks what became of it.
    Open(&'a Fate),
}

/// What becomes of something that was left [open](Finish::Open). Known when [`Store::committed`](super::Store::committed)
/// has returned.
#[derive(Debug, Clone, Default)]
pub struct Fate(Arc<Mutex<Option<StoreError>>>);

impl Fate {
    /// Why it was lost, if it was: nothing of it is stored then. It is told once.
    pub fn lost(&self) -> Option<StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Says that it is lost.
    pub(super) fn lose(&self, why: StoreError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}
