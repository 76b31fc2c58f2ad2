//! Takes a call about single records through the stages: what it changes, checked, mapped, folded, planned, committed.

use serde_json::{Map, Value};

use super::{Ingest, IngestError, Loaded, Sender};
use crate::delivery::{Received, Report};
use crate::description::Operation;
use crate::store::StoreError;

/// What a call says beside its body: parameters as they were read, lists as lists, cast as the description says.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Path parameters.
    pub path: Map<String, Value>,
    /// Query parameters.
    pub query: Map<String, Value>,
}

/// What became of a call about single records.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// What is stored with the delivery. A rejected one says in `problem` of which kind the problem is.
    pub report: Report,
    /// The key of the record that the call is about, a canonical JSON list.
    pub key: Option<String>,
    /// What it says afterwards; what it said, where it is gone.
    pub record: Value,
    /// What the partner's own logic adds to the answer, by name.
    pub told: Value,
}

impl Ingest {
    /// Does what a [`Verb::Resource`](crate::description::Verb::Resource) or
    /// [`Verb::Receive`](crate::description::Verb::Receive) says with a body, and keeps both in one transaction. With
    /// `dry_run` nothing is stored.
    ///
    /// One delivery of a connection at a time. Must run on a thread that may block.
    #[expect(clippy::unused_async, clippy::too_many_arguments, reason = "built in the next step")]
    pub async fn write(
        &self,
        _sender: &Sender,
        _loaded: &Loaded,
        _operation: &Operation,
        _asked: &Asked,
        _received: Received,
        _dry_run: bool,
    ) -> Result<Written, IngestError> {
        Err(StoreError::Inconsistent("calls about single records are not built yet".to_owned()).into())
    }

    /// Asks the partner's own logic for the rows of a list
    /// ([`Listed::Called`](crate::description::Listed::Called)). Stores nothing.
    #[expect(clippy::unused_async, reason = "built in the next step")]
    pub async fn called_rows(
        &self,
        _sender: &Sender,
        _loaded: &Loaded,
        _call: &str,
        _asked: &Asked,
    ) -> Result<Vec<Value>, IngestError> {
        Err(StoreError::Inconsistent("calls about single records are not built yet".to_owned()).into())
    }
}
