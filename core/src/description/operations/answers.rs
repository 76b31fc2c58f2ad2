//! Turns documented responses into [`Answer`]s.

use serde_json::Value;

use super::{Operations, is_json};
use crate::description::expression::{Expression, Member, Type};
use crate::description::outline::OperationOutline;
use crate::description::template::{OwnRecords, Shown, Speech, Which};
use crate::description::{Answer, Listed, ProblemClass, RecordTypeId, Template, Verb, scope};
use crate::json::Pointer;
use crate::language::schema::property;
use crate::language::{Diagnostic, EXTENSION};

impl Operations<'_, '_, '_> {
    /// The documented responses of an operation.
    pub(super) fn answers(&mut self, outline: &OperationOutline, verb: Option<&Verb>) -> Vec<Answer> {
        let at = &outline.at;
        let responses = at.member("responses");
        let speech = self.speech(verb, outline.keys.asynchronous == Some(true));
        let statuses: Vec<_> = self
            .document
            .get(&responses)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(s, _)| s.clone())
            .collect();
        let answers: Vec<_> =
            statuses.iter().filter_map(|status| self.answer(&responses.member(status), status, &speech)).collect();
        let successes = answers.iter().filter(|answer| answer.is_success()).count();
        if successes != 1 {
            let place = self.document.key_place(if statuses.is_empty() { at } else { &responses });
            let problem = format!("an operation documents exactly one response from 200 to 299, this one {successes}");
            self.report(Diagnostic::at(place, problem));
        }
        for class in ProblemClass::ALL {
            let places: Vec<_> = answers.iter().filter(|answer| answer.problems.contains(&class)).collect();
            if let [first, second, ..] = places.as_slice() {
                let place = |answer: &Answer| {
                    let at = self.document.resolve(&responses.member(&answer.status.to_string()));
                    self.document
                        .key_place(&at.map_or_else(Pointer::root, |(at, _)| at.member(EXTENSION).member("for")))
                };
                let name = serde_json::to_value(class).ok();
                let name = name.as_ref().and_then(Value::as_str).unwrap_or_default();
                let problem = Diagnostic::at(place(second), format!("two responses are `for` the problem `{name}`"));
                self.report(problem.related(place(first), "the other one"));
            }
        }
        answers
    }

    fn answer(&mut self, at: &Pointer, status: &str, success: &Speech) -> Option<Answer> {
        let Some(status) = status.parse().ok().filter(|status| (200..600).contains(status)) else {
            let problem = format!("not supported yet: a response for `{status}`");
            self.report(Diagnostic::at(self.document.key_place(at), problem).expected("expected a status, 200 to 599"));
            return None;
        };
        let (here, response) = self.document.resolve(at)?;
        let keys = self.outline.responses.get(&here).cloned().unwrap_or_default();
        let mut answer =
            Answer { status, problems: keys.problems.unwrap_or_default(), content: None, headers: Vec::new() };
        let problem = Speech::of(scope::problem_answer());
        let speech = if answer.is_success() { success } else { &problem };
        answer.headers = self.headers(&here, &speech.names);
        let content = here.member("content");
        let types: Vec<_> = response.get("content").and_then(Value::as_object).into_iter().flatten().collect();
        if let Some((second, _)) = types.get(1) {
            let place = self.document.key_place(&content.member(second));
            self.report(Diagnostic::at(place, "not supported yet: a response of several media types"));
        }
        if let Some((media_type, _)) = types.first() {
            let at = content.member(media_type);
            if is_json(media_type) {
                let schema = at.member("schema");
                let template = if answer.is_success() {
                    self.template(&schema, speech)
                } else if let Some(known) = self.problems.get(&schema) {
                    known.clone()
                } else {
                    let template = self.template(&schema, speech);
                    self.problems.insert(schema, template.clone());
                    template
                };
                answer.content = template.map(|template| ((*media_type).clone(), template));
            } else {
                let place = self.document.key_place(&at);
                self.report(Diagnostic::at(place, format!("not supported yet: responses of type `{media_type}`")));
            }
        }
        Some(answer)
    }

    fn template(&mut self, schema: &Pointer, speech: &Speech) -> Option<Template> {
        Template::compile(self.document, self.outline, schema, speech, &mut self.views, self.findings)
    }

    /// The headers that the response at `at` declares with a value.
    fn headers(&mut self, at: &Pointer, names: &[Member]) -> Vec<(String, Expression)> {
        let declared = at.member("headers");
        let known: Vec<_> = self.document.get(&declared).and_then(Value::as_object).into_iter().flatten().collect();
        let mut headers = Vec::new();
        for (name, _) in known {
            let Some((here, _)) = self.document.resolve(&declared.member(name)) else { continue };
            let Some(source) = self.outline.headers.get(&here).and_then(|keys| keys.value.clone()) else { continue };
            let word = here.member(EXTENSION).member("value");
            let Some(value) = scope::compile(self.document, &word, &source, names, self.findings) else { continue };
            let fits = [Type::Text, Type::Number, Type::Boolean].iter().any(|of| value.of().unwrapped().fits(of));
            if !fits {
                let problem = format!("a header is text or a number, this is {}", value.of());
                self.report(Diagnostic::at(self.document.place(&word), problem));
            }
            headers.push((name.clone(), value));
        }
        headers
    }

    /// What the answer to a call that went well speaks of.
    fn speech(&self, verb: Option<&Verb>, is_asynchronous: bool) -> Speech {
        let Some(verb) = verb else { return Speech::of(scope::ingest_answer()) };
        let options = || scope::options(self.document);
        match verb {
            Verb::Snapshot { .. } | Verb::Merge { .. } if is_asynchronous => Speech::of(scope::queued_answer()),
            Verb::Snapshot { records, .. } if records.iter().any(|id| !self.records.stands_alone(*id)) => {
                Speech::of(scope::whole_answer())
            }
            Verb::Snapshot { records, .. } | Verb::Merge { records, .. } | Verb::Clear { records } => {
                let of = if let [id] = records.as_slice() { self.records.row_of(*id) } else { Type::Any };
                self.with_records(scope::ingest_answer_of(&of), "accepted", records)
            }
            Verb::List(Listed::Records { of, .. }) => {
                self.with_records(scope::records_answer(self.records.row_of(*of)), "records", &[*of])
            }
            Verb::List(Listed::Selected(selection)) => {
                let at = self.records.place_of(selection.of).clone();
                self.showing(self.records.name(selection.of), at, true)
            }
            Verb::List(Listed::Called { of, .. }) => {
                self.showing(self.records.name(*of), self.records.place_of(*of).clone(), false)
            }
            Verb::List(Listed::Items { of, list }) => {
                let at = property(self.document, self.records.place_of(of.of), list).map(|property| property.at);
                let items = at.and_then(|at| self.document.resolve(&at)).map(|(at, _)| at.member("items"));
                let items = items.and_then(|items| self.document.resolve(&items)).map(|(at, _)| at);
                self.showing(list, items.unwrap_or_else(Pointer::root), true)
            }
            Verb::List(Listed::Sends { .. }) => {
                Speech { is_lenient: true, ..Speech::of(scope::sends_answer(options())) }
            }
            Verb::List(Listed::Log { .. }) => Speech::of(scope::log_answer()),
            Verb::Resource(resource) => {
                let at = self.records.place_of(resource.of).clone();
                let names = scope::record_answer(self.records.read_members(resource.of), options());
                let name = self.records.name(resource.of).to_owned();
                let shown = Shown { name, at, names: names.clone(), which: Which::One, is_closed: true };
                Speech { names, records: None, shown: Some(shown), is_lenient: true }
            }
            Verb::Receive => Speech::of(scope::received_answer(options())),
            Verb::Connection => Speech::of(scope::connection_answer(options())),
        }
    }

    /// A list of what is described at `at` shows members by their names.
    fn showing(&self, name: &str, at: Pointer, is_closed: bool) -> Speech {
        let options = scope::options(self.document);
        let row = Type::of_schema(self.document, &at);
        let names = scope::record_answer(members_of(row.clone()), options.clone());
        let of_list = scope::selected_answer(row, options);
        let which = Expression::compile("records", &of_list).map(Which::Each);
        let shown = which.ok().map(|which| Shown { name: name.to_owned(), at, names, which, is_closed });
        Speech { names: of_list, records: None, shown, is_lenient: true }
    }

    /// A list of these records is filled in with what `name` names.
    fn with_records(&self, names: Vec<Member>, name: &str, records: &[RecordTypeId]) -> Speech {
        let places = records.iter().map(|id| self.records.place_of(*id).clone()).collect();
        let list = Expression::compile(name, &names);
        Speech { records: list.ok().map(|list| OwnRecords { places, list }), names, shown: None, is_lenient: false }
    }
}

/// What expressions about a record may name.
fn members_of(row: Type) -> Vec<Member> {
    if let Type::Object(members) = row { members } else { Vec::new() }
}
