//! Looks up records by what they say.

use sqlx::Row as _;
use sqlx::postgres::PgPool;

use super::held::held;
use super::rows::asked;
use crate::description::{Partner, RecordTypeId};
use crate::store::sql::{self, Postgres, Whose};
use crate::store::{Connection, HeldRecord, Matching, StoreError};

/// The records that match, the oldest first.
pub(super) async fn records(
    pool: &PgPool,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    matching: &Matching,
) -> Result<Vec<HeldRecord>, StoreError> {
    let question = sql::matching(&Postgres, &partner.records[usize::from(of.0)], whose(connection), matching)?;
    let rows = asked(&question).fetch_all(pool).await?;
    rows.iter().map(|row| held(of, row)).collect()
}

/// The largest integer that they have in `member`.
pub(super) async fn largest(
    pool: &PgPool,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    member: &str,
    matching: &Matching,
) -> Result<Option<i64>, StoreError> {
    let record = &partner.records[usize::from(of.0)];
    let question = sql::largest(&Postgres, record, whose(connection), member, matching)?;
    Ok(asked(&question).fetch_one(pool).await?.try_get(0)?)
}

fn whose(connection: &Connection) -> Whose {
    Whose { tenant: Some(connection.tenant_id), connection: connection.id }
}
