//! What subscribers are to be told, and how that went.

use jiff::Timestamp;
use uuid::Uuid;

/// Something that a subscriber is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSend {
    /// Its id, which the subscriber sees and which never changes: UUIDv7.
    pub id: Uuid,
    /// The key of the subscription, a canonical JSON list.
    pub subscription: String,
    /// The event's name.
    pub event: String,
    /// What it happened to: the record type's name and the record's key, a canonical JSON list. What happens to one
    /// record is told in order.
    pub record: (String, String),
    /// What is sent, JSON.
    pub body: Vec<u8>,
}

/// Something that a subscriber is to be told, when it is its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSend {
    /// Its id.
    pub id: Uuid,
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// The partner's name.
    pub partner: String,
    /// The key of the subscription.
    pub subscription: String,
    /// The event's name.
    pub event: String,
    /// What is sent, JSON.
    pub body: Vec<u8>,
    /// When it happened.
    pub at: Timestamp,
    /// How often it was tried before.
    pub attempts: u32,
}

/// How one attempt to tell a subscriber ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// Milliseconds until it ended.
    pub took_ms: u64,
    /// The status that was answered, if any was.
    pub status: Option<u16>,
    /// The beginning of what was answered with it.
    pub response: Option<String>,
    /// Why nothing was answered, if nothing was.
    pub problem: Option<String>,
}

/// Which sends a process takes on.
#[derive(Debug, Clone, Copy)]
pub struct SendClaim<'c> {
    /// What is due now.
    pub now: Timestamp,
    /// At most so many.
    pub limit: u32,
    /// At most so many of one subscription, with those that some process is already at.
    pub each: u32,
    /// Subscriptions that did not take what they were sent last: one at a time of these.
    pub failing: &'c [Subscription],
}

/// Who is told something: the names of tenant and connection, and the subscription's key, a canonical JSON list.
pub type Subscription = (String, String, String);

/// What an attempt means for the send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The subscriber took it.
    Succeeded,
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It is given up.
    Failed,
}
