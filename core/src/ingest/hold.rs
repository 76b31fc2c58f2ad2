//! Keeps a change set from being applied that would change more than is likely, until an operator says what becomes of it.
//!
//! What is sent again in the same words while it is held is the same delivery. What comes later of the same operation takes
//! its place, held or not: of what a client says is everything, the last word counts.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::work::{Keeping, Work};
use super::{Ingest, IngestError, Ingested, Loaded, Sender};
use crate::delivery::{Held, Report, Status};
use crate::description::{Operation, ProblemClass, Verb};
use crate::fold::Statement;
use crate::hold;
use crate::map::DecodeError;
use crate::plan::{Plan, Turn};
use crate::said::Mark;
use crate::state::State;
use crate::store::archive::StoredCall;
use crate::store::read::{EntityQuery, Filter, Operator, Page, QueryError};
use crate::store::{Connection, StoreError};

/// Whether a change set may have to wait for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holding {
    /// It is done: a client names what is to be changed, or an operator does.
    Never,
    /// It waits where it passes a threshold.
    Asked,
    /// An operator has seen this plan (its digest), and it is done if it is still that one.
    Approved(String),
}

impl Holding {
    /// What says everything may be an outage that looks like everybody left. What only compares is done.
    pub(super) fn of(operation: &Operation) -> Self {
        let is_all = matches!(operation.verb, Verb::Snapshot { .. }) && !operation.dry_run;
        if is_all { Self::Asked } else { Self::Never }
    }
}

impl Ingest {
    /// Applies a delivery that is held. Where that would by now do something else than what was shown, nothing is done and
    /// the report says what that would be, unless `anyway`.
    ///
    /// One delivery of a connection at a time. Must run on a thread that may block.
    pub async fn approve(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        operation: &Operation,
        call: &StoredCall,
        anyway: bool,
    ) -> Result<Ingested, IngestError> {
        let connection = self.connect(sender, loaded).await?;
        let mut received = call.received(call.id, call.first);
        received.queued = true; // it is kept
        let mut work = self.work(sender, loaded, operation, &received, false);
        work.holding = match call.report.as_ref().and_then(|report| report.held.as_ref()) {
            Some(held) if !anyway => Holding::Approved(held.plan.clone()),
            _ => Holding::Never,
        };
        let body = received.body.clone().unwrap_or_default();
        let done = work.run(connection, body, received).await;
        self.meter.spent(sender, &loaded.partner.name, &work.costs);
        done
    }
}

