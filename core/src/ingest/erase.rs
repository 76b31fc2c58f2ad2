//! Erases people from a connection: from what is stored of it, from what follows from that, from what was sent, and from what
//! is told of it.
//!
//! First everything is looked at, until nothing more is found: what one record says of a person may be known only from
//! another. Then it is done, what was sent first, so that whatever ends the process in between, doing it again comes to the
//! same. Records go through the stages that every change of theirs does: so entities are folded anew from who is left, and
//! readers see in the feed that someone is gone. What is about somebody who is gone keeps its id and nothing else.
//!
//! Whoever is sent again afterwards is there again. To keep somebody out is for the partner, who would else be told that its
//! data was taken and find it missing.

mod bodies;
mod judge;
mod log;
mod records;
mod traces;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use self::bodies::BodyPlan;
use self::judge::Judge;
use self::records::RecordPlan;
use self::traces::Traces;
use super::work::{Beside, Keeping};
use super::{ATTEMPTS_MAX, Ingest, IngestError, Loaded, Sender};
use crate::delivery::{Asked, Counts, Received};
use crate::description::{Operation, RecordTypeId, Shape};
use crate::digest::Digest;
use crate::erasure::Marks;
use crate::map::MapError;
use crate::store::keep::Keeper;
use crate::store::{Connection, StoreError};
use crate::validate::Schema;

/// How often everything is looked at; each time more is known of whom to look for.
const ROUNDS_MAX: usize = 16;

/// The operation that deliveries came by which only erase. No description has one of this name.
pub const ERASE: &str = "$erase";

/// What an erasure comes to. Names nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Records that are gone, by type.
    pub records_removed: BTreeMap<String, u64>,
    /// Records of which parts are gone, by type.
    pub records_changed: BTreeMap<String, u64>,
    /// What that means for the entities of each kind.
    pub entities: BTreeMap<String, Counts>,
    /// Entities that were or are gone and of which nothing but the id is left.
    pub entities_blanked: u64,
    /// Deliveries whose bodies were rewritten without what is erased.
    pub bodies_rewritten: Vec<Uuid>,
    /// Deliveries whose bodies were dropped, because what is to be erased cannot be told apart in them.
    pub bodies_dropped: Vec<Uuid>,
    /// Lines of logs, and notes in reports, that are blank now.
    pub lines_blanked: u64,
    /// Webhooks that are forgotten, sent or not.
    pub sends_forgotten: u64,
}

impl Erased {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        let Self { entities: _, .. } = self;
        *self == Self { entities: self.entities.clone(), ..Self::default() }
    }
}

/// Why nobody was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// What records say could not be found out.
    #[error("failed to map")]
    Map(#[from] MapError),
    /// There is no end to what is found.
    #[error("what is to be erased was not all found in {ROUNDS_MAX} rounds")]
    Endless,
    /// It could not be stored.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

impl From<StoreError> for EraseError {
    fn from(error: StoreError) -> Self {
        Self::Ingest(error.into())
    }
}

/// All that is to be done.
#[derive(Debug, Default)]
struct Plan {
    records: Vec<RecordPlan>,
    bodies: Vec<BodyPlan>,
}

impl Ingest {
    /// Erases whoever is marked from one connection; with `dry_run` only says what that would come to.
    ///
    /// Nothing else may be done with the connection meanwhile. Must run on a thread that may block.
    pub async fn erase(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        marks: Marks,
        dry_run: bool,
    ) -> Result<Erased, EraseError> {
        let keeper = self.store.keeper();
        for _ in 1..ATTEMPTS_MAX {
            let erasing = self.erasing(sender, loaded, keeper).await?;
            match erasing.run(marks.clone(), dry_run).await {
                Err(EraseError::Ingest(IngestError::Store(StoreError::Stale))) => {}
                done => return done,
            }
        }
        self.erasing(sender, loaded, keeper).await?.run(marks, dry_run).await
    }

    async fn erasing<'e>(
        &'e self,
        sender: &'e Sender,
        loaded: &'e Loaded,
        keeper: &'e dyn Keeper,
    ) -> Result<Erasing<'e>, EraseError> {
        Ok(Erasing { ingest: self, sender, loaded, keeper, connection: self.connect(sender, loaded).await? })
    }
}

/// An erasure under way.
struct Erasing<'e> {
    ingest: &'e Ingest,
    sender: &'e Sender,
    loaded: &'e Loaded,
    keeper: &'e dyn Keeper,
    connection: Connection,
}

