//! Turns `schemas/canonical/*.yaml` into [`Canonical`]: the kinds of entity, their fields, and how contributions of
//! several records join. Storage, the checking of what mappers return, and the read API all follow from it.
//!
//! To add a kind: add a file. To add a field: add a property. No Rust changes.

mod load;

use std::collections::HashMap;

use crate::digest::Digest;
pub use crate::language::keys::Join;
use crate::table::{ColumnForm, Table};
use crate::validate::Schema;

/// All kinds of canonical entity.
#[derive(Debug)]
pub struct Canonical {
    kinds: Vec<Kind>,
    by_name: HashMap<String, KindId>,
    digest: Digest,
}

/// Which kind, as an index into [`Canonical::kinds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u16);

/// One kind of canonical entity: `user`, `class`, …
#[derive(Debug)]
pub struct Kind {
    /// The name, which is also the file's: `academicSession`.
    pub name: String,
    /// The plural, for routes and tables: `academicSessions`.
    pub plural: String,
    /// Where the word stands that tells parts of the kind apart, which can be missed as a whole: member names.
    pub parts: Option<Vec<String>>,
    /// The fields that mappers write, in the schema's order. `sourcedId`, `status` and `dateLastModified` are the
    /// host's and not among them; `metadata` is.
    pub fields: Vec<Field>,
    /// Where entities of this kind are stored; one column per field, in the same order.
    pub table: Table,
}

/// One field of a kind.
#[derive(Debug)]
pub struct Field {
    /// The property's name.
    pub name: String,
    /// Whether every entity has it.
    pub required: bool,
    /// What it holds.
    pub form: Form,
    /// How the contributions of several records to one entity become one value.
    pub join: Join,
}

/// What a field holds, and what a value must satisfy.
#[derive(Debug)]
pub enum Form {
    /// Text that satisfies the rule.
    Text(TextRule),
    /// A 64-bit integer between the two bounds, both included.
    Integer(i64, i64),
    /// A number.
    Number,
    /// A boolean.
    Boolean,
    /// A reference to an entity of this kind.
    Reference(KindId),
    /// A list or object; references inside it stand at the given places.
    Nested(Box<Schema>, Vec<NestedReference>),
}

impl Kind {
    /// The first required field that is not among `fields`, which are numbers in ascending order.
    pub fn missing(&self, fields: &[u16]) -> Option<u16> {
        let required = (0..).zip(&self.fields).filter(|(_, field)| field.required);
        required.map(|(at, _)| at).find(|at| fields.binary_search(at).is_err())
    }
}

impl Form {
    /// What a column for it holds.
    pub fn column(&self) -> ColumnForm {
        match self {
            Self::Text(_) => ColumnForm::Text,
            Self::Integer(..) => ColumnForm::Integer,
            Self::Number => ColumnForm::Number,
            Self::Boolean => ColumnForm::Boolean,
            Self::Reference(_) => ColumnForm::Id,
            Self::Nested(..) => ColumnForm::Json,
        }
    }
}

/// What a text must be.
#[derive(Debug)]
pub enum TextRule {
    /// Any text with at least this many characters.
    Any(u64),
    /// One of these words, or, if the second is set, any word that starts with `ext:` (OneRoster's extension mark).
    OneOf(Vec<String>, bool),
    /// A calendar date, `2026-09-01`.
    Date,
    /// An instant, RFC 3339.
    DateTime,
}

/// A reference inside a nested field: `roles[].org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedReference {
    /// The way to it: member names; `[]` stands for every item of a list.
    pub path: Vec<String>,
    /// What it refers to.
    pub to: KindId,
}

impl Canonical {
    /// The kinds as given; a [`KindId`] is an index into them. `digest` is that of all they were made from.
    pub fn from_kinds(kinds: Vec<Kind>, digest: Digest) -> Self {
        let by_name = (0..).map(KindId).zip(&kinds).map(|(id, kind)| (kind.name.clone(), id)).collect();
        Self { kinds, by_name, digest }
    }

    /// All kinds; a [`KindId`] is an index into them.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The kind with this id.
    pub fn kind(&self, id: KindId) -> &Kind {
        &self.kinds[usize::from(id.0)]
    }

    /// The kind called `name`.
    pub fn id(&self, name: &str) -> Option<KindId> {
        self.by_name.get(name).copied()
    }

    /// All ids with their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (KindId, &Kind)> {
        (0..).map(KindId).zip(&self.kinds)
    }

    /// The digest of all files that this was read from.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}
