//! Turns `value` without `at` on members of blank records into [`Derived`]s: what is computed whenever a record is read,
//! and so is never stale.

use std::collections::{BTreeMap, BTreeSet};

use super::Records;
use super::functions::Function;
use super::members::Member;
use crate::description::expression::Type;
use crate::description::findings::Findings;
use crate::description::{Derived, RecordType, RecordTypeId, scope};
use crate::language::Diagnostic;
use crate::language::schema::{is_read_only, property, said};

/// A member of a record type.
type Place = (RecordTypeId, String);

impl Records<'_> {
    /// The members of a record of this type that are computed whenever it is read.
    pub(super) fn derived(&self, id: RecordTypeId, members: &[Member], findings: &mut Findings<'_>) -> Vec<Derived> {
        if !self.is_blank(id) {
            return Vec::new();
        }
        let computed =
            members.iter().filter(|member| is_derived(member.keys.value.as_deref(), member.keys.at.is_some()));
        computed.filter_map(|member| self.derived_member(id, member, findings)).collect()
    }

    fn derived_member(&self, id: RecordTypeId, member: &Member, findings: &mut Findings<'_>) -> Option<Derived> {
        let word = self.outline.word(self.document, &member.at, "value");
        findings.understand(word.clone());
        if !member.way.is_empty() {
            let place = self.document.key_place(&word);
            let problem = Diagnostic::at(
                place,
                "not supported yet: a member inside of a record that is computed when it is read",
            );
            findings.report(problem.hint("compute the record's own member, or add `at` to store it"));
            return None;
        }
        let is_hidden = said(self.document, &member.at, "writeOnly") == Some(&true.into());
        if !is_read_only(self.document, &member.at) && !is_hidden {
            let problem = format!("`{}` is computed when it is read, and nobody can write it", member.name);
            let problem = Diagnostic::at(self.document.key_place(&member.at), problem);
            findings.report(
                problem.hint("add `readOnly: true`, so that clients know; or `at: create`, which makes it a default"),
            );
        }
        if member.keys.refers.is_some() {
            let at = self.outline.word(self.document, &member.at, "ref");
            findings.understand(at.clone());
            let problem =
                Diagnostic::at(self.document.key_place(&at), "what is computed when it is read refers to nothing");
            findings.report(problem.related(self.document.key_place(&word), "computed here"));
        }
        let (source, own, around) = (member.keys.value.as_deref()?, self.read_members(id), self.stored_around());
        let value = scope::compile_stored(self.document, &word, source, &own, &around, findings)?;
        // What comes to nothing is shown like what is absent.
        let wanted = Type::of_schema(self.document, &member.at);
        if !value.of().unwrapped().fits(wanted.unwrapped()) {
            let problem = format!("expected {wanted}, found {}", value.of());
            findings.report(Diagnostic::at(self.document.place(&word), problem));
        }
        Some(Derived { name: member.name.clone(), value })
    }

    /// A member that is computed from itself, over however many others, is never computed.
    pub(super) fn refuse_circles_of_derived(&self, types: &[RecordType], findings: &mut Findings<'_>) {
        let all: BTreeMap<_, _> = self
            .ids()
            .zip(types)
            .flat_map(|(id, of)| of.derived.iter().map(move |derived| ((id, derived.name.clone()), derived)))
            .collect();
        for start in all.keys() {
            let mut reached: BTreeSet<Place> = BTreeSet::new();
            let mut left = vec![start.clone()];
            while let Some(derived) = left.pop().and_then(|next| all.get_key_value(&next)) {
                let ((id, _), derived) = derived;
                let read = derived
                    .value
                    .reads()
                    .into_iter()
                    .filter_map(|(of, name)| Some((of.map_or(Some(*id), |of| self.id(&of))?, name)));
                left.extend(read.filter(|read| all.contains_key(read) && reached.insert(read.clone())));
            }
            if reached.contains(start) {
                self.report_circle(start, &reached, findings);
            }
        }
    }

    fn report_circle(&self, (id, name): &Place, reached: &BTreeSet<Place>, findings: &mut Findings<'_>) {
        let Some(found) = property(self.document, self.place_of(*id), name) else { return };
        let place = self.document.place(&self.outline.word(self.document, &found.at, "value"));
        let problem = Diagnostic::at(place, format!("`{name}` is computed from itself"));
        let others = reached.iter().filter(|(of, other)| (of, other) != (id, name));
        let others: Vec<_> = others.map(|(of, other)| format!("{}.{other}", self.name(*of))).collect();
        findings.report(match others.as_slice() {
            [] => problem,
            others => problem.hint(format!("by way of: {}", others.join(", "))),
        });
    }

    /// The names of the members of a record of this type that are computed whenever it is read.
    pub(super) fn derived_names(&self, id: RecordTypeId) -> BTreeSet<String> {
        if !self.is_blank(id) {
            return BTreeSet::new();
        }
        let draft = &self.drafts[usize::from(id.0)];
        self.names_where(draft, |keys| is_derived(keys.value.as_deref(), keys.at.is_some()))
    }
}

/// Whether a value is computed when it is read: some functions are stored without saying when.
fn is_derived(value: Option<&str>, is_stored: bool) -> bool {
    value.is_some_and(|source| !is_stored && Function::read(source).is_none())
}
