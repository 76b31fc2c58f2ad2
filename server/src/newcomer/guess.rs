//! Guesses what the operations of a vendor's document do, from methods, paths and schemas alone: which records there are,
//! and which operations list, show, make, change and delete them.
//!
//! A guess is an [`Action`] of an overlay with a comment that says why. What cannot be guessed is left to the integrator:
//! nobody can tell from a document what the absence of a record in a payload means.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::json::Pointer;
use rollcall_core::language::Document;
use rollcall_core::language::schema::{is_read_only, properties, property};
use serde_json::{Map, Value, json};

use super::proposal::Action;

/// The methods whose operations can be guessed.
const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// Members that identify records, the likeliest first.
const KEYS: [&str; 5] = ["id", "uuid", "code", "key", "number"];

/// Query parameters that say which part of a list is asked for.
const PAGING: [(&str, &str); 11] = [
    ("page", "page"),
    ("per_page", "per-page"),
    ("perPage", "per-page"),
    ("page_size", "per-page"),
    ("pageSize", "per-page"),
    ("limit", "limit"),
    ("offset", "offset"),
    ("skip", "offset"),
    ("cursor", "cursor"),
    ("after", "cursor"),
    ("starting_after", "cursor"),
];

/// An operation of the document.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Where it stands.
    pub(super) at: Pointer,
    /// Its path.
    pub(super) path: String,
    /// Its method, in lower case.
    pub(super) method: String,
}

impl Found {
    /// As people call it: `GET /courses`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    /// Whether its path ends with a parameter, and so names one thing.
    fn names_one(&self) -> Option<&str> {
        self.path.rsplit('/').next()?.strip_prefix('{')?.strip_suffix('}')
    }
}

/// All operations, in the document's order.
pub(super) fn operations(document: &Document) -> Vec<Found> {
    let paths = Pointer::root().member("paths");
    let mut found = Vec::new();
    for path in names(document.get(&paths)) {
        let Some((item, value)) = document.resolve(&paths.member(&path)) else { continue };
        for method in names(Some(value)).into_iter().filter(|name| METHODS.contains(&name.as_str())) {
            found.push(Found { at: item.member(&method), path: path.clone(), method });
        }
    }
    found
}

/// What can be guessed of a document: actions, and the operations that nothing can be guessed of, each with why.
pub(super) struct Guesses {
    /// What is proposed.
    pub(super) actions: Vec<Action>,
    /// What is left out.
    pub(super) left_out: Vec<(Found, String)>,
}

/// Guesses what the operations of `document` do.
pub(super) fn guess(document: &Document) -> Guesses {
    let mut guesser = Guesser { document, records: BTreeMap::new(), ids: BTreeSet::new(), marked: BTreeSet::new() };
    let mut proposed = Guesses { actions: Vec::new(), left_out: Vec::new() };
    let operations = operations(document);
    guesser.find_records(&operations);
    for operation in &operations {
        match guesser.operation(operation, &operations) {
            Ok(actions) => proposed.actions.extend(actions),
            Err(reason) => proposed.left_out.push((operation.clone(), reason)),
        }
    }
    let used: BTreeSet<_> = guesser.marked.iter().cloned().collect();
    let records = guesser.records.iter().filter(|(at, _)| used.contains(*at));
    let records: Vec<_> = records.filter_map(|(at, record)| guesser.record(at, record, &operations)).collect();
    proposed.actions.splice(0..0, records);
    proposed
}

/// A schema that is a record.
#[derive(Debug, Clone)]
struct Record {
    name: String,
    key: String,
}

struct Guesser<'d> {
    document: &'d Document,
    /// By where the schema stands.
    records: BTreeMap<Pointer, Record>,
    /// The names of operations so far.
    ids: BTreeSet<String>,
    /// Records that an operation names.
    marked: BTreeSet<Pointer>,
}

