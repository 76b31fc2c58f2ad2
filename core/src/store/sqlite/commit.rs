//! Turns a [`Commit`] into rows, within one transaction: connection, records, entities, feed, delivery.

use std::ops::AddAssign as _;

use rusqlite::params;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::rows::{Rows, optional_bytes, optional_text};
use super::writer::Transaction;
use super::{ahead, delivery, gone, number, send, waiting};
use crate::canonical::{Canonical, KindId};
use crate::description::{Partner, RecordTypeId};
use crate::store::contributors::encode;
use crate::store::sql::{self, ENTITY_PARAMETERS, ENTITY_PARAMETERS_SHARED, RECORD_PARAMETERS};
use crate::store::{self, Commit, EntityLink, EntityRow, EntityStep, RecordRow, RecordStep, StoreError};
use crate::table::Table;

/// New entities that one statement writes: a quarter of what a row costs in a statement of its own is the statement.
/// More than these gain nothing further.
const INSERTED_TOGETHER: usize = 8;

/// Applies all of it; says the end of the tenant's feed.
pub(super) fn apply(
    transaction: &Transaction<'_>,
    canonical: &Canonical,
    partner: &Partner,
    process: Option<Uuid>,
    commit: &Commit<'_>,
) -> Result<i64, StoreError> {
    advance(transaction, commit)?;
    let end = rows(transaction, canonical, partner, commit)?;
    let place = Some(commit.connection.generation + 1);
    delivery::finish(transaction, process, commit.delivery, commit.at, commit.report, commit.entries, place)?;
    waiting::apply(transaction, partner, commit)?;
    gone::remember(transaction, partner, commit)?;
    number::apply(transaction, commit)?;
    send::apply(transaction, commit)?;
    Ok(end)
}

/// Takes the connection to its next generation.
fn advance(transaction: &Transaction<'_>, commit: &Commit<'_>) -> Result<(), StoreError> {
    let active = serde_json::to_string(&commit.active).map_err(|error| StoreError::Database(Box::new(error)))?;
    let applied = commit.applied.as_ref();
    let mut statement = transaction.prepare_cached(
        "update connection set generation = generation + 1, next_record = ?3, active = ?4, applied_sha256 = ?5, \
         applied_setting = ?6, applied_state = ?7 where id = ?1 and generation = ?2",
    )?;
    let advanced = statement.execute(params![
        commit.connection.id,
        commit.connection.generation,
        commit.next_record,
        active,
        applied.map(|applied| applied.sha256),
        applied.map(|applied| applied.setting.as_bytes()),
        applied.map(|applied| applied.state.as_bytes()),
    ])?;
    if advanced == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// Writes the records (what goes makes room first), then the entities, and gives those of these that changed their places in
/// the feed, in the plan's order; says its end.
fn rows(
    transaction: &Transaction<'_>,
    canonical: &Canonical,
    partner: &Partner,
    commit: &Commit<'_>,
) -> Result<i64, StoreError> {
    let tenant = commit.connection.tenant_id;
    let begin: i64 = transaction.prepare_cached("select sequence from feed")?.query_row([], |row| row.get(0))?;
    let mut end = begin;
    let placed = commit.entities.iter().map(|step| {
        end.add_assign(i64::from(!matches!(step, EntityStep::Relink(_))));
        (entity_order(step), end, step)
    });
    let placed = placed.collect();
    let writer = Entities { transaction, canonical, tenant, commit };
    some_records(transaction, partner, commit, &commit.records)?;
    if let Some(pieces) = commit.pieces {
        let records = || {
            for piece in 0..pieces.records_count() {
                some_records(transaction, partner, commit, &pieces.records(piece)?)?;
            }
            writer.write(placed)
        };
        let (count, together) = (pieces.entities_count(), pieces.entities_together());
        let entities = |steps: &Vec<store::Placed<'_>>| {
            let placed = steps.iter().map(|(place, step)| (entity_order(step), end + 1 + place, step));
            writer.write(placed.collect())
        };
        ahead::each(count, together, |piece| pieces.entities(piece), records, entities)?;
        end += pieces.changes();
    } else {
        writer.write(placed)?;
    }
    move_feed(transaction, tenant, (begin != end).then_some(end))
}

