//! What operators decide.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Params, Row, params};
use uuid::Uuid;

use super::writer::Transaction;
use super::{Durability, SqliteStore};
use crate::bundle::VersionId;
use crate::store::StoreError;
use crate::store::administration::{Act, Activation, Administration, ReaderSetup, Setup, StoredPlan, StoredVersion};
use crate::store::contributors::damaged;
use crate::store::stored::{instant, json, parsed, uuid, word};

/// The columns of [`plan`].
const PLAN: &str = "id, partner, version, after, at, who, body";

#[async_trait]
impl Administration for SqliteStore {
    async fn put_version(&self, version: &StoredVersion, bundle: &[u8]) -> Result<(), StoreError> {
        let StoredVersion { id, partner, name, at } = version;
        self.writer.write(Durability::Full, |database| {
            database.execute(
                "insert into version (id, partner, name, at, bundle) values (?1, ?2, ?3, ?4, ?5) on conflict do nothing",
                params![id.as_bytes(), partner, name, at.as_millisecond(), bundle],
            )?;
            Ok(())
        })
    }

    async fn versions(&self) -> Result<Vec<StoredVersion>, StoreError> {
        self.writer.read(|database| {
            let mut statement = database.prepare_cached("select id, partner, name, at from version order by at, id")?;
            all(statement.query([])?, |row| {
                let id = version(&row.get::<_, Vec<u8>>(0)?)?;
                Ok(StoredVersion { id, partner: row.get(1)?, name: row.get(2)?, at: instant(row.get(3)?)? })
            })
        })
    }

    async fn bundle(&self, version: VersionId) -> Result<Option<Vec<u8>>, StoreError> {
        self.writer.read(|database| {
            let bundle =
                database.query_row("select bundle from version where id = ?1", [version.as_bytes()], |row| row.get(0));
            Ok(bundle.optional()?)
        })
    }

    async fn activate(&self, activation: &Activation) -> Result<(), StoreError> {
        let (tenant, connection) = activation.connection.clone().unzip();
        self.writer.write(Durability::Full, |database| {
            let made = database.execute(
                "insert into activation (partner, number, tenant, connection, version, action, at, who, plan) \
                 select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 \
                 where ?2 = (select coalesce(max(number), 0) + 1 from activation where partner = ?1)",
                params![
                    activation.partner,
                    activation.number,
                    tenant,
                    connection,
                    activation.version.as_ref().map(VersionId::as_bytes),
                    activation.action.word(),
                    activation.at.as_millisecond(),
                    activation.who,
                    activation.plan.as_ref().map(Uuid::as_bytes),
                ],
            )?;
            if made == 0 {
                return Err(StoreError::Stale);
            }
            note(database, &activation.act()).map(drop)
        })
    }

    async fn activations(&self) -> Result<Vec<Activation>, StoreError> {
        self.writer.read(|database| {
            let mut statement = database.prepare_cached(
                "select partner, number, tenant, connection, version, action, at, who, plan from activation \
                 order by partner, number",
            )?;
            all(statement.query([])?, |row| {
                Ok(Activation {
                    partner: row.get(0)?,
                    number: row.get(1)?,
                    connection: row.get::<_, Option<_>>(2)?.zip(row.get(3)?),
                    version: row.get::<_, Option<Vec<u8>>>(4)?.as_deref().map(version).transpose()?,
                    action: word(&row.get::<_, String>(5)?, "an activation")?,
                    at: instant(row.get(6)?)?,
                    who: row.get(7)?,
                    plan: row.get::<_, Option<Vec<u8>>>(8)?.as_deref().map(uuid).transpose()?,
                })
            })
        })
    }

    async fn put_setup(&self, setup: &Setup, act: &Act) -> Result<(), StoreError> {
        let Setup { tenant, connection, revision, .. } = setup;
        let body = json(setup)?;
        let statement = match revision {
            1 => {
                "insert into setup (tenant, connection, revision, body) values (?1, ?2, ?3, ?4) on conflict do nothing"
            }
            _ => {
                "update setup set revision = ?3, body = ?4 where tenant = ?1 and connection = ?2 and revision = ?3 - 1"
            }
        };
        self.decide(statement, params![tenant, connection, revision, body], act)
    }

    async fn setups(&self) -> Result<Vec<Setup>, StoreError> {
        self.writer.read(|database| {
            let mut statement = database.prepare_cached("select body from setup order by tenant, connection")?;
            all(statement.query([])?, |row| parsed(&row.get::<_, String>(0)?, "a connection"))
        })
    }

