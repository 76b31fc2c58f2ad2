//! References between entities: finds those that a contribution makes, and turns source ids into `sourcedId`s.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use uuid::Uuid;

use crate::canonical::{Canonical, Form, KindId, NestedReference};
use crate::json::Json;
use crate::map::{Contribution, Value};

/// Nested values were checked when they came out of the sandbox; this only guards the stack.
const DEPTH_MAX: u32 = 64;

/// A value, and the field that it stands in.
type NestedValue = (KindId, u16, Arc<str>);

/// Finds references, and leaves out most of those that were found before: neighbours refer to the same school and class.
#[derive(Debug, Default)]
pub struct Seen {
    nested: HashSet<NestedValue>,
    /// The last reference of each field.
    last: HashMap<(KindId, u16), String>,
}

impl Seen {
    /// Calls `found` with the kind and source id of every entity that `contribution` refers to and that was not found
    /// just before.
    pub fn each_new(
        &mut self,
        contribution: &Contribution,
        canonical: &Canonical,
        found: &mut impl FnMut(KindId, &str),
    ) {
        let kind = canonical.kind(contribution.kind);
        for (field, value) in &contribution.fields {
            match (value, kind.fields.get(usize::from(*field)).map(|field| &field.form)) {
                (Value::Reference(source_id), Some(Form::Reference(to))) => {
                    let last = self.last.entry((contribution.kind, *field)).or_default();
                    if last != source_id {
                        last.clone_from(source_id);
                        found(*to, source_id);
                    }
                }
                (Value::Nested(json), Some(Form::Nested(_, places)))
                    if !places.is_empty() && self.is_new(contribution.kind, *field, json) =>
                {
                    for (to, source_id) in inside(json, places) {
                        found(to, &source_id);
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether a nested value is seen for the first time.
    fn is_new(&mut self, kind: KindId, field: u16, json: &Arc<str>) -> bool {
        self.nested.insert((kind, field, Arc::clone(json)))
    }
}

/// The references inside a nested value.
fn inside(json: &str, places: &[NestedReference]) -> Vec<(KindId, String)> {
    let mut all = Vec::new();
    let Ok(mut json) = Json::parse(json.as_bytes(), DEPTH_MAX) else { return all };
    for place in places {
        visit(&mut json, &place.path, &mut |text| all.push((place.to, text.clone().into_owned())));
    }
    all
}

/// A nested value with every source id in it replaced by what `sourced_id` makes of it.
pub fn resolve(json: &str, places: &[NestedReference], sourced_id: &dyn Fn(KindId, &str) -> Uuid) -> String {
    let Ok(mut value) = Json::parse(json.as_bytes(), DEPTH_MAX) else { return json.to_owned() };
    for place in places {
        visit(&mut value, &place.path, &mut |text| *text = Cow::Owned(sourced_id(place.to, text).to_string()));
    }
    String::from_utf8(value.to_bytes()).unwrap_or_default()
}

/// Calls `visit` with every text at `path`.
fn visit<'a>(json: &mut Json<'a>, path: &[String], found: &mut dyn FnMut(&mut Cow<'a, str>)) {
    match (json, path) {
        (Json::Text(text), []) => found(text),
        (Json::List(items), [step, rest @ ..]) if step == "[]" => {
            for item in items {
                visit(item, rest, found);
            }
        }
        (Json::Object(object), [step, rest @ ..]) => {
            if let Some(member) = object.get_mut(step) {
                visit(member, rest, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Seen, resolve};
    use crate::canonical::KindId;
    use crate::fixture;
    use crate::identity::Namespace;
    use crate::map::{Contribution, Value};

    #[test]
    fn finds_and_resolves_references_at_any_depth() {
        let canonical = fixture::canonical();
        let (team, roles) = (fixture::field("team"), fixture::field("roles"));
        let json = r#"[{"group":"g1","role":"x"},{"group":"g2"},{"role":"y"}]"#;
        let fields = vec![(team, Value::Reference("g0".to_owned())), (roles, fixture::nested(json))];
        let contribution = Contribution { kind: KindId(1), source_id: "p".to_owned(), fields };
        let mut found = Vec::new();
        let mut seen = Seen::default();
        for _ in 0..2 {
            seen.each_new(&contribution, &canonical, &mut |kind, id| found.push((kind, id.to_owned())));
        }
        assert_eq!(found, ["g0", "g1", "g2"].map(|id| (KindId(0), id.to_owned())));

        let namespace = Namespace::of("tenant", "connection");
        let crate::canonical::Form::Nested(_, places) = &canonical.kind(KindId(1)).fields[usize::from(roles)].form
        else {
            panic!("roles are nested")
        };
        let resolved = resolve(json, places, &|_, id| namespace.sourced_id("group", id));
        let (one, two) = (namespace.sourced_id("group", "g1"), namespace.sourced_id("group", "g2"));
        assert_eq!(resolved, format!(r#"[{{"group":"{one}","role":"x"}},{{"group":"{two}"}},{{"role":"y"}}]"#));
    }
}
