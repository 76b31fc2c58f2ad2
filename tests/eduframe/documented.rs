//! What the vendor documents, as `resources.yaml` holds it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// All of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) enums: BTreeMap<String, Vec<String>>,
    pub(super) schemas: BTreeMap<String, Fields>,
    pub(super) operations: Vec<Operation>,
}

/// Fields by name.
pub(super) type Fields = BTreeMap<String, Field>;

/// An operation; where there are several methods, they do the same.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    pub(super) path: String,
    pub(super) methods: Vec<String>,
    pub(super) id: Option<String>,
    pub(super) status: u16,
    #[serde(default)]
    pub(super) path_parameters: Fields,
    #[serde(default)]
    pub(super) filters: Fields,
    #[serde(default)]
    pub(super) sort: Vec<String>,
    #[serde(default)]
    pub(super) paging: Vec<String>,
    #[serde(default)]
    pub(super) request: Fields,
    pub(super) answer: Option<Answer>,
    #[serde(default)]
    pub(super) headers: Vec<String>,
}

/// What an operation answers: a schema, or a list of them.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    One(String),
    List(String),
}

/// A field or a parameter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the table's")]
pub(super) struct Field {
    #[serde(rename = "type")]
    pub(super) of: String,
    /// The schema of the object, or of the list's items.
    #[serde(rename = "of")]
    pub(super) schema: Option<String>,
    /// The type of the list's items.
    pub(super) items: Option<String>,
    /// The fields of the object, or of the list's items.
    pub(super) fields: Option<Fields>,
    pub(super) format: Option<String>,
    #[serde(rename = "enum")]
    words: Option<Vec<String>>,
    enum_ref: Option<String>,
    pub(super) default: Option<Value>,
    #[serde(default)]
    pub(super) nullable: bool,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) deprecated: bool,
    /// Whether nothing is said of its being null.
    #[serde(default)]
    pub(super) older: bool,
    /// The fields that each item has to have.
    #[serde(default)]
    pub(super) items_require: Vec<String>,
}

impl Table {
    pub(super) fn read() -> Self {
        let text = std::fs::read_to_string("../tests/eduframe/resources.yaml").expect("the table is there");
        serde_yaml::from_str(&text).expect("the table is in its form")
    }

    /// The words that a field may say; none where it says what it likes.
    pub(super) fn words<'t>(&'t self, field: &'t Field) -> Option<&'t [String]> {
        let named = || self.enums.get(field.enum_ref.as_ref()?).map(Vec::as_slice);
        field.words.as_deref().or_else(named)
    }

    /// The fields of an object or of a list's items.
    pub(super) fn fields<'t>(&'t self, field: &'t Field) -> Option<&'t Fields> {
        field.fields.as_ref().or_else(|| self.schemas.get(field.schema.as_ref()?))
    }
}
