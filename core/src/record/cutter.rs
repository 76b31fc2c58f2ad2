//! Turns the tree of a payload into its records: walks through it, and takes out of each record what is nested in it.
//!
//! Records that stand beside each other are cut beside each other, and put into the payload's order afterwards.

use std::borrow::Cow;
use std::collections::HashMap;

use rayon::prelude::*;

use super::{Cut, Record, Sorted, Trees, ancestors, key, too_long};
use crate::description::{RecordType, RecordTypeId, Shape};
use crate::digest::Digest;
use crate::json::{Json, Object, Pointer};
use crate::note::Note;

/// A record that others are nested in, while these are being cut.
pub(super) struct Ancestor<'c, 'a> {
    pub(super) of: &'c RecordType,
    pub(super) body: &'c Json<'a>,
    pub(super) parent: Option<&'c Ancestor<'c, 'a>>,
}

impl<'c, 'a> Ancestor<'c, 'a> {
    /// The ancestor `up` records above the one that this is the parent of; 1 is this one.
    pub(super) fn up(&'c self, up: usize) -> Option<&'c Ancestor<'c, 'a>> {
        (1..up).try_fold(self, |ancestor, _| ancestor.parent)
    }
}

/// Cuts a payload into its records.
pub(super) struct Cutter<'t, 'a> {
    types: &'t [RecordType],
    setting: Digest,
    /// Lists sorted since the present record began.
    pub(super) sorted: Vec<Sorted>,
    trees: Trees,
    records: Vec<Record<'a>>,
    /// What is too long in records, by their places.
    long: Vec<(usize, Note)>,
}

impl<'t, 'a> Cutter<'t, 'a> {
    pub(super) fn new(types: &'t [RecordType], setting: Digest, trees: Trees) -> Self {
        Self { types, setting, sorted: Vec::new(), trees, records: Vec::new(), long: Vec::new() }
    }

    /// All that was cut, and what is wrong with it, in the order of the payload.
    pub(super) fn finish(self) -> Cut<'a> {
        let mut places = HashMap::with_capacity(self.records.len());
        let mut long = self.long.into_iter().peekable();
        let mut rejections = Vec::new();
        for (at, record) in self.records.iter().enumerate() {
            if let Some(first) = places.get(&(record.of, record.key.as_str())) {
                let name = self.types.get(usize::from(record.of.0)).map_or("", |of| of.name.as_str());
                let message = format!("has the same key as the {name} at {first}");
                rejections.push(Note::new(record.pointer.clone(), "duplicate", message));
            } else {
                places.insert((record.of, record.key.as_str()), &record.pointer);
            }
            rejections.extend(std::iter::from_fn(|| long.next_if(|(of, _)| *of == at)).map(|(_, note)| note));
        }
        Cut { records: self.records, rejections }
    }

