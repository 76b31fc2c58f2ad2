//! Turns `value` without `at` on members of blank records into [`Derived`]s: what is computed whenever a record is read,
//! and so is never stale.

use std::collections::BTreeSet;

use super::functions::Function;
use super::members::Member;
use super::{Draft, Records};
use crate::description::expression::Type;
use crate::description::findings::Findings;
use crate::description::{Derived, RecordTypeId, scope};
use crate::language::Diagnostic;
use crate::language::schema::{is_read_only, property};

impl Records<'_> {
    /// The members of a record of this type that are computed whenever it is read.
    pub(super) fn derived(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        members: &[Member],
        findings: &mut Findings<'_>,
    ) -> Vec<Derived> {
        if !self.is_blank(id) {
            return Vec::new();
        }
        let computed =
            members.iter().filter(|member| is_derived(member.keys.value.as_deref(), member.keys.at.is_some()));
        let derived: Vec<_> = computed.filter_map(|member| self.derived_member(id, member, findings)).collect();
        self.refuse_circles(draft, &derived, findings);
        derived
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
        if !is_read_only(self.document, &member.at) {
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
        let value = scope::compile_beside(self.document, &word, source, &own, &around, findings)?;
        let wanted = Type::of_schema(self.document, &member.at);
        if !value.of().fits(&wanted) {
            let problem = format!("expected {wanted}, found {}", value.of());
            findings.report(Diagnostic::at(self.document.place(&word), problem));
        }
        Some(Derived { name: member.name.clone(), value })
    }

    /// A member that is computed from itself, over however many others, is never computed.
    fn refuse_circles(&self, draft: &Draft, derived: &[Derived], findings: &mut Findings<'_>) {
        for one in derived {
            let mut reached: BTreeSet<&str> = BTreeSet::new();
            let mut left = vec![one];
            while let Some(next) = left.pop() {
                for other in derived.iter().filter(|other| next.value.speaks_of(&other.name)) {
                    if reached.insert(&other.name) {
                        left.push(other);
                    }
                }
            }
            if reached.contains(one.name.as_str())
                && let Some(found) = property(self.document, &draft.at, &one.name)
            {
                let word = self.outline.word(self.document, &found.at, "value");
                let problem = format!("`{}` is computed from itself", one.name);
                let problem = Diagnostic::at(self.document.place(&word), problem);
                let others: Vec<_> = reached.into_iter().filter(|name| *name != one.name).collect();
                findings.report(match others.as_slice() {
                    [] => problem,
                    others => problem.hint(format!("by way of: {}", others.join(", "))),
                });
            }
        }
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
