//! Turns a payload into its likeness: the same shape, and nobody's data. So a real failure becomes an example that may be
//! kept beside a description.
//!
//! What is the same stays the same wherever it stands, in texts too (`7` in `"7-1"`), so references hold and what was
//! unique is. Words of the schema, booleans, `null`, `0` and `1` stay. Letters become letters of their alphabet and case,
//! digits digits, e-mail addresses addresses below `.example`; days and years all move by one distance, so that what came
//! first comes first. All of it follows from a key that is made for one payload and kept nowhere: nothing can be looked up.
//!
//! What would no longer satisfy its schema any other way is kept, and told by its place. Whoever knows one of the days
//! knows the others: a likeness is for developers, not for the public.

mod dates;
mod disguise;

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use self::disguise::{Disguise, Way};
use crate::json::{Json, Pointer};
use crate::language::Document;
use crate::language::described::described;
use crate::language::schema::properties;
use crate::validate::{Schema, Schemas};

/// Ways that are tried until a value satisfies its schema again.
const ATTEMPTS_MAX: u8 = 8;

/// How deep schemas that include others are followed: they may include themselves.
const DEPTH_MAX: usize = 16;

/// The likeness of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    /// It, as JSON.
    pub payload: Vec<u8>,
    /// Where something stands as it was, because nothing else of its shape satisfies its schema.
    pub kept: Vec<Pointer>,
}

/// The likeness of `payload`, which the schema at `schema` describes. What stands at a place in `keep` stays: JSON Pointers
/// in which `*` is any step. `key` is to be as random as can be.
pub fn likeness(
    payload: &Json<'_>,
    document: &Document,
    schema: Option<&Pointer>,
    keep: &[Pointer],
    key: [u8; 32],
) -> Likeness {
    let mut disguise = Disguise::new(key);
    disguise.avoid(payload);
    let schemas = Schemas::of(document.root()).ok();
    let mut drawer = Drawer { document, schema, schemas, compiled: HashMap::new(), keep, disguise, kept: Vec::new() };
    let mut bytes = Vec::new();
    drawer.draw(payload, &mut Pointer::root(), &mut bytes);
    Likeness { payload: bytes, kept: drawer.kept }
}

/// Draws likenesses, value by value.
struct Drawer<'d> {
    document: &'d Document,
    schema: Option<&'d Pointer>,
    schemas: Option<Schemas<'d>>,
    compiled: HashMap<Pointer, Option<Schema>>,
    keep: &'d [Pointer],
    disguise: Disguise,
    kept: Vec<Pointer>,
}

