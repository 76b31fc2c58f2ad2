//! Turns questions for records into what each of them says.

use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgPool, PgRow};

use super::PostgresStore;
use super::held::{body, held};
use super::rows::{asked, statement, storable};
use crate::description::Partner;
use crate::json::Json;
use crate::store::contributors::damaged;
use crate::store::read::{RecordQuery, Records, SelectQuery, SelectedRecords, StoredRecord};
use crate::store::selected::{Numbered, cut, json, read_max};
use crate::store::sql::{self, Postgres, Question, Told, Wanted, Whose};
use crate::store::stored::{integer, parsed, unsigned};
use crate::store::{HeldRecord, StoreError};
use crate::table::{ColumnForm, Table};

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
pub(super) async fn select(
    store: &PostgresStore,
    partner: &Partner,
    query: &SelectQuery<'_>,
) -> Result<SelectedRecords, StoreError> {
    let Some(whose) = whose(&store.pool, query).await? else {
        return Ok(SelectedRecords { total: query.counts.then_some(0), ..SelectedRecords::default() });
    };
    let SelectQuery { selection, given, sort, options, .. } = query;
    let wanted = Wanted { dialect: &Postgres, partner, whose, selection, given, sort, options };
    let count = query.counts.then(|| wanted.count()).transpose()?;
    let part = wanted.part(&query.part)?;
    if let ([question], None) = (part.questions.as_slice(), &count) {
        let mut connection = store.pool.acquire().await?;
        return Ok(cut(query, rows(&mut connection, question, &part.told).await?));
    }
    let mut transaction = store.look().await?;
    let total = match &count {
        Some(count) => Some(unsigned(asked(count).fetch_one(&mut *transaction).await?.try_get(0)?)),
        None => None,
    };
    let limit = read_max(&query.part);
    let mut all = Vec::new();
    for question in &part.questions {
        if (all.len() as u64) < limit {
            all.extend(rows(&mut transaction, question, &part.told).await?);
        }
    }
    transaction.commit().await?;
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(SelectedRecords { total, ..cut(query, all) })
}

/// The numbers of a connection and its tenant, if there is one of these names.
async fn whose(pool: &PgPool, query: &SelectQuery<'_>) -> Result<Option<Whose>, StoreError> {
    let row = sqlx::query(
        "select c.tenant, c.id from connection c join tenant t on t.id = c.tenant where t.name = $1 and c.name = $2",
    )
    .bind(storable(query.tenant))
    .bind(storable(query.connection))
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok(Whose { tenant: Some(row.try_get(0)?), connection: row.try_get(1)? })).transpose()
}

async fn rows(database: &mut PgConnection, question: &Question, told: &Told) -> Result<Vec<Numbered>, StoreError> {
    let rows = asked(question).fetch_all(database).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, says(told, row)?))).collect()
}

/// What a row says after its number: what stands beside its columns, then the members told. The former counts, where a
/// column could not hold something as it was sent.
fn says(told: &Told, row: &PgRow) -> Result<Map<String, Value>, StoreError> {
    let mut members = Map::with_capacity(told.len());
    for (position, (name, form)) in (2..).zip(told) {
        let value = match form {
            ColumnForm::Integer => row.try_get::<Option<i64>, _>(position)?.map(Value::from),
            ColumnForm::Boolean => row.try_get::<Option<bool>, _>(position)?.map(Value::from),
            ColumnForm::Text => row.try_get::<Option<String>, _>(position)?.map(Value::from),
            ColumnForm::Number | ColumnForm::Json => {
                row.try_get::<Option<&str>, _>(position)?.map(|text| json(text.as_bytes())).transpose()?
            }
            ColumnForm::Id => return Err(damaged("what a record says")),
        };
        members.extend(value.map(|value| (name.clone(), value)));
    }
    if let Some(beside) = row.try_get::<Option<&str>, _>(1)? {
        let Value::Object(beside) = json(beside.as_bytes())? else { return Err(damaged("what a record says")) };
        members.extend(beside);
    }
    Ok(members)
}
