//! Finds out what has to hold over all records together: rules, and references.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;

use super::{Name, Work, member, target_key, text};
use crate::delivery::Outcome;
use crate::description::{By, Missing, Pair, RecordTypeId, Reference, WhenGone, glob};
use crate::json::{Json, Pointer};
use crate::note::{Note, shown};
use crate::rule::{self, Row};

impl<'s> Work<'s> {
    /// Rejects whoever is to blame until nobody is, takes along what goes with its target, and says who waits.
    pub(super) fn settle(&mut self) {
        self.cascade();
        loop {
            let mut blamed = self.clashes();
            blamed.extend(self.dangling());
            if blamed.is_empty() {
                break;
            }
            for (name, notes) in blamed {
                self.revert(&name, &notes);
            }
            self.targets.clear();
        }
        self.changes = self.entries.iter().map(|entry| entry.outcome).collect();
        self.wait();
    }

    /// Every record that was sent and takes part in a clash, with why.
    fn clashes(&mut self) -> BTreeMap<Name, Vec<Note>> {
        let mut blamed: BTreeMap<Name, Vec<Note>> = BTreeMap::new();
        for (of, description) in self.types() {
            let touched = self.now.iter().any(|(name, now)| name.0 == of && now.body.is_some());
            if description.rules.is_empty() || !touched {
                continue;
            }
            let members = rule::members(&description.rules);
            let (names, values) = self.looked_at(of, &members);
            let rows: Vec<_> = names.iter().zip(values).map(|(name, values)| self.row(name, values)).collect();
            let clashes = rule::clashes(&description.rules, &rows);
            drop(rows);
            for (nth, note) in clashes {
                blamed.entry(names[nth].clone()).or_default().push(note);
            }
        }
        blamed
    }

    /// All records of a type that are there, with what their rules look at.
    fn looked_at(&mut self, of: RecordTypeId, members: &[String]) -> (Vec<Name>, Vec<Vec<Option<String>>>) {
        let situation = self.situation;
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        match situation.shelf.values.get(&of) {
            None => _ = self.needs.values.insert(of),
            Some(values) => {
                for held in situation.state.records().iter().filter(|held| held.of == of) {
                    let name = (of, held.key.clone());
                    if let (false, Some(row)) = (self.now.contains_key(&name), values.get(&held.id)) {
                        names.push(name);
                        rows.push(row.clone());
                    }
                }
            }
        }
        for (name, now) in self.now.iter().filter(|(name, _)| name.0 == of) {
            if let Some(body) = &now.body {
                let json = self.parse(body);
                rows.push(members.iter().map(|member| json.get(member).and_then(text)).collect());
                names.push(name.clone());
            }
        }
        (names, rows)
    }

    fn row<'r>(&'r self, name: &'r Name, values: Vec<Option<String>>) -> Row<'r> {
        let sent = self.now.get(name).filter(|now| !now.entries.is_empty());
        let values = values.into_iter().map(|value| value.map(Cow::Owned)).collect();
        Row { key: &name.1, incoming: sent.and_then(|now| now.pointer.as_ref()), values }
    }

    /// The records that were sent and refer to what is not there, where that is not allowed.
    fn dangling(&mut self) -> BTreeMap<Name, Vec<Note>> {
        let mut blamed = BTreeMap::new();
        for (of, _) in self.types() {
            let references = self.references(of).into_iter();
            for reference in references.filter(|reference| reference.missing == Missing::Refuse) {
                let sent = self.now.iter().filter(|(name, now)| name.0 == of && !now.entries.is_empty());
                let sent: Vec<_> = sent
                    .filter_map(|(name, now)| Some((name.clone(), now.body.clone()?, now.pointer.clone()?)))
                    .collect();
                for (name, body, pointer) in sent {
                    if self.target(reference, &body) == Target::Absent {
                        let to = &self.situation.partner.records[usize::from(reference.to.0)].name;
                        let message = format!("`{}` refers to a {to} that is not there", reference.name);
                        let note = Note::new(place(pointer, reference), "reference", message);
                        let note = note.with("key", shown(&name.1)).with("field", &reference.name);
                        blamed.insert(name, vec![note]);
                    }
                }
            }
        }
        blamed
    }