impl Drawer<'_> {
    fn draw(&mut self, json: &Json<'_>, at: &mut Pointer, out: &mut Vec<u8>) {
        if self.keep.iter().any(|kept| is_like(at, kept)) {
            return json.write(out);
        }
        match json {
            Json::Null | Json::Boolean(_) => json.write(out),
            Json::List(items) => {
                out.push(b'[');
                for (nth, item) in items.iter().enumerate() {
                    if nth > 0 {
                        out.push(b',');
                    }
                    let length = at.descend(nth);
                    self.draw(item, at, out);
                    at.ascend(length);
                }
                out.push(b']');
            }
            Json::Object(members) => {
                let are_names = self.has_named_members(at);
                out.push(b'{');
                for (nth, (name, member)) in members.iter().enumerate() {
                    if nth > 0 {
                        out.push(b',');
                    }
                    let shown = if are_names { name.to_owned() } else { self.disguise.text(name, Way::FIRST) };
                    Json::Text(Cow::Owned(shown)).write(out);
                    out.push(b':');
                    let length = at.descend(name);
                    self.draw(member, at, out);
                    at.ascend(length);
                }
                out.push(b'}');
            }
            Json::Number(number) => self.scalar(json, at, out, |disguise, way| disguise.number(number.as_str(), way)),
            Json::Text(text) => self.scalar(json, at, out, |disguise, way| {
                let mut quoted = Vec::new();
                Json::Text(Cow::Owned(disguise.text(text, way))).write(&mut quoted);
                String::from_utf8(quoted).unwrap_or_default()
            }),
        }
    }

    /// Writes the first disguise that satisfies the schema, if the value did.
    fn scalar(
        &mut self,
        json: &Json<'_>,
        at: &Pointer,
        out: &mut Vec<u8>,
        disguised: impl Fn(&mut Disguise, Way) -> String,
    ) {
        let schema = self.schema_of(at);
        let bounds = schema.as_ref().and_then(|schema| bounds(self.document, schema));
        if schema.as_ref().is_some_and(|schema| is_word(self.document, schema, &json.to_value(), DEPTH_MAX)) {
            return json.write(out);
        }
        let Self { schemas, compiled, disguise, kept, .. } = self;
        let compiled = schema.and_then(|schema| {
            let compile = |schema: &Pointer| schemas.as_ref()?.compile(schema.as_str()).ok();
            compiled.entry(schema).or_insert_with_key(compile).as_ref()
        });
        let fitting = compiled.filter(|schema| schema.is_valid(json));
        let fits = |disguised: &String| {
            let fits = |schema: &Schema| Json::parse(disguised.as_bytes(), 1).is_ok_and(|json| schema.is_valid(&json));
            fitting.is_none_or(fits)
        };
        let found = (0..ATTEMPTS_MAX).map(|nth| disguised(disguise, Way { nth })).find(fits);
        let within = || {
            let (Json::Number(number), Some((least, most))) = (json, bounds) else { return None };
            disguise.integer(number.as_i64()?, least, most)
        };
        if let Some(disguised) = found.or_else(|| within().filter(fits)) {
            out.extend_from_slice(disguised.as_bytes());
        } else {
            kept.push(at.clone());
            json.write(out);
        }
    }

    /// The schema of what stands at a place.
    fn schema_of(&self, at: &Pointer) -> Option<Pointer> {
        let found = described(self.document, self.schema?, at)?;
        found.is_whole.then_some(found.at)
    }

    /// Whether the members of the object at a place have names that somebody gave them once: where the description names
    /// none, the names themselves may be data.
    fn has_named_members(&self, at: &Pointer) -> bool {
        let Some(schema) = self.schema_of(at) else { return true };
        !properties(self.document, &schema).is_empty() || !has_other_members(self.document, &schema)
    }
}

/// Whether the schema at `at` says what members of any name hold.
fn has_other_members(document: &Document, at: &Pointer) -> bool {
    let schema = document.resolve(at).map(|(_, schema)| schema);
    schema.and_then(|schema| schema.get("additionalProperties")).is_some_and(Value::is_object)
}

/// Whether a value is one of the words that the schema at `at` names.
fn is_word(document: &Document, at: &Pointer, value: &Value, depth: usize) -> bool {
    let Some((at, schema)) = document.resolve(at).filter(|_| depth > 0) else { return false };
    let words = schema.get("enum").and_then(Value::as_array);
    if schema.get("const") == Some(value) || words.is_some_and(|words| words.contains(value)) {
        return true;
    }
    ["allOf", "oneOf", "anyOf"].iter().any(|word| {
        let several = schema.get(*word).and_then(Value::as_array).map_or(0, Vec::len);
        (0..several).any(|nth| is_word(document, &at.member(word).item(nth), value, depth - 1))
    })
}

/// The least and the most that an integer may be.
fn bounds(document: &Document, at: &Pointer) -> Option<(i64, i64)> {
    let (_, schema) = document.resolve(at)?;
    let bound = |word: &str| schema.get(word).and_then(Value::as_i64);
    Some((bound("minimum")?, bound("maximum")?))
}

/// Whether a place is one that a pattern means.
fn is_like(at: &Pointer, pattern: &Pointer) -> bool {
    let (mut steps, mut wanted) = (at.steps(), pattern.steps());
    loop {
        match (steps.next(), wanted.next()) {
            (None, None) => return true,
            (Some(step), Some(wanted)) if wanted == "*" || step == wanted => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;
