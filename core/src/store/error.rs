//! Turns what a database says when it cannot do something into what the pipeline can act on.

use std::error::Error;
use std::sync::Arc;

use super::Trouble;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Someone else committed to the connection meanwhile; plan again.
    #[error("the connection has changed since this was planned")]
    Stale,
    /// A table cannot become what the schema now says by adding to it.
    #[error("table {table} cannot be changed by adding to it: {reason}")]
    Breaking {
        /// The table.
        table: String,
        /// What does not fit.
        reason: String,
    },
    /// What is stored is not what we wrote.
    #[error("{0}")]
    Inconsistent(String),
    /// The machine is in trouble, not the caller: the same may succeed later.
    #[error("{}", trouble.told())]
    Unavailable {
        /// What kind of trouble.
        trouble: Trouble,
        /// What the database said; several may wait for one answer.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The database said no.
    #[error("the database failed")]
    Database(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// The machine is in trouble.
    pub(super) fn unavailable(trouble: Trouble, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable { trouble, source: Arc::new(source) }
    }

    /// The same once more for somebody else who waited for the same, where it is the machine's.
    pub(super) fn shared(&self) -> Option<Self> {
        match self {
            Self::Unavailable { trouble, source } => {
                Some(Self::Unavailable { trouble: *trouble, source: Arc::clone(source) })
            }
            _ => None,
        }
    }
}
