//! Turns the body of a delivery into the bytes that are stored, and back.

use super::StoreError;
use super::contributors::damaged;
use crate::compression::{compress, decompress};

/// The bytes to be stored.
pub(super) fn pack(body: &[u8]) -> Result<Vec<u8>, StoreError> {
    compress(body).map_err(|error| StoreError::Database(Box::new(error)))
}

/// The body that was stored, of so many bytes.
pub(super) fn unpack(packed: &[u8], size: i64) -> Result<Vec<u8>, StoreError> {
    let size = usize::try_from(size).map_err(|_| damaged("the size of a body"))?;
    decompress(packed, size).map_err(|_| damaged("a body"))
}
