//! Turns a file into a test: calls in order, and what each must be answered. For what a partner documents route by
//! route: the file reads as the documentation does.
//!
//! To test one more thing: add a file to a folder that a test names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rollcall_tests::client::Answer;
use rollcall_tests::database::Dump;
use rollcall_tests::site::{Server, Site, digest, project};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::state::rows;

/// How long a call may be repeated.
const PATIENCE: Duration = Duration::from_mins(2);

/// The tables that say what was sent, and not what became of it.
const RECEIPTS: [&str; 3] = ["body", "delivery", "entry"];

/// A file: the options of a connection, and calls.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    #[serde(default)]
    options: Option<Value>,
    steps: Vec<Step>,
}

/// A call, and what must come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Step {
    /// `POST /path`
    call: String,
    /// Who calls: the partner's client, unless it is `reader`, `operator` or `nobody`.
    #[serde(default, rename = "as")]
    who: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default)]
    body: Option<Value>,
    /// A body that is not JSON.
    #[serde(default)]
    text: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    /// The whole answer.
    #[serde(default)]
    answer: Option<Value>,
    /// A part of the answer: objects may have more members, lists have as many items.
    #[serde(default)]
    shows: Option<Value>,
    /// Parts of rows of the answer, wherever in it they stand.
    #[serde(default)]
    among: Vec<Value>,
    /// Headers of the answer.
    #[serde(default)]
    tells: BTreeMap<String, Told>,
    /// Texts that the answer holds.
    #[serde(default)]
    says: Vec<String>,
    /// Texts that the answer does not hold.
    #[serde(default)]
    omits: Vec<String>,
    /// How long lists in the answer are.
    #[serde(default)]
    counts: BTreeMap<String, usize>,
    /// What of the answer later calls name: `{messageId}`.
    #[serde(default)]
    keeps: Kept,
    /// Pages that the answer's header `Link` leads to, which later calls name: `{more}`, by the name of the link.
    #[serde(default)]
    follows: BTreeMap<String, String>,
    /// The call is repeated until it is answered so.
    #[serde(default)]
    eventually: bool,
    /// Members of the rows of an answer, sorted.
    #[serde(default)]
    lists: BTreeMap<String, Vec<Value>>,
    /// What the call must leave as it was.
    #[serde(default)]
    leaves: Option<Leaves>,
}

/// What is kept of an answer, with its names.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    /// Members, by their own names.
    Members(Vec<String>),
    /// Whatever these JSON pointers lead to.
    Places(BTreeMap<String, String>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Members(Vec::new())
    }
}

impl Kept {
    /// The names and the JSON pointers.
    fn places(&self) -> Vec<(String, String)> {
        match self {
            Self::Members(names) => names.iter().map(|name| (name.clone(), format!("/{name}"))).collect(),
            Self::Places(places) => places.iter().map(|(name, place)| (name.clone(), place.clone())).collect(),
        }
    }
}

/// What a header must say.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    /// Its whole value.
    Exactly(String),
    /// Texts that it holds.
    Holding(Vec<String>),
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Leaves {
    /// Every row of every table.
    Everything,
    /// Every row, but for the receipt of what was sent.
    State,
}

fn ok() -> u16 {
    200
}

/// The partner whose scenarios are run, and how its client calls.
pub(crate) struct Partner {
    /// Its name; also where its routes are.
    pub(crate) name: &'static str,
    /// Where below that calls are, `/api/v1`, unless they begin with the partner's name.
    pub(crate) base: &'static str,
    /// The header that lets its client in.
    pub(crate) credential: fn(&str) -> (&'static str, String),
    /// The options of a connection where a file has none.
    pub(crate) options: fn() -> Value,
    /// What a shorthand in a file stands for.
    pub(crate) expand: fn(&mut Value),
}

/// Runs every file in `tests/<folder>`: on one server, each with a tenant of its own.
pub(crate) fn run(partner: &Partner, mut site: Site, folder: &str) {
    let files = files(&project().join("tests").join(folder));
    assert!(!files.is_empty(), "no scenarios in {folder}");
    let mut scenarios = Vec::new();
    for path in files {
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("files have names").to_owned();
        let text = fs::read_to_string(&path).expect("it is there");
        let scenario: Scenario =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let options = scenario.options.clone().unwrap_or_else(partner.options);
        site.config["tenants"][&name] = json!({
            "readers": {"reader": [digest(&format!("{name}-reader"))]},
            "connections": {
                "school": {
                    "partner": partner.name, "options": options,
                    "credentials": [digest(&name), digest(&format!("{name}-secret"))],
                },
            },
        });
        scenarios.push((name, scenario));
    }
    let server = site.start();
    let stage = Stage { partner, site: &site, server: &server };
    let differences: Vec<_> = scenarios.into_iter().flat_map(|(name, scenario)| stage.play(&name, scenario)).collect();
    assert!(differences.is_empty(), "in {folder}:\n{}", differences.join("\n"));
}

/// Where scenarios are played.
struct Stage<'s> {
    partner: &'s Partner,
    site: &'s Site,
    server: &'s Server,
}

