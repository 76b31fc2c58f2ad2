//! Turns the bytes of a large payload into a tree that has gaps: the items of certain lists are left out of it, and each is
//! read when it is looked at.
//!
//! A tree takes several times the memory of its bytes. Of a payload that is one long list of records, or a few thousand
//! short ones, next to nothing is left with gaps in their place.

use std::collections::BTreeMap;
use std::ops::Range;

use jiter::Jiter;

use super::{Json, Malformed, Pointer, Reader, Step};

/// A step on the way to a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// To the member of this name.
    Member(String),
    /// To any item.
    Item,
}

/// The lists whose items were left out of a tree, where they stand. `null` stands there for each item.
#[derive(Debug, Default)]
pub struct Gaps<'a> {
    text: &'a str,
    lists: BTreeMap<Pointer, List>,
}

/// A list whose items were left out.
#[derive(Debug)]
struct List {
    /// Which of the ways that were asked for led here.
    way: usize,
    /// Levels that the items may have.
    depth_max: u32,
    items: Vec<Range<usize>>,
}

/// The items that were left out of one list.
#[derive(Debug, Clone, Copy)]
pub struct Items<'g, 'a> {
    text: &'a str,
    list: &'g List,
}

impl<'a> Gaps<'a> {
    /// Reads a whole document as [`Json::parse`] does, without the items of those lists to which one of these ways leads. Of
    /// these, it is only certain that they end where they should.
    pub fn parse(bytes: &'a [u8], depth_max: u32, ways: &[Vec<Hop>]) -> Result<(Json<'a>, Self), Malformed> {
        let text = str::from_utf8(bytes).map_err(|error| Malformed::Encoding { offset: error.valid_up_to() })?;
        let left_out = LeftOut { ways, lists: BTreeMap::new() };
        let mut reader = Reader { text, jiter: Jiter::new(bytes), path: Vec::new(), depth_max, left_out };
        let json = reader.document()?;
        Ok((json, Self { text, lists: reader.left_out.lists }))
    }

    /// The items that were left out of the list at this place, if some were.
    pub fn at(&self, pointer: &Pointer) -> Option<Items<'_, 'a>> {
        if self.lists.is_empty() {
            return None;
        }
        self.lists.get(pointer).map(|list| Items { text: self.text, list })
    }

    /// All lists whose items were left out, by their places.
    pub fn lists(&self) -> impl Iterator<Item = (&Pointer, Items<'_, 'a>)> {
        self.lists.iter().map(|(pointer, list)| (pointer, Items { text: self.text, list }))
    }
}

impl<'a> Items<'_, 'a> {
    /// Which of the ways that were asked for leads to them.
    pub fn way(&self) -> usize {
        self.list.way
    }

    /// The item at a place.
    pub fn read(&self, nth: usize) -> Result<Json<'a>, Malformed> {
        let range = self.list.items[nth].clone();
        Json::parse(&self.text.as_bytes()[range], self.list.depth_max)
    }

    /// Their places, so many together as have so many bytes, or one.
    pub fn parts(&self, bytes_max: usize) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut start, mut size) = (0, 0);
        for (at, item) in self.list.items.iter().enumerate() {
            if at > start && size + item.len() > bytes_max {
                parts.push(start..at);
                (start, size) = (at, 0);
            }
            size += item.len();
        }
        if start < self.list.items.len() {
            parts.push(start..self.list.items.len());
        }
        parts
    }
}

/// What a reader leaves out.
#[derive(Default)]
pub(super) struct LeftOut<'w> {
    ways: &'w [Vec<Hop>],
    lists: BTreeMap<Pointer, List>,
}

impl LeftOut<'_> {
    /// Which of the ways leads here.
    pub(super) fn way(&self, path: &[Step<'_>]) -> Option<usize> {
        let leads_here = |way: &Vec<Hop>| {
            let same = |(hop, step): (&Hop, &Step<'_>)| match (hop, step) {
                (Hop::Member(name), Step::Member(member)) => name == member,
                (Hop::Item, Step::Item(_)) => true,
                _ => false,
            };
            way.len() == path.len() && way.iter().zip(path).all(same)
        };
        self.ways.iter().position(leads_here)
    }
}

