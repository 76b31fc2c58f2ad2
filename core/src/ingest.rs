//! The one place that knows all stages: takes a received body through validation, cutting, mapping, folding, planning
//! and commit, and says what became of it.
//!
//! The order of work is what keeps a payload safe: it is being kept while it is being mapped, nothing is applied before
//! it is kept, and records, entities, feed and the delivery's report change in one transaction or not at all.
//! What is wrong with a payload is a [`Report`]; what is wrong with us is an [`IngestError`].
//!
//! To add a stage: give it a module of its own above this one, and call it from [`Work`].

mod mapping;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::mapping::{Changed, Outcomes};
use self::state::State;
use crate::canonical::{Canonical, KindId};
use crate::clock::Clock;
use crate::delivery::{Applied, Counts, Entry, Received, Report, Status};
use crate::description::{Accept, Media, Operation, Partner, ProblemClass};
use crate::digest::Digest;
use crate::identity::Namespace;
use crate::json::{Json, Malformed, Pointer};
use crate::limits::Limits;
use crate::map::Mapper;
use crate::note::Note;
use crate::plan::{self, Held, Plan, Situation, Touched, Turn};
use crate::record::{Cut, cut};
use crate::store::{Commit, Connection, EntityStep, RecordId, Store, StoreError};

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

/// What became of a delivery, and of each record in it as far as that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingested {
    /// What is stored with the delivery.
    pub report: Report,
    /// One entry per record sent, in the payload's order; empty where the operation checks a payload only as a whole.
    pub entries: Vec<Entry>,
    /// What each entry's record says: as it was sent, its new state where it was accepted.
    pub bodies: Vec<Value>,
    /// What the records said that a snapshot or a clearing removed.
    pub removed: Vec<Value>,
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
    /// The task that keeps the body ended without an answer.
    #[error("failed to keep the delivery's body")]
    Keep(#[source] tokio::task::JoinError),
}

/// How often a plan is made anew because another process committed to the same connection meanwhile.
const ATTEMPTS_MAX: usize = 5;

impl Ingest {
    /// Works on a body that `operation` (which must be an ingest verb) was called with, and keeps it. With `dry_run`
    /// nothing is stored and the report says what would have become of it.
    ///
    /// One delivery of a connection at a time. Must run on a thread that may block: most of it is computing.
    pub async fn run(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        operation: &Operation,
        received: Received,
        dry_run: bool,
    ) -> Result<Ingested, IngestError> {
        let connection = self.connect(sender, loaded).await?;
        let body = received.body.clone().unwrap_or_default();
        let options = options_text(&sender.options);
        let parts = [loaded.mapper.digest(), loaded.partner.digest, self.canonical.digest(), Digest::of(&options)];
        let mapping = Digest::of_parts(parts.iter().map(|digest| digest.as_bytes().as_slice()));
        let work = Work {
            ingest: self,
            loaded,
            operation,
            namespace: Namespace::of(&sender.tenant, &sender.connection),
            delivery: received.id,
            sha256: received.sha256,
            setting: Digest::of_parts([mapping.as_bytes().as_slice(), operation.id.as_bytes()]),
            mapping,
            options,
            dry_run,
        };
        let report = work.run(connection, &body, received).await?;
        Ok(Ingested { report, entries: Vec::new(), bodies: Vec::new(), removed: Vec::new() })
    }

    /// Keeps a delivery that is worked on when its turn comes; from then on it survives the end of the process.
    pub async fn enqueue(&self, sender: &Sender, loaded: &Loaded, received: &Received) -> Result<(), IngestError> {
        let connection = self.connect(sender, loaded).await?;
        Ok(self.store.receive(&connection, received).await?)
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
        let connection = self.connect(sender, loaded).await?;
        let id = received.id;
        self.store.receive(&connection, &received).await?;
        self.store.settle(id, self.clock.now(), report, &[]).await?;
        Ok(id)
    }

