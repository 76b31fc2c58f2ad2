//! Turns the bytes of a payload into [`Json`]: a tree that borrows from them, loses nothing and trusts nothing.
//!
//! Three things set it apart from a general JSON value. Numbers keep their spelling, so that an integer is one *as
//! written* (`1`, not `1.0` or `1e0`) and `1.10` stays `1.10`. A key that stands twice in one object is an error, where
//! most parsers keep one of the two. Objects are sorted by key, so that equal data is written as equal bytes.
//!
//! [`Instance`] lets `jsonschema` validate the tree as it is, without copying it into a `serde_json::Value` first.

mod gaps;
mod instance;
mod pointer;
mod spot;

use std::borrow::Cow;

use jiter::{Jiter, Peek};

use self::gaps::LeftOut;
pub use self::gaps::{Gaps, Hop, Items};
pub use self::instance::{Instance, Node};
pub use self::pointer::{Pointer, PointerStep};
pub use self::spot::Spot;

/// A JSON value that borrows from the bytes it was read from.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// Any number, as it was spelled.
    Number(Number<'a>),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// A number as it was spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a>(&'a str);

/// The members of an object, sorted by key, each key once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Why bytes are not a JSON document that we take. Names places, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are not UTF-8.
    #[error("not valid UTF-8 at byte {offset}")]
    Encoding {
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// The text is not JSON.
    #[error("not valid JSON at line {line}, column {column}: {what}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What was expected or missing.
        what: String,
    },
    /// One object has the same key twice.
    #[error("the key at `{pointer}` stands twice in one object, near line {line}, column {column}")]
    DuplicateKey {
        /// Where the second one stands.
        pointer: Pointer,
        /// Line of the object's end, from 1.
        line: usize,
        /// Column of the object's end, from 1.
        column: usize,
    },
    /// Nested deeper than the limit `json_depth_max`.
    #[error("nested deeper than {limit} levels at line {line}, column {column}")]
    Depth {
        /// The limit that was reached.
        limit: u32,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
}

impl<'a> Json<'a> {
    /// Reads a whole document that is nested at most `depth_max` deep.
    pub fn parse(bytes: &'a [u8], depth_max: u32) -> Result<Self, Malformed> {
        let text = str::from_utf8(bytes).map_err(|error| Malformed::Encoding { offset: error.valid_up_to() })?;
        let left_out = LeftOut::default();
        Reader { text, jiter: Jiter::new(bytes), path: Vec::new(), depth_max, left_out }.document()
    }

    /// The member `name`, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The items, if this is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The text, if this is a string.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Writes the value in its one canonical form: no white space, keys sorted, numbers as they were spelled.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(true) => out.extend_from_slice(b"true"),
            Self::Boolean(false) => out.extend_from_slice(b"false"),
            Self::Number(number) => out.extend_from_slice(number.0.as_bytes()),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push(b'[');
                for (nth, item) in items.iter().enumerate() {
                    if nth > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(object) => object.write(out),
        }
    }

    /// The canonical form as bytes of its own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// The same value for APIs that want `serde_json`. Numbers beyond `f64` become `null`.
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Boolean(boolean) => Value::Bool(*boolean),
            Self::Number(number) => number.0.parse().map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::List(items) => items.iter().map(Self::to_value).collect(),
            Self::Object(object) => {
                Value::Object(object.iter().map(|(key, value)| (key.to_owned(), value.to_value())).collect())
            }
        }
    }

    /// What this is, in a word that gives nothing of it away: for messages.
    pub fn shape(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Boolean(_) => "a boolean".to_owned(),
            Self::Number(number) if number.is_integer() => "an integer".to_owned(),
            Self::Number(_) => "a number that is not a 64-bit integer".to_owned(),
            Self::Text(text) => text_shape(text),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Object(_) => "an object".to_owned(),
        }
    }
}

/// Length and alphabet of a text, for messages: "text of 7 characters, all digits".
fn text_shape(text: &str) -> String {
    let length = text.chars().count();
    match length {
        0 => "empty text".to_owned(),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => format!("text of {length} characters, all digits"),
        _ => format!("text of {length} characters"),
    }
}

impl<'a> Number<'a> {
    /// The number as it was spelled.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// The value, if it is spelled as an integer and fits 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// Whether it is spelled as an integer and fits 64 bits. `1.0`, `1e3` and 2^64 are not integers here.
    pub fn is_integer(&self) -> bool {
        self.as_i64().is_some()
    }
}

