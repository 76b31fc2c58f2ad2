//! Every word that may stand under `x-rollcall`, as Rust types. The meta-schema that editors complete from and the
//! checks of `rollcall check` are generated from them, so the doc comments here are what an editor shows.
//!
//! A word that is designed and not built yet is here too: the checker knows it and says "not supported yet", and a
//! description can be written with its completion already.
//!
//! To add a word: add a field with a doc comment, then either build it or list it in `description::unsupported`.

mod canonical;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::canonical::{CanonicalField, CanonicalKind, Join};

/// An expression in the typed subset of CEL.
pub type Expression = String;

/// One, or a list of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// At the root of a description.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Root {
    /// The version of this language: 1.
    pub version: u32,
    /// JSON Schema of the settings that a connection of this partner has; `options.x` in expressions, and given to the
    /// mapper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    pub options: Option<Value>,
    /// The language of `messages`, a BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What clients read, per problem code or outcome; `created.User` beats `created`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<BTreeMap<String, Message>>,
    /// What a query parameter that no one declared is: noted (the default) or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Unknown>,
}

/// A text for clients.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Message {
    /// The text; `{field}`, `{key}` and `{other}` are filled in.
    Text(String),
    /// The text, and how bad it is.
    Leveled {
        /// The text; `{field}`, `{key}` and `{other}` are filled in.
        text: String,
        /// How bad it is.
        level: Level,
    },
}

/// How bad a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// What becomes of a query parameter that no one declared.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// It is noted as a warning.
    Note,
    /// The request is refused.
    Refuse,
}

/// On an operation: exactly one verb, and what modifies it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Operation {
    /// Verb: the body is everything there is; what is absent is removed, of these outermost records and those nested
    /// in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<OneOrMany<String>>,
    /// Verb: each record is inserted, updated or deleted; absence says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<OneOrMany<String>>,
    /// Verb: lists records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Verb: reads one record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    /// Verb: makes a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<String>,
    /// Verb: changes a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// Verb: deletes a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    /// Verb: makes a record, or changes the one that has the same unique fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upsert: Option<String>,
    /// Verb: removes all records of this connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clear: Option<String>,
    /// Verb: takes what this document's `webhooks` describe; applied as a merge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive: Option<Receive>,
    /// What a bad record costs: the whole call, or itself. Required beside `snapshot` and `merge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<Accept>,
    /// A snapshot removes only among records that agree on these body paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<String>>,
    /// Answers as soon as the delivery is durable.
    #[serde(rename = "async", skip_serializing_if = "Option::is_none")]
    pub asynchronous: Option<bool>,
    /// Runs, answers, and stores nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Which records this operation sees.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub only: Option<Expression>,
    /// Conditions beyond JSON Schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must: Option<Conditions>,
    /// The name of what the mapper component's second export does instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Further methods that do the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<Vec<String>>,
}

impl Operation {
    /// The verbs that are there; an operation has exactly one.
    pub fn verbs(&self) -> Vec<&'static str> {
        let verbs = [
            ("snapshot", self.snapshot.is_some()),
            ("merge", self.merge.is_some()),
            ("list", self.list.is_some()),
            ("get", self.get.is_some()),
            ("create", self.create.is_some()),
            ("update", self.update.is_some()),
            ("delete", self.delete.is_some()),
            ("upsert", self.upsert.is_some()),
            ("clear", self.clear.is_some()),
            ("receive", self.receive.is_some()),
        ];
        verbs.into_iter().filter(|(_, there)| *there).map(|(verb, _)| verb).collect()
    }
}

/// What `receive` takes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Receive {
    /// What the document's `webhooks` describe.
    Webhooks,
}

/// What a bad record costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Accept {
    /// The whole call.
    All,
    /// Itself.
    Each,
}

/// What must hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Conditions {
    /// One expression.
    One(Expression),
    /// Several, each with what is wrong where it does not hold.
    Many(Vec<Condition>),
}

/// A condition with what is wrong where it does not hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What must hold.
    pub that: Expression,
    /// The class of problem; `forbidden` on an operation, `invalid` elsewhere.
    #[serde(rename = "else", default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<ProblemClass>,
    /// What to tell the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
}

/// What can be wrong with a request. Each class has an order of statuses; the first that the operation documents is
/// what the client gets, the first of all where it documents none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemClass {
    /// 400: not JSON, or a required header or parameter is missing.
    Malformed,
    /// 401, 403, 404: no credential, or a wrong one.
    Unauthenticated,
    /// 403, 404, 400: the credential does not allow it.
    Forbidden,
    /// 404, 400: there is no such thing.
    Unknown,
    /// 422, 400: breaks the schema or a rule.
    Invalid,
    /// 409, 422, 400: clashes with what is there.
    Clash,
    /// 413, 400: too large.
    TooLarge,
    /// 415, 400: a content type or encoding that the operation does not take.
    UnsupportedMedia,
    /// 409, 422, 400: waits for an operator.
    Held,
    /// 429: too many at a time.
    Limited,
    /// 500: our own fault.
    Fault,
    /// 503: not now.
    Unavailable,
}

