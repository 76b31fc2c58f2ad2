//! Finds the references in an entity, wherever its canonical schema says that one stands, and puts something else there.

use rollcall_core::canonical::{Form, Kind, KindId};
use serde_json::{Map, Value};

/// Replaces each reference in `entity`, which is of `kind`, by what `with` makes of it.
pub fn replace(kind: &Kind, entity: &mut Map<String, Value>, with: &mut dyn FnMut(KindId, &str) -> Value) {
    for field in &kind.fields {
        let Some(value) = entity.get_mut(&field.name) else { continue };
        match &field.form {
            Form::Reference(to) => replace_at(value, &[], *to, with),
            Form::Nested(_, references) => {
                for reference in references {
                    replace_at(value, &reference.path, reference.to, with);
                }
            }
            _ => {}
        }
    }
}

fn replace_at(value: &mut Value, path: &[String], to: KindId, with: &mut dyn FnMut(KindId, &str) -> Value) {
    match (value, path.split_first()) {
        (Value::Array(items), Some((first, rest))) if first == "[]" => {
            for item in items {
                replace_at(item, rest, to, with);
            }
        }
        (Value::Object(members), Some((first, rest))) => {
            if let Some(member) = members.get_mut(first) {
                replace_at(member, rest, to, with);
            }
        }
        (value @ Value::String(_), None) => {
            let replaced = value.as_str().map(|id| with(to, id)).unwrap_or_default();
            *value = replaced;
        }
        _ => {}
    }
}
