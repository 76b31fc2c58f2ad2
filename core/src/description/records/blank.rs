//! Tells the record types that clients write one by one from those that come in snapshots and merges.
//!
//! What is cut out of a payload is kept as it was sent, `null` and all, because a partner may mean something by it. What
//! clients write member by member has no such history: there `null` empties a member, and an absent one is shown as
//! `null`. So these types are *blank*: their nullable members have typed columns, and what is `null` is absent.

use std::collections::BTreeSet;

use super::{Draft, Records};
use crate::description::RecordTypeId;
use crate::description::findings::Findings;
use crate::description::outline::Outline;
use crate::json::Pointer;
use crate::language::schema::properties;
use crate::language::{Diagnostic, EXTENSION, keys, words};

impl Records<'_> {
    /// Whether no snapshot and no merge holds records of this type.
    pub(in crate::description) fn is_blank(&self, id: RecordTypeId) -> bool {
        !self.held.contains(&id)
    }

    /// The record types that no client can make, those that are nested in another of them left out: they are the
    /// operator's.
    pub(in crate::description) fn of_operator(&self) -> Vec<RecordTypeId> {
        let made = self.outline.operations.iter().flat_map(|operation| made_by(&operation.keys));
        let made: BTreeSet<_> = made.filter_map(|name| self.id(name)).collect();
        let of_nobody: Vec<_> = self.ids().filter(|id| self.is_blank(*id) && !made.contains(id)).collect();
        let inner = of_nobody.iter().flat_map(|id| self.nested_in(self.place_of(*id)));
        let inner: BTreeSet<_> = inner.collect();
        of_nobody.into_iter().filter(|id| !inner.contains(id)).collect()
    }

    /// The record types that snapshots and merges hold, those nested in others among them.
    pub(super) fn held(&self, outline: &Outline) -> BTreeSet<RecordTypeId> {
        let named = outline.operations.iter().flat_map(|operation| taken_in_by(&operation.keys));
        let named: Vec<_> = named.filter_map(|name| self.id(name)).collect();
        let nested = named.iter().flat_map(|id| self.nested_in(self.place_of(*id)));
        nested.chain(named.iter().copied()).collect()
    }

    /// The record types that stand somewhere in the schema at `at`.
    fn nested_in(&self, at: &Pointer) -> BTreeSet<RecordTypeId> {
        let (mut found, mut seen, mut left) = (BTreeSet::new(), BTreeSet::new(), vec![at.clone()]);
        while let Some((here, schema)) = left.pop().and_then(|at| self.document.resolve(&at)) {
            if !seen.insert(here.clone()) {
                continue;
            }
            found.extend(self.by_place.get(&here).filter(|_| here != *at));
            left.extend(words::subschemas(&here, schema));
        }
        found
    }

    /// What clients write one by one holds no records of its own yet.
    pub(super) fn refuse_nested_in_blank(&self, id: RecordTypeId, draft: &Draft, findings: &mut Findings<'_>) {
        let derived = self.derived_names(id);
        let stored = properties(self.document, &draft.at).into_iter();
        for property in stored.filter(|property| !derived.contains(&property.name)) {
            let Some(inner) = self.nested_in_property(&property.at) else { continue };
            let place = self.document.reference_place(&property.at);
            let problem = Diagnostic::at(place, "not supported yet: records in what clients write one by one");
            let key = self.place_of(inner).member(EXTENSION).member("key");
            let problem = problem.related(self.document.key_place(&key), "this makes it a record");
            findings.report(problem.hint("leave the `key` out; `match` tells the items of a list apart"));
        }
    }

    fn nested_in_property(&self, at: &Pointer) -> Option<RecordTypeId> {
        let (here, _) = self.document.resolve(at)?;
        self.by_place.get(&here).copied().or_else(|| self.nested_in(at).into_iter().next())
    }
}

/// The records that an operation takes in many at a time.
fn taken_in_by(keys: &keys::Operation) -> impl Iterator<Item = &str> {
    let many = [&keys.snapshot, &keys.merge].into_iter().flatten();
    many.flat_map(keys::OneOrMany::as_slice).map(String::as_str)
}

/// The records that an operation makes one at a time.
fn made_by(keys: &keys::Operation) -> impl Iterator<Item = &str> {
    [&keys.create, &keys.upsert].into_iter().flatten().map(String::as_str)
}
