//! What is different between two schemas, field by field, and whether that breaks those who send or those who read.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Sign::{Added, Changed, Removed};
use super::{Area, Found};

/// Who a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Clients send what it describes: less that is allowed breaks them.
    Request,
    /// Clients read what it describes: more that is possible breaks them.
    Answer,
}

/// Levels of nesting that are compared; schemas may contain themselves.
const DEPTH_MAX: usize = 32;

/// Words that say nothing about what is valid.
const TALK: [&str; 12] = [
    "description",
    "title",
    "example",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "externalDocs",
    "xml",
    "discriminator",
];

/// Bounds: the word, and whether a larger one lets more through.
const BOUNDS: [(&str, bool); 10] = [
    ("minimum", false),
    ("exclusiveMinimum", false),
    ("minLength", false),
    ("minItems", false),
    ("minProperties", false),
    ("maximum", true),
    ("exclusiveMaximum", true),
    ("maxLength", true),
    ("maxItems", true),
    ("maxProperties", true),
];

/// Words that are compared one by one.
const COMPARED: [&str; 8] =
    ["$ref", "type", "enum", "const", "properties", "required", "additionalProperties", "items"];

/// What `value` refers to, if it does.
pub(super) fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    const REFERENCES_MAX: usize = 16;
    let mut value = value;
    for _ in 0..REFERENCES_MAX {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { break };
        match reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer)) {
            Some(found) => value = found,
            None => break,
        }
    }
    value
}

/// A comparison of two schemas and all in them.
pub(super) struct Comparison<'c> {
    old: &'c Value,
    new: &'c Value,
    area: Area,
    direction: Direction,
    found: &'c mut Found,
    /// References that are being compared.
    inside: BTreeSet<(String, String)>,
    depth: usize,
}

impl<'c> Comparison<'c> {
    pub(super) fn new(old: &'c Value, new: &'c Value, area: Area, direction: Direction, found: &'c mut Found) -> Self {
        Self { old, new, area, direction, found, inside: BTreeSet::new(), depth: 0 }
    }

    /// Compares what stands at `place`.
    pub(super) fn compare(&mut self, was: &'c Value, is: &'c Value, place: &str) {
        let name = |value: &Value| value.get("$ref").and_then(Value::as_str).unwrap_or_default().to_owned();
        let names = (name(was), name(is));
        let is_named = !names.0.is_empty() || !names.1.is_empty();
        if self.depth >= DEPTH_MAX || is_named && !self.inside.insert(names.clone()) {
            return;
        }
        self.depth += 1;
        let (was, is) = (resolved(self.old, was), resolved(self.new, is));
        match (was, is) {
            (Value::Object(was), Value::Object(is)) => self.objects(was, is, place),
            _ if was == is => {}
            _ => self.unclear(place, "another schema"),
        }
        self.depth -= 1;
        if is_named {
            self.inside.remove(&names);
        }
    }

    fn objects(&mut self, was: &'c Map<String, Value>, is: &'c Map<String, Value>, place: &str) {
        self.types(was, is, place);
        self.words(was, is, place);
        for (word, larger_is_wider) in BOUNDS {
            self.bound(word, larger_is_wider, was.get(word), is.get(word), place);
        }
        self.members(was, is, place);
        if let (Some(was), Some(is)) = (was.get("items"), is.get("items")) {
            self.compare(was, is, &format!("{place}[]"));
        } else if was.contains_key("items") != is.contains_key("items") {
            self.narrowed_if(is.contains_key("items"), place, "what stands in the list");
        }
        self.others(was, is, place);
    }

    /// More is let through, or less.
    fn narrowed_if(&mut self, narrower: bool, place: &str, what: &str) {
        let breaks = match (self.direction, narrower) {
            (Direction::Request, true) => Some("what was taken is refused"),
            (Direction::Answer, false) => Some("readers may find what they do not expect"),
            _ => None,
        };
        let what = format!("{what} is {}", if narrower { "narrower" } else { "wider" });
        self.found.put(self.area, place.to_owned(), Changed, what, breaks.map(str::to_owned));
    }

    /// It cannot be told whether more is let through, or less.
    fn unclear(&mut self, place: &str, what: &str) {
        self.found.breaking(self.area, place, Changed, what, "it may not let through what the other did");
    }