impl<'a> Reader<'a, '_> {
    /// The list that begins here, without its items.
    pub(super) fn without_items(&mut self, way: usize) -> Result<Json<'a>, Malformed> {
        let mut items = Vec::new();
        let mut next = self.jiter.known_array().map_err(|error| self.syntax(&error))?;
        while let Some(first) = next {
            self.enter(Step::Item(items.len()))?;
            let start = self.jiter.current_index();
            self.jiter.known_skip(first).map_err(|error| self.syntax(&error))?;
            items.push(start..self.jiter.current_index());
            self.path.pop();
            next = self.jiter.array_step().map_err(|error| self.syntax(&error))?;
        }
        let depth = u32::try_from(self.path.len()).unwrap_or(u32::MAX);
        let json = Json::List(vec![Json::Null; items.len()]);
        let depth_max = self.depth_max.saturating_sub(depth).saturating_sub(1);
        self.left_out.lists.insert(self.pointer(), List { way, depth_max, items });
        Ok(json)
    }
}

#[cfg(test)]
mod tests {
    use super::{Gaps, Hop};
    use crate::json::{Json, Pointer};

    fn ways() -> Vec<Vec<Hop>> {
        let member = |name: &str| Hop::Member(name.to_owned());
        vec![vec![member("rooms"), Hop::Item, member("shelves")], vec![member("readers")]]
    }

    #[test]
    fn what_was_left_out_is_read_as_it_stands() {
        let text = r#"{"rooms": [{"id": 1, "shelves": [ {"no": [7]} , 8, "\n"]}, {"shelves": []}, {"shelves": {}}],
            "readers": null, "shelves": [1]}"#;
        let (json, gaps) = Gaps::parse(text.as_bytes(), 64, &ways()).unwrap();
        let canonical = String::from_utf8(json.to_bytes()).unwrap();
        assert_eq!(
            canonical,
            r#"{"readers":null,"rooms":[{"id":1,"shelves":[null,null,null]},{"shelves":[]},{"shelves":{}}],"shelves":[1]}"#
        );
        let lists: Vec<_> = gaps.lists().map(|(pointer, items)| (pointer.as_str(), items.way())).collect();
        assert_eq!(lists, [("/rooms/0/shelves", 0), ("/rooms/1/shelves", 0)]);
        let items = gaps.at(&Pointer::from("/rooms/0/shelves")).unwrap();
        let whole = Json::parse(text.as_bytes(), 64).unwrap();
        let list = whole.get("rooms").unwrap().as_list().unwrap()[0].get("shelves").unwrap().as_list().unwrap();
        assert_eq!((0..3).map(|nth| items.read(nth).unwrap()).collect::<Vec<_>>(), list);
        assert_eq!(items.parts(1), [0..1, 1..2, 2..3]);
        assert_eq!(items.parts(12), [0..2, 2..3]);
        assert_eq!(items.parts(99), vec![0..3]);
        assert!(gaps.at(&Pointer::from("/rooms/1/shelves")).unwrap().parts(1).is_empty());
    }

    #[test]
    fn what_was_left_out_may_be_as_deep_as_the_rest_leaves_room_for() {
        for depth_max in 0..9 {
            for text in [r#"{"readers":[{"a":[[1]]}]}"#, r#"{"readers":[1]}"#, r#"{"readers":[]}"#] {
                let whole = Json::parse(text.as_bytes(), depth_max).is_ok();
                let gaps = Gaps::parse(text.as_bytes(), depth_max, &ways());
                let all = |(_, gaps): (_, Gaps<'_>)| {
                    gaps.lists().all(|(_, items)| items.parts(1).iter().all(|part| items.read(part.start).is_ok()))
                };
                assert_eq!(gaps.is_ok_and(all), whole, "{text} at {depth_max}");
            }
        }
    }
}
