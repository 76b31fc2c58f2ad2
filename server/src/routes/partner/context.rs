//! Turns what a call came to into what its answer is filled in with, in the partner's language.
//!
//! `rollcall_core::description::scope` says what descriptions may speak of; what is made here keeps that promise. To add
//! a name: there first, then here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rollcall_core::delivery::{Entry, Held, Outcome, Report, Status};
use rollcall_core::description::{Answer, Level, Messages, Template, stamp};
use rollcall_core::ingest::Ingested;
use rollcall_core::json::Pointer;
use rollcall_core::note::{Note, shown};
use rollcall_core::parcel::Content;
use rollcall_core::store::Attempt;
use rollcall_core::store::read::{Log, StoredSend};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::lists::Lists;
use super::paging::Part;
use crate::problem::{Finding, Problem};

/// What the answer to a call that changed records speaks of. Of the lists of records, which may be long, only those
/// that `answer` speaks of, and does not just [show](lists).
pub(super) fn ingested(
    messages: &Messages,
    answer: Option<&Answer>,
    ingested: &Ingested,
    delivery: Option<Uuid>,
    dry_run: bool,
) -> Value {
    let Ingested { report, entries, bodies, .. } = ingested;
    let is_spoken_of = |name: &str| answer.and_then(template).is_none_or(|answer| answer.speaks_of(name));
    let of = |name: &str| -> Vec<Value> {
        let wanted = is_spoken_of(name) && !is_shown(answer, name);
        let places = if wanted { places(ingested, name) } else { Vec::new() };
        places.into_iter().map(|at| read(&all_bodies(ingested, at))).collect()
    };
    let bad = entries.iter().zip(bodies).filter(|(entry, _)| entry.outcome.is_error() && is_spoken_of("rejected"));
    let rejected: Vec<_> = bad.map(|(entry, body)| rejected(messages, entry, &read(&body.read()))).collect();
    let total = entries.iter().filter(|entry| is_accepted(entry.outcome)).count();
    json!({
        "delivery": {"id": delivery, "status": report.status, "counts": report.counts},
        "created": of("created"),
        "updated": of("updated"),
        "unchanged": of("unchanged"),
        "accepted": of("accepted"),
        "removed": of("removed"),
        "rejected": rejected,
        "total": total,
        "rejections": notes(&report.rejections),
        "refusals": notes(&report.refusals),
        "faults": notes(&report.faults),
        "parked": notes(&report.parked),
        "warnings": notes(&report.warnings),
        "omitted": report.omitted,
        "dryRun": dry_run,
    })
}

/// The lists that `answer` just shows.
pub(super) fn lists(answer: Option<&Answer>, ingested: Ingested) -> Lists {
    let names = ["created", "updated", "unchanged", "accepted", "removed"];
    let shown = names.into_iter().filter(|name| is_shown(answer, name));
    let places: BTreeMap<_, _> = shown.map(|name| (name, places(&ingested, name))).collect();
    if places.is_empty() {
        return Lists::default();
    }
    let Ingested { mut bodies, removed, .. } = ingested;
    bodies.extend(removed.into_iter().map(Content::from));
    Lists::new(bodies, places)
}

/// Whether all that an answer does with a list is to show it.
fn is_shown(answer: Option<&Answer>, name: &str) -> bool {
    answer.is_some_and(|answer| {
        let in_headers = answer.headers.iter().any(|(_, value)| value.speaks_of(name));
        let template = template(answer);
        !in_headers && template.is_some_and(|template| template.speaks_of(name) && template.shows_as_it_is(name))
    })
}

fn template(answer: &Answer) -> Option<&Template> {
    answer.content.as_ref().map(|(_, template)| template)
}

/// Which records a list holds, counted through those that were sent and those that were removed.
fn places(ingested: &Ingested, list: &str) -> Vec<usize> {
    let Ingested { entries, changes, bodies, removed, .. } = ingested;
    // What waits has been taken as well: it is new, another or as it was.
    let is_wanted = |change: Outcome| match list {
        "created" => change == Outcome::Created,
        "updated" => change == Outcome::Updated,
        "unchanged" => change == Outcome::Unchanged,
        _ => true,
    };
    if list == "removed" {
        return (bodies.len()..bodies.len() + removed.len()).collect();
    }
    let taken = entries.iter().zip(changes).zip(bodies).enumerate();
    let taken = taken.filter(|(_, ((entry, change), _))| is_accepted(entry.outcome) && is_wanted(**change));
    taken.map(|(at, _)| at).collect()
}