    async fn put_reader(&self, setup: &ReaderSetup, act: &Act) -> Result<(), StoreError> {
        let ReaderSetup { tenant, reader, revision, .. } = setup;
        let body = json(setup)?;
        let statement = match revision {
            1 => "insert into reader (tenant, reader, revision, body) values (?1, ?2, ?3, ?4) on conflict do nothing",
            _ => "update reader set revision = ?3, body = ?4 where tenant = ?1 and reader = ?2 and revision = ?3 - 1",
        };
        self.decide(statement, params![tenant, reader, revision, body], act)
    }

    async fn readers(&self) -> Result<Vec<ReaderSetup>, StoreError> {
        self.writer.read(|database| {
            let mut statement = database.prepare_cached("select body from reader order by tenant, reader")?;
            all(statement.query([])?, |row| parsed(&row.get::<_, String>(0)?, "a reader"))
        })
    }

    async fn put_plan(&self, plan: &StoredPlan) -> Result<(), StoreError> {
        let StoredPlan { id, partner, version, after, at, who, body } = plan;
        let body = json(body)?;
        self.writer.write(Durability::Full, |database| {
            database.execute(
                "insert or replace into upgrade (id, partner, version, after, at, who, body) \
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![id.as_bytes(), partner, version.as_bytes(), after, at.as_millisecond(), who, body],
            )?;
            Ok(())
        })
    }

    async fn plan(&self, id: Uuid) -> Result<Option<StoredPlan>, StoreError> {
        self.writer.read(|database| {
            let mut statement = database.prepare_cached(&format!("select {PLAN} from upgrade where id = ?1"))?;
            statement.query([id.as_bytes()])?.next()?.map(plan).transpose()
        })
    }

    async fn plans(&self, partner: &str, limit: u32) -> Result<Vec<StoredPlan>, StoreError> {
        self.writer.read(|database| {
            let sql = format!("select {PLAN} from upgrade where partner = ?1 order by at desc, id desc limit ?2");
            all(database.prepare_cached(&sql)?.query(params![partner, limit])?, plan)
        })
    }

    async fn note_act(&self, act: &Act) -> Result<i64, StoreError> {
        self.writer.write(Durability::Full, |database| note(database, act))
    }

    async fn acts(&self, before: Option<i64>, limit: u32) -> Result<Vec<(i64, Act)>, StoreError> {
        self.writer.read(|database| {
            let mut statement = database.prepare_cached(
                "select number, at, who, what, about from act where ?1 is null or number < ?1 \
                 order by number desc limit ?2",
            )?;
            all(statement.query(params![before, limit])?, |row| {
                let about = parsed(&row.get::<_, String>(4)?, "a line of the log")?;
                Ok((row.get(0)?, Act { at: instant(row.get(1)?)?, who: row.get(2)?, what: row.get(3)?, about }))
            })
        })
    }

    async fn generation(&self) -> Result<i64, StoreError> {
        self.writer.read(|database| {
            let mut statement = database.prepare_cached("select coalesce(max(number), 0) from act")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
    }
}

impl SqliteStore {
    /// Writes what somebody is from now on, with a line of the log.
    fn decide(&self, statement: &str, values: impl Params, act: &Act) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |database| match database.execute(statement, values)? {
            0 => Err(StoreError::Stale),
            _ => note(database, act).map(drop),
        })
    }
}

/// Adds a line to the log; says its number.
fn note(database: &Transaction<'_>, act: &Act) -> Result<i64, StoreError> {
    database.execute(
        "insert into act (at, who, what, about) values (?1, ?2, ?3, ?4)",
        params![act.at.as_millisecond(), act.who, act.what, json(&act.about)?],
    )?;
    Ok(database.last_insert_rowid())
}

fn plan(row: &Row<'_>) -> Result<StoredPlan, StoreError> {
    Ok(StoredPlan {
        id: uuid(&row.get::<_, Vec<u8>>(0)?)?,
        partner: row.get(1)?,
        version: version(&row.get::<_, Vec<u8>>(2)?)?,
        after: row.get(3)?,
        at: instant(row.get(4)?)?,
        who: row.get(5)?,
        body: parsed(&row.get::<_, String>(6)?, "a plan")?,
    })
}

fn all<T>(
    mut rows: rusqlite::Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn version(bytes: &[u8]) -> Result<VersionId, StoreError> {
    VersionId::from_bytes(bytes).ok_or_else(|| damaged("a version"))
}
