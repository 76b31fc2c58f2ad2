//! Keeps a remap from being done that would change more than is likely, until an operator says what becomes of it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Foreseen, REMAP, RemapError, Sample};
use crate::delivery::{Counts, Held, Report, Status};
use crate::description::ProblemClass;
use crate::ingest::{Ingest, Loaded, Sender, options_text};
use crate::store::archive::StoredCall;
use crate::store::{Connection, StoreError};

impl Ingest {
    /// Whether a remap by this version has begun, and there is more of it: then nobody has to be asked again.
    pub async fn has_begun_to_remap(&self, sender: &Sender, loaded: &Loaded) -> Result<bool, RemapError> {
        let connection = self.connect(sender, loaded).await?;
        let archive = self.store.archive();
        let Some((last, _)) = archive.last(&connection, REMAP).await? else { return Ok(false) };
        let last = archive.call(&connection, last).await?;
        Ok(last.is_some_and(|last| last.sha256 == *self.mapping(loaded, &options_text(&sender.options)).as_bytes()))
    }

    /// Keeps a remap that has to wait, as a delivery that is held; says which, and what is told of it. `counts` are what it
    /// would do. One that waits already and would do the same is that one.
    ///
    /// It must be the connection's turn.
    pub async fn hold_remap(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        counts: BTreeMap<String, Counts>,
        held: Held,
    ) -> Result<(Uuid, Report), RemapError> {
        let connection = self.connect(sender, loaded).await?;
        let mapping = self.mapping(loaded, &options_text(&sender.options));
        let waiting = self.waiting(&connection).await?;
        let plan = |call: &StoredCall| Some(call.report.as_ref()?.held.as_ref()?.plan.clone());
        let is_twin =
            |call: &&StoredCall| call.sha256 == *mapping.as_bytes() && plan(call).as_ref() == Some(&held.plan);
        if let Some(twin) = waiting.iter().find(is_twin) {
            return Ok((twin.id, twin.report.clone().unwrap_or_else(|| Report::new(Status::Held))));
        }
        let earlier = waiting.iter().filter_map(|call| Some(call.report.as_ref()?.held.as_ref()?.since));
        let since = earlier.chain([held.since]).min().unwrap_or(held.since);
        let mut report = Report::new(Status::Held);
        report.problem = Some(ProblemClass::Held);
        report.counts = counts;
        report.held = Some(Held { since, ..held });
        let received = self.nothing(mapping);
        self.store.receive(&connection, &received).await?;
        self.store.settle(received.id, self.clock.now(), &report, &[]).await?;
        Ok((received.id, report))
    }

    /// Lets a remap begin that is held; what is to be done then. Where that would by now be something else than what was
    /// shown, it stays as it is and there is none, unless `anyway`.
    ///
    /// It must be the connection's turn. Must run on a thread that may block.
    pub async fn approve_remap(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        call: &StoredCall,
        anyway: bool,
    ) -> Result<Option<Foreseen>, RemapError> {
        let foreseen = self.foresee(sender, loaded, loaded, Sample::All, &|_, _| {}).await?;
        let shown = call.report.as_ref().and_then(|report| report.held.as_ref());
        let is_that = call.sha256 == *self.mapping(loaded, &options_text(&sender.options)).as_bytes()
            && shown.is_some_and(|shown| shown.plan == foreseen.plan);
        if !is_that && !anyway {
            return Ok(None);
        }
        let mut report = call.report.clone().unwrap_or_else(|| Report::new(Status::Held));
        (report.status, report.problem) = (Status::Applied, None);
        report.counts.clone_from(&foreseen.difference.entities);
        let turned = self.store.archive().turn(call.id, Status::Held, &report, self.clock.now()).await?;
        Ok(turned.then_some(foreseen))
    }

    async fn waiting(&self, connection: &Connection) -> Result<Vec<StoredCall>, StoreError> {
        let held = self.store.archive().held(connection).await?;
        Ok(held.into_iter().filter(|call| call.operation == REMAP).collect())
    }
}
