//! The words of canonical schemas.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// At the root of a canonical schema.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanonicalKind {
    /// The kind's name, which is also the file's.
    pub kind: String,
    /// The plural, for routes and tables.
    pub plural: String,
    /// Where the word stands that tells parts of the kind apart, which can be missed as a whole: `roles.role`. What would
    /// remove all of a part is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<String>,
}

/// On a property of a canonical schema.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CanonicalField {
    /// This field is a reference to an entity of this kind.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub refers: Option<String>,
    /// How the contributions of several records to one entity become one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
}

/// How several contributions become one value. Never by order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    /// The value of the record whose key is smallest; a warning says so where they differ.
    #[default]
    Pick,
    /// All distinct items of all lists, sorted.
    Union,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
}
