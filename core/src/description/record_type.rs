//! What payloads are cut into: record types, with all that holds for their records.
//!
//! To add something that holds for records: a field here, its word in `language::keys`, its reading in `records.rs`,
//! its meaning in `crate::reconcile`.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::{At, Change, Derived, Expression, Keying};
use crate::canonical::KindId;
use crate::table::Table;
use crate::validate::Schema;

/// Which record type of a [`Partner`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordTypeId(pub u16);

/// A schema with a `key`: the smallest unit that is stored, mapped, skipped and reported on.
#[derive(Debug, Default)]
pub struct RecordType {
    /// The schema's name: `Section`.
    pub name: String,
    /// What identifies a record within its connection.
    pub key: Vec<FieldPath>,
    /// The record type that it is nested in, if any.
    pub parent: Option<RecordTypeId>,
    /// Fields of ancestors that travel with the record beside their keys; part of its digest.
    pub with: Vec<FieldPath>,
    /// What the mapper may return for it; a record type without kinds is stored and not mapped.
    pub kinds: Vec<KindId>,
    /// Where its records are stored: one column per property that is not itself made of records.
    pub table: Table,
    /// How many of the table's columns, its last, are there because other versions of the description have or had them: see
    /// [`crate::store::fit`].
    pub kept: usize,
    /// What a record must look like, where records are checked one by one.
    pub schema: Schema,
    /// Members that are sent under another name, with the name that they are kept under.
    pub aliases: Vec<(String, String)>,
    /// Members that are computed where they are absent.
    pub computed: Vec<Computed>,
    /// Lists of which a delete names single items; the record goes with its last one.
    pub piecemeal: Vec<String>,
    /// What at most one record is.
    pub singles: Vec<Single>,
    /// The ways in which a merge may change its records; all of them where there are none.
    pub changes: Vec<Change>,
    /// What must hold over all records together.
    pub rules: Vec<Rule>,
    /// Which other records this refers to.
    pub references: Vec<Reference>,
    /// Where the key of a new record comes from.
    pub keying: Keying,
    /// Whether a member that is `null` is kept as absent, because no client can tell the two apart: so are records that
    /// no snapshot and no merge of the partner's holds.
    pub blank: bool,
    /// Members that are computed whenever a record is read, and never stored.
    pub derived: Vec<Derived>,
    /// What members of a new record are that were not sent.
    pub defaults: Map<String, Value>,
    /// Lists whose items are told apart by a member that the server counts: the list, and the member.
    pub counted: Vec<(String, String)>,
    /// Members by whose values records are looked up, sorted or chosen, so that the store needs an index for each list. A
    /// member that is a list itself stands alone: records are chosen by its items.
    pub indexes: Vec<Vec<String>>,
}

/// A field of a record or of one of its ancestors: `parent.parent.id` is `up: 2, path: ["id"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    /// How many records up.
    pub up: usize,
    /// The way down from there.
    pub path: Vec<String>,
}

/// A member that is computed where it is absent.
#[derive(Debug)]
pub struct Computed {
    /// The way to the object that it is a member of; empty for the record itself.
    pub path: Vec<Step>,
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: Computation,
    /// The record types that `value` speaks of.
    pub reads: Vec<RecordTypeId>,
    /// When it is computed.
    pub at: At,
    /// Whether nobody else writes it (`readOnly`): it is computed each time, not only where it is absent.
    pub is_own: bool,
}

/// What is computed.
#[derive(Debug)]
pub enum Computation {
    /// This: speaks of the object's own members, `options`, and record types as lists of their stored records.
    Expression(Expression),
    /// `now`: the time, as `2026-08-30T07:00:00.000Z`.
    Now,
    /// `next(a, b)`: one more than the largest so far among the records that agree in these members.
    Next(Vec<String>),
    /// `slug(x)`: lower-case words with hyphens, made of this text, and made unique among the records by a number.
    Slug(Expression),
    /// `history(x)`: all that this member has been before, the newest first.
    History(String),
}

/// One step into a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of this name.
    Member(String),
    /// Each item of a list.
    Items,
}

/// What at most one record of a type is: the one that was written last. The others become something else.
#[derive(Debug)]
pub struct Single {
    /// Holds for the one.
    pub when: Expression,
    /// What members of the others become.
    pub otherwise: Map<String, Value>,
}

/// What must hold over all records of a type together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What the problem is called where it does not hold.
    pub code: String,
    /// What must hold, of members by name.
    pub constraint: Constraint,
}

/// What a [`Rule`] demands. Absent values never clash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// No two records have the same values in all of these members.
    Unique(Vec<String>),
    /// No value occurs under two of these members, be it in one record or in two.
    Disjoint(Vec<String>),
    /// The first member of a pair decides the second; the pairs of all records and all places count as one.
    Determines(Vec<[String; 2]>),
    /// Each member of a pair decides the other.
    OneToOne(Vec<[String; 2]>),
}

/// That records of one type refer to those of another.
#[derive(Debug)]
pub struct Reference {
    /// What it is called: its name under `refs`, or the member that holds it.
    pub name: String,
    /// What it refers to.
    pub to: RecordTypeId,
    /// How the target is found.
    pub by: By,
    /// When it counts: speaks of `options`. Always, where this is `None`.
    pub when: Option<Expression>,
    /// What happens while the target is not there.
    pub missing: Missing,
    /// What happens to the record when its target goes.
    pub gone: WhenGone,
}

/// How the target of a [`Reference`] is found. A reference whose own members are not all there refers to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// By its key: the ways to the own members that make it up, in the key's order.
    Key(Vec<Vec<String>>),
    /// By members that agree.
    Members(Vec<Pair>),
    /// By its key, a single field: each item of this list of the record's is one.
    Items(String),
    /// By its key, a single field, which stands in `own`, while `word` says which record type it is the key of.
    Word {
        /// The member that holds the key.
        own: String,
        /// The member that names the type.
        word: String,
        /// What it says where the target is of this reference's type.
        says: String,
    },
}

/// What happens to a record when what it refers to goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenGone {
    /// Its reference has no target any more, which counts as [`Missing`] says.
    #[default]
    Missing,
    /// It goes too.
    Cascade,
    /// The target may not go.
    Refuse,
    /// The member that refers is emptied.
    Unset,
}

/// Two members that agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The way to the own one.
    pub own: Vec<String>,
    /// The target's, a top-level scalar one.
    pub other: String,
    /// Whether the target's is a pattern with `*` and `?`.
    pub is_pattern: bool,
}

/// What happens while a reference's target is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The record is rejected.
    Refuse,
    /// Nothing.
    Accept,
    /// The record waits so long, then it is quarantined.
    Park(SignedDuration),
}
