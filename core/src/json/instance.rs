//! Lets `jsonschema` validate a [`Json`] tree as it is, without copying it into a `serde_json::Value` first.

use std::borrow::Cow;

use jsonschema::json as representation;
use jsonschema::types::JsonType;

use super::{Json, Number, Object};

/// [`Json`] as an instance for `jsonschema` validators.
#[derive(Debug, Clone, Copy)]
pub struct Instance;

/// One node of a [`Json`] tree, as `jsonschema` walks it.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a>(pub &'a Json<'a>);

impl representation::Json for Instance {
    type Node<'a> = Node<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
        f(Node(&Json::Text(Cow::Borrowed(string))))
    }
}

impl<'a> representation::Node<'a, Instance> for Node<'a> {
    type Object = &'a Object<'a>;
    type Array = &'a [Json<'a>];
    type Number = Number<'a>;

    fn as_object(&self) -> Option<&'a Object<'a>> {
        self.0.as_object()
    }

    fn as_array(&self) -> Option<&'a [Json<'a>]> {
        self.0.as_list()
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.0.as_text().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<Number<'a>> {
        if let Json::Number(number) = self.0 { Some(*number) } else { None }
    }

    fn as_boolean(&self) -> Option<bool> {
        if let Json::Boolean(boolean) = self.0 { Some(*boolean) } else { None }
    }

    fn is_null(&self) -> bool {
        matches!(self.0, Json::Null)
    }

    fn json_type(&self) -> JsonType {
        match self.0 {
            Json::Null => JsonType::Null,
            Json::Boolean(_) => JsonType::Boolean,
            Json::Number(_) => JsonType::Number,
            Json::Text(_) => JsonType::String,
            Json::List(_) => JsonType::Array,
            Json::Object(_) => JsonType::Object,
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(self.0.to_value())
    }

    fn identity(&self) -> Option<representation::NodeIdentity> {
        Some(representation::NodeIdentity::new(std::ptr::from_ref(self.0) as usize))
    }
}

impl<'a> representation::Object<'a, Instance> for &'a Object<'a> {
    type Node = Node<'a>;
    type MemberName = &'a str;
    type MembersIter = std::iter::Map<
        std::slice::Iter<'a, (Cow<'a, str>, Json<'a>)>,
        fn(&'a (Cow<'a, str>, Json<'a>)) -> (&'a str, Node<'a>),
    >;

    fn len(&self) -> usize {
        Object::len(self)
    }

    fn get(&self, key: &Box<str>) -> Option<Node<'a>> {
        Object::get(self, key).map(Node)
    }

    fn members(&self) -> Self::MembersIter {
        self.0.iter().map(|(key, value)| (key.as_ref(), Node(value)))
    }
}

impl<'a> representation::Array<'a, Instance> for &'a [Json<'a>] {
    type Node = Node<'a>;
    type ElementsIter = std::iter::Map<std::slice::Iter<'a, Json<'a>>, fn(&'a Json<'a>) -> Node<'a>>;

    fn len(&self) -> usize {
        <[Json<'a>]>::len(self)
    }

    fn elements(&self) -> Self::ElementsIter {
        self.iter().map(Node)
    }
}

impl representation::JsonNumber for Number<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    fn as_i64(&self) -> Option<i64> {
        Number::as_i64(self)
    }

    fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok()
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(self.0.parse().unwrap_or_else(|_| serde_json::Number::from(0)))
    }

    fn is_integer(&self) -> bool {
        Number::is_integer(self)
    }

    fn is_written_as_integer(&self) -> bool {
        Number::is_integer(self)
    }
}
