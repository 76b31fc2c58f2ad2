//! What passes between the host and a partner's own logic, the component's second export: a call sees what the host
//! hands it, asks for more as data, and answers with data that the host applies or tells.

use serde_json::{Map, Value};

use crate::description::ProblemClass;

/// What a call is given.
#[derive(Debug, Clone)]
pub struct CallInput<'c> {
    /// What is called.
    pub name: &'c str,
    /// A JSON object: `now` (`2026-08-30T07:00:00.000Z`), `path`, `query`, `arguments` (members of the body that are not
    /// kept), `record` (what is stored of the record that the call is about; null where there is none) and `change` (what
    /// the verb would make of it, its key included; null where the verb writes nothing).
    pub context: &'c Value,
}

/// Something that a call asks for. The same questions come in the same order each time: what was found before is given
/// again, so that a call is a function of what it is given. What is found is as it was before the call.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Records of a type whose members have one of the values listed (a list member: holds one of them), the oldest first.
    Records {
        /// The record type's name.
        of: String,
        /// Members with the values that they may have.
        members: Vec<(String, Vec<Value>)>,
        /// At most so many.
        limit: Option<u32>,
    },
    /// The next key of a record type whose keys are counted, or the next number of a series that the call names
    /// (`$invoice/2026`). Nobody else gets it.
    Number {
        /// The record type's name, or the series'.
        of: String,
    },
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// What each of the records says, a JSON object.
    Records(Vec<Vec<u8>>),
    /// The number.
    Number(i64),
}

/// What a call comes to, for now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It has to know more.
    Ask(Vec<Question>),
    /// This is to be done.
    Decide(Decision),
    /// It cannot be done.
    Decline(Decline),
}

/// What is to be done: everything or nothing of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// All that changes, in this order; what the verb would have written only if it is among it.
    pub changes: Vec<CallChange>,
    /// What the answer tells beside, by name: a list's rows are called `rows`.
    pub told: Map<String, Value>,
    /// What happened beside what the changes themselves raise: an event's name, and the record that it is about.
    pub events: Vec<CallEvent>,
}

/// A change of one record.
#[derive(Debug, Clone, PartialEq)]
pub enum CallChange {
    /// These members replace those that are there; `null` empties one. A record with another key is made.
    Put {
        /// The record type's name.
        of: String,
        /// Its members, those of the key among them.
        members: Map<String, Value>,
    },
    /// It goes.
    Remove {
        /// The record type's name.
        of: String,
        /// Its key, part by part.
        key: Vec<Value>,
    },
}

/// Something that happened to a record.
#[derive(Debug, Clone, PartialEq)]
pub struct CallEvent {
    /// The event's name.
    pub event: String,
    /// The record type's name.
    pub of: String,
    /// Its key, part by part.
    pub key: Vec<Value>,
}

/// Why something cannot be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Decline {
    /// What kind of problem it is.
    pub class: ProblemClass,
    /// For programs: `already-open`.
    pub code: String,
    /// The member of the body that is to blame, if one is.
    pub field: Option<String>,
    /// For the client.
    pub message: String,
}