    fn types(&mut self, was: &Map<String, Value>, is: &Map<String, Value>, place: &str) {
        let (was, is) = (types(was), types(is));
        if was == is {
            return;
        }
        let list = |types: &Option<BTreeSet<String>>| {
            types.as_ref().map_or_else(|| "anything".to_owned(), |types| Vec::from_iter(types.clone()).join(" or "))
        };
        let what = format!("{} → {}", list(&was), list(&is));
        let within = |inner: &Option<BTreeSet<String>>, outer: &Option<BTreeSet<String>>| match (inner, outer) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(inner), Some(outer)) => {
                inner.iter().all(|one| outer.contains(one) || one == "integer" && outer.contains("number"))
            }
        };
        let breaks = match self.direction {
            Direction::Request if !within(&was, &is) => Some("what was taken is refused"),
            Direction::Answer if !within(&is, &was) => Some("readers may find what they do not expect"),
            _ => None,
        };
        self.found.put(self.area, place.to_owned(), Changed, what, breaks.map(str::to_owned));
    }

    /// Values that are listed.
    fn words(&mut self, was: &Map<String, Value>, is: &Map<String, Value>, place: &str) {
        match (listed(was), listed(is)) {
            (None, None) => {}
            (Some(_), None) => self.narrowed_if(false, place, "the list of values"),
            (None, Some(_)) => self.narrowed_if(true, place, "the list of values"),
            (Some(was), Some(is)) => {
                for value in was.difference(&is) {
                    let breaks = (self.direction == Direction::Request).then(|| "who sends it is refused".to_owned());
                    self.found.put(self.area, place.to_owned(), Removed, format!("value {value}"), breaks);
                }
                for value in is.difference(&was) {
                    let breaks = (self.direction == Direction::Answer).then(|| "readers do not know it".to_owned());
                    self.found.put(self.area, place.to_owned(), Added, format!("value {value}"), breaks);
                }
            }
        }
    }

    fn bound(&mut self, word: &str, larger_is_wider: bool, was: Option<&Value>, is: Option<&Value>, place: &str) {
        let number = |value: Option<&Value>| value.and_then(Value::as_f64);
        let narrower = match (number(was), number(is)) {
            (None, None) => return,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (Some(was), Some(is)) if was.total_cmp(&is).is_eq() => return,
            (Some(was), Some(is)) => (is < was) == larger_is_wider,
        };
        let show = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), ToString::to_string);
        self.narrowed_if(narrower, place, &format!("{word} {} → {}", show(was), show(is)));
    }

    fn members(&mut self, was: &'c Map<String, Value>, is: &'c Map<String, Value>, place: &str) {
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        let of = |schema: &'c Map<String, Value>| schema.get("properties").and_then(Value::as_object).unwrap_or(&NONE);
        let (old, new) = (of(was), of(is));
        let (needed, demands) = (required(was), required(is));
        let open = |schema: &Map<String, Value>| schema.get("additionalProperties") != Some(&Value::Bool(false));
        for (name, schema) in old {
            let inside = format!("{place}.{name}");
            match new.get(name) {
                Some(other) => self.compare(schema, other, &inside),
                None if self.direction == Direction::Answer => {
                    self.found.breaking(self.area, inside, Removed, "field", "who reads it does not find it");
                }
                None if open(is) => self.found.add(self.area, inside, Removed, "field: it is kept as an unknown one"),
                None => self.found.breaking(self.area, inside, Removed, "field", "who sends it is refused"),
            }
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            let inside = format!("{place}.{name}");
            match self.direction {
                Direction::Request if demands.contains(name) => {
                    let breaks = "who does not know it is refused";
                    self.found.breaking(self.area, inside, Added, "field that has to be there", breaks);
                }
                _ => self.found.add(self.area, inside, Added, "field"),
            }
        }
        for name in demands.difference(&needed).filter(|name| old.contains_key(*name) || !new.contains_key(*name)) {
            let breaks = (self.direction == Direction::Request).then(|| "who does not send it is refused".to_owned());
            self.found.put(self.area, format!("{place}.{name}"), Changed, "has to be there".to_owned(), breaks);
        }
        for name in needed.difference(&demands).filter(|name| new.contains_key(*name)) {
            let breaks = (self.direction == Direction::Answer).then(|| "readers may not find it".to_owned());
            self.found.put(self.area, format!("{place}.{name}"), Changed, "need not be there".to_owned(), breaks);
        }
        if open(was) != open(is) {
            self.narrowed_if(open(was), place, "what may stand beside the fields that are named");
        }
    }

    /// Whatever is not compared word by word.
    fn others(&mut self, was: &Map<String, Value>, is: &Map<String, Value>, place: &str) {
        let words: BTreeSet<_> = was.keys().chain(is.keys()).map(String::as_str).collect();
        let known = |word: &&str| {
            TALK.contains(word) || COMPARED.contains(word) || BOUNDS.iter().any(|(bound, _)| bound == word)
        };
        for word in words.into_iter().filter(|word| !known(word)) {
            match (was.get(word), is.get(word)) {
                (one, other) if one == other => {}
                (None, Some(_)) if !word.ends_with("Of") && word != "not" => self.narrowed_if(true, place, word),
                (Some(_), None) if !word.ends_with("Of") && word != "not" => self.narrowed_if(false, place, word),
                _ => self.unclear(place, &format!("another `{word}`")),
            }
        }
    }
}

/// The types that a schema allows; anything, where it does not say.
fn types(schema: &Map<String, Value>) -> Option<BTreeSet<String>> {
    match schema.get("type")? {
        Value::String(word) => Some(BTreeSet::from([word.clone()])),
        Value::Array(words) => Some(words.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

/// The values that a schema lists, as JSON.
fn listed(schema: &Map<String, Value>) -> Option<BTreeSet<String>> {
    let of = |values: &Vec<Value>| values.iter().map(ToString::to_string).collect();
    let constant = || schema.get("const").map(|value| BTreeSet::from([value.to_string()]));
    schema.get("enum").and_then(Value::as_array).map(of).or_else(constant)
}

fn required(schema: &Map<String, Value>) -> BTreeSet<String> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}
