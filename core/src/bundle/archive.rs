//! Turns a bundle into the bytes of its archive, and such bytes into what is in them, by name and in their order.

use std::io::Read as _;

use tar::{Archive, Builder, EntryType, Header};

use super::{Bundle, BundleError, signature};
use crate::limits::BundleLimits;

/// What is in the bundle.
pub(super) const MANIFEST: &str = "manifest.json";

/// Who signed it.
pub(super) const SIGNATURES: &str = "signatures.json";

/// The component.
pub(super) const MAPPER: &str = "mapper.wasm";

/// What the names of the folder's files start with.
pub(super) const FOLDER: &str = "partner/";

/// Bytes of a file's name in the archive.
const NAME_BYTES_MAX: usize = 100;

/// How hard is compressed; what is stored at a start must not make it slow.
const LEVEL: i32 = 3;

/// Bytes of which an archive consists, and of which as many follow what is in it.
const BLOCK: u64 = 512;

/// Refuses names that lead out of the folder, or are spelled in more than one way.
pub(super) fn check_name(name: &str) -> Result<(), BundleError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._- ()+,@".contains(letter);
    let step = |step: &str| !step.is_empty() && step != "." && step != ".." && step.chars().all(plain);
    if name.len() + FOLDER.len() > NAME_BYTES_MAX || !name.split('/').all(step) {
        let most = NAME_BYTES_MAX - FOLDER.len();
        return Err(BundleError::Foreign(format!(
            "{name:?} cannot be a file's name: at most {most} letters, digits and `._- ()+,@`, with `/` between folders"
        )));
    }
    Ok(())
}

/// The archive, not compressed.
pub(super) fn pack(bundle: &Bundle) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        // Neither can fail: names are short and plain, and a vector takes everything.
        archive.append_data(&mut header, name, bytes).ok();
    };
    add(MANIFEST, &bundle.manifest.to_bytes());
    if !bundle.signatures.is_empty() {
        add(SIGNATURES, &signature::to_bytes(&bundle.signatures));
    }
    add(MAPPER, &bundle.mapper);
    for (name, bytes) in &bundle.files.by_name {
        add(&format!("{FOLDER}{name}"), bytes);
    }
    archive.into_inner().unwrap_or_default()
}

/// The archive, compressed.
pub(super) fn compress(archive: &[u8]) -> Vec<u8> {
    // Fails only without memory.
    zstd::bulk::compress(archive, LEVEL).unwrap_or_default()
}

/// The archive that was compressed to these bytes; all of them.
pub(super) fn unpack(bytes: &[u8], limits: &BundleLimits) -> Result<Vec<u8>, BundleError> {
    let most = limits.bytes_max;
    if bytes.len() as u64 > most {
        return Err(BundleError::TooLarge { most, of: "bytes", limit: "bundle.bytes_max" });
    }
    let damaged = |error: std::io::Error| BundleError::Damaged(error.to_string());
    // What is around each file.
    let around = (limits.files_max as u64 + 5) * 2 * BLOCK;
    let most = limits.unpacked_bytes_max.saturating_add(around);
    let decoder = zstd::stream::Decoder::with_buffer(bytes).map_err(damaged)?.single_frame();
    let mut decoder = decoder.take(most + 1);
    let mut archive = Vec::new();
    decoder.read_to_end(&mut archive).map_err(damaged)?;
    limits.unpacked((archive.len() as u64).saturating_sub(around))?;
    let rest = decoder.into_inner().finish();
    if rest.is_empty() { Ok(archive) } else { Err(BundleError::Foreign("something follows its end".to_owned())) }
}

/// What is in an archive: plain files only.
pub(super) fn entries(archive: &[u8], limits: &BundleLimits) -> Result<Vec<(String, Vec<u8>)>, BundleError> {
    let damaged = |error: std::io::Error| BundleError::Damaged(error.to_string());
    let mut found = Vec::new();
    for entry in Archive::new(archive).entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        limits.files(found.len().saturating_sub(3))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        check_name(name.strip_prefix(FOLDER).unwrap_or(&name))?;
        if entry.header().entry_type() != EntryType::Regular {
            return Err(BundleError::Foreign(format!("`{name}` is not a plain file")));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        found.push((name, content));
    }
    Ok(found)
}
