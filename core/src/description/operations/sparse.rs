//! Turns the schema of a body into a [`Sparse`]: which lists of a large one can be looked at item by item.
//!
//! A value is valid if what is around the items of a list is, and each item is, as long as no word of the schemas on the way
//! looks at several items at once, or at one from two sides. Only words of which that is certain are let through here; a
//! body with others is read as a whole, however large it is.

use serde_json::{Map, Value};

use super::Operations;
use crate::description::{Must, RecordTypeId, Shape, Sparse};
use crate::json::{Hop, Pointer};
use crate::language::{Document, reference};
use crate::validate::Schema;

/// Words that demand nothing.
const NOTES: [&str; 9] =
    ["title", "description", "$comment", "default", "deprecated", "example", "examples", "readOnly", "writeOnly"];

/// Words that demand something of a list as such, and of each item.
const OF_LISTS: [&str; 4] = ["type", "items", "minItems", "maxItems"];

/// Words that demand something of an object as such, and of each member.
const OF_OBJECTS: [&str; 6] =
    ["type", "properties", "required", "additionalProperties", "minProperties", "maxProperties"];

/// How many schemas may refer to each other in a row.
const REFERENCES_MAX: usize = 16;

/// A list whose items are records that hold no others.
struct Found {
    way: Vec<Hop>,
    /// Where the schema of its items stands.
    items: Pointer,
}

impl Operations<'_, '_, '_> {
    /// How a large body is read that is described at `at`; `None` where that can be done as a whole only.
    pub(super) fn sparse(
        &self,
        at: &Pointer,
        shape: &Shape,
        one_by_one: bool,
        must: &[(Vec<String>, Must)],
    ) -> Option<Sparse> {
        let is_record = |items: &Pointer, of: RecordTypeId| {
            let place = settled(self.document, items, &[]).map(|(place, _)| place);
            place.as_ref() == Some(self.records.place_of(of)) || items == self.records.place_of(of)
        };
        let mut walk = Walk {
            document: self.document,
            found: Vec::new(),
            is_record: &|items, of| !one_by_one || is_record(items, of),
        };
        walk.value(at, shape, &mut Vec::new())?;
        let found = walk.found;
        if found.is_empty() || must.iter().any(|(way, _)| found.iter().any(|list| leads_to(way, &list.way))) {
            return None;
        }
        let mut sparse = Sparse { ways: found.iter().map(|list| list.way.clone()).collect(), ..Sparse::default() };
        if !one_by_one {
            let items: Option<Vec<_>> =
                found.iter().map(|list| self.schemas.compile(list.items.as_str()).ok()).collect();
            let open: Vec<_> = found.iter().map(|list| list.items.as_str()).collect();
            sparse.items = items?;
            sparse.around = Some(Schema::compile_around(self.document.root(), at.as_str(), &open).ok()?);
        }
        Some(sparse)
    }
}

/// Whether the members that `way` names lead to a list, or to something around it.
fn leads_to(way: &[String], list: &[Hop]) -> bool {
    way.len() <= list.len()
        && way.iter().zip(list).all(|(name, hop)| matches!(hop, Hop::Member(member) if member == name))
}

/// Walks schemas and shape side by side.
struct Walk<'w> {
    document: &'w Document,
    found: Vec<Found>,
    /// Whether the schema of a list's items is that of a record, and nothing beside it.
    is_record: &'w dyn Fn(&Pointer, RecordTypeId) -> bool,
}

impl Walk<'_> {
    /// Finds the lists in what is described at `at`; `None` where it is not certain what the schemas demand of them.
    fn value(&mut self, at: &Pointer, shape: &Shape, way: &mut Vec<Hop>) -> Option<()> {
        match shape {
            Shape::Changed(_, shape) | Shape::Marked(_, shape) => self.value(at, shape, way),
            Shape::Object(members) | Shape::Record(_, members) => self.members(at, members, way),
            Shape::List(items) | Shape::Unordered(items) if items.holds_records() => self.list(at, items, way),
            Shape::Either(list, object) => self.either(at, list, object, way),
            Shape::Plain | Shape::List(_) | Shape::Unordered(_) | Shape::Key(_) => Some(()),
        }
    }

    fn members(&mut self, at: &Pointer, members: &[(String, Shape)], way: &mut Vec<Hop>) -> Option<()> {
        let (here, schema) = settled(self.document, at, &OF_OBJECTS)?;
        for (name, shape) in members.iter().filter(|(_, shape)| shape.holds_records()) {
            schema.get("properties")?.get(name)?;
            way.push(Hop::Member(name.clone()));
            self.value(&here.member("properties").member(name), shape, way)?;
            way.pop();
        }
        Some(())
    }

    fn list(&mut self, at: &Pointer, items: &Shape, way: &mut Vec<Hop>) -> Option<()> {
        let (here, schema) = settled(self.document, at, &OF_LISTS)?;
        schema.get("items")?;
        let at = here.member("items");
        let Shape::Record(of, members) = items else { return None };
        if !members.iter().any(|(_, shape)| shape.holds_records()) {
            self.found.push(Found { way: way.clone(), items: at.clone() });
            return (self.is_record)(&at, *of).then_some(());
        }
        way.push(Hop::Item);
        self.members(&at, members, way)?;
        way.pop();
        Some(())
    }

    /// A list or an object, which its type tells.
    fn either(&mut self, at: &Pointer, list: &Shape, object: &Shape, way: &mut Vec<Hop>) -> Option<()> {
        let (here, schema) = settled(self.document, at, &["oneOf"])?;
        for nth in 0..schema.get("oneOf")?.as_array()?.len() {
            let at = here.member("oneOf").item(nth);
            let is_list =
                settled(self.document, &at, &OF_LISTS).is_some_and(|(_, schema)| schema.contains_key("items"));
            self.value(&at, if is_list { list } else { object }, way)?;
        }
        Some(())
    }
}

/// The schema at `at`, or what it refers to, where nothing on the way demands anything and it says nothing but these
/// `words`; any words, where there are none.
fn settled<'d>(document: &'d Document, at: &Pointer, words: &[&str]) -> Option<(Pointer, &'d Map<String, Value>)> {
    let mut at = at.clone();
    for _ in 0..REFERENCES_MAX {
        let schema = document.get(&at)?.as_object()?;
        let target = reference(document.get(&at)?);
        let is_known = |word: &str| {
            let known = if target.is_some() { &["$ref"] } else { words };
            NOTES.contains(&word) || word.starts_with("x-") || known.contains(&word)
        };
        let is_open = words.is_empty() && target.is_none();
        if !(is_open || schema.keys().all(|word| is_known(word))) {
            return None;
        }
        match target {
            Some(target) => at = target,
            None => return Some((at, schema)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::leads_to;
    use crate::json::Hop;

    #[test]
    fn conditions_on_what_is_around_a_list_look_at_it() {
        let member = |name: &str| Hop::Member(name.to_owned());
        let list = [member("library"), Hop::Item, member("shelves")];
        let way = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (names, leads) in [(&[][..], true), (&["library"], true), (&["name"], false), (&["library", "name"], false)]
        {
            assert_eq!(leads_to(&way(names), &list), leads, "{names:?}");
        }
    }
}