impl<'a> Object<'a> {
    /// The member `name`.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let at = self.0.binary_search_by(|(key, _)| key.as_ref().cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// The member `name`, to be changed in place.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json<'a>> {
        let at = self.0.binary_search_by(|(key, _)| key.as_ref().cmp(name)).ok()?;
        Some(&mut self.0[at].1)
    }

    /// The members, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Puts a member in its place, over one of this name.
    pub fn insert(&mut self, name: Cow<'a, str>, value: Json<'a>) {
        match self.0.binary_search_by(|(key, _)| key.cmp(&name)) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// Takes the member `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Json<'a>> {
        let at = self.0.binary_search_by(|(key, _)| key.as_ref().cmp(name)).ok()?;
        Some(self.0.remove(at).1)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members, by key, owned.
    pub fn into_members(self) -> Vec<(Cow<'a, str>, Json<'a>)> {
        self.0
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (nth, (key, value)) in self.0.iter().enumerate() {
            if nth > 0 {
                out.push(b',');
            }
            write_text(key, out);
            out.push(b':');
            value.write(out);
        }
        out.push(b'}');
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Json<'a>)> for Object<'a> {
    /// Of two members with one key the later one stays.
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Json<'a>)>>(members: I) -> Self {
        let sorted: std::collections::BTreeMap<_, _> = members.into_iter().collect();
        Self(sorted.into_iter().collect())
    }
}

/// Writes `text` as a JSON string.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut clean = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => &[],
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[clean..at]);
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        clean = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[clean..]);
    out.push(b'"');
}

/// One pass over the bytes. `path` holds what leads to the present value, for messages.
struct Reader<'a, 'w> {
    text: &'a str,
    jiter: Jiter<'a>,
    path: Vec<Step<'a>>,
    depth_max: u32,
    left_out: LeftOut<'w>,
}

enum Step<'a> {
    Member(Cow<'a, str>),
    Item(usize),
}

