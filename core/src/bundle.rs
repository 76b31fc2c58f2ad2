//! Turns a partner's folder and its component into one file, and such a file into a [`Bundle`] again: what is loaded,
//! signed, sent around and gone back to as a whole.
//!
//! A bundle is a tar archive (`manifest.json`, `signatures.json` where it is signed, `mapper.wasm`, and the folder's files
//! under `partner/`), compressed with Zstandard. The manifest holds the SHA-256 of everything else; its own SHA-256 is
//! what a version is called by, so that a version can have any number of signatures, and be compressed by any program.
//!
//! The same input gives the same bytes: names are sorted, times and owners are nobody's. What is read must be what would
//! be written; a file with anything more, or in another order, is refused.
//!
//! To add something to bundles: a field in [`Manifest`], and the next [`FORMAT`] with an arm where manifests are read.

mod archive;
mod folder;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::folder::{FolderError, read_folder};
pub use self::signature::{KeyError, PublicKey, Signature, SigningKey, Untrusted};
use crate::digest::Sha256;
use crate::language::Files;
use crate::limits::BundleLimits;
use crate::map;

/// The format that is written, and the only one so far that is read.
const FORMAT: u32 = 1;

/// What a version of a partner is called by: the SHA-256 of its bundle's manifest.
pub type VersionId = Sha256;

/// One version of a partner: its description, its examples, its mapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    id: VersionId,
    manifest: Manifest,
    signatures: Vec<Signature>,
    files: Files,
    mapper: Vec<u8>,
}

/// What is in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How the rest is to be read.
    pub format: u32,
    /// The partner's name.
    pub partner: String,
    /// `info.version` of the description.
    pub version: String,
    /// The version of the mapper contract that the component was built against.
    pub contract: String,
    /// The component.
    pub mapper: Sha256,
    /// The files of the partner's folder, by their names in there.
    pub files: BTreeMap<String, Sha256>,
}

/// Why bytes are no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is larger than it may be.
    #[error("the bundle has more than {most} {of} (`{limit}`)")]
    TooLarge {
        /// The limit.
        most: u64,
        /// Of what.
        of: &'static str,
        /// Its name.
        limit: &'static str,
    },
    /// It is no archive, or not all of one.
    #[error("the bundle is damaged or was cut off: {0}")]
    Damaged(String),
    /// It is an archive that `rollcall bundle` does not write.
    #[error("the bundle is not what `rollcall bundle build` writes: {0}")]
    Foreign(String),
    /// It was written for another version of this program.
    #[error("the bundle has format {found}, this program reads format {FORMAT}")]
    Format {
        /// The format.
        found: u64,
    },
    /// What is in it is not what its manifest says: all that is not.
    #[error("the bundle is not what its manifest says: {}", .0.join("; "))]
    Digests(Vec<String>),
    /// A signature was made for something else.
    #[error("the signature by the key {0} is not of this bundle")]
    Signature(PublicKey),
}

impl Bundle {
    /// Packs the files of a partner's folder and a component.
    pub fn pack(
        partner: &str,
        version: &str,
        files: BTreeMap<String, Vec<u8>>,
        mapper: Vec<u8>,
        limits: &BundleLimits,
    ) -> Result<Self, BundleError> {
        let manifest = Manifest {
            format: FORMAT,
            partner: partner.to_owned(),
            version: version.to_owned(),
            contract: map::contract(&mapper).unwrap_or_default(),
            mapper: Sha256::of(&mapper),
            files: files.iter().map(|(name, bytes)| (name.clone(), Sha256::of(bytes))).collect(),
        };
        for name in files.keys() {
            archive::check_name(name)?;
        }
        let total: u64 = files.values().map(|bytes| bytes.len() as u64).sum::<u64>() + mapper.len() as u64;
        limits.files(files.len())?;
        limits.unpacked(total)?;
        Ok(Self::new(manifest, Vec::new(), files, mapper))
    }

