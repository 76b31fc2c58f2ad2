//! What clients do to single records, and which they see: the words `get`, `create`, `update`, `delete`, `upsert` and
//! `list` as types.
//!
//! To add a way to choose records: a field of [`Selection`], its reading in `operations/selection.rs`, its SQL in the
//! store. To add a way to write a member: a variant of [`Write`], its reading in `operations/form.rs`, its meaning in
//! `crate::resource`.

use serde_json::Value;

use super::{Expression, Location, RecordTypeId, Template};
use crate::language::keys::Cast;
use crate::validate::Schema;

/// What an operation does to one record.
#[derive(Debug)]
pub struct Resource {
    /// The record type.
    pub of: RecordTypeId,
    /// What is done.
    pub action: Action,
    /// How the record is found, where it has to be there: exactly one, or the call asks for something unknown.
    pub selection: Selection,
    /// What the body becomes.
    pub form: Form,
    /// What of the partner's own logic decides instead, by name.
    pub call: Option<String>,
}

/// What is done to one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is shown.
    Get,
    /// It is made. Path parameters become members of the same name.
    Create,
    /// Members that are sent replace those that are there.
    Update,
    /// It goes.
    Delete,
    /// The one with the same values in these members is updated; it is made where there is none.
    Upsert(Vec<String>),
}

/// Which records an operation sees, and in which order it may list them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Of which type.
    pub of: RecordTypeId,
    /// What holds for all of them: speaks of the record's members, `options`, and record types as lists.
    pub only: Option<Expression>,
    /// What parameters choose.
    pub filters: Vec<Filter>,
    /// The parameter that says the order, with all that it may say.
    pub sort: Option<Sort>,
}

/// A parameter that chooses records.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The parameter's name.
    pub parameter: String,
    /// Where it stands.
    pub location: Location,
    /// What holds for the records chosen: speaks of what [`Selection::only`] does, and of `value`. A parameter without a
    /// condition of its own compares the member of its name; a list chooses any of its items.
    pub condition: Expression,
    /// What `value` is where the parameter is absent; without it the filter does not apply then.
    pub default: Option<Value>,
}

/// A parameter that says in which order records are listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    /// The parameter's name.
    pub parameter: String,
    /// What it may say.
    pub words: Vec<SortWord>,
}

/// A word of a sort parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct SortWord {
    /// `start_date:desc`
    pub word: String,
    /// The member that is compared.
    pub member: String,
    /// Whether the largest stands first.
    pub descending: bool,
}

/// What the members of a body become.
#[derive(Debug, Default)]
pub struct Form {
    /// Members that a client may send; others are ignored.
    pub fields: Vec<FormField>,
}

/// What a member of a body becomes.
#[derive(Debug)]
pub struct FormField {
    /// Its name in the body.
    pub sent: String,
    /// The member that it is written to.
    pub kept: String,
    /// What its value, or each of its items, is turned into first.
    pub cast: Option<Cast>,
    /// How it is written.
    pub write: Write,
}

/// How a member is written.
#[derive(Debug)]
pub enum Write {
    /// It replaces what is there. `null` leaves nothing.
    Value,
    /// An object, whose members are written one by one into the one that is there. `null` leaves nothing.
    Object(Form),
    /// A list, or an object whose members are the items in the order of their names as numbers. An item that names one
    /// that is there changes it, others are added; what is not named stays. Where the server names items, one that names
    /// none of those is a mistake.
    Items {
        /// The member by which items are told apart.
        by: String,
        /// The member that, being true, removes the item.
        remove: Option<String>,
        /// What an item's members become.
        form: Form,
    },
    /// It is not kept: the partner's own logic is given it, as the argument of this name.
    Argument,
}

/// Where the key of a new record comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keying {
    /// The client sends it.
    #[default]
    Sent,
    /// The server counts: the next number that this record type never had in its connection.
    Counted,
    /// The server draws a UUID.
    Drawn,
}

/// A member that is computed whenever a record is read, and never stored.
#[derive(Debug)]
pub struct Derived {
    /// Its name.
    pub name: String,
    /// What it is: speaks of the record's members (derived ones too), `options`, and record types as lists of their
    /// stored records.
    pub value: Expression,
}

/// What is told of what happens to records, and who is told.
#[derive(Debug)]
pub struct Webhooks {
    /// The events.
    pub events: Vec<Event>,
    /// The record type that holds the subscriptions.
    pub subscription: RecordTypeId,
    /// Which of them are told: speaks of the subscription's members and of `event`.
    pub only: Expression,
    /// The subscription's member that holds the address.
    pub url: String,
    /// Milliseconds that a recipient may take.
    pub timeout_ms: u64,
    /// What is sent: speaks of `event`, `record` and `options`.
    pub body: Template,
    /// What a received one must look like.
    pub schema: Schema,
    /// The members of a received one that hold the event's name and the record.
    pub received: (String, String),
}

/// An event: something that happens to a record.
#[derive(Debug)]
pub struct Event {
    /// What it is called: `course.created`.
    pub name: String,
    /// The record type.
    pub of: RecordTypeId,
    /// What raises it.
    pub on: Happening,
}

/// What raises an event.
#[derive(Debug)]
pub enum Happening {
    /// The record is new.
    Created,
    /// It is another than before.
    Updated,
    /// It is gone.
    Deleted,
    /// It is another than before, and this holds: speaks of the record's members, and of `before`, which is what it was.
    Changed(Expression),
}
