//! Finds the records of a body that is checked record by record, before anything else is known of them.

use rayon::prelude::*;

use crate::description::{Change, RecordType, RecordTypeId, Shape};
use crate::json::{Gaps, Items, Json, Pointer};
use crate::parcel::{self, Content, PARCEL_BYTES};
use crate::record::{Keeping, Sorted, sorted};

/// One record as a payload states it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What it is.
    pub of: RecordTypeId,
    /// Where it stands.
    pub pointer: Pointer,
    /// What is to become of it.
    pub change: Change,
    /// Whether it stands in an order with the others (`use: change`): then one record may come more than once.
    pub ordered: bool,
    /// What was sent, canonical JSON; lists without order are sorted.
    pub body: Content<'static>,
    /// The lists in it that were sorted.
    pub(crate) sorted: Vec<Sorted>,
}

/// The records of `body`, in its order; of several members of one object, those whose records others are computed from
/// come first. `gaps` are what was left out of it.
pub fn sent(body: &Json<'_>, gaps: &Gaps<'_>, shape: &Shape, types: &[RecordType], keeping: Keeping) -> Vec<Sent> {
    let mut finder = Finder { types, gaps, found: Vec::new() };
    finder.walk(body, shape, &mut Pointer::root(), Change::Upsert, false);
    if keeping == Keeping::Packed {
        finder.pack();
    }
    finder.found
}

struct Finder<'t> {
    types: &'t [RecordType],
    gaps: &'t Gaps<'t>,
    found: Vec<Sent>,
}

impl Finder<'_> {
    fn walk(&mut self, json: &Json<'_>, shape: &Shape, pointer: &mut Pointer, change: Change, ordered: bool) {
        match (shape, json) {
            (Shape::Record(of, members), json) => {
                let (json, sorted) = sorted(json.clone(), members, pointer);
                let (pointer, body) = (pointer.clone(), json.to_bytes().into());
                self.found.push(Sent { of: *of, pointer, change, ordered, body, sorted });
            }
            (Shape::Key(of), json) => self.bare(*of, json, pointer, change, ordered),
            (Shape::Either(one, other), json) => {
                let is_list = matches!(json, Json::List(_));
                let shape = if is_list == one.is_list() { one } else { other };
                self.walk(json, shape, pointer, change, ordered);
            }
            (Shape::Changed(change, shape), json) => self.walk(json, shape, pointer, *change, ordered),
            (Shape::Marked(name, shape), json) => {
                let change = json.get(name).and_then(Json::as_text).and_then(change_of).unwrap_or(change);
                self.walk(json, shape, pointer, change, true);
            }
            (Shape::List(shape) | Shape::Unordered(shape), Json::List(items)) => {
                if let Some(items) = self.gaps.at(pointer) {
                    return self.left_out(items, shape, pointer, change, ordered);
                }
                for (nth, item) in items.iter().enumerate() {
                    let length = pointer.descend(nth);
                    self.walk(item, shape, pointer, change, ordered);
                    pointer.ascend(length);
                }
            }
            (Shape::Object(members), json) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(_, shape)| self.rank(shape));
                for (name, shape) in members {
                    let Some(json) = json.get(name) else { continue };
                    let length = pointer.descend(name.as_str());
                    self.walk(json, shape, pointer, change, ordered);
                    pointer.ascend(length);
                }
            }
            _ => {}
        }
    }

    /// The records among items that were left out of the tree.
    fn left_out(&mut self, items: Items<'_, '_>, shape: &Shape, pointer: &Pointer, change: Change, ordered: bool) {
        let (types, gaps) = (self.types, self.gaps);
        let parts = items.parts(PARCEL_BYTES).into_par_iter().map(|part| {
            let mut finder = Finder { types, gaps, found: Vec::with_capacity(part.len()) };
            for nth in part {
                // That it can be read was seen before.
                let item = items.read(nth).unwrap_or(Json::Null);
                finder.walk(&item, shape, &mut pointer.item(nth), change, ordered);
            }
            finder.pack();
            finder.found
        });
        self.found.extend(parts.collect::<Vec<_>>().into_iter().flatten());
    }

    fn pack(&mut self) {
        parcel::pack(self.found.iter_mut().map(|sent| &mut sent.body));
    }

    /// A key that stands alone, as a record that has nothing else.
    fn bare(&mut self, of: RecordTypeId, json: &Json<'_>, pointer: &Pointer, change: Change, ordered: bool) {
        let key = self.types.get(usize::from(of.0)).and_then(|of| of.key.first()).and_then(|key| key.path.first());
        let Some(name) = key else { return };
        let body = Json::Object([(name.as_str().into(), json.clone())].into_iter().collect());
        let (pointer, body) = (pointer.clone(), body.to_bytes().into());
        self.found.push(Sent { of, pointer, change, ordered, body, sorted: Vec::new() });
    }

    /// How long a chain of computed members leads to the records at `shape`.
    fn rank(&self, shape: &Shape) -> usize {
        match shape {
            Shape::Plain => 0,
            Shape::Record(of, _) | Shape::Key(of) => self.depth(*of, self.types.len()),
            Shape::List(shape) | Shape::Unordered(shape) | Shape::Changed(_, shape) | Shape::Marked(_, shape) => {
                self.rank(shape)
            }
            Shape::Either(one, other) => self.rank(one).max(self.rank(other)),
            Shape::Object(members) => members.iter().map(|(_, shape)| self.rank(shape)).max().unwrap_or_default(),
        }
    }

    fn depth(&self, of: RecordTypeId, limit: usize) -> usize {
        let Some(limit) = limit.checked_sub(1) else { return 0 };
        let computed = self.types.get(usize::from(of.0)).map_or(&[][..], |of| &of.computed);
        let read = computed.iter().flat_map(|computed| &computed.reads).filter(|read| **read != of);
        read.map(|read| self.depth(*read, limit) + 1).max().unwrap_or_default()
    }
}

impl Shape {
    /// Whether lists have this shape.
    fn is_list(&self) -> bool {
        match self {
            Self::List(_) | Self::Unordered(_) => true,
            Self::Changed(_, shape) | Self::Marked(_, shape) => shape.is_list(),
            _ => false,
        }
    }
}

fn change_of(word: &str) -> Option<Change> {
    match word {
        "insert" => Some(Change::Insert),
        "update" => Some(Change::Update),
        "upsert" => Some(Change::Upsert),
        "delete" => Some(Change::Delete),
        _ => None,
    }
}