/// The record at one of these places.
fn all_bodies(ingested: &Ingested, at: usize) -> Cow<'_, [u8]> {
    let Ingested { bodies, removed, .. } = ingested;
    match bodies.get(at) {
        Some(body) => body.read(),
        None => removed.get(at - bodies.len()).map(Cow::from).unwrap_or_default(),
    }
}

/// A record that is looked into.
fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// What the log of a delivery that was not kept speaks of.
pub(super) fn log_of(messages: &Messages, ingested: &Ingested) -> Value {
    let Ingested { report, entries, bodies, .. } = ingested;
    let errors = entries.iter().filter(|entry| entry.outcome.is_error()).count();
    let lines: Vec<_> =
        entries.iter().zip(bodies).map(|(entry, body)| line(messages, entry, &read(&body.read()))).collect();
    json!({
        "delivery": {"id": null, "finished": true, "errors": errors, "counts": report.counts},
        "total": entries.len(),
        "log": lines,
    })
}

/// What the log of a kept delivery speaks of, or that part of it which was asked for. A delivery that ended as a whole
/// tells that in a line of its own.
pub(super) fn log(messages: &Messages, delivery: Uuid, log: &Log, part: Part, bodies: &[Value]) -> Value {
    let ended = log.report.as_ref().filter(|report| match report.status {
        Status::Failed | Status::Held | Status::Superseded | Status::Discarded => true,
        Status::Rejected => log.sent == 0,
        _ => false,
    });
    let empty = json!({});
    let bodies = bodies.iter().chain(std::iter::repeat(&empty));
    let mut lines: Vec<_> = log.entries.iter().zip(bodies).map(|(entry, body)| line(messages, entry, body)).collect();
    lines.extend(ended.filter(|_| part.offset == 0).map(|report| end(messages, report)));
    let counts = log.report.as_ref().map(|report| report.counts.clone()).unwrap_or_default();
    let (total, errors) = if ended.is_some() { (1, 1) } else { (log.sent, log.errors) };
    json!({
        "delivery": {"id": delivery, "finished": log.finished, "errors": errors, "counts": counts},
        "total": total,
        "log": lines,
    })
}

/// What the list of all that a subscription was told speaks of.
pub(super) fn sends(rows: Vec<StoredSend>, total: u64, links: &Map<String, Value>, options: &Value) -> Value {
    let attempt = |attempt: &Attempt| {
        let Attempt { at, took_ms, status, response, problem } = attempt;
        json!({"at": stamp(*at), "took": took_ms, "status": status, "response": response, "problem": problem})
    };
    let send = |send: StoredSend| {
        let attempts: Vec<_> = send.attempts.iter().map(attempt).collect();
        json!({
            "id": send.id,
            "event": send.event,
            "body": send.body,
            "status": send.status,
            "at": stamp(send.at),
            "attempts": attempts,
        })
    };
    let sends: Vec<_> = rows.into_iter().map(send).collect();
    json!({"sends": sends, "total": total, "links": links, "options": options})
}

/// What an error answer speaks of.
pub(super) fn problem(messages: &Messages, problem: &Problem) -> Value {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut errors = Vec::new();
    for Finding { note, record } in &problem.errors {
        let text = messages.tell(note, record.as_deref()).text;
        let field = field(note, &Pointer::root());
        let mut error = json!({"pointer": note.pointer, "field": field, "code": note.code, "message": text});
        if let Some(key) = note.words.get("key") {
            error["key"] = json!(key);
        }
        errors.push(error);
        fields.entry(field).or_default().push(text);
    }
    json!({
        "problem": {
            "status": problem.status.as_u16(),
            "code": problem.code,
            "message": message(messages, problem),
            "errors": errors,
            "fields": fields,
            "omitted": problem.omitted,
        },
        "delivery": {"id": problem.delivery},
    })
}

/// What a problem is as a whole, in the partner's language.
fn message(messages: &Messages, problem: &Problem) -> String {
    if problem.is_said {
        return problem.detail.clone();
    }
    messages.tell(&Note::new(Pointer::root(), problem.class.word(), problem.detail.clone()), None).text
}

