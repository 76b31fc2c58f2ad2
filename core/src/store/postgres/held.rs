//! What planning reads: records with their contributions, by whatever they are asked for, and entities.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use uuid::Uuid;

use super::rows::statement;
use super::waiting;
use crate::canonical::{Canonical, KindId};
use crate::description::{Partner, RecordType, RecordTypeId};
use crate::digest::Digest;
use crate::store::body::{self, Stored};
use crate::store::contributors::{damaged, decode};
use crate::store::sql::bulk;
use crate::store::{Connection, HeldEntity, HeldRecord, RecordId, StoreError, Values};
use crate::table::{Column, ColumnForm, Table};

/// All records of a connection.
pub(super) async fn records(
    database: &mut PgConnection,
    connection: &Connection,
    partner: &Partner,
) -> Result<Vec<HeldRecord>, StoreError> {
    let waiting = waiting::of(database, connection).await?;
    let mut held = Vec::new();
    for (of, record) in (0..).map(RecordTypeId).zip(&partner.records) {
        let rows = statement(bulk::held_records(&record.table))
            .bind(connection.tenant_id)
            .bind(connection.id)
            .fetch_all(&mut *database)
            .await?;
        for row in &rows {
            let waits = waiting.contains(&RecordId(row.try_get(0)?));
            held.push(held_as(of, row, waits)?);
        }
    }
    Ok(held)
}

/// A record in five columns: id, key, digest, as of, whether it waits.
pub(super) fn held(of: RecordTypeId, row: &PgRow) -> Result<HeldRecord, StoreError> {
    held_as(of, row, row.try_get(4)?)
}

fn held_as(of: RecordTypeId, row: &PgRow, waits: bool) -> Result<HeldRecord, StoreError> {
    Ok(HeldRecord {
        id: RecordId(row.try_get(0)?),
        of,
        key: row.try_get(1)?,
        digest: row.try_get::<Option<&[u8]>, _>(2)?.map(stored_digest).transpose()?,
        waits,
        as_of: row.try_get(3)?,
    })
}

/// The records with these keys, in the same order.
pub(super) async fn by_key(
    pool: &PgPool,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    keys: &[String],
) -> Result<Vec<Option<HeldRecord>>, StoreError> {
    let rows = statement(bulk::records_by_key(&record_type(partner, of).table))
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(keys)
        .fetch_all(pool)
        .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert(row.try_get::<&str, _>(1)?, held(of, row)?);
    }
    Ok(keys.iter().map(|key| found.get(key.as_str()).cloned()).collect())
}

/// The records with these numbers, those that are there. Record types that are mapped are looked through first, for they
/// are who contributes to entities; once all are found, no further one is.
pub(super) async fn by_id(
    database: &mut PgConnection,
    connection: &Connection,
    partner: &Partner,
    records: &[RecordId],
) -> Result<Vec<HeldRecord>, StoreError> {
    let mut wanted = numbers(records);
    wanted.sort_unstable();
    wanted.dedup();
    let mut types: Vec<_> = (0..).map(RecordTypeId).zip(&partner.records).collect();
    types.sort_by_key(|(_, record)| record.kinds.is_empty());
    let mut found = Vec::with_capacity(wanted.len());
    for (of, record) in types {
        if found.len() == wanted.len() {
            break;
        }
        let rows = statement(bulk::records_by_id(&record.table))
            .bind(connection.tenant_id)
            .bind(connection.id)
            .bind(&wanted)
            .fetch_all(&mut *database)
            .await?;
        for row in &rows {
            found.push(held(of, row)?);
        }
    }
    Ok(found)
}

/// What each of `records`, all of the type `of`, says.
pub(super) async fn bodies(
    pool: &PgPool,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    records: &[RecordId],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let table = &record_type(partner, of).table;
    let rows = statement(bulk::record_bodies(table))
        .bind(connection.tenant_id)
        .bind(connection.id)
        .bind(numbers(records))
        .fetch_all(pool)
        .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert(RecordId(row.try_get(0)?), body(table, row, 1)?);
    }
    let mut bodies = Vec::with_capacity(records.len());
    for (nth, id) in records.iter().enumerate() {
        let is_last = !records[nth + 1..].contains(id);
        let body = if is_last { found.remove(id) } else { found.get(id).cloned() };
        bodies.push(body.ok_or_else(|| StoreError::Inconsistent("a record to be read is not there".to_owned()))?);
    }
    Ok(bodies)
}

/// What a record says, from the column `first` on: what its schema does not know, then the columns.
pub(super) fn body(table: &Table, row: &PgRow, first: usize) -> Result<Vec<u8>, StoreError> {
    let cells = (first + 1..).zip(&table.columns).map(|(position, column)| stored(row, position, column));
    body::write(&table.columns, cells, row.try_get(first)?)
}

