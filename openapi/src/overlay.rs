//! Applies an [OpenAPI Overlay](https://spec.openapis.org/overlay/v1.0.0.html) to a document: actions that find places by
//! paths (RFC 9535) and merge something into them, or remove them.
//!
//! Beside what the standard says, an action that finds nothing is a [`Mistake`]: the document has moved away from under the
//! overlay, and what it was to say would silently not hold.

use serde_json::Value;
use serde_json_path::{JsonPath, NormalizedPath};

use crate::{escaped, parent};

/// What was changed in a document, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// What stands at `at` came from the overlay's `from`, with all that is in it.
    Put {
        /// Where in the document, a JSON Pointer.
        at: String,
        /// Where in the overlay, a JSON Pointer.
        from: String,
    },
    /// What stood there is gone.
    Remove {
        /// Where in the document, a JSON Pointer.
        at: String,
        /// Whether it was an item of a list, so that those behind it have moved up.
        is_item: bool,
    },
}

/// What is wrong with an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where in the overlay, a JSON Pointer.
    pub at: String,
    /// What is wrong.
    pub problem: String,
}

/// What an overlay may have at its root.
const ROOT_WORDS: [&str; 4] = ["overlay", "info", "extends", "actions"];

/// What an action may have.
const ACTION_WORDS: [&str; 4] = ["target", "description", "update", "remove"];

/// Applies `overlay` to `document`, as far as it is right.
pub fn apply(document: &mut Value, overlay: &Value) -> (Vec<Edit>, Vec<Mistake>) {
    let mut run = Run { document, edits: Vec::new(), mistakes: Vec::new() };
    run.check_head(overlay);
    for (nth, action) in overlay["actions"].as_array().into_iter().flatten().enumerate() {
        run.action(&format!("/actions/{nth}"), action);
    }
    (run.edits, run.mistakes)
}

struct Run<'d> {
    document: &'d mut Value,
    edits: Vec<Edit>,
    mistakes: Vec<Mistake>,
}

