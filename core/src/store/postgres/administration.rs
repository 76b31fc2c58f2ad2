//! What operators decide.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use super::PostgresStore;
use super::rows::storable;
use crate::bundle::VersionId;
use crate::store::StoreError;
use crate::store::administration::{Act, Activation, Administration, ReaderSetup, Setup, StoredPlan, StoredVersion};
use crate::store::contributors::damaged;
use crate::store::stored::{instant, json, parsed, word};

#[async_trait]
impl Administration for PostgresStore {
    async fn put_version(&self, version: &StoredVersion, bundle: &[u8]) -> Result<(), StoreError> {
        let work = async {
            let insert = sqlx::query(
                "insert into version (id, partner, name, at, bundle) values ($1, $2, $3, $4, $5) on conflict do nothing",
            );
            let StoredVersion { id, partner, name, at } = version;
            let insert = insert.bind(id.as_bytes()).bind(storable(partner)).bind(storable(name));
            insert.bind(at.as_millisecond()).bind(bundle).execute(&self.pool).await?;
            Ok(())
        };
        self.patience.soon(work).await
    }

    async fn versions(&self) -> Result<Vec<StoredVersion>, StoreError> {
        let work = async {
            let rows = sqlx::query("select id, partner, name, at from version order by at, id");
            let rows = rows.fetch_all(&self.pool).await?;
            let read = |row: &PgRow| {
                let (id, at) = (version(row.try_get(0)?)?, instant(row.try_get(3)?)?);
                Ok(StoredVersion { id, partner: row.try_get(1)?, name: row.try_get(2)?, at })
            };
            rows.iter().map(read).collect()
        };
        self.patience.soon(work).await
    }

    async fn bundle(&self, version: VersionId) -> Result<Option<Vec<u8>>, StoreError> {
        let work = async {
            let row = sqlx::query_scalar("select bundle from version where id = $1").bind(version.as_bytes());
            Ok(row.fetch_optional(&self.pool).await?)
        };
        self.patience.soon(work).await
    }

    async fn activate(&self, activation: &Activation) -> Result<(), StoreError> {
        let work = async {
            let (tenant, connection) = activation.connection.as_ref().map(|(tenant, name)| (tenant, name)).unzip();
            let mut transaction = self.pool.begin().await?;
            let made = sqlx::query(
                "insert into activation (partner, number, tenant, connection, version, action, at, who, plan) \
                 select $1, $2, $3, $4, $5, $6, $7, $8, $9 \
                 where $2 = (select coalesce(max(number), 0) + 1 from activation where partner = $1) on conflict do nothing",
            )
            .bind(storable(&activation.partner))
            .bind(activation.number)
            .bind(tenant)
            .bind(connection)
            .bind(activation.version.as_ref().map(VersionId::as_bytes))
            .bind(activation.action.word())
            .bind(activation.at.as_millisecond())
            .bind(storable(&activation.who))
            .bind(activation.plan)
            .execute(&mut *transaction)
            .await?;
            if made.rows_affected() == 0 {
                return Err(StoreError::Stale);
            }
            note(&mut transaction, &activation.act()).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.soon(work).await
    }

    async fn activations(&self) -> Result<Vec<Activation>, StoreError> {
        let work = async {
            let rows = sqlx::query(
                "select partner, number, tenant, connection, version, action, at, who, plan from activation \
                 order by partner collate \"C\", number",
            );
            rows.fetch_all(&self.pool).await?.iter().map(activation).collect()
        };
        self.patience.soon(work).await
    }

    async fn put_setup(&self, setup: &Setup, act: &Act) -> Result<(), StoreError> {
        let Setup { tenant, connection, revision, .. } = setup;
        let statement = match revision {
            1 => {
                "insert into setup (tenant, connection, revision, body) values ($1, $2, $3, $4) on conflict do nothing"
            }
            _ => {
                "update setup set revision = $3, body = $4 where tenant = $1 and connection = $2 and revision = $3 - 1"
            }
        };
        self.decide(statement, (tenant, connection), *revision, json(setup)?, act).await
    }

    async fn setups(&self) -> Result<Vec<Setup>, StoreError> {
        let rows = "select body from setup order by tenant collate \"C\", connection collate \"C\"";
        self.bodies(rows, "a connection").await
    }

    async fn put_reader(&self, setup: &ReaderSetup, act: &Act) -> Result<(), StoreError> {
        let ReaderSetup { tenant, reader, revision, .. } = setup;
        let statement = match revision {
            1 => "insert into reader (tenant, reader, revision, body) values ($1, $2, $3, $4) on conflict do nothing",
            _ => "update reader set revision = $3, body = $4 where tenant = $1 and reader = $2 and revision = $3 - 1",
        };
        self.decide(statement, (tenant, reader), *revision, json(setup)?, act).await
    }

    async fn readers(&self) -> Result<Vec<ReaderSetup>, StoreError> {
        let rows = "select body from reader order by tenant collate \"C\", reader collate \"C\"";
        self.bodies(rows, "a reader").await
    }

    async fn put_plan(&self, plan: &StoredPlan) -> Result<(), StoreError> {
        let work = async {
            sqlx::query(
                "insert into upgrade (id, partner, version, after, at, who, body) values ($1, $2, $3, $4, $5, $6, $7) \
                 on conflict (id) do update set partner = excluded.partner, version = excluded.version, \
                 after = excluded.after, at = excluded.at, who = excluded.who, body = excluded.body",
            )
            .bind(plan.id)
            .bind(storable(&plan.partner))
            .bind(plan.version.as_bytes())
            .bind(plan.after)
            .bind(plan.at.as_millisecond())
            .bind(storable(&plan.who))
            .bind(json(&plan.body)?)
            .execute(&self.pool)
            .await?;
            Ok(())
        };
        self.patience.soon(work).await
    }

    async fn plan(&self, id: Uuid) -> Result<Option<StoredPlan>, StoreError> {
        let work = async {
            let row =
                sqlx::query("select id, partner, version, after, at, who, body from upgrade where id = $1").bind(id);
            row.fetch_optional(&self.pool).await?.as_ref().map(plan).transpose()
        };
        self.patience.soon(work).await
    }

    async fn plans(&self, partner: &str, limit: u32) -> Result<Vec<StoredPlan>, StoreError> {
        let work = async {
            let rows = sqlx::query(
                "select id, partner, version, after, at, who, body from upgrade where partner = $1 \
                 order by at desc, id desc limit $2",
            );
            let rows = rows.bind(storable(partner)).bind(i64::from(limit)).fetch_all(&self.pool).await?;
            rows.iter().map(plan).collect()
        };
        self.patience.soon(work).await
    }

    async fn note_act(&self, act: &Act) -> Result<i64, StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            let number = note(&mut transaction, act).await?;
            transaction.commit().await?;
            Ok(number)
        };
        self.patience.soon(work).await
    }

    async fn acts(&self, before: Option<i64>, limit: u32) -> Result<Vec<(i64, Act)>, StoreError> {
        let work = async {
            let rows = sqlx::query(
                "select number, at, who, what, about from act where $1 is null or number < $1 order by number desc limit $2",
            );
            let rows = rows.bind(before).bind(i64::from(limit)).fetch_all(&self.pool).await?;
            let read = |row: &PgRow| {
                let about = parsed(row.try_get(4)?, "a line of the log")?;
                let (at, who, what) = (instant(row.try_get(1)?)?, row.try_get(2)?, row.try_get(3)?);
                Ok((row.try_get(0)?, Act { at, who, what, about }))
            };
            rows.iter().map(read).collect()
        };
        self.patience.soon(work).await
    }

    async fn generation(&self) -> Result<i64, StoreError> {
        let work = async {
            let number = sqlx::query_scalar("select coalesce(max(number), 0) from act");
            Ok(number.fetch_one(&self.pool).await?)
        };
        self.patience.soon(work).await
    }
}

