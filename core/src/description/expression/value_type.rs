//! What expressions compute: JSON's own types, as JSON Schema tells them.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::json::Pointer;
use crate::language::Document;
use crate::language::schema::{Property, properties};

/// How deep a schema is looked into: it may refer to itself.
const DEPTH_MAX: usize = 8;

/// The type of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Nothing is known of it.
    Any,
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A 64-bit integer.
    Integer,
    /// Any number.
    Number,
    /// Text.
    Text,
    /// A list.
    List(Box<Type>),
    /// An object with any members, all of one type.
    Map(Box<Type>),
    /// An object with these members.
    Object(Vec<Member>),
    /// The type, or `null`.
    Nullable(Box<Type>),
    /// The stored records of a type, as a list; `X[key]` is the one with that key.
    Records(Arc<Row>),
    /// One of them: an object whose absent members are `null`.
    Record(Arc<Row>),
}

/// What the stored records of a type look like.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The record type's name.
    pub name: String,
    /// The member that is its key; `None` where that is not a single member of its own.
    pub key: Option<String>,
    /// What one says: derived members too.
    pub of: Type,
}

/// A member of an object, or a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub of: Type,
    /// Whether it is always there.
    pub required: bool,
}

impl Member {
    /// A member that is always there.
    pub fn required(name: &str, of: Type) -> Self {
        Self { name: name.to_owned(), of, required: true }
    }

    /// A member that may be absent.
    pub fn optional(name: &str, of: Type) -> Self {
        Self { name: name.to_owned(), of, required: false }
    }
}

impl Type {
    /// The type, or `null`.
    #[must_use]
    pub fn nullable(of: Self) -> Self {
        match of {
            Self::Any | Self::Null | Self::Nullable(_) => of,
            of => Self::Nullable(Box::new(of)),
        }
    }

    /// The stored records of the type `name`, each of which looks like `of` and is told apart by the member `key`.
    pub fn records(name: &str, key: Option<&str>, of: Self) -> Self {
        Self::Records(Arc::new(Row { name: name.to_owned(), key: key.map(str::to_owned), of }))
    }

    /// What a schema describes; [`Type::Any`] where it leaves that open.
    pub fn of_schema(document: &Document, at: &Pointer) -> Self {
        Self::of_schema_within(document, at, 0)
    }

    fn of_schema_within(document: &Document, at: &Pointer, depth: usize) -> Self {
        let Some((at, schema)) = document.resolve(at).filter(|_| depth < DEPTH_MAX) else { return Self::Any };
        let inner = |at: &Pointer| Self::of_schema_within(document, at, depth + 1);
        let single = |name: &str| match name {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "string" => Self::Text,
            "array" if schema.get("items").is_some() => Self::List(Box::new(inner(&at.member("items")))),
            "array" => Self::List(Box::new(Self::Any)),
            "object" => object(document, &at, &inner),
            _ => Self::Any,
        };
        match schema.get("type") {
            Some(Value::String(name)) => single(name),
            Some(Value::Array(names)) => {
                let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
                match names.as_slice() {
                    [name, "null"] | ["null", name] => Self::nullable(single(name)),
                    _ => Self::Any,
                }
            }
            _ if !properties(document, &at).is_empty() => object(document, &at, &inner),
            _ => or_null(schema, &at).map_or_else(|| of_words(schema), |at| Self::nullable(inner(&at))),
        }
    }