impl Erasing<'_> {
    async fn run(&self, marks: Marks, dry_run: bool) -> Result<Erased, EraseError> {
        let mut traces = Traces::new(marks);
        let mut plan = self.look(&mut traces).await?;
        self.keep_distinct(&plan, &mut traces).await?;
        self.settle_unclear(&mut plan, &traces).await?;
        let at = self.ingest.clock.now();
        let mut erased = Erased::default();
        self.bodies(&plan, &mut erased, (!dry_run).then_some(at)).await?;
        self.records(&plan, &mut erased, dry_run).await?;
        self.logs(&plan, &traces, &mut erased, dry_run).await?;
        self.sends(&traces, &mut erased, dry_run).await?;
        if !dry_run {
            erased.entities_blanked = self.blank(&traces).await?;
            for (of, key) in traces.records() {
                self.keeper.forget_gone(&self.connection, of, key).await?;
            }
            self.keeper.scrub().await?;
        }
        Ok(erased)
    }

    /// Looks at everything until nothing more is found.
    async fn look(&self, traces: &mut Traces) -> Result<Plan, EraseError> {
        for _ in 0..ROUNDS_MAX {
            let known = traces.marked();
            let plan =
                Plan { records: self.look_at_records(traces).await?, bodies: self.look_at_bodies(traces).await? };
            if traces.marked() == known {
                return Ok(plan);
            }
        }
        Err(EraseError::Endless)
    }

    fn judge<'j>(&'j self, traces: &'j Traces) -> Judge<'j> {
        Judge::new(self.ingest, self.sender, self.loaded, traces)
    }

    /// Takes the records through the stages, as a delivery that says nothing and whose operation tells what it was.
    async fn records(&self, plan: &Plan, erased: &mut Erased, dry_run: bool) -> Result<(), EraseError> {
        if plan.records.is_empty() {
            return Ok(());
        }
        let operation = Operation::of_operator(ERASE.to_owned(), RecordTypeId(0), Schema::default(), Shape::Plain);
        let received = self.received(self.ingest.clock.now());
        let work = self.ingest.work(self.sender, self.loaded, &operation, &received, dry_run);
        let state = work.state(&self.connection).await?;
        let prepared = records::Prepared::new(&plan.records, self.loaded, work.mapping, &self.ingest.limits);
        let (reconciled, records) = prepared.stages();
        let changed = super::mapping::Changed::of(
            reconciled,
            &records,
            &state,
            &self.loaded.partner,
            self.connection.next_record,
        );
        for step in &plan.records {
            let name = &self.loaded.partner.records[usize::from(step.of.0)].name;
            let count = if step.left.is_some() { &mut erased.records_changed } else { &mut erased.records_removed };
            *count.entry(name.clone()).or_default() += 1;
        }
        let mut keeping = (!dry_run).then(|| Keeping::Within(Box::new(received)));
        let blank = crate::delivery::Report::new(crate::delivery::Status::Applied);
        let done = work
            .map_and_commit(&self.connection, &state, &changed, &blank, Vec::new(), Beside::default(), &mut keeping)
            .await?;
        erased.entities = done.0.counts;
        if !dry_run {
            self.ingest.store.synced().await?;
        }
        Ok(())
    }

    fn received(&self, at: Timestamp) -> Received {
        Received {
            id: self.ingest.clock.next_id(),
            first: None,
            operation: ERASE.to_owned(),
            asked: Asked::default(),
            at,
            body: None,
            content_encoding: None,
            sha256: *Digest::of(b"").as_bytes(),
            size: 0,
            queued: false,
        }
    }

    /// Blanks what is gone: who is marked, and whatever refers to them.
    async fn blank(&self, traces: &Traces) -> Result<u64, EraseError> {
        let canonical = &self.ingest.canonical;
        let all = self.keeper.entity_ids(&self.connection, canonical).await?;
        let marked = all.into_iter().filter(|(kind, id)| traces.has_entity(&canonical.kind(*kind).name, *id));
        let mut marked: Vec<_> = marked.map(|(_, id)| id).collect();
        marked.extend(traces.retired());
        Ok(self.keeper.blank_entities(&self.connection, canonical, &marked).await?)
    }

    /// Forgets what subscribers were, or are to be, told of whoever is erased.
    async fn sends(&self, traces: &Traces, erased: &mut Erased, dry_run: bool) -> Result<(), EraseError> {
        const AT_A_TIME: u32 = 500;
        let mut after = i64::MIN;
        loop {
            let sends = self.keeper.kept_sends(&self.connection, after, AT_A_TIME).await?;
            let Some(last) = sends.last() else { return Ok(()) };
            after = last.id;
            let about = |send: &&crate::store::keep::KeptSend| {
                traces.has_record(&send.record, &send.key) || traces.mentions(send.body.as_bytes())
            };
            let found: Vec<_> = sends.iter().filter(about).map(|send| send.id).collect();
            erased.sends_forgotten += found.len() as u64;
            if !dry_run && !found.is_empty() {
                self.keeper.forget_sends(&self.connection, &found).await?;
            }
        }
    }
}
