//! Makes what operations speak of, by operations: whatever a path or a body names is made where it is listed, or as the
//! table says.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_tests::client::{Answer, Client};
use serde_json::{Map, Value};

use super::document::{Document, Operation, Parameter};
use super::request::Request;
use super::table::{Overrides, Recipe, Table};

/// What a reference to a thing begins with, in the table: `$/courses` is one that all share, `$+/courses` a new one,
/// `$/courses#slug` a member of it.
const REFERENCE: char = '$';

/// What all operations are called with.
pub(super) struct World<'w> {
    pub(super) document: &'w Document,
    pub(super) table: &'w Table,
    pub(super) operations: &'w [Operation],
    client: &'w Client,
    credential: &'w str,
    /// Things that many speak of and nobody changes.
    shared: BTreeMap<String, Thing>,
    /// How many texts were made up.
    texts: u32,
}

/// Something that was made.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    /// What was answered when it was made.
    pub(super) said: Value,
    /// The parameters of the path where it was made.
    pub(super) path: BTreeMap<String, String>,
}

/// How much a body says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// What it has to.
    Least,
    /// All it may.
    Most,
}

impl Thing {
    fn id(&self) -> String {
        spoken(&self.said["id"])
    }
}

impl<'w> World<'w> {
    pub(super) fn new(
        client: &'w Client,
        credential: &'w str,
        document: &'w Document,
        table: &'w Table,
        operations: &'w [Operation],
    ) -> Self {
        Self { document, table, operations, client, credential, shared: BTreeMap::new(), texts: 0 }
    }

    /// What the partner's client is answered.
    pub(super) fn send(&self, request: &Request) -> Answer {
        request.send(self.client, self.credential)
    }

    /// A request that must succeed: whatever it speaks of is made.
    pub(super) fn request(&mut self, operation: &Operation, form: Form) -> Result<Request, String> {
        let path = self.path(operation)?;
        self.request_at(operation, form, path, &Map::new())
    }

    fn request_at(
        &mut self,
        operation: &Operation,
        form: Form,
        path: BTreeMap<String, String>,
        with: &Map<String, Value>,
    ) -> Result<Request, String> {
        let mut request = Request::new(operation, path);
        let table = self.table;
        let overrides = table.operations.get(&operation.id);
        let none = Overrides::default();
        let overrides = overrides.unwrap_or(&none);
        if let Some(schema) = &operation.body {
            let mut body = self.sample("", schema, form, &overrides.never)?;
            let most = (form == Form::Most).then_some(&overrides.most).into_iter().flatten();
            for (name, value) in overrides.always.iter().chain(most).chain(with) {
                body[name] = self.fill(value)?;
            }
            request.body = Some(body);
        }
        Ok(request)
    }

    /// The parameters of a path. The last one names a new thing, those before it where that was made.
    pub(super) fn path(&mut self, operation: &Operation) -> Result<BTreeMap<String, String>, String> {
        let table = self.table;
        let mut path = BTreeMap::new();
        for parameter in operation.in_path().into_iter().rev() {
            if path.contains_key(&parameter.name) {
                continue;
            }
            let said = table.operations.get(&operation.id).and_then(|overrides| overrides.path.get(&parameter.name));
            let end = operation.path.find(&format!("/{{{}}}", parameter.name)).unwrap_or_default();
            let place = operation.path[..end].strip_prefix(&table.base).unwrap_or_default();
            let name = match said.map(String::as_str) {
                Some(said) if said.starts_with('/') || table.things.contains_key(said) => said,
                Some(text) => {
                    path.insert(parameter.name.clone(), text.to_owned());
                    continue;
                }
                None => place,
            };
            let thing = self.make(name)?;
            path.insert(parameter.name.clone(), thing.id());
            path.extend(thing.path);
        }
        Ok(path)
    }

