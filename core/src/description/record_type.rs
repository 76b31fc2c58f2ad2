//! What payloads are cut into: record types, with all that holds for their records.
//!
//! To add something that holds for records: a field here, its word in `language::keys`, its reading in `records.rs`,
//! its meaning in `crate::reconcile`.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::{At, Change, Expression};
use crate::canonical::KindId;
use crate::table::Table;
use crate::validate::Schema;

/// Which record type of a [`Partner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// What it is: speaks of the object's own members, `options`, and record types as lists of their stored records.
    pub value: Expression,
    /// The record types that `value` speaks of.
    pub reads: Vec<RecordTypeId>,
    /// When it is computed.
    pub at: At,
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
    /// Whether a record goes with its target.
    pub cascades: bool,
}

/// How the target of a [`Reference`] is found. A reference whose own members are not all there refers to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// By its key: the ways to the own members that make it up, in the key's order.
    Key(Vec<Vec<String>>),
    /// By members that agree.
    Members(Vec<Pair>),
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
