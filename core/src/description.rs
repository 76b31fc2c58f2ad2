//! Turns a partner's folder (`schemas/<partner>/openapi.yaml` with `x-rollcall` keys) into a [`Partner`]: routes,
//! validators, record types and tables, all immutable and checked.

mod expression;
#[cfg(test)]
mod golden;
mod load;
pub mod meta_schema;
mod operations;
mod outline;
mod records;
mod route;
pub mod scope;
mod status;
mod template;
mod unsupported;

pub use self::expression::{Expression, Member, Type, Unset};
pub use self::load::check;
pub use self::route::{PathParameters, RouteMiss, Routes};
pub use self::template::Template;
use crate::canonical::KindId;
use crate::digest::Digest;
pub use crate::language::keys::{Accept, ProblemClass};
use crate::table::Table;
use crate::validate::Schema;

/// One loaded version of a partner's description. Never changed: a new version is a new value.
#[derive(Debug)]
pub struct Partner {
    /// The folder's name; routes are mounted under it.
    pub name: String,
    /// `info.version` of the document.
    pub version: String,
    /// Digest of every file it was read from.
    pub digest: Digest,
    /// What a client may call.
    pub operations: Vec<Operation>,
    /// What payloads are cut into. A [`RecordTypeId`] is an index into this.
    pub records: Vec<RecordType>,
    /// What a connection's options must look like; none are allowed where this is `None`.
    pub options: Option<Schema>,
    /// The document itself, files beside it merged in: for documentation pages and fuzzers.
    pub document: serde_json::Value,
    /// Finds operations by method and path, see [`Partner::route`].
    pub routes: Routes,
}

/// Which record type of a [`Partner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordTypeId(pub u16);

/// A schema with a `key`: the smallest unit that is stored, mapped, skipped and reported on.
#[derive(Debug)]
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
}

/// A field of a record or of one of its ancestors: `parent.parent.id` is `up: 2, path: ["id"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    /// How many records up.
    pub up: usize,
    /// The way down from there.
    pub path: Vec<String>,
}

/// Where in a body the records stand; says nothing about the rest.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Nothing in here is a record or a list without order: taken as it is.
    Plain,
    /// An object, with the members worth looking into.
    Object(Vec<(String, Shape)>),
    /// A list, with what its items are.
    List(Box<Shape>),
    /// A list whose order means nothing (`unordered: true`): its items are sorted by their canonical form.
    Unordered(Box<Shape>),
    /// An object that is a record, with the members worth looking into.
    Record(RecordTypeId, Vec<(String, Shape)>),
}

/// Something a client may call.
#[derive(Debug)]
pub struct Operation {
    /// `operationId`.
    pub id: String,
    /// The HTTP method, in upper case.
    pub method: String,
    /// The documented path, `/partner/branches`; `{name}` stands for a path parameter.
    pub path: String,
    /// What it does.
    pub verb: Verb,
    /// Where a credential may stand; any one of them lets a client in. Empty: anyone may call.
    pub security: Vec<Credential>,
    /// Declared path, query and header parameters.
    pub parameters: Vec<Parameter>,
    /// Conditions beyond JSON Schema, in the order in which they are tried.
    pub must: Vec<Must>,
    /// The request's body, if it takes one.
    pub body: Option<Body>,
    /// The documented responses, by status.
    pub answers: Vec<Answer>,
}

/// What an operation does: exactly one verb.
#[derive(Debug)]
pub enum Verb {
    /// The body is everything there is: what is absent is removed, of these record types and those nested in them.
    Snapshot {
        /// The outermost record types.
        records: Vec<RecordTypeId>,
        /// What a bad record costs.
        accept: Accept,
    },
}

/// Where a client puts its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// In the header of this name (lower case), bare.
    Header(String),
    /// In the query parameter of this name.
    Query(String),
    /// `Authorization: Bearer …`
    Bearer,
}

/// A declared parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name; header names are in lower case.
    pub name: String,
    /// Where it stands.
    pub location: Location,
    /// Whether it must be there.
    pub required: bool,
    /// What it must look like.
    pub schema: Schema,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
}

/// A condition on a request: `header.x`, `query.x`, `path.x` and `options.x` are what it may speak of.
#[derive(Debug)]
pub struct Must {
    /// What must hold.
    pub that: Expression,
    /// What is wrong where it does not.
    pub problem: ProblemClass,
    /// What to tell the client.
    pub say: Option<String>,
}

/// A request body.
#[derive(Debug)]
pub struct Body {
    /// Whether there must be one.
    pub required: bool,
    /// The media types that are taken; the first is what a missing content type means.
    pub media: Vec<Media>,
}

/// One form in which a body may come.
#[derive(Debug)]
pub struct Media {
    /// `application/json`
    pub media_type: String,
    /// What it must look like.
    pub schema: Schema,
    /// Where its records stand.
    pub shape: Shape,
}

/// A documented response.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Problems that it answers against the usual order (`for`).
    pub problems: Vec<ProblemClass>,
    /// The media type and the response schema, filled in; `None` where the document gives no content.
    pub content: Option<(String, Template)>,
}
