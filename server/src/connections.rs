//! Turns what an operator wants of a connection into what every process lets in: connections that are set up while servers
//! run, beside those of the configuration.
//!
//! What stands in the configuration's file is changed there and nowhere else. A connection that is set up here has its
//! credentials made by the server, tells each of them once, and keeps digests. While they are rotated two of them are valid:
//! the new one, and the one before until its time is over.

use std::sync::Arc;

use jiff::SignedDuration;
use rollcall_core::store::StoreError;
use rollcall_core::store::administration::{Act, Setup, SetupCredential};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::config::{Name, Secret};
use crate::credential::new_credential;
use crate::metrics;
use crate::start::unfit;
use crate::terms::Terms;
use crate::versions::catch_up;

/// What an operator wants of a connection.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub enum Wish {
    /// Set it up.
    Create {
        /// Its partner.
        partner: String,
        /// Its options.
        #[serde(default = "no_options")]
        options: Value,
        /// What else holds for it.
        #[serde(default)]
        terms: Map<String, Value>,
    },
    /// Give it another credential.
    Rotate {
        /// How long the one before stays valid, in seconds; `credential_overlap_seconds` where it is not said.
        overlap_seconds: Option<u64>,
    },
    /// Let it send no more.
    Disable,
    /// Let it send again.
    Enable,
    /// Give it other options.
    Options {
        /// All of them.
        options: Value,
    },
    /// Say anew what else holds for it.
    Terms {
        /// All of it.
        terms: Map<String, Value>,
    },
}

/// What became of it.
#[derive(Debug)]
pub struct Done {
    /// The connection as it is now.
    pub setup: Setup,
    /// Its new credential, which is told only now.
    pub credential: Option<Secret>,
}

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// It is not this server's to change.
    #[error("this connection stands in the configuration's file, and is changed there")]
    ReadOnly,
    /// It is there, or somebody else has changed it meanwhile.
    #[error("{0}")]
    Clash(&'static str),
    /// There is no such connection.
    #[error("no such connection was set up")]
    Unknown,
    /// It cannot be as it should: every reason.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// Random bytes cannot be had.
    #[error("failed to draw random bytes")]
    Random(#[from] getrandom::Error),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Does it, and has every process follow.
pub async fn change(
    app: &Arc<App>,
    who: &str,
    (tenant, connection): (&str, &str),
    wish: Wish,
) -> Result<Done, ConnectionError> {
    if app.config.connections().any(|(of, name, _)| of.as_str() == tenant && name.as_str() == connection) {
        return Err(ConnectionError::ReadOnly);
    }
    let office = app.ingest.store.administration();
    let there = office.setups().await?.into_iter().find(|of| of.tenant == tenant && of.connection == connection);
    let what = match &wish {
        Wish::Create { .. } => "create",
        Wish::Rotate { .. } => "rotate",
        Wish::Disable => "disable",
        Wish::Enable => "enable",
        Wish::Options { .. } => "options",
        Wish::Terms { .. } => "terms",
    };
    let mut setup = match (there, &wish) {
        (Some(_), Wish::Create { .. }) => return Err(ConnectionError::Clash("this connection is there already")),
        (None, Wish::Create { partner, options, terms }) => new((tenant, connection), partner, options, terms.clone())?,
        (None, _) => return Err(ConnectionError::Unknown),
        (Some(setup), _) => setup,
    };
    setup.revision += 1;
    let credential = apply(app, &mut setup, wish)?;
    let wrong = wrong_with(app, &setup);
    if !wrong.is_empty() {
        return Err(ConnectionError::Refused(wrong));
    }
    let about = json!({
        "tenant": tenant, "connection": connection, "partner": setup.partner, "revision": setup.revision,
        "disabled": setup.disabled, "credentials": setup.credentials.len(), "terms": setup.terms,
    });
    let act = Act { at: app.ingest.clock.now(), who: who.to_owned(), what: format!("connection.{what}"), about };
    office.put_setup(&setup, &act).await.map_err(|error| match error {
        StoreError::Stale => ConnectionError::Clash("somebody else has changed this connection meanwhile"),
        error => ConnectionError::Store(error),
    })?;
    app.ingest.store.connection(tenant, connection, &setup.partner).await?;
    metrics::expect(tenant, connection, &setup.partner);
    app.decided();
    catch_up(app).await?;
    Ok(Done { setup, credential })
}

fn new(
    (tenant, connection): (&str, &str),
    partner: &str,
    options: &Value,
    terms: Map<String, Value>,
) -> Result<Setup, ConnectionError> {
    for name in [tenant, connection] {
        Name::try_from(name.to_owned()).map_err(|reason| ConnectionError::Refused(vec![reason.to_owned()]))?;
    }
    Ok(Setup {
        tenant: tenant.to_owned(),
        connection: connection.to_owned(),
        revision: 0,
        partner: partner.to_owned(),
        options: options.clone(),
        disabled: false,
        credentials: Vec::new(),
        terms,
    })
}

/// Makes the connection what it is to be; the credential that it gets for that.
fn apply(app: &App, setup: &mut Setup, wish: Wish) -> Result<Option<Secret>, ConnectionError> {
    let overlap = match wish {
        Wish::Disable => {
            setup.disabled = true;
            return Ok(None);
        }
        Wish::Enable => {
            setup.disabled = false;
            return Ok(None);
        }
        Wish::Options { options } => {
            setup.options = options;
            return Ok(None);
        }
        Wish::Terms { terms } => {
            setup.terms = terms;
            return Ok(None);
        }
        Wish::Create { .. } => 0,
        Wish::Rotate { overlap_seconds } => overlap_seconds.unwrap_or(app.ingest.limits.credential_overlap_seconds),
    };
    let now = app.ingest.clock.now();
    let until = now.saturating_add(SignedDuration::from_secs(i64::try_from(overlap).unwrap_or(i64::MAX)));
    let until = until.unwrap_or(jiff::Timestamp::MAX);
    setup.credentials.retain(|credential| credential.until.is_none_or(|until| until > now));
    // Of those before, the newest stays; two are valid at most.
    setup.credentials.sort_by_key(|credential| std::cmp::Reverse(credential.since));
    setup.credentials.truncate(1);
    for credential in &mut setup.credentials {
        credential.until = Some(credential.until.map_or(until, |before| before.min(until)));
    }
    let credential = new_credential()?;
    let digest = app.access().digest(credential.expose()).to_string();
    setup.credentials.push(SetupCredential { digest, since: now, until: None });
    Ok(Some(credential))
}

/// Why a connection cannot be so.
fn wrong_with(app: &App, setup: &Setup) -> Vec<String> {
    let table = app.registry.table();
    let name = (setup.tenant.clone(), setup.connection.clone());
    let terms = match Terms::parse(&setup.terms) {
        Ok(terms) => terms,
        Err(error) => return vec![format!("terms: {error}")],
    };
    match table.of(&setup.partner, &name) {
        None => vec![format!("there is no partner `{}`, or it is disabled", setup.partner)],
        Some(loaded) => unfit(loaded, &setup.options, terms.mapper_profile),
    }
}

fn no_options() -> Value {
    json!({})
}
