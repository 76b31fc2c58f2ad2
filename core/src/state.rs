//! What is stored of a connection, as one delivery sees it: which records there are, not what they say.

use std::collections::{BTreeSet, HashMap};

use crate::description::{RecordType, RecordTypeId};
use crate::digest::Digest;
use crate::fold::Rank;
use crate::store::{Gone, HeldRecord, RecordId};

/// The stored records of a connection: all of them, or those that a call looked at.
#[derive(Debug, Clone)]
pub struct State {
    records: Vec<HeldRecord>,
    /// Names of the record types, by their ids.
    names: Vec<String>,
    /// Where in `records` a record stands, by type and key.
    by_key: HashMap<(RecordTypeId, String), usize>,
    by_id: HashMap<RecordId, usize>,
    /// Since when records are gone, where their partner tells.
    gone: HashMap<(RecordTypeId, String), i64>,
}

impl State {
    /// These records, of a partner's record types.
    pub fn new(records: Vec<HeldRecord>, types: &[RecordType]) -> Self {
        Self::of(records, types.iter().map(|record_type| record_type.name.clone()).collect())
    }

    fn of(records: Vec<HeldRecord>, names: Vec<String>) -> Self {
        let by_key = records.iter().enumerate().map(|(at, held)| ((held.of, held.key.clone()), at)).collect();
        let by_id = records.iter().enumerate().map(|(at, held)| (held.id, at)).collect();
        Self { records, names, by_key, by_id, gone: HashMap::new() }
    }

    /// The same, knowing which records are gone since when.
    #[must_use]
    pub fn with_gone(self, gone: Vec<Gone>) -> Self {
        let gone = gone.into_iter().map(|gone| ((gone.of, gone.key), gone.as_of)).collect();
        Self { gone, ..self }
    }

    /// The same, with more records in it.
    #[must_use]
    pub fn with(&self, more: Vec<HeldRecord>) -> Self {
        let more = more.into_iter().filter(|held| !self.by_id.contains_key(&held.id));
        let all = self.records.iter().cloned().chain(more).collect();
        Self { gone: self.gone.clone(), ..Self::of(all, self.names.clone()) }
    }

    /// Since when a record is gone, in microseconds since 1970, if its partner told.
    pub fn gone(&self, of: RecordTypeId, key: &str) -> Option<i64> {
        self.gone.get(&(of, key.to_owned())).copied()
    }

    /// The records, in no particular order.
    pub fn records(&self) -> &[HeldRecord] {
        &self.records
    }

    /// The record with this key.
    pub fn get(&self, of: RecordTypeId, key: &str) -> Option<&HeldRecord> {
        self.by_key.get(&(of, key.to_owned())).map(|at| &self.records[*at])
    }

    /// The record with this number.
    pub fn held(&self, record: RecordId) -> Option<&HeldRecord> {
        self.by_id.get(&record).map(|at| &self.records[*at])
    }

    /// The type and number of a record.
    pub fn find(&self, record: RecordId) -> Option<(RecordTypeId, RecordId)> {
        self.by_id.get(&record).map(|at| (self.records[*at].of, record))
    }

    /// The place of each record among those that speak of one entity.
    pub fn ranks(&self) -> impl Iterator<Item = (RecordId, Rank<'_>)> {
        self.records.iter().map(|held| (held.id, self.rank(held)))
    }

    /// The place of a record among those that speak of one entity.
    pub fn rank<'s>(&'s self, held: &'s HeldRecord) -> Rank<'s> {
        Rank { of: self.names.get(usize::from(held.of.0)).map_or("", String::as_str), key: &held.key }
    }

    /// A digest of all records and what they were when they were last mapped well. Whoever changes a record, adds or
    /// deletes one, changes it.
    pub fn digest(&self) -> Digest {
        digest(self.records.iter().map(|held| (self.rank(held), held.digest)))
    }

    /// The same when the records that are `changed` are `put`, each with what it is when it was mapped well, or gone.
    pub fn digest_after<'s>(
        &'s self,
        changed: &BTreeSet<RecordId>,
        put: impl Iterator<Item = (Rank<'s>, Option<Digest>)>,
    ) -> Digest {
        let kept = self.records.iter().filter(|held| !changed.contains(&held.id));
        digest(kept.map(|held| (self.rank(held), held.digest)).chain(put))
    }

    /// Whether a record has still to be mapped that is not one of `changed`.
    pub fn has_open_records(&self, changed: &BTreeSet<RecordId>) -> bool {
        self.records.iter().any(|held| held.digest.is_none() && !changed.contains(&held.id))
    }
}

/// A digest of records: their places, and what they were when they were last mapped well.
fn digest<'r>(records: impl Iterator<Item = (Rank<'r>, Option<Digest>)>) -> Digest {
    let mut all: Vec<_> = records.collect();
    all.sort_unstable();
    let parts = all.iter().flat_map(|(rank, digest)| {
        let digest = digest.as_ref().map_or(&[][..], |digest| digest.as_bytes());
        [rank.of.as_bytes(), rank.key.as_bytes(), digest]
    });
    Digest::of_parts(parts)
}
