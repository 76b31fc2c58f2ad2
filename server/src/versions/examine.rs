//! Turns the bytes of a bundle into a version that may become active, or into every reason why it may not. Nothing that runs
//! is touched.

use rollcall_core::bundle::{Bundle, PublicKey};
use rollcall_core::ingest::Loaded;
use rollcall_core::store::StoreError;

use super::examples::{Tried, tried};
use super::{Versions, told};
use crate::app::App;
use crate::start::unfit;

/// A version that may become active.
#[derive(Debug)]
pub struct Examined {
    /// What it came in.
    pub bundle: Bundle,
    /// What it is, with all columns that the database has.
    pub loaded: Loaded,
    /// Who is trusted and has signed it.
    pub signer: Option<PublicKey>,
}

/// Why a version may not become active.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// What is wrong with it: all of it, as far as it could be looked at.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// It could not be looked at.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<String> for ExamineError {
    fn from(reason: String) -> Self {
        Self::Refused(vec![reason])
    }
}

/// Looks at a bundle. Compiles and maps: on a thread that may block.
pub async fn examine(app: &App, bytes: &[u8]) -> Result<Examined, ExamineError> {
    let bundle = Bundle::open(bytes, &app.versions.limits).map_err(|error| told(&error))?;
    let mut wrong = Vec::new();
    let trust = &app.config.bundles;
    let signer = match bundle.signer(&trust.keys) {
        Ok(signer) => Some(signer),
        Err(untrusted) => {
            wrong.extend(trust.require_signature.then(|| untrusted.to_string()));
            None
        }
    };
    match app.versions.load(&bundle, app.canonical()) {
        Ok(mut loaded) => {
            wrong.extend(Versions::fit(&*app.ingest.store, &mut loaded).await?);
            wrong.extend(unfit_connections(app, &loaded));
            wrong.extend(tried(app, &bundle, &loaded, None)?.iter().filter_map(Tried::failure));
            if wrong.is_empty() { Ok(Examined { bundle, loaded, signer }) } else { Err(ExamineError::Refused(wrong)) }
        }
        Err(reasons) => {
            wrong.extend(reasons);
            Err(ExamineError::Refused(wrong))
        }
    }
}

/// Why connections that would use it cannot: options that it does not allow, a profile that they do not permit.
pub fn unfit_connections(app: &App, loaded: &Loaded) -> Vec<String> {
    let table = app.registry.table();
    let mut wrong = Vec::new();
    for connection in app.access().connections().iter().filter(|of| of.partner == loaded.partner.name) {
        let sender = &connection.sender;
        if !table.pins.contains_key(&(sender.tenant.clone(), sender.connection.clone())) {
            let name = format!("{}/{}", sender.tenant, sender.connection);
            let problems = unfit(loaded, &sender.options, connection.mapper_profile);
            wrong.extend(problems.into_iter().map(|problem| format!("the connection {name} does not fit: {problem}")));
        }
    }
    wrong
}
