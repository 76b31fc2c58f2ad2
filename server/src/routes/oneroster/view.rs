//! Which entities a collection shows: `students` are the users with the role student.

use rollcall_core::store::read::{Filter, Operator};
use serde_json::{Map, Value};

use crate::problem::Problem;

/// A collection of the standard.
#[derive(Debug)]
pub(super) struct View {
    /// Its name in the path.
    pub(super) collection: &'static str,
    /// The kind of entity that it shows.
    pub(super) kind: &'static str,
    /// Where only some of them are shown: the field, and what it must hold.
    only: Option<(&'static [&'static str], &'static str)>,
}

/// All collections.
pub(super) const VIEWS: [View; 10] = [
    View { collection: "orgs", kind: "org", only: None },
    View { collection: "schools", kind: "org", only: Some((&["type"], "school")) },
    View { collection: "academicSessions", kind: "academicSession", only: None },
    View { collection: "terms", kind: "academicSession", only: Some((&["type"], "term")) },
    View { collection: "courses", kind: "course", only: None },
    View { collection: "classes", kind: "class", only: None },
    View { collection: "users", kind: "user", only: None },
    View { collection: "students", kind: "user", only: Some((&["roles", "role"], "student")) },
    View { collection: "teachers", kind: "user", only: Some((&["roles", "role"], "teacher")) },
    View { collection: "enrollments", kind: "enrollment", only: None },
];

impl View {
    /// The collection called so in the path.
    pub(super) fn named(collection: &str) -> Result<&'static Self, Problem> {
        let found = VIEWS.iter().find(|view| view.collection == collection);
        found.ok_or_else(|| Problem::unknown("there is no such collection"))
    }

    /// What an entity must satisfy to be shown, beside `filter`.
    pub(super) fn narrow(&self, filter: Option<Filter>) -> Option<Filter> {
        let own = self.only.map(|(path, value)| Filter::Compare {
            path: path.iter().map(ToString::to_string).collect(),
            operator: Operator::Equal,
            value: value.to_owned(),
        });
        match (own, filter) {
            (Some(own), Some(filter)) => Some(Filter::And(Box::new(own), Box::new(filter))),
            (own, filter) => own.or(filter),
        }
    }

    /// Whether the collection shows this entity.
    pub(super) fn shows(&self, entity: &Map<String, Value>) -> bool {
        let Some((path, value)) = self.only else { return true };
        let Some((first, rest)) = path.split_first() else { return true };
        entity.get(*first).is_some_and(|field| holds(field, rest, value))
    }
}

/// Whether what stands at `path`, in any item of a list, is `value`.
fn holds(field: &Value, path: &[&str], value: &str) -> bool {
    match (field, path.split_first()) {
        (Value::Array(items), _) => items.iter().any(|item| holds(item, path, value)),
        (Value::Object(members), Some((first, rest))) => {
            members.get(*first).is_some_and(|field| holds(field, rest, value))
        }
        (Value::String(text), None) => text == value,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::View;

    #[test]
    fn a_person_with_two_roles_is_in_both_collections() {
        let user = json!({"roles": [{"role": "student"}, {"role": "teacher"}]});
        for (collection, shown) in [("students", true), ("teachers", true), ("users", true), ("schools", false)] {
            assert_eq!(View::named(collection).unwrap().shows(user.as_object().unwrap()), shown, "{collection}");
        }
        let pupil = json!({"roles": [{"role": "student"}]});
        assert!(!View::named("teachers").unwrap().shows(pupil.as_object().unwrap()));
        assert!(View::named("demographics").is_err());
    }
}
