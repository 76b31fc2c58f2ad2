//! Writes what a body says over what is there: renamed, cast, nested objects and lists member by member.

use serde_json::Value;

use super::Members;
use crate::description::{Cast, Form, FormField, Write};
use crate::json::{Json, Pointer};
use crate::note::Note;

/// What a body comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Filled {
    /// What the record says then.
    pub members: Members,
    /// What is not kept, for the partner's own logic.
    pub arguments: Members,
    /// What is wrong with it.
    pub notes: Vec<Note>,
}

/// Writes `sent` over `members`. What the form does not name is ignored; `null` leaves nothing.
pub fn fill(form: &Form, sent: &Json<'_>, members: Members) -> Filled {
    let mut filled = Filled { members, ..Filled::default() };
    write(form, sent, &Pointer::root(), &mut filled);
    filled
}

fn write(form: &Form, sent: &Json<'_>, at: &Pointer, filled: &mut Filled) {
    for field in &form.fields {
        if let Some(json) = sent.get(&field.sent) {
            field.write(json, &at.member(&field.sent), filled);
        }
    }
}

impl FormField {
    fn write(&self, json: &Json<'_>, at: &Pointer, filled: &mut Filled) {
        let name = || self.kept.clone();
        match &self.write {
            Write::Argument => {
                let value = self.cast(json, at, filled);
                filled.arguments.insert(self.sent.clone(), value);
            }
            _ if *json == Json::Null => {
                filled.members.shift_remove(&self.kept);
            }
            Write::Value => {
                let value = self.cast(json, at, filled);
                filled.members.insert(name(), value);
            }
            Write::Object(form) => {
                let there = match filled.members.get(&self.kept) {
                    Some(Value::Object(there)) => there.clone(),
                    _ => Members::new(),
                };
                let object = inside(form, json, at, there, filled);
                filled.members.insert(name(), Value::Object(object));
            }
            Write::Items { by, remove, form } => {
                let mut items = match filled.members.get(&self.kept) {
                    Some(Value::Array(there)) => there.clone(),
                    _ => Vec::new(),
                };
                for (step, item) in listed(json) {
                    let at = at.member(&step);
                    write_item(&mut items, item, &at, (by, remove.as_deref(), form), filled);
                }
                filled.members.insert(name(), Value::Array(items));
            }
        }
    }

    /// The value as it is kept.
    fn cast(&self, json: &Json<'_>, at: &Pointer, filled: &mut Filled) -> Value {
        let Some(cast) = self.cast else { return json.to_value() };
        cast.apply(json).unwrap_or_else(|| {
            let note = Note::new(at.clone(), "type", "has none of the forms that are taken here");
            filled.notes.push(note.with("field", &self.sent));
            Value::Null
        })
    }
}

/// What is there, with what `json` says written over it.
fn inside(form: &Form, json: &Json<'_>, at: &Pointer, there: Members, filled: &mut Filled) -> Members {
    let mut inner = Filled { members: there, ..Filled::default() };
    write(form, json, at, &mut inner);
    filled.notes.append(&mut inner.notes);
    inner.members
}

/// One item of a list: changed, removed or added.
fn write_item(
    items: &mut Vec<Value>,
    item: &Json<'_>,
    at: &Pointer,
    (by, remove, form): (&str, Option<&str>, &Form),
    filled: &mut Filled,
) {
    let named = item.get(by).filter(|json| **json != Json::Null).map(Json::to_value);
    let goes = remove.and_then(|remove| item.get(remove)).and_then(|json| Cast::Boolean.apply(json));
    let goes = goes == Some(Value::Bool(true));
    let place = named.as_ref().map(|named| items.iter().position(|there| there.get(by) == Some(named)));
    let is_named_by_clients = form.fields.iter().any(|field| field.sent == by);
    match place.flatten() {
        Some(place) if goes => _ = items.remove(place),
        Some(place) => {
            if let Value::Object(there) = items[place].take() {
                items[place] = Value::Object(inside(form, item, at, there, filled));
            }
        }
        None if named.is_some() && (goes || !is_named_by_clients) => {
            let note = Note::new(at.member(by), "unknown", "there is no such item");
            filled.notes.push(note.with("field", by));
        }
        None if goes => {}
        None => {
            let added = inside(form, item, at, Members::new(), filled);
            items.push(Value::Object(added));
        }
    }
}

