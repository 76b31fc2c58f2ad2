//! How a delivery's body is kept: while it is worked on, or in the very transaction that applies it.

use tokio::task::JoinHandle;

use super::IngestError;
use crate::delivery::Received;
use crate::store::StoreError;

/// How a delivery is kept.
pub(super) enum Keeping {
    /// It is on its way to the disk while it is worked on.
    Beside(JoinHandle<Result<(), StoreError>>),
    /// In the transaction that applies it.
    Within(Box<Received>),
}

impl Keeping {
    /// Waits for what is on its way, whatever happens to this process from then on.
    pub(super) async fn arrived(keeping: &mut Option<Self>) -> Result<(), IngestError> {
        match keeping.take_if(|keeping| matches!(keeping, Self::Beside(_))) {
            Some(Self::Beside(task)) => Ok(task.await.map_err(IngestError::Keep)??),
            _ => Ok(()),
        }
    }

    /// What is kept in the transaction that applies it.
    pub(super) fn within(keeping: Option<&Self>) -> Option<&Received> {
        match keeping {
            Some(Self::Within(received)) => Some(received),
            _ => None,
        }
    }
}