impl<'a> Reader<'a, '_> {
    fn document(&mut self) -> Result<Json<'a>, Malformed> {
        let first = self.jiter.peek().map_err(|error| self.syntax(&error))?;
        let json = self.value(first)?;
        self.jiter.finish().map_err(|error| self.syntax(&error))?;
        Ok(json)
    }

    fn value(&mut self, first: Peek) -> Result<Json<'a>, Malformed> {
        match first {
            Peek::Null => self.jiter.known_null().map(|()| Json::Null).map_err(|error| self.syntax(&error)),
            Peek::True | Peek::False => {
                self.jiter.known_bool(first).map(Json::Boolean).map_err(|error| self.syntax(&error))
            }
            Peek::String => self.string().map(Json::Text),
            Peek::Array => self.list(),
            Peek::Object => self.object(),
            _ => self.number(first),
        }
    }

    fn number(&mut self, first: Peek) -> Result<Json<'a>, Malformed> {
        let start = self.jiter.current_index();
        if let Err(error) = self.jiter.known_number_bytes(first) {
            return Err(self.syntax(&error));
        }
        Ok(Json::Number(Number(&self.text[start..self.jiter.current_index()])))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let start = self.jiter.current_index();
        let unescaped = match self.jiter.known_str() {
            // Escapes only ever shorten, so equal length means that the raw text between the quotes is the value.
            Ok(text) => (text.len(), text.as_ptr()),
            Err(error) => return Err(self.syntax(&error)),
        };
        let end = self.jiter.current_index();
        let raw = &self.text[start + 1..end - 1];
        if unescaped.0 == raw.len() {
            return Ok(Cow::Borrowed(raw));
        }
        self.escaped(start, end)
    }

    /// The string between `start` and `end`, which has escapes and so needs room of its own.
    fn escaped(&self, start: usize, end: usize) -> Result<Cow<'a, str>, Malformed> {
        let mut jiter = Jiter::new(&self.text.as_bytes()[start..end]);
        jiter.next_str().map(|text| Cow::Owned(text.to_owned())).map_err(|error| self.syntax(&error))
    }

    fn list(&mut self) -> Result<Json<'a>, Malformed> {
        if let Some(way) = self.left_out.way(&self.path) {
            return self.without_items(way);
        }
        let mut items = Vec::new();
        let mut next = self.jiter.known_array().map_err(|error| self.syntax(&error))?;
        while let Some(first) = next {
            self.enter(Step::Item(items.len()))?;
            items.push(self.value(first)?);
            self.path.pop();
            next = self.jiter.array_step().map_err(|error| self.syntax(&error))?;
        }
        Ok(Json::List(items))
    }

    fn object(&mut self) -> Result<Json<'a>, Malformed> {
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
        let mut key = self.key(true)?;
        while let Some(name) = key {
            let first = self.jiter.peek().map_err(|error| self.syntax(&error))?;
            self.enter(Step::Member(name.clone()))?;
            let value = self.value(first)?;
            self.path.pop();
            members.push((name, value));
            key = self.key(false)?;
        }
        members.sort_by(|one, other| one.0.cmp(&other.0));
        if let Some(twice) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (line, column) = self.position(self.jiter.current_index());
            return Err(Malformed::DuplicateKey { pointer: self.pointer().member(&twice[0].0), line, column });
        }
        Ok(Json::Object(Object(members)))
    }

    /// The next key of an object, the reader then standing before its value.
    fn key(&mut self, first: bool) -> Result<Option<Cow<'a, str>>, Malformed> {
        let data = self.text.as_bytes();
        let key = if first { self.jiter.known_object() } else { self.jiter.next_key() };
        match key {
            Ok(None) => Ok(None),
            Ok(Some(key)) => {
                // A key without escapes stands in the data itself: borrow it from there.
                let offset = (key.as_ptr() as usize).wrapping_sub(data.as_ptr() as usize);
                match self.text.get(offset..offset.wrapping_add(key.len())) {
                    Some(borrowed) if borrowed == key => Ok(Some(Cow::Borrowed(borrowed))),
                    _ => Ok(Some(Cow::Owned(key.to_owned()))),
                }
            }
            Err(error) => Err(self.syntax(&error)),
        }
    }

    fn enter(&mut self, step: Step<'a>) -> Result<(), Malformed> {
        if self.path.len() >= self.depth_max as usize {
            let (line, column) = self.position(self.jiter.current_index());
            return Err(Malformed::Depth { limit: self.depth_max, line, column });
        }
        self.path.push(step);
        Ok(())
    }

    fn pointer(&self) -> Pointer {
        let mut pointer = Pointer::root();
        for step in &self.path {
            match step {
                Step::Member(name) => pointer.push(name),
                Step::Item(index) => pointer = pointer.item(*index),
            }
        }
        pointer
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let position = self.jiter.error_position(offset.min(self.text.len().saturating_sub(1)));
        (position.line, position.column)
    }

    fn syntax(&self, error: &jiter::JiterError) -> Malformed {
        let (line, column) = self.position(error.index);
        Malformed::Syntax { line, column, what: error.error_type.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Instance, Json, Malformed, Node};

    fn canonical(text: &str) -> String {
        String::from_utf8(Json::parse(text.as_bytes(), 64).unwrap().to_bytes()).unwrap()
    }

    #[test]
    fn is_written_in_one_form_whatever_the_spelling() {
        let one = canonical(r#" { "b" : [1, 2.50, "x\u0041\n\u0001"], "a" : null } "#);
        assert_eq!(one, r#"{"a":null,"b":[1,2.50,"xA\n\u0001"]}"#);
        assert_eq!(canonical(&one), one);
    }

    #[test]
    fn borrows_what_needs_no_unescaping() {
        let json = Json::parse(br#"{"k":"plain","e":"\t"}"#, 64).unwrap();
        assert!(matches!(json.get("k"), Some(Json::Text(std::borrow::Cow::Borrowed("plain")))));
        assert!(matches!(json.get("e"), Some(Json::Text(std::borrow::Cow::Owned(text))) if text == "\t"));
    }

    #[test]
    fn a_key_that_stands_twice_is_named() {
        let error = Json::parse(br#"{"a":[{"k/y":1,"z":2,"k/y":1}]}"#, 64).unwrap_err();
        let Malformed::DuplicateKey { pointer, .. } = error else { panic!("{error}") };
        assert_eq!(pointer.as_str(), "/a/0/k~1y");
    }

    #[test]
    fn malformed_text_is_placed() {
        for (text, line, column) in
            [("{\n \"a\": }", 2, 7), ("[1,", 1, 3), ("", 1, 0), ("1 2", 1, 3), ("{\"a\" 1}", 1, 6)]
        {
            let error = Json::parse(text.as_bytes(), 64).unwrap_err();
            let Malformed::Syntax { line: l, column: c, .. } = error else { panic!("{text}: {error}") };
            assert_eq!((l, c), (line, column), "{text}");
        }
        assert_eq!(Json::parse(b"\"\xff\"", 64), Err(Malformed::Encoding { offset: 1 }));
    }

    #[test]
    fn depth_is_limited_long_before_the_stack() {
        let deep = "[".repeat(100_000);
        assert!(matches!(Json::parse(deep.as_bytes(), 64), Err(Malformed::Depth { limit: 64, .. })));
        let fits = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert!(Json::parse(fits.as_bytes(), 64).is_ok());
    }

    #[test]
    fn integers_are_read_as_they_are_spelled() {
        let schema = serde_json::json!({"type": "integer"});
        let validator = jsonschema::options_for::<Instance>().build(&schema).unwrap();
        let accepted = |text: &str| validator.is_valid(Node(&Json::parse(text.as_bytes(), 64).unwrap()));
        for integer in ["0", "-7", "9223372036854775807", "-9223372036854775808"] {
            assert!(accepted(integer), "{integer}");
        }
        for other in ["1.5", "1.0", "1e30", "1e2", "18446744073709551616", "9223372036854775808", "\"5\"", "true"] {
            assert!(!accepted(other), "{other}");
        }
    }
}