/// Whether what a record says counts from now on: applied, as it was, or waiting for what it refers to.
fn is_accepted(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Created | Outcome::Updated | Outcome::Unchanged | Outcome::Parked)
}

/// A record that was not taken.
fn rejected(messages: &Messages, entry: &Entry, body: &Value) -> Value {
    let mut item = json!({"body": body, "pointer": entry.pointer, "messages": told(messages, entry)});
    if let Some(key) = &entry.key {
        item["key"] = json!(shown(key));
    }
    item
}

/// A line of a log.
fn line(messages: &Messages, entry: &Entry, body: &Value) -> Value {
    let mut line = json!({
        "name": last_name(&entry.pointer),
        "record": entry.record,
        "body": body,
        "outcome": entry.outcome.word(),
        "messages": told(messages, entry),
    });
    if let Some(key) = &entry.key {
        line["key"] = json!(shown(key));
    }
    line
}

/// The line that says what ended a whole delivery.
fn end(messages: &Messages, report: &Report) -> Value {
    let fault = |note: &Note| Note { code: Outcome::Fault.word().to_owned(), ..note.clone() };
    let held = report.held.iter().flat_map(Held::notes);
    let notes = report.rejections.iter().cloned().chain(report.faults.iter().map(fault)).chain(held).collect();
    let entry = Entry { pointer: Pointer::root(), record: String::new(), key: None, outcome: Outcome::Fault, notes };
    line(messages, &entry, &json!({}))
}

/// What there is to tell of an entry: its notes, or at least what became of it.
fn told(messages: &Messages, entry: &Entry) -> Vec<Value> {
    let outcome = [outcome_note(entry)];
    let notes = if entry.notes.is_empty() { outcome.as_slice() } else { &entry.notes };
    let usual = match entry.outcome {
        outcome if outcome.is_error() => Level::Error,
        Outcome::Stale | Outcome::Parked => Level::Warning,
        _ => Level::Info,
    };
    let told = notes.iter().map(|note| {
        let told = messages.tell(note, Some(&entry.record));
        let field = field(note, &entry.pointer);
        json!({"text": told.text, "level": told.level.unwrap_or(usual), "code": note.code, "field": field})
    });
    told.collect()
}

/// What became of a record, where there is nothing else to tell.
fn outcome_note(entry: &Entry) -> Note {
    let message = match entry.outcome {
        Outcome::Created => "is new",
        Outcome::Updated => "was changed",
        Outcome::Unchanged => "is as it was",
        Outcome::Deleted => "was deleted",
        Outcome::Stale => "is older than what was applied last",
        Outcome::Parked => "waits for a record that it refers to",
        Outcome::Quarantined => "waited too long for a record that it refers to",
        Outcome::Rejected => "breaks the description",
        Outcome::Refused => "the mapper declines it",
        Outcome::Fault => "could not be worked on",
    };
    let note = Note::new(entry.pointer.clone(), entry.outcome.word(), message);
    match &entry.key {
        Some(key) => note.with("key", shown(key)),
        None => note,
    }
}

fn notes(notes: &[Note]) -> Vec<Value> {
    let told = |note: &Note| json!({"pointer": note.pointer, "code": note.code, "message": note.message});
    notes.iter().map(told).collect()
}

/// The member that a note about what stands at `of` is about; empty where it is about the whole.
fn field(note: &Note, of: &Pointer) -> String {
    match note.words.get("field") {
        Some(field) => field.clone(),
        None if note.pointer == *of => String::new(),
        None => last_name(&note.pointer),
    }
}

