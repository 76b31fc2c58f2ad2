//! Turns the body of a delivery into the bytes that are stored, and back.

use std::cell::RefCell;
use std::io;

use zstd::bulk::Compressor;

use super::StoreError;
use super::contributors::damaged;

/// How hard bodies are compressed: as little as possible, since a client waits. JSON still shrinks five times or more.
const ZSTD_LEVEL: i32 = 1;

thread_local! {
    /// Making one takes longer than compressing what a call about a single record sends.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// The bytes to be stored.
pub(super) fn pack(body: &[u8]) -> Result<Vec<u8>, StoreError> {
    let packed: io::Result<_> = COMPRESSOR.with_borrow_mut(|compressor| match compressor {
        Some(compressor) => compressor.compress(body),
        None => compressor.insert(Compressor::new(ZSTD_LEVEL)?).compress(body),
    });
    packed.map_err(|error| StoreError::Database(Box::new(error)))
}

/// The body that was stored, of so many bytes.
pub(super) fn unpack(packed: &[u8], size: i64) -> Result<Vec<u8>, StoreError> {
    let size = usize::try_from(size).map_err(|_| damaged("the size of a body"))?;
    zstd::bulk::decompress(packed, size).map_err(|_| damaged("a body"))
}
