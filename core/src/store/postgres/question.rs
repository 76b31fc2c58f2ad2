//! Turns questions for entities into what each of them says.

use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};
use uuid::Uuid;

use super::PostgresStore;
use super::rows::asked;
use crate::canonical::{Canonical, Kind, KindId};
use crate::store::StoreError;
use crate::store::read::{Entities, EntityQuery, QueryError};
use crate::store::sql::{self, Postgres};
use crate::store::stored::{instant, parsed, status, unsigned};
use crate::table::ColumnForm;

/// A page of entities.
pub(super) async fn entities(
    store: &PostgresStore,
    canonical: &Canonical,
    query: &EntityQuery,
) -> Result<Entities, QueryError> {
    let kind = canonical.kind(query.kind);
    let page = sql::page(&Postgres, kind, query)?;
    let count = query.count.then(|| sql::count(&Postgres, kind, query)).transpose()?;
    let mut transaction = store.look().await?;
    let total = match &count {
        Some(count) => {
            let row = asked(count).fetch_one(&mut *transaction).await.map_err(StoreError::from)?;
            Some(unsigned(row.try_get(0).map_err(StoreError::from)?))
        }
        None => None,
    };
    let rows = asked(&page).fetch_all(&mut *transaction).await.map_err(StoreError::from)?;
    transaction.commit().await.map_err(StoreError::from)?;
    let rows = rows.iter().map(|row| said(kind, row)).collect::<Result<_, _>>()?;
    Ok(Entities { total, rows })
}

/// One entity.
pub(super) async fn entity(
    pool: &PgPool,
    canonical: &Canonical,
    tenant: &str,
    kind: KindId,
    sourced_id: Uuid,
) -> Result<Option<Map<String, Value>>, StoreError> {
    let kind = canonical.kind(kind);
    let row = asked(&sql::single(&Postgres, kind, tenant, sourced_id)).fetch_optional(pool).await?;
    row.map(|row| said(kind, &row)).transpose()
}

/// The host's members first, then the fields that are there.
fn said(kind: &Kind, row: &PgRow) -> Result<Map<String, Value>, StoreError> {
    let mut members = Map::new();
    members.insert("sourcedId".to_owned(), row.try_get::<Uuid, _>(0)?.to_string().into());
    members.insert("status".to_owned(), status(row.try_get(1)?).into());
    members.insert("dateLastModified".to_owned(), format!("{:.3}", instant(row.try_get(2)?)?).into());
    for (position, column) in (3..).zip(&kind.table.columns) {
        if let Some(value) = field(column.form, row, position)? {
            members.insert(column.property.clone(), value);
        }
    }
    Ok(members)
}

fn field(form: ColumnForm, row: &PgRow, position: usize) -> Result<Option<Value>, StoreError> {
    Ok(match form {
        ColumnForm::Text => row.try_get::<Option<String>, _>(position)?.map(Value::String),
        ColumnForm::Integer => row.try_get::<Option<i64>, _>(position)?.map(Value::from),
        ColumnForm::Boolean => row.try_get::<Option<bool>, _>(position)?.map(Value::Bool),
        ColumnForm::Id => row.try_get::<Option<Uuid>, _>(position)?.map(|id| Value::String(id.to_string())),
        ColumnForm::Number | ColumnForm::Json => {
            row.try_get::<Option<&str>, _>(position)?.map(|text| parsed(text, "a field")).transpose()?
        }
    })
}
