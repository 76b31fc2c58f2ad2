//! Turns what an operator wants into a numbered decision that every process follows.
//!
//! Whatever a version needs is there before it is active: it is loaded, its tables are extended, connections' options fit.
//! Then one row is written, and with it all is decided. A late commit by the version that was active before is no mistake: what
//! a record was mapped by is part of what it is compared by, so that it is an older state which the next delivery or remap
//! renews.

use std::sync::Arc;

use rollcall_core::bundle::VersionId;
use rollcall_core::digest::Digest;
use rollcall_core::store::administration::{Action, Activation, Active, StoredVersion};
use rollcall_core::store::{ConnectionName, StoreError};
use serde_json::{Value, json};
use uuid::Uuid;

use super::examine::unfit_connections;
use super::{Examined, catch_up};
use crate::app::App;
use crate::start::unfit;

/// What an operator wants.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The partner.
    pub partner: String,
    /// What is to be done.
    pub action: Action,
    /// With which version; what follows from the history, where none is named.
    pub version: Option<VersionId>,
    /// For which connection.
    pub connection: Option<ConnectionName>,
    /// The plan that is carried out.
    pub plan: Option<Uuid>,
    /// The number of the last decision that the operator knows; whichever there is, where this is `None`.
    pub after: Option<i64>,
}

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// Somebody else has decided something meanwhile.
    #[error("something else was decided meanwhile: the last decision about this partner has number {0}")]
    Stale(i64),
    /// There is no such thing.
    #[error("{0}")]
    Unknown(String),
    /// The version does not fit what is there: every reason.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// It could not be decided.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps a version that was looked at; from now on it can be decided on.
pub async fn keep(app: &App, examined: &Examined) -> Result<(), StoreError> {
    let (bundle, partner) = (&examined.bundle, &examined.loaded.partner);
    let (name, at) = (partner.version.clone(), app.ingest.clock.now());
    let version = StoredVersion { id: bundle.id(), partner: partner.name.clone(), name, at };
    app.ingest.store.administration().put_version(&version, &bundle.to_bytes()).await
}

/// Decides, and follows at once. Compiles: on a thread that may block.
pub async fn decide(app: &Arc<App>, who: &str, wish: &Wish) -> Result<Activation, DecideError> {
    let store = &app.ingest.store;
    let office = store.administration();
    let activations = office.activations().await?;
    let active = Active::of(&wish.partner, &activations);
    if wish.after.is_some_and(|after| after != active.number) {
        return Err(DecideError::Stale(active.number));
    }
    let version = match wish.action {
        Action::Disable | Action::Unpin => None,
        Action::Rollback if wish.version.is_none() => Some(earlier(&wish.partner, &activations, &active)?),
        _ => Some(wish.version.ok_or_else(|| DecideError::Unknown("no version is named".to_owned()))?),
    };
    known(app, wish, &active)?;
    // Held until it is followed, so that nobody has to load it again.
    let _loaded = match version {
        Some(version) => Some(ready(app, wish, version).await?),
        None => None,
    };
    let activation = Activation {
        partner: wish.partner.clone(),
        number: active.number + 1,
        connection: wish.connection.clone(),
        version,
        action: wish.action,
        at: app.ingest.clock.now(),
        who: who.to_owned(),
        plan: wish.plan,
    };
    match office.activate(&activation).await {
        Err(StoreError::Stale) => {
            let now = Active::of(&wish.partner, &office.activations().await?);
            return Err(DecideError::Stale(now.number));
        }
        decided => decided?,
    }
    app.decided();
    catch_up(app).await?;
    Ok(activation)
}

/// The version that was active before the one that is.
fn earlier(partner: &str, activations: &[Activation], active: &Active) -> Result<VersionId, DecideError> {
    let of_partner = activations.iter().filter(|other| other.partner == partner && other.connection.is_none());
    let versions: Vec<_> = of_partner.filter_map(|activation| activation.version).collect();
    let other = versions.iter().rev().find(|version| Some(**version) != active.version());
    other.copied().ok_or_else(|| DecideError::Unknown("no other version of this partner was active before".to_owned()))
}

/// Whether what is spoken of is there.
fn known(app: &App, wish: &Wish, active: &Active) -> Result<(), DecideError> {
    let unknown = |what: &str| Err(DecideError::Unknown(what.to_owned()));
    if wish.action == Action::Disable && active.version().is_none() {
        return unknown("no version of this partner is active");
    }
    if let Some(name) = &wish.connection {
        let access = app.access();
        if access.connection(&name.0, &name.1).is_none_or(|connection| connection.partner != wish.partner) {
            return unknown("this partner has no such connection");
        }
        if wish.action == Action::Unpin && !active.pins.contains_key(name) {
            return unknown("this connection has no version of its own");
        }
    }
    Ok(())
}

/// Loads a version and extends its tables.
async fn ready(app: &App, wish: &Wish, version: VersionId) -> Result<Arc<rollcall_core::ingest::Loaded>, DecideError> {
    let store = &*app.ingest.store;
    let loaded = app.versions.get(store, app.canonical(), version).await?;
    let loaded = loaded.map_err(|reason| DecideError::Refused(vec![reason]))?;
    if loaded.partner.name != wish.partner {
        return Err(DecideError::Unknown("that is a version of another partner".to_owned()));
    }
    let wrong = match &wish.connection {
        None => unfit_connections(app, &loaded),
        Some(name) => {
            let connection = app.access().connection(&name.0, &name.1).cloned();
            connection.map(|of| unfit(&loaded, &of.sender.options, of.mapper_profile)).unwrap_or_default()
        }
    };
    if !wrong.is_empty() {
        return Err(DecideError::Refused(wrong));
    }
    store.prepare_partner(&loaded.partner).await.map_err(|error| match error {
        StoreError::Breaking { .. } => DecideError::Refused(vec![error.to_string()]),
        error => DecideError::Store(error),
    })?;
    Ok(loaded)
}

/// What a plan was made under, so that it is not carried out under anything else: the canonical schemas, and what each
/// connection of the partner chooses.
pub fn conditions(app: &App, partner: &str) -> Value {
    let mut options = serde_json::Map::new();
    for connection in app.access().connections().iter().filter(|of| of.partner == partner) {
        let name = format!("{}/{}", connection.sender.tenant, connection.sender.connection);
        options.insert(name, json!(Digest::of(connection.sender.options.to_string().as_bytes()).to_string()));
    }
    json!({"canonical": app.canonical().digest().to_string(), "options": options})
}

/// What has been committed to each connection of a partner, so that a plan can tell whether data have moved.
pub async fn data(app: &App, partner: &str) -> Result<Value, StoreError> {
    let mut generations = serde_json::Map::new();
    for connection in app.access().connections().iter().filter(|of| of.partner == partner) {
        let sender = &connection.sender;
        let stored = app.ingest.store.connection(&sender.tenant, &sender.connection, partner).await?;
        generations.insert(format!("{}/{}", sender.tenant, sender.connection), json!(stored.generation));
    }
    Ok(Value::Object(generations))
}