impl Work<'_> {
    /// The delivery that said the same in the same way and is held, if this one is not kept yet.
    pub(super) async fn twin(&self, connection: &Connection) -> Result<Option<Uuid>, StoreError> {
        if !connection.has_held || !self.is_kept_now() || self.holding != Holding::Asked {
            return Ok(None);
        }
        let held = self.ingest.store.archive().held(connection).await?;
        let is_same = |call: &&StoredCall| call.sha256 == self.sha256 && call.operation == self.operation.id;
        Ok(held.iter().find(is_same).map(|call| call.id))
    }

    /// Why a plan is not to be carried out now, if there is a reason.
    pub(super) async fn held_back(
        &self,
        connection: &Connection,
        state: &State,
        turns: &[Turn<'_>],
        planned: &Plan<'_>,
    ) -> Result<Option<Held>, StoreError> {
        let canonical = &self.ingest.canonical;
        let plan =
            || hold::digest(planned, canonical).map(|digest| digest.to_string()).map_err(|error| damaged(&error));
        let passed = match &self.holding {
            Holding::Never => return Ok(None),
            Holding::Approved(approved) if *approved == plan()? => return Ok(None),
            Holding::Approved(_) => Vec::new(),
            Holding::Asked if !self.sender.thresholds.is_enabled() => return Ok(None),
            Holding::Asked => self.passed(connection, state, turns, planned).await?,
        };
        if passed.is_empty() && self.holding == Holding::Asked {
            return Ok(None);
        }
        let changes = hold::changes(planned, canonical, self.ingest.limits.held_changes_max);
        let (changes, omitted) = changes.map_err(|error| damaged(&error))?;
        Ok(Some(Held { since: self.received_at, plan: plan()?, passed, changes, omitted }))
    }

    /// What of a plan passes the thresholds.
    pub(super) async fn passed(
        &self,
        connection: &Connection,
        state: &State,
        turns: &[Turn<'_>],
        planned: &Plan<'_>,
    ) -> Result<Vec<crate::delivery::Passed>, StoreError> {
        let (thresholds, canonical) = (&self.sender.thresholds, &self.ingest.canonical);
        let kinds = thresholds.looked_into(&planned.counts, canonical);
        let mut parts = BTreeMap::new();
        let said =
            if kinds.is_empty() { Vec::new() } else { self.said_before(connection, state, turns, planned).await? };
        let said = said.iter().flat_map(|(marks, statements)| marks.iter().zip(statements));
        for ((kind, part), removed) in hold::retired_parts(&kinds, planned, said) {
            let path = canonical.kind(kind).parts.clone().unwrap_or_default();
            let query = EntityQuery {
                tenant: connection.tenant.clone(),
                kind,
                connection: Some(connection.name.clone()),
                active: Some(true),
                filter: Some(Filter::Compare { path, operator: Operator::Equal, value: part.clone() }),
                sort: None,
                page: Page::Offset { limit: 1, offset: 0 },
                count: true,
            };
            let found = self.ingest.store.reader().entities(canonical, &query).await.map_err(|error| match error {
                QueryError::Store(error) => error,
                unknown @ QueryError::UnknownField(_) => StoreError::Inconsistent(unknown.to_string()),
            })?;
            let of = found.total.unwrap_or_default();
            parts.insert((canonical.kind(kind).name.clone(), part), (removed, of));
        }
        Ok(hold::passed(thresholds, &planned.counts, &connection.active, &parts))
    }

    /// What was said, with its marks, by the records that spoke of an entity which is now retired.
    async fn said_before<'t>(
        &self,
        connection: &Connection,
        state: &State,
        turns: &'t [Turn<'_>],
        planned: &Plan<'_>,
    ) -> Result<Vec<(&'t [Mark], Vec<Statement>)>, StoreError> {
        let retired: HashSet<_> = planned.retired().collect();
        let spoke = |turn: &&Turn<'_>| turn.before.iter().any(|mark| retired.contains(&(mark.kind, mark.sourced_id)));
        let spoke: BTreeMap<_, _> = turns.iter().filter(spoke).map(|turn| (turn.record, turn)).collect();
        let records: Vec<_> = spoke.keys().filter_map(|record| state.find(*record)).collect();
        let said = self.statements(connection, &records).await?;
        Ok(said.into_iter().filter_map(|(record, said)| Some((spoke.get(&record)?.before.as_slice(), said))).collect())
    }

    /// Keeps a delivery that has to wait, with the report that says why. One that an operator approved, or that another one
    /// is the same as, stays as it is.
    pub(super) async fn hold_back(
        &self,
        connection: &Connection,
        mut report: Report,
        mut held: Held,
        keeping: &mut Option<Keeping>,
    ) -> Result<Report, IngestError> {
        let since = self.held_since(connection).await?;
        held.since = since.map_or(held.since, |since| since.min(held.since));
        report.status = Status::Held;
        report.problem = Some(ProblemClass::Held);
        report.held = Some(held);
        let is_twin = matches!(keeping, Some(Keeping::Within(_)));
        if !is_twin && self.holding == Holding::Asked {
            self.kept(connection, keeping).await?;
            self.settle(&report, &[]).await?;
        }
        Ok(report)
    }

    /// Since when something of the same operation is held.
    async fn held_since(&self, connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
        if !connection.has_held {
            return Ok(None);
        }
        let held = self.ingest.store.archive().held(connection).await?;
        let same = held.iter().filter(|call| call.operation == self.operation.id);
        Ok(same.filter_map(|call| Some(call.report.as_ref()?.held.as_ref()?.since)).min())
    }
}

/// What was packed here cannot be read.
pub(super) fn damaged(error: &DecodeError) -> StoreError {
    StoreError::Inconsistent(error.to_string())
}
