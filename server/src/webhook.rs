//! Tells subscribers what happened: what is to be sent lies in the store, and is carried to whoever subscribed until they
//! take it, or it was tried often enough.
//!
//! At least once: what was taken is noted durably, and only what was not noted is sent again, by whoever starts next. In
//! order for each record and subscription; otherwise side by side. A subscriber that does not answer costs the others
//! nothing but its own few places.
//!
//! To say more to subscribers: a header in [`Courier::headers`].

pub mod guard;
pub mod post;
pub mod signature;
pub mod work;

use std::sync::Arc;

use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rollcall_core::store::DueSend;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use self::guard::Guard;
use self::post::{Poster, SystemResolver};
pub use self::work::work;
use crate::config::Config;
use crate::credential::Keyring;
use crate::terms::WebhookSecrets;
use crate::trace;

/// Who sends is told so in each request.
const AGENT: &str = concat!("rollcall/", env!("CARGO_PKG_VERSION"));

/// What carries sends to their subscribers.
pub struct Courier {
    poster: Poster,
    keyring: Keyring,
    bell: Notify,
}

impl Courier {
    /// What `config` says about it.
    pub fn new(config: &Config) -> Result<Self, rustls::Error> {
        let poster = Poster {
            guard: Guard::new(config.webhooks.allow.clone()),
            resolver: Box::new(SystemResolver),
            tls: tls(machine_roots())?,
            response_bytes_max: config.limits.send_response_bytes_max,
        };
        Ok(Self { poster, keyring: Keyring::new(&config.credential_key), bell: Notify::new() })
    }

    /// Says that subscribers may have to be told something.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// The headers of a request that is made at this second since 1970, signed with the secrets that have these numbers.
    fn headers(&self, send: &DueSend, seconds: i64, secrets: &WebhookSecrets) -> HeaderMap {
        let id = send.id.to_string();
        let signed = secrets.numbers().iter().map(|number| {
            self.keyring.signing_secret(&send.tenant, &send.connection, *number).sign(&id, seconds, &send.body)
        });
        let signature = signed.collect::<Vec<_>>().join(" ");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", seconds.to_string()), ("webhook-signature", signature)]
        {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers.extend(trace::header(&tracing::Span::current()));
        headers
    }
}

/// Who this machine trusts. One that trusts nobody can still send where it is not `https`.
fn machine_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(error = error as &dyn std::error::Error, "some of the machine's certificates cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}

fn tls(roots: RootCertStore) -> Result<TlsConnector, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}
