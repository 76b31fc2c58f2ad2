//! Turns what an operator wants of a connection into what every process lets in: connections that are set up while servers
//! run, beside those of the configuration.
//!
//! What stands in the configuration's file is changed there and nowhere else. What a connection sends with is made by
//! [`crate::setup`].

use std::sync::Arc;

use rollcall_core::store::administration::{Act, Setup};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::config::Secret;
use crate::metrics;
use crate::setup::{SetupError, named, rotate};
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

/// Does it, and has every process follow.
pub async fn change(
    app: &Arc<App>,
    who: &str,
    (tenant, connection): (&str, &str),
    wish: Wish,
) -> Result<Done, SetupError> {
    if app.config.connections().any(|(of, name, _)| of.as_str() == tenant && name.as_str() == connection) {
        return Err(SetupError::ReadOnly);
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
        (Some(_), Wish::Create { .. }) => return Err(SetupError::Clash("this connection is there already")),
        (None, Wish::Create { partner, options, terms }) => new((tenant, connection), partner, options, terms.clone())?,
        (None, _) => return Err(SetupError::Unknown),
        (Some(setup), _) => setup,
    };
    setup.revision += 1;
    let credential = apply(app, &mut setup, wish)?;
    let wrong = wrong_with(app, &setup);
    if !wrong.is_empty() {
        return Err(SetupError::Refused(wrong));
    }
    let about = json!({
        "tenant": tenant, "connection": connection, "partner": setup.partner, "revision": setup.revision,
        "disabled": setup.disabled, "credentials": setup.credentials.len(), "terms": setup.terms,
    });
    let act = Act { at: app.ingest.clock.now(), who: who.to_owned(), what: format!("connection.{what}"), about };
    office.put_setup(&setup, &act).await.map_err(SetupError::of_writing)?;
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
) -> Result<Setup, SetupError> {
    named([tenant, connection])?;
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
fn apply(app: &App, setup: &mut Setup, wish: Wish) -> Result<Option<Secret>, SetupError> {
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
    rotate(app, &mut setup.credentials, overlap).map(Some)
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