impl Stage<'_> {
    /// Makes all calls of a scenario; says where it went otherwise than written.
    fn play(&self, name: &str, scenario: Scenario) -> Vec<String> {
        let mut kept: BTreeMap<String, Value> = BTreeMap::from([("tenant".to_owned(), name.into())]);
        let mut differences = Vec::new();
        for (nth, mut step) in scenario.steps.into_iter().enumerate() {
            let values = [&mut step.body, &mut step.answer, &mut step.shows].into_iter().flatten();
            for value in values.chain(&mut step.among) {
                (self.partner.expand)(value);
                fill(value, &kept);
            }
            let place = format!("{name}, step {}: {}", nth + 1, step.call);
            step.call = filled(&step.call, &kept);
            let before = step.leaves.map(|leaves| left(self.site, leaves));
            match self.answer(name, &step) {
                Ok(answer) => {
                    for (name, place) in step.keeps.places() {
                        let found = answer.json().pointer(&place).cloned();
                        kept.insert(name, found.unwrap_or_else(|| panic!("no {place} in {}", answer.text())));
                    }
                    let pages = step.follows.iter().map(|(name, link)| (name.clone(), self.page(&answer, link).into()));
                    kept.extend(pages);
                }
                Err(difference) => differences.push(format!("{place}: {difference}")),
            }
            if let (Some(before), Some(leaves)) = (before, step.leaves) {
                let after = left(self.site, leaves);
                let tables = after.iter().filter(|(table, rows)| before.get(*table) != Some(rows));
                differences.extend(tables.map(|(table, _)| format!("{place}: the table {table} is not what it was")));
            }
        }
        differences
    }

    /// Where the link of this name leads.
    fn page(&self, answer: &Answer, link: &str) -> String {
        let links = answer.header("link");
        let ending = format!("; rel=\"{link}\"");
        let one = links.split(", ").find_map(|one| one.strip_suffix(&ending));
        let url = one.and_then(|one| one.strip_prefix('<')?.strip_suffix('>'));
        let path = url.and_then(|url| url.strip_prefix(self.server.address()));
        path.unwrap_or_else(|| panic!("no link {link} in {links:?}")).to_owned()
    }

    /// The answer to a call, if it is as written; it is waited for where it comes eventually.
    fn answer(&self, tenant: &str, step: &Step) -> Result<Answer, String> {
        let start = Instant::now();
        loop {
            let answer = call(self.partner, self.server, tenant, step);
            match compare(step, &answer) {
                Ok(()) => return Ok(answer),
                Err(_) if step.eventually && start.elapsed() < PATIENCE => std::thread::yield_now(),
                Err(difference) => return Err(difference),
            }
        }
    }
}

/// The database, as far as a call must leave it as it was.
fn left(site: &Site, leaves: Leaves) -> Dump {
    let mut dump = site.stored().dump();
    if leaves == Leaves::State {
        dump.retain(|table, _| !RECEIPTS.contains(&table.as_str()));
    }
    dump
}

