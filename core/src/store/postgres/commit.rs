//! Turns a [`Commit`] into rows, within one transaction: connection, delivery, records, and at last, because it makes
//! others wait, the tenant's part of the feed with the entities.

use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection};
use uuid::Uuid;

use super::copy::{self, Copied};
use super::rows::{ROWS_PER_STATEMENT_MAX, Statement, all_changed, bind_cells, check, statement, storable};
use super::{delivery, gone, jsonb, number, send, waiting};
use crate::canonical::{Canonical, KindId};
use crate::description::{Partner, RecordTypeId};
use crate::store::contributors::encode;
use crate::store::sql::bulk;
use crate::store::stored::integer;
use crate::store::{Commit, EntityLink, EntityRow, EntityStep, Pieces, RecordRow, RecordStep, StoreError};
use crate::table::{Cell, Table};

/// How many of the store's own columns a new record, and a new entity, has.
const RECORD_COLUMNS: usize = 10;
const ENTITY_COLUMNS: usize = 11;

/// Applies all of it; says the end of the tenant's feed.
pub(super) async fn apply(
    database: &mut PgConnection,
    canonical: &Canonical,
    partner: &Partner,
    process: Option<Uuid>,
    commit: &Commit<'_>,
) -> Result<i64, StoreError> {
    advance(database, commit).await?;
    if let Some(received) = commit.received {
        delivery::keep(database, process, commit.connection, received).await?;
    }
    records(database, partner, commit).await?;
    let place = commit.connection.generation + 1;
    delivery::finish(database, process, commit.delivery, commit.at, commit.report, commit.entries, place).await?;
    waiting::apply(database, partner, commit).await?;
    gone::remember(database, partner, commit).await?;
    number::apply(database, commit).await?;
    send::apply(database, commit).await?;
    entities(database, canonical, commit).await
}