    async fn connect(&self, sender: &Sender, loaded: &Loaded) -> Result<Connection, StoreError> {
        self.store.connection(&sender.tenant, &sender.connection, &loaded.partner.name).await
    }

    /// Starts keeping the body, on a thread of its own: compressing and syncing go on beside the mapping.
    fn keep(&self, connection: Connection, received: Received) -> Keeping {
        let store = Arc::clone(&self.store);
        let runtime = tokio::runtime::Handle::current();
        Keeping(tokio::task::spawn_blocking(move || runtime.block_on(store.receive(&connection, &received))))
    }
}

/// A body on its way to the disk.
struct Keeping(JoinHandle<Result<(), StoreError>>);

impl Keeping {
    /// Waits until the body is kept, whatever happens to this process from then on.
    async fn kept(keeping: Option<Self>) -> Result<(), IngestError> {
        match keeping {
            Some(Self(task)) => Ok(task.await.map_err(IngestError::Keep)??),
            None => Ok(()),
        }
    }
}

/// One delivery being worked on.
struct Work<'w> {
    ingest: &'w Ingest,
    loaded: &'w Loaded,
    operation: &'w Operation,
    namespace: Namespace,
    delivery: Uuid,
    sha256: [u8; 32],
    /// Digest of all that mapping a record depends on beside the record.
    mapping: Digest,
    /// Digest of all that applying a body depends on beside the body and the stored state.
    setting: Digest,
    /// The connection's options, canonical JSON.
    options: Vec<u8>,
    dry_run: bool,
}

