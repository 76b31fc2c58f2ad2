//! Turns bytes into fewer bytes, and back: bodies, and what records say, as they are stored.
//!
//! As little is done as is worth it, since a client waits: JSON shrinks five times or more all the same.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

/// How hard it is tried.
const LEVEL: i32 = 1;

thread_local! {
    // Making one takes longer than what is done with it where a call is about a single record.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Fewer bytes.
pub(crate) fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| match compressor {
        Some(compressor) => compressor.compress(bytes),
        None => compressor.insert(Compressor::new(LEVEL)?).compress(bytes),
    })
}

/// The bytes that were compressed, at most `bytes_max` of them.
pub(crate) fn decompress(compressed: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor {
        Some(decompressor) => decompressor.decompress(compressed, bytes_max),
        None => decompressor.insert(Decompressor::new()?).decompress(compressed, bytes_max),
    })
}

#[cfg(test)]
mod tests {
    use super::{compress, decompress};

    #[test]
    fn what_was_compressed_comes_back_and_is_never_more_than_was_said() {
        let bytes = b"the same again and ".repeat(100);
        for _ in 0..2 {
            let compressed = compress(&bytes).unwrap();
            assert!(compressed.len() < bytes.len() / 10);
            assert_eq!(decompress(&compressed, bytes.len()).unwrap(), bytes);
            assert!(decompress(&compressed, bytes.len() - 1).is_err());
            assert!(decompress(&compressed[..compressed.len() - 1], bytes.len()).is_err());
        }
    }
}