/// The items of a list, or of an object whose members they are in the order of their numbers; each with its step.
fn listed<'j, 'a>(json: &'j Json<'a>) -> Vec<(String, &'j Json<'a>)> {
    match json {
        Json::List(items) => items.iter().enumerate().map(|(nth, item)| (nth.to_string(), item)).collect(),
        Json::Object(object) => {
            let mut items: Vec<_> = object.iter().map(|(name, item)| (name.to_owned(), item)).collect();
            items.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
            items
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Filled, fill};
    use crate::description::{Cast, Form, FormField, Write};
    use crate::json::Json;

    fn field(sent: &str, kept: &str, cast: Option<Cast>, write: Write) -> FormField {
        FormField { sent: sent.to_owned(), kept: kept.to_owned(), cast, write }
    }

    /// Books: a title, a price, a publisher, chapters that have numbers, a rating by each of its readers, and something
    /// that only logic looks at.
    fn form() -> Form {
        let value = |name: &str| field(name, name, None, Write::Value);
        let chapters = Write::Items {
            by: "id".to_owned(),
            remove: Some("_destroy".to_owned()),
            form: Form { fields: vec![value("title")] },
        };
        let ratings = Write::Items {
            by: "reader".to_owned(),
            remove: Some("_destroy".to_owned()),
            form: Form { fields: vec![value("reader"), value("stars")] },
        };
        let publisher = Write::Object(Form { fields: vec![value("name"), value("city")] });
        let fields = vec![
            value("title"),
            field("price", "price", Some(Cast::Decimal), Write::Value),
            field("lent", "is_lent", Some(Cast::Boolean), Write::Value),
            field("publisher_attributes", "publisher", None, publisher),
            field("chapters_attributes", "chapters", None, chapters),
            field("ratings", "ratings", None, ratings),
            field("notify", "notify", None, Write::Argument),
        ];
        Form { fields }
    }

    fn filled(sent: &Value, there: &Value) -> Filled {
        let sent = sent.to_string();
        let there = there.as_object().cloned().unwrap_or_default();
        fill(&form(), &Json::parse(sent.as_bytes(), 16).unwrap(), there)
    }

    #[test]
    fn what_is_sent_is_written_over_what_is_there() {
        let there = json!({
            "id": 7, "title": "A", "price": "1.00", "publisher": {"name": "P", "city": "Q"},
            "chapters": [{"id": 1, "title": "one"}, {"id": 2, "title": "two"}, {"id": 3, "title": "three"}],
            "ratings": [{"reader": 5, "stars": 1}],
        });
        let table = [
            (json!({}), json!({})),
            (json!({"id": 8, "unknown": 1, "title": "B"}), json!({"title": "B"})),
            (json!({"title": null}), json!({"title": null})),
            (json!({"price": "12.50", "lent": "1"}), json!({"price": "12.50", "is_lent": true})),
            (json!({"publisher_attributes": {"city": "R"}}), json!({"publisher": {"name": "P", "city": "R"}})),
            (json!({"publisher_attributes": {"city": null}}), json!({"publisher": {"name": "P"}})),
            (json!({"publisher_attributes": null}), json!({"publisher": null})),
            (
                json!({"chapters_attributes": [{"id": 2, "_destroy": true}, {"title": "four"}, {"id": 1, "title": "1"}]}),
                json!({"chapters": [{"id": 1, "title": "1"}, {"id": 3, "title": "three"}, {"title": "four"}]}),
            ),
            (
                json!({"chapters_attributes": {"10": {"title": "last"}, "2": {"id": 3, "_destroy": "1"}}}),
                json!({"chapters": [{"id": 1, "title": "one"}, {"id": 2, "title": "two"}, {"title": "last"}]}),
            ),
            (
                json!({"ratings": [{"reader": 6, "stars": 4}, {"reader": 5, "stars": 2}]}),
                json!({"ratings": [{"reader": 5, "stars": 2}, {"reader": 6, "stars": 4}]}),
            ),
            (json!({"ratings": [{"reader": 5, "_destroy": true}]}), json!({"ratings": []})),
        ];
        for (sent, change) in table {
            let mut wanted = there.as_object().unwrap().clone();
            for (name, value) in change.as_object().unwrap() {
                if value.is_null() {
                    wanted.shift_remove(name);
                } else {
                    wanted.insert(name.clone(), value.clone());
                }
            }
            let filled = filled(&sent, &there);
            assert_eq!((Value::Object(filled.members), filled.notes), (Value::Object(wanted), vec![]), "{sent}");
        }
    }

    #[test]
    fn arguments_are_not_kept_and_what_cannot_be_is_told() {
        let filled = filled(
            &json!({"notify": [1], "price": "a lot", "chapters_attributes": [{"id": 9, "title": "x"}],
                "ratings": [{"reader": 6, "_destroy": true}]}),
            &json!({"chapters": []}),
        );
        assert_eq!(Value::Object(filled.arguments), json!({"notify": [1]}));
        let told: Vec<_> = filled.notes.iter().map(|note| (note.pointer.as_str(), note.code.as_str())).collect();
        assert_eq!(
            told,
            [("/price", "type"), ("/chapters_attributes/0/id", "unknown"), ("/ratings/0/reader", "unknown")]
        );
    }
}
