//! What waits: counted in indexes that hold nothing but that.

use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;

use crate::store::contributors::damaged;
use crate::store::stored::{instant, unsigned};
use crate::store::{Backlog, StoreError, Waiting};

/// What waits, the names of whose it is, how much it is, and since when.
const WAITING: &str = "with waits (what, connection, length, since) as (\
                       select 'queued', q.connection, q.length, d.received_at from (select connection, \
                       count(*) as length, min(rowid) as first from delivery where status = 'queued' \
                       group by connection) q join delivery d on d.rowid = q.first \
                       union all \
                       select 'send', o.connection, o.length, s.at from (select connection, count(*) as length, \
                       min(id) as first from send where status in ('pending', 'retry') group by connection) o \
                       join send s on s.id = o.first \
                       union all \
                       select iif(quarantined, 'quarantined', 'parked'), connection, count(*), min(since) \
                       from waiting group by connection, quarantined \
                       union all \
                       select 'held', connection, count(*), min(received_at) from delivery where status = 'held' \
                       group by connection) \
                       select w.what, t.name, c.name, c.partner, w.length, w.since from waits w \
                       join connection c on c.id = w.connection join tenant t on t.id = c.tenant \
                       order by t.name, c.name";

/// Everything that waits.
pub(super) async fn of(readers: &SqlitePool) -> Result<Backlog, StoreError> {
    let mut backlog = Backlog::default();
    for row in sqlx::query(WAITING).fetch_all(readers).await? {
        let list = backlog.list(row.try_get(0)?).ok_or_else(|| damaged("what waits"))?;
        list.push(Waiting {
            tenant: row.try_get(1)?,
            connection: row.try_get(2)?,
            partner: row.try_get(3)?,
            count: unsigned(row.try_get(4)?),
            since: instant(row.try_get(5)?)?,
        });
    }
    Ok(backlog)
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row as _};

    use super::super::{SqliteOptions, SqliteStore};
    use super::WAITING;

    #[tokio::test]
    async fn what_waits_is_counted_in_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("hub.db"), &SqliteOptions::default()).await.unwrap();
        let question = AssertSqlSafe(format!("explain query plan {WAITING}"));
        let rows = sqlx::query(question).fetch_all(&store.readers).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
        for index in ["delivery_queued", "send_open"] {
            let counted = |step: &String| step.contains(&format!("INDEX {index}"));
            assert!(plan.iter().any(counted), "{plan:#?}");
        }
    }
}