/// A value of a record, as text where it is nested.
fn stored<'r>(row: &'r PgRow, position: usize, column: &Column) -> Result<Option<Stored<'r>>, StoreError> {
    Ok(match column.form {
        ColumnForm::Integer => row.try_get::<Option<_>, _>(position)?.map(Stored::Integer),
        ColumnForm::Boolean => row.try_get::<Option<bool>, _>(position)?.map(|it| Stored::Integer(it.into())),
        ColumnForm::Json => row.try_get::<Option<_>, _>(position)?.map(Stored::Loose),
        ColumnForm::Text | ColumnForm::Number => row.try_get::<Option<_>, _>(position)?.map(Stored::Text),
        ColumnForm::Id => return Err(damaged("what a record says")),
    })
}

/// What all records of the type `of` say in `members`, which must have columns.
pub(super) async fn values(
    pool: &PgPool,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    members: &[String],
) -> Result<Values, StoreError> {
    let record = record_type(partner, of);
    let column = |member: &String| {
        let column = record.table.columns.iter().find(|column| column.property == *member);
        column.ok_or_else(|| StoreError::Inconsistent(format!("{} has no column for {member}", record.name)))
    };
    let columns = members.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let rows = statement(bulk::record_values(&record.table, columns.iter().copied()))
        .bind(connection.tenant_id)
        .bind(connection.id)
        .fetch_all(pool)
        .await?;
    let mut values = Vec::with_capacity(rows.len());
    for row in &rows {
        let texts = (1..).zip(&columns).map(|(position, column)| match stored(row, position, column)? {
            Some(cell) => body::text(column.form, cell),
            None => Ok(None),
        });
        values.push((RecordId(row.try_get(0)?), texts.collect::<Result<_, _>>()?));
    }
    Ok(values)
}

/// The encoded contributions of the given records, in the same order; empty where there are none.
pub(super) async fn contributions(
    database: &mut PgConnection,
    connection: &Connection,
    partner: &Partner,
    records: &[(RecordTypeId, RecordId)],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut wanted: BTreeMap<RecordTypeId, Vec<i64>> = BTreeMap::new();
    for (of, id) in records {
        wanted.entry(*of).or_default().push(id.0);
    }
    let mut found = HashMap::with_capacity(records.len());
    for (of, ids) in wanted {
        let rows = statement(bulk::contributions(&record_type(partner, of).table))
            .bind(connection.tenant_id)
            .bind(connection.id)
            .bind(ids)
            .fetch_all(&mut *database)
            .await?;
        for row in &rows {
            found.insert((of, RecordId(row.try_get(0)?)), row.try_get::<Option<Vec<u8>>, _>(1)?.unwrap_or_default());
        }
    }
    Ok(records.iter().map(|record| found.get(record).cloned().unwrap_or_default()).collect())
}

/// The given entities, in the same order.
pub(super) async fn entities(
    database: &mut PgConnection,
    connection: &Connection,
    canonical: &Canonical,
    entities: &[(KindId, Uuid)],
) -> Result<Vec<Option<HeldEntity>>, StoreError> {
    let mut wanted: BTreeMap<KindId, Vec<Uuid>> = BTreeMap::new();
    for (kind, id) in entities {
        wanted.entry(*kind).or_default().push(*id);
    }
    let mut found = HashMap::with_capacity(entities.len());
    for (kind, ids) in wanted {
        let rows = statement(bulk::held_entities(&canonical.kind(kind).table))
            .bind(connection.tenant_id)
            .bind(ids)
            .fetch_all(&mut *database)
            .await?;
        for row in &rows {
            found.insert((kind, row.try_get(0)?), entity(row)?);
        }
    }
    Ok(entities.iter().map(|entity| found.get(entity).cloned()).collect())
}

/// An entity from the second column on.
fn entity(row: &PgRow) -> Result<HeldEntity, StoreError> {
    Ok(HeldEntity {
        digest: stored_digest(row.try_get(1)?)?,
        active: row.try_get(2)?,
        uniform: row.try_get(3)?,
        contributors: decode(row.try_get(4)?, row.try_get(5)?)?,
    })
}

fn stored_digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    Digest::from_bytes(bytes).ok_or_else(|| damaged("a digest"))
}

fn record_type(partner: &Partner, of: RecordTypeId) -> &RecordType {
    &partner.records[usize::from(of.0)]
}

fn numbers(records: &[RecordId]) -> Vec<i64> {
    records.iter().map(|id| id.0).collect()
}
