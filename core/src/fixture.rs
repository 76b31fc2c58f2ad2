//! A small canonical model for tests: a `person` belongs to a `group` and may have roles in groups.

use std::sync::Arc;

use serde_json::json;

use crate::canonical::{Canonical, Field, Form, Join, Kind, KindId, NestedReference, TextRule};
use crate::digest::Digest;
use crate::map::Value;
use crate::table::{Column, Table, identifier};
use crate::validate::Schema;

/// `group` (name) and `person` (name, email, since, team, roles).
pub(crate) fn canonical() -> Canonical {
    let group = KindId(0);
    let list = || Schema::compile(&json!({"list": {"type": "array"}}), "/list").expect("a valid schema");
    let text = || Form::Text(TextRule::Any(0));
    let reference = NestedReference { path: vec!["[]".to_owned(), "group".to_owned()], to: group };
    let kinds = vec![
        kind("group", "groups", vec![("name", true, text(), Join::Pick)]),
        kind(
            "person",
            "persons",
            vec![
                ("name", true, text(), Join::Pick),
                ("email", false, text(), Join::Pick),
                ("since", false, Form::Text(TextRule::Date), Join::Min),
                ("team", false, Form::Reference(group), Join::Pick),
                ("roles", false, Form::Nested(Box::new(list()), vec![reference]), Join::Union),
            ],
        ),
    ];
    Canonical::from_kinds(kinds, Digest::of(b"canonical"))
}

/// The number of a field of `person`.
pub(crate) fn field(name: &str) -> u16 {
    let canonical = canonical();
    let at = canonical.kind(KindId(1)).fields.iter().position(|field| field.name == name);
    u16::try_from(at.expect("a field of person")).expect("few fields")
}

/// A nested value.
pub(crate) fn nested(json: &str) -> Value {
    Value::Nested(Arc::from(json))
}

fn kind(name: &str, plural: &str, fields: Vec<(&str, bool, Form, Join)>) -> Kind {
    let column = |(name, _, form, _): &(&str, bool, Form, Join)| Column {
        property: (*name).to_owned(),
        name: identifier(name),
        form: form.column(),
    };
    let table = Table { name: format!("entity_{name}"), columns: fields.iter().map(column).collect() };
    let field =
        |(name, required, form, join): (&str, bool, Form, Join)| Field { name: name.to_owned(), required, form, join };
    let fields = fields.into_iter().map(field).collect();
    Kind { name: name.to_owned(), plural: plural.to_owned(), parts: None, fields, table }
}
