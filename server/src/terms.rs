//! Turns what is said of a connection beside its options into [`Terms`], in the same words whether a configuration says it or
//! an operator says it of a connection that was set up while servers run.

use rollcall_core::hold::Thresholds;
use rollcall_core::map::Profile;
use rollcall_core::retention::Retention;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Secrets that are in use at a time.
const WEBHOOK_SECRETS_MAX: usize = 2;

/// What holds for a connection beside its options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// What the mapper may import that what it sends is mapped by.
    pub mapper_profile: Profile,
    /// For how long what it sends is kept, where that is another time than for everyone.
    pub retention: Retention,
    /// From where on what it sends waits for an operator, where that is not as for everyone.
    pub hold: Thresholds,
    /// The numbers of the secrets that its webhooks are signed with.
    pub webhook_secrets: WebhookSecrets,
}

/// Numbers of secrets: one, or two while one takes the place of the other. The first one of a connection is 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<u32>")]
pub struct WebhookSecrets(#[schemars(length(min = 1, max = WEBHOOK_SECRETS_MAX))] Vec<u32>);

impl Terms {
    /// What is said of a connection, as it is stored.
    pub fn parse(said: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::Object(said.clone()))
    }
}

impl WebhookSecrets {
    /// The numbers.
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }
}

impl Default for WebhookSecrets {
    fn default() -> Self {
        Self(vec![0])
    }
}

impl TryFrom<Vec<u32>> for WebhookSecrets {
    type Error = &'static str;

    fn try_from(numbers: Vec<u32>) -> Result<Self, Self::Error> {
        if numbers.is_empty() || numbers.len() > WEBHOOK_SECRETS_MAX {
            return Err("webhooks are signed with one secret, or with two while one takes the place of the other");
        }
        Ok(Self(numbers))
    }
}
