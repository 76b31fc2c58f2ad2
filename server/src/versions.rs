//! Turns what operators decided into the versions that this process works with. Any process may be told of a decision, the
//! database remembers it, and all follow it: at once, where they are told, and else when they look, every `poll_seconds`.
//!
//! A version is loaded once, by its id, and shared. A process that cannot load one keeps what it has for that partner, says
//! so and is not ready: it tries again as often as it looks.

mod begin;
mod decide;
mod examine;
mod examples;
mod follow;
mod watch;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rollcall_core::bundle::{Bundle, VersionId};
use rollcall_core::canonical::Canonical;
use rollcall_core::description::{Mappers, Partner};
use rollcall_core::ingest::Loaded;
use rollcall_core::language::{Folder, render};
use rollcall_core::limits::BundleLimits;
use rollcall_core::map::Host;
use rollcall_core::store::administration::Active;
use rollcall_core::store::{Store, StoreError, fit, is_fit};
use tokio::sync::Notify;

pub use self::begin::{begin, tidy};
pub use self::decide::{DecideError, Wish, conditions, data, decide, keep};
pub use self::examine::{ExamineError, Examined, examine, unfit_connections};
pub use self::examples::Tried;
pub use self::follow::{catch_up, work};
pub use self::watch::watch;
use crate::app::App;
use crate::registry::Table;

/// What this process follows operators' decisions with.
#[derive(Debug)]
pub struct Versions {
    /// The sandbox.
    pub host: Host,
    limits: BundleLimits,
    /// Those that somebody still uses.
    loaded: Mutex<HashMap<VersionId, Weak<Loaded>>>,
    /// Rung when something was decided.
    bell: Notify,
    /// One looks at a time.
    turn: tokio::sync::Mutex<()>,
    /// What cannot be followed.
    behind: Mutex<Vec<String>>,
}

impl Versions {
    /// None is loaded yet.
    pub fn new(host: Host, limits: BundleLimits) -> Self {
        Self {
            host,
            limits,
            loaded: Mutex::default(),
            bell: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            behind: Mutex::default(),
        }
    }

    /// Something was decided: whoever follows looks again.
    pub fn decided(&self) {
        self.bell.notify_one();
    }

    /// Why this process does not do what was decided, if it does not.
    pub fn behind(&self) -> Vec<String> {
        lock(&self.behind).clone()
    }

    /// Shares a version that was loaded.
    pub fn share(&self, loaded: Loaded) -> Arc<Loaded> {
        let mut all = lock(&self.loaded);
        let loaded = Arc::new(loaded);
        all.retain(|_, other| other.strong_count() > 0);
        all.insert(loaded.version, Arc::downgrade(&loaded));
        loaded
    }

    /// Loads what a bundle holds, or says all that is wrong with it. Compiles: takes its time.
    pub fn load(&self, bundle: &Bundle, canonical: &Canonical) -> Result<Loaded, Vec<String>> {
        let name = bundle.manifest().partner.as_str();
        let mut wrong = Vec::new();
        let mapper = self.host.load(name, bundle.mapper(), canonical);
        let mapper = mapper.map_err(|error| wrong.push(format!("the mapper cannot be loaded: {}", told(&error)))).ok();
        // Where there is no mapper, that has been said.
        let known = Known(mapper.as_ref().map(|mapper| mapper.calls().to_vec()));
        let partner = Partner::load_from(Folder::Memory(bundle.files()), name, canonical, &known);
        match &partner {
            Err(problems) => wrong.extend(problems.iter().map(|problem| render(std::slice::from_ref(problem), false))),
            Ok(partner) if partner.version != bundle.manifest().version => {
                let (said, found) = (&bundle.manifest().version, &partner.version);
                wrong.push(format!("the manifest says version {said:?}, the description {found:?}"));
            }
            Ok(partner) => {
                let calls = mapper.as_ref().map_or(Ok(()), |mapper| mapper.check_calls(partner));
                wrong.extend(calls.err().map(|error| told(&error)));
            }
        }
        match (partner, mapper) {
            (Ok(partner), Some(mapper)) if wrong.is_empty() => Ok(Loaded { partner, mapper, version: bundle.id() }),
            _ => Err(wrong),
        }
    }

