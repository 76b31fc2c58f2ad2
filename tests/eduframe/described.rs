//! What the description says: its operations, and what values look like as far as the vendor documents that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rollcall_core::json::Pointer;
use rollcall_core::language::diagnostic::render;
use rollcall_core::language::schema::{is_nullable, properties, said};
use rollcall_core::language::source::reference;
use rollcall_core::language::{Document, EXTENSION};
use serde_json::Value;

/// How deep values are looked into.
const DEPTH_MAX: usize = 8;

/// The description, its files merged.
pub(super) struct Description(Document);

/// An operation.
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    at: Pointer,
    item: Pointer,
}

/// What a parameter or property may be.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the description's")]
pub(super) struct Shape {
    /// Its types, but for `null`.
    pub(super) types: BTreeSet<String>,
    pub(super) is_nullable: bool,
    /// The words it may say, as text; none where it says what it likes.
    pub(super) words: Option<BTreeSet<String>>,
    pub(super) formats: BTreeSet<String>,
    pub(super) default: Option<Value>,
    pub(super) is_required: bool,
    pub(super) is_deprecated: bool,
    /// Whether it is turned into another type.
    pub(super) is_cast: bool,
    pub(super) items: Option<Box<Shape>>,
    pub(super) fields: BTreeMap<String, Shape>,
}

/// Who reads or writes a value: not all of its properties are for everybody.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Sent,
    Answered,
}

impl Description {
    pub(super) fn read() -> Self {
        let mut problems = Vec::new();
        let document = Document::read(Path::new("../schemas/eduframe/openapi.yaml"), &mut problems);
        assert!(problems.is_empty(), "{}", render(&problems, false));
        Self(document.expect("the description is there"))
    }

    /// All operations, those of further methods among them.
    pub(super) fn operations(&self) -> Vec<Operation> {
        let paths = Pointer::root().member("paths");
        let mut found = Vec::new();
        for path in self.members(&paths) {
            let Some((item, _)) = self.0.resolve(&paths.member(&path)) else { continue };
            for method in self.members(&item).into_iter().filter(|word| word != "parameters") {
                let at = item.member(&method);
                let also = self.0.get(&at.member(EXTENSION).member("also")).and_then(Value::as_array).cloned();
                let also = also.unwrap_or_default();
                let also = also.iter().filter_map(Value::as_str).map(str::to_owned);
                let methods = std::iter::once(method.clone()).chain(also);
                found.extend(methods.map(|method| {
                    let method = method.to_ascii_uppercase();
                    Operation { method, path: path.clone(), at: at.clone(), item: item.clone() }
                }));
            }
        }
        found
    }

    /// The statuses that an operation documents.
    pub(super) fn statuses(&self, operation: &Operation) -> Vec<String> {
        self.members(&operation.at.member("responses"))
    }

    pub(super) fn id(&self, operation: &Operation) -> String {
        self.text(&operation.at.member("operationId"))
    }

    /// Parameters of a place (`path`, `query`), by name.
    pub(super) fn parameters(&self, operation: &Operation, place: &str) -> BTreeMap<String, Shape> {
        let mut found = BTreeMap::new();
        for list in [operation.item.member("parameters"), operation.at.member("parameters")] {
            let count = self.0.get(&list).and_then(Value::as_array).map_or(0, Vec::len);
            for at in (0..count).filter_map(|nth| Some(self.0.resolve(&list.item(nth))?.0)) {
                if self.text(&at.member("in")) == place {
                    let mut shape = self.shape(&at.member("schema"), Way::Sent, DEPTH_MAX);
                    shape.is_deprecated |= self.0.get(&at.member("deprecated")) == Some(&true.into());
                    found.insert(self.text(&at.member("name")), shape);
                }
            }
        }
        found
    }

    /// What an operation takes.
    pub(super) fn body(&self, operation: &Operation) -> Option<Shape> {
        self.content(&operation.at.member("requestBody"), Way::Sent)
    }

