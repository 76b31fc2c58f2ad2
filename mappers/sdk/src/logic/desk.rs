//! What a call sees, asks for and does.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::slice;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{Change, Decision, Event, Found, Keys, Question, Stop};

/// What a call is given at once.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Context {
    now: String,
    path: Map<String, Value>,
    query: Map<String, Value>,
    arguments: Map<String, Value>,
    record: Value,
    /// Empty where the verb writes nothing.
    #[serde(deserialize_with = "members_or_none")]
    change: Map<String, Value>,
}

/// Where a call works. It shows what was sent and what is stored, and takes what is to be done.
///
/// What is read is as it was before the call: changes that the call itself has said are not seen.
#[derive(Debug)]
pub struct Desk<'d> {
    context: &'d Context,
    found: &'d [Found],
    keys: Keys,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many answers have been taken.
    taken: usize,
    /// Questions that have no answer yet.
    asked: Vec<Question>,
    decision: Decision,
}

impl<'d> Desk<'d> {
    pub(super) fn new(context: &'d Context, found: &'d [Found], keys: Keys) -> Self {
        Self { context, found, keys, state: RefCell::default() }
    }

    /// What is still to be asked, and what is to be done.
    pub(super) fn clear(self) -> (Vec<Question>, Decision) {
        let state = self.state.into_inner();
        (state.asked, state.decision)
    }

