//! Turns `value` with `at` on members of records into [`Computed`]s, which are stored: what a member is where it is
//! absent, or whatever is there where only the server writes it.

use super::functions::Function;
use super::members::Member as RecordMember;
use super::{Draft, Records};
use crate::description::expression::{Expression, Member, Type};
use crate::description::findings::Findings;
use crate::description::{Computation, Computed, RecordTypeId, Step, scope};
use crate::json::Pointer;
use crate::language::Diagnostic;
use crate::language::schema::is_read_only;

impl Records<'_> {
    /// What is computed of a record of this type, and stored. `counted` is what is not, because the items of lists are
    /// numbered when they are added.
    pub(super) fn computed(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        members: &[RecordMember],
        counted: &[(String, String)],
        findings: &mut Findings<'_>,
    ) -> Vec<Computed> {
        let mut computed = Vec::new();
        for member in members {
            let is_counted = counted
                .iter()
                .any(|(list, name)| member.name == *name && member.way == [Step::Member(list.clone()), Step::Items]);
            if is_counted {
                self.understand_words(member, findings);
            } else {
                computed.extend(self.computed_member(id, draft, member, findings));
            }
        }
        computed
    }

    fn computed_member(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        member: &RecordMember,
        findings: &mut Findings<'_>,
    ) -> Option<Computed> {
        let Some(source) = &member.keys.value else {
            member.keys.at?;
            let at_word = self.outline.word(self.document, &member.at, "at");
            findings.understand(at_word.clone());
            let problem = Diagnostic::at(self.document.key_place(&at_word), "`at` stands beside `value` only");
            findings.report(problem.hint("say what is computed: `value: …`"));
            return None;
        };
        let function = Function::read(source);
        if member.keys.at.is_none() && (function.is_none() || !self.is_blank(id)) {
            return None;
        }
        self.understand_words(member, findings);
        let word = self.outline.word(self.document, &member.at, "value");
        let (value, reads, at) = match function {
            Some(function) if self.is_blank(id) => {
                let at = self.time_of(&function, member, findings)?;
                (self.computation(function, draft, member, &word, findings)?, Vec::new(), at)
            }
            _ => {
                let (value, reads) = self.computed_expression(id, draft, member, &word, findings)?;
                (Computation::Expression(value), reads, member.keys.at?)
            }
        };
        let (path, name) = (member.way.clone(), member.name.clone());
        Some(Computed { path, name, value, reads, at, is_own: is_read_only(self.document, &member.at) })
    }

    /// An expression over the members beside the one that it computes.
    fn computed_expression(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        member: &RecordMember,
        word: &Pointer,
        findings: &mut Findings<'_>,
    ) -> Option<(Expression, Vec<RecordTypeId>)> {
        let (source, is_blank) = (member.keys.value.as_deref()?, self.is_blank(id));
        let own = if member.way.is_empty() { self.stored_members(draft) } else { self.members_at(&member.holder) };
        let is_free = |name: &Member| !own.iter().any(|member| member.name == name.name);
        let beside = self.written_around().into_iter().filter(is_free);
        let value = if is_blank {
            let beside: Vec<_> = beside.collect();
            scope::compile_beside(self.document, word, source, &own, &beside, findings)?
        } else {
            let names: Vec<_> = own.iter().cloned().chain(beside).collect();
            scope::compile(self.document, word, source, &names, findings)?
        };
        // What comes to nothing stays absent.
        let wanted = Type::of_schema(self.document, &member.at);
        if !value.of().unwrapped().fits(wanted.unwrapped()) {
            let problem = format!("expected {wanted}, found {}", value.of());
            findings.report(Diagnostic::at(self.document.place(word), problem));
        }
        let reads = self.read_by(&value, &own);
        Some((value, reads))
    }

    /// Notes that what is said of the value of a member was made use of.
    fn understand_words(&self, member: &RecordMember, findings: &mut Findings<'_>) {
        for word in ["value", "at"] {
            findings.understand(self.outline.word(self.document, &member.at, word));
        }
    }

    /// The members of the object whose schema stands at `at`.
    fn members_at(&self, at: &Pointer) -> Vec<Member> {
        match Type::of_schema(self.document, at) {
            Type::Object(members) => members,
            _ => Vec::new(),
        }
    }

    /// The record types that an expression speaks of.
    fn read_by(&self, value: &Expression, own: &[Member]) -> Vec<RecordTypeId> {
        let is_free = |name: &str| !own.iter().any(|member| member.name == name);
        let read =
            self.ids().zip(&self.drafts).filter(|(_, draft)| is_free(&draft.name) && value.speaks_of(&draft.name));
        read.map(|(id, _)| id).collect()
    }
}
