//! Turns the records that were sent and those that are stored into the state that results, by the partner's rules.
//!
//! Pure, and the one place that knows what insert, update and delete mean, which record waits for which, and who is to
//! blame for a clash. Nothing of what is stored is read here: a reconciliation that needs to know more says what
//! ([`Needs`]), and is made again with that.
//!
//! The order of work: changes, one after the other (`change.rs`); rules, on what they come to, until nobody is left to
//! blame; references, on what is left (`settle.rs`). A record that is rejected on the way is as it was.
//!
//! To add a kind of rule: its check in `crate::rule`; a kind of change: its arm in `change.rs`.

pub(crate) mod blank;
mod change;
mod computed;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;
use serde_json::Value;

pub(crate) use self::change::renamed;
use crate::delivery::{Entry, Outcome};
use crate::description::{Partner, RecordType, RecordTypeId};
use crate::digest::Digest;
use crate::json::{Json, Pointer};
use crate::note::Note;
use crate::parcel::{self, Content, PARCEL_BYTES};
use crate::record::{Record, Sent, Sorted};
use crate::state::State;
use crate::store::{HeldRecord, RecordId};

/// Everything that a reconciliation looks at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'s> {
    /// The partner, whose record types hold the rules.
    pub partner: &'s Partner,
    /// The connection's options.
    pub options: &'s Value,
    /// The outermost record types of which the payload says everything: what is absent goes.
    pub complete: &'s [RecordTypeId],
    /// When the payload was true, in microseconds since 1970, if it says so.
    pub as_of: Option<i64>,
    /// When it is applied.
    pub now: Timestamp,
    /// Which records are stored.
    pub state: &'s State,
    /// What is known of what they say.
    pub shelf: &'s Shelf,
    /// Digest of all that mapping a record depends on beside the record.
    pub setting: Digest,
    /// Levels of nesting in a record.
    pub depth_max: u32,
    /// Notes on one record.
    pub notes_max: usize,
}

/// What is known of what stored records say.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Single records, canonical JSON.
    pub bodies: HashMap<RecordId, Vec<u8>>,
    /// Types of which all records are among the bodies.
    pub whole: BTreeSet<RecordTypeId>,
    /// What all records of a type say in the members that its rules look at ([`crate::rule::members`]).
    pub values: BTreeMap<RecordTypeId, HashMap<RecordId, Vec<Option<String>>>>,
}

/// What more has to be known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// What these records say.
    pub bodies: BTreeSet<(RecordTypeId, RecordId)>,
    /// What all records of these types say.
    pub whole: BTreeSet<RecordTypeId>,
    /// What all records of these types say in the members that their rules look at.
    pub values: BTreeSet<RecordTypeId>,
}

/// The state that results, as far as it is another than before.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// Records that are there and that were sent, or changed, or wait no longer.
    pub present: Vec<Resulting>,
    /// Records that are gone.
    pub gone: Vec<Gone>,
    /// What became of each record sent, in the order of the payload.
    pub entries: Vec<Entry>,
    /// The same, without looking at whom it waits for: what waits is new, another or as it was, too.
    pub changes: Vec<Outcome>,
}

/// A record of the resulting state.
#[derive(Debug)]
pub struct Resulting {
    /// What it is.
    pub of: RecordTypeId,
    /// Its key.
    pub key: String,
    /// What it says, canonical JSON.
    pub body: Content<'static>,
    /// Where it stands in the payload; nowhere, if only others were sent.
    pub pointer: Option<Pointer>,
    /// See [`HeldRecord::as_of`].
    pub as_of: Option<i64>,
    /// What it waits for, if it waits, and until when.
    pub waits: Option<(String, Option<Timestamp>)>,
    /// The last of the entries that are about it.
    pub entry: Option<usize>,
    pub(crate) sorted: Vec<Sorted>,
}

/// A record that is gone.
#[derive(Debug)]
pub struct Gone {
    /// What it was.
    pub of: RecordTypeId,
    /// Its number.
    pub id: RecordId,
    /// What it said, canonical JSON.
    pub body: Vec<u8>,
    /// Its key.
    pub key: String,
    /// When that was true what deleted it, in microseconds since 1970, if its partner tells.
    pub as_of: Option<i64>,
}

/// Reconciles; or says what has to be known first.
pub fn reconcile(sent: &[Sent], situation: &Situation<'_>) -> Result<Reconciled, Needs> {
    let mut work = Work::new(situation);
    work.change(sent);
    if work.needs == Needs::default() {
        work.settle();
    }
    if work.needs == Needs::default() { Ok(work.finish(sent)) } else { Err(work.needs) }
}

