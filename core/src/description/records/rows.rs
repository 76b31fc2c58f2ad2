//! Tells what records look like to expressions: as they are stored, and as they are read.

use std::collections::BTreeSet;

use super::{Draft, Records};
use crate::description::expression::{Member, Type};
use crate::description::{RecordTypeId, scope};
use crate::language::schema::properties;

/// What records of one type look like.
#[derive(Debug)]
pub(super) struct Row {
    /// To whoever reads them: with what is computed then.
    read: Type,
    /// As they are stored.
    stored: Type,
}

impl Records<'_> {
    /// What a record of this type looks like to whoever reads it: what is computed then is among its members.
    pub(in crate::description) fn row_of(&self, id: RecordTypeId) -> Type {
        self.rows().get(usize::from(id.0)).map_or(Type::Any, |row| row.read.clone())
    }

    /// What may be said of records of this type in a condition that the store looks at, or of what it computes: their
    /// members, derived ones among them, the connection's options, and all record types as lists of their records.
    pub(in crate::description) fn names_of(&self, id: RecordTypeId) -> Vec<Member> {
        let Type::Object(own) = self.row_of(id) else { return Vec::new() };
        let options = Member::required("options", scope::options(self.document));
        let rows = self.drafts.iter().zip(self.rows());
        let rows = rows.map(|(draft, row)| Member::required(&draft.name, Type::List(Box::new(row.read.clone()))));
        let beside = std::iter::once(options).chain(rows);
        let beside: Vec<_> = beside.filter(|name| !own.iter().any(|member| member.name == name.name)).collect();
        own.into_iter().chain(beside).collect()
    }

    /// What is stored of a record.
    pub(super) fn stored(&self, draft: &Draft) -> Type {
        let nth = self.drafts.iter().position(|other| other.at == draft.at);
        nth.and_then(|nth| self.rows().get(nth)).map_or(Type::Any, |row| row.stored.clone())
    }

    /// The members that are stored of a record.
    pub(super) fn stored_members(&self, draft: &Draft) -> Vec<Member> {
        if let Type::Object(members) = self.stored(draft) { members } else { Vec::new() }
    }

    fn rows(&self) -> &[Row] {
        self.rows.get_or_init(|| self.ids().zip(&self.drafts).map(|(id, draft)| self.row(id, draft)).collect())
    }

    fn row(&self, id: RecordTypeId, draft: &Draft) -> Row {
        let Type::Object(mut members) = Type::of_schema(self.document, &draft.at) else {
            return Row { read: Type::Any, stored: Type::Any };
        };
        let aliases = self.names_where(draft, |keys| keys.written.is_some());
        members.retain(|member| !aliases.contains(&member.name));
        let derived = self.derived_names(id);
        let stored = members.iter().filter(|member| !derived.contains(&member.name)).cloned().collect();
        Row { read: Type::Object(members), stored: Type::Object(stored) }
    }

    /// The members of a record of whose keys this holds.
    pub(super) fn names_where(
        &self,
        draft: &Draft,
        holds: impl Fn(&crate::language::keys::Schema) -> bool,
    ) -> BTreeSet<String> {
        let members = properties(self.document, &draft.at).into_iter();
        let found = members.filter(|member| holds(&self.outline.schema(self.document, &member.at)));
        found.map(|member| member.name).collect()
    }
}
