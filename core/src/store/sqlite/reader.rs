//! Turns rows into what readers are told.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite};
use uuid::Uuid;

use super::{SqliteStore, backlog, select, send};
use crate::canonical::{Canonical, Kind, KindId};
use crate::delivery::{Entry, Report};
use crate::description::Partner;
use crate::json::Json;
use crate::store::body::{self, Stored};
use crate::store::contributors::{damaged, decode};
use crate::store::packed::unpack;
use crate::store::read::{
    Change, Delivery, Entities, EntityQuery, Log, QueryError, Reader, RecordQuery, Records, SelectQuery,
    SelectedRecords, SendQuery, Sends, Source, StoredBody, StoredRecord,
};
use crate::store::sql::{self, Bound, Question};
use crate::store::stored::{instant, integer, parsed, status, unsigned, uuid, word};
use crate::store::{Backlog, RecordId, Store as _, StoreError, Usage};
use crate::table::{ColumnForm, Table};

/// Deliveries of a tenant (its name is the first parameter) for which a condition holds.
macro_rules! deliveries {
    ($condition:literal) => {
        concat!(
            "select d.id, c.name, c.partner, d.operation, d.status, d.received_at, d.finished_at, d.sha256, d.size, ",
            "d.report from delivery d join connection c on c.id = d.connection ",
            "where d.tenant = (select id from tenant where name = ?1) and ",
            $condition
        )
    };
}

#[async_trait]
impl Reader for SqliteStore {
    async fn entities(&self, canonical: &Canonical, query: &EntityQuery) -> Result<Entities, QueryError> {
        let kind = canonical.kind(query.kind);
        let page = sql::page(&sql::Sqlite, kind, query)?;
        let count = query.count.then(|| sql::count(&sql::Sqlite, kind, query)).transpose()?;
        let mut transaction = self.readers.begin().await.map_err(StoreError::from)?;
        let total = match &count {
            Some(count) => {
                let row = asked(count).fetch_one(&mut *transaction).await.map_err(StoreError::from)?;
                Some(unsigned(row.try_get(0).map_err(StoreError::from)?))
            }
            None => None,
        };
        let rows = asked(&page).fetch_all(&mut *transaction).await.map_err(StoreError::from)?;
        let rows = rows.iter().map(|row| entity(kind, row)).collect::<Result<_, _>>()?;
        Ok(Entities { total, rows })
    }

    async fn entity(
        &self,
        canonical: &Canonical,
        tenant: &str,
        kind: KindId,
        sourced_id: Uuid,
    ) -> Result<Option<Map<String, Value>>, StoreError> {
        let kind = canonical.kind(kind);
        let row = asked(&sql::single(&sql::Sqlite, kind, tenant, sourced_id)).fetch_optional(&self.readers).await?;
        row.map(|row| entity(kind, &row)).transpose()
    }

    async fn provenance(
        &self,
        canonical: &Canonical,
        tenant: &str,
        kind: KindId,
        sourced_id: Uuid,
    ) -> Result<Option<Vec<Source>>, StoreError> {
        let mut transaction = self.readers.begin().await?;
        let row = sqlx::query(sql::contributors(&sql::Sqlite, &canonical.kind(kind).table))
            .bind(tenant)
            .bind(sourced_id.as_bytes().as_slice())
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let origin = Origin {
            connection: row.try_get(0)?,
            name: row.try_get(1)?,
            partner: row.try_get(2)?,
            source_id: row.try_get(3)?,
            contributors: decode(row.try_get(4)?, row.try_get(5)?)?,
        };
        let tables = sqlx::query("select name, type from stored_table where holds = 'record' and partner = ?1")
            .bind(&origin.partner)
            .fetch_all(&mut *transaction)
            .await?;
        let ids = origin.ids()?;
        let mut sources = Vec::with_capacity(origin.contributors.len());
        for table in &tables {
            let statement = sql::sources(&sql::Sqlite, table.try_get(0)?);
            let rows = sqlx::query(statement).bind(origin.connection).bind(&ids).fetch_all(&mut *transaction).await?;
            for row in &rows {
                sources.push(origin.source(table.try_get(1)?, row)?);
            }
        }
        sources.sort_by_key(|(nth, _)| *nth);
        Ok(Some(sources.into_iter().map(|(_, source)| source).collect()))
    }