impl Resulting {
    /// The record that is to be mapped and stored.
    pub fn record<'r>(&'r self, of: &RecordType, setting: Digest, depth_max: u32) -> Record<'r> {
        let Some(bytes) = self.body.loose() else { return self.packed_record(of, setting) };
        let body = Json::parse(bytes, depth_max).unwrap_or(Json::Null);
        let digest = crate::record::digest_alone(of, bytes, setting);
        let pointer = self.pointer.clone().unwrap_or_default();
        Record::alone(self.of, self.key.clone(), body, pointer, digest).with_sorted(self.sorted.clone())
    }

    /// The same, one of many.
    pub(crate) fn packed_record<'r>(&'r self, of: &RecordType, setting: Digest) -> Record<'r> {
        let digest = crate::record::digest_alone(of, &self.body.read(), setting);
        let pointer = self.pointer.clone().unwrap_or_default();
        Record::alone_packed(self.of, self.key.clone(), self.body.borrowed(), pointer, digest)
            .with_sorted(self.sorted.clone())
    }
}

/// A record by type and key.
type Name = (RecordTypeId, String);

/// What becomes of one record.
#[derive(Debug, Clone)]
struct Now<'s> {
    held: Option<&'s HeldRecord>,
    /// What it says; `None` while it is not there.
    body: Option<Content<'static>>,
    as_of: Option<i64>,
    pointer: Option<Pointer>,
    sorted: Vec<Sorted>,
    /// The entries that are about it.
    entries: Vec<usize>,
    /// Records that became something else because of it.
    caused: Vec<Name>,
    waits: Option<(String, Option<Timestamp>)>,
}

/// A reconciliation under way.
struct Work<'s> {
    situation: Situation<'s>,
    needs: Needs,
    /// Records that were sent or touched, by type and key.
    now: BTreeMap<Name, Now<'s>>,
    entries: Vec<Entry>,
    /// See [`Reconciled::changes`].
    changes: Vec<Outcome>,
    /// Records that a complete payload has, good or bad: they are not absent.
    present: BTreeSet<Name>,
    /// Rows of whole types as JSON, for expressions; dropped when one of them changes.
    rows: BTreeMap<RecordTypeId, Value>,
    /// What whole types say in their scalar members, for references; dropped whenever anything is rejected.
    targets: BTreeMap<RecordTypeId, Rc<[settle::Candidate]>>,
    /// Records that say something that is in no parcel yet, and its bytes; where many were sent.
    loose: Vec<Name>,
    loose_bytes: usize,
}

impl<'s> Work<'s> {
    fn new(situation: &Situation<'s>) -> Self {
        Self {
            situation: *situation,
            needs: Needs::default(),
            now: BTreeMap::new(),
            entries: Vec::new(),
            changes: Vec::new(),
            present: BTreeSet::new(),
            rows: BTreeMap::new(),
            targets: BTreeMap::new(),
            loose: Vec::new(),
            loose_bytes: 0,
        }
    }

