//! Turns the operations under `paths` into [`Operation`]s.

use std::collections::HashSet;

use serde_json::Value;

use super::expression::{Member, Type};
use super::outline::{OperationOutline, Outline};
use super::records::Records;
use super::scope;
use super::{
    Accept, Answer, Body, Credential, Location, Media, Must, Operation, Paging, Parameter, ProblemClass, RecordTypeId,
    Shape, Template, Verb,
};
use crate::json::Pointer;
use crate::language::schema::type_names;
use crate::language::{Diagnostic, Document, EXTENSION, keys};
use crate::validate::Schema;

/// Headers that OpenAPI says are not described as parameters.
const HEADERS_IGNORED: [&str; 3] = ["accept", "content-type", "authorization"];

/// Builds the operations of one document.
pub(super) struct Operations<'a, 'p> {
    pub(super) document: &'a Document,
    pub(super) outline: &'a Outline,
    pub(super) records: &'p mut Records<'a>,
    /// The `value`s that fill answers.
    pub(super) filling: &'p mut HashSet<Pointer>,
    pub(super) problems: &'p mut Vec<Diagnostic>,
}

/// A credential's place, or that none is needed.
enum Requirement {
    Credential(Credential),
    None,
}

impl Operations<'_, '_> {
    /// One operation; none if something is wrong with it.
    pub(super) fn build(&mut self, outline: &OperationOutline) -> Option<Operation> {
        let at = &outline.at;
        let id = self.id(at);
        let parameters = self.parameters(outline);
        let body = self.body(at);
        let outermost = body.as_ref().map(|(_, outermost)| outermost.as_slice()).unwrap_or_default();
        let verb = if outline.is_flawed { None } else { self.verb(outline, outermost) };
        let security = self.security(at);
        let must = self.must(outline, &parameters);
        let answers = self.answers(at);
        Some(Operation {
            id: id?,
            method: outline.method.clone(),
            path: outline.path.clone(),
            verb: verb?,
            security,
            parameters,
            must,
            asynchronous: false,
            dry_run: false,
            paging: Paging::default(),
            body: body.map(|(body, _)| body),
            answers,
        })
    }

    fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    fn id(&mut self, at: &Pointer) -> Option<String> {
        let id = self.document.get(&at.member("operationId")).and_then(Value::as_str).map(str::to_owned);
        if id.is_none() {
            let problem = Diagnostic::at(self.document.key_place(at), "this operation has no `operationId`");
            self.report(problem.hint("deliveries and logs call it by that name"));
        }
        id
    }

    // What it does.

    fn verb(&mut self, outline: &OperationOutline, outermost: &[RecordTypeId]) -> Option<Verb> {
        let keys = outline.at.member(EXTENSION);
        let verbs = outline.keys.verbs();
        let [verb] = verbs.as_slice() else {
            let problem = Diagnostic::at(self.document.key_place(&keys), "an operation has exactly one verb");
            let known = "snapshot, merge, list, get, create, update, delete, upsert, clear, receive";
            self.report(match verbs.as_slice() {
                [] => problem.expected("has none").hint(format!("verbs are: {known}")),
                several => problem.expected(format!("has {}", several.join(", "))),
            });
            return None;
        };
        if *verb == "snapshot" || *verb == "merge" {
            if outline.keys.accept.is_none() {
                let place = self.document.key_place(&keys.member(verb));
                let problem = Diagnostic::at(place, format!("`{verb}` needs `accept` beside it"));
                self.report(
                    problem.hint("`accept: all` if a bad record costs the whole call, `accept: each` if only itself"),
                );
            }
        } else if outline.keys.accept.is_some() {
            let place = self.document.key_place(&keys.member("accept"));
            self.report(Diagnostic::at(place, "`accept` stands beside `snapshot` and `merge` only"));
        }
        let snapshot = outline.keys.snapshot.as_ref()?;
        let records = self.outermost(&keys.member("snapshot"), snapshot.as_slice(), outermost);
        Some(Verb::Snapshot { records, accept: outline.keys.accept.unwrap_or(Accept::All) })
    }

