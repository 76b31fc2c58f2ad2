//! Turns bodies that are sent one after the other into the records that they come to, without a store: for whoever wants
//! to know beforehand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::payload::Payload;
use crate::costs::Costs;
use crate::delivery::{Entry, Report};
use crate::description::{Accept, Operation, Partner, RecordTypeId};
use crate::digest::Digest;
use crate::json::Json;
use crate::limits::Limits;
use crate::reconcile::{Reconciled, Resulting, Shelf, Situation, reconcile, text};
use crate::record::{Cut, Record};
use crate::rule;
use crate::state::State;
use crate::store::{HeldRecord, RecordId};

/// What a connection that had nothing holds after what was sent to it.
#[derive(Debug)]
pub struct Trial<'t> {
    partner: &'t Partner,
    options: &'t Value,
    limits: &'t Limits,
    holds: Holds<'t>,
}

#[derive(Debug)]
enum Holds<'t> {
    /// What a body that is checked as a whole was cut into.
    Whole(Cut<'t>),
    /// Records that are checked one by one, by type and key, each under a number.
    OneByOne(BTreeMap<(RecordTypeId, String), (RecordId, Resulting)>),
}

impl<'t> Trial<'t> {
    /// A connection with these options that has nothing.
    pub fn new(partner: &'t Partner, options: &'t Value, limits: &'t Limits) -> Self {
        Self { partner, options, limits, holds: Holds::OneByOne(BTreeMap::new()) }
    }

    /// Sends a body; what became of each of its records, and what looks wrong. A body that is rejected as a whole
    /// changes nothing, and the report says why.
    pub fn send(&mut self, operation: &Operation, body: &'t [u8]) -> Result<(Vec<Entry>, Report), Box<Report>> {
        let types = &self.partner.records;
        let accept = operation.verb.changes().map_or(Accept::All, |(_, accept)| accept);
        let costs = Costs::default();
        let (payload, report) = Payload::read(operation, self.options, types, setting(), self.limits, body, &costs)?;
        let (sent, as_of) = match payload {
            Payload::Whole(cut) => {
                self.holds = Holds::Whole(cut);
                return Ok((Vec::new(), report));
            }
            Payload::OneByOne { sent, as_of } => (sent, as_of),
        };
        let (state, known) = self.known();
        let situation = Situation {
            partner: self.partner,
            options: self.options,
            complete: operation.verb.complete(),
            as_of,
            now: Timestamp::UNIX_EPOCH, // decides only how long who waits may wait
            state: &state,
            shelf: &known,
            setting: setting(),
            depth_max: self.limits.json_depth_max,
            notes_max: self.limits.violations_max,
        };
        let Ok(reconciled) = reconcile(&sent, &situation) else { unreachable!("all there is stands on the shelf") };
        if accept == Accept::All && reconciled.entries.iter().any(|entry| entry.outcome.is_error()) {
            return Ok((reconciled.entries, report)); // one bad record costs all
        }
        Ok((self.take(reconciled), report))
    }

    /// Looks at the records that do not wait for others: those that are mapped.
    pub fn look<T>(&self, at: impl FnOnce(&[Record<'_>]) -> T) -> T {
        match &self.holds {
            Holds::Whole(cut) => at(&cut.records),
            Holds::OneByOne(held) => {
                let settled =
                    held.values().map(|(_, resulting)| resulting).filter(|resulting| resulting.waits.is_none());
                let types = &self.partner.records;
                let depth = self.limits.json_depth_max;
                let record =
                    |resulting| Resulting::record(resulting, &types[usize::from(resulting.of.0)], setting(), depth);
                at(&settled.map(record).collect::<Vec<_>>())
            }
        }
    }

    /// All that is held, as a store would tell it.
    fn known(&self) -> (State, Shelf) {
        let mut known = Shelf::default();
        let mut held = Vec::new();
        let types = &self.partner.records;
        for (of, description) in (0..).map(RecordTypeId).zip(types) {
            known.whole.insert(of);
            known.values.entry(of).or_default();
            let members = rule::members(&description.rules);
            for (id, resulting) in self.held().filter(|(_, resulting)| resulting.of == of) {
                let body = resulting.body.read().into_owned();
                let json = Json::parse(&body, self.limits.json_depth_max).unwrap_or(Json::Null);
                let values = members.iter().map(|member| json.get(member).and_then(text)).collect();
                known.values.entry(of).or_default().insert(id, values);
                known.bodies.insert(id, body);
                let (key, waits) = (resulting.key.clone(), resulting.waits.is_some());
                held.push(HeldRecord { id, of, key, digest: None, waits, as_of: resulting.as_of });
            }
        }
        (State::new(held, types), known)
    }

    fn held(&self) -> impl Iterator<Item = (RecordId, &Resulting)> {
        let held = match &self.holds {
            Holds::Whole(_) => None,
            Holds::OneByOne(held) => Some(held.values()),
        };
        held.into_iter().flatten().map(|(id, resulting)| (*id, resulting))
    }

    /// Holds what resulted from now on.
    fn take(&mut self, reconciled: Reconciled) -> Vec<Entry> {
        let mut held = match std::mem::replace(&mut self.holds, Holds::OneByOne(BTreeMap::new())) {
            Holds::Whole(_) => BTreeMap::new(),
            Holds::OneByOne(held) => held,
        };
        let gone: BTreeSet<_> = reconciled.gone.iter().map(|gone| gone.id).collect();
        held.retain(|_, (id, _)| !gone.contains(id));
        let mut next = held.values().map(|(id, _)| id.0 + 1).max().unwrap_or_default();
        for resulting in reconciled.present {
            let name = (resulting.of, resulting.key.clone());
            let id = held.get(&name).map_or(RecordId(next), |(id, _)| *id);
            next = next.max(id.0 + 1);
            held.insert(name, (id, resulting));
        }
        self.holds = Holds::OneByOne(held);
        reconciled.entries
    }
}

/// Nothing is skipped in a trial, so that nothing depends on what else mapping depends on.
fn setting() -> Digest {
    Digest::of(b"")
}