    fn record_type(&self, of: RecordTypeId) -> &'s RecordType {
        &self.situation.partner.records[usize::from(of.0)]
    }

    fn types(&self) -> impl Iterator<Item = (RecordTypeId, &'s RecordType)> + use<'s> {
        (0..).map(RecordTypeId).zip(&self.situation.partner.records)
    }

    /// Whether a record is there at present.
    fn is_there(&self, name: &Name) -> bool {
        match self.now.get(name) {
            Some(now) => now.body.is_some(),
            None => self.situation.state.get(name.0, &name.1).is_some(),
        }
    }

    /// What a stored record says; asks for it where that is not known, and takes it for empty meanwhile.
    fn stored(&mut self, held: &HeldRecord) -> Vec<u8> {
        if let Some(body) = self.situation.shelf.bodies.get(&held.id) {
            return body.clone();
        }
        self.needs.bodies.insert((held.of, held.id));
        b"{}".to_vec()
    }

    /// The record called `name`, to be changed; as it is stored, if it was not touched yet.
    fn touch(&mut self, name: &Name) -> &mut Now<'s> {
        if !self.now.contains_key(name) {
            let held = self.situation.state.get(name.0, &name.1);
            let body = held.map(|held| self.stored(held).into());
            let now = Now {
                held,
                body,
                as_of: held.and_then(|held| held.as_of),
                pointer: None,
                sorted: Vec::new(),
                entries: Vec::new(),
                caused: Vec::new(),
                waits: None,
            };
            self.now.insert(name.clone(), now);
        }
        self.now.entry(name.clone()).or_insert_with(|| unreachable!("it was just put there"))
    }

    /// The names of all records of a type that are there at present; asks for what they say.
    fn all_of(&mut self, of: RecordTypeId) -> Vec<Name> {
        if !self.situation.shelf.whole.contains(&of) {
            self.needs.whole.insert(of);
        }
        let stored = self.situation.state.records().iter().filter(|held| held.of == of);
        let mut names: BTreeSet<Name> = stored.map(|held| (of, held.key.clone())).collect();
        names.extend(self.now.keys().filter(|name| name.0 == of).cloned());
        names.into_iter().filter(|name| self.is_there(name)).collect()
    }

    /// What a record that is there says at present.
    fn body(&mut self, name: &Name) -> Vec<u8> {
        if let Some(now) = self.now.get(name) {
            return now.body.as_ref().map(|body| body.read().into_owned()).unwrap_or_default();
        }
        match self.situation.state.get(name.0, &name.1) {
            Some(held) => self.stored(held),
            None => Vec::new(),
        }
    }

    /// Notes that a record says so many bytes more, of many that were sent: once there are enough, they go into a parcel.
    fn pack(&mut self, name: &Name, bytes: usize) {
        self.loose.push(name.clone());
        self.loose_bytes += bytes;
        if self.loose_bytes >= PARCEL_BYTES {
            self.loose.sort_unstable();
            let mut loose = std::mem::take(&mut self.loose);
            let mut bodies = Vec::with_capacity(loose.len());
            self.loose_bytes = 0;
            for name in loose.drain(..) {
                if let Some(body) = self.now.get_mut(&name).and_then(|now| now.body.take()) {
                    bodies.push((name, body));
                }
            }
            parcel::pack(bodies.iter_mut().map(|(_, body)| body));
            for (name, body) in bodies {
                if let Some(now) = self.now.get_mut(&name) {
                    now.body = Some(body);
                }
            }
        }
    }

    fn parse<'b>(&self, body: &'b [u8]) -> Json<'b> {
        Json::parse(body, self.situation.depth_max).unwrap_or(Json::Null)
    }

    /// Undoes all that was to become of a record, and blames its entries.
    fn revert(&mut self, name: &Name, notes: &[Note]) {
        let Some(now) = self.now.remove(name) else { return };
        self.rows.remove(&name.0);
        for entry in &now.entries {
            let entry = &mut self.entries[*entry];
            if !entry.outcome.is_error() {
                entry.outcome = Outcome::Rejected;
                entry.notes = notes.iter().take(self.situation.notes_max).cloned().collect();
            }
        }
        for caused in &now.caused {
            if self.now.get(caused).is_some_and(|caused| caused.entries.is_empty()) {
                self.now.remove(caused);
            }
        }
    }

    fn finish(self, sent: &[Sent]) -> Reconciled {
        debug_assert_eq!(self.entries.len(), sent.len(), "one entry per record sent");
        let mut reconciled = Reconciled { entries: self.entries, changes: self.changes, ..Reconciled::default() };
        // In the order of the payload: so new records are numbered, and so lists show them.
        let mut now: Vec<_> = self.now.into_iter().collect();
        now.sort_by_key(|(_, now)| now.entries.first().copied().unwrap_or(usize::MAX));
        for ((of, key), now) in now {
            match (now.body, now.held) {
                (Some(body), _) => reconciled.present.push(Resulting {
                    of,
                    key,
                    body,
                    pointer: now.pointer,
                    as_of: now.as_of,
                    waits: now.waits,
                    entry: now.entries.last().copied(),
                    sorted: now.sorted,
                }),
                (None, Some(held)) => {
                    let body = self.situation.shelf.bodies.get(&held.id).cloned().unwrap_or_default();
                    let as_of = now.as_of.filter(|_| !now.entries.is_empty());
                    reconciled.gone.push(Gone { of, id: held.id, body, key, as_of });
                }
                (None, None) => {}
            }
        }
        reconciled
    }
}

/// The way to a member of a record, looked up.
fn member<'j, 'a>(body: &'j Json<'a>, path: &[String]) -> Option<&'j Json<'a>> {
    path.iter().try_fold(body, |json, name| json.get(name)).filter(|json| **json != Json::Null)
}

/// A scalar member as text, as rules and references compare it.
pub(crate) fn text(json: &Json<'_>) -> Option<String> {
    match json {
        Json::Text(text) => Some(text.to_string()),
        Json::Number(number) => Some(number.as_str().to_owned()),
        Json::Boolean(boolean) => Some(boolean.to_string()),
        _ => None,
    }
}
