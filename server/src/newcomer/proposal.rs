//! Turns a vendor's OpenAPI document into an overlay that makes it a description: what is guessed of it ([`super::guess`]), and
//! what has to go because it is not, or cannot be, understood.
//!
//! The checker is the judge: the document is checked with what is proposed, what it refuses is taken out, operation by
//! operation where nothing smaller will do, and it is checked again, until nothing is wrong. Whatever was left out is told.

use std::collections::BTreeSet;
use std::path::Path;

use rollcall_core::canonical::Canonical;
use rollcall_core::description::check;
use rollcall_core::json::Pointer;
use rollcall_core::language::{Diagnostic, Document, OVERLAY};
use serde_json::{Value, json};

use super::NewcomerError;
use super::flow::{flow, text};
use super::guess::{self, Found};
use super::sample::sample;
use crate::partners::DESCRIPTION;

/// How often a document is checked at most; each time something is taken out.
const ROUNDS_MAX: usize = 40;

/// The security scheme of documents that have none that is supported.
const SCHEME: &str = "rollcall";

/// What of a schema or an operation can go alone: it says less then, and what is left is right.
const EXPENDABLE: [&str; 5] = [
    "unknown word",
    "unknown format",
    "not supported yet: `",
    "not supported yet: a response",
    "not supported yet: the format",
];

/// An action of an overlay, and why it is there.
#[derive(Debug, Clone)]
pub(super) struct Action {
    target: String,
    what: What,
    why: String,
}

#[derive(Debug, Clone)]
enum What {
    Update(Value),
    Remove,
}

impl Action {
    /// Merges `update` into what stands at `at`.
    pub(super) fn update(document: &Document, at: &Pointer, update: Value, why: impl Into<String>) -> Self {
        Self { target: path(document, at), what: What::Update(update), why: why.into() }
    }

    /// Removes what stands at `at`.
    pub(super) fn remove(document: &Document, at: &Pointer, why: impl Into<String>) -> Self {
        Self { target: path(document, at), what: What::Remove, why: why.into() }
    }

    fn is_inside(&self, target: &str) -> bool {
        let rest = self.target.strip_prefix(target);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// An overlay for a vendor's document.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    title: String,
    actions: Vec<Action>,
    left_out: Vec<(String, String)>,
    kept: Vec<String>,
    record: Option<(String, Value)>,
}

impl Proposal {
    /// What makes the document at `vendor` a description of a partner called `name`.
    pub fn for_document(vendor: &Path, name: &str, canonical: &Canonical) -> Result<Self, NewcomerError> {
        let mut problems = Vec::new();
        let Some(document) = Document::read(vendor, &mut problems) else {
            return Err(NewcomerError::Vendor(problems));
        };
        let title = document.root()["info"]["title"].as_str().unwrap_or(name).to_owned();
        let mut proposal = Self { title, ..Self::default() };
        let guesses = guess::guess(&document);
        proposal.actions = head(&document);
        proposal.actions.extend(guesses.actions);
        for (operation, reason) in guesses.left_out {
            proposal.leave_out(&document, &operation, reason);
        }
        let folder = tempfile::tempdir().map_err(|source| NewcomerError::File { path: vendor.to_owned(), source })?;
        let folder = folder.path().join(name);
        for (file, text) in files(&document) {
            super::write(&folder.join(file), &text)?;
        }
        for _ in 0..ROUNDS_MAX {
            super::write(&folder.join(OVERLAY), &proposal.text())?;
            let problems = check(&folder, canonical, &|_: &str| true);
            if problems.is_empty() {
                proposal.kept = proposal.kept_of(&document);
                proposal.record = Self::record(&folder);
                return Ok(proposal);
            }
            let mut unread = Vec::new();
            let laid_over = Document::read(&folder.join(DESCRIPTION), &mut unread);
            if !laid_over.is_some_and(|document| proposal.mend(&document, &problems)) {
                return Err(NewcomerError::Vendor(problems));
            }
        }
        Err(NewcomerError::Vendor(check(&folder, canonical, &|_: &str| true)))
    }