    /// The record types that a verb names, which have to be the outermost ones of the body.
    fn outermost(&mut self, at: &Pointer, names: &[String], reached: &[RecordTypeId]) -> Vec<RecordTypeId> {
        let mut found = Vec::new();
        let problems = self.problems.len();
        let single = self.document.get(at).is_some_and(Value::is_string);
        for (nth, name) in names.iter().enumerate() {
            let place = self.document.place(&if single { at.clone() } else { at.item(nth) });
            let Some(id) = self.records.id(name) else {
                let problem = Diagnostic::at(place, format!("there is no record `{name}`"));
                let problem = problem.did_you_mean(name, self.records.names());
                self.report(problem);
                continue;
            };
            if !reached.is_empty() && !reached.contains(&id) {
                let problem = Diagnostic::at(place, format!("`{name}` is not an outermost record of the body"));
                self.report(problem.hint("nested records belong to the one around them"));
            }
            found.push(id);
        }
        let all_right = self.problems.len() == problems;
        for id in reached.iter().filter(|id| all_right && !found.contains(id)) {
            let name = self.records.names().nth(usize::from(id.0)).unwrap_or_default();
            let problem = format!("the body also holds `{name}`, which is not named here");
            let problem = Diagnostic::at(self.document.place(at), problem);
            self.report(problem);
        }
        found
    }

    // Who may call it.

    fn security(&mut self, operation: &Pointer) -> Vec<Credential> {
        let own = operation.member("security");
        let at = if self.document.get(&own).is_some() { own } else { Pointer::root().member("security") };
        let alternatives = self.document.get(&at).and_then(Value::as_array).map_or(0, Vec::len);
        let found: Vec<_> = (0..alternatives).map(|nth| self.requirement(&at.item(nth))).collect();
        if alternatives == 0 || found.iter().any(|found| matches!(found, Some(Requirement::None))) {
            let at = if self.document.get(&at).is_some() { &at } else { operation };
            let problem = Diagnostic::at(self.document.key_place(at), "anyone could call this operation");
            self.report(
                problem.hint("what is sent belongs to the connection that the credential names: add `security`"),
            );
        }
        let credentials = found.into_iter().filter_map(|found| match found {
            Some(Requirement::Credential(credential)) => Some(credential),
            Some(Requirement::None) | None => None,
        });
        credentials.collect()
    }

    fn requirement(&mut self, at: &Pointer) -> Option<Requirement> {
        let requirement = self.document.get(at)?.as_object()?;
        let names: Vec<_> = requirement.keys().cloned().collect();
        let name = match names.as_slice() {
            [] => return Some(Requirement::None),
            [name] => name,
            _ => {
                let place = self.document.place(at);
                self.report(Diagnostic::at(place, "not supported yet: several credentials at a time"));
                return None;
            }
        };
        let schemes = Pointer::root().member("components").member("securitySchemes");
        let Some((scheme_at, scheme)) = self.document.resolve(&schemes.member(name)) else {
            let known = self.document.get(&schemes).and_then(Value::as_object);
            let problem = Diagnostic::at(
                self.document.key_place(&at.member(name)),
                format!("there is no security scheme `{name}`"),
            );
            let problem = problem.did_you_mean(name, known.into_iter().flatten().map(|(name, _)| name.as_str()));
            self.report(problem);
            return None;
        };
        let word = |name: &str| scheme.get(name).and_then(Value::as_str);
        let credential = match (word("type"), word("in"), word("name"), word("scheme")) {
            (Some("apiKey"), Some("header"), Some(name), _) => Some(Credential::Header(name.to_ascii_lowercase())),
            (Some("apiKey"), Some("query"), Some(name), _) => Some(Credential::Query(name.to_owned())),
            (Some("http"), _, _, Some(scheme)) if scheme.eq_ignore_ascii_case("bearer") => Some(Credential::Bearer),
            _ => None,
        };
        if credential.is_none() {
            let problem =
                Diagnostic::at(self.document.key_place(&scheme_at), "not supported yet: this security scheme");
            self.report(problem.hint("supported are `apiKey` in a header or the query, and `http` with `bearer`"));
        }
        credential.map(Requirement::Credential)
    }

    // What it is called with.

