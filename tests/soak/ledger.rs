//! What a client sent, and what it was answered: what must be found in the end.

use super::fleet::Connection;
use super::script::Request;

/// All that one client sent, in its order.
pub(super) struct Ledger {
    /// Where.
    pub(super) connection: Connection,
    /// What. No two bodies are alike.
    pub(super) sent: Vec<Sent>,
}

/// One request.
pub(super) struct Sent {
    /// What was sent.
    pub(super) request: Request,
    /// How it was answered; `None` if it was not, or that it should come back later.
    pub(super) acknowledged: Option<Acknowledged>,
}

/// An answer that promises that what was sent is kept.
pub(super) struct Acknowledged {
    /// The answer's status.
    pub(super) status: u16,
    /// The delivery that it names.
    pub(super) delivery: String,
}
