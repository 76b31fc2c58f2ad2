//! One delivery on its way through the stages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::hold::{Holding, damaged};
pub(super) use super::keeping::Keeping;
use super::mapping::{Changed, Outcomes, rows};
use super::payload::Payload;
use super::pieces::Pieces;
use super::{ATTEMPTS_MAX, Ingest, IngestError, Ingested, Loaded, REMAP, Sender};
use crate::canonical::KindId;
use crate::costs::{Costs, Stage};
use crate::delivery::{Applied, Counts, Entry, Outcome, Received, Report, Status};
use crate::description::{Accept, Media, Operation, ProblemClass, RecordTypeId, Verb};
use crate::digest::Digest;
use crate::identity::Namespace;
use crate::note::Note;
use crate::parcel::Content;
use crate::plan::{self, Plan, Situation, Touched};
use crate::reconcile::{self, Needs, Reconciled, Resulting, Shelf, reconcile};
use crate::record::{Record, Sent};
use crate::rule;
use crate::state::State;
use crate::store::{self, Commit, Connection, Fate, Finish, NewSend, RecordId, StoreError, WaitStep};

/// How often a reconciliation may ask for more; each time it knows more than before.
const ROUNDS_MAX: usize = 32;

/// Records of which it is told how many they are before they are done. Fewer are done before anybody can ask.
const TOLD_BEFORE_DONE_MIN: usize = 256;

/// What is committed beside records and entities.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// See [`Commit::numbers`].
    pub(super) numbers: Vec<(String, i64)>,
    /// See [`Commit::sends`].
    pub(super) sends: Vec<NewSend>,
}

/// One delivery being worked on.
pub(super) struct Work<'w> {
    pub(super) ingest: &'w Ingest,
    pub(super) sender: &'w Sender,
    pub(super) loaded: &'w Loaded,
    pub(super) operation: &'w Operation,
    pub(super) namespace: Namespace,
    pub(super) delivery: Uuid,
    /// See [`Received::at`].
    pub(super) received_at: Timestamp,
    pub(super) sha256: [u8; 32],
    /// Digest of all that mapping a record depends on beside the record.
    pub(super) mapping: Digest,
    /// Digest of all that applying a body depends on beside the body and the stored state.
    pub(super) setting: Digest,
    /// The connection's options, canonical JSON.
    pub(super) options: Vec<u8>,
    pub(super) dry_run: bool,
    /// Whether the body is kept already.
    pub(super) queued: bool,
    /// Whether it may have to wait for an operator.
    pub(super) holding: Holding,
    /// Where others may share its transaction.
    pub(super) fate: Option<Fate>,
    pub(super) costs: Arc<Costs>,
}

/// What a delivery comes to, before it is committed.
struct Found<'f> {
    report: Report,
    entries: Vec<Entry>,
    /// Records that are bad: they keep what they said when they were last mapped well.
    bad: BTreeSet<RecordId>,
    waits: Vec<WaitStep>,
    planned: Plan<'f>,
    beside: Beside,
}

