//! Finds what of the stored bodies has to go: as what was sent would be cut and mapped today, so what it says of whom is
//! found. What cannot be looked at so goes as a whole where it says what only whoever is erased says.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::judge::{DEPTH_MAX, document, in_body, parted};
use super::traces::Traces;
use super::{EraseError, Erased, Erasing, Plan};
use crate::costs::Costs;
use crate::description::{Operation, RecordTypeId, Verb};
use crate::digest::Digest;
use crate::erasure::{Gap, Going, find, without};
use crate::ingest::payload::Payload;
use crate::json::{Json, Pointer};
use crate::reconcile::renamed;
use crate::record::{Record, Sent, key_alone};
use crate::store::keep::{KeptBody, Sending};

/// Bodies that are read at a time: each may be large.
const AT_A_TIME: u32 = 4;

/// What becomes of a body.
#[derive(Debug)]
pub(super) struct BodyPlan {
    id: i64,
    pub(super) deliveries: Vec<Uuid>,
    fate: Fate,
}

#[derive(Debug)]
enum Fate {
    /// This goes from it.
    Without(Vec<Pointer>),
    /// It goes.
    Drop,
    /// It cannot be told apart what it says of whom.
    Unclear,
}

/// A record of a body.
struct Found<'b> {
    of: RecordTypeId,
    key: Option<String>,
    /// Itself and its ancestors, JSON.
    document: Vec<u8>,
    /// Where it stands, and where the parts of it do.
    place: Record<'b>,
}

impl<'b> Found<'b> {
    fn cut(record: Record<'b>) -> Self {
        let document = document(&record.content.read(), &record.ancestors);
        Self { of: record.of, key: Some(record.key.clone()), document, place: record }
    }

    fn parsed(&self) -> Json<'_> {
        Json::parse(&self.document, DEPTH_MAX).unwrap_or(Json::Null)
    }
}

