//! Tells what records look like to expressions: as they are stored, and as they are read.

use std::collections::BTreeSet;

use super::{Draft, Records};
use crate::description::expression::{Member, Type};
use crate::description::{RecordTypeId, scope};
use crate::language::keys::{self, OneOrMany};
use crate::language::schema::properties;

/// What records of one type look like.
#[derive(Debug)]
pub(super) struct Row {
    /// To whoever reads them: with what is computed then.
    read: Type,
    /// As they are stored.
    stored: Type,
    /// All of them, as they are read.
    all_read: Type,
    /// All of them, as they are stored. In what came in a payload, what is absent is not the same as `null`.
    all_stored: Type,
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
        self.around(|row| &row.all_read)
    }

    /// The same for what is computed when a record is written: of records it knows what is stored.
    pub(super) fn written_around(&self) -> Vec<Member> {
        self.around(|row| &row.all_stored)
    }

    fn around(&self, all: impl Fn(&Row) -> &Type) -> Vec<Member> {
        let options = Member::required("options", scope::options(self.document));
        let rows = self.drafts.iter().zip(self.rows());
        let records = rows.map(|(draft, row)| Member::required(&draft.name, all(row).clone()));
        std::iter::once(options).chain(records).collect()
    }

    /// All records of a type, each of which looks like this.
    fn all_of(&self, draft: &Draft, row: &Type) -> Type {
        let key = self.outline.schema(self.document, &draft.at).key;
        let key = match key.as_ref().map(OneOrMany::as_slice) {
            Some([name]) if !name.contains('.') => Some(name.as_str()),
            _ => None,
        };
        Type::records(&draft.name, key, row.clone())
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
        let (read, stored) = match Type::of_schema(self.document, &draft.at) {
            Type::Object(mut members) => {
                let aliases = self.names_where(draft, |keys| keys.written.is_some());
                members.retain(|member| !aliases.contains(&member.name));
                let derived = self.derived_names(id);
                let stored = members.iter().filter(|member| !derived.contains(&member.name)).cloned().collect();
                (Type::Object(members), Type::Object(stored))
            }
            _ => (Type::Any, Type::Any),
        };
        let is_blank = self.is_blank(id);
        let all_stored = if is_blank { self.all_of(draft, &stored) } else { Type::List(Box::new(stored.clone())) };
        Row { all_read: self.all_of(draft, &read), all_stored, read, stored }
    }

    /// The members of a record of whose keys this holds.
    pub(super) fn names_where(&self, draft: &Draft, holds: impl Fn(&keys::Schema) -> bool) -> BTreeSet<String> {
        let members = properties(self.document, &draft.at).into_iter();
        let found = members.filter(|member| holds(&self.outline.schema(self.document, &member.at)));
        found.map(|member| member.name).collect()
    }
}
