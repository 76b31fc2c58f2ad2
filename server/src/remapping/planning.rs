//! Turns plans that are being made into how far they are, for those who wait for them.
//!
//! Each process tells of those that it makes itself. Nothing depends on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use uuid::Uuid;

/// The plans that are being made here.
#[derive(Debug, Default)]
pub struct Plannings(Mutex<BTreeMap<Uuid, Progress>>);

/// How far one is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The partner.
    pub partner: String,
    /// The version that is planned.
    pub version: String,
    /// Connections that are looked at in all.
    pub connections: usize,
    /// How many of these have been.
    pub looked_at: usize,
    /// The one that is looked at, `tenant/connection`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// How many of its records have been read.
    pub records: usize,
    /// Of how many.
    pub of_records: usize,
}

/// Ends with the making of a plan.
#[derive(Debug)]
pub struct Making<'p> {
    all: &'p Plannings,
    plan: Uuid,
}

impl Plannings {
    /// The plan called `plan` is being made until what is given back is dropped.
    pub fn begin(&self, plan: Uuid, partner: &str, version: &str, connections: usize) -> Making<'_> {
        let (partner, version) = (partner.to_owned(), version.to_owned());
        self.lock().insert(plan, Progress { partner, version, connections, ..Progress::default() });
        Making { all: self, plan }
    }

    /// Its next connection is looked at.
    pub fn next(&self, plan: Uuid, connection: &str) {
        self.tell(plan, |progress| {
            progress.looked_at += usize::from(progress.connection.is_some());
            progress.connection = Some(connection.to_owned());
            (progress.records, progress.of_records) = (0, 0);
        });
    }

    /// So many of that one's records have been read.
    pub fn read(&self, plan: Uuid, done: usize, all: usize) {
        self.tell(plan, |progress| (progress.records, progress.of_records) = (done, all));
    }

    /// All of them, by the ids that they will have.
    pub fn all(&self) -> BTreeMap<Uuid, Progress> {
        self.lock().clone()
    }

    fn tell(&self, plan: Uuid, tell: impl FnOnce(&mut Progress)) {
        if let Some(progress) = self.lock().get_mut(&plan) {
            tell(progress);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.plan);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Plannings, Progress};

    #[test]
    fn a_plan_is_told_of_as_long_as_it_is_being_made() {
        let all = Plannings::default();
        let making = all.begin(Uuid::nil(), "library", "a1", 2);
        all.next(Uuid::nil(), "north/school");
        all.read(Uuid::nil(), 500, 700);
        let now = Progress {
            partner: "library".to_owned(),
            version: "a1".to_owned(),
            connections: 2,
            looked_at: 0,
            connection: Some("north/school".to_owned()),
            records: 500,
            of_records: 700,
        };
        assert_eq!(all.all()[&Uuid::nil()], now);
        all.next(Uuid::nil(), "north/annex");
        let next =
            Progress { looked_at: 1, connection: Some("north/annex".to_owned()), records: 0, of_records: 0, ..now };
        assert_eq!(all.all()[&Uuid::nil()], next);
        drop(making);
        assert!(all.all().is_empty());
    }
}
