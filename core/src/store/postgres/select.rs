//! Turns questions for records into what each of them says.

use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};

use super::PostgresStore;
use super::held::{body, held};
use super::rows::{asked, statement, storable};
use crate::description::Partner;
use crate::json::Json;
use crate::store::contributors::damaged;
use crate::store::read::{RecordQuery, Records, SelectQuery, SelectedRecords, StoredRecord};
use crate::store::sql::{self, Postgres, Wanted};
use crate::store::stored::{integer, parsed, unsigned};
use crate::store::{HeldRecord, StoreError};
use crate::table::Table;

/// The first record that a selection comes to, as planning needs it.
pub(super) async fn first(pool: &PgPool, wanted: &Wanted<'_>) -> Result<Option<HeldRecord>, StoreError> {
    let row = asked(&wanted.first()?).fetch_optional(pool).await?;
    row.map(|row| held(wanted.selection.of, &row)).transpose()
}

/// A page of records.
pub(super) async fn records(
    store: &PostgresStore,
    partner: &Partner,
    query: &RecordQuery,
) -> Result<Records, StoreError> {
    let table = &partner.records[usize::from(query.of.0)].table;
    let mut transaction = store.look().await?;
    let total = statement(sql::records_count(&Postgres, table, query.waiting))
        .bind(storable(&query.tenant))
        .bind(storable(&query.connection))
        .fetch_one(&mut *transaction)
        .await?;
    let rows = statement(sql::records_page(&Postgres, table, query.waiting))
        .bind(storable(&query.tenant))
        .bind(storable(&query.connection))
        .bind(query.limit.map(integer)) // null: all
        .bind(integer(query.offset))
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let rows = rows.iter().map(|row| stored_record(table, row)).collect::<Result<_, _>>()?;
    Ok(Records { total: unsigned(total.try_get(0)?), rows })
}

/// What was sent, member by member.
fn stored_record(table: &Table, row: &PgRow) -> Result<StoredRecord, StoreError> {
    let key = parsed(row.try_get("_key")?, "the key of a record")?;
    match Json::parse(&body(table, row, 0)?, u32::MAX).map(|json| json.to_value()) {
        Ok(Value::Object(body)) => Ok(StoredRecord { key, waiting: row.try_get("_waits")?, body }),
        _ => Err(damaged("what a record says")),
    }
}

/// A part of the records that a selection comes to.
pub(super) fn select(
    _store: &PostgresStore,
    _partner: &Partner,
    _query: &SelectQuery<'_>,
) -> Result<SelectedRecords, StoreError> {
    Err(StoreError::Inconsistent("records cannot be selected yet".to_owned()))
}
