//! Walks a document from its paths and components down to every schema, and reads the `x-rollcall` keys of each place.
//!
//! This is where "which words may stand where" is decided. Whatever stands at a place that nothing reads is reported,
//! so that a key in the wrong place is never silently ignored.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::json::Pointer;
use crate::language::source::{FILES, reference};
use crate::language::{Diagnostic, Document, EXTENSION, Grammar, keys, words};

/// What an OpenAPI document may have at its root.
const ROOT_WORDS: [&str; 10] = [
    "openapi",
    "info",
    "jsonSchemaDialect",
    "servers",
    "paths",
    "webhooks",
    "components",
    "security",
    "tags",
    "externalDocs",
];

/// What an operation may have.
const OPERATION_WORDS: [&str; 12] = [
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "callbacks",
    "deprecated",
    "security",
    "servers",
];

/// What a parameter or a header may have.
const PARAMETER_WORDS: [&str; 13] = [
    "$ref",
    "name",
    "in",
    "description",
    "required",
    "deprecated",
    "allowEmptyValue",
    "style",
    "explode",
    "allowReserved",
    "schema",
    "example",
    "examples",
];

/// What a body may have.
const BODY_WORDS: [&str; 5] = ["$ref", "summary", "description", "content", "required"];

/// What a response may have.
const RESPONSE_WORDS: [&str; 6] = ["$ref", "summary", "description", "headers", "content", "links"];

/// What one media type of a body or response may have.
const MEDIA_WORDS: [&str; 4] = ["schema", "example", "examples", "encoding"];

/// HTTP's methods, as OpenAPI spells them.
pub(super) const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// What else a path item may have.
pub(super) const PATH_WORDS: [&str; 5] = ["$ref", "summary", "description", "servers", "parameters"];

/// All that `x-rollcall` says, by place.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// At the root.
    pub(super) root: Option<keys::Root>,
    /// All operations, in the document's order.
    pub(super) operations: Vec<OperationOutline>,
    /// On parameters.
    pub(super) parameters: HashMap<Pointer, keys::Parameter>,
    /// On responses.
    pub(super) responses: HashMap<Pointer, keys::Response>,
    /// On response headers.
    pub(super) headers: HashMap<Pointer, keys::Header>,
    /// On operations under `webhooks`.
    pub(super) webhooks: HashMap<Pointer, keys::Webhook>,
    /// Schemas that are records, in the document's order.
    pub(super) records: Vec<Pointer>,
    schemas: HashMap<Pointer, keys::Schema>,
}

/// An operation, as the document states it.
#[derive(Debug)]
pub(super) struct OperationOutline {
    /// Where it stands.
    pub(super) at: Pointer,
    /// The path item around it.
    pub(super) path_item: Pointer,
    /// The path.
    pub(super) path: String,
    /// The method, in upper case.
    pub(super) method: String,
    /// Its keys.
    pub(super) keys: keys::Operation,
    /// Whether something is wrong with its keys, which has been reported.
    pub(super) is_flawed: bool,
}

impl Outline {
    /// Reads the outline of `document`; what is wrong is added to `problems`.
    pub(super) fn read(document: &Document, problems: &mut Vec<Diagnostic>) -> Self {
        let has_gaps = !problems.is_empty();
        let mut walker = Walker {
            document,
            grammar: Grammar::new(document),
            outline: Self::default(),
            seen: HashSet::new(),
            read: HashSet::new(),
            problems,
        };
        walker.document();
        let Walker { outline, mut read, problems, .. } = walker;
        if has_gaps {
            // What a dangling reference was to lead to has not been walked.
            read.insert(Pointer::root().member(FILES));
        }
        misplaced(document, &Pointer::root(), document.root(), &read, problems);
        outline
    }

    /// The keys that hold for the schema at `at`: those beside each `$ref` on the way and those of the schema itself,
    /// the nearest first.
    pub(super) fn schema(&self, document: &Document, at: &Pointer) -> keys::Schema {
        let mut found = self.schemas.get(at).cloned().unwrap_or_default();
        if let Some(target) = document.get(at).and_then(reference)
            && document.resolve(at).is_some()
        {
            found = nearest(found, self.schema(document, &target));
        }
        found
    }

    /// Where the `word` stands that holds for the schema at `at`: beside it, or at the end of its references.
    pub(super) fn word(&self, document: &Document, at: &Pointer, word: &str) -> Pointer {
        let mut here = at.clone();
        while self.schemas.get(&here).is_none_or(|_| document.get(&here.member(EXTENSION).member(word)).is_none()) {
            match document.get(&here).and_then(reference).filter(|_| document.resolve(at).is_some()) {
                Some(target) => here = target,
                None => break,
            }
        }
        here.member(EXTENSION).member(word)
    }