    async fn changes(
        &self,
        canonical: &Canonical,
        tenant: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError> {
        if canonical.kinds().is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(sql::changes(&sql::Sqlite, canonical))
            .bind(tenant)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        if !rows.is_empty() {
            // Whoever goes on from a place that a power cut takes back would miss what takes it next.
            self.synced().await?;
        }
        rows.iter()
            .map(|row| {
                Ok(Change {
                    sequence: row.try_get(0)?,
                    kind: canonical.kind(KindId(row.try_get(1)?)).name.clone(),
                    sourced_id: uuid(row.try_get(2)?)?,
                    status: status(row.try_get(3)?).to_owned(),
                    date_last_modified: instant(row.try_get(4)?)?,
                    connection: row.try_get(5)?,
                })
            })
            .collect()
    }

    async fn horizon(&self, tenant: &str) -> Result<i64, StoreError> {
        let row = sqlx::query("select horizon from tenant where name = ?1").bind(tenant).fetch_optional(&self.readers);
        row.await?.map_or(Ok(0), |row| Ok(row.try_get(0)?))
    }

    async fn deliveries(
        &self,
        tenant: &str,
        connection: Option<&str>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(deliveries!("(?2 is null or c.name = ?2) and d.id < ?3 order by d.id desc limit ?4"))
            .bind(tenant)
            .bind(connection)
            .bind(before.unwrap_or(Uuid::max()).as_bytes().as_slice())
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(delivery).collect()
    }

    async fn delivery(&self, tenant: &str, id: Uuid) -> Result<Option<Delivery>, StoreError> {
        let row = sqlx::query(deliveries!("d.id = ?2"))
            .bind(tenant)
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(delivery).transpose()
    }

    async fn records(&self, partner: &Partner, query: &RecordQuery) -> Result<Records, StoreError> {
        let table = &partner.records[usize::from(query.of.0)].table;
        let mut transaction = self.readers.begin().await?;
        let total = sqlx::query(sql::records_count(&sql::Sqlite, table, query.waiting))
            .bind(&query.tenant)
            .bind(&query.connection)
            .fetch_one(&mut *transaction)
            .await?;
        let rows = sqlx::query(sql::records_page(&sql::Sqlite, table, query.waiting))
            .bind(&query.tenant)
            .bind(&query.connection)
            .bind(query.limit.map_or(-1, integer)) // less than nothing: all
            .bind(integer(query.offset))
            .fetch_all(&mut *transaction)
            .await?;
        let rows = rows.iter().map(|row| stored_record(table, row)).collect::<Result<_, _>>()?;
        Ok(Records { total: unsigned(total.try_get(0)?), rows })
    }

    async fn select(&self, partner: &Partner, query: &SelectQuery<'_>) -> Result<SelectedRecords, StoreError> {
        select::select(&self.selecting, partner, query).await
    }

    async fn sends(&self, query: &SendQuery<'_>) -> Result<Sends, StoreError> {
        send::of(&self.readers, query).await
    }

    async fn log(
        &self,
        tenant: &str,
        connection: &str,
        delivery: Uuid,
        limit: u64,
        offset: u64,
    ) -> Result<Option<Log>, StoreError> {
        let mut transaction = self.readers.begin().await?;
        let told = sqlx::query(
            "select d.sent, d.errors, d.finished_at is not null, d.report from delivery d \
             join connection c on c.id = d.connection \
             where d.tenant = (select id from tenant where name = ?1) and c.name = ?2 and d.id = ?3",
        )
        .bind(tenant)
        .bind(connection)
        .bind(delivery.as_bytes().as_slice())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(told) = told else {
            return Ok(None);
        };
        let rows = sqlx::query(
            "select pointer, record, key, outcome, notes from entry where delivery = ?1 and nth >= ?2 \
             order by nth limit ?3",
        )
        .bind(delivery.as_bytes().as_slice())
        .bind(integer(offset))
        .bind(integer(limit))
        .fetch_all(&mut *transaction)
        .await?;
        Ok(Some(Log {
            sent: unsigned(told.try_get(0)?),
            errors: unsigned(told.try_get(1)?),
            finished: told.try_get(2)?,
            report: report(told.try_get(3)?)?,
            entries: rows.iter().map(entry).collect::<Result<_, _>>()?,
        }))
    }

    async fn body(&self, tenant: &str, id: Uuid) -> Result<Option<StoredBody>, StoreError> {
        let row = sqlx::query(
            "select b.zstd, b.size, d.content_encoding from delivery d join body b on b.id = d.body \
             where d.tenant = (select id from tenant where name = ?1) and d.id = ?2",
        )
        .bind(tenant)
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let bytes = unpack(row.try_get(0)?, row.try_get(1)?)?;
        Ok(Some(StoredBody { bytes, content_encoding: row.try_get(2)? }))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1 from tenant limit 1").fetch_optional(&self.readers).await?;
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        backlog::of(&self.readers).await
    }

    fn usage(&self) -> Usage {
        Usage::of(self.readers.size(), self.readers.num_idle(), self.readers.options().get_max_connections())
    }
}

/// Where an entity comes from, before its records are looked up.
struct Origin {
    connection: i64,
    name: String,
    partner: String,
    source_id: String,
    contributors: Vec<RecordId>,
}

impl Origin {
    /// The contributors as a JSON list, for one parameter.
    fn ids(&self) -> Result<String, StoreError> {
        let ids: Vec<_> = self.contributors.iter().map(|id| id.0).collect();
        serde_json::to_string(&ids).map_err(|error| StoreError::Database(Box::new(error)))
    }

