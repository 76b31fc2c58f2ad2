//! Turns sample payloads into the JSON Schema that they suggest, for vendors that document no other way than by examples.
//!
//! What is in all samples is required, what only ever is one of a few code words is one of these, and texts that all have one
//! format have it. Values of people never get into a schema: a word counts as a code only if it looks like one and comes again
//! and again. To recognise a further format: a line in [`FORMATS`].

use std::collections::BTreeMap;

use rollcall_core::validate::Format;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How often each word of an enumeration has to come, at least.
const WORD_COUNT_MIN: usize = 3;

/// How many words an enumeration has, at most.
const WORDS_MAX: usize = 12;

/// The longest word of an enumeration.
const WORD_LENGTH_MAX: usize = 32;

/// Deepest nesting that is looked into.
const DEPTH_MAX: usize = 32;

/// Whether a text has a format.
type Fits = fn(&str) -> bool;

/// What a text may be, and how that is told.
const FORMATS: [(&str, Fits); 5] =
    [("uuid", is_uuid), ("date-time", is_instant), ("date", is_date), ("email", is_address), ("uri", is_uri)];

/// Everything that was seen at one place of the samples.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    nulls: usize,
    booleans: usize,
    integers: usize,
    numbers: usize,
    texts: usize,
    /// How many texts have each format.
    formats: [usize; FORMATS.len()],
    /// How often each text came; none where one of them is no code.
    words: Option<BTreeMap<String, usize>>,
    objects: usize,
    members: Vec<(String, Seen)>,
    lists: usize,
    items: Option<Box<Seen>>,
}

impl Seen {
    /// Looks at one more sample.
    pub fn see(&mut self, sample: &Value) {
        self.see_within(sample, DEPTH_MAX);
    }

    fn see_within(&mut self, sample: &Value, depth: usize) {
        match sample {
            Value::Null => self.nulls += 1,
            Value::Bool(_) => self.booleans += 1,
            Value::Number(number) if number.is_i64() => self.integers += 1,
            Value::Number(_) => self.numbers += 1,
            Value::String(text) => self.see_text(text),
            Value::Array(_) | Value::Object(_) if depth == 0 => {}
            Value::Array(items) => {
                self.lists += 1;
                for item in items {
                    self.items.get_or_insert_default().see_within(item, depth - 1);
                }
            }
            Value::Object(members) => {
                self.objects += 1;
                for (name, member) in members {
                    let at = self.members.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                        self.members.push((name.clone(), Self::default()));
                        self.members.len() - 1
                    });
                    self.members[at].1.see_within(member, depth - 1);
                }
            }
        }
    }

    fn see_text(&mut self, text: &str) {
        if self.texts == 0 {
            self.words = Some(BTreeMap::new());
        }
        self.texts += 1;
        for (count, (_, fits)) in self.formats.iter_mut().zip(FORMATS) {
            *count += usize::from(fits(text));
        }
        if let Some(words) = &mut self.words {
            *words.entry(text.to_owned()).or_default() += 1;
            if !is_code(text) || words.len() > WORDS_MAX {
                self.words = None;
            }
        }
    }

    /// How many samples there were here.
    fn count(&self) -> usize {
        self.nulls + self.booleans + self.integers + self.numbers + self.texts + self.objects + self.lists
    }

    /// The schema that the samples suggest.
    pub fn schema(&self) -> Value {
        let mut forms: Vec<Value> = Vec::new();
        forms.extend((self.booleans > 0).then(|| json!({"type": "boolean"})));
        if self.numbers > 0 {
            forms.push(json!({"type": "number"}));
        } else if self.integers > 0 {
            forms.push(json!({"type": "integer", "format": "int64"}));
        }
        forms.extend((self.texts > 0).then(|| self.text()));
        forms.extend((self.objects > 0).then(|| self.object()));
        if self.lists > 0 {
            let items = self.items.as_ref().map_or_else(|| json!({}), |items| items.schema());
            forms.push(json!({"type": "array", "items": items}));
        }
        let mut schema = match forms.len() {
            0 => return json!({}),
            1 => forms.swap_remove(0),
            _ => {
                forms.extend((self.nulls > 0).then(|| json!({"type": "null"})));
                return json!({"anyOf": forms});
            }
        };
        if self.nulls > 0 {
            let of = schema["type"].take();
            schema["type"] = json!([of, "null"]);
            if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                words.push(Value::Null);
            }
        }
        schema
    }

    fn text(&self) -> Value {
        if let Some(format) = self.formats.iter().position(|count| *count == self.texts) {
            return json!({"type": "string", "format": FORMATS[format].0});
        }
        let repeated = |words: &&BTreeMap<String, usize>| words.values().all(|count| *count >= WORD_COUNT_MIN);
        match self.words.as_ref().filter(repeated).filter(|words| words.len() > 1) {
            Some(words) => json!({"type": "string", "enum": words.keys().collect::<Vec<_>>()}),
            None => json!({"type": "string"}),
        }
    }

    fn object(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".to_owned(), json!("object"));
        let always = self.members.iter().filter(|(_, seen)| seen.count() == self.objects);
        let required: Vec<_> = always.map(|(name, _)| name.as_str()).collect();
        if !required.is_empty() {
            object.insert("required".to_owned(), json!(required));
        }
        let properties = self.members.iter().map(|(name, seen)| {
            let schema = if is_personal(name) { seen.without_words().schema() } else { seen.schema() };
            (name.clone(), schema)
        });
        object.insert("properties".to_owned(), Value::Object(properties.collect()));
        Value::Object(object)
    }

    fn without_words(&self) -> Self {
        Self { words: None, ..self.clone() }
    }
}

