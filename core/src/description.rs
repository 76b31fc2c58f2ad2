//! Turns a partner's folder (`schemas/<partner>/openapi.yaml` with `x-rollcall` keys) into a [`Partner`]: routes,
//! validators, record types and tables, all immutable and checked.

mod cast;
mod codes;
mod expression;
mod findings;
#[cfg(test)]
mod golden;
mod indexes;
mod load;
mod mappers;
mod messages;
pub mod meta_schema;
mod operations;
mod outline;
mod published;
mod record_type;
mod records;
mod resource;
mod route;
pub mod scope;
mod status;
mod template;
mod unsupported;
mod webhook;

pub use self::cast::stamp;
pub use self::expression::{Expression, Fault, Member, Row, Type, Unset, VALUE, formula, glob, spellings};
pub use self::load::{check, fits_as_name};
pub use self::mappers::Mappers;
pub use self::messages::{Messages, Told};
pub use self::record_type::{
    By, Computation, Computed, Constraint, FieldPath, Missing, Pair, RecordType, RecordTypeId, Reference, Rule, Single,
    Step, WhenGone,
};
pub use self::resource::{
    Action, Derived, Event, Filter, Form, FormField, Happening, Keying, Resource, Selection, Sort, SortWord, Webhooks,
    Write,
};
pub use self::route::{PathParameters, RouteMiss, Routes};
pub use self::template::{Stretch, Template};
use crate::digest::Digest;
use crate::json::Hop;
pub use crate::language::keys::{Accept, At, Cast, Change, Level, ProblemClass};
use crate::validate::{Format, Schema};

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
    /// What an operator may write: one merge for every record type that no body reaches, named after it. No route
    /// leads to them.
    pub operator: Vec<Operation>,
    /// A merge of all records that clients write one by one, by the names of their types; none where there are no such
    /// records. No route leads to it: examples say with it what is stored.
    pub records_by_type: Option<Operation>,
    /// What clients read, in their language.
    pub messages: Messages,
    /// What is told of what happens to records, if anyone can subscribe to that.
    pub webhooks: Option<Webhooks>,
    /// Whether a query parameter that an operation does not declare is a mistake of the client's.
    pub refuses_unknown: bool,
    /// What payloads are cut into. A [`RecordTypeId`] is an index into this.
    pub records: Vec<RecordType>,
    /// What a connection's options must look like; none are allowed where this is `None`.
    pub options: Option<Schema>,
    /// The document as clients read it, without addresses of servers: for documentation pages and fuzzers.
    pub document: serde_json::Value,
    /// Finds operations by method and path, see [`Partner::route`].
    pub routes: Routes,
}

impl Partner {
    /// The operation called `id`, that of all records among them.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().chain(&self.records_by_type).find(|operation| operation.id == id)
    }
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
    /// A record's key alone, bare: what is to be deleted.
    Key(RecordTypeId),
    /// A list or an object, whichever it is.
    Either(Box<Shape>, Box<Shape>),
    /// A place whose records are all changed in one way (`change: …`).
    Changed(Change, Box<Shape>),
    /// An object whose member of this name (`use: change`) says how the records in it are changed.
    Marked(String, Box<Shape>),
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
    /// Whether it is answered as soon as what was sent is durable, and worked on later.
    pub asynchronous: bool,
    /// Whether nothing that it finds out is ever stored.
    pub dry_run: bool,
    /// Which part of a list is asked for.
    pub paging: Paging,
    /// The request's body, if it takes one.
    pub body: Option<Body>,
    /// The documented responses, by status.
    pub answers: Vec<Answer>,
}

impl Operation {
    /// A merge that no route leads to: what an operator does to records of one type, which are checked one by one. Its
    /// body is JSON that satisfies `schema`, with records where `shape` says.
    pub fn of_operator(id: String, record: RecordTypeId, schema: Schema, shape: Shape) -> Self {
        Self::unrouted(id, vec![record], schema, shape)
    }

    /// A merge that no route leads to, of all records that clients write one by one: its body is an object with a list of
    /// records under the name of each type.
    pub fn of_records(types: &[RecordType]) -> Option<Self> {
        let one_by_one: Vec<_> = (0..).map(RecordTypeId).zip(types).filter(|(_, of)| of.blank).collect();
        let lists = one_by_one.iter().map(|(id, of)| {
            let list = Shape::List(Box::new(Shape::Record(*id, Vec::new())));
            (of.name.clone(), list)
        });
        let list = serde_json::json!({"type": "array", "items": {"type": "object"}});
        let properties: serde_json::Map<_, _> =
            one_by_one.iter().map(|(_, of)| (of.name.clone(), list.clone())).collect();
        let envelope = serde_json::json!({"type": "object", "properties": properties, "additionalProperties": false});
        let schema = Schema::compile(&envelope, "").ok().filter(|_| !one_by_one.is_empty())?;
        let records = one_by_one.iter().map(|(id, _)| *id).collect();
        Some(Self::unrouted("records".to_owned(), records, schema, Shape::Object(lists.collect())))
    }