    /// The time of the call: `2026-08-30T07:00:00.000Z`.
    pub fn now(&self) -> &'d str {
        &self.context.now
    }

    /// A path parameter.
    pub fn path<T: Deserialize<'d>>(&self, name: &str) -> Result<Option<T>, Stop> {
        member(&self.context.path, name)
    }

    /// A query parameter; a list, where the description says that it is one.
    pub fn query<T: Deserialize<'d>>(&self, name: &str) -> Result<Option<T>, Stop> {
        member(&self.context.query, name)
    }

    /// A member of the body that no record keeps.
    pub fn argument<T: Deserialize<'d>>(&self, name: &str) -> Result<Option<T>, Stop> {
        member(&self.context.arguments, name)
    }

    /// The record that the call is about, as it is stored.
    pub fn record<T: Deserialize<'d>>(&self) -> Result<T, Stop> {
        let record = &self.context.record;
        T::deserialize(record).map_err(|_| {
            Stop::Failed(if record.is_null() {
                "the call is about no record that is stored".to_owned()
            } else {
                "the record that the call is about is not what the logic expects".to_owned()
            })
        })
    }

    /// What the verb would write, the key included; empty where it would write nothing.
    pub fn change(&self) -> &'d Map<String, Value> {
        &self.context.change
    }

    /// Stored records of a type; [`Query::all`] and its like read them.
    pub fn records<T>(&self, of: &str) -> Query<'_, 'd, T> {
        Query { desk: self, of: of.to_owned(), conditions: Vec::new(), limit: None, what: PhantomData }
    }

    /// Several questions that do not wait for each other, asked at once: `desk.all((first, second))?`.
    pub fn all<B: Batch<'d>>(&self, batch: B) -> Result<B::Answers, Stop> {
        let mut questions = Vec::new();
        batch.questions(&mut questions);
        batch.answers(&mut self.ask(questions)?.iter())
    }

    /// A number that nobody else gets: the next key of a record type whose keys are counted, or the next number of a series.
    pub fn number(&self, of: &str) -> Result<i64, Stop> {
        Ok(self.numbers(of, 1)?[0])
    }

    /// As many numbers at once.
    pub fn numbers(&self, of: &str, count: usize) -> Result<Vec<i64>, Stop> {
        let found = self.ask(vec![Question::Number(of.to_owned()); count])?;
        found.iter().map(|one| if let Found::Number(number) = one { Ok(*number) } else { Err(astray()) }).collect()
    }

    /// Has these members replace those that are there; `null` empties one. Those of the key must be among them; a record
    /// with another key is made.
    ///
    /// # Panics
    ///
    /// When `members` is not an object.
    pub fn put(&self, of: &str, members: impl Serialize) {
        let Ok(Value::Object(members)) = serde_json::to_value(members) else { panic!("members are an object") };
        self.state.borrow_mut().decision.changes.push(Change::Put { of: of.to_owned(), members });
    }

    /// Has the verb do what it would have done without logic, if it would have written anything.
    pub fn keep(&self, of: &str) {
        if !self.change().is_empty() {
            self.put(of, self.kept());
        }
    }

    /// Has the verb do what it would have done without logic, and these members beside, which go before what was sent.
    ///
    /// # Panics
    ///
    /// When `members` is not an object.
    pub fn keep_with(&self, of: &str, members: impl Serialize) {
        let Ok(Value::Object(members)) = serde_json::to_value(members) else { panic!("members are an object") };
        let mut kept = self.kept();
        kept.extend(members);
        self.put(of, kept);
    }

    /// What the verb would write, and `null` for what it would empty.
    fn kept(&self) -> Map<String, Value> {
        let mut kept = self.change().clone();
        for name in self.context.record.as_object().into_iter().flat_map(Map::keys) {
            kept.entry(name).or_insert(Value::Null);
        }
        kept
    }

    /// Has a record go. A key of several parts is a list.
    pub fn remove(&self, of: &str, key: impl Serialize) {
        self.state.borrow_mut().decision.changes.push(Change::Remove { of: of.to_owned(), key: parts(key) });
    }

    /// Adds something to the answer.
    ///
    /// # Panics
    ///
    /// When `value` is no JSON.
    pub fn tell(&self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).expect("what is told is JSON");
        self.state.borrow_mut().decision.told.insert(name.to_owned(), value);
    }

    /// Says that something happened to a record beside what the changes themselves raise.
    pub fn event(&self, name: &str, of: &str, key: impl Serialize) {
        let event = Event { name: name.to_owned(), of: of.to_owned(), key: parts(key) };
        self.state.borrow_mut().decision.events.push(event);
    }

    /// The answers to these questions, if they are there.
    fn ask(&self, questions: Vec<Question>) -> Result<&'d [Found], Stop> {
        let mut state = self.state.borrow_mut();
        // What would be asked after an open question may depend on its answer.
        if !state.asked.is_empty() {
            return Err(Stop::Pending);
        }
        let from = state.taken;
        state.taken += questions.len();
        let found = self.found.get(from..state.taken);
        found.ok_or_else(|| {
            state.asked = questions;
            Stop::Pending
        })
    }
}

/// A question for stored records.
#[derive(Debug)]
#[must_use = "nothing is asked before it is read"]
pub struct Query<'q, 'd, T> {
    desk: &'q Desk<'d>,
    of: String,
    conditions: Vec<(String, Vec<Value>)>,
    limit: Option<u32>,
    what: PhantomData<fn() -> T>,
}

impl<'d, T: Deserialize<'d>> Query<'_, 'd, T> {
    /// Only those whose member has this value; a list must hold it. What is empty is `null`.
    ///
    /// # Panics
    ///
    /// When the value is no JSON.
    pub fn with(self, member: &str, value: impl Serialize) -> Self {
        self.any(member, [value])
    }

    /// Only those whose member has one of these values; a list must hold one of them.
    ///
    /// # Panics
    ///
    /// When a value is no JSON.
    pub fn any(mut self, member: &str, values: impl IntoIterator<Item = impl Serialize>) -> Self {
        let values = values.into_iter().map(|value| serde_json::to_value(value).expect("values are JSON"));
        self.conditions.push((member.to_owned(), values.collect()));
        self
    }

    /// At most so many.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// All of them, the oldest first.
    pub fn all(self) -> Result<Vec<T>, Stop> {
        self.desk.all(self)
    }