/// Takes the connection to its next generation. Its row stays locked: whoever else commits to it waits, and is stale.
async fn advance(database: &mut PgConnection, commit: &Commit<'_>) -> Result<(), StoreError> {
    let active = serde_json::to_string(&commit.active).map_err(|error| StoreError::Database(Box::new(error)))?;
    let applied = commit.applied.as_ref();
    let advanced = sqlx::query(
        "update connection set generation = generation + 1, next_record = $4, active = $5, applied_sha256 = $6, \
         applied_setting = $7, applied_state = $8 where tenant = $1 and id = $2 and generation = $3",
    )
    .bind(commit.connection.tenant_id)
    .bind(commit.connection.id)
    .bind(commit.connection.generation)
    .bind(commit.next_record)
    .bind(active)
    .bind(applied.map(|applied| applied.sha256))
    .bind(applied.map(|applied| *applied.setting.as_bytes()))
    .bind(applied.map(|applied| *applied.state.as_bytes()))
    .execute(database)
    .await?;
    if advanced.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// Writes the records; what goes makes room first.
async fn records(database: &mut PgConnection, partner: &Partner, commit: &Commit<'_>) -> Result<(), StoreError> {
    some_records(database, partner, commit, &commit.records).await?;
    if let Some(pieces) = commit.pieces {
        for piece in 0..pieces.records_count() {
            some_records(database, partner, commit, &pieces.records(piece)?).await?;
        }
    }
    Ok(())
}

/// Writes some of them, table by table.
async fn some_records(
    database: &mut PgConnection,
    partner: &Partner,
    commit: &Commit<'_>,
    steps: &[RecordStep<'_>],
) -> Result<(), StoreError> {
    gone::forget(database, partner, commit.connection, steps).await?;
    let mut steps: Vec<_> = steps.iter().map(|step| (record_order(step), step)).collect();
    steps.sort_by_key(|(order, _)| *order);
    for alike in steps.chunk_by(|(one, _), (other, _)| one == other) {
        let (of, action) = alike[0].0;
        let table = &partner.records[usize::from(of.0)].table;
        for some in alike.chunks(ROWS_PER_STATEMENT_MAX) {
            let (mut removed, mut put) = (Vec::new(), Vec::new());
            for (_, step) in some {
                match step {
                    RecordStep::Remove(_, id) => removed.push(id.0),
                    RecordStep::Put(row) => put.push(row),
                }
            }
            if action == RecordAction::Insert && put.len() >= copy::ROWS_MIN {
                copy_records(database, table, &put, commit).await?;
                continue;
            }
            let sql = match action {
                RecordAction::Remove => bulk::remove_records(table),
                RecordAction::Insert => bulk::insert_records(table),
                RecordAction::Update => bulk::update_records(table),
            };
            let rows = statement(sql).bind(commit.connection.tenant_id).bind(commit.connection.id);
            let rows = match action {
                RecordAction::Remove => rows.bind(removed),
                RecordAction::Insert | RecordAction::Update => {
                    let origin = (!commit.keeps_origins).then_some(commit.delivery);
                    bind_records(rows.bind(origin), table, &put)?
                }
            };
            all_changed(rows.execute(&mut *database).await?.rows_affected(), some.len(), "a record")?;
        }
    }
    Ok(())
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

/// Writes new records as [`bulk::insert_records`] does.
async fn copy_records(
    database: &mut PgConnection,
    table: &Table,
    put: &[&RecordRow<'_>],
    commit: &Commit<'_>,
) -> Result<(), StoreError> {
    let mut rows = Copied::new();
    for row in put {
        check(table, &row.cells)?;
        rows.row(RECORD_COLUMNS + table.columns.len())?;
        rows.integer(Some(commit.connection.tenant_id))?;
        rows.integer(Some(commit.connection.id))?;
        rows.id(commit.delivery)?;
        rows.integer(Some(row.id.0))?;
        rows.field(Some(row.key.as_bytes()))?;
        rows.field(row.digest.as_ref().map(|digest| digest.as_bytes().as_slice()))?;
        rows.field(Some(row.ancestors))?;
        let unknown = jsonb::beside(&table.columns, &row.cells, row.unknown.as_deref())?;
        rows.field(unknown.as_deref().map(str::as_bytes))?;
        rows.field(row.contributions.as_deref())?;
        rows.integer(row.as_of)?;
        rows.cells(table, &row.cells)?;
    }
    all_changed(rows.run(database, &bulk::copy_records(table)).await?, put.len(), "a record")
}

/// Writes new entities as [`bulk::insert_entities`] does.
async fn copy_entities(
    database: &mut PgConnection,
    table: &Table,
    placed: &[Placed<'_, '_>],
    commit: &Commit<'_>,
) -> Result<(), StoreError> {
    let mut rows = Copied::new();
    for (place, step) in placed {
        let EntityStep::Put(row) = step else { continue };
        let (first, others) = encoded(&row.link)?;
        check(table, &row.cells)?;
        rows.row(ENTITY_COLUMNS + table.columns.len())?;
        rows.integer(Some(commit.connection.tenant_id))?;
        rows.integer(Some(commit.connection.id))?;
        rows.integer(Some(commit.at.as_millisecond()))?;
        rows.boolean(true)?;
        rows.id(row.link.sourced_id)?;
        rows.boolean(row.link.uniform)?;
        rows.integer(Some(first))?;
        rows.field(others.as_deref())?;
        rows.integer(Some(*place))?;
        rows.field(Some(storable(&row.source_id).as_bytes()))?;
        rows.field(Some(row.digest.as_bytes()))?;
        rows.cells(table, &row.cells)?;
    }
    all_changed(rows.run(database, &bulk::copy_entities(table)).await?, placed.len(), "an entity")
}

fn bind_records(rows: Statement, table: &Table, put: &[&RecordRow<'_>]) -> Result<Statement, StoreError> {
    let text = |bytes| str::from_utf8(bytes).map_err(|error| StoreError::Inconsistent(error.to_string()));
    let unknown: Vec<_> = put
        .iter()
        .map(|row| jsonb::beside(&table.columns, &row.cells, row.unknown.as_deref()))
        .collect::<Result<_, _>>()?;
    let ancestors = put.iter().map(|row| text(row.ancestors)).collect::<Result<Vec<_>, _>>()?;
    let rows = rows
        .bind(put.iter().map(|row| row.id.0).bind_iter())
        .bind(put.iter().map(|row| row.key).bind_iter())
        .bind(put.iter().map(|row| row.digest.as_ref().map(|digest| digest.as_bytes().as_slice())).bind_iter())
        .bind(ancestors)
        .bind(unknown)
        .bind(put.iter().map(|row| row.contributions.as_deref()).bind_iter())
        .bind(put.iter().map(|row| row.as_of).bind_iter());
    let cells: Vec<_> = put.iter().map(|row| row.cells.as_slice()).collect();
    bind_cells(rows, table, &cells)
}

/// An entity's step, with its place in the feed.
type Placed<'s, 'c> = (i64, &'s EntityStep<'c>);

/// Writes the entities and gives those that changed their places in the feed, in the plan's order; says its end.
async fn entities(database: &mut PgConnection, canonical: &Canonical, commit: &Commit<'_>) -> Result<i64, StoreError> {
    let changes = commit.entities.iter().filter(|step| !matches!(step, EntityStep::Relink(_))).count();
    let changes = integer(changes);
    let later = commit.pieces.map_or(0, Pieces::changes);
    let end = move_feed(database, commit.connection.tenant_id, changes + later).await?;
    let mut place = end - later - changes;
    let mut steps = Vec::with_capacity(commit.entities.len());
    for step in &commit.entities {
        place += i64::from(!matches!(step, EntityStep::Relink(_)));
        steps.push((entity_order(step), (place, step)));
    }
    some_entities(database, canonical, commit, steps).await?;
    if let Some(pieces) = commit.pieces {
        let all: Vec<_> = (0..pieces.entities_count()).collect();
        for some in all.chunks(pieces.entities_together()) {
            let mut placed = Vec::new();
            for piece in some {
                placed.append(&mut pieces.entities(*piece)?);
            }
            let steps = placed.iter().map(|(nth, step)| (entity_order(step), (place + 1 + nth, step))).collect();
            some_entities(database, canonical, commit, steps).await?;
        }
    }
    Ok(end)
}

/// Writes some entities, table by table in the order of their ids, which is the order of the index.
async fn some_entities(
    database: &mut PgConnection,
    canonical: &Canonical,
    commit: &Commit<'_>,
    mut steps: Vec<((KindId, EntityAction), Placed<'_, '_>)>,
) -> Result<(), StoreError> {
    steps.sort_by_key(|(order, (_, step))| (*order, *sourced_id(step).as_bytes()));
    for alike in steps.chunk_by(|(one, _), (other, _)| one == other) {
        let (kind, action) = alike[0].0;
        for some in alike.chunks(ROWS_PER_STATEMENT_MAX) {
            let placed: Vec<_> = some.iter().map(|(_, placed)| *placed).collect();
            if action == EntityAction::Insert && placed.len() >= copy::ROWS_MIN {
                copy_entities(database, &canonical.kind(kind).table, &placed, commit).await?;
                continue;
            }
            let rows = entity_rows(&canonical.kind(kind).table, action, &placed, commit)?;
            all_changed(rows.execute(&mut *database).await?.rows_affected(), some.len(), "an entity")?;
        }
    }
    Ok(())
}

/// Takes so many places in the feed of a tenant, and keeps it locked; says the last of them. None is taken by reading.
async fn move_feed(database: &mut PgConnection, tenant: i64, places: i64) -> Result<i64, StoreError> {
    let sql = match places {
        0 => "select sequence from tenant where id = $1 and $2 = 0::bigint",
        _ => "update tenant set sequence = sequence + $2 where id = $1 returning sequence",
    };
    Ok(sqlx::query(sql).bind(tenant).bind(places).fetch_one(database).await?.try_get(0)?)
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

/// A statement that does to all of these entities what is done alike.
fn entity_rows(
    table: &Table,
    action: EntityAction,
    placed: &[Placed<'_, '_>],
    commit: &Commit<'_>,
) -> Result<Statement, StoreError> {
    let sql = match action {
        EntityAction::Retire => bulk::retire_entities(table),
        EntityAction::Relink => bulk::relink_entities(table),
        EntityAction::Update => bulk::update_entities(table),
        EntityAction::Insert => bulk::insert_entities(table),
    };
    let mut rows = statement(sql).bind(commit.connection.tenant_id).bind(commit.connection.id);
    if action != EntityAction::Relink {
        rows = rows.bind(commit.at.as_millisecond());
    }
    let rows = rows.bind(placed.iter().map(|(_, step)| *sourced_id(step)).bind_iter());
    let in_feed = placed.iter().map(|(place, _)| *place).bind_iter();
    match action {
        EntityAction::Retire => Ok(rows.bind(in_feed)),
        EntityAction::Relink => bind_links(rows, placed),
        EntityAction::Update | EntityAction::Insert => {
            let put: Vec<_> = placed.iter().filter_map(|(_, step)| put(step)).collect();
            let rows = bind_links(rows, placed)?
                .bind(in_feed)
                .bind(put.iter().map(|row| storable(&row.source_id)).bind_iter())
                .bind(put.iter().map(|row| row.digest.as_bytes().as_slice()).bind_iter());
            let cells: Vec<&[Cell<'_>]> = put.iter().map(|row| row.cells.as_slice()).collect();
            bind_cells(rows, table, &cells)
        }
    }
}

fn put<'s, 'c>(step: &'s EntityStep<'c>) -> Option<&'s EntityRow<'c>> {
    if let EntityStep::Put(row) = step { Some(row) } else { None }
}

fn link<'s>(step: &'s EntityStep<'_>) -> Option<&'s EntityLink> {
    match step {
        EntityStep::Put(row) => Some(&row.link),
        EntityStep::Relink(link) => Some(link),
        EntityStep::Retire(..) => None,
    }
}

/// Binds uniform, record, contributors.
fn bind_links(rows: Statement, placed: &[Placed<'_, '_>]) -> Result<Statement, StoreError> {
    let links = placed.iter().filter_map(|(_, step)| link(step));
    let encoded = links.clone().map(encoded).collect::<Result<Vec<_>, _>>()?;
    Ok(rows
        .bind(links.map(|link| link.uniform).bind_iter())
        .bind(encoded.iter().map(|(first, _)| *first).bind_iter())
        .bind(encoded.iter().map(|(_, others)| others.as_deref()).bind_iter()))
}

/// The first contributor, and the others if there are any.
fn encoded(link: &EntityLink) -> Result<(i64, Option<Vec<u8>>), StoreError> {
    let (first, others) = encode(&link.contributors);
    let none = || StoreError::Inconsistent("an entity without contributors is not active".to_owned());
    Ok((first.ok_or_else(none)?, others))
}
