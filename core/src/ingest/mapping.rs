//! Finds the records that have to be mapped, maps them, and says what that means for each.

mod again;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use rayon::prelude::*;

pub(super) use self::again::Ending;
use super::work::Work;
use crate::canonical::Canonical;
use crate::costs::Rows;
use crate::delivery::{Entry, Outcome, Report, Status};
use crate::description::{Keying, Partner, ProblemClass, RecordTypeId};
use crate::digest::Digest;
use crate::fold::{Rank, Statement};
use crate::identity::Namespace;
use crate::json::Pointer;
use crate::map::{self, Budget, Contribution, Diagnostic, Input, MapError, Severity, decode};
use crate::note::{Note, shown};
use crate::parcel;
use crate::plan::Turn;
use crate::reconcile::{Reconciled, Resulting};
use crate::record::{Cut, Record};
use crate::resource;
use crate::said::{Said, marks};
use crate::state::State;
use crate::store::{Commit, Connection, Gone, HeldRecord, RecordId, RecordRow, RecordStep, StoreError, WaitStep};

/// Records of which what they said is read together.
const RECORDS_READ_TOGETHER: usize = 4_096;

/// Records of which nobody waits until what they said is taken apart; of fewer that takes no time.
const WORTH_LEAVING: usize = 64;

/// The records of a payload that are not as they were, and those that are no longer there.
pub(super) struct Changed<'r, 'a> {
    records: Vec<ChangedRecord<'r, 'a>>,
    removed: Vec<&'r HeldRecord>,
    gone: Vec<Gone>,
    state: &'r State,
    partner: &'r Partner,
    next_record: i64,
    pointers: HashMap<RecordId, &'r Pointer>,
}

/// A record to be mapped.
struct ChangedRecord<'r, 'a> {
    record: &'r Record<'a>,
    id: RecordId,
    held: Option<&'r HeldRecord>,
    /// What the reconciliation said of it, where records are checked one by one.
    resulting: Option<&'r Resulting>,
}

/// What is known of a record, before and afterwards.
pub(super) struct BeforeAndAfter<'c> {
    pub(super) of: RecordTypeId,
    pub(super) key: &'c str,
    pub(super) held: Option<&'c HeldRecord>,
    /// Canonical JSON; `None` where it is gone.
    pub(super) body: Option<Cow<'c, [u8]>>,
}

/// What mapping came to, in the order of the changed records.
pub(super) struct Outcomes {
    all: Vec<Mapped>,
    /// Which of them were mapped, and are written, together.
    pieces: Vec<Range<usize>>,
}

struct Mapped {
    id: RecordId,
    ended: Ended,
    diagnostics: Vec<Diagnostic>,
}

/// How mapping a record ended.
enum Ended {
    Well(Said),
    Refused,
    Fault(String),
}

impl<'r, 'a> Changed<'r, 'a> {
    /// Compares a payload, complete for the record types in `scope` and those nested in them, with what is stored.
    pub(super) fn find(
        cut: &'r Cut<'a>,
        state: &'r State,
        scope: &[RecordTypeId],
        partner: &'r Partner,
        next_record: i64,
    ) -> Self {
        let mut next_record = next_record;
        let mut present = BTreeSet::new();
        let mut records = Vec::new();
        let mut pointers = HashMap::new();
        for record in &cut.records {
            let held = state.get(record.of, &record.key);
            let id = held.map_or(RecordId(next_record), |held| held.id);
            pointers.insert(id, &record.pointer);
            if let Some(held) = held {
                present.insert(held.id);
                if held.digest == Some(record.digest) {
                    continue;
                }
            } else {
                next_record += 1;
            }
            records.push(ChangedRecord { record, id, held, resulting: None });
        }
        let in_scope = |held: &&HeldRecord| scope.contains(&outermost(held.of, partner)) && !present.contains(&held.id);
        let mut removed: Vec<_> = state.records().iter().filter(in_scope).collect();
        removed.sort_by_key(|held| held.id);
        Self { records, removed, gone: Vec::new(), state, partner, next_record, pointers }
    }

