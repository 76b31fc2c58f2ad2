//! Runs calls as the host does, without the sandbox and over records in memory: for the tests of a partner's logic.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Change, Decision, Decline, Event, Found, Logic, Question, Step, step};

/// How often a call may ask before it is taken for endless.
const ROUNDS_MAX: usize = 100;

/// Records in memory, and calls that read and change them.
///
/// ```ignore
/// let mut office = Office::<School>::new(&json!({})).with("Book", json!({"id": 7, "title": "Emma"}));
/// let done = office.call("lend").about("Book", 7).run().unwrap();
/// assert_eq!(done.told["location"], "/loans/1");
/// assert_eq!(office.record("Loan", 1).unwrap()["book_id"], 7);
/// ```
#[derive(Debug)]
pub struct Office<L> {
    options: Value,
    records: Vec<(String, Map<String, Value>)>,
    numbers: BTreeMap<String, i64>,
    logic: PhantomData<fn() -> L>,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// All that changed, in this order.
    pub changes: Vec<Change>,
    /// What the answer tells beside.
    pub told: Map<String, Value>,
    /// What happened beside what the changes themselves raise.
    pub events: Vec<Event>,
    /// How often the call had to ask.
    pub rounds: usize,
}

/// A call on its way.
#[derive(Debug)]
#[must_use = "nothing happens before it is run"]
pub struct Visit<'o, L> {
    office: &'o mut Office<L>,
    call: String,
    context: Map<String, Value>,
}

impl<L: Logic> Office<L> {
    /// One without records, for a connection with these options.
    pub fn new(options: &Value) -> Self {
        Self { options: options.clone(), records: Vec::new(), numbers: BTreeMap::new(), logic: PhantomData }
    }

    /// The same with one more record.
    ///
    /// # Panics
    ///
    /// When `record` is no object with a key.
    #[must_use]
    pub fn with(mut self, of: &str, record: Value) -> Self {
        let Value::Object(record) = record else { panic!("a record is an object") };
        self.put(of, &record);
        self
    }

    /// The record with this key; a key of several parts is a list.
    pub fn record(&self, of: &str, key: impl Serialize) -> Option<&Map<String, Value>> {
        self.place(of, &super::desk::parts(key)).map(|at| &self.records[at].1)
    }

    /// All records of a type, the oldest first.
    pub fn records(&self, of: &str) -> Vec<&Map<String, Value>> {
        self.records.iter().filter(|(one, _)| one == of).map(|(_, record)| record).collect()
    }

    /// A call, to be described further and run.
    pub fn call(&mut self, call: &str) -> Visit<'_, L> {
        let context = json!({"now": "2026-08-30T07:00:00.000Z", "path": {}, "query": {}, "arguments": {}});
        let Value::Object(context) = context else { unreachable!("it is an object") };
        Visit { office: self, call: call.to_owned(), context }
    }

    fn answer(&mut self, question: Question) -> Found {
        match question {
            Question::Records { of, conditions, limit } => {
                let holds = |record: &&Map<String, Value>| {
                    conditions.iter().all(|(member, values)| is_any(record.get(member), values))
                };
                let limit = limit.map_or(usize::MAX, |limit| limit as usize);
                let rows: Vec<_> = self.records(&of).into_iter().filter(holds).take(limit).collect();
                Found::Records(serde_json::to_vec(&rows).expect("records are JSON"))
            }
            Question::Number(of) => {
                let key = L::KEYS.iter().find(|(one, _)| *one == of).and_then(|(_, members)| members.first());
                let keys = self.records(&of).into_iter().filter_map(|record| record.get(*key?)?.as_i64());
                let last = keys.chain(self.numbers.get(&of).copied()).max().unwrap_or_default();
                self.numbers.insert(of, last + 1);
                Found::Number(last + 1)
            }
        }
    }

    fn apply(&mut self, decision: &Decision) {
        for change in &decision.changes {
            match change {
                Change::Put { of, members } => self.put(of, members),
                Change::Remove { of, key } => {
                    let at = self.place(of, key).unwrap_or_else(|| panic!("there is no `{of}` {key:?} to remove"));
                    self.records.remove(at);
                }
            }
        }
    }

    fn put(&mut self, of: &str, members: &Map<String, Value>) {
        let key: Vec<_> = key_of::<L>(of).iter().map(|name| members.get(*name).cloned().unwrap_or_default()).collect();
        assert!(!key.contains(&Value::Null), "a `{of}` is put without its key");
        let at = self.place(of, &key).unwrap_or_else(|| {
            self.records.push((of.to_owned(), Map::new()));
            self.records.len() - 1
        });
        let record = &mut self.records[at].1;
        record.extend(members.clone());
        record.retain(|_, value| !value.is_null());
    }

    fn place(&self, of: &str, key: &[Value]) -> Option<usize> {
        let names = key_of::<L>(of);
        let is_it = |record: &Map<String, Value>| {
            names.len() == key.len() && names.iter().zip(key).all(|(name, part)| record.get(*name) == Some(part))
        };
        self.records.iter().position(|(one, record)| one == of && is_it(record))
    }
}