    fn parameters(&mut self, outline: &OperationOutline) -> Vec<Parameter> {
        let mut parameters: Vec<Parameter> = Vec::new();
        let own = outline.at.member("parameters");
        let shared = outline.path_item.member("parameters");
        for list in [own, shared] {
            let items = self.document.get(&list).and_then(Value::as_array).map_or(0, Vec::len);
            for nth in 0..items {
                let Some(parameter) = self.parameter(&list.item(nth)) else { continue };
                let is_same = |other: &Parameter| other.name == parameter.name && other.location == parameter.location;
                if !parameters.iter().any(is_same) {
                    parameters.push(parameter);
                }
            }
        }
        self.match_path(outline, &parameters);
        parameters
    }

    fn parameter(&mut self, at: &Pointer) -> Option<Parameter> {
        let (at, parameter) = self.document.resolve(at)?;
        let place = self.document.place(&at.member("in"));
        let location = match parameter.get("in").and_then(Value::as_str) {
            Some("path") => Location::Path,
            Some("query") => Location::Query,
            Some("header") => Location::Header,
            Some("cookie") => {
                self.report(Diagnostic::at(place, "not supported yet: a parameter in a cookie"));
                return None;
            }
            _ => {
                self.report(Diagnostic::at(place, "a parameter is in the path, the query or a header"));
                return None;
            }
        };
        let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default();
        let name = if location == Location::Header { name.to_ascii_lowercase() } else { name.to_owned() };
        if name.is_empty() {
            self.report(Diagnostic::at(self.document.key_place(&at), "a parameter has a `name`"));
        }
        if location == Location::Header && HEADERS_IGNORED.contains(&name.as_str()) {
            let place = self.document.place(&at.member("name"));
            let problem = Diagnostic::at(place, format!("OpenAPI ignores a declared `{name}` header"));
            self.report(
                problem.hint(format!("on the operation: `must: [{{that: has(header.{name}), else: malformed}}]`")),
            );
        }
        let required = parameter.get("required") == Some(&Value::Bool(true));
        if location == Location::Path && !required {
            let problem = Diagnostic::at(self.document.key_place(&at), "a path parameter is `required: true`");
            self.report(problem);
        }
        self.parameter_schema(&at).map(|schema| Parameter { name, location, required, schema, must: Vec::new() })
    }

    fn parameter_schema(&mut self, at: &Pointer) -> Option<Schema> {
        let at = at.member("schema");
        let Some((resolved, schema)) = self.document.resolve(&at) else {
            self.report(Diagnostic::at(self.document.key_place(&at), "a parameter has a `schema`"));
            return None;
        };
        let words = schema.get("enum").and_then(Value::as_array);
        let is_scalar = matches!(type_names(schema).as_slice(), ["string" | "integer" | "number" | "boolean"]);
        if !is_scalar && !words.is_some_and(|words| words.iter().all(Value::is_string)) {
            let place = self.document.key_place(&resolved);
            self.report(Diagnostic::at(
                place,
                "not supported yet: a parameter that is not text, a number or a boolean",
            ));
        }
        self.compile(&at)
    }

    /// Every `{name}` in the path is declared, and every path parameter stands in the path.
    fn match_path(&mut self, outline: &OperationOutline, parameters: &[Parameter]) {
        let place = self.document.key_place(&outline.path_item);
        let named: Vec<_> = outline.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let declared = |name: &str| parameters.iter().any(|p| p.location == Location::Path && p.name == name);
        for name in named.iter().filter(|name| !declared(name)) {
            let problem = format!("the path parameter `{name}` is not declared");
            self.problems.push(Diagnostic::at(place.clone(), problem));
        }
        let path_parameters = parameters.iter().filter(|parameter| parameter.location == Location::Path);
        for parameter in path_parameters.filter(|parameter| !named.contains(&parameter.name.as_str())) {
            let problem = format!("the path has no `{{{}}}`", parameter.name);
            self.problems.push(Diagnostic::at(place.clone(), problem));
        }
    }

    fn must(&mut self, outline: &OperationOutline, parameters: &[Parameter]) -> Vec<Must> {
        let at = outline.at.member(EXTENSION).member("must");
        let names = self.request_names(parameters);
        match &outline.keys.must {
            None => Vec::new(),
            Some(keys::Conditions::One(that)) => {
                self.condition(&at, that, &names, ProblemClass::Forbidden, None).into_iter().collect()
            }
            Some(keys::Conditions::Many(conditions)) => {
                let conditions = conditions.iter().enumerate().filter_map(|(nth, condition)| {
                    let problem = condition.otherwise.unwrap_or(ProblemClass::Forbidden);
                    let at = at.item(nth).member("that");
                    self.condition(&at, &condition.that, &names, problem, condition.say.clone())
                });
                conditions.collect()
            }
        }
    }

