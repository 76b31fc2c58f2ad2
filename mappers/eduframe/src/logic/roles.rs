//! The roles that people get by what happens: who orders is a customer, who is enrolled a student.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Value, json};

/// Roles that people are to have, by the numbers of the people.
#[derive(Debug, Default)]
pub(super) struct Roles(BTreeMap<i64, BTreeSet<String>>);

/// A person, as far as roles go.
#[derive(Debug, Deserialize)]
struct Person {
    id: i64,
    #[serde(default)]
    roles: Vec<String>,
}

impl Roles {
    /// A person gets a role.
    pub(super) fn give(&mut self, user_id: i64, role: &str) {
        self.0.entry(user_id).or_default().insert(role.to_owned());
    }

    /// The roles of somebody who is new, and need not be looked up.
    pub(super) fn take(&mut self, user_id: i64) -> Value {
        json!(self.0.remove(&user_id).unwrap_or_default())
    }

    /// Writes the roles of all who do not have them yet.
    pub(super) fn settle(self, desk: &Desk<'_>) -> Result<(), Stop> {
        if self.0.is_empty() {
            return Ok(());
        }
        for person in desk.records::<Person>("User").any("id", self.0.keys()).all()? {
            let lacking = self.0.get(&person.id).into_iter().flatten().filter(|role| !person.roles.contains(role));
            let lacking: Vec<_> = lacking.collect();
            if !lacking.is_empty() {
                let roles: Vec<_> = person.roles.iter().chain(lacking).collect();
                desk.put("User", json!({"id": person.id, "roles": roles}));
            }
        }
        Ok(())
    }
}
