//! Turns the tree of a payload into its records: walks through it, and takes out of each record what is nested in it.
//!
//! Records that stand beside each other are cut beside each other, and put into the payload's order afterwards.

use std::borrow::Cow;
use std::collections::HashMap;

use rayon::prelude::*;

use super::{Cut, Keeping, Record, Sorted, ancestors, key, too_long};
use crate::description::{RecordType, RecordTypeId, Shape};
use crate::digest::Digest;
use crate::json::{Gaps, Json, Object, Pointer};
use crate::note::Note;
use crate::parcel::{self, PARCEL_BYTES};

/// Records that are cut one after the other where they are packed, unless they were left out of the tree.
const CUT_TOGETHER: usize = 16;

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
    keeping: Keeping,
    gaps: &'t Gaps<'a>,
    records: Vec<Record<'a>>,
    /// How many of the records are packed, and bytes of the others.
    packed: usize,
    loose: usize,
    /// What is too long in records, by their places.
    long: Vec<(usize, Note)>,
}

impl<'t, 'a> Cutter<'t, 'a> {
    pub(super) fn new(types: &'t [RecordType], setting: Digest, keeping: Keeping, gaps: &'t Gaps<'a>) -> Self {
        let (sorted, records, long) = (Vec::new(), Vec::new(), Vec::new());
        Self { types, setting, sorted, keeping, gaps, records, packed: 0, loose: 0, long }
    }

    /// All that was cut, and what is wrong with it, in the order of the payload.
    pub(super) fn finish(mut self) -> Cut<'a> {
        self.pack(1);
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
        if self.keeping == Keeping::Loose {
            let parts = items.into_par_iter().enumerate().map(|(nth, item)| {
                let mut part = self.beside();
                part.item(nth, item, shape, pointer, parent);
                part
            });
            return parts.collect::<Vec<_>>().into_iter().for_each(|part| self.add(part));
        }
        let left_out = self.gaps.at(pointer);
        let length = items.len();
        let evenly = || (0..length).step_by(CUT_TOGETHER).map(|from| from..length.min(from + CUT_TOGETHER)).collect();
        let ranges: Vec<_> = left_out.map_or_else(evenly, |left_out| left_out.parts(PARCEL_BYTES));
        let mut items = items.into_iter();
        let parts: Vec<_> = ranges
            .into_iter()
            .map(|range| (range.start, items.by_ref().take(range.len()).collect::<Vec<_>>()))
            .collect();
        let are_many = parts.len() > 1;
        let parts = parts.into_par_iter().map(|(first, items)| {
            let mut part = self.beside();
            for (nth, item) in (first..).zip(items) {
                // That it can be read was seen before.
                let item = left_out.map_or(item, |left_out| left_out.read(nth).unwrap_or(Json::Null));
                part.item(nth, item, shape, pointer, parent);
                part.pack(PARCEL_BYTES);
            }
            // Of a few, as many go into a parcel as are beside them.
            if are_many {
                part.pack(1);
            }
            part
        });
        parts.collect::<Vec<_>>().into_iter().for_each(|part| self.add(part));
    }

    /// Cuts one of several records that stand beside each other at `pointer`.
    fn item(
        &mut self,
        nth: usize,
        item: Json<'a>,
        shape: &Shape,
        pointer: &Pointer,
        parent: Option<&Ancestor<'_, 'a>>,
    ) {
        let mut pointer = pointer.clone();
        pointer.descend(nth);
        self.value(item, shape, &mut pointer, parent);
    }

    /// Another one, for what stands beside.
    fn beside(&self) -> Self {
        Self::new(self.types, self.setting, self.keeping, self.gaps)
    }

    /// Adds what another one has cut.
    fn add(&mut self, part: Self) {
        let before = self.records.len();
        self.long.extend(part.long.into_iter().map(|(at, note)| (before + at, note)));
        self.records.extend(part.records);
        self.loose += part.loose;
    }

    /// Packs the records that are loose yet, once these have so many bytes, where records are packed.
    fn pack(&mut self, bytes_min: usize) {
        if self.keeping == Keeping::Packed && self.loose >= bytes_min {
            parcel::pack(self.records[self.packed..].iter_mut().map(|record| &mut record.content));
            (self.packed, self.loose) = (self.records.len(), 0);
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
        self.loose += bytes.len();
        self.records.push(Record {
            of,
            key,
            pointer: pointer.clone(),
            digest: Digest::of_parts(parts),
            content: bytes.into(),
            tree: None,
            ancestors,
            sorted,
        });
        let ancestor = Ancestor { of: description, body: &body, parent };
        self.members(nested, pointer, Some(&ancestor));
        if self.keeping == Keeping::Loose {
            self.records[at].tree = Some(body);
        }
    }
}