    fn condition(
        &mut self,
        at: &Pointer,
        source: &str,
        names: &[Member],
        problem: ProblemClass,
        say: Option<String>,
    ) -> Option<Must> {
        let that = scope::compile(self.document, at, source, names, self.problems)?;
        if !that.of().fits(&Type::Boolean) {
            let problem = format!("a condition is true or false, this is {}", that.of());
            self.report(Diagnostic::at(self.document.place(at), problem));
        }
        Some(Must { that, problem, say })
    }

    fn request_names(&self, parameters: &[Parameter]) -> Vec<Member> {
        let members = |location: Location| {
            let parameters = parameters.iter().filter(move |parameter| parameter.location == location);
            let members = parameters.map(|parameter| Member {
                name: parameter.name.clone(),
                of: Type::Text,
                required: parameter.required,
            });
            members.collect()
        };
        let options = Pointer::root().member(EXTENSION).member("options");
        let declared = self.document.get(&options).is_some();
        let options = if declared { Type::of_schema(self.document, &options) } else { Type::Object(Vec::new()) };
        scope::request(members(Location::Query), members(Location::Path), options)
    }

    fn body(&mut self, at: &Pointer) -> Option<(Body, Vec<RecordTypeId>)> {
        let body_at = at.member("requestBody");
        let Some((body_at, body)) = self.document.resolve(&body_at) else {
            let problem =
                Diagnostic::at(self.document.key_place(at), "an operation that takes records in needs a body");
            self.report(problem.hint("add a `requestBody`"));
            return None;
        };
        let required = body.get("required") == Some(&Value::Bool(true));
        if !required {
            let problem = Diagnostic::at(self.document.key_place(&body_at), "a body that may be absent says nothing");
            self.report(problem.hint("add `required: true`"));
        }
        let content = body_at.member("content");
        let types: Vec<_> = self.document.get(&content).and_then(Value::as_object).into_iter().flatten().collect();
        if types.is_empty() {
            self.problems.push(Diagnostic::at(self.document.key_place(&body_at), "a body has a `content`"));
        }
        let mut media = Vec::new();
        let mut outermost = Vec::new();
        for (media_type, _) in types {
            let at = content.member(media_type);
            let (shape, reached) = self.records.body(&at.member("schema"), self.problems);
            outermost.extend(reached.into_iter().filter(|id| !outermost.contains(id)).collect::<Vec<_>>());
            if !is_json(media_type) {
                let place = self.document.key_place(&at);
                self.report(Diagnostic::at(place, format!("not supported yet: bodies of type `{media_type}`")));
                continue;
            }
            media.extend(self.media(media_type, &at, shape));
        }
        Some((Body { required, media }, outermost))
    }

    fn media(&mut self, media_type: &str, at: &Pointer, shape: Shape) -> Option<Media> {
        let at = at.member("schema");
        if self.document.get(&at).is_none() {
            self.report(Diagnostic::at(self.document.key_place(&at), "a body has a `schema`"));
            return None;
        }
        let schema = self.compile(&at)?;
        Some(Media {
            media_type: media_type.to_ascii_lowercase(),
            schema,
            one_by_one: false,
            shape,
            as_of: None,
            must: Vec::new(),
        })
    }

    fn compile(&mut self, at: &Pointer) -> Option<Schema> {
        match Schema::compile(self.document.root(), at.as_str()) {
            Ok(schema) => Some(schema),
            // What is wrong with a schema has been said already, better; only if nothing has, this is all there is.
            Err(_) if !self.problems.is_empty() => None,
            Err(reason) => {
                self.report(Diagnostic::at(self.document.key_place(at), format!("not a schema: {reason}")));
                None
            }
        }
    }

    // What it answers.

    fn answers(&mut self, at: &Pointer) -> Vec<Answer> {
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
                self.problems.push(problem.related(place(first), "the other one"));
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
                let template =
                    Template::compile(self.document, self.outline, &schema, &names, self.filling, self.problems);
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

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