    /// Whether a value of type `self` may stand where `wanted` is expected.
    pub fn fits(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Any, _)
            | (_, Self::Any)
            | (Self::Integer, Self::Number)
            | (Self::Null, Self::Nullable(_))
            | (Self::Object(_), Self::Map(_))
            | (Self::Map(_), Self::Object(_)) => true,
            (Self::Nullable(own), Self::Nullable(other))
            | (Self::List(own), Self::List(other))
            | (Self::Map(own), Self::Map(other)) => own.fits(other),
            (Self::Record(own), Self::Record(other)) | (Self::Records(own), Self::Records(other)) => {
                own.name == other.name
            }
            (Self::Records(own), Self::List(other)) => own.of.fits(other),
            (Self::Record(own), other @ (Self::Object(_) | Self::Map(_))) => own.of.fits(other),
            (own, Self::Nullable(other)) => own.fits(other),
            (Self::Object(own), Self::Object(other)) => other.iter().all(|wanted| {
                let found = own.iter().find(|member| member.name == wanted.name);
                found.map_or(!wanted.required, |found| found.of.fits(&wanted.of))
            }),
            (own, wanted) => own == wanted,
        }
    }

    /// Whether `value` is of this type.
    pub fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::Null | Self::Nullable(_), Value::Null)
            | (Self::Boolean, Value::Bool(_))
            | (Self::Number, Value::Number(_))
            | (Self::Text, Value::String(_)) => true,
            (Self::Integer, value) => value.is_i64(),
            (Self::Nullable(of), value) => of.accepts(value),
            (Self::List(of), Value::Array(items)) => items.iter().all(|item| of.accepts(item)),
            (Self::Records(row), Value::Array(items)) => items.iter().all(|item| row.of.accepts(item)),
            (Self::Record(row), value) => row.of.accepts(value),
            (Self::Map(of), Value::Object(members)) => members.values().all(|member| of.accepts(member)),
            (Self::Object(known), Value::Object(members)) => known
                .iter()
                .all(|member| members.get(&member.name).map_or(!member.required, |value| member.of.accepts(value))),
            _ => false,
        }
    }

    /// The one type that both are, if there is one.
    pub(super) fn joined(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Null, other) | (other, Self::Null) => Some(Self::nullable(other)),
            (own, other) if own.fits(&other) => Some(other),
            (own, other) if other.fits(&own) => Some(own),
            _ => None,
        }
    }

    /// The type itself, where it may be `null`.
    pub(in crate::description) fn unwrapped(&self) -> &Self {
        if let Self::Nullable(of) = self { of } else { self }
    }
}

/// An object with the members that the schema at `at` declares, itself or by what it includes.
fn object(document: &Document, at: &Pointer, inner: &dyn Fn(&Pointer) -> Type) -> Type {
    let declared = properties(document, at);
    if declared.is_empty() {
        return Type::Map(Box::new(Type::Any));
    }
    let member = |Property { name, at, required }: Property| Member { of: inner(&at), name, required };
    Type::Object(declared.into_iter().map(member).collect())
}

/// The schema that is given beside `null` in a choice of two: `anyOf: [{$ref: …}, {type: 'null'}]`.
fn or_null(schema: &Value, at: &Pointer) -> Option<Pointer> {
    let word = ["anyOf", "oneOf"].into_iter().find(|word| schema.get(word).is_some())?;
    let is_null = |form: &Value| form.get("type") == Some(&"null".into());
    let nth = match schema.get(word)?.as_array()?.as_slice() {
        [form, null] if is_null(null) && !is_null(form) => 0,
        [null, form] if is_null(null) && !is_null(form) => 1,
        _ => return None,
    };
    Some(at.member(word).item(nth))
}

/// The type of an `enum`'s or a `const`'s words.
fn of_words(schema: &Value) -> Type {
    let constant = schema.get("const").map(std::slice::from_ref);
    let words = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).or(constant).unwrap_or_default();
    let types = words.iter().map(|word| match word {
        Value::String(_) => Type::Text,
        Value::Bool(_) => Type::Boolean,
        Value::Number(number) if number.is_i64() => Type::Integer,
        Value::Number(_) => Type::Number,
        Value::Null => Type::Null,
        Value::Array(_) | Value::Object(_) => Type::Any,
    });
    types.map(Some).reduce(|one, other| one?.joined(other?)).flatten().unwrap_or(Type::Any)
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Null => f.write_str("null"),
            Self::Boolean => f.write_str("true or false"),
            Self::Integer => f.write_str("an integer"),
            Self::Number => f.write_str("a number"),
            Self::Text => f.write_str("text"),
            Self::List(_) | Self::Records(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a map"),
            Self::Object(_) | Self::Record(_) => f.write_str("an object"),
            Self::Nullable(of) => write!(f, "{of} or null"),
        }
    }
}
