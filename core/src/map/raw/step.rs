//! What a partner's own logic answers, before it is believed. Values are JSON still.

/// The answer to a question, on its way in.
#[derive(Debug)]
pub(in crate::map) enum RawFound {
    Records(Vec<u8>),
    Number(i64),
}

/// What a call comes to.
#[derive(Debug)]
pub(in crate::map) enum RawStep {
    Ask(Vec<RawQuestion>),
    Decide(RawDecision),
    Decline(RawDecline),
    /// The logic says itself that it is wrong.
    Fail(String),
}

/// Something that a call asks for.
#[derive(Debug)]
pub(in crate::map) enum RawQuestion {
    Records {
        of: String,
        /// Members, each with a list of values.
        conditions: Vec<(String, Vec<u8>)>,
        limit: Option<u32>,
    },
    Number(String),
}

/// What is to be done.
#[derive(Debug)]
pub(in crate::map) struct RawDecision {
    pub(in crate::map) changes: Vec<RawChange>,
    pub(in crate::map) told: Vec<u8>,
    pub(in crate::map) events: Vec<RawEvent>,
}

/// A change of one record.
#[derive(Debug)]
pub(in crate::map) enum RawChange {
    Put { of: String, members: Vec<u8> },
    Remove { of: String, key: Vec<u8> },
}

/// Something that happened to a record.
#[derive(Debug)]
pub(in crate::map) struct RawEvent {
    pub(in crate::map) name: String,
    pub(in crate::map) of: String,
    pub(in crate::map) key: Vec<u8>,
}

/// Why something cannot be done.
#[derive(Debug)]
pub(in crate::map) struct RawDecline {
    pub(in crate::map) class: String,
    pub(in crate::map) code: String,
    pub(in crate::map) field: Option<String>,
    pub(in crate::map) message: String,
}