impl<L: Logic> Visit<'_, L> {
    /// The stored record that the call is about.
    ///
    /// # Panics
    ///
    /// When there is no such record.
    pub fn about(self, of: &str, key: impl Serialize) -> Self {
        let record = self.office.record(of, key).unwrap_or_else(|| panic!("there is no such `{of}`")).clone();
        self.set("record", record.into())
    }

    /// What the verb would make of the record: all of it, the key included.
    pub fn change(self, change: Value) -> Self {
        self.set("change", change)
    }

    /// The time of the call.
    pub fn now(self, now: &str) -> Self {
        self.set("now", now.into())
    }

    /// A path parameter.
    pub fn path(self, name: &str, value: impl Into<Value>) -> Self {
        self.add("path", name, value.into())
    }

    /// A query parameter.
    pub fn query(self, name: &str, value: impl Into<Value>) -> Self {
        self.add("query", name, value.into())
    }

    /// A member of the body that no record keeps.
    pub fn argument(self, name: &str, value: impl Into<Value>) -> Self {
        self.add("arguments", name, value.into())
    }

    /// Runs the call, and does what it decides.
    ///
    /// # Panics
    ///
    /// When the logic is wrong: it fails, asks for ever, names what does not exist.
    pub fn run(self) -> Result<Done, Decline> {
        let (options, context) = (self.office.options.to_string(), Value::Object(self.context).to_string());
        let mut found = Vec::new();
        for rounds in 0..ROUNDS_MAX {
            match step::<L>(&self.call, options.as_bytes(), context.as_bytes(), &found) {
                Step::Ask(questions) => {
                    found.extend(questions.into_iter().map(|question| self.office.answer(question)));
                }
                Step::Decide(decision) => {
                    self.office.apply(&decision);
                    let Decision { changes, told, events } = decision;
                    return Ok(Done { changes, told, events, rounds });
                }
                Step::Decline(decline) => return Err(decline),
                Step::Fail(message) => panic!("the call `{}` failed: {message}", self.call),
            }
        }
        panic!("the call `{}` asked more than {ROUNDS_MAX} times", self.call)
    }

    fn set(mut self, name: &str, value: Value) -> Self {
        self.context.insert(name.to_owned(), value);
        self
    }

    fn add(mut self, place: &str, name: &str, value: Value) -> Self {
        self.context[place][name] = value;
        self
    }
}

/// The members that make up the key of a record type.
fn key_of<L: Logic>(of: &str) -> &'static [&'static str] {
    let known = L::KEYS.iter().find(|(one, _)| *one == of);
    known.unwrap_or_else(|| panic!("there are no records `{of}`")).1
}

/// Whether a member has one of these values, or is a list that holds one. What is absent is `null`.
fn is_any(member: Option<&Value>, values: &[Value]) -> bool {
    match member {
        Some(Value::Array(items)) => items.iter().any(|item| values.contains(item)),
        Some(value) => values.contains(value),
        None => values.contains(&Value::Null),
    }
}
