//! Turns what a client asks of single records into the changes that this comes to: the record itself, those that go
//! with it, those that a partner's own logic decides on.
//!
//! Unlike [`reconcile`](crate::reconcile), which is given a whole payload, nothing here ever looks at all records: each
//! question is a look-up by key or by index, so that writing one record costs the same among ten and among millions.
//!
//! The order of work: what the body says, written over what is there (`form.rs`); what the server fills in
//! (`complete.rs`); what must hold, and what goes along (`settle.rs`). Nothing is stored here: what comes out is mapped,
//! planned and committed like any other change.
//!
//! To add something that the server fills in: `complete.rs`; something that must hold: `settle.rs`.

mod complete;
mod form;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::complete::numbers;
pub use self::form::{Filled, fill};
use crate::clock::Clock;
use crate::description::{Partner, ProblemClass, RecordType, RecordTypeId};
use crate::json::{Json, Pointer};
use crate::note::Note;
use crate::reconcile::{Gone, Reconciled, Resulting};
use crate::record::key_alone;
use crate::state::State;
use crate::store::{Connection, HeldRecord, Matching, RecordId, Store, StoreError};

/// What a record says, by member.
pub type Members = Map<String, Value>;

/// A record by type and key.
type Name = (RecordTypeId, String);

/// What changes are made against.
#[derive(Clone, Copy)]
pub struct Desk<'d> {
    /// Where records are looked up.
    pub store: &'d dyn Store,
    /// The connection that they belong to.
    pub connection: &'d Connection,
    /// Its partner.
    pub partner: &'d Partner,
    /// Its options.
    pub options: &'d Value,
    /// What draws keys.
    pub clock: &'d dyn Clock,
    /// When this is.
    pub now: Timestamp,
    /// Levels of nesting in a record.
    pub depth_max: u32,
    /// Notes on one call.
    pub notes_max: usize,
    /// Whether what comes from elsewhere is believed as it is: nothing is filled in, and references may lead nowhere.
    pub believes: bool,
}

/// Why a change cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The client asks for what cannot be.
    #[error("it cannot be done")]
    Rejected(ProblemClass, Vec<Note>),
    /// The partner's own logic asks for what cannot be.
    #[error("{0}")]
    Fault(String),
    /// Too much is going on; it may be tried again.
    #[error("too much is going on")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Stop {
    /// One thing is wrong.
    pub fn one(class: ProblemClass, note: Note) -> Self {
        Self::Rejected(class, vec![note])
    }
}

/// What becomes of one record.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it is.
    pub of: RecordTypeId,
    /// Its key, a canonical JSON list.
    pub key: String,
    /// It, as it is stored.
    pub held: Option<HeldRecord>,
    /// What it says so far.
    pub before: Option<Members>,
    /// What it will say; `None` where it is gone.
    pub after: Option<Members>,
    /// Whether the client's own words are in it, rather than what they led to.
    pub is_sent: bool,
}

impl Draft {
    /// Whether it will be another than before.
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }
}

/// Changes that belong together: all of them are made, or none.
pub struct Changes<'d> {
    desk: Desk<'d>,
    /// In the order in which they were first spoken of.
    drafts: Vec<Draft>,
    places: HashMap<Name, usize>,
    /// The last numbers that are given out, by what they number.
    numbers: BTreeMap<String, i64>,
}

impl<'d> Changes<'d> {
    /// Nothing has changed yet.
    pub fn new(desk: Desk<'d>) -> Self {
        Self { desk, drafts: Vec::new(), places: HashMap::new(), numbers: BTreeMap::new() }
    }

