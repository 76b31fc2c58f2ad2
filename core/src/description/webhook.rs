//! Turns what stands under `webhooks` into [`Webhooks`]: which events there are, what raises them, who is told and what.
//!
//! To add something that raises an event: a variant of [`Happening`], and its reading in [`Reader::raised_by`].

use std::sync::Arc;

use jiff::{SignedDuration, Span};
use serde_json::Value;

use super::expression::{Expression, Member, Row, Type};
use super::findings::Findings;
use super::outline::Outline;
use super::records::Records;
use super::template::{Speech, Views};
use super::{Event, Happening, RecordTypeId, Template, Webhooks, scope};
use crate::json::Pointer;
use crate::language::schema::{Property, properties};
use crate::language::{Diagnostic, Document, EXTENSION, keys};
use crate::validate::Schemas;

/// Milliseconds that a recipient may take where nothing else is said.
const TIMEOUT_MS: u64 = 10_000;

/// The ends of the names of events that a plain record raises, with what they mean.
const ENDS: [(&str, Happening); 3] =
    [("created", Happening::Created), ("updated", Happening::Updated), ("deleted", Happening::Deleted)];

/// What is told of what happens to records; none where the document has no webhooks.
pub(super) fn webhooks(
    document: &Document,
    outline: &Outline,
    schemas: &Schemas<'_>,
    records: &Records<'_>,
    findings: &mut Findings<'_>,
) -> Option<Webhooks> {
    let mut declared: Vec<_> = outline.webhooks.iter().collect();
    declared.sort_by_key(|(at, _)| *at);
    if let [_, (second, _), ..] = declared.as_slice() {
        findings.report(Diagnostic::at(document.key_place(second), "not supported yet: several webhooks"));
    }
    let (at, keys) = declared.first()?;
    Reader { document, outline, records, findings }.webhooks(at, keys, schemas)
}

struct Reader<'r, 'a, 'f> {
    document: &'r Document,
    outline: &'r Outline,
    records: &'r Records<'a>,
    findings: &'r mut Findings<'f>,
}

