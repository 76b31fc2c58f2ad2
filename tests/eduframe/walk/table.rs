//! What a document does not say: `walk.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

/// All of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Table {
    /// Before all paths of things.
    pub(super) base: String,
    /// Records that only operators write, by type.
    pub(super) operator: BTreeMap<String, Vec<Value>>,
    /// Values of members and parameters, whatever the operation.
    pub(super) members: BTreeMap<String, Value>,
    /// Members and parameters that are not sent.
    pub(super) never: BTreeSet<String>,
    /// How things come about that are not made by a `POST` where they are listed.
    pub(super) things: BTreeMap<String, Recipe>,
    /// What single operations are sent, by their ids.
    pub(super) operations: BTreeMap<String, Overrides>,
}

/// How a thing comes about.
#[derive(Debug, Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The operation that makes it, or something that it comes with.
    pub(super) by: Option<String>,
    /// What it is made of: another thing, which is changed.
    pub(super) of: Option<String>,
    /// Members of the body.
    #[serde(default)]
    pub(super) with: Map<String, Value>,
    /// Parameters of the paths where it is, by the member of it that says them.
    #[serde(default)]
    pub(super) path: BTreeMap<String, String>,
    /// Operations that change it afterwards.
    #[serde(default)]
    pub(super) then: Vec<String>,
    /// The list where the newest one is it.
    pub(super) listed: Option<String>,
}

/// What an operation is sent.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Overrides {
    /// The thing that a parameter of the path names, or its text.
    #[serde(default)]
    pub(super) path: BTreeMap<String, String>,
    /// Members that a body always has.
    #[serde(default)]
    pub(super) always: Map<String, Value>,
    /// Members of a body that says all it may.
    #[serde(default)]
    pub(super) most: Map<String, Value>,
    /// Members and parameters that are not sent.
    #[serde(default)]
    pub(super) never: BTreeSet<String>,
}

impl Table {
    pub(super) fn read() -> Self {
        let text = std::fs::read_to_string("../tests/eduframe/walk.yaml").expect("the table is there");
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("walk.yaml: {error}"))
    }
}