    /// All schemas that have keys.
    pub(super) fn schemas(&self) -> impl Iterator<Item = (&Pointer, &keys::Schema)> {
        let mut schemas: Vec<_> = self.schemas.iter().collect();
        schemas.sort_by_key(|(at, _)| *at);
        schemas.into_iter()
    }
}

/// Each key of `near`, or else of `far`.
fn nearest(near: keys::Schema, far: keys::Schema) -> keys::Schema {
    keys::Schema {
        key: near.key.or(far.key),
        kinds: near.kinds.or(far.kinds),
        changes: near.changes.or(far.changes),
        with: near.with.or(far.with),
        rules: near.rules.or(far.rules),
        refs: near.refs.or(far.refs),
        must: near.must.or(far.must),
        unordered: near.unordered.or(far.unordered),
        refers: near.refers.or(far.refers),
        value: near.value.or(far.value),
        at: near.at.or(far.at),
        written: near.written.or(far.written),
        cast: near.cast.or(far.cast),
        role: near.role.or(far.role),
        change: near.change.or(far.change),
        delete: near.delete.or(far.delete),
        matched: near.matched.or(far.matched),
    }
}

struct Walker<'a> {
    document: &'a Document,
    grammar: Grammar<'a>,
    outline: Outline,
    /// Objects that have been walked.
    seen: HashSet<Pointer>,
    /// `x-rollcall` objects that have been read, and what has been given up.
    read: HashSet<Pointer>,
    problems: &'a mut Vec<Diagnostic>,
}

