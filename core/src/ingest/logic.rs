//! Has a partner's own logic decide on a call: asks, finds what it asks for, asks again, and makes its decision changes.

use serde_json::{Value, json};

use super::resource::Subject;
use super::{Loaded, options_text};
use crate::costs::Costs;
use crate::delivery::Asked;
use crate::description::{Keying, stamp};
use crate::json::Pointer;
use crate::limits::Limits;
use crate::map::{
    Budget, CallChange, CallEvent, CallInput, Decision, Decline, Found, MapError, Question, Step, enough,
};
use crate::note::Note;
use crate::resource::{Changes, Members, Stop};
use crate::store::Matching;

/// A partner's own logic, at work on one call.
pub(super) struct Called<'c, 'd> {
    pub(super) loaded: &'c Loaded,
    pub(super) limits: &'c Limits,
    pub(super) options: &'c Value,
    pub(super) asked: &'c Asked,
    pub(super) costs: &'c Costs,
    pub(super) changes: &'c mut Changes<'d>,
}

impl Called<'_, '_> {
    /// What the logic decides. `record` is what is there, `change` what the verb would make of it.
    pub(super) async fn decide(
        &mut self,
        call: &str,
        arguments: &Members,
        record: Option<&Members>,
        change: Option<&Members>,
    ) -> Result<Decision, Stop> {
        let context = json!({
            "now": stamp(self.changes.desk().now),
            "path": self.asked.path,
            "query": self.asked.query,
            "arguments": arguments,
            "record": record,
            "change": change,
        });
        let options = options_text(self.options);
        let budget = Budget::new(self.limits);
        let input = CallInput { name: call, context: &context };
        let limits = &self.limits.mapper;
        let mut found = Vec::new();
        for _ in 0..=limits.rounds_per_call_max {
            let before = budget.fuel_used();
            let step = self.loaded.mapper.call(&options, &input, &found, &budget);
            self.costs.used(budget.fuel_used() - before, budget.memory_used());
            match step.map_err(|error| stopped(&error))?.map_err(Stop::Fault)? {
                Step::Ask(questions) => {
                    for question in &questions {
                        found.push(self.find(question).await?);
                        enough(&found, limits).map_err(Stop::Fault)?;
                    }
                }
                Step::Decide(decision) => return Ok(decision),
                Step::Decline(decline) => return Err(declined(decline)),
            }
        }
        let most = limits.rounds_per_call_max;
        Err(Stop::Fault(format!("it asked more than {most} times (`rounds_per_call_max`)")))
    }

    /// The answer to a question; records are found as they are stored.
    async fn find(&mut self, question: &Question) -> Result<Found, Stop> {
        match question {
            Question::Number { of } => {
                let may = of.starts_with('$')
                    || self.changes.named(of).is_some_and(|of| self.changes.record_type(of).keying == Keying::Counted);
                if !may {
                    return Err(Stop::Fault(format!("nothing called {of} is counted")));
                }
                Ok(Found::Number(self.changes.next_number(of).await?))
            }
            Question::Records { of, members, limit } => {
                let of = self.named(of)?;
                let desk = self.changes.desk();
                let (connection, partner) = (desk.connection, desk.partner);
                let matching = Matching { members: members.clone(), limit: limit.map(u64::from) };
                let held = desk.store.records_matching(connection, partner, of, &matching).await?;
                let records: Vec<_> = held.iter().map(|record| record.id).collect();
                Ok(Found::Records(desk.store.bodies(connection, partner, of, &records).await?))
            }
        }
    }

    /// Makes the changes that were decided on. What concerns `subject` holds the client's own words.
    pub(super) async fn apply(&mut self, decision: &Decision, subject: Option<&Subject>) -> Result<(), Stop> {
        for change in &decision.changes {
            match change {
                CallChange::Put { of, members } => {
                    let of = self.named(of)?;
                    let before = match self.changes.key(of, members) {
                        Ok(key) => self.changes.look(of, &key).await?.after.clone(),
                        Err(_) => None,
                    };
                    let mut merged = before.clone().unwrap_or_default();
                    merged.extend(members.clone());
                    let completed = self.changes.complete(of, merged, before.as_ref()).await?;
                    let key = self.changes.key(of, &completed)?;
                    let is_sent = subject.is_some_and(|subject| *subject == (of, key));
                    self.changes.put(of, completed, is_sent).await?;
                }
                CallChange::Remove { of, key } => {
                    let of = self.named(of)?;
                    let key = Value::Array(key.clone()).to_string();
                    self.changes.remove(of, &key).await?;
                }
            }
        }
        for CallEvent { of, key, .. } in &decision.events {
            let of = self.named(of)?;
            let draft = self.changes.look(of, &Value::Array(key.clone()).to_string()).await?;
            if draft.before.is_none() && draft.after.is_none() {
                return Err(Stop::Fault("it raised an event of a record that is not there".to_owned()));
            }
        }
        Ok(())
    }

    fn named(&self, of: &str) -> Result<crate::description::RecordTypeId, Stop> {
        self.changes.named(of).ok_or_else(|| Stop::Fault(format!("there is no record type {of}")))
    }
}

fn stopped(error: &MapError) -> Stop {
    match error {
        MapError::Deadline(_) | MapError::Busy => Stop::Busy,
        MapError::Fuel(_) | MapError::Faults(_) | MapError::Canonical => Stop::Fault(error.to_string()),
    }
}

fn declined(decline: Decline) -> Stop {
    let Decline { class, code, field, message } = decline;
    let pointer = field.as_ref().map_or_else(Pointer::root, |field| Pointer::root().member(field));
    let note = Note::new(pointer, code, message);
    Stop::one(
        class,
        match field {
            Some(field) => note.with("field", field),
            None => note,
        },
    )
}

#[cfg(test)]
mod tests;