impl Run<'_> {
    fn check_head(&mut self, overlay: &Value) {
        self.check_words("", overlay, &ROOT_WORDS);
        if !overlay["overlay"].as_str().is_some_and(|version| version.starts_with("1.")) {
            self.mistake("/overlay", "an overlay begins with `overlay: 1.0.0`");
        }
        for word in ["title", "version"] {
            if !overlay["info"][word].is_string() {
                self.mistake("/info", format!("`info.{word}` is missing, or not text"));
            }
        }
        if !overlay["actions"].is_array() {
            self.mistake("/actions", "`actions` is missing, or not a list");
        }
    }

    fn check_words(&mut self, at: &str, value: &Value, known: &[&str]) {
        let names: Vec<_> = value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        for name in names.into_iter().filter(|name| !known.contains(&name.as_str()) && !name.starts_with("x-")) {
            let problem = format!("unknown word `{name}`; there are: {}", known.join(", "));
            self.mistake(&format!("{at}/{}", escaped(&name)), problem);
        }
    }

    fn action(&mut self, at: &str, action: &Value) {
        self.check_words(at, action, &ACTION_WORDS);
        let target_at = format!("{at}/target");
        let Some(target) = action["target"].as_str() else {
            return self.mistake(if action["target"].is_null() { at } else { &target_at }, "an action has a `target`");
        };
        let path = match JsonPath::parse(target) {
            Ok(path) => path,
            Err(error) => return self.mistake(&target_at, format!("not a JSONPath (RFC 9535): {error}")),
        };
        let found = path.query_located(self.document);
        let places: Vec<String> = found.locations().map(NormalizedPath::to_json_pointer).collect();
        if places.is_empty() {
            return self.mistake(&target_at, "this finds nothing in the document");
        }
        match (action["remove"] == Value::Bool(true), action.get("update")) {
            (true, _) => self.remove(places, &target_at),
            (false, Some(update)) => {
                for place in places {
                    self.update(&place, update, &format!("{at}/update"));
                }
            }
            (false, None) => self.mistake(at, "an action has an `update`, or says `remove: true`"),
        }
    }

    /// Removes places, those behind others in one list first.
    fn remove(&mut self, mut places: Vec<String>, target_at: &str) {
        let indexes = |place: &str| -> Vec<(usize, String)> {
            place.split('/').map(|step| (step.parse().unwrap_or_default(), step.to_owned())).collect()
        };
        places.sort_by_cached_key(|place| indexes(place));
        for place in places.into_iter().rev() {
            let Some((holder, step)) = parent(&place) else {
                self.mistake(target_at, "the whole document cannot be removed");
                continue;
            };
            let (removed, is_item) = match self.document.pointer_mut(holder) {
                Some(Value::Object(members)) => (members.shift_remove(&step).is_some(), false),
                Some(Value::Array(items)) => {
                    let nth = step.parse().ok().filter(|nth| *nth < items.len());
                    (nth.map(|nth: usize| items.remove(nth)).is_some(), true)
                }
                _ => (false, false), // it went with something around it
            };
            self.edits.extend(removed.then_some(Edit::Remove { at: place, is_item }));
        }
    }

    /// Merges `update` into what stands at `place`: an object member by member, a list by what is added to it.
    fn update(&mut self, place: &str, update: &Value, from: &str) {
        match (self.document.pointer_mut(place), update) {
            (Some(Value::Object(_)), Value::Object(_)) => self.merge(place, update, from),
            (Some(Value::Array(items)), _) => {
                let nth = items.len();
                items.push(update.clone());
                self.edits.push(Edit::Put { at: format!("{place}/{nth}"), from: from.to_owned() });
            }
            (Some(Value::Object(_)), _) => self.mistake(from, "an `update` of an object is an object"),
            _ => self.mistake(from, "only objects and lists can be updated; remove it, or update what holds it"),
        }
    }

    fn merge(&mut self, place: &str, update: &Value, from: &str) {
        for (name, value) in update.as_object().into_iter().flatten() {
            let step = escaped(name);
            let (at, from) = (format!("{place}/{step}"), format!("{from}/{step}"));
            let Some(Value::Object(members)) = self.document.pointer_mut(place) else { return };
            match (members.get_mut(name), value) {
                (Some(Value::Object(_)), Value::Object(_)) => self.merge(&at, value, &from),
                (Some(Value::Array(items)), Value::Array(added)) => {
                    for (nth, item) in added.iter().enumerate() {
                        let (at, from) = (format!("{at}/{}", items.len()), format!("{from}/{nth}"));
                        items.push(item.clone());
                        self.edits.push(Edit::Put { at, from });
                    }
                }
                _ => {
                    members.insert(name.clone(), value.clone());
                    self.edits.push(Edit::Put { at, from });
                }
            }
        }
    }

    fn mistake(&mut self, at: &str, problem: impl Into<String>) {
        self.mistakes.push(Mistake { at: at.to_owned(), problem: problem.into() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Edit, apply};

    fn overlay(actions: &Value) -> Value {
        json!({"overlay": "1.0.0", "info": {"title": "t", "version": "1"}, "actions": actions})
    }

    fn put(at: &str, from: &str) -> Edit {
        Edit::Put { at: at.to_owned(), from: from.to_owned() }
    }

    #[test]
    fn actions_merge_append_and_remove_and_say_what_came_from_where() {
        let mut document = json!({
            "paths": {"/a/{x}": {"get": {"tags": ["one"]}}, "/b": {"get": {}, "post": {}}},
            "tags": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
        });
        let (edits, mistakes) = apply(
            &mut document,
            &overlay(&json!([
                {"target": "$.paths['/a/{x}'].get", "update": {"tags": ["two"], "x-y": {"deep": 1}}},
                {"target": "$.paths.*[?(@.x-never)]", "remove": true},
                {"target": "$.tags", "update": {"name": "d"}},
                {"target": "$.tags[?@.name == 'a' || @.name == 'b']", "remove": true},
                {"target": "$.paths['/b'].post", "remove": true, "description": "no meaning"},
            ])),
        );
        let expected = json!({
            "paths": {"/a/{x}": {"get": {"tags": ["one", "two"], "x-y": {"deep": 1}}}, "/b": {"get": {}}},
            "tags": [{"name": "c"}, {"name": "d"}],
        });
        assert_eq!(document, expected);
        assert_eq!(mistakes.iter().map(|one| one.at.as_str()).collect::<Vec<_>>(), ["/actions/1/target"]);
        let removed = |at: &str, is_item| Edit::Remove { at: at.to_owned(), is_item };
        assert_eq!(
            edits,
            [
                put("/paths/~1a~1{x}/get/tags/1", "/actions/0/update/tags/0"),
                put("/paths/~1a~1{x}/get/x-y", "/actions/0/update/x-y"),
                put("/tags/3", "/actions/2/update"),
                removed("/tags/1", true),
                removed("/tags/0", true),
                removed("/paths/~1b/post", false),
            ]
        );
    }

    #[test]
    fn whatever_is_wrong_with_an_overlay_has_its_place() {
        let wrong = |overlay: &Value| {
            let mut document = json!({"info": {"title": "t"}, "list": [1]});
            let (_, mistakes) = apply(&mut document, overlay);
            mistakes.into_iter().map(|one| one.at).collect::<Vec<_>>()
        };
        assert_eq!(wrong(&json!({})), ["/overlay", "/info", "/info", "/actions"]);
        let actions = [
            (json!({}), "/actions/0"),
            (json!({"target": 7}), "/actions/0/target"),
            (json!({"target": "$["}), "/actions/0/target"),
            (json!({"target": "$.nothing", "update": {}}), "/actions/0/target"),
            (json!({"target": "$", "remove": true}), "/actions/0/target"),
            (json!({"target": "$.info"}), "/actions/0"),
            (json!({"target": "$.info", "update": 7}), "/actions/0/update"),
            (json!({"target": "$.info.title", "update": {}}), "/actions/0/update"),
            (json!({"target": "$.info", "updates": {}, "update": {}}), "/actions/0/updates"),
        ];
        for (action, place) in actions {
            assert_eq!(wrong(&overlay(&json!([action.clone()]))), [place], "{action}");
        }
    }
}
