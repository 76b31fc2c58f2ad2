//! Turns the steps of entities into rows of their tables, and gives those that change their places in the feed.
//!
//! New ones are copied, in few streams per kind however many pieces they come in: the server works on what is there while
//! the next piece is made. All others take a statement for what is done alike.

mod gathered;

use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection};
use uuid::Uuid;

use self::gathered::{Action, Gathered, Placed};
use super::copy::Copying;
use super::rows::{ROWS_PER_STATEMENT_MAX, Statement, all_changed, bind_cells, check, statement, storable};
use crate::canonical::{Canonical, KindId};
use crate::store::contributors::encode;
use crate::store::sql::bulk;
use crate::store::{Commit, EntityLink, EntityRow, EntityStep, StoreError};
use crate::table::{Cell, Table};

/// New entities that one stream takes: what takes longer than a statement may is no statement, and making them counts.
const STREAM_ROWS_MAX: usize = 100_000;

/// How many of the store's own columns a new entity has.
const OWN_COLUMNS: usize = 11;

/// All that a commit does to entities.
pub(super) struct Entities<'c> {
    canonical: &'c Canonical,
    commit: &'c Commit<'c>,
    gathered: Gathered<'c>,
}

impl<'c> Entities<'c> {
    /// What `commit` says, nothing of which is made yet.
    pub(super) fn of(canonical: &'c Canonical, commit: &'c Commit<'c>) -> Self {
        Self { canonical, commit, gathered: Gathered::of(commit) }
    }

    /// Makes what is written first, a piece whenever whoever goes on beside waits for something.
    pub(super) async fn make(&mut self) -> Result<(), StoreError> {
        while !self.gathered.is_worth_writing() && self.gathered.make()? {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Writes them, those that changed at the end of the tenant's part of the feed, in the plan's order; says its end.
    pub(super) async fn write(mut self, database: &mut PgConnection) -> Result<i64, StoreError> {
        let changes = self.gathered.changes();
        let end = move_feed(database, self.commit.connection.tenant_id, changes).await?;
        let rows = Rows { commit: self.commit, first: end - changes + 1 };
        while self.gathered.gather()? {
            match self.gathered.copied() {
                Some(kind) => self.copy(database, &rows, kind).await?,
                None => self.run(database, &rows).await?,
            }
        }
        Ok(end)
    }

    /// Copies new entities of a kind, as many as come one after the other and one stream takes.
    async fn copy(&mut self, database: &mut PgConnection, rows: &Rows<'_>, kind: KindId) -> Result<(), StoreError> {
        let table = &self.canonical.kind(kind).table;
        let mut copying = Copying::start(database, &bulk::copy_entities(table)).await?;
        let mut count = 0;
        while count < STREAM_ROWS_MAX
            && let Some(placed) = self.gathered.new_of(kind)?
        {
            count += placed.len();
            rows.copy(&mut copying, table, &placed)?;
            copying.send().await?;
        }
        all_changed(copying.finish().await?, count, "an entity")
    }

    /// Writes all that is there, table by table.
    async fn run(&mut self, database: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
        for ((kind, action), placed) in self.gathered.all() {
            let table = &self.canonical.kind(kind).table;
            for some in placed.chunks(ROWS_PER_STATEMENT_MAX) {
                let changed = rows.statement(table, action, some)?.execute(&mut *database).await?.rows_affected();
                all_changed(changed, some.len(), "an entity")?;
            }
        }
        Ok(())
    }
}

/// Takes so many places in the feed of a tenant, and keeps it locked; says the last of them. None is taken by reading.
async fn move_feed(database: &mut PgConnection, tenant: i64, places: i64) -> Result<i64, StoreError> {
    let sql = match places {
        0 => "select sequence from tenant where id = $1 and $2 = 0::bigint",
        _ => "update tenant set sequence = sequence + $2 where id = $1 returning sequence",
    };
    Ok(sqlx::query(sql).bind(tenant).bind(places).fetch_one(database).await?.try_get(0)?)
}

/// What rows are made from, beside their steps.
struct Rows<'c> {
    commit: &'c Commit<'c>,
    /// The first place in the feed that this commit takes.
    first: i64,
}

impl Rows<'_> {
    /// Makes rows as [`bulk::insert_entities`] does.
    fn copy(&self, copying: &mut Copying<'_>, table: &Table, placed: &[Placed<'_>]) -> Result<(), StoreError> {
        let rows = copying.rows();
        for (placed, row) in placed.iter().filter_map(|placed| Some((placed, put(placed.step())?))) {
            let (first, others) = encoded(&row.link)?;
            check(table, &row.cells)?;
            rows.row(OWN_COLUMNS + table.columns.len())?;
            rows.integer(Some(self.commit.connection.tenant_id))?;
            rows.integer(Some(self.commit.connection.id))?;
            rows.integer(Some(self.commit.at.as_millisecond()))?;
            rows.boolean(true)?;
            rows.id(row.link.sourced_id)?;
            rows.boolean(row.link.uniform)?;
            rows.integer(Some(first))?;
            rows.field(others.as_deref())?;
            rows.integer(Some(self.first + placed.place))?;
            rows.field(Some(storable(&row.source_id).as_bytes()))?;
            rows.field(Some(row.digest.as_bytes()))?;
            rows.cells(table, &row.cells)?;
        }
        Ok(())
    }

    /// A statement that does to all of these entities what is done alike.
    fn statement(&self, table: &Table, action: Action, placed: &[Placed<'_>]) -> Result<Statement, StoreError> {
        let sql = match action {
            Action::Retire => bulk::retire_entities(table),
            Action::Relink => bulk::relink_entities(table),
            Action::Update => bulk::update_entities(table),
            Action::Insert => bulk::insert_entities(table),
        };
        let connection = self.commit.connection;
        let mut rows = statement(sql).bind(connection.tenant_id).bind(connection.id);
        if action != Action::Relink {
            rows = rows.bind(self.commit.at.as_millisecond());
        }
        let rows = rows.bind(placed.iter().map(|placed| *sourced_id(placed.step())).bind_iter());
        let in_feed = placed.iter().map(|placed| self.first + placed.place).bind_iter();
        match action {
            Action::Retire => Ok(rows.bind(in_feed)),
            Action::Relink => bind_links(rows, placed),
            Action::Update | Action::Insert => {
                let put: Vec<_> = placed.iter().filter_map(|placed| put(placed.step())).collect();
                let rows = bind_links(rows, placed)?
                    .bind(in_feed)
                    .bind(put.iter().map(|row| storable(&row.source_id)).bind_iter())
                    .bind(put.iter().map(|row| row.digest.as_bytes().as_slice()).bind_iter());
                let cells: Vec<&[Cell<'_>]> = put.iter().map(|row| row.cells.as_slice()).collect();
                bind_cells(rows, table, &cells)
            }
        }
    }
}

fn sourced_id<'s>(step: &'s EntityStep<'_>) -> &'s Uuid {
    match step {
        EntityStep::Put(row) => &row.link.sourced_id,
        EntityStep::Relink(link) => &link.sourced_id,
        EntityStep::Retire(_, sourced_id) => sourced_id,
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
fn bind_links(rows: Statement, placed: &[Placed<'_>]) -> Result<Statement, StoreError> {
    let links = placed.iter().filter_map(|placed| link(placed.step()));
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
