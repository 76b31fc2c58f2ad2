//! What readers ask of a store. Every question names its tenant: nothing is ever read across tenants.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Backlog, StoreError, Usage};
use crate::canonical::{Canonical, KindId};
use crate::delivery::{Entry, Report, Status};
use crate::description::{Location, Partner, RecordTypeId, Selection};

/// A question for entities of one kind.
#[derive(Debug, Clone)]
pub struct EntityQuery {
    /// Whose.
    pub tenant: String,
    /// Of which kind.
    pub kind: KindId,
    /// Only of the connection with this name.
    pub connection: Option<String>,
    /// Only active (`true`) or only `tobedeleted` ones.
    pub active: Option<bool>,
    /// Only those for which this holds.
    pub filter: Option<Filter>,
    /// Sorted by this field, then by `sourcedId`; by `sourcedId` alone where it is `None`.
    pub sort: Option<Sort>,
    /// Which of them.
    pub page: Page,
    /// Whether to count all that match.
    pub count: bool,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub enum Page {
    /// At most `limit`, from the one at `offset`.
    Offset {
        /// At most so many.
        limit: u32,
        /// So many are left out before.
        offset: u64,
    },
    /// At most `limit`, after the one with this id. Only without [`EntityQuery::sort`].
    After {
        /// At most so many.
        limit: u32,
        /// The last one already seen.
        after: Option<Uuid>,
    },
}

/// By which field to sort.
#[derive(Debug, Clone)]
pub struct Sort {
    /// A scalar field, or `sourcedId`, `status`, `dateLastModified`.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// A condition on an entity's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// A field compares so to a value. In a list, any item will do.
    Compare {
        /// Member names: `["roles", "role"]`; references are compared by `sourcedId`.
        path: Vec<String>,
        /// How.
        operator: Operator,
        /// With what.
        value: String,
    },
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// Either.
    Or(Box<Filter>, Box<Filter>),
}

/// How a field compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `~`: contains, whatever the case.
    Contains,
}

/// Why a question cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A filter or sort names a field that the kind does not have, or that cannot be compared.
    #[error("there is no field `{0}` to filter or sort by")]
    UnknownField(String),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Entities, each as a JSON object: `sourcedId`, `status`, `dateLastModified` and the kind's fields; references are
/// plain `sourcedId`s, absent fields are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Entities {
    /// All that match, if that was asked for.
    pub total: Option<u64>,
    /// The page.
    pub rows: Vec<Map<String, Value>>,
}

/// One entity in the feed, at the place of its latest change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its place; the cursor.
    pub sequence: i64,
    /// The kind's name.
    pub kind: String,
    /// Its id.
    pub sourced_id: Uuid,
    /// The connection's name.
    pub connection: String,
    /// `active` or `tobedeleted`.
    pub status: String,
    /// When.
    pub date_last_modified: Timestamp,
}

/// Which records an entity comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The connection's name.
    pub connection: String,
    /// The partner's name.
    pub partner: String,
    /// The record type's name.
    pub record: String,
    /// The record's key.
    pub key: Value,
    /// The delivery that last changed the record.
    pub delivery: Uuid,
    /// The entity's own id in the partner's words.
    pub source_id: String,
    /// Whether this record's word goes where several disagree.
    pub leads: bool,
}

/// A delivery, without its body.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// The connection's name.
    pub connection: String,
    /// The partner's name.
    pub partner: String,
    /// The operation it came by.
    pub operation: String,
    /// Where it stands.
    pub status: Status,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
    /// SHA-256 of the body, hexadecimal.
    pub sha256: String,
    /// Bytes of the body.
    pub size: u64,
    /// What became of it.
    pub report: Option<Report>,
}

/// A question for foreign records of one type.
#[derive(Debug, Clone)]
pub struct RecordQuery {
    /// Whose.
    pub tenant: String,
    /// Of which connection, by name.
    pub connection: String,
    /// Of which type.
    pub of: RecordTypeId,
    /// Only those that wait for something (`true`), or only those that do not.
    pub waiting: Option<bool>,
    /// At most so many; all, where it is `None`.
    pub limit: Option<u64>,
    /// So many are left out before.
    pub offset: u64,
}

/// Foreign records, in the order in which they first arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// All that there are.
    pub total: u64,
    /// The page.
    pub rows: Vec<StoredRecord>,
}

/// A foreign record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredRecord {
    /// Its key, a list.
    pub key: Value,
    /// Whether it waits for something that it refers to.
    pub waiting: bool,
    /// What was sent, member by member.
    pub body: Map<String, Value>,
}

/// A question for the records that a selection comes to.
#[derive(Debug)]
pub struct SelectQuery<'q> {
    /// Whose.
    pub tenant: &'q str,
    /// Of which connection, by name.
    pub connection: &'q str,
    /// Which records.
    pub selection: &'q Selection,
    /// Values for its filters, by place.
    pub given: Vec<(usize, Value)>,
    /// Places of the words of its sort that are asked for, the most important first.
    pub sort: Vec<usize>,
    /// The connection's options.
    pub options: &'q Value,
    /// Which part.
    pub part: SelectPart,
    /// Whether it has to be counted how many there are on all pages.
    pub counts: bool,
}

impl SelectQuery<'_> {
    /// Whether one record is asked for by what names it: its key, or a part of a path. Such a one is found at once.
    pub fn names_one(&self) -> bool {
        let in_path = |(at, _): &(usize, Value)| {
            self.selection.filters.get(*at).is_some_and(|filter| filter.location == Location::Path)
        };
        match self.part {
            SelectPart::Key(_) => true,
            SelectPart::Offset { limit: Some(1), .. } => self.sort.is_empty() && self.given.iter().any(in_path),
            SelectPart::Offset { .. } | SelectPart::Cursor { .. } => false,
        }
    }
}