    /// What an operation answers with a status.
    pub(super) fn answer(&self, operation: &Operation, status: u16) -> Option<Shape> {
        self.content(&response(operation, status), Way::Answered)
    }

    /// The headers of an answer.
    pub(super) fn headers(&self, operation: &Operation, status: u16) -> Vec<String> {
        let response = self.0.resolve(&response(operation, status)).map(|(at, _)| at);
        response.map(|at| self.members(&at.member("headers"))).unwrap_or_default()
    }

    fn content(&self, at: &Pointer, way: Way) -> Option<Shape> {
        let (at, _) = self.0.resolve(at)?;
        let schema = at.member("content").member("application/json").member("schema");
        self.0.get(&schema).map(|_| self.shape(&schema, way, DEPTH_MAX))
    }

    fn shape(&self, at: &Pointer, way: Way, depth: usize) -> Shape {
        let Some((here, schema)) = self.0.resolve(at).filter(|_| depth > 0) else { return Shape::default() };
        let mut shape = Shape {
            is_nullable: is_nullable(&self.0, at),
            default: said(&self.0, at, "default").cloned(),
            is_deprecated: said(&self.0, at, "deprecated") == Some(&true.into()),
            is_cast: self.is_cast(at),
            ..Shape::default()
        };
        let words = schema.get("enum").and_then(Value::as_array).cloned();
        let words: Option<Vec<_>> = words.or_else(|| schema.get("const").map(|only| vec![only.clone()]));
        match schema.get("type") {
            Some(Value::String(name)) => _ = shape.types.insert(name.clone()),
            Some(Value::Array(names)) => shape.types.extend(names.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => shape.types.extend(words.iter().flatten().map(|word| type_of(word).to_owned())),
        }
        shape.types.remove("null");
        let spoken = |word: &Value| word.as_str().map_or_else(|| word.to_string(), str::to_owned);
        shape.words = words.map(|words| words.iter().filter(|word| !word.is_null()).map(spoken).collect());
        shape.formats.extend(schema.get("format").and_then(Value::as_str).map(str::to_owned));
        if schema.get("items").is_some() {
            let mut items = self.shape(&here.member("items"), way, depth - 1);
            items.is_cast |= shape.is_cast;
            shape.items = Some(Box::new(items));
        }
        for property in properties(&self.0, &here) {
            let hidden = match way {
                Way::Answered => said(&self.0, &property.at, "writeOnly") == Some(&true.into()),
                Way::Sent => said(&self.0, &property.at, "readOnly") == Some(&true.into()),
            };
            if !hidden {
                let of = Shape { is_required: property.required, ..self.shape(&property.at, way, depth - 1) };
                shape.fields.insert(property.name, of);
            }
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            for nth in 0..schema.get(word).and_then(Value::as_array).map_or(0, Vec::len) {
                shape.join(self.shape(&here.member(word).item(nth), way, depth));
            }
        }
        shape
    }

    /// Whether `cast` stands beside the schema at `at`, or on the way to it.
    fn is_cast(&self, at: &Pointer) -> bool {
        let here = self.0.get(&at.member(EXTENSION).member("cast")).is_some();
        here || self.0.get(at).and_then(reference).is_some_and(|target| self.is_cast(&target))
    }

    fn members(&self, at: &Pointer) -> Vec<String> {
        self.0.get(at).and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    fn text(&self, at: &Pointer) -> String {
        self.0.get(at).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

impl Shape {
    /// What is one or the other.
    fn join(&mut self, other: Self) {
        self.types.extend(other.types);
        self.formats.extend(other.formats);
        self.words = self.words.take().or(other.words);
        self.items = self.items.take().or(other.items);
        if self.fields.is_empty() {
            self.fields = other.fields;
        }
    }
}

fn response(operation: &Operation, status: u16) -> Pointer {
    operation.at.member("responses").member(&status.to_string())
}

fn type_of(word: &Value) -> &'static str {
    match word {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