    /// What they are made against.
    pub fn desk(&self) -> &Desk<'d> {
        &self.desk
    }

    /// All records that were spoken of.
    pub fn drafts(&self) -> &[Draft] {
        &self.drafts
    }

    /// The last numbers that are given out, by what they number.
    pub fn numbers(&self) -> &BTreeMap<String, i64> {
        &self.numbers
    }

    /// The type of a record.
    pub fn record_type(&self, of: RecordTypeId) -> &'d RecordType {
        &self.desk.partner.records[usize::from(of.0)]
    }

    /// The record type called `name`.
    pub fn named(&self, name: &str) -> Option<RecordTypeId> {
        let types = (0..).map(RecordTypeId).zip(&self.desk.partner.records);
        types.into_iter().find(|(_, of)| of.name == name).map(|(id, _)| id)
    }

    /// A record as it will be, looked up in the store where nothing was said of it yet.
    pub async fn look(&mut self, of: RecordTypeId, key: &str) -> Result<&Draft, Stop> {
        let place = self.place(of, key).await?;
        Ok(&self.drafts[place])
    }

    /// A stored record as it will be.
    pub async fn look_at(&mut self, held: HeldRecord) -> Result<&Draft, Stop> {
        let name = (held.of, held.key.clone());
        if !self.places.contains_key(&name) {
            let said = self.said(&held).await?;
            self.add(name.clone(), Some(held), Some(said));
        }
        Ok(&self.drafts[self.places[&name]])
    }

    /// The records that match as they will be: stored ones, and those that were spoken of.
    pub async fn matching(&mut self, of: RecordTypeId, matching: &Matching) -> Result<Vec<Draft>, Stop> {
        let store = self.desk.store;
        let held = store.records_matching(self.desk.connection, self.desk.partner, of, matching).await?;
        let mut found: Vec<Draft> = Vec::new();
        for held in held {
            found.push(self.look_at(held).await?.clone());
        }
        let is_found = |draft: &Draft| found.iter().any(|other| other.key == draft.key);
        let own = self.drafts.iter().filter(|draft| draft.of == of && !is_found(draft));
        let own: Vec<_> = own.cloned().collect();
        found.extend(own);
        found.retain(|draft| draft.after.as_ref().is_some_and(|members| fits(members, matching)));
        Ok(found)
    }

    /// Writes a record: it says this from now on. `is_sent` where the client's own words are in it.
    pub async fn put(&mut self, of: RecordTypeId, members: Members, is_sent: bool) -> Result<&Draft, Stop> {
        let key = self.key(of, &members)?;
        let place = self.place(of, &key).await?;
        let draft = &mut self.drafts[place];
        draft.after = Some(members);
        draft.is_sent |= is_sent;
        Ok(draft)
    }

    /// Deletes a record.
    pub async fn remove(&mut self, of: RecordTypeId, key: &str) -> Result<(), Stop> {
        let place = self.place(of, key).await?;
        self.drafts[place].after = None;
        Ok(())
    }

    /// The key of what these members say.
    pub fn key(&self, of: RecordTypeId, members: &Members) -> Result<String, Stop> {
        let bytes = self.bytes(members);
        let json = Json::parse(&bytes, self.desk.depth_max).unwrap_or(Json::Null);
        let description = self.record_type(of);
        key_alone(description, &json).ok_or_else(|| {
            let field = description.key.first().and_then(|field| field.path.first()).map_or("", String::as_str);
            let note = Note::new(Pointer::root().member(field), "required", "a field of its key is missing");
            Stop::one(ProblemClass::Invalid, note.with("field", field))
        })
    }

    /// The changes as what is mapped, planned and committed, and the records that they are about as they are stored.
    /// The first line of the delivery's log is about `subject`.
    pub fn finish(&self, subject: Option<&(RecordTypeId, String)>) -> (Reconciled, State) {
        let mut reconciled = Reconciled::default();
        for draft in self.drafts.iter().filter(|draft| draft.is_change()) {
            match (&draft.after, &draft.held) {
                (Some(after), _) => reconciled.present.push(Resulting {
                    of: draft.of,
                    key: draft.key.clone(),
                    body: self.bytes(after).into(),
                    pointer: Some(Pointer::root()),
                    as_of: None,
                    waits: None,
                    entry: subject.filter(|(of, key)| (*of, key) == (draft.of, &draft.key)).map(|_| 0),
                    sorted: Vec::new(),
                }),
                (None, Some(held)) => {
                    let body = draft.before.as_ref().map(|before| self.bytes(before)).unwrap_or_default();
                    reconciled.gone.push(Gone { of: held.of, id: held.id, body, key: held.key.clone(), as_of: None });
                }
                (None, None) => {}
            }
        }
        let held = self.drafts.iter().filter_map(|draft| draft.held.clone()).collect();
        (reconciled, State::new(held, &self.desk.partner.records))
    }

    /// Where the draft of a record stands; it is looked up where there is none yet.
    async fn place(&mut self, of: RecordTypeId, key: &str) -> Result<usize, Stop> {
        let name = (of, key.to_owned());
        if let Some(place) = self.places.get(&name) {
            return Ok(*place);
        }
        let keys = [key.to_owned()];
        let found = self.desk.store.records_by_key(self.desk.connection, self.desk.partner, of, &keys).await?;
        let held = found.into_iter().next().flatten();
        let said = match &held {
            Some(held) => Some(self.said(held).await?),
            None => None,
        };
        Ok(self.add(name, held, said))
    }

    fn add(&mut self, name: Name, held: Option<HeldRecord>, said: Option<Members>) -> usize {
        let place = self.drafts.len();
        let (of, key) = name.clone();
        self.drafts.push(Draft { of, key, held, before: said.clone(), after: said, is_sent: false });
        self.places.insert(name, place);
        place
    }

    /// What a stored record says.
    async fn said(&self, held: &HeldRecord) -> Result<Members, Stop> {
        let ids: [RecordId; 1] = [held.id];
        let bodies = self.desk.store.bodies(self.desk.connection, self.desk.partner, held.of, &ids).await?;
        let body = bodies.into_iter().next().unwrap_or_default();
        serde_json::from_slice(&body)
            .map_err(|_| StoreError::Inconsistent("what a record says is not an object".to_owned()).into())
    }

    /// Canonical JSON.
    fn bytes(&self, members: &Members) -> Vec<u8> {
        let text = serde_json::to_vec(members).unwrap_or_default();
        Json::parse(&text, self.desk.depth_max).map_or_else(|_| text.clone(), |json| json.to_bytes())
    }
}

/// Whether a record is among those that a question is for.
fn fits(members: &Members, matching: &Matching) -> bool {
    matching.members.iter().all(|(name, values)| match members.get(name) {
        Some(Value::Array(items)) => items.iter().any(|item| values.contains(item)),
        Some(value) => values.contains(value),
        None => values.contains(&Value::Null),
    })
}
