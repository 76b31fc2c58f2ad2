//! Turns a JSON Schema into a [`Shape`]: what a value is, in terms of Rust.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::GenerateError;
use crate::document::{Documents, Place};

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Any text.
    Text,
    /// A boolean that is written as the text `true` or `false`.
    Flag,
    /// One of several words; the enum of this name.
    Words(String),
    /// A reference to an entity of this kind.
    Reference(String),
    /// A 64-bit integer.
    Integer,
    /// A number, as it is spelled.
    Number,
    /// A boolean.
    Boolean,
    /// A list.
    List(Box<Shape>),
    /// An object with known members; the struct of this name.
    Object(String),
    /// An object with any members, all of them texts where it is written.
    Open,
}

/// A struct to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Struct {
    pub(crate) doc: String,
    pub(crate) members: Vec<Member>,
    /// Whether it may have further members, which are texts.
    pub(crate) open: bool,
}

/// A member of a [`Struct`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// As the schema spells it.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// An enum of words to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Words {
    pub(crate) doc: String,
    pub(crate) list: Vec<String>,
    /// Whether words that start with `ext:` are allowed too.
    pub(crate) open: bool,
}

/// The structs and enums that the shapes read so far name.
#[derive(Debug, Default)]
pub(crate) struct Types {
    pub(crate) structs: BTreeMap<String, Struct>,
    pub(crate) words: BTreeMap<String, Words>,
}

impl Types {
    /// The shape of the schema at `place`; `name` is what an inline struct or enum is called.
    pub(crate) fn shape(&mut self, documents: &Documents, place: &Place, name: &str) -> Result<Shape, GenerateError> {
        let (found, schema) = documents.resolve(place)?;
        let name = &if found == *place { name.to_owned() } else { pascal(&found.name()) };
        if let Some(kind) = reference(&schema) {
            return Ok(Shape::Reference(kind.to_owned()));
        }
        if let Some(words) = words(&schema) {
            if words.list == ["true", "false"] {
                return Ok(Shape::Flag);
            }
            self.words.insert(name.clone(), words);
            return Ok(Shape::Words(name.clone()));
        }
        match type_of(&schema) {
            Some("string") => Ok(Shape::Text),
            Some("integer") => Ok(Shape::Integer),
            Some("number") => Ok(Shape::Number),
            Some("boolean") => Ok(Shape::Boolean),
            Some("array") => {
                let item = self.shape(documents, &found.at("items"), &singular(name))?;
                Ok(Shape::List(Box::new(item)))
            }
            Some("object") if schema.get("properties").is_none() => Ok(Shape::Open),
            Some("object") => {
                let mut members = self.members(documents, &found, name, |_, _| true)?;
                // In the order of canonical JSON, so that what is written needs no sorting.
                members.sort_by(|one, other| one.name.cmp(&other.name));
                let open = schema.pointer("/additionalProperties/type").is_some_and(|of| of == "string");
                self.structs.insert(name.clone(), Struct { doc: doc(&schema), members, open });
                Ok(Shape::Object(name.clone()))
            }
            Some(other) => Err(found.error(format!("type {other} is not supported yet"))),
            None => Err(found.error("a schema needs a type here")),
        }
    }

    /// The members of the object schema at `place` for which `keep` holds. What the schema says itself wins over what
    /// it has from `allOf`.
    pub(crate) fn members(
        &mut self,
        documents: &Documents,
        place: &Place,
        owner: &str,
        keep: impl Fn(&str, &Value) -> bool + Copy,
    ) -> Result<Vec<Member>, GenerateError> {
        self.members_of(documents, place, owner, &[], keep)
    }

    /// The same; `required` are those that must be there because the schema around says so.
    fn members_of(
        &mut self,
        documents: &Documents,
        place: &Place,
        owner: &str,
        required: &[String],
        keep: impl Fn(&str, &Value) -> bool + Copy,
    ) -> Result<Vec<Member>, GenerateError> {
        let (found, schema) = documents.resolve(place)?;
        let own = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let required: Vec<String> = own.map(str::to_owned).chain(required.iter().cloned()).collect();
        let mut members = Vec::new();
        for nth in 0..schema.get("allOf").and_then(Value::as_array).map_or(0, Vec::len) {
            let part = found.at("allOf").at(&nth.to_string());
            members.extend(self.members_of(documents, &part, owner, &required, keep)?);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for name in properties.into_iter().flat_map(serde_json::Map::keys) {
            let property = found.at("properties").at(name);
            let (_, schema) = documents.resolve(&property)?;
            if keep(name, &schema) {
                let shape = self.shape(documents, &property, &format!("{owner}{}", pascal(name)))?;
                let required = required.contains(name) && !nullable(&schema);
                members.retain(|member| member.name != *name);
                members.push(Member { name: name.clone(), doc: doc(&schema), required, shape });
            }
        }
        Ok(members)
    }
}

/// The type, `null` aside.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => Some(one),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).find(|one| *one != "null"),
        _ if schema.get("properties").is_some() => Some("object"),
        _ => None,
    }
}

fn nullable(schema: &Value) -> bool {
    matches!(schema.get("type"), Some(Value::Array(several)) if several.iter().any(|one| one == "null"))
}

/// The kind that a text refers to: `x-rollcall: {ref: org}`.
fn reference(schema: &Value) -> Option<&str> {
    schema.pointer("/x-rollcall/ref")?.as_str()
}

/// `enum: […]`, or one of several with a `pattern` that lets `ext:` words in.
fn words(schema: &Value) -> Option<Words> {
    let of = |schema: &Value| -> Option<Vec<String>> {
        schema.get("enum")?.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
    };
    if let Some(words) = of(schema) {
        return Some(Words { doc: doc(schema), list: words, open: false });
    }
    let several = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    let words = several.iter().find_map(of)?;
    let open = several
        .iter()
        .any(|one| one.get("pattern").and_then(Value::as_str).is_some_and(|pattern| pattern.starts_with("^ext:")));
    Some(Words { doc: doc(schema), list: words, open })
}

/// What the schema says about itself, for the documentation of the Rust type.
pub(crate) fn doc(schema: &Value) -> String {
    let text = schema.get("description").or_else(|| schema.get("title")).and_then(Value::as_str);
    text.unwrap_or_default().trim().to_owned()
}

/// `academicSession`, `school_admins` and `site administrator` in the spelling of a Rust type.
pub(crate) fn pascal(name: &str) -> String {
    let mut out = String::new();
    let mut upper = true;
    for letter in name.chars() {
        if letter.is_alphanumeric() {
            if upper {
                out.extend(letter.to_uppercase());
            } else {
                out.push(letter);
            }
            upper = false;
        } else {
            upper = true;
        }
    }
    out
}

/// What one of them is called.
fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies") {
        return format!("{stem}y");
    }
    match name.strip_suffix('s') {
        Some(stem) if !stem.ends_with('s') => stem.to_owned(),
        _ => format!("{name}Item"),
    }
}
