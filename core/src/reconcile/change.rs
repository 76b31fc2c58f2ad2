//! Applies what was sent to what is stored, one change after the other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::blank::without_derived;
use super::computed::Which;
use super::{Name, Work};
use crate::delivery::{Entry, Outcome};
use crate::description::{Change, RecordType};
use crate::json::{Json, Pointer};
use crate::note::{Note, shown};
use crate::record::{Sent, digest_alone, key_alone, too_long};

/// What is wrong with a change, or what it comes to.
type Verdict = Result<Outcome, (Outcome, Vec<Note>)>;

impl Work<'_> {
    /// Applies all that was sent; afterwards each has its entry.
    pub(super) fn change(&mut self, sent: &[Sent]) {
        let mut seen: BTreeMap<Name, usize> = BTreeMap::new();
        let mut twice = Vec::new();
        for (nth, one) in sent.iter().enumerate() {
            let (name, verdict) = self.one(nth, one);
            let (outcome, notes) = match verdict {
                Ok(outcome) => (outcome, Vec::new()),
                Err((outcome, notes)) => (outcome, notes),
            };
            let record = self.record_type(one.of).name.clone();
            let key = name.as_ref().map(|(_, key)| key.clone());
            self.entries.push(Entry { pointer: one.pointer.clone(), record, key, outcome, notes });
            if let Some(name) = name {
                self.present.insert(name.clone());
                if !one.ordered
                    && let Some(first) = seen.insert(name.clone(), nth)
                {
                    twice.push((name, first, nth));
                }
            }
        }
        for (name, first, second) in twice {
            self.blame_twins(&name, &sent[first].pointer, &sent[second].pointer, [first, second]);
        }
        self.remove_absent();
    }

    /// Neither of two records with one key is taken: nobody knows which is meant.
    fn blame_twins(&mut self, name: &Name, first: &Pointer, second: &Pointer, entries: [usize; 2]) {
        let record = &self.record_type(name.0).name;
        let notes = [(first, second), (second, first)].map(|(own, other)| {
            let message = format!("has the same key as the {record} at {other}");
            Note::new(own.clone(), "duplicate", message).with("key", shown(&name.1)).with("other", other.as_str())
        });
        self.revert(name, &notes[..1]);
        for (entry, note) in entries.into_iter().zip(notes) {
            let entry = &mut self.entries[entry];
            entry.outcome = Outcome::Rejected;
            entry.notes = vec![note];
        }
    }

    /// What a complete payload does not have, goes.
    fn remove_absent(&mut self) {
        let situation = self.situation;
        for held in situation.state.records().iter().filter(|held| situation.complete.contains(&held.of)) {
            let name = (held.of, held.key.clone());
            if !self.present.contains(&name) {
                self.touch(&name).body = None;
            }
        }
    }

    fn one(&mut self, nth: usize, sent: &Sent) -> (Option<Name>, Verdict) {
        let of = self.record_type(sent.of);
        let body = without_derived(of, renamed(of, &self.parse(&sent.body.read())), self.situation.depth_max);
        let body = self.completed(sent.of, body, Which::Key);
        let key = key_alone(of, &self.parse(&body));
        let Some(key) = key else {
            let mut notes = self.violations(sent, &body, None);
            if notes.is_empty() {
                notes.push(Note::new(sent.pointer.clone(), "required", "a field of its key is missing"));
            }
            return (None, Err((Outcome::Rejected, notes)));
        };
        let name = (sent.of, key);
        if !of.changes.is_empty() && !of.changes.contains(&sent.change) {
            let verdict = Err(refused(sent, &name, "unsupported", "records of this type are not changed so"));
            return (Some(name), verdict);
        }
        let is_there = self.is_there(&name);
        if self.is_stale(&name) {
            let note = note(sent, &name, "stale", "is older than what was applied last");
            return (Some(name), Err((Outcome::Stale, vec![note])));
        }
        let verdict = match (sent.change, is_there) {
            (Change::Insert, true) => Err(refused(sent, &name, "exists", "there is one with this key already")),
            (Change::Update | Change::Delete, false) => {
                Err(refused(sent, &name, "unknown", "there is none with this key"))
            }
            (Change::Delete, true) => self.delete(nth, sent, &name, body),
            (change, _) => self.write(nth, sent, &name, body, change == Change::Update),
        };
        (Some(name), verdict)
    }

    /// Whether something newer was applied to the record before.
    fn is_stale(&self, name: &Name) -> bool {
        let state = self.situation.state;
        let stored = || match state.get(name.0, &name.1) {
            Some(held) => held.as_of,
            None => state.gone(name.0, &name.1),
        };
        let last = self.now.get(name).map_or_else(stored, |now| now.as_of);
        matches!((self.situation.as_of, last), (Some(own), Some(last)) if own < last)
    }

    /// Puts a record where it is, or over what is there; an update keeps what it does not speak of.
    fn write(&mut self, nth: usize, sent: &Sent, name: &Name, body: Vec<u8>, keeps: bool) -> Verdict {
        let is_there = self.is_there(name);
        let body = if keeps { merged(&self.body(name), &body, self.situation.depth_max) } else { body };
        let which = if is_there { Which::Again } else { Which::New };
        let is_blank = self.record_type(sent.of).blank;
        let body = if is_blank { self.filled_in(name, &body) } else { self.completed(sent.of, body, which) };
        let notes = self.violations(sent, &body, Some(name));
        if !notes.is_empty() {
            return Err((Outcome::Rejected, notes));
        }
        let outcome = match is_there {
            false => Outcome::Created,
            true if self.says(name, &body) => Outcome::Unchanged,
            true => Outcome::Updated,
        };
        let as_of = self.situation.as_of;
        let is_packed = sent.body.loose().is_none();
        let now = self.touch(name);
        let bytes = body.len();
        let is_as_sent = is_packed && *sent.body.read() == *body;
        now.body = Some(if is_as_sent { sent.body.clone() } else { body.into() });
        now.as_of = as_of.or(now.as_of);
        now.pointer = Some(sent.pointer.clone());
        now.sorted.clone_from(&sent.sorted);
        now.entries.push(nth);
        if is_packed && !is_as_sent {
            self.pack(name, bytes);
        }
        self.rows.remove(&name.0);
        self.keep_single(name);
        Ok(outcome)
    }

    /// Whether a record that is there says this already. One that was mapped just so need not be read again.
    fn says(&mut self, name: &Name, body: &[u8]) -> bool {
        let situation = self.situation;
        if !self.now.contains_key(name)
            && let Some(held) = situation.state.get(name.0, &name.1)
            && held.digest == Some(digest_alone(self.record_type(name.0), body, situation.setting))
        {
            let (entries, pointer, sorted, caused) = (Vec::new(), None, Vec::new(), Vec::new());
            let (as_of, waits, body) = (held.as_of, None, Some(body.to_vec().into()));
            let now = super::Now { held: Some(held), body, as_of, pointer, sorted, entries, caused, waits };
            self.now.insert(name.clone(), now);
            return true;
        }
        self.body(name) == body
    }

    /// Deletes a record, or those items of its lists that are named; these are completed first, as the stored ones were.
    fn delete(&mut self, nth: usize, sent: &Sent, name: &Name, body: Vec<u8>) -> Verdict {
        let of = self.record_type(sent.of);
        let body = if of.piecemeal.is_empty() { body } else { self.completed(sent.of, body, Which::Again) };
        let mut outcome = Outcome::Deleted;
        let mut left = None;
        for list in &of.piecemeal {
            let stored = self.body(name);
            let (stored, sent_json) = (self.parse(&stored), self.parse(&body));
            let named = sent_json.get(list).and_then(Json::as_list).unwrap_or_default();
            if named.is_empty() {
                let note = note(sent, name, "required", &format!("`{list}` must name what is to be deleted"));
                return Err((Outcome::Rejected, vec![note.with("field", list)]));
            }
            let items = stored.get(list).and_then(Json::as_list).unwrap_or_default();
            let kept: Vec<_> = items.iter().filter(|item| !named.iter().any(|named| same_item(item, named))).collect();
            if !kept.is_empty() {
                let mut object = stored.as_object().cloned().unwrap_or_default();
                object.insert(Cow::Borrowed(list), Json::List(kept.into_iter().cloned().collect()));
                outcome = if items.len() == object.get(list).and_then(Json::as_list).map_or(0, <[_]>::len) {
                    Outcome::Unchanged
                } else {
                    Outcome::Updated
                };
                left = Some(Json::Object(object).to_bytes().into());
            }
        }
        let as_of = self.situation.as_of;
        let now = self.touch(name);
        now.body = left;
        now.as_of = as_of.or(now.as_of);
        now.pointer = Some(sent.pointer.clone());
        now.entries.push(nth);
        self.rows.remove(&name.0);
        Ok(outcome)
    }

    /// Where only one record may be something and `name` is it now, the others become something else.
    fn keep_single(&mut self, name: &Name) {
        let of = self.record_type(name.0);
        for single in &of.singles {
            let own = self.body(name);
            if !single.when.holds(&self.parse(&own).to_value()) {
                continue;
            }
            for other in self.all_of(name.0).into_iter().filter(|other| other != name) {
                let body = self.body(&other);
                if !single.when.holds(&self.parse(&body).to_value()) {
                    continue;
                }
                let otherwise = serde_json::to_vec(&single.otherwise).unwrap_or_default();
                let body = merged(&body, &otherwise, self.situation.depth_max);
                self.touch(&other).body = Some(body.into());
                self.touch(name).caused.push(other);
            }
            self.rows.remove(&name.0);
        }
    }

    /// How a record breaks its schema, or is too long to be found.
    fn violations(&self, sent: &Sent, body: &[u8], name: Option<&Name>) -> Vec<Note> {
        let (of, body) = (self.record_type(sent.of), self.parse(body));
        let violations = of.schema.violations(&body, self.situation.notes_max).notes;
        let long = too_long(of, name.map(|(_, key)| key.as_str()), &body);
        let placed = violations.into_iter().chain(long).map(|mut note| {
            note.pointer = note.pointer.steps().fold(sent.pointer.clone(), |place, step| place.member(&step));
            match name {
                Some((_, key)) => note.with("key", shown(key)),
                None => note,
            }
        });
        placed.collect()
    }
}

