//! Turns who sends into the connection that the store knows, without asking it each time: what is only to be kept needs
//! the connection's number, which never changes, and nothing else of it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Sender;
use crate::store::{Connection, Store, StoreError};

/// The connections that something was received from, by tenant and name, each as it was then.
#[derive(Debug, Default)]
pub(super) struct Known(RwLock<HashMap<String, HashMap<String, Arc<Connection>>>>);

impl Known {
    /// The connection of `sender`; what it says of what is stored may be old.
    pub(super) async fn connection(
        &self,
        store: &dyn Store,
        sender: &Sender,
        partner: &str,
    ) -> Result<Arc<Connection>, StoreError> {
        if let Some(known) = self.find(sender).filter(|known| known.partner == partner) {
            return Ok(known);
        }
        let found = Arc::new(store.connection(&sender.tenant, &sender.connection, partner).await?);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(sender.tenant.clone()).or_default().insert(sender.connection.clone(), Arc::clone(&found));
        Ok(found)
    }

    fn find(&self, sender: &Sender) -> Option<Arc<Connection>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&sender.tenant)?.get(&sender.connection).cloned()
    }
}
