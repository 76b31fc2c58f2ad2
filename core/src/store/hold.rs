//! Keeps everybody else from committing to a connection while a plan is made anew.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{Postgres, Transaction};

/// As long as this is there, and nothing was committed with it, nobody else commits to the connection that it belongs to.
/// Empty where nobody is kept from it, or nobody else could.
#[derive(Clone, Default)]
pub struct Hold(Arc<Mutex<Option<Transaction<'static, Postgres>>>>);

impl Hold {
    /// Holds what a transaction has locked. Given up with the transaction.
    pub(super) fn of(transaction: Transaction<'static, Postgres>) -> Self {
        Self(Arc::new(Mutex::new(Some(transaction))))
    }

    /// The transaction, to commit with it.
    pub(super) fn take(&self) -> Option<Transaction<'static, Postgres>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold(…)")
    }
}
