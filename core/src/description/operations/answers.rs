//! Turns documented responses into [`Answer`]s.

use serde_json::Value;

use super::{Operations, is_json};
use crate::description::expression::{Expression, Member, Type};
use crate::description::outline::OperationOutline;
use crate::description::template::{OwnRecords, Speech};
use crate::description::{Answer, Listed, ProblemClass, RecordTypeId, Template, Verb, scope};
use crate::json::Pointer;
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
        let content = here.member("content");
        let types: Vec<_> = response.get("content").and_then(Value::as_object).into_iter().flatten().collect();
        if let Some((second, _)) = types.get(1) {
            let place = self.document.key_place(&content.member(second));
            self.report(Diagnostic::at(place, "not supported yet: a response of several media types"));
        }
        if let Some((media_type, _)) = types.first() {
            let at = content.member(media_type);
            if is_json(media_type) {
                let problem = Speech { names: scope::problem_answer(), records: None };
                let speech = if answer.is_success() { success } else { &problem };
                let schema = at.member("schema");
                let template = Template::compile(self.document, self.outline, &schema, speech, self.findings);
                answer.content = template.map(|template| ((*media_type).clone(), template));
            } else {
                let place = self.document.key_place(&at);
                self.report(Diagnostic::at(place, format!("not supported yet: responses of type `{media_type}`")));
            }
        }
        Some(answer)
    }

    /// What the answer to a call that went well speaks of.
    fn speech(&self, verb: Option<&Verb>, is_asynchronous: bool) -> Speech {
        let Some(verb) = verb else { return Speech { names: scope::ingest_answer(), records: None } };
        match verb {
            Verb::Snapshot { .. } | Verb::Merge { .. } if is_asynchronous => {
                Speech { names: scope::queued_answer(), records: None }
            }
            Verb::Snapshot { records, .. } if records.iter().any(|id| !self.records.stands_alone(*id)) => {
                Speech { names: scope::whole_answer(), records: None }
            }
            Verb::Snapshot { records, .. } | Verb::Merge { records, .. } | Verb::Clear { records } => {
                let of = if let [id] = records.as_slice() { self.records.row_of(*id) } else { Type::Any };
                self.with_records(scope::ingest_answer_of(&of), "accepted", records)
            }
            Verb::List(Listed::Records { of, .. }) => {
                self.with_records(scope::records_answer(self.records.row_of(*of)), "records", &[*of])
            }
            // Not built yet, and so not read.
            Verb::List(Listed::Selected(_) | Listed::Called { .. } | Listed::Sends { .. })
            | Verb::Resource(_)
            | Verb::Receive => Speech { names: Vec::new(), records: None },
            Verb::List(Listed::Log { .. }) => Speech { names: scope::log_answer(), records: None },
            Verb::Connection => {
                let names = scope::connection_answer(scope::options(self.document));
                Speech { names, records: None }
            }
        }
    }

    /// A list of these records is filled in with what `name` names.
    fn with_records(&self, names: Vec<Member>, name: &str, records: &[RecordTypeId]) -> Speech {
        let places = records.iter().map(|id| self.records.place_of(*id).clone()).collect();
        let list = Expression::compile(name, &names);
        Speech { records: list.ok().map(|list| OwnRecords { places, list }), names }
    }
}
