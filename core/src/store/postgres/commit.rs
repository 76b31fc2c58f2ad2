//! Turns a [`Commit`] into rows, within one transaction: connection, delivery, records, and at last, because it makes
//! others wait, the tenant's part of the feed with the [entities](super::entities).

use sqlx::postgres::{PgBindIterExt as _, PgConnection};
use uuid::Uuid;

use super::copy::{self, Copying};
use super::entities::Entities;
use super::rows::{ROWS_PER_STATEMENT_MAX, Statement, all_changed, bind_cells, check, statement};
use super::{delivery, gone, jsonb, number, send, waiting};
use crate::canonical::Canonical;
use crate::description::{Partner, RecordTypeId};
use crate::store::sql::bulk;
use crate::store::{Commit, RecordRow, RecordStep, StoreError};
use crate::table::Table;

/// How many of the store's own columns a new record has.
const OWN_COLUMNS: usize = 10;

/// Applies all of it; says the end of the tenant's feed.
pub(super) async fn apply(
    database: &mut PgConnection,
    canonical: &Canonical,
    partner: &Partner,
    process: Option<Uuid>,
    commit: &Commit<'_>,
) -> Result<i64, StoreError> {
    let mut entities = Entities::of(canonical, commit);
    // While one waits for the server, the other makes what comes next.
    let (written, made) = tokio::join!(before(database, partner, process, commit), entities.make());
    written.and(made)?;
    entities.write(database).await
}

/// Applies all but what happens to entities.
async fn before(
    database: &mut PgConnection,
    partner: &Partner,
    process: Option<Uuid>,
    commit: &Commit<'_>,
) -> Result<(), StoreError> {
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
    send::apply(database, commit).await
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
    let mut copying = Copying::start(database, &bulk::copy_records(table)).await?;
    let rows = copying.rows();
    for row in put {
        check(table, &row.cells)?;
        rows.row(OWN_COLUMNS + table.columns.len())?;
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
    copying.send().await?;
    all_changed(copying.finish().await?, put.len(), "a record")
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
