//! Turns a record's bytes into the types that were made of the partner's description. Texts are borrowed from the bytes.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A text that is borrowed where it can be.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Text<'a> {
    fn from(text: &'a String) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a Text<'_>> for Text<'a> {
    fn from(text: &'a Text<'_>) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

/// A number as it is spelled: `7.50` stays so.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number<'a>(Cow<'a, str>);

impl<'a> Number<'a> {
    /// The number spelled so; none, if that is not how JSON spells one.
    pub fn parse(spelled: impl Into<Cow<'a, str>>) -> Option<Self> {
        let spelled = spelled.into();
        serde_json::from_str::<serde_json::Number>(&spelled).ok().map(|_| Self(spelled))
    }

    /// How it is spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a Number<'_>> for Number<'a> {
    fn from(number: &'a Number<'_>) -> Self {
        Self(Cow::Borrowed(&number.0))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Number<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let spelled = <&RawValue>::deserialize(from)?.get();
        Self::parse(spelled).ok_or_else(|| D::Error::custom("is not a number"))
    }
}

impl Serialize for Number<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone().into_owned()).map_err(S::Error::custom)?.serialize(to)
    }
}

/// A record type of the partner that is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordType {
    /// Its name in the description.
    pub name: &'static str,
    /// The kinds that the description lets the mapper write for it.
    pub kinds: &'static [&'static str],
}

/// The partner's records: the generated enum `Record`.
pub trait Foreign<'a>: Sized {
    /// The record types, in the order of their numbers.
    const TYPES: &'static [RecordType];

    /// Reads a record of the type called `name`.
    fn read(name: &str, body: &'a [u8], ancestors: &'a [u8]) -> Result<Self, ReadError>;
}

/// Why a record could not be read. Says where, never what: a record may hold personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError(String);

impl ReadError {
    /// The record is of a type that the mapper does not take.
    pub fn unknown() -> Self {
        Self("the mapper does not take records of this type".to_owned())
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

/// Reads one value; used by generated code.
pub fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ReadError> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The message of a serde error may quote the value; its place does not.
        ReadError(format!("the record is not what its description says, at column {}", error.column()))
    })
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn a_number_keeps_its_spelling() {
        for spelled in ["7", "-7.50", "1e3"] {
            let number: Option<Number<'_>> = serde_json::from_str(spelled).unwrap();
            assert_eq!(serde_json::to_string(&number).unwrap(), spelled);
        }
        assert_eq!(serde_json::from_str::<Option<Number<'_>>>("null").unwrap(), None);
        for other in ["\"7\"", "true", "[7]"] {
            assert!(serde_json::from_str::<Number<'_>>(other).is_err(), "{other}");
        }
    }
}
