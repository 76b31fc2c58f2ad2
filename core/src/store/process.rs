//! What processes that work on one database have to do with each other.

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
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Queued, Self::Due];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Due => "due",
        }
    }
}