    /// What a reconciliation came to: `records` are those that are there, in its order.
    pub(super) fn of(
        reconciled: &'r Reconciled,
        records: &'r [Record<'a>],
        state: &'r State,
        partner: &'r Partner,
        next_record: i64,
    ) -> Self {
        let mut next_record = next_record;
        let mut changed = Vec::new();
        let mut pointers = HashMap::new();
        for (record, resulting) in records.iter().zip(&reconciled.present) {
            let held = state.get(record.of, &record.key);
            let settled = |held: &HeldRecord| {
                let same = held.digest == Some(record.digest) && held.as_of == resulting.as_of;
                same && !held.waits && resulting.waits.is_none()
            };
            if held.is_some_and(settled) {
                continue;
            }
            let id = held.map_or(RecordId(next_record), |held| held.id);
            next_record += i64::from(held.is_none());
            pointers.insert(id, &record.pointer);
            changed.push(ChangedRecord { record, id, held, resulting: Some(resulting) });
        }
        let removed = reconciled.gone.iter().filter_map(|gone| state.held(gone.id)).collect();
        let gone = reconciled
            .gone
            .iter()
            .filter_map(|gone| Some(Gone { of: gone.of, key: gone.key.clone(), as_of: gone.as_of? }));
        Self { records: changed, removed, gone: gone.collect(), state, partner, next_record, pointers }
    }

    /// Every record that may be another than before: as it is stored, and what it says from now on.
    pub(super) fn before_and_after(&self) -> impl Iterator<Item = BeforeAndAfter<'_>> {
        let present = self.records.iter().map(|changed| BeforeAndAfter {
            of: changed.record.of,
            key: &changed.record.key,
            held: changed.held,
            body: Some(changed.record.content.read()),
        });
        let removed = self.removed.iter();
        present.chain(removed.map(|held| BeforeAndAfter { of: held.of, key: &held.key, held: Some(held), body: None }))
    }

    /// Who waits from now on, and who no longer; and what the log says of those on whom the mapper or the plan had
    /// another word. `parked` are the records whose entities refer to one that is not there.
    pub(super) fn waits(
        &self,
        outcomes: &Outcomes,
        parked: &BTreeMap<RecordId, String>,
        entries: &mut [Entry],
    ) -> Vec<WaitStep> {
        let mut steps = Vec::new();
        for (changed, mapped) in self.records.iter().zip(&outcomes.all) {
            let Some(resulting) = changed.resulting else { continue };
            let entry = resulting.entry.and_then(|entry| entries.get_mut(entry));
            let waits = match (&resulting.waits, parked.get(&changed.id)) {
                (Some(waits), _) => Some(waits.clone()),
                (None, Some(kind)) => Some((kind.clone(), None)),
                (None, None) => None,
            };
            let outcome = match &mapped.ended {
                Ended::Well(..) if waits.is_some() => Outcome::Parked,
                Ended::Well(..) => Outcome::Created,
                Ended::Refused => Outcome::Refused,
                Ended::Fault(_) => Outcome::Fault,
            };
            if let Some(entry) = entry.filter(|_| outcome != Outcome::Created)
                && entry.outcome != outcome
            {
                entry.outcome = outcome;
                entry.notes = mapped.notes(changed.record, parked.get(&changed.id));
            }
            let (of, record) = (changed.record.of, changed.id);
            match waits {
                Some((for_what, until)) => {
                    let entry = resulting.entry.and_then(|entry| u32::try_from(entry).ok());
                    steps.push(WaitStep::Wait { of, record, for_what, until, entry });
                }
                None if changed.held.is_some_and(|held| held.waits) => steps.push(WaitStep::Linked { record, outcome }),
                None => {}
            }
        }
        steps
    }

    /// The records that are gone since a time that the partner told.
    pub(super) fn gone(&self) -> &[Gone] {
        &self.gone
    }

    /// The next free record number.
    pub(super) fn next_record(&self) -> i64 {
        self.next_record
    }

    /// The numbers that the records have, where the server counts them.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (String, i64)> {
        let counted = self.records.iter().filter_map(|changed| {
            let of = &self.partner.records[usize::from(changed.record.of.0)];
            let counts = of.keying == Keying::Counted || !of.counted.is_empty();
            counts.then(|| changed.record.look(|json| (of, json.to_value())))
        });
        counted.flat_map(|(of, body)| {
            let members = body.as_object().map(|members| resource::numbers(of, members).collect::<Vec<_>>());
            members.unwrap_or_default()
        })
    }

    /// Where in the payload a record stands.
    pub(super) fn pointer(&self, record: RecordId) -> Option<&Pointer> {
        self.pointers.get(&record).copied()
    }

    fn rank(&self, record: &'r Record<'a>) -> Rank<'r> {
        Rank { of: &self.partner.records[usize::from(record.of.0)].name, key: &record.key }
    }

    /// Which records are mapped, and written, together: as many as have `bytes_max` bytes, or one.
    fn pieces(&self, bytes_max: usize) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let (mut start, mut size) = (0, 0);
        for (at, changed) in self.records.iter().enumerate() {
            let bytes = changed.record.content.len() + changed.record.ancestors.len();
            if at > start && size + bytes > bytes_max {
                pieces.push(start..at);
                (start, size) = (at, 0);
            }
            size += bytes;
        }
        pieces.push(start..self.records.len());
        pieces
    }

    /// What happens to the stored records of a piece. Those in `bad` keep what they said when they were last mapped well.
    pub(super) fn put(&self, outcomes: &'r Outcomes, bad: &BTreeSet<RecordId>, piece: usize) -> Vec<RecordStep<'_>> {
        let range = outcomes.pieces[piece].clone();
        let put = self.records[range.clone()].par_iter().zip(&outcomes.all[range]).map(|(changed, mapped)| {
            let record = changed.record;
            let (cells, unknown) = record.row(&self.partner.records[usize::from(record.of.0)]);
            RecordStep::Put(RecordRow {
                of: record.of,
                id: changed.id,
                new: changed.held.is_none(),
                key: &record.key,
                digest: changed.digest(bad),
                ancestors: &record.ancestors,
                cells,
                unknown,
                contributions: match &mapped.ended {
                    Ended::Well(said) if !bad.contains(&changed.id) => Some(said.as_stored()),
                    _ => None,
                },
                as_of: changed.resulting.and_then(|resulting| resulting.as_of),
            })
        });
        put.collect()
    }

    /// What happens to the records that are no longer there.
    pub(super) fn removals(&self) -> impl Iterator<Item = RecordStep<'static>> {
        self.removed.iter().map(|held| RecordStep::Remove(held.of, held.id))
    }

    /// All records that are written or removed.
    pub(super) fn ids(&self) -> BTreeSet<RecordId> {
        self.records.iter().map(|changed| changed.id).chain(self.removed.iter().map(|held| held.id)).collect()
    }

    /// The records to be mapped: the place of each, and what it will be when it was mapped well.
    pub(super) fn held_after(&self, bad: &BTreeSet<RecordId>) -> impl Iterator<Item = (Rank<'_>, Option<Digest>)> {
        self.records.iter().map(|changed| (self.rank(changed.record), changed.digest(bad)))
    }
}