    /// Records that go with their targets.
    fn cascade(&mut self) {
        let mut gone: BTreeSet<RecordTypeId> = BTreeSet::new();
        for of in self.order() {
            let references = self.references(of).into_iter();
            for reference in
                references.filter(|reference| reference.gone == WhenGone::Cascade && gone.contains(&reference.to))
            {
                for name in self.all_of(of) {
                    let body = self.body(&name);
                    if self.now.get(&name).is_none_or(|now| now.entries.is_empty())
                        && self.target(reference, &body) == Target::Absent
                        && self.was_there(reference, &body)
                    {
                        self.touch(&name).body = None;
                    }
                }
            }
            if self.now.iter().any(|(name, now)| name.0 == of && now.held.is_some() && now.body.is_none()) {
                gone.insert(of);
            }
        }
    }

    /// Whether the target was there before: a record that still waits for its target does not go with it.
    fn was_there(&self, reference: &Reference, body: &[u8]) -> bool {
        let key = target_key(&reference.by, &self.parse(body));
        key.is_none_or(|key| self.situation.state.get(reference.to, &key).is_some())
    }

    /// Who waits from now on, and who no longer: those that were sent, those that waited, and those whose target went
    /// or came.
    fn wait(&mut self) {
        let situation = self.situation;
        let mut waiting: BTreeSet<Name> = BTreeSet::new();
        let mut turned: BTreeSet<RecordTypeId> = BTreeSet::new();
        for of in self.order() {
            let mut parking = self.references(of);
            parking.retain(|reference| matches!(reference.missing, Missing::Park(_)));
            let waited = situation.state.records().iter().filter(|held| held.of == of && held.waits);
            let waited: Vec<_> = waited.map(|held| (of, held.key.clone())).collect();
            for name in waited {
                if self.is_there(&name) {
                    self.touch(&name);
                }
            }
            if parking.iter().any(|reference| turned.contains(&reference.to)) {
                for name in self.all_of(of) {
                    self.touch(&name);
                }
            }
            let names: Vec<_> = self.now.keys().filter(|name| name.0 == of).cloned().collect();
            for name in names {
                let Some(body) = self.now.get(&name).and_then(|now| now.body.clone()) else {
                    turned.insert(of);
                    continue;
                };
                let missing = parking.iter().find(|reference| self.misses(reference, &body, &waiting));
                let waits = missing.map(|reference| (reference.name.clone(), self.until(reference)));
                let waited = self.now.get(&name).and_then(|now| now.held).is_some_and(|held| held.waits);
                if waits.is_some() {
                    waiting.insert(name.clone());
                    turned.extend((!waited).then_some(of));
                    self.park(&name, &parking);
                }
                self.touch(&name).waits = waits;
            }
        }
    }

    /// Tells in the log that a record that was sent waits.
    fn park(&mut self, name: &Name, parking: &[&Reference]) {
        let Some(now) = self.now.get(name) else { return };
        let Some(&last) = now.entries.last() else { return };
        let pointer = now.pointer.clone().unwrap_or_default();
        let entry = &mut self.entries[last];
        if matches!(entry.outcome, Outcome::Created | Outcome::Updated | Outcome::Unchanged) {
            let names: Vec<_> = parking.iter().map(|reference| reference.name.as_str()).collect();
            let message = "waits for what it refers to";
            let note = Note::new(pointer, "parked", message).with("key", shown(&name.1));
            entry.outcome = Outcome::Parked;
            entry.notes = vec![note.with("field", names.join(", "))];
        }
    }

    /// Whether a reference has a target that is not there, or waits itself.
    fn misses(&mut self, reference: &Reference, body: &[u8], waiting: &BTreeSet<Name>) -> bool {
        match self.target(reference, body) {
            Target::None => false,
            Target::Absent => true,
            Target::Found(name) => {
                waiting.contains(&name)
                    || !self.now.contains_key(&name)
                        && self.situation.state.get(name.0, &name.1).is_some_and(|held| held.waits)
            }
        }
    }

