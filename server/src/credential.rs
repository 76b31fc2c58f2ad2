//! Turns credentials into digests: what the configuration holds, and what a caller's credential is looked up by.
//!
//! Credentials are random and long, so that a fast keyed hash is enough: without the key a leaked configuration says
//! nothing about them, and a look-up by digest takes the same time whatever the caller sent.
//!
//! The recipe, for programs that write configurations: `hex(BLAKE3-keyed(BLAKE3-derive-key("rollcall credential digest
//! v1", credential_key), credential))`.

use std::fmt;

use rollcall_core::erasure::Marks;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Secret;
use crate::webhook::signature::SigningSecret;

/// What BLAKE3 derives the key for. Never change it: every configured digest depends on it.
const CONTEXT: &str = "rollcall credential digest v1";

/// What BLAKE3 derives the key of signing secrets for. Never change it: subscribers check signatures by what follows.
const SIGNING_CONTEXT: &str = "rollcall webhook signing secret v1";

/// What BLAKE3 derives the key for that the names of those who are erased are digested with. Never change it: who was
/// erased is found again by these digests alone.
const ERASURE_CONTEXT: &str = "rollcall erasure digest v1";

/// What a new credential starts with, so that it is recognised where it should not be.
const PREFIX: &str = "rollcall_";

/// The keyed digest of a credential, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct CredentialDigest(#[schemars(with = "String", regex(pattern = "^[0-9a-f]{64}$"))] [u8; 32]);

/// The server's key, ready to digest credentials and to sign with.
#[derive(Clone)]
pub struct Keyring {
    digests: [u8; 32],
    signing: [u8; 32],
    erasure: [u8; 32],
}

impl Keyring {
    /// Derives the key from the configured text.
    pub fn new(key: &Secret) -> Self {
        let derive = |context| blake3::derive_key(context, key.expose().as_bytes());
        Self { digests: derive(CONTEXT), signing: derive(SIGNING_CONTEXT), erasure: derive(ERASURE_CONTEXT) }
    }

    /// The digest of a credential.
    pub fn digest(&self, credential: &str) -> CredentialDigest {
        CredentialDigest(*blake3::keyed_hash(&self.digests, credential.as_bytes()).as_bytes())
    }

    /// What marks those who are erased; nobody so far.
    pub fn marks(&self) -> Marks {
        Marks::new(self.erasure)
    }

    /// What a connection's webhooks are signed with: the secret with this number. No name has a slash in it.
    pub fn signing_secret(&self, tenant: &str, connection: &str, number: u32) -> SigningSecret {
        let name = match number {
            0 => format!("{tenant}/{connection}"),
            number => format!("{tenant}/{connection}/{number}"),
        };
        SigningSecret::new(*blake3::keyed_hash(&self.signing, name.as_bytes()).as_bytes())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(…)")
    }
}

/// A new credential: 256 random bits.
pub fn new_credential() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::from(format!("{PREFIX}{}", hex::encode(bytes))))
}

impl TryFrom<String> for CredentialDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| "a credential digest is 64 hexadecimal digits, as `rollcall token` prints them")?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for CredentialDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for CredentialDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialDigest({}…)", hex::encode(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests {
    use super::{CredentialDigest, Keyring, new_credential};
    use crate::config::Secret;

    #[test]
    fn digests_depend_on_key_and_credential() {
        let (one, other) = (Keyring::new(&Secret::from("a".repeat(32))), Keyring::new(&Secret::from("b".repeat(32))));
        assert_eq!(one.digest("token"), one.digest("token"));
        assert_ne!(one.digest("token"), other.digest("token"));
        assert_ne!(one.digest("token"), one.digest("Token"));
        assert_eq!(CredentialDigest::try_from(one.digest("token").to_string()), Ok(one.digest("token")));
    }

    #[test]
    fn digests_never_change() {
        let digest = Keyring::new(&Secret::from("example-key-example-key-example-key".to_owned())).digest("token");
        assert_eq!(digest.to_string(), "a67fc6e39c1f98041722dbbaec76530793a9f27428fd5c55571f96e3c56aa2c2");
    }

    #[test]
    fn signing_secrets_never_change_and_every_connection_has_its_own() {
        let keyring = Keyring::new(&Secret::from("example-key-example-key-example-key".to_owned()));
        let secret = |tenant, connection, number| keyring.signing_secret(tenant, connection, number).expose();
        assert_eq!(secret("north", "school", 0), "whsec_ANv1+jeQc3H3xATn2CK/HZIe6GkCSIDuGcc6unfqRcQ=");
        let others = [("north", "annex", 0), ("south", "school", 0), ("north", "school", 1), ("north", "school", 2)];
        let all: std::collections::BTreeSet<_> = others.map(|(of, name, number)| secret(of, name, number)).into();
        assert!(all.len() == others.len() && !all.contains(&secret("north", "school", 0)));
    }

    #[test]
    fn credentials_never_repeat() {
        let (one, other) = (new_credential().unwrap(), new_credential().unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), 9 + 64);
    }
}