/// A description to begin with: the schemas by their names, and nothing that can be called yet.
pub fn description(title: &str, schemas: Vec<(String, Value)>) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": {},
        "components": {"schemas": schemas.into_iter().collect::<Map<_, _>>()},
    })
}

/// Whether a text could be a word of a vocabulary: one word, and no number.
fn is_code(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.:".contains(letter);
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic());
    starts && text.len() <= WORD_LENGTH_MAX && text.chars().all(plain)
}

/// Whether a member of this name is about a person.
fn is_personal(name: &str) -> bool {
    let name = name.to_lowercase();
    ["name", "mail", "phone", "street", "city", "address", "birth", "user", "login"]
        .iter()
        .any(|word| name.contains(word))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

fn is_instant(text: &str) -> bool {
    Format::named("date-time").is_some_and(|format| format.fits(text))
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && Format::named("date").is_some_and(|format| format.fits(text))
}

fn is_address(text: &str) -> bool {
    let plain = |letter: char| !letter.is_whitespace() && letter != '@';
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && local.chars().all(plain) && domain.chars().all(plain)
    })
}

fn is_uri(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Seen;

    fn inferred(samples: &[Value]) -> Value {
        let mut seen = Seen::default();
        for sample in samples {
            seen.see(sample);
        }
        seen.schema()
    }

    #[test]
    fn samples_suggest_types_formats_and_what_is_required() {
        let samples = [
            json!({"id": 1, "on": "2030-01-01", "price": 1.5, "tags": ["a"], "mail": "a@b.example", "more": null}),
            json!({"id": 2, "on": "2030-01-02", "price": 2, "tags": [], "mail": "c@d.example", "more": {"x": true}}),
        ];
        let expected = json!({
            "type": "object",
            "required": ["id", "on", "price", "tags", "mail", "more"],
            "properties": {
                "id": {"type": "integer", "format": "int64"},
                "on": {"type": "string", "format": "date"},
                "price": {"type": "number"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "mail": {"type": "string", "format": "email"},
                "more": {"type": ["object", "null"], "required": ["x"], "properties": {"x": {"type": "boolean"}}},
            },
        });
        assert_eq!(inferred(&samples), expected);
        assert_eq!(inferred(&[json!(1), json!("a"), Value::Null])["anyOf"].as_array().unwrap().len(), 3);
        assert_eq!(inferred(&[json!([])]), json!({"type": "array", "items": {}}));
    }

    #[test]
    fn words_that_come_again_and_again_are_an_enumeration_and_names_never_are() {
        let person = |kind: &str, name: &str| json!({"kind": kind, "first_name": name, "note": name});
        let people = [person("staff", "Hala Farah"), person("student", "Omar Said")];
        let samples: Vec<_> = people.iter().cycle().take(8).cloned().collect();
        let schema = inferred(&samples);
        assert_eq!(schema["properties"]["kind"], json!({"type": "string", "enum": ["staff", "student"]}));
        assert!(!schema.to_string().contains("Hala") && !schema.to_string().contains("Omar"), "{schema}");
        assert_eq!(inferred(&people)["properties"]["kind"], json!({"type": "string"}), "twice is not often");
    }
}