    /// A record among the contributors, and which of them it is.
    fn source(&self, record: &str, row: &SqliteRow) -> Result<(usize, Source), StoreError> {
        let id = RecordId(row.try_get(0)?);
        let nth = self.contributors.iter().position(|contributor| *contributor == id).unwrap_or(usize::MAX);
        let source = Source {
            connection: self.name.clone(),
            partner: self.partner.clone(),
            record: record.to_owned(),
            key: parsed(row.try_get(1)?, "the key of a record")?,
            delivery: uuid(row.try_get(2)?)?,
            source_id: self.source_id.clone(),
            leads: nth == 0,
        };
        Ok((nth, source))
    }
}

fn asked(question: &Question) -> Query<'static, Sqlite, SqliteArguments> {
    let query = sqlx::query(question.sql.clone());
    question.bound.iter().fold(query, |query, bound| match bound.clone() {
        Bound::Text(text) => query.bind(text),
        Bound::Integer(integer) => query.bind(integer),
        Bound::Real(real) => query.bind(real),
        Bound::Boolean(boolean) => query.bind(boolean),
        Bound::Id(id) => query.bind(id.as_bytes().to_vec()),
        Bound::Json(json) => query.bind(json.to_string()),
    })
}

/// The host's members first, then the fields that are there.
fn entity(kind: &Kind, row: &SqliteRow) -> Result<Map<String, Value>, StoreError> {
    let mut members = Map::new();
    members.insert("sourcedId".to_owned(), uuid(row.try_get(0)?)?.to_string().into());
    members.insert("status".to_owned(), status(row.try_get(1)?).into());
    members.insert("dateLastModified".to_owned(), format!("{:.3}", instant(row.try_get(2)?)?).into());
    for (position, column) in (3..).zip(&kind.table.columns) {
        if let Some(value) = field(column.form, row, position)? {
            members.insert(column.property.clone(), value);
        }
    }
    Ok(members)
}