    /// The version called `id`, with all columns that the database has; an error in words where it cannot be loaded.
    pub async fn get(
        &self,
        store: &dyn Store,
        canonical: &Canonical,
        id: VersionId,
    ) -> Result<Result<Arc<Loaded>, String>, StoreError> {
        let there = lock(&self.loaded).get(&id).and_then(Weak::upgrade);
        if let Some(loaded) = there
            && is_fit(&loaded.partner, &store.stored_columns(&loaded.partner).await?)
        {
            return Ok(Ok(loaded));
        }
        let Some(bytes) = store.administration().bundle(id).await? else {
            return Ok(Err("it is not stored any more".to_owned()));
        };
        let loaded = Bundle::open(&bytes, &self.limits).map_err(|error| told(&error));
        let loaded = loaded.and_then(|bundle| self.load(&bundle, canonical).map_err(|wrong| wrong.join("; ")));
        let mut loaded = match loaded {
            Ok(loaded) => loaded,
            Err(reason) => return Ok(Err(reason)),
        };
        let wrong = Self::fit(store, &mut loaded).await?;
        Ok(if wrong.is_empty() { Ok(self.share(loaded)) } else { Err(wrong.join("; ")) })
    }

    /// What the examples in a stored version's bundle come to, by it and by the version in use. Maps: on a thread that may
    /// block.
    pub async fn examples(
        &self,
        app: &App,
        loaded: &Loaded,
        in_use: Option<&Loaded>,
    ) -> Result<Result<Vec<Tried>, String>, StoreError> {
        let Some(bytes) = app.ingest.store.administration().bundle(loaded.version).await? else {
            return Ok(Err("it is not stored any more".to_owned()));
        };
        let bundle = Bundle::open(&bytes, &self.limits).map_err(|error| told(&error));
        Ok(bundle.and_then(|bundle| examples::tried(app, &bundle, loaded, in_use)))
    }

    /// Gives a version the columns that the database has beside; says why it cannot have its own.
    pub async fn fit(store: &dyn Store, loaded: &mut Loaded) -> Result<Vec<String>, StoreError> {
        let stored = store.stored_columns(&loaded.partner).await?;
        Ok(fit(&mut loaded.partner, stored))
    }

    /// The versions that are to be used now, and what stands in the way: there it is as `before`.
    async fn table(
        &self,
        store: &dyn Store,
        canonical: &Canonical,
        before: &Table,
    ) -> Result<(Table, Vec<String>), StoreError> {
        let office = store.administration();
        let mut table = Table { generation: office.generation().await?, ..Table::default() };
        let mut behind = Vec::new();
        let mut failed = |partner: &str, id: VersionId, reason: String| {
            behind.push(format!("version {} of {partner} cannot be loaded: {reason}", id.short()));
        };
        for (partner, active) in Active::all(&office.activations().await?) {
            match active.version() {
                None => drop(table.disabled.insert(partner.clone())),
                Some(id) => {
                    let loaded = self.get(store, canonical, id).await?.map_err(|reason| failed(&partner, id, reason));
                    if let Some(loaded) = loaded.ok().or_else(|| before.active.get(&partner).cloned()) {
                        table.active.insert(partner.clone(), loaded);
                    }
                }
            }
            for (connection, id) in active.pins {
                let loaded = self.get(store, canonical, id).await?.map_err(|reason| failed(&partner, id, reason));
                if let Some(loaded) = loaded.ok().or_else(|| before.pins.get(&connection).cloned()) {
                    table.pins.insert(connection, loaded);
                }
            }
        }
        Ok((table, behind))
    }
}

/// The mapper that came with a description, if it can be loaded.
struct Known(Option<Vec<String>>);

impl Mappers for Known {
    fn has(&self, _: &str) -> bool {
        true
    }

    fn calls(&self, _: &str) -> Option<Vec<String>> {
        self.0.clone()
    }
}

/// An error with all its causes.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        told.push_str(": ");
        told.push_str(&cause.to_string());
        next = cause.source();
    }
    told
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