impl ChangedRecord<'_, '_> {
    /// What it is as it was mapped well, unless it waits or is one of the `bad`.
    fn digest(&self, bad: &BTreeSet<RecordId>) -> Option<Digest> {
        let waits = self.resulting.is_some_and(|resulting| resulting.waits.is_some());
        (!waits && !bad.contains(&self.id)).then_some(self.record.digest)
    }
}

/// The record type that `of` is nested in, at the very outside.
fn outermost(of: RecordTypeId, partner: &Partner) -> RecordTypeId {
    let mut outermost = of;
    while let Some(parent) = partner.records.get(usize::from(outermost.0)).and_then(|of| of.parent) {
        outermost = parent;
    }
    outermost
}

impl Outcomes {
    /// In how many pieces the records are written.
    pub(super) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// The records that were refused or faulted.
    pub(super) fn bad(&self) -> impl Iterator<Item = RecordId> {
        self.all.iter().filter(|mapped| !matches!(mapped.ended, Ended::Well(..))).map(|mapped| mapped.id)
    }

    /// Takes them apart while the answer is on its way, where that takes a while.
    pub(super) fn leave(self) {
        if self.all.len() >= WORTH_LEAVING {
            rayon::spawn(move || drop(self));
        }
    }

    /// Puts refusals, faults and what the mapper had to say into the report.
    pub(super) fn tell(&self, changed: &Changed<'_, '_>, report: &mut Report) {
        for (mapped, changed) in self.all.iter().zip(&changed.records) {
            let record = changed.record;
            let note = |diagnostic: &Diagnostic| {
                Note::new(record.place(&diagnostic.pointer), diagnostic.code.clone(), diagnostic.message.clone())
            };
            let bare = |code: &str, message: &str| Note::new(record.pointer.clone(), code, message);
            let refused = matches!(mapped.ended, Ended::Refused);
            let (why, beside): (Vec<_>, Vec<_>) =
                mapped.diagnostics.iter().partition(|diagnostic| refused && diagnostic.severity == Severity::Error);
            match &mapped.ended {
                Ended::Well(..) => {}
                Ended::Refused if why.is_empty() => report.refusals.push(bare("refused", "the mapper declines it")),
                Ended::Refused => report.refusals.extend(why.into_iter().map(note)),
                Ended::Fault(message) => report.faults.push(bare("fault", message)),
            }
            report.warnings.extend(beside.into_iter().filter(|beside| beside.severity != Severity::Info).map(note));
        }
    }
}

