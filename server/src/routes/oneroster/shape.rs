//! Turns a stored entity into the standard's object: references become `{href, sourcedId, type}`, booleans text.
//!
//! Follows the canonical schemas; a new field shows up by itself.

use std::collections::HashSet;

use rollcall_core::canonical::{Canonical, Kind, KindId};
use serde_json::{Map, Value, json};

use crate::references;

/// What the host sets on every entity.
const OWN: [&str; 3] = ["sourcedId", "status", "dateLastModified"];

/// The field that is open: what a mapper put there is shown as it is.
const OPEN: &str = "metadata";

/// Makes objects.
pub(super) struct Shape<'a> {
    pub(super) canonical: &'a Canonical,
    /// What references start with.
    pub(super) base: &'a str,
    /// The fields that were asked for; all, where it is `None`.
    pub(super) fields: Option<HashSet<String>>,
}

impl Shape<'_> {
    /// The object of an entity.
    pub(super) fn object(&self, kind: &Kind, mut entity: Map<String, Value>) -> Map<String, Value> {
        references::replace(kind, &mut entity, &mut |to, id| self.reference(to, id));
        let names = OWN.into_iter().chain(kind.fields.iter().map(|field| field.name.as_str()));
        let asked = names.filter(|name| self.fields.as_ref().is_none_or(|fields| fields.contains(*name)));
        let members = asked.filter_map(|name| {
            let mut value = entity.remove(name)?;
            if name != OPEN {
                booleans_to_text(&mut value);
            }
            Some((name.to_owned(), value))
        });
        members.collect()
    }

    fn reference(&self, to: KindId, id: &str) -> Value {
        let kind = self.canonical.kind(to);
        json!({
            "href": format!("{}/{}/{id}", self.base, kind.plural),
            "sourcedId": id,
            "type": kind.name,
        })
    }
}

/// Whether objects of this kind have a field of this name.
pub(super) fn has_field(kind: &Kind, name: &str) -> bool {
    OWN.contains(&name) || kind.fields.iter().any(|field| field.name == name)
}

/// The standard writes booleans as text.
fn booleans_to_text(value: &mut Value) {
    match value {
        Value::Bool(boolean) => *value = Value::String(boolean.to_string()),
        Value::Array(items) => items.iter_mut().for_each(booleans_to_text),
        Value::Object(members) => members.values_mut().for_each(booleans_to_text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rollcall_core::canonical::Canonical;
    use serde_json::{Value, json};

    use super::Shape;

    fn object(kind: &str, fields: Option<&[&str]>, entity: &Value) -> Value {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/canonical");
        let canonical = Canonical::load(&folder).unwrap();
        let fields = fields.map(|names| names.iter().map(ToString::to_string).collect());
        let shape = Shape { canonical: &canonical, base: "http://x", fields };
        let kind = canonical.kind(canonical.id(kind).unwrap());
        Value::Object(shape.object(kind, entity.as_object().unwrap().clone()))
    }

    #[test]
    fn references_lead_to_what_they_name() {
        let enrollment = json!({
            "sourcedId": "e", "status": "active", "dateLastModified": "2026-09-01T00:00:00Z",
            "user": "u", "class": "c", "school": "s", "role": "teacher", "metadata": {"course": "m", "seat": true},
        });
        assert_eq!(
            object("enrollment", None, &enrollment),
            json!({
                "sourcedId": "e", "status": "active", "dateLastModified": "2026-09-01T00:00:00Z",
                "user": {"href": "http://x/users/u", "sourcedId": "u", "type": "user"},
                "class": {"href": "http://x/classes/c", "sourcedId": "c", "type": "class"},
                "school": {"href": "http://x/orgs/s", "sourcedId": "s", "type": "org"},
                "role": "teacher",
                "metadata": {
                    "course": {"href": "http://x/courses/m", "sourcedId": "m", "type": "course"}, "seat": true,
                },
            })
        );
    }

    #[test]
    fn references_in_lists_are_found() {
        let user = json!({"roles": [{"role": "student", "org": "s"}, {"role": "teacher"}], "agents": ["a", "b"]});
        let object = object("user", None, &user);
        assert_eq!(object["roles"][0]["org"]["href"], "http://x/orgs/s");
        assert_eq!(object["roles"][1], json!({"role": "teacher"}));
        assert_eq!(object["agents"][1]["type"], "user");
    }

    #[test]
    fn only_the_fields_asked_for_are_shown() {
        let user = json!({"sourcedId": "u", "status": "active", "givenName": "Ada", "familyName": "Byron"});
        assert_eq!(
            object("user", Some(&["givenName", "status"]), &user),
            json!({"status": "active", "givenName": "Ada"})
        );
    }
}
