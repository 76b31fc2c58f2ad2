//! Turns a value into the words in it of which its schema lists all that there are.

use serde_json::Value;

use super::{Known, Schema};
use crate::json::Json;

/// A word that stands where the schema lists words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<'s> {
    /// Where, in any item of its lists: `/students/*/role`.
    pub place: String,
    /// The word.
    pub word: String,
    /// All that the schema lists there.
    pub listed: &'s [String],
}

impl Schema {
    /// The words in `json` that the schema lists, or would have to.
    pub fn words(&self, json: &Json<'_>) -> Vec<Word<'_>> {
        let mut found = Vec::new();
        self.known.words(Known::ROOT, json, &mut String::new(), &mut found);
        found
    }
}

impl Known {
    fn words<'s>(&'s self, node: usize, json: &Json<'_>, place: &mut String, found: &mut Vec<Word<'s>>) {
        let node = &self.nodes[node];
        let length = place.len();
        match json {
            Json::List(items) => {
                let Some(schema) = node.items else { return };
                place.push_str("/*");
                for item in items {
                    self.words(schema, item, place, found);
                }
            }
            Json::Object(members) => {
                for (name, member) in members.iter() {
                    let Ok(at) = node.properties.binary_search_by(|(known, _)| known.as_str().cmp(name)) else {
                        continue;
                    };
                    place.push('/');
                    place.push_str(name);
                    self.words(node.properties[at].1, member, place, found);
                    place.truncate(length);
                }
            }
            scalar if !node.words.is_empty() => {
                found.extend(word(scalar).map(|word| Word { place: place.clone(), word, listed: &node.words }));
            }
            _ => {}
        }
        place.truncate(length);
    }
}

/// A scalar as a word.
fn word(json: &Json<'_>) -> Option<String> {
    match json {
        Json::Text(text) => Some(text.to_string()),
        Json::Number(number) => Some(number.as_str().to_owned()),
        Json::Boolean(_) | Json::Null | Json::List(_) | Json::Object(_) => None,
    }
}

/// A word as schemas list it.
pub(super) fn spelled(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::json::Json;
    use crate::validate::Schema;

    #[test]
    fn words_are_found_where_the_schema_lists_them() {
        let document = json!({
            "Class": {"properties": {
                "status": {"$ref": "#/Status"},
                "people": {"items": {"properties": {"role": {"anyOf": [{"enum": ["a", "b"]}, {"const": "c"}]}, "name": {}}}},
                "period": {"type": "integer", "enum": [1, 2]},
            }},
            "Status": {"enum": ["active", "gone"]},
        });
        let schema = Schema::compile(&document, "/Class").unwrap();
        let body =
            br#"{"status": "active", "people": [{"role": "x", "name": "y"}, {"role": null}], "period": 2, "no": "a"}"#;
        let json = Json::parse(body, 8).unwrap();
        let found = schema.words(&json).into_iter();
        let found: Vec<_> =
            found.map(|word| format!("{} {} {}", word.place, word.word, word.listed.join(","))).collect();
        assert_eq!(found, ["/people/*/role x a,b,c", "/period 2 1,2", "/status active active,gone"]);
    }
}
