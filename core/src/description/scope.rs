//! What expressions may speak of, by where they stand, and how their mistakes are shown.
//!
//! The server makes the values: one JSON object with a member for every name here.

use serde_json::Value;

use super::expression::{Expression, Member, Type};
use super::findings::Findings;
use crate::json::Pointer;
use crate::language::{Diagnostic, Document, EXTENSION};

/// Compiles the expression that stands at `at`; what is wrong with it is shown where it is in the text.
pub(super) fn compile(
    document: &Document,
    at: &Pointer,
    source: &str,
    names: &[Member],
    findings: &mut Findings<'_>,
) -> Option<Expression> {
    compile_beside(document, at, source, &[], names, findings)
}

/// Compiles what speaks of a record: of its members (`own`) and of `names`, see [`Expression::compile_beside`].
pub(super) fn compile_beside(
    document: &Document,
    at: &Pointer,
    source: &str,
    own: &[Member],
    names: &[Member],
    findings: &mut Findings<'_>,
) -> Option<Expression> {
    match Expression::compile_beside(source, own, names) {
        Ok(expression) => Some(expression),
        Err(fault) => {
            let place = document.place(at).from_offset(fault.span.start, fault.span.len().max(1));
            let problem = Diagnostic::at(place, fault.problem);
            findings.report(match fault.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
            None
        }
    }
}

/// Compiles what a database has to compute of stored records.
pub(super) fn compile_stored(
    document: &Document,
    at: &Pointer,
    source: &str,
    own: &[Member],
    names: &[Member],
    findings: &mut Findings<'_>,
) -> Option<Expression> {
    let expression = compile_beside(document, at, source, own, names, findings)?;
    if let Err(untranslatable) = expression.formula() {
        let problem = Diagnostic::at(document.place(at), untranslatable.to_string());
        findings.report(problem.hint("stored records are chosen and computed by the database, and this is not"));
    }
    Some(expression)
}

/// Whether `context` has what `names` promise to expressions: for tests of whoever makes contexts.
pub fn is_kept(names: &[Member], context: &Value) -> bool {
    Type::Object(names.to_vec()).accepts(context)
}

/// What the answer to an ingest speaks of, whatever its records look like.
///
/// ```json
/// {"delivery": {"id": "…", "status": "applied", "counts": {"user": {"created": 1, …}}},
///  "created": [{…}], "updated": [], "unchanged": [], "removed": [], "accepted": [{…}], "total": 1,
///  "rejected": [{"body": {…}, "key": "7 / B", "pointer": "/a/0",
///    "messages": [{"text": "…", "level": "error", "code": "type", "field": "b"}]}],
///  "rejections": [{"pointer": "/a/0", "code": "type", "message": "…"}], "refusals": [], "faults": [], "parked": [],
///  "warnings": [], "omitted": 0, "dryRun": false}
/// ```
pub fn ingest_answer() -> Vec<Member> {
    ingest_answer_of(&Type::Any)
}

/// What the answer to an ingest of such records speaks of, where they are taken one by one.
pub(super) fn ingest_answer_of(record: &Type) -> Vec<Member> {
    // What was sent and not taken may be anything.
    let rejected = vec![
        Member::required("body", Type::Any),
        Member::optional("key", Type::Text),
        Member::required("pointer", Type::Text),
        Member::required("messages", messages()),
    ];
    let mut names = whole_answer();
    let records = ["created", "updated", "unchanged", "removed", "accepted"];
    names.extend(records.map(|name| Member::required(name, list(record.clone()))));
    names.push(Member::required("rejected", list(Type::Object(rejected))));
    names.push(Member::required("total", Type::Integer));
    names
}

/// What the answer to an ingest speaks of, where the payload is taken as a whole.
pub(super) fn whole_answer() -> Vec<Member> {
    let note = ["pointer", "code", "message"].map(|name| Member::required(name, Type::Text));
    let notes = list(Type::Object(note.into()));
    let delivery = vec![
        Member::required("id", Type::nullable(Type::Text)),
        Member::required("status", Type::Text),
        Member::required("counts", counts()),
    ];
    let mut names = vec![Member::required("delivery", Type::Object(delivery))];
    let lists = ["rejections", "refusals", "faults", "parked", "warnings"];
    names.extend(lists.map(|name| Member::required(name, notes.clone())));
    names.push(Member::required("omitted", Type::Integer));
    names.push(Member::required("dryRun", Type::Boolean));
    names
}

/// What the answer to an ingest speaks of that is given before anything was worked on.
///
/// ```json
/// {"delivery": {"id": "…", "status": "queued"}, "dryRun": false}
/// ```
pub fn queued_answer() -> Vec<Member> {
    let delivery = vec![Member::required("id", Type::nullable(Type::Text)), Member::required("status", Type::Text)];
    vec![Member::required("delivery", Type::Object(delivery)), Member::required("dryRun", Type::Boolean)]
}

/// What a list of such records speaks of.
///
/// ```json
/// {"records": [{…}], "total": 40}
/// ```
pub fn records_answer(record: Type) -> Vec<Member> {
    vec![Member::required("records", list(record)), Member::required("total", Type::Integer)]
}

/// What the answer about one record with these members speaks of: of the members by their names, of the options, and of
/// what the partner's own logic told. A member hides another name.
///
/// ```json
/// {"code": "B7", "title": "…", "options": {"sandbox": true}, "told": {"location": "…"}}
/// ```
pub fn record_answer(members: Vec<Member>, options: Type) -> Vec<Member> {
    let mut names = members;
    for name in [Member::required("options", options), told()] {
        if !names.iter().any(|member| member.name == name.name) {
            names.push(name);
        }
    }
    names
}

/// What a list of such records speaks of, where parameters choose them.
///
/// ```json
/// {"records": [{…}], "total": 40, "links": {"next": "https://…"}, "options": {"sandbox": true}, "told": {}}
/// ```
pub fn selected_answer(record: Type, options: Type) -> Vec<Member> {
    let mut names = records_answer(record);
    names.push(Member::required("links", Type::Map(Box::new(Type::Text))));
    names.push(Member::required("options", options));
    names.push(told());
    names
}

/// What the list of all that a subscription was told speaks of.
///
/// ```json
/// {"sends": [{"id": "…", "event": "book.created", "body": {…}, "status": "retry", "at": "2026-08-30T07:00:00.000Z",
///    "attempts": [{"at": "2026-08-30T07:00:01.000Z", "took": 130, "status": 503, "response": "…",
///      "problem": null}]}], "total": 1, "links": {}, "options": {"sandbox": true}}
/// ```
pub fn sends_answer(options: Type) -> Vec<Member> {
    let attempt = vec![
        Member::required("at", Type::Text),
        Member::required("took", Type::Integer),
        Member::required("status", Type::nullable(Type::Integer)),
        Member::required("response", Type::nullable(Type::Text)),
        Member::required("problem", Type::nullable(Type::Text)),
    ];
    let mut send: Vec<_> = ["id", "event", "status", "at"].map(|name| Member::required(name, Type::Text)).into();
    send.push(Member::required("body", Type::Any));
    send.push(Member::required("attempts", list(Type::Object(attempt))));
    vec![
        Member::required("sends", list(Type::Object(send))),
        Member::required("total", Type::Integer),
        Member::required("links", Type::Map(Box::new(Type::Text))),
        Member::required("options", options),
    ]
}

/// What the answer to something received from elsewhere speaks of.
///
/// ```json
/// {"delivery": {"id": "…", "status": "applied"}, "options": {"sandbox": true}}
/// ```
pub fn received_answer(options: Type) -> Vec<Member> {
    let delivery = vec![Member::required("id", Type::nullable(Type::Text)), Member::required("status", Type::Text)];
    vec![Member::required("delivery", Type::Object(delivery)), Member::required("options", options)]
}

/// What a subscriber is told speaks of: what it is called, the record that it happened to, and what that said before.
///
/// ```json
/// {"event": "book.updated", "record": {…}, "before": {…}, "options": {"sandbox": true}}
/// ```
pub fn event(options: Type) -> Vec<Member> {
    vec![
        Member::required("event", Type::Text),
        Member::required("record", Type::Any),
        Member::optional("before", Type::Any),
        Member::required("options", options),
    ]
}

/// What the partner's own logic adds to an answer, by name.
fn told() -> Member {
    Member::required("told", Type::Map(Box::new(Type::Any)))
}

/// What the log of a delivery speaks of.
///
/// ```json
/// {"delivery": {"id": "…", "finished": true, "errors": 0, "counts": {…}}, "total": 40,
///  "log": [{"name": "readers", "record": "Reader", "key": "7 / B", "body": {…}, "outcome": "created",
///    "messages": [{"text": "…", "level": "info", "code": "created", "field": ""}]}]}
/// ```
pub fn log_answer() -> Vec<Member> {
    let delivery = vec![
        Member::required("id", Type::nullable(Type::Text)),
        Member::required("finished", Type::Boolean),
        Member::required("errors", Type::Integer),
        Member::required("counts", counts()),
    ];
    let line = vec![
        Member::required("name", Type::Text),
        Member::required("record", Type::Text),
        Member::optional("key", Type::Text),
        Member::required("body", Type::Any),
        Member::required("outcome", Type::Text),
        Member::required("messages", messages()),
    ];
    vec![
        Member::required("delivery", Type::Object(delivery)),
        Member::required("log", list(Type::Object(line))),
        Member::required("total", Type::Integer),
    ]
}

/// What the answer that shows a connection with such options speaks of.
///
/// ```json
/// {"connection": {"name": "north"}, "options": {"sandbox": true}}
/// ```
pub fn connection_answer(options: Type) -> Vec<Member> {
    let connection = vec![Member::required("name", Type::Text)];
    vec![Member::required("connection", Type::Object(connection)), Member::required("options", options)]
}

fn list(of: Type) -> Type {
    Type::List(Box::new(of))
}

/// What came out of a delivery, by kind of entity.
fn counts() -> Type {
    let counts = ["created", "updated", "unchanged", "removed"].map(|name| Member::required(name, Type::Integer));
    Type::Map(Box::new(Type::Object(counts.into())))
}

/// What a client is told of one record.
fn messages() -> Type {
    let message = ["text", "level", "code", "field"].map(|name| Member::required(name, Type::Text));
    list(Type::Object(message.into()))
}

/// What the answer to a problem speaks of.
///
/// ```json
/// {"problem": {"status": 422, "code": "invalid", "message": "…",
///   "errors": [{"pointer": "/a/0/b", "field": "b", "key": "7 / B", "code": "type", "message": "…"}],
///   "fields": {"b": ["…"]},
///   "omitted": 0}, "delivery": {"id": null}}
/// ```
pub fn problem_answer() -> Vec<Member> {
    let mut error: Vec<_> =
        ["pointer", "field", "code", "message"].map(|name| Member::required(name, Type::Text)).into();
    error.push(Member::optional("key", Type::Text));
    let problem = vec![
        Member::required("status", Type::Integer),
        Member::required("code", Type::Text),
        Member::required("message", Type::Text),
        Member::required("errors", list(Type::Object(error))),
        Member::required("fields", Type::Map(Box::new(list(Type::Text)))),
        Member::required("omitted", Type::Integer),
    ];
    let delivery = vec![Member::required("id", Type::nullable(Type::Text))];
    vec![Member::required("problem", Type::Object(problem)), Member::required("delivery", Type::Object(delivery))]
}

/// What a condition on a request speaks of: `header` (names in lower case), `query`, `path` and `options`.
///
/// ```json
/// {"header": {"accept": "*/*"}, "query": {}, "path": {"env": "qa"}, "options": {"sandbox": true}}
/// ```
pub fn request(query: Vec<Member>, path: Vec<Member>, options: Type) -> Vec<Member> {
    vec![
        Member::required("header", Type::Map(Box::new(Type::Text))),
        Member::required("query", Type::Object(query)),
        Member::required("path", Type::Object(path)),
        Member::required("options", options),
    ]
}

/// What a condition on a single value speaks of: `value` and `options`.
///
/// ```json
/// {"value": "qa", "options": {"envs": ["qa"]}}
/// ```
pub fn value(value: Type, options: Type) -> Vec<Member> {
    vec![Member::required("value", value), Member::required("options", options)]
}

/// What a connection's options look like.
pub(super) fn options(document: &Document) -> Type {
    let options = Pointer::root().member(EXTENSION).member("options");
    let declared = document.get(&options).is_some();
    if declared { Type::of_schema(document, &options) } else { Type::Object(Vec::new()) }
}
