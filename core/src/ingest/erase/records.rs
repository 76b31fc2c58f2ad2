//! Finds the stored records that speak of whoever is to be erased, and what is left of each.

use super::judge::{DEPTH_MAX, document, parted};
use super::traces::Traces;
use super::{EraseError, Erasing, Loaded, Plan};
use crate::description::RecordTypeId;
use crate::digest::Digest;
use crate::erasure::{Going, find, without};
use crate::identity::Namespace;
use crate::json::Json;
use crate::limits::Limits;
use crate::map::{Contribution, decode};
use crate::reconcile::{Gone, Reconciled, Resulting};
use crate::record::Record;
use crate::store::{HeldRecord, RecordId, StoreError};

/// Records that are read at a time.
const AT_A_TIME: usize = 500;

/// What becomes of a record.
#[derive(Debug)]
pub(super) struct RecordPlan {
    pub(super) of: RecordTypeId,
    id: RecordId,
    key: String,
    as_of: Option<i64>,
    /// What is left of its body and of its ancestors, canonical JSON; `None` if it goes.
    pub(super) left: Option<(Vec<u8>, Vec<u8>)>,
}

/// A record as it is stored.
struct Stored {
    held: HeldRecord,
    body: Vec<u8>,
    ancestors: Vec<u8>,
    contributions: Vec<u8>,
}

impl Stored {
    /// Itself and its ancestors, JSON.
    fn document(&self) -> Vec<u8> {
        document(&self.body, &self.ancestors)
    }
}

impl Erasing<'_> {
    /// Looks at all records.
    pub(super) async fn look_at_records(&self, traces: &mut Traces) -> Result<Vec<RecordPlan>, EraseError> {
        let mut plans = Vec::new();
        let held = self.ingest.store.held_records(&self.connection, &self.loaded.partner).await?;
        for of_one_type in held.chunk_by(|one, other| one.of == other.of) {
            for some in of_one_type.chunks(AT_A_TIME) {
                for stored in self.stored(some).await? {
                    plans.extend(self.look_at_record(&stored, traces)?);
                }
            }
        }
        Ok(plans)
    }

    /// Records of one type, with what they say.
    async fn stored(&self, held: &[HeldRecord]) -> Result<Vec<Stored>, StoreError> {
        let Some(first) = held.first() else { return Ok(Vec::new()) };
        let (store, partner, of) = (&self.ingest.store, &self.loaded.partner, first.of);
        let ids: Vec<_> = held.iter().map(|held| held.id).collect();
        let named: Vec<_> = ids.iter().map(|id| (of, *id)).collect();
        let bodies = store.bodies(&self.connection, partner, of, &ids).await?;
        let ancestors = self.keeper.ancestors(&self.connection, partner, of, &ids).await?;
        let contributions = store.contributions(&self.connection, partner, &named).await?;
        let all = held.iter().zip(bodies).zip(ancestors).zip(contributions);
        let stored = |(((held, body), ancestors), contributions): (((&HeldRecord, _), _), _)| Stored {
            held: held.clone(),
            body,
            ancestors,
            contributions,
        };
        Ok(all.map(stored).collect())
    }

    fn look_at_record(&self, stored: &Stored, traces: &mut Traces) -> Result<Option<RecordPlan>, EraseError> {
        let held = &stored.held;
        let name = &self.loaded.partner.records[usize::from(held.of.0)].name;
        let document = stored.document();
        let document = Json::parse(&document, DEPTH_MAX).unwrap_or(Json::Null);
        let said = self.said(stored)?;
        let is_named = traces.has_record(name, &held.key);
        let judge = self.judge(traces);
        if !is_named && !judge.is_said(&said) && !judge.unmapped(held.of, &document).speaks {
            return Ok(None);
        }
        // What waits was not mapped: nobody can say what would be left of it.
        let is_whole = is_named || held.waits;
        let going = if is_whole { Going::Whole } else { judge.going(held.of, &document)? };
        let left = match going {
            Going::Whole => {
                traces.add_record(name, &held.key, parted(&document).0);
                let namespace = Namespace::of(&self.sender.tenant, &self.sender.connection);
                let canonical = &self.ingest.canonical;
                let id = |it: &Contribution| namespace.sourced_id(&canonical.kind(it.kind).name, &it.source_id);
                traces.retire(said.iter().map(id));
                None
            }
            Going::Parts(parts) => {
                for part in parts.iter().filter_map(|part| find(&document, part)) {
                    traces.add_part(part);
                }
                let left = without(&document, &parts).0;
                let (body, ancestors) = parted(&left);
                Some((body.to_bytes(), ancestors.to_bytes()))
            }
        };
        Ok(Some(RecordPlan { of: held.of, id: held.id, key: held.key.clone(), as_of: held.as_of, left }))
    }

    fn said(&self, stored: &Stored) -> Result<Vec<Contribution>, StoreError> {
        if stored.contributions.is_empty() {
            return Ok(Vec::new());
        }
        decode(&stored.contributions, &self.ingest.canonical)
            .map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    /// Leaves of the texts that go only those that nobody else says.
    pub(super) async fn keep_distinct(&self, plan: &Plan, traces: &mut Traces) -> Result<(), EraseError> {
        let planned: std::collections::BTreeMap<_, _> = plan.records.iter().map(|plan| (plan.id, plan)).collect();
        let held = self.ingest.store.held_records(&self.connection, &self.loaded.partner).await?;
        for of_one_type in held.chunk_by(|one, other| one.of == other.of) {
            for some in of_one_type.chunks(AT_A_TIME) {
                for stored in self.stored(some).await? {
                    let document = match planned.get(&stored.held.id).map(|plan| &plan.left) {
                        None => stored.document(),
                        Some(Some((body, ancestors))) => document(body, ancestors),
                        Some(None) => continue,
                    };
                    traces.drop_texts(&Json::parse(&document, DEPTH_MAX).unwrap_or(Json::Null));
                }
            }
        }
        Ok(())
    }
}

/// The records that change, ready for the stages.
pub(super) struct Prepared<'p> {
    plans: &'p [RecordPlan],
    loaded: &'p Loaded,
    setting: Digest,
    depth_max: u32,
    reconciled: Reconciled,
}

impl<'p> Prepared<'p> {
    pub(super) fn new(plans: &'p [RecordPlan], loaded: &'p Loaded, setting: Digest, limits: &Limits) -> Self {
        let mut reconciled = Reconciled::default();
        for plan in plans {
            let (of, key) = (plan.of, plan.key.clone());
            match &plan.left {
                Some((body, _)) => reconciled.present.push(Resulting {
                    of,
                    key,
                    body: body.clone().into(),
                    pointer: None,
                    as_of: plan.as_of,
                    waits: None,
                    entry: None,
                    sorted: Vec::new(),
                }),
                None => reconciled.gone.push(Gone { of, id: plan.id, body: Vec::new(), key, as_of: None }),
            }
        }
        Self { plans, loaded, setting, depth_max: limits.json_depth_max, reconciled }
    }

    /// What results, and the records that are left.
    pub(super) fn stages(&self) -> (&Reconciled, Vec<Record<'_>>) {
        let left = self.plans.iter().filter_map(|plan| Some((plan, plan.left.as_ref()?)));
        let records = left.map(|(plan, (body, ancestors))| {
            let of = &self.loaded.partner.records[usize::from(plan.of.0)];
            let body = Json::parse(body, self.depth_max).unwrap_or(Json::Null);
            Record::stored(plan.of, of, plan.key.clone(), body, ancestors.clone(), self.setting)
        });
        (&self.reconciled, records.collect())
    }
}
