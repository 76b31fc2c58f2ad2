//! Signatures of bundles: Ed25519, over the manifest, which holds the digests of everything else.

use std::fmt;
use std::str::FromStr;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BundleError;

/// What is signed starts with this, so that a signature of a bundle is never one of anything else.
const CONTEXT: &[u8] = b"rollcall bundle manifest v1\n";

/// A key that bundles are signed with. Whoever has it can have any code loaded that runs in the sandbox.
pub struct SigningKey(Ed25519KeyPair);

/// The key that signatures are checked with: 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(#[schemars(with = "String", regex(pattern = "^[0-9a-f]{64}$"))] [u8; 32]);

/// Who signed a bundle, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Who.
    pub key: PublicKey,
    /// How: 128 hexadecimal digits.
    signature: String,
}

/// Nobody who is trusted has signed a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bundle is {}", match .signers.as_slice() {
    [] => "not signed, and `bundles.require_signature` says that it must be".to_owned(),
    signers => format!("signed by {}, and none of `bundles.keys` is", listed(signers)),
})]
pub struct Untrusted {
    /// Who has.
    pub signers: Vec<PublicKey>,
}

/// Why something is no key.
#[derive(Debug, thiserror::Error)]
#[error("a signing key is 64 hexadecimal digits, as `rollcall bundle key` prints them")]
pub struct KeyError;

fn listed(keys: &[PublicKey]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl SigningKey {
    /// The key that follows from 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| KeyError)
    }

    /// The key in the text of a file.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| KeyError)?;
        Self::from_seed(&seed)
    }

    /// What its signatures are checked with.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Signs a manifest.
    pub(super) fn sign(&self, manifest: &[u8]) -> Signature {
        let signature = self.0.sign(&[CONTEXT, manifest].concat());
        Signature { key: self.public(), signature: hex::encode(signature.as_ref()) }
    }
}

impl Signature {
    /// Whether it was made for this manifest, by whom it says.
    pub(super) fn is_of(&self, manifest: &[u8]) -> bool {
        let Ok(signature) = hex::decode(&self.signature) else { return false };
        let key = UnparsedPublicKey::new(&ED25519, self.key.0);
        key.verify(&[CONTEXT, manifest].concat(), &signature).is_ok()
    }
}

/// The signatures in the bytes that stand in a bundle.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Signature>, BundleError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        BundleError::Foreign(format!("the signatures are not as documented at line {line} column {column}"))
    })
}

/// The bytes that stand in a bundle.
pub(super) fn to_bytes(signatures: &[Signature]) -> Vec<u8> {
    // Fails only where a map has keys that are no text.
    let mut bytes = serde_json::to_vec_pretty(signatures).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

impl FromStr for PublicKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| "a public key is 64 hexadecimal digits, as `rollcall bundle key` prints them")?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}
