//! Fills in the members that a description computes where they are absent.

use serde_json::Value;

use super::Work;
use crate::description::{At, Computation, Computed, RecordTypeId, Step, stamp};
use crate::json::{Json, Pointer};

/// Which members are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those of the key.
    Key,
    /// Those of a new record.
    New,
    /// Those of a record that is written again.
    Again,
}

impl Work<'_> {
    /// `body` with what is computed. What has no value stays absent.
    pub(super) fn completed(&mut self, of: RecordTypeId, body: Vec<u8>, which: Which) -> Vec<u8> {
        let description = self.record_type(of);
        let mut body = body;
        for computed in description.computed.iter().filter(|computed| wanted(computed, which, description)) {
            let values = self.values(computed, &body);
            if !values.is_empty() {
                body = filled(&self.parse(&body), computed, &values);
            }
        }
        body
    }

    /// What a computed member is, by the objects that lack it; each as JSON text.
    pub(super) fn values(&mut self, computed: &Computed, body: &[u8]) -> Vec<(Pointer, String)> {
        let json = self.parse(body);
        let mut lacking = Vec::new();
        find(&json, &computed.path, &computed.name, &mut Pointer::root(), &mut lacking);
        let mut values = Vec::new();
        for (at, object) in lacking {
            let value = match &computed.value {
                Computation::Expression(expression) => expression.evaluate(&self.context(object, computed)).ok(),
                Computation::Now => Some(stamp(self.situation.now).into()),
                Computation::Next(_) | Computation::Slug(_) | Computation::History(_) => None,
            };
            values.extend(value.filter(|value| !value.is_null()).map(|value| (at, value.to_string())));
        }
        values
    }

    /// The object's own members, the options, and the rows of the types that are read.
    pub(super) fn context(&mut self, object: &Json<'_>, computed: &Computed) -> Value {
        let mut context = object.to_value();
        if let Value::Object(names) = &mut context {
            names.insert("options".to_owned(), self.situation.options.clone());
            for read in &computed.reads {
                names.insert(self.record_type(*read).name.clone(), self.rows(*read));
            }
        }
        context
    }

    /// All records of a type that are there at present.
    pub(super) fn rows(&mut self, of: RecordTypeId) -> Value {
        if let Some(rows) = self.rows.get(&of) {
            return rows.clone();
        }
        let names = self.all_of(of);
        let rows: Value = names
            .iter()
            .map(|name| {
                let body = self.body(name);
                self.parse(&body).to_value()
            })
            .collect();
        self.rows.insert(of, rows.clone());
        rows
    }
}

fn wanted(computed: &Computed, which: Which, of: &crate::description::RecordType) -> bool {
    let in_key = || computed.path.is_empty() && of.key.iter().any(|field| field.path.first() == Some(&computed.name));
    match which {
        Which::Key => in_key(),
        Which::New => true,
        Which::Again => computed.at == At::Write,
    }
}

/// The objects at the end of `path` that lack the member `name`.
fn find<'j, 'a>(
    json: &'j Json<'a>,
    path: &[Step],
    name: &str,
    pointer: &mut Pointer,
    found: &mut Vec<(Pointer, &'j Json<'a>)>,
) {
    match (path, json) {
        ([], Json::Object(object)) if object.get(name).is_none() => found.push((pointer.clone(), json)),
        ([Step::Member(member), rest @ ..], Json::Object(object)) => {
            if let Some(json) = object.get(member) {
                let length = pointer.descend(member.as_str());
                find(json, rest, name, pointer, found);
                pointer.ascend(length);
            }
        }
        ([Step::Items, rest @ ..], Json::List(items)) => {
            for (nth, json) in items.iter().enumerate() {
                let length = pointer.descend(nth);
                find(json, rest, name, pointer, found);
                pointer.ascend(length);
            }
        }
        _ => {}
    }
}

/// `json` with the values in their places, canonical.
pub(super) fn filled(json: &Json<'_>, computed: &Computed, values: &[(Pointer, String)]) -> Vec<u8> {
    const DEPTH_MAX: u32 = 16;
    let mut filled = json.clone();
    for (at, value) in values {
        let place = at.steps().try_fold(&mut filled, |json, step| match json {
            Json::Object(object) => object.get_mut(&step),
            Json::List(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        });
        if let (Some(Json::Object(object)), Ok(value)) = (place, Json::parse(value.as_bytes(), DEPTH_MAX)) {
            object.insert(computed.name.as_str().into(), value);
        }
    }
    filled.to_bytes()
}
