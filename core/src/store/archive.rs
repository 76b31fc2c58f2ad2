//! What is asked of a store about what was received, so that it can be worked on again.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::read::Delivery;
use super::{Connection, StoreError};
use crate::delivery::{Asked, Entry, Received, Report, Status};

/// A delivery with all that its operation goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCall {
    /// Its id.
    pub id: Uuid,
    /// The delivery that it repeats.
    pub first: Option<Uuid>,
    /// The operation that it came by.
    pub operation: String,
    /// See [`Received::asked`].
    pub asked: Asked,
    /// When it was received.
    pub at: Timestamp,
    /// Where it stands.
    pub status: Status,
    /// What became of it.
    pub report: Option<Report>,
    /// Its place in the order in which deliveries of its connection were applied; `None` where it changed nothing.
    pub applied: Option<i64>,
    /// SHA-256 of what was sent.
    pub sha256: [u8; 32],
    /// The encoding that the body is still in.
    pub content_encoding: Option<String>,
    /// The body; `None` where it was not kept, or is not kept any more.
    pub body: Option<Vec<u8>>,
}

impl StoredCall {
    /// The same as something that was received under this id.
    pub fn received(&self, id: Uuid, first: Option<Uuid>) -> Received {
        Received {
            id,
            first,
            operation: self.operation.clone(),
            asked: self.asked.clone(),
            at: self.at,
            body: self.body.as_deref().map(Into::into),
            content_encoding: self.content_encoding.clone(),
            sha256: self.sha256,
            size: self.body.as_ref().map_or(0, Vec::len) as u64,
            queued: false,
        }
    }
}

/// A question for deliveries by how they ended, of whomever.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArchiveQuery<'q> {
    /// How they ended: held, rejected, failed or interrupted.
    pub statuses: &'q [Status],
    /// Those that were applied, but for records that were put aside, too.
    pub aside: bool,
    /// Only of the tenant with this name.
    pub tenant: Option<&'q str>,
    /// Only of the connection with this name.
    pub connection: Option<&'q str>,
    /// Only of the partner with this name.
    pub partner: Option<&'q str>,
    /// Only those received before.
    pub before: Option<Timestamp>,
    /// Only those after this one.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

/// A delivery, and whose it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Archived {
    /// The tenant's name.
    pub tenant: String,
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// How many of its records were put aside, as long as nobody has decided about them.
    pub aside: u64,
}

/// What was received, to be worked on again.
#[async_trait]
pub trait Archive: Send + Sync {
    /// One delivery of a connection.
    async fn call(&self, connection: &Connection, delivery: Uuid) -> Result<Option<StoredCall>, StoreError>;

    /// The last delivery of an operation that was taken, and when it was received.
    async fn last(&self, connection: &Connection, operation: &str) -> Result<Option<(Uuid, Timestamp)>, StoreError>;

    /// The deliveries of a connection that are held, without their bodies.
    async fn held(&self, connection: &Connection) -> Result<Vec<StoredCall>, StoreError>;

    /// One delivery, and whose it is.
    async fn find(&self, delivery: Uuid) -> Result<Option<Archived>, StoreError>;

    /// Deliveries that ended in one of some ways, the oldest first.
    async fn deliveries_that(&self, query: &ArchiveQuery<'_>) -> Result<Vec<Archived>, StoreError>;

    /// Says that a delivery which ended in one way ended in another; whether it had. What its report says is all there is
    /// to say.
    async fn turn(&self, delivery: Uuid, from: Status, report: &Report, at: Timestamp) -> Result<bool, StoreError>;

    /// The lines of a delivery's log that tell of an error.
    async fn errors(&self, delivery: Uuid) -> Result<Vec<Entry>, StoreError>;

    /// Says that somebody has decided about the records of a delivery that were put aside, and has its report say so;
    /// whether there were any.
    async fn decide_aside(&self, delivery: Uuid, report: &Report) -> Result<bool, StoreError>;

    /// The deliveries of a connection that changed something after the one at this place, in the order in which they did,
    /// at most `limit`.
    async fn applied(&self, connection: &Connection, after: i64, limit: u32) -> Result<Vec<StoredCall>, StoreError>;
}
