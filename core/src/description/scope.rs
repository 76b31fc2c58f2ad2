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
    match Expression::compile(source, names) {
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

/// Whether `context` has what `names` promise to expressions: for tests of whoever makes contexts.
pub fn is_kept(names: &[Member], context: &Value) -> bool {
    Type::Object(names.to_vec()).accepts(context)
}

/// What the answer to an ingest speaks of.
///
/// ```json
/// {"delivery": {"id": "…", "status": "applied", "counts": {"user": {"created": 1, …}}},
///  "rejections": [{"pointer": "/a/0", "code": "type", "message": "…"}], "refusals": [], "faults": [], "parked": [],
///  "warnings": [], "omitted": 0, "dryRun": false}
/// ```
pub fn ingest_answer() -> Vec<Member> {
    let counts = ["created", "updated", "unchanged", "removed"].map(|name| Member::required(name, Type::Integer));
    let delivery = vec![
        Member::required("id", Type::nullable(Type::Text)),
        Member::required("status", Type::Text),
        Member::required("counts", Type::Map(Box::new(Type::Object(counts.into())))),
    ];
    let note = ["pointer", "code", "message"].map(|name| Member::required(name, Type::Text));
    let notes = Type::List(Box::new(Type::Object(note.into())));
    let lists = ["rejections", "refusals", "faults", "parked", "warnings"];
    let mut names = vec![Member::required("delivery", Type::Object(delivery))];
    names.extend(lists.map(|name| Member::required(name, notes.clone())));
    names.push(Member::required("omitted", Type::Integer));
    names.push(Member::required("dryRun", Type::Boolean));
    names
}

/// What the answer to a problem speaks of.
///
/// ```json
/// {"problem": {"status": 422, "code": "invalid", "message": "…",
///   "errors": [{"pointer": "/a/0/b", "field": "b", "code": "type", "message": "…"}], "fields": {"b": ["…"]},
///   "omitted": 0}, "delivery": {"id": null}}
/// ```
pub fn problem_answer() -> Vec<Member> {
    let error = ["pointer", "field", "code", "message"].map(|name| Member::required(name, Type::Text));
    let problem = vec![
        Member::required("status", Type::Integer),
        Member::required("code", Type::Text),
        Member::required("message", Type::Text),
        Member::required("errors", Type::List(Box::new(Type::Object(error.into())))),
        Member::required("fields", Type::Map(Box::new(Type::List(Box::new(Type::Text))))),
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
