//! Turns stored words, times and numbers back into ours; what cannot be is damage that is told, not guessed around.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, IntoDeserializer as _};
use uuid::Uuid;

use super::StoreError;
use super::contributors::damaged;
use crate::delivery::Received;

/// The status of an entity as readers see it.
pub(in crate::store) fn status(active: bool) -> &'static str {
    if active { "active" } else { "tobedeleted" }
}

/// A time.
pub(in crate::store) fn instant(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| damaged("a time"))
}

/// An id in 16 bytes.
pub(in crate::store) fn uuid(bytes: &[u8]) -> Result<Uuid, StoreError> {
    Uuid::from_slice(bytes).map_err(|_| damaged("an id"))
}

/// JSON that was written here.
pub(in crate::store) fn parsed<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged(what))
}

/// Something as JSON.
pub(in crate::store) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Database(Box::new(error)))
}

/// One of the words of an enumeration.
pub(in crate::store) fn word<'w, T: Deserialize<'w>>(word: &'w str, what: &str) -> Result<T, StoreError> {
    T::deserialize(word.into_deserializer()).map_err(|_: serde::de::value::Error| damaged(what))
}

/// What a call said beside its body, as databases have it.
pub(in crate::store) fn asked(received: &Received) -> Result<Option<String>, StoreError> {
    let text = (!received.asked.is_empty()).then(|| serde_json::to_string(&received.asked)).transpose();
    text.map_err(|error| StoreError::Database(Box::new(error)))
}

/// A count.
pub(in crate::store) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// A count as databases have it.
pub(in crate::store) fn integer(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
