//! What waits in a store, for those who watch it: how much, and since when.

use jiff::Timestamp;

/// Everything that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries that were acknowledged and have not ended.
    pub queued: Vec<Waiting>,
    /// Webhooks that were neither taken nor given up.
    pub sends: Vec<Waiting>,
    /// Records that wait for what they refer to.
    pub parked: Vec<Waiting>,
    /// Records that have waited for too long.
    pub quarantined: Vec<Waiting>,
    /// Deliveries that wait for an operator.
    pub held: Vec<Waiting>,
}

/// What waits of one connection; where nothing does, there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// The partner's name.
    pub partner: String,
    /// How many.
    pub count: u64,
    /// Since when the one that has waited longest does.
    pub since: Timestamp,
}

/// How many connections to the database there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Connections that are being used.
    pub busy: u32,
    /// Connections that are open.
    pub open: u32,
    /// How many there may be.
    pub most: u32,
}

impl Usage {
    /// What a pool says of itself.
    pub(super) fn of(open: u32, idle: usize, most: u32) -> Self {
        Self { busy: open.saturating_sub(u32::try_from(idle).unwrap_or(u32::MAX)), open, most }
    }
}

impl Backlog {
    /// The list for what a statement calls `what`: `queued`, `send`, `parked`, `quarantined` or `held`.
    pub(super) fn list(&mut self, what: &str) -> Option<&mut Vec<Waiting>> {
        match what {
            "queued" => Some(&mut self.queued),
            "send" => Some(&mut self.sends),
            "parked" => Some(&mut self.parked),
            "quarantined" => Some(&mut self.quarantined),
            "held" => Some(&mut self.held),
            _ => None,
        }
    }
}
