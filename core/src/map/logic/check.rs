//! Turns what a partner's own logic answered into a [`Step`], or into the reason why it is not believed.
//!
//! Only shapes and amounts are looked at here. Whether the records, members and events that it names exist, and whether
//! what results satisfies the description, is found out where the decision is applied, as with what clients send.

use serde_json::{Map, Value};

use crate::description::ProblemClass;
use crate::json::Json;
use crate::limits::MapperLimits;
use crate::map::raw::step::{RawChange, RawDecision, RawDecline, RawEvent, RawQuestion, RawStep};
use crate::map::{CallChange, CallEvent, Decision, Decline, Question, Step};

/// Problems that logic may decline with; the others are the host's to find.
const CLASSES: [ProblemClass; 4] =
    [ProblemClass::Forbidden, ProblemClass::Unknown, ProblemClass::Invalid, ProblemClass::Clash];

/// Why an answer is not believed: a sentence about the logic, never a value.
type Wrong = String;

/// Checks what a call answers, given what it was handed before.
pub(super) struct Checker<'a> {
    pub(super) limits: &'a MapperLimits,
    /// Questions that were answered before.
    pub(super) asked: usize,
    /// Records that were handed out before.
    pub(super) handed: usize,
}

impl Checker<'_> {
    pub(super) fn step(&self, step: RawStep) -> Result<Step, Wrong> {
        Ok(match step {
            RawStep::Ask(questions) => Step::Ask(self.questions(questions)?),
            RawStep::Decide(decision) => Step::Decide(self.decision(decision)?),
            RawStep::Decline(decline) => Step::Decline(self.decline(decline)?),
            RawStep::Fail(message) => return Err(format!("it failed: {}", self.text(message, "reason")?)),
        })
    }

    fn questions(&self, questions: Vec<RawQuestion>) -> Result<Vec<Question>, Wrong> {
        let most = self.limits.questions_per_call_max;
        if questions.is_empty() {
            return Err("it waits for nothing".to_owned());
        }
        if self.asked + questions.len() > most {
            return Err(format!("it asked more than {most} questions (`questions_per_call_max`)"));
        }
        questions.into_iter().map(|question| self.question(question)).collect()
    }

    fn question(&self, question: RawQuestion) -> Result<Question, Wrong> {
        match question {
            RawQuestion::Number(of) => Ok(Question::Number { of: self.text(of, "name of a series")? }),
            RawQuestion::Records { of, conditions, limit } => {
                let condition = |(member, values): (String, Vec<u8>)| {
                    Ok((self.text(member, "name of a member")?, self.scalars(&values, "values of a condition")?))
                };
                let members = conditions.into_iter().map(condition).collect::<Result<_, Wrong>>()?;
                // One more than it may have, so that the store need not read further to find that it is too much.
                let room =
                    self.limits.records_per_call_max.saturating_sub(u32::try_from(self.handed).unwrap_or(u32::MAX));
                let room = room.saturating_add(1);
                let limit = Some(limit.map_or(room, |limit| limit.min(room)));
                Ok(Question::Records { of: self.text(of, "name of a record type")?, members, limit })
            }
        }
    }

    fn decision(&self, decision: RawDecision) -> Result<Decision, Wrong> {
        let most = self.limits.changes_per_call_max;
        if decision.changes.len() > most || decision.events.len() > most {
            return Err(format!("it made more than {most} changes or events (`changes_per_call_max`)"));
        }
        Ok(Decision {
            changes: decision.changes.into_iter().map(|change| self.change(change)).collect::<Result<_, _>>()?,
            told: self.object(&decision.told, "what is told")?,
            events: decision.events.into_iter().map(|event| self.event(event)).collect::<Result<_, _>>()?,
        })
    }

    fn change(&self, change: RawChange) -> Result<CallChange, Wrong> {
        Ok(match change {
            RawChange::Put { of, members } => CallChange::Put {
                of: self.text(of, "name of a record type")?,
                members: self.object(&members, "the members of a record")?,
            },
            RawChange::Remove { of, key } => {
                CallChange::Remove { of: self.text(of, "name of a record type")?, key: self.key(&key)? }
            }
        })
    }

    fn event(&self, event: RawEvent) -> Result<CallEvent, Wrong> {
        Ok(CallEvent {
            event: self.text(event.name, "name of an event")?,
            of: self.text(event.of, "name of a record type")?,
            key: self.key(&event.key)?,
        })
    }

    fn decline(&self, decline: RawDecline) -> Result<Decline, Wrong> {
        let class = CLASSES.into_iter().find(|class| class.word() == decline.class);
        Ok(Decline {
            class: class.ok_or("it declined with a class of problem that is not its to tell")?,
            code: self.text(decline.code, "code")?,
            field: decline.field.map(|field| self.text(field, "name of a field")).transpose()?,
            message: self.text(decline.message, "message")?,
        })
    }

    /// A text that is there, and not longer than any may be.
    fn text(&self, text: String, what: &str) -> Result<String, Wrong> {
        let most = self.limits.text_bytes_max;
        if text.is_empty() || text.len() > most {
            return Err(format!("it gave a {what} of {} bytes, 1 to {most} are allowed", text.len()));
        }
        Ok(text)
    }

    fn object(&self, json: &[u8], what: &str) -> Result<Map<String, Value>, Wrong> {
        match self.json(json, what)? {
            Value::Object(members) => Ok(members),
            _ => Err(format!("{what} must be an object")),
        }
    }

    fn key(&self, json: &[u8]) -> Result<Vec<Value>, Wrong> {
        let key = self.scalars(json, "the key of a record")?;
        if key.is_empty() || key.contains(&Value::Null) {
            Err("the key of a record is empty".to_owned())
        } else {
            Ok(key)
        }
    }

    fn scalars(&self, json: &[u8], what: &str) -> Result<Vec<Value>, Wrong> {
        let Value::Array(values) = self.json(json, what)? else { return Err(format!("{what} must be a list")) };
        if values.len() > self.limits.records_per_call_max as usize {
            return Err(format!("{what} are too many (`records_per_call_max`)"));
        }
        let is_scalar = |value: &Value| !value.is_array() && !value.is_object();
        if values.iter().all(is_scalar) {
            Ok(values)
        } else {
            Err(format!("{what} must be texts, numbers or booleans"))
        }
    }

    fn json(&self, json: &[u8], what: &str) -> Result<Value, Wrong> {
        let parsed = Json::parse(json, self.limits.depth_max);
        parsed.map(|json| json.to_value()).map_err(|problem| format!("{what} is not JSON that is taken: {problem}"))
    }
}