    /// Makes a thing.
    fn make(&mut self, name: &str) -> Result<Thing, String> {
        let recipe = self.table.things.get(name).cloned().unwrap_or_else(|| Recipe {
            by: self.maker(name).map(|operation| operation.id.clone()),
            ..Recipe::default()
        });
        let mut thing = match (&recipe.of, &recipe.by) {
            (Some(of), _) => self.make(of)?,
            (None, Some(by)) => self.made_by(by, &recipe.with).map_err(|error| format!("{name}: {error}"))?,
            (None, None) => return Err(format!("nothing says how to make {name}")),
        };
        if let Some(list) = &recipe.listed {
            thing.said = self.newest(list)?;
        }
        let path = recipe.path.iter().map(|(parameter, member)| (parameter.clone(), spoken(&thing.said[member])));
        thing.path.extend(path.collect::<Vec<_>>());
        for id in &recipe.then {
            let operation = self.named(id)?;
            let mut path = thing.path.clone();
            path.extend(operation.in_path().last().map(|parameter| (parameter.name.clone(), thing.id())));
            let request = self.request_at(operation, Form::Least, path, &Map::new())?;
            self.succeed(operation, &request)?;
        }
        Ok(thing)
    }

    fn made_by(&mut self, id: &str, with: &Map<String, Value>) -> Result<Thing, String> {
        let operation = self.named(id)?;
        let path = self.path(operation)?;
        let request = self.request_at(operation, Form::Least, path, with)?;
        let answer = self.succeed(operation, &request)?;
        let said = if answer.body.is_empty() { Value::Null } else { answer.json() };
        Ok(Thing { said, path: request.path })
    }

    /// Sends a request that must succeed.
    pub(super) fn succeed(&self, operation: &Operation, request: &Request) -> Result<Answer, String> {
        let answer = self.send(request);
        if answer.status == operation.success() {
            return Ok(answer);
        }
        Err(format!("{request} was answered with {}: {}", answer.status, answer.text()))
    }