impl Work<'_> {
    async fn run(&self, connection: Connection, body: &[u8], received: Received) -> Result<Report, IngestError> {
        if self.already_applied(&connection).await? {
            return self.end(&connection, received, unchanged(&connection)).await;
        }
        let (cut, warnings) = match self.read(body) {
            Ok(read) => read,
            Err(report) => {
                let small = received.size <= self.ingest.limits.rejected_body_bytes_max;
                let body = received.body.filter(|_| small);
                return self.end(&connection, Received { body, ..received }, *report).await;
            }
        };
        let mut keeping = (!self.dry_run).then(|| self.ingest.keep(connection.clone(), received));
        let mut connection = connection;
        for _ in 1..ATTEMPTS_MAX {
            match self.apply(&connection, &cut, &warnings, keeping.take()).await {
                Err(IngestError::Store(StoreError::Stale)) => connection = self.reconnect(&connection).await?,
                done => return done,
            }
        }
        self.apply(&connection, &cut, &warnings, keeping).await
    }

    /// Keeps a delivery that changes nothing, with the report that says why.
    async fn end(&self, connection: &Connection, received: Received, report: Report) -> Result<Report, IngestError> {
        if !self.dry_run {
            self.ingest.store.receive(connection, &received).await?;
        }
        self.settle(&report).await?;
        Ok(report)
    }

    async fn reconnect(&self, connection: &Connection) -> Result<Connection, StoreError> {
        self.ingest.store.connection(&connection.tenant, &connection.name, &connection.partner).await
    }

    async fn settle(&self, report: &Report) -> Result<(), IngestError> {
        if !self.dry_run {
            self.ingest.store.settle(self.delivery, self.ingest.clock.now(), report, &[]).await?;
        }
        Ok(())
    }

    /// Whether this very body is what was applied last, in this very setting, and nothing has touched the records
    /// since.
    async fn already_applied(&self, connection: &Connection) -> Result<bool, IngestError> {
        match connection.applied {
            Some(applied) if (applied.sha256, applied.setting) == (self.sha256, self.setting) => {
                Ok(self.state(connection).await?.digest() == applied.state)
            }
            _ => Ok(false),
        }
    }

    async fn state(&self, connection: &Connection) -> Result<State, StoreError> {
        let held = self.ingest.store.held_records(connection, &self.loaded.partner).await?;
        Ok(State::new(held, &self.loaded.partner.records))
    }

    /// Bytes to records: parse, validate, cut. What is wrong is all said at once, as far as the limit goes.
    fn read<'b>(&self, body: &'b [u8]) -> Result<(Cut<'b>, Report), Box<Report>> {
        let limits = &self.ingest.limits;
        let Some(media) = self.media() else {
            return Err(Box::new(Report::rejected(ProblemClass::UnsupportedMedia, Vec::new())));
        };
        let json = Json::parse(body, limits.json_depth_max)
            .map_err(|malformed| Box::new(Report::rejected(ProblemClass::Malformed, vec![note(&malformed)])))?;
        let (violations, unknown) = rayon::join(
            || media.schema.violations(&json, limits.violations_max),
            || media.schema.unknown(&json, limits.warnings_max),
        );
        if !violations.notes.is_empty() {
            let mut report = Report::rejected(ProblemClass::Invalid, violations.notes);
            report.omitted = violations.omitted;
            return Err(Box::new(report));
        }
        let mut cut = cut(json, &media.shape, &self.loaded.partner.records, self.mapping);
        if !cut.rejections.is_empty() {
            let mut report = Report::rejected(ProblemClass::Invalid, std::mem::take(&mut cut.rejections));
            report.omitted = report.rejections.len().saturating_sub(limits.violations_max);
            report.rejections.truncate(limits.violations_max);
            return Err(Box::new(report));
        }
        let mut report = Report::new(Status::Applied);
        report.warnings = unknown.notes;
        report.omitted = unknown.omitted;
        Ok((cut, report))
    }

    fn media(&self) -> Option<&Media> {
        self.operation.body.as_ref()?.media.first()
    }

    /// Records to entities: map what changed, plan, commit.
    async fn apply(
        &self,
        connection: &Connection,
        cut: &Cut<'_>,
        warnings: &Report,
        keeping: Option<Keeping>,
    ) -> Result<Report, IngestError> {
        let canonical = &self.ingest.canonical;
        let mut report = warnings.clone();
        let state = self.state(connection).await?;
        let (scope, _) = self.operation.verb.changes().unwrap_or((&[], Accept::All));
        let changed = Changed::find(cut, &state, scope, &self.loaded.partner, connection.next_record);
        let outcomes = match self.map(&changed, &mut report) {
            Ok(outcomes) => outcomes,
            Err(failed) => {
                Keeping::kept(keeping).await?;
                self.settle(&failed).await?;
                return Ok(*failed);
            }
        };
        let mut turns = self.turns(connection, &changed, &outcomes).await?;
        let mut parked = Vec::new();
        let (touched, held) = loop {
            let touched = plan::touch(&turns, canonical, self.namespace);
            let held = self.held(connection, &touched).await?;
            let dangling = self.dangling(connection, &turns, &touched, &held).await?;
            if dangling.is_empty() {
                break (touched, held);
            }
            drop(touched);
            turns.retain(|turn| !dangling.contains_key(&turn.record));
            parked.extend(dangling);
        };
        let others = self.others(connection, &state, &touched, &held).await?;
        let ranks = state.ranks().collect();
        let planned = plan::plan(&Situation {
            canonical,
            namespace: self.namespace,
            turns: &turns,
            touched: &touched,
            held: &held,
            others: &others,
            ranks: &ranks,
            active: &connection.active,
        });
        self.tell(&mut report, &changed, &outcomes, &parked, &planned);
        let bad: BTreeSet<RecordId> = outcomes.bad().chain(parked.iter().map(|(record, _)| *record)).collect();
        Keeping::kept(keeping).await?;
        self.commit(connection, &state, &changed, &outcomes, &bad, planned, &report).await?;
        Ok(report)
    }

    #[expect(clippy::too_many_arguments, reason = "a commit is everything that was found out, in one place")]
    async fn commit(
        &self,
        connection: &Connection,
        state: &State,
        changed: &Changed<'_, '_>,
        outcomes: &Outcomes,
        bad: &BTreeSet<RecordId>,
        planned: Plan<'_>,
        report: &Report,
    ) -> Result<(), IngestError> {
        if self.dry_run {
            return Ok(());
        }
        let records = changed.steps(outcomes, bad);
        let all_good = bad.is_empty() && !state.has_open_records(&records);
        let commit = Commit {
            connection,
            delivery: self.delivery,
            at: self.ingest.clock.now(),
            next_record: changed.next_record(),
            active: planned.active,
            applied: all_good.then(|| Applied {
                sha256: self.sha256,
                setting: self.setting,
                state: state.after(&records).digest(),
            }),
            records,
            waits: Vec::new(),
            entries: &[],
            entities: planned.entities,
            report,
        };
        self.ingest.store.commit(&self.ingest.canonical, &self.loaded.partner, commit).await?;
        Ok(())
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
        let quiet = planned.entities.iter().all(|step| matches!(step, EntityStep::Relink(_)));
        report.status = if quiet { Status::Unchanged } else { Status::Applied };
    }

    async fn held(&self, connection: &Connection, touched: &Touched<'_>) -> Result<Held, StoreError> {
        let ids: Vec<_> = touched.entities().map(|((kind, _), id)| (kind, id)).collect();
        self.ingest.store.held_entities(connection, &self.ingest.canonical, &ids).await
    }

    /// The records that refer to entities which will not be there, with the kind they wait for. Their turns are taken
    /// back: such a record waits, and what it said before stays.
    async fn dangling(
        &self,
        connection: &Connection,
        turns: &[Turn<'_>],
        touched: &Touched<'_>,
        held: &Held,
    ) -> Result<BTreeMap<RecordId, KindId>, StoreError> {
        let canonical = &self.ingest.canonical;
        let mut elsewhere = touched.references(turns, canonical);
        let id = |(kind, source_id): &(KindId, String)| {
            (*kind, self.namespace.sourced_id(&canonical.kind(*kind).name, source_id))
        };
        let ids: Vec<_> = elsewhere.iter().map(id).collect();
        let found = self.ingest.store.held_entities(connection, canonical, &ids).await?;
        let mut there = found.iter().map(|held| held.as_ref().is_some_and(|held| held.active));
        elsewhere.retain(|_| !there.next().unwrap_or_default());
        Ok(touched.dangling(turns, canonical, &elsewhere, held))
    }

    /// What the records without a turn say about touched entities on which not all agree.
    async fn others(
        &self,
        connection: &Connection,
        state: &State,
        touched: &Touched<'_>,
        held: &Held,
    ) -> Result<plan::Others, IngestError> {
        let needed: Vec<_> = touched.needs(held).into_iter().filter_map(|record| state.find(record)).collect();
        Ok(self.statements(connection, &needed).await?.into_iter().collect())
    }
}

/// The report of a delivery that says what is already known.
fn unchanged(connection: &Connection) -> Report {
    let mut report = Report::new(Status::Unchanged);
    let counts = |(kind, active): (&String, &u64)| (kind.clone(), Counts { unchanged: *active, ..Counts::default() });
    report.counts = connection.active.iter().map(counts).collect();
    report
}

/// The options as canonical JSON: the same options are the same bytes.
fn options_text(options: &Value) -> Vec<u8> {
    const DEPTH_MAX: u32 = 64;
    let text = options.to_string();
    Json::parse(text.as_bytes(), DEPTH_MAX).map_or_else(|_| text.clone().into_bytes(), |json| json.to_bytes())
}

fn note(malformed: &Malformed) -> Note {
    let (code, pointer) = match malformed {
        Malformed::Encoding { .. } => ("encoding", Pointer::root()),
        Malformed::Syntax { .. } => ("syntax", Pointer::root()),
        Malformed::DuplicateKey { pointer, .. } => ("duplicate-key", pointer.clone()),
        Malformed::Depth { .. } => ("depth", Pointer::root()),
    };
    Note::new(pointer, code, malformed.to_string())
}