fn note(sent: &Sent, name: &Name, code: &str, message: &str) -> Note {
    Note::new(sent.pointer.clone(), code, message).with("key", shown(&name.1))
}

fn refused(sent: &Sent, name: &Name, code: &str, message: &str) -> (Outcome, Vec<Note>) {
    (Outcome::Rejected, vec![note(sent, name, code, message)])
}

/// The body with its members under the names that they are kept under.
pub(crate) fn renamed(of: &RecordType, body: &Json<'_>) -> Vec<u8> {
    let Json::Object(object) = body else { return body.to_bytes() };
    let mut object = object.clone();
    for (sent, kept) in &of.aliases {
        if let Some(value) = object.remove(sent)
            && object.get(kept).is_none()
        {
            object.insert(Cow::Borrowed(kept), value);
        }
    }
    Json::Object(object).to_bytes()
}

/// `base`, with the members of `over` over its own.
fn merged(base: &[u8], over: &[u8], depth_max: u32) -> Vec<u8> {
    let (Ok(Json::Object(base)), Ok(Json::Object(over))) = (Json::parse(base, depth_max), Json::parse(over, depth_max))
    else {
        return over.to_vec();
    };
    let mut object = base;
    for (name, value) in over.into_members() {
        object.insert(name, value);
    }
    Json::Object(object).to_bytes()
}

/// Whether `named` means `item`: what both say is the same, and both say something.
fn same_item(item: &Json<'_>, named: &Json<'_>) -> bool {
    let (Json::Object(item), Json::Object(named)) = (item, named) else { return item == named };
    let mut shared = named.iter().filter_map(|(name, value)| Some((item.get(name)?, value))).peekable();
    shared.peek().is_some() && shared.all(|(one, other)| one == other)
}