    /// The operation that makes what is listed at a place.
    fn maker(&self, place: &str) -> Option<&'w Operation> {
        let path = format!("{}{place}", self.table.base);
        self.operations.iter().find(|operation| operation.method == "POST" && operation.path == path)
    }

    fn named(&self, id: &str) -> Result<&'w Operation, String> {
        self.operations.iter().find(|operation| operation.id == id).ok_or_else(|| format!("there is no operation {id}"))
    }

    /// The row of a list that came last.
    fn newest(&mut self, list: &str) -> Result<Value, String> {
        let operation = self.named(list)?;
        let mut request = Request::new(operation, BTreeMap::new());
        request.query.push(("per_page".to_owned(), "100".to_owned()));
        let rows = self.succeed(operation, &request)?.json();
        let rows = rows.as_array().into_iter().flatten();
        rows.max_by_key(|row| row["id"].as_i64()).cloned().ok_or_else(|| format!("{list} lists nothing"))
    }

    /// A thing that all share.
    fn share(&mut self, name: &str) -> Result<Thing, String> {
        if let Some(thing) = self.shared.get(name) {
            return Ok(thing.clone());
        }
        let thing = self.make(name)?;
        self.shared.insert(name.to_owned(), thing.clone());
        Ok(thing)
    }

    /// A value of the table, with what its references lead to.
    fn fill(&mut self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match text.strip_prefix(REFERENCE) {
                None => Value::String(text.replace("{n}", &self.number().to_string())),
                Some(named) => {
                    let (named, member) = named.split_once('#').unwrap_or((named, "id"));
                    let thing = match named.strip_prefix('+') {
                        Some(new) => self.make(new)?,
                        None => self.share(named)?,
                    };
                    thing.said[member].clone()
                }
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect::<Result<_, _>>()?,
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| Ok((name.clone(), self.fill(value)?)));
                Value::Object(members.collect::<Result<_, String>>()?)
            }
            value => value.clone(),
        })
    }

    fn number(&mut self) -> u32 {
        self.texts += 1;
        self.texts
    }

    /// A value as a schema wants it.
    pub(super) fn sample(
        &mut self,
        name: &str,
        schema: &Value,
        form: Form,
        never: &BTreeSet<String>,
    ) -> Result<Value, String> {
        let table = self.table;
        if let Some(value) = table.members.get(name) {
            return self.fill(value);
        }
        let schema = self.chosen(schema);
        if let Some(word) = schema["enum"].as_array().and_then(|words| words.iter().find(|word| !word.is_null())) {
            return Ok(word.clone());
        }
        if let Some(word) = schema.get("const") {
            return Ok(word.clone());
        }
        if let Some(place) = self.place_of(name) {
            return Ok(self.share(&place)?.said["id"].clone());
        }
        Ok(match type_of(&schema) {
            "integer" => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
            "number" => 12.5.into(),
            "boolean" => true.into(),
            "array" if form == Form::Least => Value::Array(Vec::new()),
            "array" => Value::Array(vec![self.sample(name.trim_end_matches('s'), &schema["items"], form, never)?]),
            "object" => Value::Object(self.object(&schema, form, never)?),
            _ => self.text(name, schema["format"].as_str().unwrap_or_default()).into(),
        })
    }

    /// What a parameter of the query is asked with: each word that it may be, or something that it may be.
    pub(super) fn values(&mut self, operation: &Operation, parameter: &Parameter) -> Result<Vec<String>, String> {
        let table = self.table;
        let never = table.operations.get(&operation.id).is_some_and(|said| said.never.contains(&parameter.name));
        if never || table.never.contains(&parameter.name) {
            return Ok(Vec::new());
        }
        let schema = self.chosen(&parameter.schema);
        let (name, one) = match schema.get("items") {
            Some(items) => (parameter.name.trim_end_matches('s'), self.chosen(items)),
            None => (parameter.name.as_str(), schema),
        };
        match one["enum"].as_array() {
            Some(words) => Ok(words.iter().map(spoken).collect()),
            None => Ok(vec![spoken(&self.sample(name, &one, Form::Least, &BTreeSet::new())?)]),
        }
    }

    fn object(&mut self, schema: &Value, form: Form, never: &BTreeSet<String>) -> Result<Map<String, Value>, String> {
        let table = self.table;
        let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.contains(&name.into()));
        let mut members = Map::new();
        for (name, of) in schema["properties"].as_object().into_iter().flatten() {
            let left_out = table.never.contains(name) || never.contains(name) || of["readOnly"] == true;
            if is_required(name) || (form == Form::Most && !left_out) {
                members.insert(name.clone(), self.sample(name, of, form, never)?);
            }
        }
        Ok(members)
    }

    /// A schema with what `$ref` leads to, and the first of what it lets choose.
    fn chosen(&self, schema: &Value) -> Value {
        let mut schema = self.document.resolve(schema);
        for word in ["oneOf", "anyOf", "allOf"] {
            let Some(first) = schema[word].get(0).cloned() else { continue };
            for (name, member) in self.chosen(&first).as_object().into_iter().flatten() {
                schema[name] = member.clone();
            }
        }
        schema
    }

    /// Where the things are listed that a member of this name names.
    fn place_of(&self, name: &str) -> Option<String> {
        let stem = name.strip_suffix("_id")?;
        let place = stem.strip_suffix('y').map_or_else(|| format!("/{stem}s"), |stem| format!("/{stem}ies"));
        (self.table.things.contains_key(&place) || self.maker(&place).is_some()).then_some(place)
    }

    fn text(&mut self, name: &str, format: &str) -> String {
        let number = self.number();
        match format {
            "date-time" => "2026-03-02T09:00:00Z".to_owned(),
            "date" => "2026-03-02".to_owned(),
            "email" => format!("someone-{number}@school.example"),
            "uri" => format!("https://school.example/{number}"),
            "uuid" => format!("00000000-0000-4000-8000-{number:012}"),
            _ => format!("{name} {number}"),
        }
    }
}

/// The type that a value of a schema has, if it is not null.
fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default(),
        name => name.as_str().unwrap_or_default(),
    }
}

/// A value as a path or query has it.
pub(super) fn spoken(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
