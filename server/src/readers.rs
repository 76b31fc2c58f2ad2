//! Turns what an operator wants of somebody who reads a tenant into who every process lets read: readers that are set up while
//! servers run, beside those of the configuration.
//!
//! What stands in the configuration's file is changed there and nowhere else. Operators read every tenant themselves: what they
//! give away here they have.

use std::sync::Arc;

use rollcall_core::store::administration::{Act, ReaderSetup};
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::config::Secret;
use crate::setup::{SetupError, named, rotate};
use crate::versions::catch_up;

/// What an operator wants of a reader.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub enum Wish {
    /// Set them up.
    Create,
    /// Give them another credential.
    Rotate {
        /// How long the one before stays valid, in seconds; `credential_overlap_seconds` where it is not said.
        overlap_seconds: Option<u64>,
    },
    /// Let them read no more.
    Disable,
    /// Let them read again.
    Enable,
}

/// What became of it.
#[derive(Debug)]
pub struct Done {
    /// The reader as they are now.
    pub setup: ReaderSetup,
    /// Their new credential, which is told only now.
    pub credential: Option<Secret>,
}

/// Does it, and has every process follow.
pub async fn change(app: &Arc<App>, who: &str, (tenant, reader): (&str, &str), wish: Wish) -> Result<Done, SetupError> {
    let mut of_file = app.config.tenants.iter().filter(|(name, _)| name.as_str() == tenant);
    if of_file.any(|(_, of)| of.readers.keys().any(|name| name.as_str() == reader)) {
        return Err(SetupError::ReadOnly);
    }
    let office = app.ingest.store.administration();
    let there = office.readers().await?.into_iter().find(|of| of.tenant == tenant && of.reader == reader);
    let mut setup = match (there, wish) {
        (Some(_), Wish::Create) => return Err(SetupError::Clash("this reader is there already")),
        (None, Wish::Create) => new(app, (tenant, reader))?,
        (None, _) => return Err(SetupError::Unknown),
        (Some(setup), _) => setup,
    };
    setup.revision += 1;
    let (what, credential) = apply(app, &mut setup, wish)?;
    let about = json!({
        "tenant": tenant, "reader": reader, "revision": setup.revision,
        "disabled": setup.disabled, "credentials": setup.credentials.len(),
    });
    let act = Act { at: app.ingest.clock.now(), who: who.to_owned(), what: format!("reader.{what}"), about };
    office.put_reader(&setup, &act).await.map_err(SetupError::of_writing)?;
    app.decided();
    catch_up(app).await?;
    Ok(Done { setup, credential })
}

fn new(app: &App, (tenant, reader): (&str, &str)) -> Result<ReaderSetup, SetupError> {
    named([tenant, reader])?;
    if !app.access().tenants().iter().any(|known| known == tenant) {
        let reason = format!("there is no tenant `{tenant}`: it is there with its first connection");
        return Err(SetupError::Refused(vec![reason]));
    }
    let (tenant, reader) = (tenant.to_owned(), reader.to_owned());
    Ok(ReaderSetup { tenant, reader, revision: 0, disabled: false, credentials: Vec::new() })
}

/// Makes the reader what they are to be; what that is called, and the credential that they get for that.
fn apply(app: &App, setup: &mut ReaderSetup, wish: Wish) -> Result<(&'static str, Option<Secret>), SetupError> {
    Ok(match wish {
        Wish::Create => ("create", Some(rotate(app, &mut setup.credentials, 0)?)),
        Wish::Rotate { overlap_seconds } => {
            let overlap = overlap_seconds.unwrap_or(app.ingest.limits.credential_overlap_seconds);
            ("rotate", Some(rotate(app, &mut setup.credentials, overlap)?))
        }
        Wish::Disable => {
            setup.disabled = true;
            ("disable", None)
        }
        Wish::Enable => {
            setup.disabled = false;
            ("enable", None)
        }
    })
}