    /// The overlay as a file.
    pub fn text(&self) -> String {
        let title = text(&format!("What {} means", self.title));
        let mut text = format!(
            "# What Rollcall has to know of the vendor's document beside this file, which stays as it was published: an OpenAPI\n\
             # Overlay (https://spec.openapis.org/overlay/v1.0.0.html). All of it is guessed: review it line by line.\n\
             # schemas/README.md explains every word under `x-rollcall`.\n\
             overlay: 1.0.0\ninfo: {{title: {title}, version: '1'}}\nactions:\n"
        );
        for action in &self.actions {
            let target = self::text(&action.target);
            let what = match &action.what {
                What::Update(update) => format!("update: {}", flow(update)),
                What::Remove => "remove: true".to_owned(),
            };
            text.extend(["  # review: ", &action.why, "\n  - target: ", &target, "\n    ", &what, "\n"]);
        }
        text
    }

    /// The operations that are left out, each with why.
    pub fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// The operations that are there.
    pub fn kept(&self) -> &[String] {
        &self.kept
    }

    /// An example of what is stored, and what becomes of it as long as nothing is mapped: files by their names.
    pub fn example(&self) -> Vec<(String, String)> {
        let Some((name, record)) = &self.record else { return Vec::new() };
        let records = json!({name.as_str(): [record]});
        let file = name.to_lowercase();
        [(format!("{file}.json"), records), (format!("{file}.expected.json"), json!({"entities": {}}))]
            .map(|(file, value)| (file, format!("{value:#}\n")))
            .into()
    }

    /// A record of the first type there is.
    fn record(folder: &Path) -> Option<(String, Value)> {
        let document = Document::read(&folder.join(DESCRIPTION), &mut Vec::new())?;
        let schemas = Pointer::root().member("components").member("schemas");
        let names: Vec<_> = document.get(&schemas)?.as_object()?.keys().cloned().collect();
        let is_record =
            |name: &String| document.get(&schemas.member(name)).is_some_and(|of| of["x-rollcall"]["key"].is_string());
        names
            .into_iter()
            .filter(is_record)
            .find_map(|name| Some((name.clone(), sample(&document, &schemas.member(&name))?)))
    }

    fn kept_of(&self, document: &Document) -> Vec<String> {
        let names = guess::operations(document).into_iter().map(|operation| operation.name());
        names.filter(|name| !self.left_out.iter().any(|(left, _)| left == name)).collect()
    }

    fn leave_out(&mut self, document: &Document, operation: &Found, reason: impl Into<String>) {
        let reason = reason.into();
        self.take_out(document, &operation.at, format!("left out, because {reason}"));
        self.left_out.push((operation.name(), reason));
    }

    /// Removes a place, and whatever else was to be done there.
    fn take_out(&mut self, document: &Document, at: &Pointer, why: String) {
        let action = Action::remove(document, at, why);
        self.actions.retain(|other| !other.is_inside(&action.target));
        self.actions.push(action);
    }