impl Mapped {
    /// The same without what can be read again.
    fn packed(self) -> Self {
        match self.ended {
            Ended::Well(said) => Self { ended: Ended::Well(said.packed()), ..self },
            ended => Self { ended, ..self },
        }
    }

    /// What a line of the log says of a record that was not mapped well, or whose entities wait for one of `kind`.
    fn notes(&self, record: &Record<'_>, kind: Option<&String>) -> Vec<Note> {
        let key = shown(&record.key);
        let bare = |code: &str, message: &str| Note::new(record.pointer.clone(), code, message).with("key", &key);
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let told: Vec<_> = errors
            .map(|told| {
                Note::new(record.place(&told.pointer), told.code.clone(), told.message.clone()).with("key", &key)
            })
            .collect();
        match (&self.ended, kind) {
            (Ended::Well(..), kind) => {
                let kind = kind.map_or("", String::as_str);
                vec![bare("parked", &format!("waits for a {kind} that it refers to")).with("field", kind)]
            }
            (Ended::Refused, _) if told.is_empty() => vec![bare("refused", "the mapper declines it")],
            (Ended::Refused, _) => told,
            (Ended::Fault(message), _) => vec![bare("fault", message)],
        }
    }
}

impl Work<'_> {
    /// Maps the changed records, piece by piece. Those whose type has no kinds say nothing, and say it well.
    pub(super) fn map(&self, changed: &Changed<'_, '_>, report: &mut Report) -> Result<Outcomes, Box<Report>> {
        let pieces = changed.pieces(self.ingest.limits.piece_bytes);
        let budget = Budget::new(&self.ingest.limits);
        let mut all = Vec::with_capacity(changed.records.len());
        let mut done = Ok(());
        for piece in &pieces {
            match self.map_piece(&changed.records[piece.clone()], &budget) {
                Ok(mapped) if pieces.len() > 1 => all.extend(packed(mapped)),
                Ok(mapped) => all = mapped,
                Err(error) => {
                    done = Err(error);
                    break;
                }
            }
        }
        self.costs.used(budget.fuel_used(), budget.memory_used());
        done.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "mapping failed");
            let mut failed = std::mem::replace(report, Report::new(Status::Failed));
            failed.status = Status::Failed;
            // A slow or busy machine may do better next time; a mapper that used up its means will not.
            failed.problem = Some(match error {
                MapError::Deadline(_) | MapError::Busy => ProblemClass::Unavailable,
                MapError::Fuel(_) | MapError::Faults(_) | MapError::Canonical => ProblemClass::Fault,
            });
            failed.faults.push(Note::new(Pointer::root(), "mapping", error.to_string()));
            Box::new(failed)
        })?;
        Ok(Outcomes { all, pieces })
    }

    fn map_piece(&self, records: &[ChangedRecord<'_, '_>], budget: &Budget) -> Result<Vec<Mapped>, MapError> {
        let canonical = &self.ingest.canonical;
        let mapped = |at: &usize| {
            let changed = &records[*at];
            let waits = changed.resulting.is_some_and(|resulting| resulting.waits.is_some());
            !waits && !self.kinds(changed).is_empty()
        };
        let at: Vec<_> = (0..records.len()).filter(mapped).collect();
        let bodies: Vec<_> = at.par_iter().map(|at| records[*at].record.content.read()).collect();
        let inputs: Vec<_> = at.iter().zip(&bodies).map(|(at, body)| self.input(&records[*at], body)).collect();
        let results = self.loaded.mapper.map(canonical, &self.options, &inputs, budget)?;
        let mut by_record: BTreeMap<usize, map::Mapped> = at.into_iter().zip(results).collect();
        let outcomes = (0..records.len()).map(|at| (records[at].id, by_record.remove(&at))).collect::<Vec<_>>();
        let outcomes = outcomes.into_par_iter().map(|(id, mapped)| {
            let (outcome, diagnostics) = mapped
                .map_or((map::Outcome::Contributions(Vec::new()), Vec::new()), |mapped| {
                    (mapped.outcome, mapped.diagnostics)
                });
            Mapped { id, ended: ended(outcome, canonical, self.namespace), diagnostics }
        });
        Ok(outcomes.collect())
    }

    fn kinds(&self, changed: &ChangedRecord<'_, '_>) -> &[crate::canonical::KindId] {
        &self.loaded.partner.records[usize::from(changed.record.of.0)].kinds
    }

    fn input<'r>(&'r self, changed: &ChangedRecord<'r, '_>, body: &'r [u8]) -> Input<'r> {
        let of = &self.loaded.partner.records[usize::from(changed.record.of.0)];
        let record = changed.record;
        Input { record: &of.name, kinds: &of.kinds, body, ancestors: &record.ancestors }
    }

    /// What each record said before and says now. A refused or faulted record has no turn: it keeps its word.
    pub(super) async fn turns<'r>(
        &self,
        connection: &Connection,
        changed: &'r Changed<'r, '_>,
        outcomes: &'r Outcomes,
    ) -> Result<Vec<Turn<'r>>, StoreError> {
        let well = |at: &usize| match &outcomes.all[*at].ended {
            Ended::Well(said) => Some((&changed.records[*at], said)),
            _ => None,
        };
        let in_pieces = (0..).zip(&outcomes.pieces).flat_map(|(piece, range)| range.clone().map(move |at| (piece, at)));
        let well: Vec<_> = in_pieces.filter_map(|(piece, at)| Some((piece, well(&at)?))).collect();
        let held = well.iter().filter_map(|(_, (changed, _))| changed.held).chain(changed.removed.iter().copied());
        let asked: Vec<_> = held.map(|held| (held.of, held.id)).collect();
        let mut before = HashMap::with_capacity(asked.len());
        for asked in asked.chunks(RECORDS_READ_TOGETHER) {
            let read = self.statements(connection, asked).await?;
            let marks = read
                .into_par_iter()
                .map(|(id, statements)| (id, marks(&statements, &self.ingest.canonical, self.namespace)));
            before.par_extend(marks);
        }
        let mut turns = Vec::with_capacity(well.len() + changed.removed.len());
        for (piece, (record, said)) in well {
            turns.push(Turn {
                record: record.id,
                rank: changed.rank(record.record),
                before: before.remove(&record.id).unwrap_or_default(),
                after: Some(said),
                piece,
            });
        }
        for held in &changed.removed {
            let before = before.remove(&held.id).unwrap_or_default();
            turns.push(Turn { record: held.id, rank: changed.state.rank(held), before, after: None, piece: 0 });
        }
        Ok(turns)
    }

    /// What the given records said when they were last mapped well.
    pub(super) async fn statements(
        &self,
        connection: &Connection,
        records: &[(RecordTypeId, RecordId)],
    ) -> Result<Vec<(RecordId, Vec<Statement>)>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let canonical = &self.ingest.canonical;
        let blobs = self.ingest.store.contributions(connection, &self.loaded.partner, records).await?;
        let read = |((_, id), blob): (&(RecordTypeId, RecordId), Vec<u8>)| {
            let contributions = if blob.is_empty() { Ok(Vec::new()) } else { decode(&blob, canonical) };
            let contributions = contributions.map_err(|error| StoreError::Inconsistent(error.to_string()))?;
            Ok((*id, statements(contributions, canonical)))
        };
        records.par_iter().zip(blobs).map(read).collect()
    }
}