impl Guesser<'_> {
    /// What is shown by itself, or listed, is a record if something identifies it.
    fn find_records(&mut self, operations: &[Found]) {
        for operation in operations.iter().filter(|operation| operation.method == "get") {
            let Some(shown) = self.shown(operation) else { continue };
            let at = shown.of().clone();
            let parameter = operation.names_one().unwrap_or_default();
            let Some(name) = at.as_str().strip_prefix("/components/schemas/").filter(|name| !name.contains('/')) else {
                continue;
            };
            let candidates = [parameter].into_iter().chain(KEYS);
            let key = candidates.into_iter().find(|key| self.is_scalar(&at, key)).map(str::to_owned);
            if let Some(key) = key {
                self.records.entry(at.clone()).or_insert(Record { name: name.to_owned(), key });
            }
        }
    }

    fn is_scalar(&self, at: &Pointer, name: &str) -> bool {
        let of = property(self.document, at, name).and_then(|property| self.document.resolve(&property.at));
        of.is_some_and(|(_, schema)| schema["type"] == "string" || schema["type"] == "integer")
    }

    /// What the answer of an operation that went well shows.
    fn shown(&self, operation: &Found) -> Option<Shown> {
        let responses = operation.at.member("responses");
        let status = names(self.document.get(&responses)).into_iter().find(|status| status.starts_with('2'))?;
        let schema = self.json_schema(&responses.member(&status))?;
        let (at, value) = self.document.resolve(&schema)?;
        if value["type"] == "array" {
            let (items, _) = self.document.resolve(&at.member("items"))?;
            return Some(Shown::List(items));
        }
        if operation.names_one().is_none() {
            let lists = properties(self.document, &at).into_iter().filter_map(|property| {
                let (list, value) = self.document.resolve(&property.at)?;
                (value["type"] == "array").then_some((property.at, list))
            });
            if let [(property, list)] = lists.collect::<Vec<_>>().as_slice() {
                let (items, _) = self.document.resolve(&list.member("items"))?;
                return Some(Shown::Envelope { property: property.clone(), items });
            }
        }
        Some(Shown::One(at))
    }

    /// The schema of the JSON in a body or a response.
    fn json_schema(&self, at: &Pointer) -> Option<Pointer> {
        let (at, value) = self.document.resolve(at)?;
        let media = names(value.get("content")).into_iter().find(|media| media.contains("json"))?;
        Some(at.member("content").member(&media).member("schema"))
    }

    fn operation(&mut self, operation: &Found, all: &[Found]) -> Result<Vec<Action>, String> {
        let (verb, of, why) = self.verb(operation, all)?;
        let record = self.records.get(&of).cloned().ok_or("what it is about has nothing that identifies it")?;
        self.marked.insert(of.clone());
        let mut keys = Map::new();
        keys.insert(verb.to_owned(), json!(record.name));
        let mut update = Map::new();
        if let Some(id) = self.missing_id(operation) {
            update.insert("operationId".to_owned(), json!(id));
        }
        update.insert("x-rollcall".to_owned(), Value::Object(keys));
        let mut actions = vec![Action::update(self.document, &operation.at, Value::Object(update), why)];
        if let (Some(Shown::Envelope { property, .. }), "list") = (self.shown(operation), verb) {
            let update = json!({"x-rollcall": {"value": "records"}});
            actions.push(Action::update(
                self.document,
                &property,
                update,
                "the only list in the answer holds what is listed",
            ));
        }
        actions.extend(self.parameters(operation, &of, &record, verb));
        let responses = operation.at.member("responses");
        let statuses = names(self.document.get(&responses)).into_iter().filter(|status| status.starts_with('2'));
        for status in statuses.skip(1) {
            let at = responses.member(&status);
            actions.push(Action::remove(
                self.document,
                &at,
                "one answer says that it went well, and there are several",
            ));
        }
        Ok(actions)
    }

    /// What an operation does, to which record, and why that is likely.
    fn verb(&self, operation: &Found, all: &[Found]) -> Result<(&'static str, Pointer, &'static str), String> {
        let shown = || self.shown(operation).map(|shown| shown.of().clone());
        let of_path = || self.of_path(operation, all).or_else(shown).ok_or("nothing says what it is about");
        let one = operation.names_one().is_some();
        Ok(match (operation.method.as_str(), one) {
            ("get", _) => match self.shown(operation).ok_or("it answers nothing that could be a record")? {
                Shown::One(of) if one => ("get", of, "it shows what its path names"),
                Shown::One(_) => return Err("it shows one thing, and its path does not say which".to_owned()),
                Shown::List(of) => ("list", of, "it answers with a list"),
                Shown::Envelope { items, .. } => ("list", items, "its answer holds one list"),
            },
            ("post", false) => {
                let body = self.json_schema(&operation.at.member("requestBody"));
                let body = body.and_then(|at| self.document.resolve(&at)).ok_or("it takes no JSON")?;
                if body.1["type"] == "array" {
                    return Err("it takes a list: say `snapshot` if that is everything, or `merge`".to_owned());
                }
                ("create", of_path()?, "it takes one thing into what its path lists")
            }
            ("put" | "patch", true) => ("update", of_path()?, "it takes what its path names"),
            ("delete", true) => ("delete", of_path()?, "it deletes what its path names"),
            _ => return Err("its method and path do not say what it does".to_owned()),
        })
    }

    /// What is shown or listed under the same path, or the one below.
    fn of_path(&self, operation: &Found, all: &[Found]) -> Option<Pointer> {
        let about = |other: &&Found| {
            let below = other.path.strip_prefix(&operation.path).and_then(|rest| rest.strip_prefix('/'));
            let item = below.is_some_and(|rest| rest.starts_with('{') && !rest.contains('/'));
            other.method == "get" && (item || other.path == operation.path)
        };
        let shown = all.iter().filter(about).filter_map(|other| self.shown(other));
        shown.map(|shown| shown.of().clone()).find(|of| self.records.contains_key(of))
    }

    /// What each parameter is for, where its name does not say it by itself.
    fn parameters(&self, operation: &Found, of: &Pointer, record: &Record, verb: &str) -> Vec<Action> {
        let mut actions = Vec::new();
        for at in self.declared(operation) {
            let Some(parameter) = self.document.get(&at) else { continue };
            let (name, place) = (parameter["name"].as_str().unwrap_or_default(), parameter["in"].as_str());
            let is_member = property(self.document, of, name).is_some();
            if place == Some("path") && operation.names_one() == Some(name) && !is_member {
                let update = json!({"x-rollcall": {"where": format!("{} == value", record.key)}});
                actions.push(Action::update(self.document, &at, update, "the path names the record by its key"));
            }
            let paging = PAGING.iter().find(|(known, _)| *known == name).filter(|_| verb == "list" && !is_member);
            if let (Some("query"), Some((_, role))) = (place, paging) {
                let update = json!({"x-rollcall": {"use": role}});
                actions.push(Action::update(
                    self.document,
                    &at,
                    update,
                    "it is called like what chooses a part of a list",
                ));
            }
        }
        actions
    }

    /// Where the parameters of an operation stand, those of its path too, references followed.
    fn declared(&self, operation: &Found) -> Vec<Pointer> {
        let item = operation.at.as_str().rsplit_once('/').map_or("", |(item, _)| item);
        let lists = [operation.at.member("parameters"), Pointer::from(item).member("parameters")];
        let items = lists.iter().flat_map(|list| {
            let length = self.document.get(list).and_then(Value::as_array).map_or(0, Vec::len);
            (0..length).map(|nth| list.item(nth))
        });
        items.filter_map(|at| self.document.resolve(&at).map(|(at, _)| at)).collect()
    }

    /// A name for an operation that has none, or shares one.
    fn missing_id(&mut self, operation: &Found) -> Option<String> {
        let said = self.document.get(&operation.at.member("operationId")).and_then(Value::as_str);
        if let Some(id) = said
            && self.ids.insert(id.to_owned())
        {
            return None;
        }
        let words = operation.path.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty()).map(super::capitalized);
        let id = format!("{}{}", operation.method, words.collect::<String>());
        self.ids.insert(id.clone());
        Some(id)
    }

    /// The action that makes a schema a record.
    fn record(&self, at: &Pointer, record: &Record, operations: &[Found]) -> Option<Action> {
        let key = property(self.document, at, &record.key)?;
        let mut update = Map::new();
        if !key.required {
            update.insert("required".to_owned(), json!([record.key]));
        }
        let is_sent = operations.iter().filter(|operation| operation.method == "post").any(|operation| {
            let body = self.json_schema(&operation.at.member("requestBody"));
            let of = self.of_path(operation, operations);
            of.as_ref() == Some(at) && body.is_some_and(|body| property(self.document, &body, &record.key).is_some())
        });
        if !is_sent && !is_read_only(self.document, &key.at) && key.at.as_str().starts_with(at.as_str()) {
            update.insert("properties".to_owned(), json!({record.key.clone(): {"readOnly": true}}));
        }
        update.insert("x-rollcall".to_owned(), json!({"key": record.key}));
        let why = "what identifies it; `kinds: [course]` beside it has the mapper turn it into courses";
        Some(Action::update(self.document, at, Value::Object(update), why))
    }
}

/// What an answer shows.
enum Shown {
    One(Pointer),
    List(Pointer),
    Envelope { property: Pointer, items: Pointer },
}

impl Shown {
    /// Where the schema of what is shown stands.
    fn of(&self) -> &Pointer {
        let (Self::One(of) | Self::List(of) | Self::Envelope { items: of, .. }) = self;
        of
    }
}

fn names(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()).collect()
}