impl Work<'_> {
    pub(super) async fn run(
        &self,
        connection: Connection,
        body: Arc<[u8]>,
        received: Received,
    ) -> Result<Ingested, IngestError> {
        let limits = &self.ingest.limits;
        if self.already_applied(&connection).await? {
            return self.end(&connection, received, unchanged(&connection)).await;
        }
        let types = &self.loaded.partner.records;
        let read =
            |body| Payload::read(self.operation, &self.sender.options, types, self.mapping, limits, body, &self.costs);
        let read = if body.len() > limits.piece_bytes {
            let apart = read(&body).map(|(payload, warnings)| (payload.into_owned(), warnings));
            drop(body);
            apart
        } else {
            read(&body)
        };
        let (payload, warnings) = match read {
            Ok(read) => read,
            Err(report) => {
                let small = received.size <= limits.rejected_body_bytes_max;
                let body = received.body.filter(|_| small);
                return self.end(&connection, Received { body, ..received }, *report).await;
            }
        };
        let twin = self.twin(&connection).await?;
        let mut keeping = match twin {
            Some(_) => Some(Keeping::Within(Box::new(received))),
            None => self.is_kept_now().then(|| self.ingest.keep(connection.clone(), received, &self.costs)),
        };
        let done = self.attempts(connection, &payload, &warnings, &mut keeping).await;
        let mut ingested = self.settled(done).await?;
        match twin {
            Some(twin) if ingested.report.status == Status::Held => ingested.held_as = Some(twin),
            Some(_) => self.ingest.store.synced().await?,
            None => {}
        }
        Ok(ingested)
    }

    /// Applies a payload, anew where another process committed meanwhile.
    async fn attempts(
        &self,
        mut connection: Connection,
        payload: &Payload<'_>,
        warnings: &Report,
        keeping: &mut Option<Keeping>,
    ) -> Result<Ingested, IngestError> {
        for _ in 1..ATTEMPTS_MAX {
            match self.apply(&connection, payload, warnings, keeping).await {
                Err(IngestError::Store(StoreError::Stale)) => {
                    self.costs.begun_again();
                    connection = self.ingest.store.hold(&connection).await?;
                }
                done => return done,
            }
        }
        self.apply(&connection, payload, warnings, keeping).await
    }

    /// Waits until the body is kept, and keeps it where that was to be done on the way.
    pub(super) async fn kept(&self, connection: &Connection, keeping: &mut Option<Keeping>) -> Result<(), IngestError> {
        Keeping::arrived(keeping).await?;
        if let Some(Keeping::Within(received)) = keeping.take() {
            self.costs.stage_of(Stage::Keep, self.ingest.store.receive(connection, &received)).await?;
        }
        Ok(())
    }

    /// Whether the body is to be kept while it is worked on.
    pub(super) fn is_kept_now(&self) -> bool {
        !self.dry_run && !self.queued
    }

    /// A delivery that could not be worked on has failed, unless it is tried again; that much can perhaps be stored.
    async fn settled(&self, done: Result<Ingested, IngestError>) -> Result<Ingested, IngestError> {
        if let (Err(IngestError::Store(_)), true) = (&done, self.is_kept_now()) {
            let mut failed = Report::new(Status::Failed);
            failed.problem = Some(ProblemClass::Fault);
            let at = self.ingest.clock.now();
            if let Err(error) = self.ingest.store.settle(self.delivery, at, &failed, &[]).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a failed delivery could not be settled");
            }
        }
        done
    }

    /// Keeps a delivery that changes nothing, with the report that says why.
    async fn end(&self, connection: &Connection, received: Received, report: Report) -> Result<Ingested, IngestError> {
        if self.is_kept_now() {
            let at = self.ingest.clock.now();
            let concluded = self.ingest.store.conclude(connection, &received, at, &report, Finish::Synced);
            self.costs.stage_of(Stage::Keep, concluded).await?;
        } else {
            self.settle(&report, &[]).await?;
        }
        Ok(Ingested::whole(report))
    }

    pub(super) async fn settle(&self, report: &Report, entries: &[Entry]) -> Result<(), IngestError> {
        if !self.dry_run {
            let settled = self.ingest.store.settle(self.delivery, self.ingest.clock.now(), report, self.log(entries));
            self.costs.stage_of(Stage::Commit, settled).await?;
        }
        Ok(())
    }

    /// The entries, if the partner's log is kept.
    fn log<'e>(&self, entries: &'e [Entry]) -> &'e [Entry] {
        if self.operation.asynchronous { entries } else { &[] }
    }

    /// Whether this very body was applied last, in this very setting, and nothing has touched the records since.
    async fn already_applied(&self, connection: &Connection) -> Result<bool, IngestError> {
        match connection.applied {
            Some(applied) if (applied.sha256, applied.setting) == (self.sha256, self.setting) => {
                Ok(self.state(connection).await?.digest() == applied.state)
            }
            _ => Ok(false),
        }
    }

    pub(super) async fn state(&self, connection: &Connection) -> Result<State, StoreError> {
        self.costs.stage_of(Stage::Look, self.stored(connection)).await
    }

    async fn stored(&self, connection: &Connection) -> Result<State, StoreError> {
        let (store, partner) = (&self.ingest.store, &self.loaded.partner);
        let state = State::new(store.held_records(connection, partner).await?, &partner.records);
        let tells_when = |media: &Media| media.as_of.is_some();
        if self.operation.body.iter().flat_map(|body| &body.media).any(tells_when) {
            return Ok(state.with_gone(store.gone(connection, partner).await?));
        }
        Ok(state)
    }

    /// Records to entities: what changed, mapped, planned, committed.
    async fn apply(
        &self,
        connection: &Connection,
        payload: &Payload<'_>,
        warnings: &Report,
        keeping: &mut Option<Keeping>,
    ) -> Result<Ingested, IngestError> {
        let state = self.state(connection).await?;
        match payload {
            Payload::Whole(cut) => {
                let (scope, _) = self.operation.verb.changes().unwrap_or((&[], Accept::All));
                let changed = self.costs.stage(Stage::Reconcile, || {
                    Changed::find(cut, &state, scope, &self.loaded.partner, connection.next_record)
                });
                let beside = self.beside(connection, &changed).await?;
                let report =
                    self.map_and_commit(connection, &state, &changed, warnings, Vec::new(), beside, keeping).await?.0;
                Ok(Ingested::whole(report))
            }
            Payload::OneByOne { sent, as_of } => {
                self.apply_one_by_one(connection, &state, sent, *as_of, warnings, keeping).await
            }
        }
    }

    /// The same for records that are checked one by one.
    async fn apply_one_by_one(
        &self,
        connection: &Connection,
        state: &State,
        sent: &[Sent],
        as_of: Option<i64>,
        warnings: &Report,
        keeping: &mut Option<Keeping>,
    ) -> Result<Ingested, IngestError> {
        let reconciling = self.reconcile(connection, state, sent, as_of);
        let mut reconciled = self.costs.stage_of(Stage::Reconcile, reconciling).await?;
        let entries = std::mem::take(&mut reconciled.entries);
        let errors = entries.iter().filter(|entry| entry.outcome.is_error()).count();
        if entries.len() >= TOLD_BEFORE_DONE_MIN {
            self.tell_progress(&entries).await?;
        }
        let accept = self.operation.verb.changes().map_or(Accept::All, |(_, accept)| accept);
        if errors > 0 && accept == Accept::All {
            let mut report = self.rejected(&entries);
            report.warnings.clone_from(&warnings.warnings);
            self.kept(connection, keeping).await?;
            self.settle(&report, &entries).await?;
            return Ok(Ingested {
                changes: reconciled.changes,
                bodies: self.bodies(sent),
                entries,
                ..Ingested::whole(report)
            });
        }
        let records = self.records(&reconciled);
        let changed = Changed::of(&reconciled, &records, state, &self.loaded.partner, connection.next_record);
        let mut warnings = warnings.clone();
        warnings.rejections = self.rejected(&entries).rejections;
        let beside = self.beside(connection, &changed).await?;
        let (report, entries) =
            self.map_and_commit(connection, state, &changed, &warnings, entries, beside, keeping).await?;
        let removed = if sent.is_empty() || matches!(self.operation.verb, Verb::Snapshot { .. }) {
            reconciled.gone.iter().map(|gone| gone.body.clone()).collect()
        } else {
            Vec::new()
        };
        Ok(Ingested { report, entries, changes: reconciled.changes, bodies: self.bodies(sent), removed, held_as: None })
    }

    /// Has who asks for the log of a queued delivery know how many records it holds, although none is done yet.
    async fn tell_progress(&self, entries: &[Entry]) -> Result<(), StoreError> {
        if !self.queued {
            return Ok(());
        }
        let errors = entries.iter().filter(|entry| entry.outcome.is_error()).count();
        self.ingest.store.progress(self.delivery, entries.len() as u64, errors as u64).await
    }

    /// The records that are there, each read already where they are few.
    fn records<'r>(&self, reconciled: &'r Reconciled) -> Vec<Record<'r>> {
        let bytes: usize = reconciled.present.iter().map(|resulting| resulting.body.len()).sum();
        let (types, depth_max) = (&self.loaded.partner.records, self.ingest.limits.json_depth_max);
        let is_large = bytes > self.ingest.limits.piece_bytes;
        let record = |resulting: &'r Resulting| {
            let of = &types[usize::from(resulting.of.0)];
            if is_large {
                resulting.packed_record(of, self.mapping)
            } else {
                resulting.record(of, self.mapping, depth_max)
            }
        };
        reconciled.present.iter().map(record).collect()
    }

    async fn beside(&self, connection: &Connection, changed: &Changed<'_, '_>) -> Result<Beside, IngestError> {
        Ok(Beside { sends: self.sends_of_payload(connection, changed).await?, ..Beside::default() })
    }

    /// Reconciles what was sent with what is stored, reading of that as much as is asked for.
    async fn reconcile(
        &self,
        connection: &Connection,
        state: &State,
        sent: &[Sent],
        as_of: Option<i64>,
    ) -> Result<Reconciled, IngestError> {
        let complete = self.operation.verb.complete();
        let mut known = Shelf::default();
        for _ in 0..ROUNDS_MAX {
            let situation = reconcile::Situation {
                partner: &self.loaded.partner,
                options: &self.sender.options,
                complete,
                as_of,
                now: self.received_at,
                state,
                shelf: &known,
                setting: self.mapping,
                depth_max: self.ingest.limits.json_depth_max,
                notes_max: self.ingest.limits.violations_max,
            };
            match reconcile(sent, &situation) {
                Ok(reconciled) => return Ok(reconciled),
                Err(needs) => self.fetch(connection, state, &needs, &mut known).await?,
            }
        }
        Err(StoreError::Inconsistent("a reconciliation keeps asking for what it was given".to_owned()).into())
    }

    /// Puts what is asked for on the shelf.
    async fn fetch(
        &self,
        connection: &Connection,
        state: &State,
        needs: &Needs,
        known: &mut Shelf,
    ) -> Result<(), IngestError> {
        let (store, partner) = (&self.ingest.store, &self.loaded.partner);
        let mut wanted: BTreeMap<RecordTypeId, BTreeSet<RecordId>> = BTreeMap::new();
        for (of, record) in &needs.bodies {
            wanted.entry(*of).or_default().insert(*record);
        }
        for held in state.records().iter().filter(|held| needs.whole.contains(&held.of)) {
            wanted.entry(held.of).or_default().insert(held.id);
        }
        for (of, mut records) in wanted {
            records.retain(|record| !known.bodies.contains_key(record));
            let records: Vec<_> = records.into_iter().collect();
            let bodies = store.bodies(connection, partner, of, &records).await?;
            known.bodies.extend(records.into_iter().zip(bodies));
        }
        known.whole.extend(&needs.whole);
        for of in &needs.values {
            let members = rule::members(&partner.records[usize::from(of.0)].rules);
            let values = store.values(connection, partner, *of, &members).await?;
            known.values.insert(*of, values.into_iter().collect());
        }
        Ok(())
    }

    /// The report that rejects a delivery for its bad records.
    fn rejected(&self, entries: &[Entry]) -> Report {
        let rejected = entries.iter().filter(|entry| entry.outcome == Outcome::Rejected);
        let mut notes: Vec<_> = rejected.flat_map(|entry| entry.notes.iter().cloned()).collect();
        let most = self.ingest.limits.violations_max;
        let omitted = notes.len().saturating_sub(most);
        notes.truncate(most);
        let mut report = Report::rejected(ProblemClass::Invalid, notes);
        report.omitted = omitted;
        report
    }

    /// What was sent, for the answer. Who is not waiting for one needs none.
    fn bodies(&self, sent: &[Sent]) -> Vec<Content<'static>> {
        if self.queued { Vec::new() } else { sent.iter().map(|sent| sent.body.clone()).collect() }
    }

    /// Maps what changed, plans and commits; gives back the report and the entries.
    #[expect(clippy::too_many_arguments, reason = "what one delivery comes to, used right where it is made")]
    pub(super) async fn map_and_commit(
        &self,
        connection: &Connection,
        state: &State,
        changed: &Changed<'_, '_>,
        warnings: &Report,
        entries: Vec<Entry>,
        beside: Beside,
        keeping: &mut Option<Keeping>,
    ) -> Result<(Report, Vec<Entry>), IngestError> {
        let mut report = warnings.clone();
        let outcomes = match self.costs.stage(Stage::Map, || self.map(changed, &mut report)) {
            Ok(outcomes) => outcomes,
            Err(failed) => {
                self.kept(connection, keeping).await?;
                if self.queued {
                    self.tell_progress(&entries).await?;
                } else {
                    self.settle(&failed, &entries).await?;
                }
                return Ok((*failed, entries));
            }
        };
        let done = self.plan_and_commit(connection, state, changed, &outcomes, report, entries, beside, keeping).await;
        outcomes.leave();
        done
    }

    /// Plans and commits what was mapped; gives back the report and the entries.
    #[expect(clippy::too_many_arguments, reason = "what one delivery comes to, used right where it is made")]
    pub(super) async fn plan_and_commit(
        &self,
        connection: &Connection,
        state: &State,
        changed: &Changed<'_, '_>,
        outcomes: &Outcomes,
        mut report: Report,
        mut entries: Vec<Entry>,
        beside: Beside,
        keeping: &mut Option<Keeping>,
    ) -> Result<(Report, Vec<Entry>), IngestError> {
        let canonical = &self.ingest.canonical;
        let (costs, look) = (&self.costs, Stage::Look);
        let mut turns = costs.stage_of(look, self.turns(connection, changed, outcomes)).await?;
        let mut parked = Vec::new();
        let (touched, held) = loop {
            let touched = costs.stage(Stage::Plan, || self.touched(&turns))?;
            let held = costs.stage_of(look, self.held(connection, &touched)).await?;
            let dangling = costs.stage_of(look, self.dangling(connection, &turns, &touched, &held)).await?;
            if dangling.is_empty() {
                break (touched, held);
            }
            drop(touched);
            turns.retain(|turn| !dangling.contains_key(&turn.record));
            parked.extend(dangling);
        };
        let state = &costs.stage_of(look, self.with_contributors(connection, state, &held)).await?;
        let others = costs.stage_of(look, self.others(connection, state, touched.needs(&turns, &held))).await?;
        let ranks = state.ranks().collect();
        let situation = Situation {
            canonical,
            namespace: self.namespace,
            turns: &turns,
            touched: &touched,
            held: &held,
            others: &others,
            ranks: &ranks,
            active: &connection.active,
        };
        let planned = costs.stage(Stage::Plan, || plan::plan(&situation));
        let planned = planned.map_err(|error| damaged(&error))?;
        self.tell(&mut report, changed, outcomes, &parked, &planned);
        if let Some(held) = self.held_back(connection, state, &turns, &planned).await? {
            return Ok((self.hold_back(connection, report, held, keeping).await?, Vec::new()));
        }
        if self.operation.verb.complete().is_empty() {
            report.counts = self.counts_of(&touched, &planned);
        }
        let bad: BTreeSet<RecordId> = outcomes.bad().chain(parked.iter().map(|(record, _)| *record)).collect();
        let kinds = parked.iter().map(|(record, kind)| (*record, canonical.kind(*kind).name.clone())).collect();
        let waits = changed.waits(outcomes, &kinds, &mut entries);
        if entries.iter().any(|entry| entry.outcome.is_change()) {
            report.status = Status::Applied;
        }
        Keeping::arrived(keeping).await?;
        let found = Found { report, entries, bad, waits, planned, beside };
        self.commit(connection, state, changed, outcomes, found, Keeping::within(keeping.as_ref())).await
    }

    async fn commit(
        &self,
        connection: &Connection,
        state: &State,
        changed: &Changed<'_, '_>,
        outcomes: &Outcomes,
        found: Found<'_>,
        received: Option<&Received>,
    ) -> Result<(Report, Vec<Entry>), IngestError> {
        let Found { report, entries, bad, waits, planned, beside } = found;
        if self.dry_run {
            return Ok((report, entries));
        }
        let ids = changed.ids();
        let pieces = Pieces { changed, outcomes, bad: &bad, planned: &planned };
        let in_pieces = pieces.are_many();
        let mut records: Vec<_> = changed.removals().collect();
        let mut entities = Vec::new();
        if !in_pieces {
            (records, entities) = pieces.together(records)?;
        }
        let is_whole = entries.is_empty() && matches!(self.operation.verb, Verb::Snapshot { .. });
        let all_good = is_whole && bad.is_empty() && !state.has_open_records(&ids);
        let commit = Commit {
            connection,
            delivery: self.delivery,
            at: self.ingest.clock.now(),
            next_record: changed.next_record(),
            active: planned.active.clone(),
            applied: all_good.then(|| Applied {
                sha256: self.sha256,
                setting: self.setting,
                state: state.digest_after(&ids, changed.held_after(&bad)),
            }),
            records,
            gone: changed.gone().to_vec(),
            waits,
            entries: self.log(&entries),
            entities,
            pieces: in_pieces.then_some(&pieces as &dyn store::Pieces),
            report: &report,
            received,
            numbers: changed.numbers().chain(beside.numbers).collect(),
            sends: beside.sends,
            finish: self.finish(received.is_some()),
            keeps_origins: self.operation.id == REMAP,
        };
        let rows = rows(&commit, ids.len(), planned.changes);
        let committing = self.ingest.store.commit(&self.ingest.canonical, &self.loaded.partner, commit);
        self.costs.stage_of(Stage::Commit, committing).await?;
        for (rows, count) in rows {
            self.costs.wrote(rows, count);
        }
        Ok((report, entries))
    }

    /// What a body that does not say everything did: only what it touched is counted.
    fn counts_of(&self, touched: &Touched, planned: &Plan<'_>) -> BTreeMap<String, Counts> {
        let mut spoken: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, _) in touched.entities() {
            *spoken.entry(&self.ingest.canonical.kind(kind).name).or_default() += 1;
        }
        let counts = planned.counts.iter().filter_map(|(kind, counts)| {
            let spoken = spoken.get(kind.as_str())?;
            let changed = counts.created + counts.updated + counts.removed;
            Some((kind.clone(), Counts { unchanged: spoken.saturating_sub(changed), ..*counts }))
        });
        counts.collect()
    }

    /// Puts into the report what mapping and planning found out.
    fn tell(
        &self,
        report: &mut Report,
        changed: &Changed<'_, '_>,
        outcomes: &Outcomes,
        parked: &[(RecordId, KindId)],
        planned: &Plan<'_>,
    ) {
        outcomes.tell(changed, report);
        report.counts.clone_from(&planned.counts);
        let place = |record: RecordId| changed.pointer(record).cloned().unwrap_or_default();
        for (record, kind) in parked {
            let kind = &self.ingest.canonical.kind(*kind).name;
            let message = format!("waits for a {kind} that it refers to and that is not there");
            report.parked.push(Note::new(place(*record), "parked", message));
        }
        for (record, kind, field) in &planned.disputes {
            let kind = self.ingest.canonical.kind(*kind);
            let field = kind.fields.get(usize::from(*field)).map_or("", |field| field.name.as_str());
            let message = format!("`{field}` of a {} differs between records; what stands here is taken", kind.name);
            report.warnings.push(Note::new(place(*record), "disputed", message));
        }
        report.warnings.sort();
        report.warnings.dedup();
        report.omitted += report.warnings.len().saturating_sub(self.ingest.limits.warnings_max);
        report.warnings.truncate(self.ingest.limits.warnings_max);
        report.status = if planned.is_quiet() { Status::Unchanged } else { Status::Applied };
    }
}

/// The report of a delivery that says what is already known.
fn unchanged(connection: &Connection) -> Report {
    let mut report = Report::new(Status::Unchanged);
    let counts = |(kind, active): (&String, &u64)| (kind.clone(), Counts { unchanged: *active, ..Counts::default() });
    report.counts = connection.active.iter().map(counts).collect();
    report
}