    /// Reads what [`Self::to_bytes`] wrote, and nothing else.
    pub fn open(bytes: &[u8], limits: &BundleLimits) -> Result<Self, BundleError> {
        let unpacked = archive::unpack(bytes, limits)?;
        let mut entries = archive::entries(&unpacked, limits)?.into_iter().peekable();
        let mut take = |name: &str| entries.next_if(|(found, _)| found == name).map(|(_, bytes)| bytes);
        let missing = |name| BundleError::Foreign(format!("`{name}` is not where it should be"));
        let manifest = Manifest::parse(&take(archive::MANIFEST).ok_or_else(|| missing(archive::MANIFEST))?)?;
        let signatures = take(archive::SIGNATURES).map(|bytes| signature::parse(&bytes)).transpose()?;
        let mapper = take(archive::MAPPER).ok_or_else(|| missing(archive::MAPPER))?;
        let mut files = BTreeMap::new();
        for (name, bytes) in entries {
            let inside = name.strip_prefix(archive::FOLDER).ok_or_else(|| {
                BundleError::Foreign(format!("`{name}` does not belong there, or is not where it should be"))
            })?;
            files.insert(inside.to_owned(), bytes);
        }
        limits.files(files.len())?;
        manifest.check(&files, &mapper)?;
        let bundle = Self::new(manifest, signatures.unwrap_or_default(), files, mapper);
        if archive::pack(&bundle) != unpacked {
            return Err(BundleError::Foreign("something in it is spelled in another way".to_owned()));
        }
        let manifest = bundle.manifest.to_bytes();
        match bundle.signatures.iter().find(|signature| !signature.is_of(&manifest)) {
            Some(wrong) => Err(BundleError::Signature(wrong.key)),
            None => Ok(bundle),
        }
    }

    fn new(
        manifest: Manifest,
        signatures: Vec<Signature>,
        by_name: BTreeMap<String, Vec<u8>>,
        mapper: Vec<u8>,
    ) -> Self {
        let id = Sha256::of(&manifest.to_bytes());
        let called = PathBuf::from(&manifest.partner);
        Self { id, manifest, signatures, files: Files { called, by_name }, mapper }
    }

    /// The bytes of its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        archive::compress(&archive::pack(self))
    }

    /// What the version is called by.
    pub fn id(&self) -> VersionId {
        self.id
    }

    /// What is in it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Who signed it.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The files of the partner's folder.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The component.
    pub fn mapper(&self) -> &[u8] {
        &self.mapper
    }

    /// Adds a signature; a second one by the same key takes the first one's place.
    pub fn sign(&mut self, key: &SigningKey) {
        let signature = key.sign(&self.manifest.to_bytes());
        self.signatures.retain(|other| other.key != signature.key);
        self.signatures.push(signature);
        self.signatures.sort_by_key(|signature| signature.key);
    }

    /// One of these keys that has signed it.
    pub fn signer(&self, keys: &[PublicKey]) -> Result<PublicKey, Untrusted> {
        let trusted = self.signatures.iter().map(|signature| signature.key).find(|key| keys.contains(key));
        trusted.ok_or_else(|| Untrusted { signers: self.signatures.iter().map(|signature| signature.key).collect() })
    }
}

impl Manifest {
    /// Reads what [`Self::to_bytes`] wrote.
    fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let place = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            BundleError::Foreign(format!("the manifest is not as documented at line {line} column {column}"))
        };
        let head: Head = serde_json::from_slice(bytes).map_err(place)?;
        if head.format != u64::from(FORMAT) {
            return Err(BundleError::Format { found: head.format });
        }
        serde_json::from_slice(bytes).map_err(place)
    }

    /// The bytes that stand in the bundle.
    fn to_bytes(&self) -> Vec<u8> {
        // Fails only where a map has keys that are no text.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Whether these are the files that it speaks of.
    fn check(&self, files: &BTreeMap<String, Vec<u8>>, mapper: &[u8]) -> Result<(), BundleError> {
        let mut wrong = Vec::new();
        if Sha256::of(mapper) != self.mapper {
            wrong.push(format!("`{}` has another digest", archive::MAPPER));
        }
        let contract = map::contract(mapper).unwrap_or_default();
        if contract != self.contract {
            wrong.push(format!("the mapper was built against version {contract:?} of the contract"));
        }
        for (name, digest) in &self.files {
            match files.get(name) {
                None => wrong.push(format!("`{name}` is missing")),
                Some(bytes) if Sha256::of(bytes) != *digest => wrong.push(format!("`{name}` has another digest")),
                Some(_) => {}
            }
        }
        let more = files.keys().filter(|name| !self.files.contains_key(*name));
        wrong.extend(more.map(|name| format!("`{name}` is not in the manifest")));
        if wrong.is_empty() { Ok(()) } else { Err(BundleError::Digests(wrong)) }
    }
}

impl BundleLimits {
    fn files(&self, found: usize) -> Result<(), BundleError> {
        let most = self.files_max as u64;
        let error = BundleError::TooLarge { most, of: "files", limit: "bundle.files_max" };
        if found as u64 > most { Err(error) } else { Ok(()) }
    }

    fn unpacked(&self, found: u64) -> Result<(), BundleError> {
        let most = self.unpacked_bytes_max;
        let error = BundleError::TooLarge { most, of: "bytes, unpacked", limit: "bundle.unpacked_bytes_max" };
        if found > most { Err(error) } else { Ok(()) }
    }
}