/// On a schema: what makes it a record, and what a property means.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Schema {
    /// Makes this a record: what identifies it within the connection. A field, `parent.x`, or a list of them; `[]`
    /// means that there is exactly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<OneOrMany<String>>,
    /// The kinds of entity that the mapper may return for this record; without it the record is stored only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// The ways in which a merge may change records of this type; all of them where this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Change>>,
    /// Fields of ancestors (`parent.name`) that travel with this record; their keys always do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<Vec<String>>,
    /// What must hold over all records together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    /// References over several fields, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refs: Option<BTreeMap<String, Reference>>,
    /// Conditions beyond JSON Schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must: Option<Conditions>,
    /// The order of this list means nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unordered: Option<bool>,
    /// This field, or each of its items, is the key of another record.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub refers: Option<Refers>,
    /// What the server puts here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Expression>,
    /// When `value` is computed and stored; without it, it is computed when read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    /// The field that what is sent here is written to.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The type that a value is turned into on the way in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cast: Option<Cast>,
    /// The role of this field.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How the records of this list are changed, inside a merge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What a deletion that names items of this list takes away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<Delete>,
    /// The member by which the items of this list are told apart when they are written one by one.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
}

/// What must hold over all records together: exactly one of the rules, and a code for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Rule {
    /// No two records have the same values in all of these fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<Vec<String>>,
    /// No value occurs under two of these fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disjoint: Option<Vec<String>>,
    /// In each pair the first field's value decides the second's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub determines: Option<Vec<[String; 2]>>,
    /// In each pair each field's value decides the other's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_to_one: Option<Vec<[String; 2]>>,
    /// At most one record for which this holds: the one that was written last. The others become what `else` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single: Option<Expression>,
    /// Beside `single`: what fields of the others become.
    #[serde(rename = "else", skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<BTreeMap<String, Value>>,
    /// Holds for every record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must: Option<Expression>,
    /// The code of the problem where it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A reference over several fields; `it` is the target.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The record referred to.
    pub to: String,
    /// How the target is found.
    #[serde(rename = "where")]
    pub only: Expression,
    /// When the target is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// When the target is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
    /// When the reference counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
}

/// A reference by one field.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Refers {
    /// To this record.
    To(String),
    /// To this record, with what happens when it is missing or goes.
    With(RefersWith),
    /// To the record that another field names.
    By(RefersBy),
}

/// A reference by one field, with what happens when its target is missing or goes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefersWith {
    /// The record referred to.
    pub to: String,
    /// When the target is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// When the target is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
}

/// A reference whose target's type another field names.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefersBy {
    /// The field that names the type.
    pub by: String,
    /// Its words, and the records they stand for. A word that is not among them refers to nothing.
    pub to: BTreeMap<String, String>,
    /// When the target is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// When the target is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
}

/// What happens when a reference's target is not there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// The record is refused.
    Refuse,
    /// The record is taken as it is.
    Accept,
    /// The record waits for this long (ISO 8601).
    Park(String),
}

/// What happens when a reference's target is deleted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gone {
    /// The deletion is refused.
    Refuse,
    /// The reference is emptied.
    Unset,
    /// The record is deleted too.
    Cascade,
}

/// When a computed value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// When the record is made.
    Create,
    /// Whenever the record is written.
    Write,
}

/// What a value is turned into on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Cast {
    Boolean,
    Integer,
    Decimal,
    String,
    /// Any ISO 8601 date and time becomes UTC with milliseconds, `2026-08-30T07:00:00.000Z`.
    Instant,
}

/// The role of a parameter or a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The page's number.
    Page,
    /// The page's size.
    PerPage,
    /// How many rows.
    Limit,
    /// How many rows are skipped.
    Offset,
    /// Where the last page ended.
    Cursor,
    /// The order.
    Sort,
    /// Holds insert, update or delete for the records beside it.
    Change,
    /// When the payload was true; older than the last applied one is not applied.
    AsOf,
    /// True removes the nested item.
    Remove,
    /// The credential itself: a path parameter of what is received from elsewhere.
    Credential,
}

/// How the records of a list are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Change {
    Insert,
    Update,
    Upsert,
    Delete,
}

/// What a deletion that names items of a list takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Delete {
    /// These items only, and the record with the last one.
    Items,
}

/// On a parameter.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameter {
    /// The role of this parameter.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How it filters; `value` is what was sent.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub only: Option<Expression>,
    /// Conditions beyond JSON Schema; `value` is what was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must: Option<Conditions>,
    /// The type that the value, or each item, is turned into first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cast: Option<Cast>,
}

/// On a response.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    /// The problems that this response answers, against the usual order of statuses.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub problems: Option<Vec<ProblemClass>>,
}

/// On a response's header.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Header {
    /// What the server puts here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Expression>,
}

/// On an operation under `webhooks`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// Which change raises which event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emit: Option<BTreeMap<String, Emit>>,
    /// Who gets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Recipients>,
}

/// Which change raises an event.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Emit {
    /// Any change of this record.
    Any(String),
    /// A change of this record for which the expression holds; `before` is the old state.
    When {
        /// The record.
        of: String,
        /// What must hold.
        when: Expression,
    },
}

/// Who gets a webhook.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipients {
    /// The record that holds subscriptions.
    pub record: String,
    /// Which of them.
    #[serde(rename = "where")]
    pub only: Expression,
    /// Its field that holds the address.
    pub url: String,
    /// How long the recipient may take (ISO 8601).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}
