//! What is different in what can be called: operations, and in the published document their parameters, bodies and answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Sign::{Added, Changed, Removed};
use super::schemas::{Comparison, Direction, resolved};
use super::{Area, Found};
use crate::description::{Operation, Partner, RecordTypeId, Verb};

/// Compares what two versions let clients call.
pub(super) fn compare(from: &Partner, to: &Partner, found: &mut Found) {
    let was = by_route(from);
    let is = by_route(to);
    for (route, operation) in &was {
        let Some(other) = is.get(route) else {
            let what = format!("operation {}", operation.id);
            found.breaking(
                Area::Routes,
                route,
                Removed,
                what,
                "whoever calls it is answered that there is no such thing",
            );
            continue;
        };
        between(from, operation, to, other, route, found);
    }
    for (route, operation) in is.iter().filter(|(route, _)| !was.contains_key(*route)) {
        found.add(Area::Routes, route, Added, format!("operation {}", operation.id));
    }
}

fn by_route(partner: &Partner) -> BTreeMap<String, &Operation> {
    let route = |operation: &Operation| format!("{} /{}{}", operation.method, partner.name, operation.path);
    partner.operations.iter().map(|operation| (route(operation), operation)).collect()
}

fn between(from: &Partner, was: &Operation, to: &Partner, is: &Operation, route: &str, found: &mut Found) {
    if was.id != is.id {
        let what = format!("called {} → {}; what is queued under the old name waits", was.id, is.id);
        found.add(Area::Routes, route, Changed, what);
    }
    let (did, does) = (deed(from, &was.verb), deed(to, &is.verb));
    if did != does {
        let breaks = "the same call means something else";
        found.breaking(Area::Routes, route, Changed, format!("{did} → {does}"), breaks);
    }
    if was.asynchronous != is.asynchronous {
        let words = |later: bool| if later { "later" } else { "at once" };
        let what = format!("worked on {} → {}", words(was.asynchronous), words(is.asynchronous));
        found.breaking(Area::Routes, route, Changed, what, "the answer tells something else");
    }
    if was.security != is.security {
        let breaks = "who put the credential where it was may not be let in";
        found.breaking(Area::Routes, route, Changed, "where the credential stands", breaks);
    }
    let (old, new) = (Described::of(from, was), Described::of(to, is));
    parameters(&old, &new, to.refuses_unknown, route, found);
    bodies(&old, &new, route, found);
    answers(&old, &new, route, found);
}

/// What a verb does, in words.
fn deed(partner: &Partner, verb: &Verb) -> String {
    let names = |records: &[RecordTypeId]| {
        let names: Vec<_> = records.iter().map(|of| partner.records[usize::from(of.0)].name.as_str()).collect();
        names.join(", ")
    };
    match verb {
        Verb::Snapshot { records, accept } => {
            format!("snapshot of {} ({})", names(records), format!("{accept:?}").to_lowercase())
        }
        Verb::Merge { records, accept } => {
            format!("merge of {} ({})", names(records), format!("{accept:?}").to_lowercase())
        }
        Verb::Clear { records } => format!("clears {}", names(records)),
        Verb::List(_) => "list".to_owned(),
        Verb::Connection => "shows the connection".to_owned(),
        Verb::Resource(resource) => {
            let action = format!("{:?}", resource.action);
            let action = action.split('(').next().unwrap_or_default().to_lowercase();
            format!("{action} of one {}", names(&[resource.of]))
        }
        Verb::Receive => "takes webhooks".to_owned(),
    }
}

/// An operation in the published document.
struct Described<'d> {
    document: &'d Value,
    item: &'d Value,
    operation: &'d Value,
}

impl<'d> Described<'d> {
    fn of(partner: &'d Partner, operation: &Operation) -> Self {
        const NULL: &Value = &Value::Null;
        let document = &partner.document;
        let item = document.get("paths").and_then(|paths| paths.get(&operation.path)).unwrap_or(NULL);
        let described = item.get(operation.method.to_lowercase()).unwrap_or(NULL);
        Self { document, item, operation: described }
    }