/// Writes some of them, table by table.
fn some_records(
    transaction: &Transaction<'_>,
    partner: &Partner,
    commit: &Commit<'_>,
    steps: &[RecordStep<'_>],
) -> Result<(), StoreError> {
    let mut steps: Vec<_> = steps.iter().map(|step| (record_order(step), step)).collect();
    steps.sort_by_key(|(order, _)| *order);
    for alike in steps.chunk_by(|(one, _), (other, _)| one == other) {
        let (of, action) = alike[0].0;
        let table = &partner.records[usize::from(of.0)].table;
        let sql = match action {
            RecordAction::Remove => sql::remove_record(table),
            RecordAction::Insert => sql::insert_record(table),
            RecordAction::Update => sql::update_record(table),
        };
        let mut rows = Rows::new(transaction, &sql)?;
        rows.integer(1, commit.connection.id)?;
        if action != RecordAction::Remove {
            let delivery = commit.delivery.as_bytes().as_slice();
            rows.bind(2, optional_bytes((!commit.keeps_origins).then_some(delivery)))?;
        }
        for (_, step) in alike {
            match step {
                RecordStep::Remove(_, id) => rows.integer(2, id.0)?,
                RecordStep::Put(row) => bind_record(&mut rows, table, row)?,
            }
            rows.run("a record")?;
        }
    }
    gone::forget(transaction, partner, commit.connection, steps.iter().map(|(_, step)| *step))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RecordAction {
    Remove,
    Update,
    Insert,
}

fn record_order(step: &RecordStep<'_>) -> (RecordTypeId, RecordAction) {
    match step {
        RecordStep::Remove(of, _) => (*of, RecordAction::Remove),
        RecordStep::Put(row) if row.new => (row.of, RecordAction::Insert),
        RecordStep::Put(row) => (row.of, RecordAction::Update),
    }
}

fn bind_record(rows: &mut Rows<'_>, table: &Table, row: &RecordRow<'_>) -> Result<(), StoreError> {
    rows.integer(3, row.id.0)?;
    rows.text(4, row.key.as_bytes())?;
    rows.bind(5, optional_bytes(row.digest.as_ref().map(|digest| digest.as_bytes().as_slice())))?;
    rows.text(6, row.ancestors)?;
    rows.bind(7, optional_text(row.unknown.as_deref()))?;
    rows.bind(8, optional_bytes(row.contributions.as_deref()))?;
    rows.bind(9, row.as_of.map_or(ValueRef::Null, ValueRef::Integer))?;
    rows.cells(RECORD_PARAMETERS, &table.columns, &row.cells)
}

/// Moves the end of the feed, if it moves; says the end of the tenant's part of it.
fn move_feed(transaction: &Transaction<'_>, tenant: i64, end: Option<i64>) -> Result<i64, StoreError> {
    if let Some(end) = end {
        transaction.prepare_cached("update feed set sequence = ?1")?.execute([end])?;
        transaction.prepare_cached("update tenant set sequence = ?2 where id = ?1")?.execute([tenant, end])?;
    }
    let mut statement = transaction.prepare_cached("select sequence from tenant where id = ?1")?;
    Ok(statement.query_row([tenant], |row| row.get(0))?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EntityAction {
    Retire,
    Relink,
    Update,
    Insert,
}

fn entity_order(step: &EntityStep<'_>) -> (KindId, EntityAction) {
    match step {
        EntityStep::Put(row) if row.new => (row.link.kind, EntityAction::Insert),
        EntityStep::Put(row) => (row.link.kind, EntityAction::Update),
        EntityStep::Relink(link) => (link.kind, EntityAction::Relink),
        EntityStep::Retire(kind, _) => (*kind, EntityAction::Retire),
    }
}

fn sourced_id<'a>(step: &'a EntityStep<'_>) -> &'a Uuid {
    match step {
        EntityStep::Put(row) => &row.link.sourced_id,
        EntityStep::Relink(link) => &link.sourced_id,
        EntityStep::Retire(_, sourced_id) => sourced_id,
    }
}

/// A place in the feed, and the step that takes it.
type Placed<'s, 'c> = ((KindId, EntityAction), i64, &'s EntityStep<'c>);

/// Writes entities.
struct Entities<'e> {
    transaction: &'e Transaction<'e>,
    canonical: &'e Canonical,
    tenant: i64,
    commit: &'e Commit<'e>,
}

/// Entities of one kind to which the same happens.
struct Alike<'e> {
    tenant: i64,
    commit: &'e Commit<'e>,
    table: &'e Table,
    action: EntityAction,
}

impl Entities<'_> {
    /// Writes these, table by table in the order of their ids, which is the order of the index.
    fn write(&self, mut steps: Vec<Placed<'_, '_>>) -> Result<(), StoreError> {
        let Self { transaction, canonical, tenant, commit } = *self;
        steps.sort_by_key(|((kind, action), _, step)| (*kind, *action, *sourced_id(step).as_bytes()));
        for alike in steps.chunk_by(|(one, ..), (other, ..)| one == other) {
            let (kind, action) = alike[0].0;
            let entities = Alike { tenant, commit, table: &canonical.kind(kind).table, action };
            if action == EntityAction::Insert {
                let (many, single) = alike.split_at(alike.len() - alike.len() % INSERTED_TOGETHER);
                entities.write(transaction, many, INSERTED_TOGETHER)?;
                entities.write(transaction, single, 1)?;
            } else {
                entities.write(transaction, alike, 1)?;
            }
        }
        Ok(())
    }
}

impl Alike<'_> {
    /// Writes them, `together` by one statement, of which their number is a multiple.
    fn write(
        &self,
        transaction: &Transaction<'_>,
        steps: &[Placed<'_, '_>],
        together: usize,
    ) -> Result<(), StoreError> {
        if steps.is_empty() {
            return Ok(());
        }
        let sql = match self.action {
            EntityAction::Retire => sql::retire_entity(self.table),
            EntityAction::Relink => sql::relink_entity(self.table),
            EntityAction::Update => sql::update_entity(self.table),
            EntityAction::Insert => sql::insert_entities(self.table, together),
        };
        let mut rows = Rows::new(transaction, &sql)?;
        rows.integer(1, self.tenant)?;
        rows.integer(2, self.commit.connection.id)?;
        self.bind_modified(&mut rows)?;
        let width = ENTITY_PARAMETERS - ENTITY_PARAMETERS_SHARED + self.table.columns.len();
        for steps in steps.chunks(together) {
            for (nth, (_, place, step)) in steps.iter().enumerate() {
                self.bind(&mut rows, nth * width, step, *place)?;
            }
            rows.run_all(together, "an entity")?;
        }
        Ok(())
    }

    fn bind_modified(&self, rows: &mut Rows<'_>) -> Result<(), StoreError> {
        let modified = self.commit.at.as_millisecond();
        match self.action {
            EntityAction::Insert | EntityAction::Update => rows.integer(3, modified),
            EntityAction::Retire => rows.integer(4, modified),
            EntityAction::Relink => Ok(()),
        }
    }

    /// Binds what is said of one entity; `after` parameters of those that stand before it in the same statement.
    fn bind(&self, rows: &mut Rows<'_>, after: usize, step: &EntityStep<'_>, place: i64) -> Result<(), StoreError> {
        match step {
            EntityStep::Put(EntityRow { link, source_id, digest, cells, .. }) => {
                rows.bytes(after + 4, link.sourced_id.as_bytes())?;
                rows.text(after + 5, source_id.as_bytes())?;
                rows.integer(after + 6, place)?;
                rows.bytes(after + 7, digest.as_bytes())?;
                bind_link(rows, after + 8, link)?;
                rows.cells(after + ENTITY_PARAMETERS, &self.table.columns, cells)
            }
            EntityStep::Relink(link) => {
                rows.bytes(3, link.sourced_id.as_bytes())?;
                bind_link(rows, 4, link)
            }
            EntityStep::Retire(_, sourced_id) => {
                rows.bytes(3, sourced_id.as_bytes())?;
                rows.integer(5, place)
            }
        }
    }
}

/// Binds uniform, record, contributors from the parameter `from` on.
fn bind_link(rows: &mut Rows<'_>, from: usize, link: &EntityLink) -> Result<(), StoreError> {
    let (first, others) = encode(&link.contributors);
    let first =
        first.ok_or_else(|| StoreError::Inconsistent("an entity without contributors is not active".to_owned()))?;
    rows.integer(from, i64::from(link.uniform))?;
    rows.integer(from + 1, first)?;
    rows.bind(from + 2, optional_bytes(others.as_deref()))
}
