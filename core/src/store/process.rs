//! What processes that work on one database have to do with each other.

use std::collections::BTreeSet;

use uuid::Uuid;

/// The names of a connection's tenant and of the connection itself.
pub type ConnectionName = (String, String);

/// What one process tells the others, so that they need not wait until they look by themselves. Nothing depends on its
/// arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// A delivery was queued.
    Queued,
    /// A subscriber is to be told something.
    Due,
    /// An operator has decided something.
    Decided,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Queued, Self::Due, Self::Decided];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Due => "due",
            Self::Decided => "decided",
        }
    }
}

/// What a process is at; what else is marked as its own, nobody is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Connections whose queues it works on.
    pub queues: BTreeSet<ConnectionName>,
    /// What it is sending.
    pub sends: BTreeSet<Uuid>,
    /// Deliveries that it was answering and could not end.
    pub unended: BTreeSet<Uuid>,
}