impl Walker<'_> {
    fn document(&mut self) {
        let root = Pointer::root();
        self.outline.root = self.keys(&root);
        self.known_words(&root, &ROOT_WORDS, "at the root");
        let components = root.member("components");
        self.each(&components.member("schemas"), Self::schema);
        self.each(&components.member("parameters"), Self::parameter);
        self.each(&components.member("requestBodies"), Self::body);
        self.each(&components.member("responses"), Self::response);
        self.each(&components.member("headers"), Self::header);
        let paths = root.member("paths");
        for path in self.names(&paths) {
            let item = paths.member(&path);
            self.path_item(&item, &path);
        }
        let webhooks = root.member("webhooks");
        for name in self.names(&webhooks) {
            self.webhook(&webhooks.member(&name));
        }
        let options = root.member(EXTENSION).member("options");
        if self.document.get(&options).is_some() {
            self.schema(&options);
        }
    }

    fn path_item(&mut self, item: &Pointer, path: &str) {
        let Some((item, _)) = self.document.resolve(item) else { return };
        self.each(&item.member("parameters"), Self::parameter);
        for word in self.names(&item) {
            let at = item.member(&word);
            if METHODS.contains(&word.as_str()) {
                self.operation(&item, &at, path, &word);
            }
        }
        let known: Vec<_> = METHODS.iter().chain(&PATH_WORDS).copied().collect();
        self.known_words(&item, &known, "in a path");
    }

    fn operation(&mut self, path_item: &Pointer, at: &Pointer, path: &str, method: &str) {
        self.known_words(at, &OPERATION_WORDS, "in an operation");
        self.each(&at.member("parameters"), Self::parameter);
        self.body(&at.member("requestBody"));
        self.each(&at.member("responses"), Self::response);
        let found = self.problems.len();
        if self.document.get(&at.member(EXTENSION)).is_none() {
            let problem = Diagnostic::at(self.document.key_place(at), "this operation does not say what it does");
            let hint = "add `x-rollcall` with a verb: `x-rollcall: {snapshot: Record, accept: all}`";
            self.problems.push(problem.hint(hint));
        }
        let keys = self.keys(at).unwrap_or_default();
        self.outline.operations.push(OperationOutline {
            at: at.clone(),
            path_item: path_item.clone(),
            path: path.to_owned(),
            method: method.to_ascii_uppercase(),
            keys,
            is_flawed: self.problems.len() > found,
        });
    }

    fn webhook(&mut self, item: &Pointer) {
        let Some((item, _)) = self.document.resolve(item) else { return };
        for method in METHODS {
            let at = item.member(method);
            if self.document.get(&at).is_none() {
                continue;
            }
            if let Some(keys) = self.keys(&at) {
                self.outline.webhooks.insert(at.clone(), keys);
            }
            self.body(&at.member("requestBody"));
            self.each(&at.member("responses"), Self::response);
        }
    }

    fn parameter(&mut self, at: &Pointer) {
        let Some(at) = self.enter(at) else { return };
        if let Some(keys) = self.keys(&at) {
            self.outline.parameters.insert(at.clone(), keys);
        }
        self.known_words(&at, &PARAMETER_WORDS, "in a parameter");
        self.schema(&at.member("schema"));
    }

    fn body(&mut self, at: &Pointer) {
        if let Some(at) = self.enter(at) {
            self.known_words(&at, &BODY_WORDS, "in a body");
            self.content(&at);
        }
    }

    fn response(&mut self, at: &Pointer) {
        let Some(at) = self.enter(at) else { return };
        if let Some(keys) = self.keys(&at) {
            self.outline.responses.insert(at.clone(), keys);
        }
        self.known_words(&at, &RESPONSE_WORDS, "in a response");
        self.each(&at.member("headers"), Self::header);
        self.content(&at);
    }

    fn header(&mut self, at: &Pointer) {
        let Some(at) = self.enter(at) else { return };
        if let Some(keys) = self.keys(&at) {
            self.outline.headers.insert(at.clone(), keys);
        }
        self.known_words(&at, &PARAMETER_WORDS, "in a header");
        self.schema(&at.member("schema"));
    }

    fn content(&mut self, at: &Pointer) {
        self.each(&at.member("content"), |walker, media| {
            walker.known_words(media, &MEDIA_WORDS, "in a media type");
            walker.schema(&media.member("schema"));
        });
    }

    /// A schema and all schemas in it.
    fn schema(&mut self, at: &Pointer) {
        let Some(schema) = self.document.get(at) else { return };
        if !self.seen.insert(at.clone()) {
            return;
        }
        if let Some(keys) = self.keys::<keys::Schema>(at) {
            if keys.key.is_some() {
                self.outline.records.push(at.clone());
            }
            self.outline.schemas.insert(at.clone(), keys);
        }
        words::check(self.document, at, schema, self.problems);
        if let Some(target) = reference(schema) {
            self.schema(&target);
        }
        for inner in words::subschemas(at, schema) {
            self.schema(&inner);
        }
    }

    /// Reports words that the OpenAPI object at `at` does not have; what is under them is left alone.
    fn known_words(&mut self, at: &Pointer, known: &[&str], place: &str) {
        for word in self.names(at).iter().filter(|word| !known.contains(&word.as_str()) && !word.starts_with("x-")) {
            let here = at.member(word);
            let problem = Diagnostic::at(self.document.key_place(&here), format!("unknown word `{word}` {place}"));
            self.problems.push(problem.did_you_mean(word, known.iter().copied()));
            self.read.insert(here);
        }
    }

    /// Follows references to where something stands; `None` if it has been walked already or stands nowhere.
    fn enter(&mut self, at: &Pointer) -> Option<Pointer> {
        let (at, _) = self.document.resolve(at)?;
        self.seen.insert(at.clone()).then_some(at)
    }

    /// The keys of the object at `at`, if it has any and they are right.
    fn keys<T: schemars::JsonSchema + serde::de::DeserializeOwned>(&mut self, at: &Pointer) -> Option<T> {
        let at = at.member(EXTENSION);
        self.document.get(&at)?;
        self.read.insert(at.clone());
        self.grammar.read(&at, self.problems)
    }

    /// Every member or item of what is at `at`.
    fn each(&mut self, at: &Pointer, visit: impl Fn(&mut Self, &Pointer)) {
        let items = self.document.get(at).and_then(Value::as_array).map_or(0, Vec::len);
        for nth in 0..items {
            visit(self, &at.item(nth));
        }
        for name in self.names(at) {
            visit(self, &at.member(&name));
        }
    }

    fn names(&self, at: &Pointer) -> Vec<String> {
        let members = self.document.get(at).and_then(Value::as_object);
        members.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }
}

/// Reports `x-rollcall` objects that nothing read, and words that are almost `x-rollcall`.
fn misplaced(
    document: &Document,
    at: &Pointer,
    value: &Value,
    read: &HashSet<Pointer>,
    problems: &mut Vec<Diagnostic>,
) {
    if let Value::Array(items) = value {
        for (nth, item) in items.iter().enumerate() {
            misplaced(document, &at.item(nth), item, read, problems);
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let here = at.member(name);
        if read.contains(&here) {
            continue;
        }
        if name == EXTENSION {
            let problem = Diagnostic::at(document.key_place(&here), "`x-rollcall` has no meaning here");
            let hint = "it may stand at the root and on operations, parameters, responses, headers and schemas";
            problems.push(problem.hint(hint));
        } else if name.starts_with("x-") && name != FILES && strsim::damerau_levenshtein(name, EXTENSION) <= 2 {
            let problem = Diagnostic::at(document.key_place(&here), format!("unknown key `{name}`"));
            problems.push(problem.hint(format!("did you mean `{EXTENSION}`?")));
        } else if at.as_str().ends_with("/properties") || !["example", "examples", "default"].contains(&name.as_str()) {
            misplaced(document, &here, member, read, problems);
        }
    }
}