    /// Parameters by place and name.
    fn parameters(&self) -> BTreeMap<String, &'d Value> {
        let lists = [self.item.get("parameters"), self.operation.get("parameters")];
        let all = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
        let named = all.map(|one| resolved(self.document, one)).filter_map(|parameter| {
            let (place, name) = (parameter.get("in")?.as_str()?, parameter.get("name")?.as_str()?);
            Some((format!("{place} {name}"), parameter))
        });
        named.collect()
    }

    fn body(&self) -> Option<&'d Value> {
        self.operation.get("requestBody").map(|body| resolved(self.document, body))
    }

    fn answers(&self) -> BTreeMap<String, &'d Value> {
        let all = self.operation.get("responses").and_then(Value::as_object).into_iter().flatten();
        all.map(|(status, answer)| (status.clone(), resolved(self.document, answer))).collect()
    }

    /// Schemas by media type.
    fn content(holder: &'d Value) -> BTreeMap<String, &'d Value> {
        let all = holder.get("content").and_then(Value::as_object).into_iter().flatten();
        all.filter_map(|(media, content)| Some((media.clone(), content.get("schema")?))).collect()
    }
}

fn is_required(holder: &Value) -> bool {
    holder.get("required").and_then(Value::as_bool).unwrap_or_default()
}

fn parameters(old: &Described<'_>, new: &Described<'_>, refuses_unknown: bool, route: &str, found: &mut Found) {
    let (was, is) = (old.parameters(), new.parameters());
    for (name, parameter) in &was {
        let place = format!("{route} {name}");
        let Some(other) = is.get(name) else {
            if refuses_unknown && name.starts_with("query") {
                found.breaking(Area::Parameters, place, Removed, "parameter", "who sends it is refused");
            } else {
                found.add(Area::Parameters, place, Removed, "parameter: it is ignored");
            }
            continue;
        };
        if !is_required(parameter) && is_required(other) {
            found.breaking(Area::Parameters, &place, Changed, "has to be there", "who does not send it is refused");
        } else if is_required(parameter) && !is_required(other) {
            found.add(Area::Parameters, &place, Changed, "need not be there any more");
        }
        if let (Some(one), Some(two)) = (parameter.get("schema"), other.get("schema")) {
            let mut comparison =
                Comparison::new(old.document, new.document, Area::Parameters, Direction::Request, found);
            comparison.compare(one, two, &place);
        }
    }
    for (name, parameter) in is.iter().filter(|(name, _)| !was.contains_key(*name)) {
        let place = format!("{route} {name}");
        if is_required(parameter) {
            found.breaking(
                Area::Parameters,
                place,
                Added,
                "parameter that has to be there",
                "who does not know it is refused",
            );
        } else {
            found.add(Area::Parameters, place, Added, "parameter");
        }
    }
}

fn bodies(old: &Described<'_>, new: &Described<'_>, route: &str, found: &mut Found) {
    match (old.body(), new.body()) {
        (None, None) => {}
        (Some(_), None) => found.add(Area::Requests, route, Removed, "body: it is ignored"),
        (None, Some(body)) if is_required(body) => {
            found.breaking(Area::Requests, route, Added, "body that has to be there", "who sends none is refused");
        }
        (None, Some(_)) => found.add(Area::Requests, route, Added, "body"),
        (Some(was), Some(is)) => {
            let (was, is) = (Described::content(was), Described::content(is));
            for (media, schema) in &was {
                let Some(other) = is.get(media) else {
                    found.breaking(
                        Area::Requests,
                        route,
                        Removed,
                        format!("body as {media}"),
                        "who sends it is refused",
                    );
                    continue;
                };
                Comparison::new(old.document, new.document, Area::Requests, Direction::Request, found)
                    .compare(schema, other, route);
            }
            for media in is.keys().filter(|media| !was.contains_key(*media)) {
                found.add(Area::Requests, route, Added, format!("body as {media}"));
            }
        }
    }
}

fn answers(old: &Described<'_>, new: &Described<'_>, route: &str, found: &mut Found) {
    let (was, is) = (old.answers(), new.answers());
    for (status, answer) in &was {
        let place = format!("{route} {status}");
        let Some(other) = is.get(status) else {
            found.add(Area::Answers, place, Removed, "answer");
            continue;
        };
        let (was, is) = (Described::content(answer), Described::content(other));
        for (media, schema) in &was {
            let Some(other) = is.get(media) else {
                let breaks = "who reads it finds something else";
                found.breaking(Area::Answers, &place, Removed, format!("answer as {media}"), breaks);
                continue;
            };
            Comparison::new(old.document, new.document, Area::Answers, Direction::Answer, found)
                .compare(schema, other, &place);
        }
        for media in is.keys().filter(|media| !was.contains_key(*media)) {
            found.add(Area::Answers, &place, Added, format!("answer as {media}"));
        }
    }
    for status in is.keys().filter(|status| !was.contains_key(*status)) {
        found.add(Area::Answers, format!("{route} {status}"), Added, "answer");
    }
}