    /// Cuts `json`; gives back what stays in the record around it.
    pub(super) fn value(
        &mut self,
        json: Json<'a>,
        shape: &Shape,
        pointer: &mut Pointer,
        parent: Option<&Ancestor<'_, 'a>>,
    ) -> Option<Json<'a>> {
        let kept = match (shape, json) {
            (Shape::Record(of, members), Json::Object(object)) => {
                self.record(*of, members, object, pointer, parent);
                None
            }
            (Shape::Object(members), Json::Object(object)) => {
                let (kept, nested) = Self::split(object, members);
                let kept = kept.into_iter().chain(self.members(nested, pointer, parent)).collect();
                Some(Json::Object(kept))
            }
            (Shape::List(shape) | Shape::Unordered(shape), Json::List(items)) => {
                self.list(items, shape, pointer, parent)
            }
            (_, json) => Some(json),
        };
        if matches!(shape, Shape::Unordered(_)) { kept.map(|json| self.sort(json, pointer)) } else { kept }
    }

    /// A list whose order means nothing, in the one order that its items' canonical forms have.
    fn sort(&mut self, json: Json<'a>, pointer: &Pointer) -> Json<'a> {
        let Json::List(items) = json else { return json };
        let mut items: Vec<_> = items.into_iter().enumerate().collect();
        items.sort_by_cached_key(|(_, item)| item.to_bytes());
        let (was, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        if !was.is_sorted() {
            self.sorted.push(Sorted { list: pointer.clone(), was });
        }
        Json::List(items)
    }

    /// The items that stay; `None` where the items are records of their own.
    fn list(
        &mut self,
        items: Vec<Json<'a>>,
        shape: &Shape,
        pointer: &mut Pointer,
        parent: Option<&Ancestor<'_, 'a>>,
    ) -> Option<Json<'a>> {
        if *shape == Shape::Plain {
            return Some(Json::List(items));
        }
        if matches!(shape, Shape::Record(..)) {
            self.records(items, shape, pointer, parent);
            return None;
        }
        let mut kept = Vec::new();
        for (nth, item) in items.into_iter().enumerate() {
            let length = pointer.descend(nth);
            kept.extend(self.value(item, shape, pointer, parent));
            pointer.ascend(length);
        }
        Some(Json::List(kept))
    }

    /// Cuts records that stand beside each other: what comes of one follows from nothing in another.
    fn records(&mut self, items: Vec<Json<'a>>, shape: &Shape, pointer: &Pointer, parent: Option<&Ancestor<'_, 'a>>) {
        let (types, setting, trees) = (self.types, self.setting, self.trees);
        let parts = items.into_par_iter().enumerate().map(|(nth, item)| {
            let (mut part, mut pointer) = (Self::new(types, setting, trees), pointer.clone());
            pointer.descend(nth);
            part.value(item, shape, &mut pointer, parent);
            part
        });
        for part in parts.collect::<Vec<_>>() {
            let before = self.records.len();
            self.long.extend(part.long.into_iter().map(|(at, note)| (before + at, note)));
            self.records.extend(part.records);
        }
    }

    /// Parts an object's members into those to take as they are and those to look into.
    #[expect(clippy::type_complexity, reason = "two lists of members, used right where they are made")]
    fn split<'s>(
        object: Object<'a>,
        shapes: &'s [(String, Shape)],
    ) -> (Vec<(Cow<'a, str>, Json<'a>)>, Vec<(Cow<'a, str>, Json<'a>, &'s Shape)>) {
        let mut kept = Vec::with_capacity(object.len());
        let mut nested = Vec::new();
        for (name, json) in object.into_members() {
            match shapes.iter().find(|(shaped, _)| *shaped == name) {
                Some((_, shape)) => nested.push((name, json, shape)),
                None => kept.push((name, json)),
            }
        }
        (kept, nested)
    }

    /// Cuts members; gives back what stays of them.
    fn members(
        &mut self,
        nested: Vec<(Cow<'a, str>, Json<'a>, &Shape)>,
        pointer: &mut Pointer,
        parent: Option<&Ancestor<'_, 'a>>,
    ) -> Vec<(Cow<'a, str>, Json<'a>)> {
        let mut kept = Vec::new();
        for (name, json, shape) in nested {
            let length = pointer.descend(name.as_ref());
            kept.extend(self.value(json, shape, pointer, parent).map(|json| (name, json)));
            pointer.ascend(length);
        }
        kept
    }

    fn record(
        &mut self,
        of: RecordTypeId,
        shapes: &[(String, Shape)],
        object: Object<'a>,
        pointer: &mut Pointer,
        parent: Option<&Ancestor<'_, 'a>>,
    ) {
        let Some(description) = self.types.get(usize::from(of.0)) else { return };
        let (kept, mut nested) = Self::split(object, shapes);
        // Members that hold no records belong to this one; they are in its body before any child looks up to it.
        let own: Vec<_> = nested.extract_if(.., |(_, _, shape)| !shape.holds_records()).collect();
        let own = self.members(own, pointer, parent);
        let sorted = std::mem::take(&mut self.sorted);
        let body = Json::Object(kept.into_iter().chain(own).collect());

        let key = key(description, &body, parent);
        let at = self.records.len();
        for mut note in too_long(description, Some(&key), &body) {
            note.pointer = note.pointer.steps().fold(pointer.clone(), |place, step| place.member(&step));
            self.long.push((at, note));
        }
        let bytes = body.to_bytes();
        let ancestors = ancestors(description, parent).to_bytes();
        let parts = [self.setting.as_bytes(), description.name.as_bytes(), &bytes, &ancestors];
        self.records.push(Record {
            of,
            key,
            pointer: pointer.clone(),
            digest: Digest::of_parts(parts),
            bytes: bytes.into(),
            tree: None,
            ancestors,
            sorted,
        });
        let ancestor = Ancestor { of: description, body: &body, parent };
        self.members(nested, pointer, Some(&ancestor));
        if self.trees == Trees::Kept {
            self.records[at].tree = Some(body);
        }
    }
}

impl Shape {
    /// Whether records are cut out of this place.
    fn holds_records(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Record(..) | Self::Key(_) => true,
            Self::List(shape) | Self::Unordered(shape) | Self::Changed(_, shape) | Self::Marked(_, shape) => {
                shape.holds_records()
            }
            Self::Either(one, other) => one.holds_records() || other.holds_records(),
            Self::Object(members) => members.iter().any(|(_, shape)| shape.holds_records()),
        }
    }
}