/// The name of the member that a pointer leads to: its last step that is not an index.
fn last_name(pointer: &Pointer) -> String {
    let named = pointer.steps().filter(|step| step.parse::<usize>().is_err());
    named.last().map(Cow::into_owned).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rollcall_core::delivery::{Counts, Entry, Outcome, Report, Status};
    use rollcall_core::description::{Messages, ProblemClass, scope};
    use rollcall_core::ingest::Ingested;
    use rollcall_core::json::Pointer;
    use rollcall_core::note::Note;
    use serde_json::json;
    use uuid::Uuid;

    use super::{Log, Part, Problem, ingested, log, problem};

    const ALL: Part = Part { limit: None, offset: 0 };

    fn entry(pointer: &str, key: &str, outcome: Outcome, notes: Vec<Note>) -> Entry {
        Entry { pointer: pointer.into(), record: "Shelf".to_owned(), key: Some(key.to_owned()), outcome, notes }
    }

    fn three() -> Ingested {
        let wrong = Note::new("/shelves/2/code".into(), "type", "must be text");
        let missing = Note::new("/shelves/2".into(), "required", "`room` is missing").with("field", "room");
        Ingested {
            report: Report::new(Status::Applied),
            entries: vec![
                entry("/shelves/0", r#"["A"]"#, Outcome::Created, vec![]),
                entry("/shelves/1", r#"["B"]"#, Outcome::Parked, vec![]),
                entry("/shelves/2", r#"["C",7]"#, Outcome::Rejected, vec![wrong, missing]),
            ],
            changes: vec![Outcome::Created, Outcome::Updated, Outcome::Rejected],
            bodies: [r#"{"code":"A"}"#, r#"{"code":"B"}"#, r#"{"code":3}"#].map(|body| Vec::from(body).into()).into(),
            removed: vec![r#"{"code":"D"}"#.into()],
            held_as: None,
        }
    }

    #[test]
    fn answers_can_be_filled_in_with_all_that_descriptions_speak_of() {
        let note = Note::new("/shelves/0/code".into(), "type", "must be text");
        let mut done = three();
        done.report.counts.insert("org".into(), Counts::default());
        done.report.warnings.push(note.clone());
        for delivery in [None, Some(Uuid::nil())] {
            let context = ingested(&Messages::default(), None, &done, delivery, delivery.is_none());
            assert!(scope::is_kept(&scope::ingest_answer(), &context));
            let wrong = Problem::new(ProblemClass::Invalid, "invalid", "1 violation");
            let wrong = wrong.with_errors(vec![note.clone()], 0).kept_as(delivery);
            assert!(scope::is_kept(&scope::problem_answer(), &problem(&Messages::default(), &wrong)));
        }
    }

    #[test]
    fn each_record_is_told_under_what_became_of_it() {
        let context = ingested(&Messages::default(), None, &three(), None, false);
        assert_eq!(context["created"], json!([{"code": "A"}]));
        assert_eq!(context["updated"], json!([{"code": "B"}]), "it waits, and is another than before");
        assert_eq!(context["accepted"], json!([{"code": "A"}, {"code": "B"}]));
        assert_eq!(context["total"], 2);
        assert_eq!(context["removed"], json!([{"code": "D"}]));
        let messages = json!([
            {"text": "must be text", "level": "error", "code": "type", "field": "code"},
            {"text": "`room` is missing", "level": "error", "code": "required", "field": "room"},
        ]);
        let wanted = json!([{"body": {"code": 3}, "key": "C / 7", "pointer": "/shelves/2", "messages": messages}]);
        assert_eq!(context["rejected"], wanted);
    }

    #[test]
    fn a_log_has_a_line_for_every_record_and_one_for_what_ended_it_as_a_whole() {
        let three = three();
        let mut kept = Log { sent: 40, errors: 9, finished: true, report: None, entries: three.entries };
        let context = log(&Messages::default(), Uuid::nil(), &kept, ALL, &[json!({"code": "A"})]);
        assert_eq!((&context["total"], &context["delivery"]["errors"]), (&json!(40), &json!(9)));
        let first = &context["log"][0];
        assert_eq!(
            (&first["name"], &first["record"], &first["key"]),
            (&json!("shelves"), &json!("Shelf"), &json!("A"))
        );
        assert_eq!(first["messages"], json!([{"text": "is new", "level": "info", "code": "created", "field": ""}]));
        assert_eq!(context["log"][1]["messages"][0]["level"], "warning");
        assert_eq!(context["log"][1]["body"], json!({}));

        let why = Note::new(Pointer::root(), "malformed", "not JSON");
        let report = Some(Report::rejected(ProblemClass::Malformed, vec![why]));
        kept = Log { sent: 0, errors: 0, finished: true, report, entries: Vec::new() };
        let context = log(&Messages::default(), Uuid::nil(), &kept, ALL, &[]);
        assert_eq!((&context["total"], &context["delivery"]["errors"]), (&json!(1), &json!(1)));
        assert_eq!(context["log"][0]["messages"][0]["text"], "not JSON");
        let later = log(&Messages::default(), Uuid::nil(), &kept, Part { offset: 1, ..ALL }, &[]);
        assert_eq!((&later["total"], &later["log"]), (&json!(1), &json!([])));
    }
}
