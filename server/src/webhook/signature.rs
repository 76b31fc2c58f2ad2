//! Turns what is sent into a signature by which its recipient knows that it comes from here, as
//! [Standard Webhooks](https://www.standardwebhooks.com) has it.
//!
//! Every connection has a secret of its own, which follows from the configuration's key and the connection's name: nothing
//! is stored, and whoever runs another process with the same configuration signs alike.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a secret starts with where it is shown.
const PREFIX: &str = "whsec_";

/// Bytes of the key of an HMAC with SHA-256; a shorter one is filled up with zeroes.
const KEY_BYTES: usize = 64;

/// What a connection's sends are signed with, and its subscribers check them with.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret([u8; 32]);

impl SigningSecret {
    /// The secret that is these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret itself, as libraries for Standard Webhooks read it: only for those who subscribe.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.0))
    }

    /// The value of the header `webhook-signature`; `seconds` since 1970 is that of `webhook-timestamp`.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut key = [0; KEY_BYTES];
        key[..self.0.len()].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&key.into());
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::{PREFIX, STANDARD, SigningSecret};

    #[test]
    fn the_example_of_the_standard_is_signed_as_the_standard_says() {
        // From the reference implementations' tests, whose secret has 24 bytes.
        let secret = base64::Engine::decode(&STANDARD, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut bytes = [0; 32];
        bytes[..secret.len()].copy_from_slice(&secret);
        let signature =
            SigningSecret::new(bytes).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_shown_only_when_it_is_asked_for() {
        let secret = SigningSecret::new([7; 32]);
        assert!(secret.expose().starts_with(PREFIX));
        assert!(!format!("{secret:?}").contains("Bwc"));
    }
}