    /// The oldest of them.
    pub fn first(self) -> Result<Option<T>, Stop> {
        Ok(self.limit(1).all()?.into_iter().next())
    }

    /// The one with this key, if it is among them.
    pub fn key(self, key: impl Serialize) -> Result<Option<T>, Stop> {
        let members = self.desk.keys.iter().find(|(of, _)| *of == self.of).map(|(_, members)| *members);
        let members = members.ok_or_else(|| Stop::Failed(format!("there are no records `{}`", self.of)))?;
        let parts = parts(key);
        if members.len() != parts.len() {
            return Err(Stop::Failed(format!("the key of `{}` has {} parts", self.of, members.len())));
        }
        members.iter().zip(parts).fold(self, |query, (member, part)| query.with(member, part)).first()
    }
}

/// Questions that are asked at once: a [`Query`], a list of them, or a tuple of such.
pub trait Batch<'d> {
    /// What they are answered with.
    type Answers;

    /// Appends the questions.
    fn questions(&self, out: &mut Vec<Question>);

    /// Takes their answers, in the same order.
    fn answers(self, found: &mut slice::Iter<'d, Found>) -> Result<Self::Answers, Stop>;
}

impl<'d, T: Deserialize<'d>> Batch<'d> for Query<'_, 'd, T> {
    type Answers = Vec<T>;

    fn questions(&self, out: &mut Vec<Question>) {
        let (of, conditions) = (self.of.clone(), self.conditions.clone());
        out.push(Question::Records { of, conditions, limit: self.limit });
    }

    fn answers(self, found: &mut slice::Iter<'d, Found>) -> Result<Vec<T>, Stop> {
        let Some(Found::Records(records)) = found.next() else { return Err(astray()) };
        serde_json::from_slice(records).map_err(|error| {
            // The message of a serde error may quote the value; its place does not.
            Stop::Failed(format!("records `{}` are not what the logic expects, at column {}", self.of, error.column()))
        })
    }
}

impl<'d, B: Batch<'d>> Batch<'d> for Vec<B> {
    type Answers = Vec<B::Answers>;

    fn questions(&self, out: &mut Vec<Question>) {
        for one in self {
            one.questions(out);
        }
    }

    fn answers(self, found: &mut slice::Iter<'d, Found>) -> Result<Self::Answers, Stop> {
        self.into_iter().map(|one| one.answers(found)).collect()
    }
}

macro_rules! batch_of_several {
    ($($batch:ident $at:tt),+) => {
        impl<'d, $($batch: Batch<'d>),+> Batch<'d> for ($($batch,)+) {
            type Answers = ($($batch::Answers,)+);

            fn questions(&self, out: &mut Vec<Question>) {
                $(self.$at.questions(out);)+
            }

            fn answers(self, found: &mut slice::Iter<'d, Found>) -> Result<Self::Answers, Stop> {
                Ok(($(self.$at.answers(found)?,)+))
            }
        }
    };
}

batch_of_several!(A 0, B 1);
batch_of_several!(A 0, B 1, C 2);
batch_of_several!(A 0, B 1, C 2, D 3);
batch_of_several!(A 0, B 1, C 2, D 3, E 4);

/// A member, `None` where it is absent or `null`.
fn member<'d, T: Deserialize<'d>>(members: &'d Map<String, Value>, name: &str) -> Result<Option<T>, Stop> {
    let Some(value) = members.get(name) else { return Ok(None) };
    Option::deserialize(value).map_err(|_| Stop::Failed(format!("`{name}` is not what the logic expects")))
}

fn members_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The parts of a key; one that is no list has one part.
pub(super) fn parts(key: impl Serialize) -> Vec<Value> {
    match serde_json::to_value(key).expect("keys are JSON") {
        Value::Array(parts) => parts,
        one => vec![one],
    }
}

/// An answer is of another kind than the question: the call asked something else the last time.
fn astray() -> Stop {
    Stop::Failed("it does not ask the same questions each time".to_owned())
}