impl Reader<'_, '_, '_> {
    fn webhooks(&mut self, at: &Pointer, keys: &keys::Webhook, schemas: &Schemas<'_>) -> Option<Webhooks> {
        let key_at = at.member(EXTENSION);
        let Some(to) = &keys.to else {
            let problem = Diagnostic::at(self.document.key_place(&key_at), "this does not say who is told");
            self.findings.report(problem.hint("add `to: {record: Subscription, where: event in events, url: url}`"));
            return None;
        };
        let body = self.body(at)?;
        let said = properties(self.document, &body);
        let event = self.said(&said, "event", &body);
        let record = self.said(&said, "record", &body);
        let to_at = key_at.member("to");
        let subscription =
            self.records.named(&to.record, self.document.place(&to_at.member("record")), self.findings)?;
        let members = self.records.read_members(subscription);
        let only = self.only(&to_at.member("where"), &to.only, &members);
        self.check_url(&to_at.member("url"), &to.url, &to.record, &members);
        let timeout_ms = self.timeout(&to_at.member("timeout"), to.timeout.as_deref());
        let speech = Speech::of(scope::event(scope::options(self.document)));
        let template = Template::compile(self.document, self.outline, &body, &speech, &mut Views::new(), self.findings);
        let schema = schemas.compile(body.as_str());
        if let (Err(reason), true) = (&schema, self.findings.problems.is_empty()) {
            let problem = format!("not a schema: {reason}");
            self.findings.report(Diagnostic::at(self.document.key_place(&body), problem));
        }
        let (event, record) = (event?, record?);
        let words = self.words(&event);
        let events = self.events(&key_at.member("emit"), keys, &words);
        Some(Webhooks {
            events,
            subscription,
            only: only?,
            url: to.url.clone(),
            timeout_ms,
            body: template?,
            schema: schema.ok()?,
            received: (event.name, record.name),
        })
    }

    /// Where the schema of what is sent stands.
    fn body(&mut self, at: &Pointer) -> Option<Pointer> {
        let content = self.document.resolve(&at.member("requestBody")).map(|(at, _)| at.member("content"));
        let types = content.as_ref().and_then(|at| self.document.get(at)).and_then(Value::as_object);
        let media_type = types.and_then(|types| types.keys().find(|name| name.contains("json")));
        let schema = content.as_ref().zip(media_type).map(|(at, name)| at.member(name).member("schema"));
        let found = schema.filter(|at| self.document.get(at).is_some());
        if found.is_none() {
            let problem = Diagnostic::at(self.document.key_place(at), "this does not say what is sent");
            self.findings.report(problem.hint("add a `requestBody` of type `application/json`"));
        }
        found
    }

    /// The property whose value is this name, and nothing else.
    fn said(&mut self, of: &[Property], name: &str, body: &Pointer) -> Option<Property> {
        let is = |property: &&Property| {
            self.outline.schema(self.document, &property.at).value.is_some_and(|value| value.trim() == name)
        };
        let found = of.iter().find(is).cloned();
        if found.is_none() {
            let problem = Diagnostic::at(self.document.key_place(body), format!("no property holds the {name}"));
            self.findings.report(problem.hint(format!("add one: `x-rollcall: {{value: {name}}}`")));
        }
        found
    }

    fn only(&mut self, at: &Pointer, source: &str, members: &[Member]) -> Option<Expression> {
        self.condition(at, source, members, &[Member::required("event", Type::Text)])
    }

    fn condition(&mut self, at: &Pointer, source: &str, own: &[Member], names: &[Member]) -> Option<Expression> {
        let condition = scope::compile_beside(self.document, at, source, own, names, self.findings)?;
        if !condition.is_condition() {
            let problem = format!("a condition is true or false, this is {}", condition.of());
            self.findings.report(Diagnostic::at(self.document.place(at), problem));
        }
        Some(condition)
    }

    fn check_url(&mut self, at: &Pointer, url: &str, record: &str, members: &[Member]) {
        let place = self.document.place(at);
        match members.iter().find(|member| member.name == url) {
            None => {
                let problem = Diagnostic::at(place, format!("`{record}` has no member `{url}`"));
                let known = members.iter().map(|member| member.name.as_str());
                self.findings.report(problem.did_you_mean(url, known));
            }
            Some(member) if !member.of.unwrapped().fits(&Type::Text) => {
                self.findings.report(Diagnostic::at(place, format!("an address is text, this is {}", member.of)));
            }
            Some(_) => {}
        }
    }

    fn timeout(&mut self, at: &Pointer, timeout: Option<&str>) -> u64 {
        let Some(text) = timeout else { return TIMEOUT_MS };
        let read = text.parse::<Span>().ok().and_then(|span| SignedDuration::try_from(span).ok());
        let read = read.and_then(|span| u64::try_from(span.as_millis()).ok()).filter(|&ms| ms > 0);
        if read.is_none() {
            let problem = Diagnostic::at(self.document.place(at), "not a time that a recipient may take");
            self.findings.report(problem.expected("expected an ISO 8601 duration such as PT10S"));
        }
        read.unwrap_or(TIMEOUT_MS)
    }

    /// The names of all events.
    fn words(&mut self, event: &Property) -> Vec<String> {
        let words = self.document.resolve(&event.at).and_then(|(_, schema)| schema.get("enum")?.as_array());
        let words: Vec<_> = words.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        if words.is_empty() {
            let problem =
                Diagnostic::at(self.document.key_place(&event.at), "this does not say which events there are");
            self.findings.report(problem.hint("add `enum: [book.created, book.deleted]`"));
        }
        words
    }

    fn events(&mut self, at: &Pointer, keys: &keys::Webhook, words: &[String]) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        for (name, emit) in keys.emit.iter().flatten() {
            let here = at.member(name);
            for event in self.raised_by(&here, name, emit, words) {
                if events.iter().any(|other| other.name == event.name) {
                    let problem = format!("the event `{}` is raised twice", event.name);
                    self.findings.report(Diagnostic::at(self.document.key_place(&here), problem));
                    continue;
                }
                events.push(event);
            }
        }
        events
    }

    /// The events that one entry of `emit` is about.
    fn raised_by(&mut self, at: &Pointer, name: &str, emit: &keys::Emit, words: &[String]) -> Vec<Event> {
        let (of, of_at) = match emit {
            keys::Emit::Any(of) => (of, at.clone()),
            keys::Emit::When { of, .. } => (of, at.member("of")),
        };
        let Some(of) = self.records.named(of, self.document.place(&of_at), self.findings) else { return Vec::new() };
        if let (Some(start), keys::Emit::Any(_)) = (name.strip_suffix(".*"), emit) {
            return self.raised_by_any(at, start, of, words);
        }
        if !words.iter().any(|word| word == name) {
            let problem = Diagnostic::at(self.document.key_place(at), format!("there is no event `{name}`"));
            self.findings.report(problem.did_you_mean(name, words.iter().map(String::as_str)));
            return Vec::new();
        }
        let on = match emit {
            keys::Emit::When { when, .. } => self.changed(&at.member("when"), when, of),
            keys::Emit::Any(_) => {
                let end = name.rsplit('.').next().unwrap_or(name);
                let on = ENDS.into_iter().find(|(known, _)| *known == end).map(|(_, on)| on);
                if on.is_none() {
                    let problem =
                        Diagnostic::at(self.document.key_place(at), "this does not say what raises the event");
                    self.findings.report(problem.hint("say when: `{of: Record, when: before.state != state}`"));
                }
                on
            }
        };
        on.map(|on| Event { name: name.to_owned(), of, on }).into_iter().collect()
    }

    /// Those events of a record's coming, changing and going that there are.
    fn raised_by_any(&mut self, at: &Pointer, start: &str, of: RecordTypeId, words: &[String]) -> Vec<Event> {
        let events = ENDS.into_iter().map(|(end, on)| Event { name: format!("{start}.{end}"), of, on });
        let events: Vec<_> = events.filter(|event| words.contains(&event.name)).collect();
        if events.is_empty() {
            let problem = Diagnostic::at(self.document.key_place(at), format!("there is no event `{start}.…`"));
            let hint = format!("expected at least one of `{start}.created`, `{start}.updated` and `{start}.deleted`");
            self.findings.report(problem.hint(hint));
        }
        events
    }

    fn changed(&mut self, at: &Pointer, source: &str, of: RecordTypeId) -> Option<Happening> {
        let row = Row { name: self.records.name(of).to_owned(), key: None, of: self.records.row_of(of) };
        let before = Type::Record(Arc::new(row));
        let names = [Member::required("before", before)];
        self.condition(at, source, &self.records.read_members(of), &names).map(Happening::Changed)
    }
}
