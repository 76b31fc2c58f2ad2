//! What waits: counted in indexes that hold nothing but that, in one round trip.

use sqlx::Row as _;
use sqlx::postgres::PgPool;

use crate::store::contributors::damaged;
use crate::store::stored::{instant, unsigned};
use crate::store::{Backlog, StoreError, Waiting};

/// What waits, the names of whose it is, how much it is, and since when.
const WAITING: &str = "with waits (what, tenant, connection, length, since) as (\
                       select 'queued', q.tenant, q.connection, q.length, d.received_at from (\
                       select tenant, connection, count(*) as length, min(arrival) as first from delivery \
                       where status = 'queued' group by tenant, connection) q join delivery d \
                       on d.tenant = q.tenant and d.connection = q.connection and d.arrival = q.first \
                       and d.status = 'queued' \
                       union all \
                       select 'send', o.tenant, o.connection, o.length, s.at from (\
                       select tenant, connection, count(*) as length, min(id) as first from send \
                       where status in ('pending', 'retry') group by tenant, connection) o join send s \
                       on s.tenant = o.tenant and s.connection = o.connection and s.id = o.first \
                       union all \
                       select case when quarantined then 'quarantined' else 'parked' end, tenant, connection, \
                       count(*), min(since) from waiting group by tenant, connection, quarantined \
                       union all \
                       select 'held', tenant, connection, count(*), min(received_at) from delivery \
                       where status = 'held' group by tenant, connection) \
                       select w.what, t.name, c.name, c.partner, w.length, w.since from waits w \
                       join connection c on c.tenant = w.tenant and c.id = w.connection \
                       join tenant t on t.id = w.tenant order by t.name collate \"C\", c.name collate \"C\"";

/// Everything that waits.
pub(super) async fn of(pool: &PgPool) -> Result<Backlog, StoreError> {
    let mut backlog = Backlog::default();
    for row in sqlx::query(WAITING).fetch_all(pool).await? {
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
