//! A process begins: what its folders hold becomes the first version of a partner, unless somebody has decided otherwise.
//!
//! What folders hold takes effect at a start, as it would without any bundle, as long as nothing but starts has decided
//! about the partner. What an operator decided stays until an operator decides something else. Of several processes whose
//! folders differ, the one with the newer files decides: a version that was active once does not come back by itself.

use jiff::SignedDuration;
use rollcall_core::bundle::Bundle;
use rollcall_core::canonical::Canonical;
use rollcall_core::clock::Clock;
use rollcall_core::ingest::Loaded;
use rollcall_core::store::administration::{Action, Activation, Active, StoredVersion};
use rollcall_core::store::{Store, StoreError};

use super::Versions;
use crate::registry::Table;

/// Who decides what folders hold.
const STARTER: &str = "start";

/// How long after a decision all processes that are there have followed it.
const SETTLED: SignedDuration = SignedDuration::from_hours(1);

/// How often is decided anew because another process was faster.
const ATTEMPTS_MAX: usize = 10;

/// The versions to begin with; what stands in the way of that, in words.
pub async fn begin(
    versions: &Versions,
    store: &dyn Store,
    clock: &dyn Clock,
    canonical: &Canonical,
    found: Vec<(Loaded, Bundle)>,
) -> Result<(Table, Vec<String>), StoreError> {
    let office = store.administration();
    let there = office.versions().await?;
    let mut held = Vec::new(); // so that they stay loaded until the table has them
    let mut wrong = Vec::new();
    for (mut loaded, bundle) in found {
        let unfit = Versions::fit(store, &mut loaded).await?;
        if !unfit.is_empty() {
            wrong.extend(unfit);
            continue;
        }
        let (partner, name) = (loaded.partner.name.clone(), loaded.partner.version.clone());
        if !there.iter().any(|version| version.id == bundle.id()) {
            let version = StoredVersion { id: bundle.id(), partner: partner.clone(), name, at: clock.now() };
            office.put_version(&version, &bundle.to_bytes()).await?;
        }
        decide(store, clock, &partner, &loaded).await?;
        held.push(versions.share(loaded));
    }
    let (table, behind) = versions.table(store, canonical, &Table::default()).await?;
    Ok((table, wrong.into_iter().chain(behind).collect()))
}

/// Drops the indexes that no version in use declares. Where other processes may still be about to follow the last decision,
/// it is left to a later start.
pub async fn tidy(store: &dyn Store, clock: &dyn Clock, table: &Table) -> Result<(), StoreError> {
    let activations = store.administration().activations().await?;
    for partner in table.active.keys() {
        let last = activations.iter().rfind(|activation| activation.partner == *partner);
        let is_new = last.is_some_and(|last| clock.now().duration_since(last.at) < SETTLED);
        if !(store.is_shared() && is_new) {
            let versions: Vec<_> = table.in_use(partner).into_iter().map(|loaded| &loaded.partner).collect();
            store.tidy_partner(&versions).await?;
        }
    }
    Ok(())
}

/// Makes the version of a folder the active one, where nobody has decided otherwise.
async fn decide(store: &dyn Store, clock: &dyn Clock, partner: &str, found: &Loaded) -> Result<(), StoreError> {
    let office = store.administration();
    for _ in 0..ATTEMPTS_MAX {
        let activations = office.activations().await?;
        let active = Active::of(partner, &activations);
        if let Some(last) = &active.partner {
            if last.version == Some(found.version) {
                return Ok(());
            }
            let of_partner = |other: &&Activation| other.partner == partner && other.connection.is_none();
            let mut earlier = activations.iter().filter(of_partner);
            let was_active = store.is_shared() && earlier.any(|other| other.version == Some(found.version));
            if last.action != Action::Start || was_active {
                tracing::warn!(
                    partner,
                    active = last.version.map(|version| version.short()),
                    folder = found.version.short(),
                    "another version is active than the folder holds; `rollcall partner apply` would change that"
                );
                return Ok(());
            }
        }
        let activation = Activation {
            partner: partner.to_owned(),
            number: active.number + 1,
            connection: None,
            version: Some(found.version),
            action: Action::Start,
            at: clock.now(),
            who: STARTER.to_owned(),
            plan: None,
        };
        match office.activate(&activation).await {
            Err(StoreError::Stale) => {}
            decided => return decided,
        }
    }
    Err(StoreError::Stale)
}
