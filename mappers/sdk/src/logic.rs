//! Turns a partner's own logic into the second export of its component: implement [`Logic`] beside [`Mapper`], and name
//! both in [`export_mapper!`](crate::export_mapper).
//!
//! A call is written as if everything could be read at once. What it reads and does goes through its [`Desk`]; where an
//! answer is not there yet, `?` ends the call, the host finds it out, and the call is run again from the beginning. So a
//! call must be a function of what its desk shows: the same answers lead to the same further questions.
//!
//! ```ignore
//! fn lend(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
//!     let book: Book = desk.record()?;
//!     let open = desk.records::<Loan>("Loan").with("book_id", book.id).with("status", "open").first()?;
//!     if open.is_some() {
//!         return Err(Stop::clash("lent", "the book is lent already"));
//!     }
//!     let id = desk.number("Loan")?;
//!     desk.put("Loan", json!({"id": id, "book_id": book.id, "status": "open"}));
//!     desk.tell("location", format!("/loans/{id}"));
//!     Ok(())
//! }
//!
//! impl Logic for School {
//!     const KEYS: Keys = partner::KEYS;
//!     const CALLS: &'static [(&'static str, Call<Options>)] = &[("lend", lend)];
//! }
//!
//! rollcall_mapper_sdk::export_mapper!(School, logic);
//! ```
//!
//! [`Office`] runs calls natively, for tests.

mod desk;
mod office;

use serde_json::{Map, Value};

pub use self::desk::{Batch, Context, Desk, Query};
pub use self::office::{Done, Office, Visit};
use crate::Mapper;

/// The keys of record types: a type's name, and the members that make up its key. The generated `partner::KEYS`.
pub type Keys = &'static [(&'static str, &'static [&'static str])];

/// One call. What it does is what it said at its desk when it returns `Ok`; otherwise nothing is done.
pub type Call<Options> = fn(&Desk<'_>, &Options) -> Result<(), Stop>;

/// A partner's own logic: what becomes of calls that are more than a change of one record.
pub trait Logic: Mapper<Options: 'static> {
    /// The keys of the partner's record types: `partner::KEYS`.
    const KEYS: Keys;
    /// The calls that it takes, by the names that the description calls them.
    const CALLS: &'static [(&'static str, Call<Self::Options>)];
}

/// Why a call ends before its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// It has asked for something that is not known yet, and is run again. Only a [`Desk`] says so.
    Pending,
    /// It cannot be done, and the client can know why.
    Declined(Decline),
    /// It cannot be done because the logic is wrong. By place and shape, never by value.
    Failed(String),
}

/// Why something cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decline {
    /// What kind of problem it is.
    pub class: Class,
    /// For programs: `already-open`.
    pub code: String,
    /// The member of the body that is to blame, if one is.
    pub field: Option<String>,
    /// For the client.
    pub message: String,
}

/// What kind of problem a [`Decline`] is. The description says which status answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// This client may not.
    Forbidden,
    /// Something that is spoken of does not exist.
    Unknown,
    /// What was sent cannot be taken.
    Invalid,
    /// It contradicts what is there.
    Clash,
}

impl Class {
    /// The word for it in the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Clash => "clash",
        }
    }
}

impl Stop {
    /// This client may not.
    pub fn forbidden(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::declined(Class::Forbidden, code, message)
    }

    /// Something that is spoken of does not exist.
    pub fn unknown(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::declined(Class::Unknown, code, message)
    }

    /// What was sent cannot be taken.
    pub fn invalid(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::declined(Class::Invalid, code, message)
    }

    /// It contradicts what is there.
    pub fn clash(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::declined(Class::Clash, code, message)
    }

    /// The same, and the member of the body that is to blame.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        if let Self::Declined(decline) = &mut self {
            decline.field = Some(field.into());
        }
        self
    }

    fn declined(class: Class, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Declined(Decline { class, code: code.into(), field: None, message: message.into() })
    }
}

/// Something that a call has to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Records as they were before the call, the oldest first.
    Records {
        /// The record type.
        of: String,
        /// Members with the values that they may have.
        conditions: Vec<(String, Vec<Value>)>,
        /// At most so many.
        limit: Option<u32>,
    },
    /// A number that nobody else gets, of this record type or series.
    Number(String),
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A list of objects, JSON.
    Records(Vec<u8>),
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
    /// The logic is wrong.
    Fail(String),
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// All that changes, in this order.
    pub changes: Vec<Change>,
    /// What the answer tells beside.
    pub told: Map<String, Value>,
    /// What happened beside what the changes themselves raise.
    pub events: Vec<Event>,
}

/// A change of one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// These members replace those that are there; `null` empties one. A record with another key is made.
    Put {
        /// The record type.
        of: String,
        /// Its members, those of the key among them.
        members: Map<String, Value>,
    },
    /// It goes.
    Remove {
        /// The record type.
        of: String,
        /// Its key, part by part.
        key: Vec<Value>,
    },
}

/// Something that happened to a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What it is called.
    pub name: String,
    /// The record type.
    pub of: String,
    /// The record's key, part by part.
    pub key: Vec<Value>,
}

/// Works on a call as far as the answers that are there go.
pub fn step<L: Logic>(name: &str, options: &[u8], context: &[u8], found: &[Found]) -> Step {
    let fail = |message: &str| Step::Fail(message.to_owned());
    let Some((_, call)) = L::CALLS.iter().find(|(one, _)| *one == name) else {
        return fail("it takes no call of this name");
    };
    let Ok(options) = serde_json::from_slice::<L::Options>(options) else {
        return fail("the connection's options are not what the logic expects");
    };
    let Ok(context) = serde_json::from_slice::<Context>(context) else {
        return fail("the context is not what the contract says");
    };
    let desk = Desk::new(&context, found, L::KEYS);
    let ended = call(&desk, &options);
    let (asked, decision) = desk.clear();
    match ended {
        Err(Stop::Failed(message)) => Step::Fail(message),
        // A question that is open leaves everything open, whatever the call made of not being answered.
        _ if !asked.is_empty() => Step::Ask(asked),
        Ok(()) => Step::Decide(decision),
        Err(Stop::Declined(decline)) => Step::Decline(decline),
        Err(Stop::Pending) => fail("it waits for something that it has not asked for"),
    }
}

#[cfg(test)]
mod tests;
