//! Finds out what has to hold over all records together: rules, and references.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;

use super::{Name, Now, Work, member, text};
use crate::delivery::Outcome;
use crate::description::{By, Missing, Pair, RecordTypeId, Reference, WhenGone, glob};
use crate::json::{Json, Pointer};
use crate::note::{Note, shown};
use crate::rule::{self, Row};

impl<'s> Work<'s> {
    /// Rejects whoever is to blame until nobody is, takes along what goes with its target, and says who waits.
    pub(super) fn settle(&mut self) {
        loop {
            let went = self.let_go();
            let mut blamed = self.clashes();
            blamed.extend(self.dangling());
            blamed.extend(self.still_needed(&went));
            if blamed.is_empty() {
                break;
            }
            // What goes along is found out again, because what it went with may stay.
            self.take_back(went);
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
                let bytes = body.read();
                let json = self.parse(&bytes);
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
                    if self.lacks(reference, &body.read()) {
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

    /// Lets go of what goes: records that go with their targets go too, others are emptied of them.
    fn let_go(&mut self) -> BTreeMap<Name, Went<'s>> {
        let mut went = BTreeMap::new();
        loop {
            let found = self.losing();
            if found.is_empty() {
                return went;
            }
            for (name, reference, lost) in found {
                let body = self.body(&name);
                let before = self.now.get(&name).cloned();
                let left = (reference.gone == WhenGone::Unset).then(|| self.emptied(reference, &body, &lost).into());
                self.touch(&name).body = left;
                self.rows.remove(&name.0);
                went.entry(name).or_insert(Went { because: (reference.to, lost), before });
            }
            self.targets.clear();
        }
    }

    /// The records that go with a target of theirs, or are emptied of it, each with the target's key.
    fn losing(&mut self) -> Vec<(Name, &'s Reference, String)> {
        let mut found = Vec::new();
        let gone = self.gone();
        for (of, _) in self.types() {
            for reference in self.references(of) {
                let lets_go = match reference.gone {
                    WhenGone::Cascade => true,
                    WhenGone::Unset => !matches!(reference.by, By::Members(_)),
                    WhenGone::Missing | WhenGone::Refuse => false,
                };
                if !lets_go || !gone.contains(&reference.to) {
                    continue;
                }
                for name in self.all_of(of) {
                    let body = self.body(&name);
                    let was_sent = self.now.get(&name).is_some_and(|now| !now.entries.is_empty());
                    let lost = if was_sent { None } else { self.lost(reference, &body) };
                    found.extend(lost.map(|lost| (name, reference, lost)));
                }
            }
        }
        // One that loses several targets loses one after the other.
        found.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        found.dedup_by(|(one, ..), (other, ..)| one == other);
        found
    }

    fn take_back(&mut self, went: BTreeMap<Name, Went<'s>>) {
        for (name, went) in went {
            self.rows.remove(&name.0);
            match went.before {
                Some(before) => _ = self.now.insert(name, before),
                None => _ = self.now.remove(&name),
            }
        }
    }

    /// The types of which records that were stored are gone.
    fn gone(&self) -> BTreeSet<RecordTypeId> {
        let gone = self.now.iter().filter(|(_, now)| now.held.is_some() && now.body.is_none());
        gone.map(|(name, _)| name.0).collect()
    }

    /// The key of a target that was there before and is not any more: a record that still waits for its target has not
    /// lost it.
    fn lost(&mut self, reference: &Reference, body: &[u8]) -> Option<String> {
        if matches!(reference.by, By::Members(_)) {
            return (self.targets_of(reference, body) == [Target::Absent]).then(String::new);
        }
        let keys = target_keys(&reference.by, &self.parse(body));
        let was_there = |key: &&String| self.situation.state.get(reference.to, key).is_some();
        let lost = keys.iter().filter(was_there).find(|key| !self.is_there(&(reference.to, (*key).clone())));
        lost.cloned()
    }

    /// A record without its reference to the target with this key.
    fn emptied(&self, reference: &Reference, body: &[u8], key: &str) -> Vec<u8> {
        let mut json = self.parse(body);
        let is_lost = |item: &Json<'_>| key_of(&[item]).is_some_and(|own| own == key);
        match &reference.by {
            By::Items(list) => {
                if let Json::Object(object) = &mut json
                    && let Some(Json::List(items)) = object.get_mut(list)
                {
                    items.retain(|item| !is_lost(item));
                }
            }
            By::Key(ways) => ways.iter().for_each(|way| without(&mut json, way)),
            By::Word { own, .. } => without(&mut json, std::slice::from_ref(own)),
            By::Members(_) => {}
        }
        json.to_bytes()
    }

    /// The records that were to go and may not, because others refer to them.
    fn still_needed(&mut self, went: &BTreeMap<Name, Went<'s>>) -> BTreeMap<Name, Vec<Note>> {
        let mut blamed = BTreeMap::new();
        let gone = self.gone();
        for (of, description) in self.types() {
            for reference in self.references(of) {
                if reference.gone != WhenGone::Refuse || !gone.contains(&reference.to) {
                    continue;
                }
                for name in self.all_of(of) {
                    let body = self.body(&name);
                    let Some(lost) = self.lost(reference, &body) else { continue };
                    let mut first = &(reference.to, lost);
                    while let Some(went) = went.get(first) {
                        first = &went.because;
                    }
                    let Some(now) = self.now.get(first).filter(|now| !now.entries.is_empty()) else { continue };
                    let message = format!("a {} still refers to it", description.name);
                    let note = Note::new(now.pointer.clone().unwrap_or_default(), "referenced", message);
                    let other = format!("{} {}", description.name, shown(&name.1));
                    blamed.insert(first.clone(), vec![note.with("key", shown(&first.1)).with("other", other)]);
                }
            }
        }
        blamed
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
                let missing = parking.iter().find(|reference| self.misses(reference, &body.read(), &waiting));
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

    /// Whether a reference has a target that is not there.
    fn lacks(&mut self, reference: &Reference, body: &[u8]) -> bool {
        self.targets_of(reference, body).contains(&Target::Absent)
    }

    /// Whether a reference has a target that is not there, or waits itself.
    fn misses(&mut self, reference: &Reference, body: &[u8], waiting: &BTreeSet<Name>) -> bool {
        self.targets_of(reference, body).iter().any(|target| match target {
            Target::Absent => true,
            Target::Found(name) => {
                waiting.contains(name)
                    || !self.now.contains_key(name)
                        && self.situation.state.get(name.0, &name.1).is_some_and(|held| held.waits)
            }
        })
    }

    fn until(&self, reference: &Reference) -> Option<Timestamp> {
        let Missing::Park(time) = reference.missing else { return None };
        self.situation.now.checked_add(time).ok()
    }

    /// What a reference of a record leads to.
    fn targets_of(&mut self, reference: &Reference, body: &[u8]) -> Vec<Target> {
        let json = self.parse(body);
        let By::Members(pairs) = &reference.by else {
            let keys = target_keys(&reference.by, &json).into_iter().map(|key| (reference.to, key));
            return keys.map(|name| if self.is_there(&name) { Target::Found(name) } else { Target::Absent }).collect();
        };
        let own: Option<HashMap<_, _>> =
            pairs.iter().map(|pair| Some((pair.own.as_slice(), text(member(&json, &pair.own)?)?))).collect();
        let Some(own) = own else { return Vec::new() };
        let candidates = self.candidates(reference.to);
        let fits = |(_, members): &&Candidate| {
            pairs.iter().all(|pair| {
                let other = members.get(&pair.other);
                other.is_some_and(|other| agrees(pair, &own[pair.own.as_slice()], other))
            })
        };
        let found = candidates.iter().find(fits).map(|(name, _)| name.clone());
        vec![found.map_or(Target::Absent, Target::Found)]
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

    /// The record types, those that others refer to first. Those that refer to each other in a circle never wait.
    fn order(&self) -> Vec<RecordTypeId> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for (of, _) in self.types() {
            self.visit(of, &mut order, &mut seen);
        }
        order
    }

    fn visit(&self, of: RecordTypeId, order: &mut Vec<RecordTypeId>, seen: &mut BTreeSet<RecordTypeId>) {
        if !seen.insert(of) {
            return;
        }
        for reference in &self.record_type(of).references {
            self.visit(reference.to, order, seen);
        }
        order.push(of);
    }
}

/// A record that went along with another, or was emptied of it.
struct Went<'s> {
    because: Name,
    /// What was to become of it before.
    before: Option<Now<'s>>,
}

/// A record that may be a target, with its scalar members.
pub(super) type Candidate = (Name, BTreeMap<String, String>);

/// What a reference leads to.
#[derive(Debug, PartialEq, Eq)]
enum Target {
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
        By::Items(list) => pointer.member(list),
        By::Word { own, .. } => pointer.member(own),
        By::Members(_) => pointer,
    }
}

/// The keys of the records that `body` refers to.
fn target_keys(by: &By, body: &Json<'_>) -> Vec<String> {
    match by {
        By::Key(ways) => {
            let parts: Option<Vec<_>> = ways.iter().map(|way| member(body, way)).collect();
            parts.and_then(|parts| key_of(&parts)).into_iter().collect()
        }
        By::Items(list) => {
            let items = body.get(list).and_then(Json::as_list).unwrap_or_default();
            items.iter().filter_map(|item| key_of(&[item])).collect()
        }
        By::Word { own, word, says } => {
            let is_said = body.get(word).and_then(Json::as_text) == Some(says);
            let own = member(body, std::slice::from_ref(own)).filter(|_| is_said);
            own.and_then(|own| key_of(&[own])).into_iter().collect()
        }
        By::Members(_) => Vec::new(),
    }
}

/// A key, of its parts.
fn key_of(parts: &[&Json<'_>]) -> Option<String> {
    let parts = parts.iter().map(|part| (*part).clone()).collect();
    String::from_utf8(Json::List(parts).to_bytes()).ok()
}

/// Takes the member at the end of `way` away.
fn without(json: &mut Json<'_>, way: &[String]) {
    let Some((last, before)) = way.split_last() else { return };
    let holder = before.iter().try_fold(json, |json, name| match json {
        Json::Object(object) => object.get_mut(name),
        _ => None,
    });
    if let Some(Json::Object(object)) = holder {
        object.remove(last);
    }
}