/// The same in as little memory as it takes.
fn packed(mapped: Vec<Mapped>) -> Vec<Mapped> {
    let mut mapped: Vec<_> = mapped.into_iter().map(Mapped::packed).collect();
    parcel::pack(mapped.iter_mut().filter_map(|mapped| match &mut mapped.ended {
        Ended::Well(said) => said.loose_stored(),
        _ => None,
    }));
    mapped
}

fn statements(contributions: Vec<Contribution>, canonical: &Canonical) -> Vec<Statement> {
    contributions.into_iter().map(|contribution| Statement::new(contribution, canonical)).collect()
}

fn ended(outcome: map::Outcome, canonical: &Canonical, namespace: Namespace) -> Ended {
    match outcome {
        map::Outcome::Contributions(contributions) => Ended::Well(Said::new(contributions, canonical, namespace)),
        map::Outcome::Refused => Ended::Refused,
        map::Outcome::Fault(message) => Ended::Fault(message),
    }
}

/// How many rows of what are written.
pub(super) fn rows(commit: &Commit<'_>, records: usize, entities: usize) -> [(Rows, usize); Rows::ALL.len()] {
    [
        (Rows::Record, records),
        (Rows::Entity, entities),
        (Rows::Entry, commit.entries.len()),
        (Rows::Send, commit.sends.len()),
    ]
}
