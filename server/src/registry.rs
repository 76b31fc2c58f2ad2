//! The partners' versions that are in use. All of them stand in one table that is never changed: what operators decide
//! puts another one in its place, in one step, and requests that are under way finish with the version that they began
//! with. A version goes when nobody uses it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rollcall_core::ingest::Loaded;
use rollcall_core::store::ConnectionName;

use crate::access::Connection;

/// The versions that are in use.
#[derive(Debug, Default)]
pub struct Registry(ArcSwap<Table>);

/// The versions that were in use at one moment.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// How much has been decided: see `rollcall_core::store::administration`.
    pub generation: i64,
    /// By partner.
    pub active: BTreeMap<String, Arc<Loaded>>,
    /// Versions that connections have of their own.
    pub pins: BTreeMap<ConnectionName, Arc<Loaded>>,
    /// Partners that were loaded and are not any more.
    pub disabled: BTreeSet<String>,
}

impl Registry {
    /// These versions.
    pub fn new(table: Table) -> Self {
        Self(ArcSwap::from_pointee(table))
    }

    /// The versions that are in use now. Who needs more than one look takes this.
    pub fn table(&self) -> Arc<Table> {
        self.0.load_full()
    }

    /// The partner called `name`, in the version that is active now.
    pub fn get(&self, name: &str) -> Option<Arc<Loaded>> {
        self.0.load().active.get(name).cloned()
    }

    /// The version that a connection uses now, if it permits it.
    pub fn of(&self, connection: &Connection) -> Option<Arc<Loaded>> {
        let name = (connection.sender.tenant.clone(), connection.sender.connection.clone());
        self.0.load().of(&connection.partner, &name).filter(|loaded| connection.permits(loaded)).cloned()
    }

    /// Puts other versions in their place; gives those back that were in use.
    pub fn replace(&self, table: Table) -> Arc<Table> {
        self.0.swap(Arc::new(table))
    }

    /// The names of all partners.
    pub fn names(&self) -> Vec<String> {
        self.0.load().active.keys().cloned().collect()
    }
}

impl Table {
    /// The version that a connection of `partner` uses.
    pub fn of(&self, partner: &str, connection: &ConnectionName) -> Option<&Arc<Loaded>> {
        let active = self.active.get(partner)?;
        let own = self.pins.get(connection).filter(|own| own.partner.name == partner);
        Some(own.unwrap_or(active))
    }

    /// Every version of a partner that is in use, the active one first.
    pub fn in_use(&self, partner: &str) -> Vec<&Arc<Loaded>> {
        let mut all: Vec<_> = self.active.get(partner).into_iter().collect();
        if !all.is_empty() {
            for own in self.pins.values().filter(|own| own.partner.name == partner) {
                if !all.iter().any(|other| Arc::ptr_eq(other, own)) {
                    all.push(own);
                }
            }
        }
        all
    }

    /// Every version that is in use, once.
    pub fn all(&self) -> Vec<&Arc<Loaded>> {
        self.active.keys().flat_map(|partner| self.in_use(partner)).collect()
    }
}
