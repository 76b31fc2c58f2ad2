//! Turns documented responses into [`Answer`]s.

use serde_json::Value;

use super::{Operations, is_json};
use crate::description::{Answer, ProblemClass, Template, scope};
use crate::json::Pointer;
use crate::language::{Diagnostic, EXTENSION};

impl Operations<'_, '_, '_> {
    /// The documented responses of an operation.
    pub(super) fn answers(&mut self, at: &Pointer) -> Vec<Answer> {
        let responses = at.member("responses");
        let statuses: Vec<_> = self
            .document
            .get(&responses)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(s, _)| s.clone())
            .collect();
        let answers: Vec<_> =
            statuses.iter().filter_map(|status| self.answer(&responses.member(status), status)).collect();
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

    fn answer(&mut self, at: &Pointer, status: &str) -> Option<Answer> {
        let Some(status) = status.parse().ok().filter(|status| (200..600).contains(status)) else {
            let problem = format!("not supported yet: a response for `{status}`");
            self.report(Diagnostic::at(self.document.key_place(at), problem).expected("expected a status, 200 to 599"));
            return None;
        };
        let (here, response) = self.document.resolve(at)?;
        let keys = self.outline.responses.get(&here).cloned().unwrap_or_default();
        let mut answer = Answer { status, problems: keys.problems.unwrap_or_default(), content: None };
        let content = here.member("content");
        let types: Vec<_> = response.get("content").and_then(Value::as_object).into_iter().flatten().collect();
        if let Some((second, _)) = types.get(1) {
            let place = self.document.key_place(&content.member(second));
            self.report(Diagnostic::at(place, "not supported yet: a response of several media types"));
        }
        if let Some((media_type, _)) = types.first() {
            let at = content.member(media_type);
            if is_json(media_type) {
                let names = if answer.is_success() { scope::ingest_answer() } else { scope::problem_answer() };
                let schema = at.member("schema");
                self.refuse_records(&schema);
                let template = Template::compile(self.document, self.outline, &schema, &names, self.findings);
                answer.content = template.map(|template| ((*media_type).clone(), template));
            } else {
                let place = self.document.key_place(&at);
                self.report(Diagnostic::at(place, format!("not supported yet: responses of type `{media_type}`")));
            }
        }
        Some(answer)
    }

    /// A list of records in an answer would hold those accepted, which is not built.
    fn refuse_records(&mut self, at: &Pointer) {
        for property in crate::language::schema::properties(self.document, at) {
            let items = self.document.resolve(&property.at).map(|(at, _)| at.member("items"));
            if items.is_some_and(|items| self.records.is_record(&items)) {
                let place = self.document.key_place(&property.at);
                self.report(Diagnostic::at(place, "not supported yet: records in an answer"));
            }
        }
    }
}