    fn unrouted(id: String, records: Vec<RecordTypeId>, schema: Schema, shape: Shape) -> Self {
        let media_type = "application/json".to_owned();
        let media = Media { media_type, schema, one_by_one: true, shape, as_of: None, must: Vec::new(), sparse: None };
        Self {
            id,
            method: String::new(),
            path: String::new(),
            verb: Verb::Merge { records, accept: Accept::All },
            security: Vec::new(),
            parameters: Vec::new(),
            must: Vec::new(),
            asynchronous: false,
            dry_run: false,
            paging: Paging::default(),
            body: Some(Body { required: true, media: vec![media] }),
            answers: Vec::new(),
        }
    }
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
    /// Each record is inserted, updated or deleted, in the body's order; absence says nothing.
    Merge {
        /// The outermost record types.
        records: Vec<RecordTypeId>,
        /// What a bad record costs.
        accept: Accept,
    },
    /// Removes all records of these types.
    Clear {
        /// The outermost record types.
        records: Vec<RecordTypeId>,
    },
    /// Lists what is stored.
    List(Listed),
    /// Shows the connection itself.
    Connection,
    /// Shows, makes, changes or deletes one record.
    Resource(Box<Resource>),
    /// Takes what the document's webhooks describe, and applies it to the records that they are about.
    Receive,
}

/// What a [`Verb::List`] lists.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// Records of one type, in the order in which they first arrived.
    Records {
        /// Which.
        of: RecordTypeId,
        /// Only those that wait for a reference, or only those that do not.
        waiting: Option<bool>,
    },
    /// Records that parameters choose and order.
    Selected(Box<Selection>),
    /// What the partner's own logic lists, by the name of the call; the parameters are its arguments.
    Called {
        /// Which records its answer is made of.
        of: RecordTypeId,
        /// What is called.
        call: String,
    },
    /// The items of a list of one record's.
    Items {
        /// Whose: exactly one, or the call asks for something unknown.
        of: Box<Selection>,
        /// Its list.
        list: String,
    },
    /// What was sent, or is to be sent, to the subscription whose key is the value of this path parameter.
    Sends {
        /// The parameter.
        subscription: String,
        /// Only those that failed for good.
        failed: bool,
        /// The parameter that says from when on.
        since: Option<String>,
        /// The parameter that says until when.
        until: Option<String>,
    },
    /// The log of the delivery whose id is the value of this path or query parameter.
    Log {
        /// The parameter.
        delivery: String,
    },
}

impl Verb {
    /// The outermost record types of which a body says everything, so that what is absent goes.
    pub fn complete(&self) -> &[RecordTypeId] {
        match self {
            Self::Snapshot { records, .. } | Self::Clear { records } => records,
            Self::Merge { .. } | Self::List(_) | Self::Connection | Self::Resource(_) | Self::Receive => &[],
        }
    }

    /// What of the partner's own logic decides instead of the verb alone, by name.
    pub fn call(&self) -> Option<&str> {
        match self {
            Self::Resource(resource) => resource.call.as_deref(),
            Self::List(Listed::Called { call, .. }) => Some(call),
            _ => None,
        }
    }

    /// The outermost record types of a verb that changes records, and what a bad one costs; `None` for one that reads.
    pub fn changes(&self) -> Option<(&[RecordTypeId], Accept)> {
        match self {
            Self::Snapshot { records, accept } | Self::Merge { records, accept } => Some((records, *accept)),
            Self::Clear { records } => Some((records, Accept::All)),
            Self::List(_) | Self::Connection | Self::Resource(_) | Self::Receive => None,
        }
    }
}

/// Which part of a list is asked for, and where the request says so.
#[derive(Debug, Default)]
pub struct Paging {
    /// The page's number.
    pub page: Option<PagingField>,
    /// How many rows at most.
    pub limit: Option<PagingField>,
    /// How many rows are left out before.
    pub offset: Option<PagingField>,
    /// The query parameter that says where the page before ended. Opaque to clients.
    pub cursor: Option<String>,
}

/// A number that says which part of a list is asked for.
#[derive(Debug)]
pub struct PagingField {
    /// Where it may stand; the first that is there counts.
    pub places: Vec<PagingPlace>,
    /// What it is where the request does not say it.
    pub default: Option<u64>,
    /// The smallest that there is: where pages start.
    pub minimum: u64,
    /// The largest that there is.
    pub maximum: Option<u64>,
}

/// Where a paging number stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PagingPlace {
    /// In the query, under this name.
    Query(String),
    /// In the body, under this member.
    Body(String),
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
    /// In the path, under the name of this parameter (`use: credential`).
    Path(String),
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
    /// Whether it is a list: `a=1&a=2`, `a[]=1&a[]=2` or `a[0]=1&a[1]=2`.
    pub many: bool,
    /// What the value, or each item, is turned into first.
    pub cast: Option<Cast>,
    /// Conditions beyond that; they speak of `value` and `options`.
    pub must: Vec<Must>,
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
    /// What it must look like. Where records are checked one by one, they may be anything here.
    pub schema: Schema,
    /// Whether each record is checked by itself, against [`RecordType::schema`].
    pub one_by_one: bool,
    /// Where its records stand.
    pub shape: Shape,
    /// The member that says when the body was true (`use: as-of`), with the formats that it may have.
    pub as_of: Option<(String, Vec<Format>)>,
    /// Conditions on single members outside of records, by the way to them; they speak of `value` and `options`.
    pub must: Vec<(Vec<String>, Must)>,
    /// How a large one is read; `None` where that can be done as a whole only.
    pub sparse: Option<Sparse>,
}

/// How a large body is read: around the items of long lists, which are looked at one by one.
#[derive(Debug, Default)]
pub struct Sparse {
    /// The ways to these lists.
    pub ways: Vec<Vec<Hop>>,
    /// What the items of each must look like; none where records are checked one by one, later.
    pub items: Vec<Schema>,
    /// What must be around the items; `None` where that is said by [`Media::schema`].
    pub around: Option<Schema>,
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
    /// Headers, each with what stands in it: speaks of what the content does.
    pub headers: Vec<(String, Expression)>,
}