    fn until(&self, reference: &Reference) -> Option<Timestamp> {
        let Missing::Park(time) = reference.missing else { return None };
        self.situation.now.checked_add(time).ok()
    }

    /// What a reference of a record leads to.
    fn target(&mut self, reference: &Reference, body: &[u8]) -> Target {
        let json = self.parse(body);
        match &reference.by {
            By::Key(_) => match target_key(&reference.by, &json) {
                None => Target::None,
                Some(key) => {
                    let name = (reference.to, key);
                    if self.is_there(&name) { Target::Found(name) } else { Target::Absent }
                }
            },
            By::Members(pairs) => {
                let own: Option<HashMap<_, _>> =
                    pairs.iter().map(|pair| Some((pair.own.as_slice(), text(member(&json, &pair.own)?)?))).collect();
                let Some(own) = own else { return Target::None };
                let candidates = self.candidates(reference.to);
                let fits = |(_, members): &&Candidate| {
                    pairs.iter().all(|pair| {
                        let other = members.get(&pair.other);
                        other.is_some_and(|other| agrees(pair, &own[pair.own.as_slice()], other))
                    })
                };
                let found = candidates.iter().find(fits).map(|(name, _)| name.clone());
                found.map_or(Target::Absent, Target::Found)
            }
            // Only records that are written one by one refer so.
            By::Items(_) | By::Word { .. } => Target::None,
        }
    }

    /// What all records of a type say, for references that look for members that agree.
    fn candidates(&mut self, of: RecordTypeId) -> Rc<[Candidate]> {
        if let Some(candidates) = self.targets.get(&of) {
            return Rc::clone(candidates);
        }
        let mut candidates = Vec::new();
        for name in self.all_of(of) {
            let body = self.body(&name);
            if let Json::Object(object) = self.parse(&body) {
                let members = object.iter().filter_map(|(name, json)| Some((name.to_owned(), text(json)?)));
                candidates.push((name, members.collect()));
            }
        }
        let candidates: Rc<[_]> = candidates.into();
        self.targets.insert(of, Rc::clone(&candidates));
        candidates
    }

    /// The references of a type that count.
    fn references(&self, of: RecordTypeId) -> Vec<&'s Reference> {
        let context = serde_json::json!({"options": self.situation.options});
        let references = self.record_type(of).references.iter();
        references.filter(|reference| reference.when.as_ref().is_none_or(|when| when.holds(&context))).collect()
    }

    /// The record types, those that others refer to first. There are no circles.
    fn order(&self) -> Vec<RecordTypeId> {
        let mut order = Vec::new();
        for (of, _) in self.types() {
            self.visit(of, &mut order, self.situation.partner.records.len());
        }
        order
    }

    fn visit(&self, of: RecordTypeId, order: &mut Vec<RecordTypeId>, limit: usize) {
        let Some(limit) = limit.checked_sub(1).filter(|_| !order.contains(&of)) else { return };
        for reference in &self.record_type(of).references {
            self.visit(reference.to, order, limit);
        }
        if !order.contains(&of) {
            order.push(of);
        }
    }
}

/// A record that may be a target, with its scalar members.
pub(super) type Candidate = (Name, BTreeMap<String, String>);

/// What a reference leads to.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// Nothing is referred to.
    None,
    /// It is not there.
    Absent,
    /// It is there.
    Found(Name),
}

fn agrees(pair: &Pair, own: &str, other: &str) -> bool {
    if pair.is_pattern { glob(other, own) } else { other == own }
}

fn place(pointer: Pointer, reference: &Reference) -> Pointer {
    match &reference.by {
        By::Key(paths) => paths.first().into_iter().flatten().fold(pointer, |place, step| place.member(step)),
        By::Members(_) | By::Items(_) | By::Word { .. } => pointer,
    }
}
