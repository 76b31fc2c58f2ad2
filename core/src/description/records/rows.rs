//! Tells what records look like to expressions: as they are stored, and as they are read.

use std::collections::BTreeSet;

use super::{Draft, Records};
use crate::description::expression::{Member, Type};
use crate::description::{RecordTypeId, scope};
use crate::language::keys::OneOrMany;
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

    /// The members of a record of this type, for whoever reads it.
    pub(in crate::description) fn read_members(&self, id: RecordTypeId) -> Vec<Member> {
        if let Type::Object(members) = self.row_of(id) { members } else { Vec::new() }
    }

    /// What may be said beside the members of a record: the connection's options, and all stored records by their type.
    pub(in crate::description) fn stored_around(&self) -> Vec<Member> {
        self.around(|id, row| self.records_of(id, &row.read))
    }

    /// The same for what is computed when a record is written: of records it knows what is stored. In what came in a
    /// payload, what is absent is not the same as `null`.
    pub(super) fn written_around(&self) -> Vec<Member> {
        let rows = |row: &Row| Type::List(Box::new(row.stored.clone()));
        self.around(|id, row| if self.is_blank(id) { self.records_of(id, &row.stored) } else { rows(row) })
    }

    fn around(&self, of: impl Fn(RecordTypeId, &Row) -> Type) -> Vec<Member> {
        let options = Member::required("options", scope::options(self.document));
        let rows = self.ids().zip(self.rows());
        let records = rows.map(|(id, row)| Member::required(self.name(id), of(id, row)));
        std::iter::once(options).chain(records).collect()
    }

    fn records_of(&self, id: RecordTypeId, row: &Type) -> Type {
        let key = self.outline.schema(self.document, self.place_of(id)).key;
        let key = match key.as_ref().map(OneOrMany::as_slice) {
            Some([name]) if !name.contains('.') => Some(name.as_str()),
            _ => None,
        };
        Type::records(self.name(id), key, row.clone())
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
