//! Compares what is there of a connection with what was folded again: records by type and key, and the entities that follow
//! from them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{IngestError, Rebuild};
use crate::description::RecordTypeId;
use crate::ingest::Ingest;
use crate::store::{Connection, HeldRecord, RecordId, StoreError};

/// Records that are read at a time.
const AT_A_TIME: usize = 500;

/// What is different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// By the record type's name; where nothing is different, there is none.
    pub records: BTreeMap<String, Different>,
    /// By the kind's name; where nothing is different, there is none.
    pub entities: BTreeMap<String, Different>,
}

/// How many of one sort are different, and which, as far as the limit goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Different {
    /// There, and not among what was folded.
    pub too_many: u64,
    /// Folded, and not there.
    pub missing: u64,
    /// There and folded, and not the same.
    pub other: u64,
    /// Which: keys of records, ids of entities.
    pub which: Vec<Value>,
}

impl Difference {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.entities.is_empty()
    }
}

/// A record that has to be put in place, or has to go.
pub(super) struct Wrong {
    pub(super) of: RecordTypeId,
    pub(super) key: String,
    /// As it is there.
    pub(super) live: Option<HeldRecord>,
    /// As it was folded.
    pub(super) folded: Option<Stored>,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) body: Vec<u8>,
    pub(super) ancestors: Vec<u8>,
    pub(super) as_of: Option<i64>,
    pub(super) waits: bool,
}

impl Rebuild<'_> {
    /// What is different between what is there and what was folded. Both must be at rest.
    pub async fn compare(&self) -> Result<Difference, IngestError> {
        let (live, scratch) = (self.connection(self.live).await?, self.connection(&self.scratch).await?);
        let most = self.live.limits.held_changes_max;
        let mut difference = Difference::default();
        for wrong in self.wrong(&live, &scratch).await? {
            let name = &self.loaded.partner.records[usize::from(wrong.of.0)].name;
            let different = difference.records.entry(name.clone()).or_default();
            let (is_there, is_folded) = (wrong.live.is_some(), wrong.folded.is_some());
            different.add(is_there, is_folded, || serde_json::from_str(&wrong.key).unwrap_or_default(), most);
        }
        self.entities(&live, &scratch, &mut difference, most).await?;
        Ok(difference)
    }

    /// The records that are not as they were folded.
    pub(super) async fn wrong(&self, live: &Connection, scratch: &Connection) -> Result<Vec<Wrong>, StoreError> {
        let mut wrong = Vec::new();
        let mut there = by_key(self.live.store.held_records(live, &self.loaded.partner).await?);
        let folded = by_key(self.scratch.store.held_records(scratch, &self.loaded.partner).await?);
        let folded: Vec<_> = folded.into_values().collect();
        for of_one_type in folded.chunk_by(|one, other| one.of == other.of) {
            for some in of_one_type.chunks(AT_A_TIME) {
                let found = self.stored(&self.scratch, scratch, some).await?;
                let counterparts: Vec<_> = some.iter().map(|held| there.remove(&(held.of, held.key.clone()))).collect();
                let known: Vec<_> = counterparts.iter().flatten().cloned().collect();
                let mut known = self.stored(self.live, live, &known).await?.into_iter();
                for ((held, folded), live) in some.iter().zip(found).zip(counterparts) {
                    let is_same = live.is_some() && known.next().as_ref() == Some(&folded);
                    if !is_same {
                        wrong.push(Wrong { of: held.of, key: held.key.clone(), live, folded: Some(folded) });
                    }
                }
            }
        }
        let left = there.into_iter();
        wrong.extend(left.map(|((of, key), held)| Wrong { of, key, live: Some(held), folded: None }));
        Ok(wrong)
    }

    /// What records of one type say.
    async fn stored(
        &self,
        ingest: &Ingest,
        connection: &Connection,
        held: &[HeldRecord],
    ) -> Result<Vec<Stored>, StoreError> {
        let Some(first) = held.first() else { return Ok(Vec::new()) };
        let (store, partner, of) = (&ingest.store, &self.loaded.partner, first.of);
        let ids: Vec<RecordId> = held.iter().map(|held| held.id).collect();
        let bodies = store.bodies(connection, partner, of, &ids).await?;
        let ancestors = store.keeper().ancestors(connection, partner, of, &ids).await?;
        let all = held.iter().zip(bodies).zip(ancestors);
        let stored = |((held, body), ancestors): ((&HeldRecord, _), _)| Stored {
            body,
            ancestors,
            as_of: held.as_of,
            waits: held.waits,
        };
        Ok(all.map(stored).collect())
    }

    async fn entities(
        &self,
        live: &Connection,
        scratch: &Connection,
        difference: &mut Difference,
        most: usize,
    ) -> Result<(), StoreError> {
        let canonical = &self.live.canonical;
        let mut ids = self.live.store.keeper().entity_ids(live, canonical).await?;
        ids.extend(self.scratch.store.keeper().entity_ids(scratch, canonical).await?);
        ids.sort_unstable();
        ids.dedup();
        for some in ids.chunks(AT_A_TIME) {
            let there = self.live.store.held_entities(live, canonical, some).await?;
            let folded = self.scratch.store.held_entities(scratch, canonical, some).await?;
            for ((kind, id), (there, folded)) in some.iter().zip(there.into_iter().zip(folded)) {
                let digest =
                    |held: Option<crate::store::HeldEntity>| held.filter(|held| held.active).map(|held| held.digest);
                let (there, folded) = (digest(there), digest(folded));
                if there != folded {
                    let different = difference.entities.entry(canonical.kind(*kind).name.clone()).or_default();
                    different.add(there.is_some(), folded.is_some(), || Value::String(id.to_string()), most);
                }
            }
        }
        Ok(())
    }
}

impl Different {
    fn add(&mut self, is_there: bool, is_folded: bool, which: impl FnOnce() -> Value, most: usize) {
        match (is_there, is_folded) {
            (true, false) => self.too_many += 1,
            (false, true) => self.missing += 1,
            _ => self.other += 1,
        }
        if self.which.len() < most {
            self.which.push(which());
        }
    }
}

fn by_key(records: Vec<HeldRecord>) -> BTreeMap<(RecordTypeId, String), HeldRecord> {
    records.into_iter().map(|held| ((held.of, held.key.clone()), held)).collect()
}