impl Erasing<'_> {
    /// Looks at all bodies.
    pub(super) async fn look_at_bodies(&self, traces: &mut Traces) -> Result<Vec<BodyPlan>, EraseError> {
        let mut plans = Vec::new();
        let mut after = i64::MIN;
        loop {
            let bodies = self.keeper.kept_bodies(&self.connection, after, AT_A_TIME).await?;
            let Some(last) = bodies.last() else { return Ok(plans) };
            after = last.id;
            for body in &bodies {
                if let Some(fate) = self.fate(body, traces)? {
                    let deliveries = body.deliveries.iter().map(|sending| sending.delivery).collect();
                    plans.push(BodyPlan { id: body.id, deliveries, fate });
                }
            }
        }
    }

    fn fate(&self, body: &KeptBody, traces: &mut Traces) -> Result<Option<Fate>, EraseError> {
        let mut gone = BTreeSet::new();
        let mut operations: Vec<_> = body.deliveries.iter().collect();
        operations.dedup_by_key(|sending| sending.operation.clone());
        for sending in operations {
            let Some(operation) = self.read_by(sending) else { return Ok(Some(Fate::Unclear)) };
            let (limits, types) = (&self.ingest.limits, &self.loaded.partner.records);
            let setting = Digest::of(b"");
            let read =
                Payload::read(operation, &self.sender.options, types, setting, limits, &body.bytes, &Costs::default());
            let Ok((payload, _)) = read else { return Ok(Some(Fate::Unclear)) };
            gone.extend(self.gone_from(&self.found(payload), traces)?);
        }
        Ok(match gone.first() {
            None => None,
            Some(first) if *first == Pointer::root() => Some(Fate::Drop),
            Some(_) => Some(Fate::Without(gone.into_iter().collect())),
        })
    }

    /// The operation that a body was sent by, if its records can be found.
    fn read_by(&self, sending: &Sending) -> Option<&Operation> {
        let partner = &self.loaded.partner;
        let among_operators = || partner.operator.iter().find(|operation| operation.id == sending.operation);
        let operation = partner.operation(&sending.operation).or_else(among_operators)?;
        let has_records = matches!(operation.verb, Verb::Snapshot { .. } | Verb::Merge { .. });
        (has_records && sending.content_encoding.is_none()).then_some(operation)
    }

    fn found<'b>(&self, payload: Payload<'b>) -> Vec<Found<'b>> {
        match payload {
            Payload::Whole(cut) => cut.records.into_iter().map(Found::cut).collect(),
            Payload::OneByOne { sent, .. } => sent.into_iter().map(|sent| self.found_alone(sent)).collect(),
        }
    }

    fn found_alone<'b>(&self, sent: Sent) -> Found<'b> {
        let depth_max = self.ingest.limits.json_depth_max;
        let parsed = |bytes| Json::parse(bytes, depth_max).unwrap_or(Json::Null);
        let of = &self.loaded.partner.records[usize::from(sent.of.0)];
        let body = sent.body.read();
        let body = renamed(of, &parsed(&body));
        let key = key_alone(of, &parsed(&body));
        let place = Record::alone(sent.of, String::new(), Json::Null, sent.pointer, Digest::of(b""));
        Found { of: sent.of, key, document: document(&body, b"{}"), place: place.with_sorted(sent.sorted) }
    }

    /// What of a body has to go, by place.
    fn gone_from(&self, found: &[Found<'_>], traces: &mut Traces) -> Result<Vec<Pointer>, EraseError> {
        let documents: Vec<_> = found.iter().map(Found::parsed).collect();
        let all: Vec<_> = found.iter().map(|found| found.of).zip(&documents).collect();
        let verdicts = self.judge(traces).verdicts_of(&all)?;
        let mut gone = Vec::new();
        for ((found, document), verdict) in found.iter().zip(&documents).zip(verdicts) {
            let name = &self.loaded.partner.records[usize::from(found.of.0)].name;
            let is_named = found.key.as_ref().is_some_and(|key| traces.has_record(name, key));
            if !is_named && !verdict.speaks {
                continue;
            }
            let judge = self.judge(traces);
            let going = if is_named { Going::Whole } else { judge.going(found.of, document)? };
            match going {
                Going::Whole => {
                    gone.push(found.place.pointer.clone());
                    traces.add_record(name, found.key.as_deref().unwrap_or_default(), parted(document).0);
                }
                Going::Parts(parts) => {
                    for part in parts.iter().filter_map(|part| find(document, part)) {
                        traces.add_part(part);
                    }
                    gone.extend(parts.iter().filter_map(in_body).map(|part| found.place.place(&part)));
                }
            }
        }
        Ok(gone)
    }

    /// Decides on what could not be told apart, now that it is known what only whoever is erased says.
    pub(super) async fn settle_unclear(&self, plan: &mut Plan, traces: &Traces) -> Result<(), EraseError> {
        let mut settled = Vec::new();
        for mut body in std::mem::take(&mut plan.bodies) {
            if matches!(body.fate, Fate::Unclear) {
                let kept = self.keeper.kept_bodies(&self.connection, body.id - 1, 1).await?;
                if !kept.first().is_some_and(|kept| kept.id == body.id && traces.mentions(&kept.bytes)) {
                    continue;
                }
                body.fate = Fate::Drop;
            }
            settled.push(body);
        }
        plan.bodies = settled;
        Ok(())
    }

    /// Rewrites and drops bodies, unless it is only asked what would be.
    pub(super) async fn bodies(
        &self,
        plan: &Plan,
        erased: &mut Erased,
        at: Option<Timestamp>,
    ) -> Result<(), EraseError> {
        for body in &plan.bodies {
            let bytes = match &body.fate {
                Fate::Without(gone) => {
                    erased.bodies_rewritten.extend(&body.deliveries);
                    self.rewritten(body.id, gone).await?
                }
                Fate::Drop | Fate::Unclear => {
                    erased.bodies_dropped.extend(&body.deliveries);
                    None
                }
            };
            if let Some(at) = at {
                self.keeper.rewrite_body(&self.connection, body.id, bytes.as_deref(), at).await?;
            }
        }
        Ok(())
    }

    async fn rewritten(&self, id: i64, gone: &[Pointer]) -> Result<Option<Vec<u8>>, EraseError> {
        let kept = self.keeper.kept_bodies(&self.connection, id - 1, 1).await?;
        let Some(kept) = kept.first().filter(|kept| kept.id == id) else { return Ok(None) };
        let json = Json::parse(&kept.bytes, self.ingest.limits.json_depth_max).ok();
        Ok(json.map(|json| without(&json, gone).0.to_bytes()))
    }
}

impl BodyPlan {
    /// What went from the bodies of its deliveries.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let Fate::Without(gone) = &self.fate else { return Vec::new() };
        let is_item = |at: &Pointer| at.steps().last().is_some_and(|step| step.parse::<usize>().is_ok());
        gone.iter().map(|at| Gap { at: at.clone(), is_item: is_item(at) }).collect()
    }

    /// Whether nothing is left of them.
    pub(super) fn is_dropped(&self) -> bool {
        matches!(self.fate, Fate::Drop)
    }
}