    /// Takes out what is wrong; whether there was anything to take out.
    fn mend(&mut self, document: &Document, problems: &[Diagnostic]) -> bool {
        let operations = guess::operations(document);
        let mut gone = BTreeSet::new();
        for problem in problems {
            let at = problem.position().and_then(|position| document.at_position(problem.path(), position));
            let Some(culprit) = at.and_then(|at| culprit(document, &at, problem.problem(), &operations)) else {
                continue;
            };
            if gone.iter().any(|other| contains(other, &culprit)) {
                continue;
            }
            gone.insert(culprit.clone());
            let what = problem.problem();
            let inside: Vec<_> = operations.iter().filter(|operation| contains(&culprit, &operation.at)).collect();
            for operation in &inside {
                self.leave_out(document, operation, what);
            }
            if inside.is_empty() {
                // What uses a component goes the next time, for it leads nowhere then.
                self.take_out(document, &culprit, what.to_owned());
            }
        }
        !gone.is_empty()
    }
}

/// The smallest thing around `at` that can go, so that what is left may be right.
fn culprit(document: &Document, at: &Pointer, problem: &str, operations: &[Found]) -> Option<Pointer> {
    let needed = ["/required", "/properties", "/x-rollcall", "/paths"];
    let is_needed = at.as_str().is_empty() || needed.iter().any(|end| at.as_str().ends_with(end));
    if EXPENDABLE.iter().any(|start| problem.starts_with(start)) && !is_needed {
        return Some(at.clone());
    }
    let steps: Vec<_> = at.steps().collect();
    let nth_step =
        |steps_taken: usize| steps.iter().take(steps_taken).fold(Pointer::root(), |pointer, step| pointer.member(step));
    if let Some(operation) = operations.iter().find(|operation| contains(&operation.at, at)) {
        let depth = operation.at.steps().count();
        let part = steps.get(depth).map(AsRef::as_ref);
        let inner = nth_step(depth + 2);
        return Some(match (part, steps.get(depth + 1)) {
            (Some("parameters"), Some(_)) if is_optional(document, &inner) => inner,
            (Some("responses"), Some(status)) if !status.starts_with('2') => inner,
            _ => operation.at.clone(),
        });
    }
    match steps.first().map(AsRef::as_ref) {
        Some("components") if steps.len() >= 3 => Some(nth_step(3)),
        Some("paths") if steps.len() >= 4 && steps[2] == "parameters" => {
            Some(nth_step(4)).filter(|at| is_optional(document, at)).or_else(|| Some(nth_step(2)))
        }
        Some("paths") if steps.len() >= 2 => Some(nth_step(2)),
        _ => None,
    }
}

/// Whether a request can do without the parameter at `at`.
fn is_optional(document: &Document, at: &Pointer) -> bool {
    document.resolve(at).is_none_or(|(_, parameter)| parameter["in"] != "path")
}

/// What stands at the root.
fn head(document: &Document) -> Vec<Action> {
    let root = Pointer::root();
    let mut update = json!({"x-rollcall": {"version": 1}});
    let mut actions = Vec::new();
    if !document.root()["info"]["version"].is_string() {
        update["info"] = json!({"version": "1"});
    }
    if document.root().get("webhooks").is_some() {
        actions.push(Action::remove(
            document,
            &root.member("webhooks"),
            "what raises them has to be said: `to` and `emit`",
        ));
    }
    for operation in guess::operations(document) {
        let at = operation.at.member("security");
        if document.get(&at).is_some_and(|security| !is_supported(document, security)) {
            actions.push(Action::remove(document, &at, "not a credential that is supported"));
        }
    }
    let at = root.member("security");
    if !document.get(&at).is_some_and(|security| is_supported(document, security)) {
        if document.get(&at).is_some() {
            actions.push(Action::remove(document, &at, "not a credential that is supported"));
        }
        update["security"] = json!([{SCHEME: []}]);
        update["components"] = json!({"securitySchemes": {SCHEME: {"type": "http", "scheme": "bearer"}}});
    }
    actions.push(Action::update(document, &root, update, "how clients are let in"));
    actions
}

/// Whether each of these requirements is one credential that is supported.
fn is_supported(document: &Document, security: &Value) -> bool {
    let schemes = Pointer::root().member("components").member("securitySchemes");
    let is_one = |requirement: &Value| {
        let mut names = requirement.as_object().into_iter().flat_map(serde_json::Map::keys);
        let (Some(name), None) = (names.next(), names.next()) else { return false };
        let Some((_, scheme)) = document.resolve(&schemes.member(name)) else { return false };
        match scheme["type"].as_str() {
            Some("apiKey") => scheme["in"] == "header" || scheme["in"] == "query",
            Some("http") => scheme["scheme"].as_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")),
            _ => false,
        }
    };
    security.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(is_one))
}

/// The files of a document, the first one called as that of a description.
pub(super) fn files(document: &Document) -> Vec<(String, String)> {
    let files = document.files().map(|(name, text)| (name.to_owned(), text.to_owned()));
    let mut files: Vec<_> = files.collect();
    if let Some((name, _)) = files.first_mut() {
        DESCRIPTION.clone_into(name);
    }
    files
}

fn contains(around: &Pointer, at: &Pointer) -> bool {
    let rest = at.as_str().strip_prefix(around.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path of a place (RFC 9535). Parameters are named, not counted: others may go.
fn path(document: &Document, at: &Pointer) -> String {
    let mut path = "$".to_owned();
    let mut here = Pointer::root();
    for step in at.steps() {
        let around = here.clone();
        here.push(&step);
        let is_item = document.get(&around).is_some_and(Value::is_array);
        let is_plain = step.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && step.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        let selected = match (is_item, is_plain) {
            (true, _) => selector(document.get(&here)).unwrap_or_else(|| format!("[{step}]")),
            (_, true) => format!(".{step}"),
            _ => format!("[{}]", quoted(&step)),
        };
        path.push_str(&selected);
    }
    path
}

/// What finds a parameter among others.
fn selector(item: Option<&Value>) -> Option<String> {
    let item = item?;
    let said = |word: &str| item.get(word).and_then(Value::as_str);
    match (said("$ref"), said("name"), said("in")) {
        (Some(reference), ..) => Some(format!("[?@['$ref'] == {}]", quoted(reference))),
        (_, Some(name), Some(place)) => Some(format!("[?@.name == {} && @.in == {}]", quoted(name), quoted(place))),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