/// Which part of a list of records is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectPart {
    /// At most `limit` after the first `offset`.
    Offset {
        /// At most so many; all, where it is `None`.
        limit: Option<u64>,
        /// So many are left out before.
        offset: u64,
    },
    /// At most `limit` after, or before, the record that a cursor stands at; from the beginning where there is none.
    Cursor {
        /// At most so many.
        limit: u64,
        /// Where.
        at: Option<Cursor>,
    },
    /// The one with this key, a canonical JSON list.
    Key(String),
}

/// A place in an ordered list of records: what the record there says in the members that are compared, and its number.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct Cursor {
    /// The values of the members that the list is sorted by, in the order of the sort.
    pub values: Vec<Value>,
    /// The record's number.
    pub id: i64,
    /// Whether what stands before it is asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
}

/// Part of a list of records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SelectedRecords {
    /// How many there are on all pages, if that was asked for.
    pub total: Option<u64>,
    /// What each says: stored members, and derived ones.
    pub rows: Vec<Map<String, Value>>,
    /// Where the part before this one ends, if there is one; only where a cursor was asked for.
    pub previous: Option<Cursor>,
    /// Where the next part begins, if there is one; only where a cursor was asked for.
    pub next: Option<Cursor>,
}

/// A question for what a subscription was, or is to be, told.
#[derive(Debug, Clone, Copy)]
pub struct SendQuery<'q> {
    /// Whose.
    pub tenant: &'q str,
    /// Of which connection, by name.
    pub connection: &'q str,
    /// The subscription's key, a canonical JSON list.
    pub subscription: &'q str,
    /// Only what was given up.
    pub failed: bool,
    /// Only what happened then or later.
    pub since: Option<Timestamp>,
    /// Only what happened then or earlier.
    pub until: Option<Timestamp>,
    /// At most so many.
    pub limit: u64,
    /// So many are left out before.
    pub offset: u64,
}

/// Something that a subscriber was, or is to be, told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredSend {
    /// Its id.
    pub id: Uuid,
    /// The event's name.
    pub event: String,
    /// What is sent.
    pub body: Value,
    /// `pending`, `retry`, `succeeded` or `failed`.
    pub status: String,
    /// When it happened.
    pub at: Timestamp,
    /// How it was tried, the first first.
    pub attempts: Vec<super::Attempt>,
}

/// What a subscription was, or is to be, told: the newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sends {
    /// All that there are.
    pub total: u64,
    /// The page.
    pub rows: Vec<StoredSend>,
}

/// The log of one delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// How many records it holds, as far as that is known.
    pub sent: u64,
    /// How many of these are errors.
    pub errors: u64,
    /// Whether it has been worked on.
    pub finished: bool,
    /// What ended it, if it was rejected or failed as a whole.
    pub report: Option<Report>,
    /// The page.
    pub entries: Vec<Entry>,
}

/// The body of a delivery, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBody {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The encoding that they are still in.
    pub content_encoding: Option<String>,
}

/// What readers ask of a store.
#[async_trait]
pub trait Reader: Send + Sync {
    /// Entities of one kind.
    async fn entities(&self, canonical: &Canonical, query: &EntityQuery) -> Result<Entities, QueryError>;

    /// One entity.
    async fn entity(
        &self,
        canonical: &Canonical,
        tenant: &str,
        kind: KindId,
        sourced_id: Uuid,
    ) -> Result<Option<Map<String, Value>>, StoreError>;

    /// Where one entity comes from; `None` if there is no such entity.
    async fn provenance(
        &self,
        canonical: &Canonical,
        tenant: &str,
        kind: KindId,
        sourced_id: Uuid,
    ) -> Result<Option<Vec<Source>>, StoreError>;

    /// The feed after a cursor, over all kinds, in order.
    async fn changes(
        &self,
        canonical: &Canonical,
        tenant: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError>;

    /// Where the feed of a tenant begins: entities that were gone at an earlier place are forgotten, so that who stands
    /// before it may have missed that they are.
    async fn horizon(&self, tenant: &str) -> Result<i64, StoreError>;

    /// Deliveries, newest first, before the given one.
    async fn deliveries(
        &self,
        tenant: &str,
        connection: Option<&str>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// One delivery.
    async fn delivery(&self, tenant: &str, id: Uuid) -> Result<Option<Delivery>, StoreError>;

    /// Foreign records of one type.
    async fn records(&self, partner: &Partner, query: &RecordQuery) -> Result<Records, StoreError>;

    /// The records that a selection comes to, with what is derived of them.
    async fn select(&self, partner: &Partner, query: &SelectQuery<'_>) -> Result<SelectedRecords, StoreError>;

    /// What a subscription was, or is to be, told.
    async fn sends(&self, query: &SendQuery<'_>) -> Result<Sends, StoreError>;

    /// The log of one delivery of a connection: at most `limit` lines after the first `offset`; `None` if there is no
    /// such delivery.
    async fn log(
        &self,
        tenant: &str,
        connection: &str,
        delivery: Uuid,
        limit: u64,
        offset: u64,
    ) -> Result<Option<Log>, StoreError>;

    /// The body of one delivery; `None` if there is no such delivery or its body was not kept.
    async fn body(&self, tenant: &str, id: Uuid) -> Result<Option<StoredBody>, StoreError>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// What waits, of all tenants.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// How many connections to the database there are.
    fn usage(&self) -> Usage;
}
