//! The partners that are loaded. Each version is immutable; a new one takes the old one's place in one step, and
//! requests that are under way finish with the version that they began with.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rollcall_core::ingest::Loaded;

/// The partners that are loaded, by name.
#[derive(Debug, Default)]
pub struct Registry(ArcSwap<BTreeMap<String, Arc<Loaded>>>);

impl Registry {
    /// These partners.
    pub fn new(partners: impl IntoIterator<Item = Loaded>) -> Self {
        let by_name = partners.into_iter().map(|loaded| (loaded.partner.name.clone(), Arc::new(loaded))).collect();
        Self(ArcSwap::from_pointee(by_name))
    }

    /// The partner called `name`, in the version that is loaded now.
    pub fn get(&self, name: &str) -> Option<Arc<Loaded>> {
        self.0.load().get(name).cloned()
    }

    /// Puts a version in the place of the one that was loaded before, if any.
    pub fn put(&self, loaded: Loaded) {
        let loaded = Arc::new(loaded);
        self.0.rcu(|partners| {
            let mut partners = BTreeMap::clone(partners);
            partners.insert(loaded.partner.name.clone(), Arc::clone(&loaded));
            partners
        });
    }

    /// The names of all partners.
    pub fn names(&self) -> Vec<String> {
        self.0.load().keys().cloned().collect()
    }
}