fn call(partner: &Partner, server: &Server, tenant: &str, step: &Step) -> Answer {
    let (method, path) = step.call.split_once(' ').expect("a call is a method and a path");
    let own = format!("/{}/", partner.name);
    let path = if ["/admin/", "/api/v1/", "/ims/", &own].iter().any(|whole| path.starts_with(whole)) {
        path.to_owned()
    } else {
        format!("/{}{}{path}", partner.name, partner.base)
    };
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let credential = match step.who.as_deref() {
        None => (partner.credential)(tenant),
        Some("reader") => bearer(&format!("{tenant}-reader")),
        Some("operator") => bearer("operator"),
        Some(other) => (partner.credential)(other),
    };
    let mut headers: Vec<(&str, &str)> = vec![(credential.0, &credential.1), ("content-type", "application/json")];
    for (name, value) in &step.headers {
        headers.retain(|(sent, _)| sent != name);
        headers.push((name, value));
    }
    let body = step.text.clone().or_else(|| step.body.as_ref().map(Value::to_string));
    server.call(method, &path, &headers, body.as_deref().map(str::as_bytes))
}

/// What an answer is that it should not be.
fn compare(step: &Step, answer: &Answer) -> Result<(), String> {
    let said = answer.text();
    let check = |holds: bool, problem: &dyn Fn() -> String| if holds { Ok(()) } else { Err(problem()) };
    check(answer.status == step.status, &|| format!("answered with {}, not {}: {said}", answer.status, step.status))?;
    if let Some(expected) = &step.answer {
        let mut differences = Vec::new();
        differ(expected, &answer.json(), "", &mut differences);
        check(differences.is_empty(), &|| differences.join("; "))?;
    }
    if let Some(expected) = &step.shows {
        check(shows(expected, &answer.json()), &|| format!("no {expected} in {said}"))?;
    }
    for expected in &step.among {
        let found = listed(&answer.json()).iter().any(|row| shows(expected, row));
        check(found, &|| format!("no row with {expected} in {said}"))?;
    }
    for (name, told) in &step.tells {
        let found = answer.header(name);
        let is_told = match told {
            Told::Exactly(text) => found == text,
            Told::Holding(texts) => texts.iter().all(|text| found.contains(text.as_str())),
        };
        check(is_told, &|| format!("the header {name} says {found:?}"))?;
    }
    for text in &step.says {
        check(said.contains(text), &|| format!("no `{text}` in {said}"))?;
    }
    for text in &step.omits {
        check(!said.contains(text), &|| format!("`{text}` in {said}"))?;
    }
    for (list, expected) in &step.counts {
        let found = answer.json()[list].as_array().map(Vec::len);
        check(found == Some(*expected), &|| format!("not {expected} {list} but {found:?} in {said}"))?;
    }
    for (member, expected) in &step.lists {
        let page = answer.json();
        let texts = |values: &mut dyn Iterator<Item = &Value>| {
            let mut texts: Vec<_> = values.map(Value::to_string).collect();
            texts.sort();
            texts
        };
        let found = texts(&mut listed(&page).iter().map(|row| &row[member]));
        let expected = texts(&mut expected.iter());
        check(found == expected, &|| format!("{member}: expected {expected:?}, found {found:?} in {said}"))?;
    }
    Ok(())
}

/// The rows of an answer that is a list, or has one.
fn listed(answer: &Value) -> &Vec<Value> {
    answer.as_array().unwrap_or_else(|| rows(answer))
}

/// Whether `part` is a part of `whole`.
fn shows(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| shows(part, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| shows(part, whole))
        }
        _ => part == whole,
    }
}

/// Puts what was kept in the place of its name; a text that is nothing but a name becomes what was kept itself.
fn fill(value: &mut Value, kept: &BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, kept)),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, kept)),
        Value::String(text) => {
            let alone = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).and_then(|name| kept.get(name));
            *value = alone.cloned().unwrap_or_else(|| filled(text, kept).into());
        }
        _ => {}
    }
}

fn filled(text: &str, kept: &BTreeMap<String, Value>) -> String {
    kept.iter().fold(text.to_owned(), |text, (name, value)| {
        let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.replace(&format!("{{{name}}}"), &said)
    })
}

/// Says where `found` is not what is expected.
fn differ(expected: &Value, found: &Value, at: &str, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
            for name in names {
                let member = |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                differ(&member(one), &member(other), &format!("{at}/{name}"), differences);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (nth, (one, other)) in one.iter().zip(other).enumerate() {
                differ(one, other, &format!("{at}/{nth}"), differences);
            }
        }
        _ if expected == found => {}
        _ => differences.push(format!("`{at}` should be {expected}, and is {found}")),
    }
}

/// The YAML files in a folder, by name.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect()
}