impl PostgresStore {
    /// Writes what somebody is from now on, with a line of the log.
    async fn decide(
        &self,
        statement: &'static str,
        (tenant, name): (&str, &str),
        revision: i64,
        body: String,
        act: &Act,
    ) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            let statement = sqlx::query(statement).bind(storable(tenant)).bind(storable(name));
            let written = statement.bind(revision).bind(body).execute(&mut *transaction).await?;
            if written.rows_affected() == 0 {
                return Err(StoreError::Stale);
            }
            note(&mut transaction, act).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.soon(work).await
    }

    /// What is stored as JSON in each row.
    async fn bodies<T: DeserializeOwned>(&self, rows: &'static str, what: &'static str) -> Result<Vec<T>, StoreError> {
        let work = async {
            let bodies: Vec<String> = sqlx::query_scalar(rows).fetch_all(&self.pool).await?;
            bodies.iter().map(|body| parsed(body, what)).collect()
        };
        self.patience.soon(work).await
    }
}

/// Adds a line to the log; says its number. Lines become visible in their order: who knows the last one knows all.
async fn note(database: &mut PgConnection, act: &Act) -> Result<i64, StoreError> {
    sqlx::query("lock table act in exclusive mode").execute(&mut *database).await?;
    let number = sqlx::query_scalar(
        "insert into act (number, at, who, what, about) \
         select coalesce(max(number), 0) + 1, $1, $2, $3, $4 from act returning number",
    );
    let number = number.bind(act.at.as_millisecond()).bind(storable(&act.who)).bind(storable(&act.what));
    Ok(number.bind(json(&act.about)?).fetch_one(database).await?)
}

fn activation(row: &PgRow) -> Result<Activation, StoreError> {
    Ok(Activation {
        partner: row.try_get(0)?,
        number: row.try_get(1)?,
        connection: row.try_get::<Option<_>, _>(2)?.zip(row.try_get(3)?),
        version: row.try_get::<Option<&[u8]>, _>(4)?.map(version).transpose()?,
        action: word(row.try_get(5)?, "an activation")?,
        at: instant(row.try_get(6)?)?,
        who: row.try_get(7)?,
        plan: row.try_get(8)?,
    })
}

fn plan(row: &PgRow) -> Result<StoredPlan, StoreError> {
    Ok(StoredPlan {
        id: row.try_get(0)?,
        partner: row.try_get(1)?,
        version: version(row.try_get(2)?)?,
        after: row.try_get(3)?,
        at: instant(row.try_get(4)?)?,
        who: row.try_get(5)?,
        body: parsed(row.try_get(6)?, "a plan")?,
    })
}

fn version(bytes: &[u8]) -> Result<VersionId, StoreError> {
    VersionId::from_bytes(bytes).ok_or_else(|| damaged("a version"))
}