fn field(form: ColumnForm, row: &SqliteRow, position: usize) -> Result<Option<Value>, StoreError> {
    Ok(match form {
        ColumnForm::Text => row.try_get::<Option<String>, _>(position)?.map(Value::String),
        ColumnForm::Integer => row.try_get::<Option<i64>, _>(position)?.map(Value::from),
        ColumnForm::Boolean => row.try_get::<Option<bool>, _>(position)?.map(Value::Bool),
        ColumnForm::Id => {
            let id = row.try_get::<Option<&[u8]>, _>(position)?.map(uuid).transpose()?;
            id.map(|id| Value::String(id.to_string()))
        }
        ColumnForm::Number | ColumnForm::Json => {
            row.try_get::<Option<&str>, _>(position)?.map(|text| parsed(text, "a field")).transpose()?
        }
    })
}

/// What was sent, member by member.
fn stored_record(table: &Table, row: &SqliteRow) -> Result<StoredRecord, StoreError> {
    let key = parsed(row.try_get("_key")?, "the key of a record")?;
    Ok(StoredRecord { key, waiting: row.try_get("_waits")?, body: record(table, row)? })
}

fn record(table: &Table, row: &SqliteRow) -> Result<Map<String, Value>, StoreError> {
    let cells = (1..).zip(&table.columns).map(|(position, column)| {
        Ok(match column.form {
            ColumnForm::Integer | ColumnForm::Boolean => row.try_get::<Option<_>, _>(position)?.map(Stored::Integer),
            _ => row.try_get::<Option<_>, _>(position)?.map(Stored::Text),
        })
    });
    let bytes = body::write(&table.columns, cells, row.try_get(0)?)?;
    match Json::parse(&bytes, u32::MAX).map(|json| json.to_value()) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(damaged("what a record says")),
    }
}

pub(super) fn entry(row: &SqliteRow) -> Result<Entry, StoreError> {
    let notes = row.try_get::<Option<&str>, _>(4)?;
    Ok(Entry {
        pointer: row.try_get::<&str, _>(0)?.into(),
        record: row.try_get(1)?,
        key: row.try_get(2)?,
        outcome: word(row.try_get(3)?, "the outcome of a record")?,
        notes: notes.map_or(Ok(Vec::new()), |text| parsed(text, "a line of a log"))?,
    })
}

fn report(text: Option<&str>) -> Result<Option<Report>, StoreError> {
    text.map(|text| parsed(text, "the report of a delivery")).transpose()
}

pub(super) fn delivery(row: &SqliteRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: uuid(row.try_get(0)?)?,
        connection: row.try_get(1)?,
        partner: row.try_get(2)?,
        operation: row.try_get(3)?,
        status: word(row.try_get(4)?, "the status of a delivery")?,
        received_at: instant(row.try_get(5)?)?,
        finished_at: row.try_get::<Option<i64>, _>(6)?.map(instant).transpose()?,
        sha256: hex::encode(row.try_get::<&[u8], _>(7)?),
        size: unsigned(row.try_get(8)?),
        report: report(row.try_get(9)?)?,
    })
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::super::{SqliteOptions, SqliteStore};
    use crate::store::{Store as _, sql};

    #[tokio::test]
    async fn the_feed_is_read_in_the_order_in_which_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("hub.db"), &SqliteOptions::default()).await.unwrap();
        let canonical = crate::fixture::canonical();
        store.prepare_canonical(&canonical).await.unwrap();
        let question = format!("explain query plan {}", &*sql::changes(&sql::Sqlite, &canonical));
        let rows = sqlx::query(sqlx::AssertSqlSafe(question)).fetch_all(&store.readers).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
        for kind in canonical.kinds() {
            let wanted = format!("{} USING INTEGER PRIMARY KEY", kind.table.name);
            assert!(plan.iter().any(|step| step.contains(&wanted)), "{plan:#?}");
        }
    }
}
