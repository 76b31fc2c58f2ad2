//! Turns `value` with `at` on members of records into [`Computed`]s: what a member is where it is absent.

use super::members::Member as RecordMember;
use super::{Draft, Records};
use crate::description::expression::{Expression, Member, Type};
use crate::description::findings::Findings;
use crate::description::{Computation, Computed, RecordTypeId, scope};
use crate::language::Diagnostic;
use crate::language::schema::is_read_only;

impl Records<'_> {
    /// What is computed of a record of this type.
    pub(super) fn computed(&self, members: &[RecordMember], findings: &mut Findings<'_>) -> Vec<Computed> {
        members.iter().filter_map(|member| self.computed_member(member, findings)).collect()
    }

    fn computed_member(&self, member: &RecordMember, findings: &mut Findings<'_>) -> Option<Computed> {
        let at = member.keys.at?;
        let at_word = self.outline.word(self.document, &member.at, "at");
        findings.understand(at_word.clone());
        let Some(source) = &member.keys.value else {
            let problem = Diagnostic::at(self.document.key_place(&at_word), "`at` stands beside `value` only");
            findings.report(problem.hint("say what is computed: `value: …`"));
            return None;
        };
        let word = self.outline.word(self.document, &member.at, "value");
        findings.understand(word.clone());
        let own = match Type::of_schema(self.document, &member.holder) {
            Type::Object(members) => members,
            _ => Vec::new(),
        };
        let names: Vec<_> = own.iter().cloned().chain(self.names_beside(&own)).collect();
        let value = scope::compile(self.document, &word, source, &names, findings)?;
        let wanted = Type::of_schema(self.document, &member.at);
        if !value.of().fits(&wanted) {
            let problem = format!("expected {wanted}, found {}", value.of());
            findings.report(Diagnostic::at(self.document.place(&word), problem));
        }
        let reads = self.read_by(&value, &own);
        Some(Computed {
            path: member.way.clone(),
            name: member.name.clone(),
            value: Computation::Expression(value),
            reads,
            at,
            is_own: is_read_only(self.document, &member.at),
        })
    }

    /// What an expression may speak of beside the members of an object: options, and record types as lists of their
    /// stored records. A member of the same name hides them.
    fn names_beside(&self, own: &[Member]) -> Vec<Member> {
        let options = Member::required("options", scope::options(self.document));
        let rows = self.drafts.iter().map(|draft| {
            let rows = Type::List(Box::new(self.row(draft)));
            Member::required(&draft.name, rows)
        });
        let is_free = |member: &Member| !own.iter().any(|other| other.name == member.name);
        std::iter::once(options).chain(rows).filter(is_free).collect()
    }

    /// The record types that an expression speaks of.
    fn read_by(&self, value: &Expression, own: &[Member]) -> Vec<RecordTypeId> {
        let is_free = |name: &str| !own.iter().any(|member| member.name == name);
        let ids = (0..).map(RecordTypeId).zip(&self.drafts);
        let read = ids.filter(|(_, draft)| is_free(&draft.name) && value.speaks_of(&draft.name));
        read.map(|(id, _)| id).collect()
    }

    /// What a stored record of this type looks like to an expression.
    pub(in crate::description) fn row_of(&self, id: RecordTypeId) -> Type {
        self.row(&self.drafts[usize::from(id.0)])
    }

    /// What a stored record looks like to an expression.
    pub(super) fn row(&self, draft: &Draft) -> Type {
        match Type::of_schema(self.document, &draft.at) {
            Type::Object(mut members) => {
                members.retain(|member| !self.is_alias(draft, &member.name));
                Type::Object(members)
            }
            _ => Type::Any,
        }
    }
}
