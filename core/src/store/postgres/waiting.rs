//! Records that wait for what they refer to: who they are, and what becomes of them.
//!
//! A record that waits has a row of its own here and is known by nothing else: where nothing waits, nothing is paid.
//! What its log tells of it follows, so that a partner reads there how it ended, however much later that was.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgRow};
use uuid::Uuid;

use super::entry::notes;
use crate::delivery::Outcome;
use crate::description::Partner;
use crate::json::Pointer;
use crate::note::Note;
use crate::store::quarantine::quarantined;
use crate::store::stored::parsed;
use crate::store::{Commit, Connection, RecordId, RecordStep, StoreError, WaitStep};

/// A record that waits already goes on doing so since when, until when and as told by whom it did.
const WAIT: &str = "insert into waiting (tenant, connection, record, type, for_what, since, until, delivery, entry) \
                    select $1, $2, u.record, u.type, u.for_what, $3, u.until, $4, u.entry \
                    from unnest($5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::bigint[]) \
                    u (record, type, for_what, until, entry) \
                    on conflict (tenant, connection, record) do update set for_what = excluded.for_what";

/// Those who wait no longer, and what became of them. The lines that told that they waited tell that now, and the errors
/// of their deliveries are counted anew.
const LINK: &str = "with linked as (\
                    delete from waiting w using unnest($3::bigint[], $4::text[], $5::boolean[]) \
                    u (record, outcome, is_error) \
                    where w.tenant = $1 and w.connection = $2 and w.record = u.record \
                    returning w.delivery, w.entry, w.quarantined, u.outcome, u.is_error), \
                    told as (\
                    update entry e set outcome = l.outcome, notes = null from linked l \
                    where e.tenant = $1 and e.connection = $2 and e.delivery = l.delivery and e.nth = l.entry \
                    returning l.delivery, l.is_error::int - l.quarantined::int as more) \
                    update delivery d set errors = d.errors + m.more, \
                    aside = greatest(d.aside + m.more, 0) from \
                    (select delivery, sum(more) as more from told group by delivery having sum(more) <> 0) m \
                    where d.tenant = $1 and d.connection = $2 and d.id = m.delivery";

/// What has waited too long, each by one process only.
const EXPIRE: &str = "update waiting w set quarantined = true from (\
                      select tenant, connection, record from waiting where not quarantined and until <= $1 \
                      for update skip locked) e \
                      where w.tenant = e.tenant and w.connection = e.connection and w.record = e.record \
                      returning w.tenant, w.connection, w.delivery, w.entry, w.for_what";

/// The lines of logs (tenants, connections, deliveries, places) that are there: which of them, pointer, notes.
const TOLD: &str = "select l.at, e.pointer, e.notes \
                    from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[]) with ordinality \
                    l (tenant, connection, delivery, nth, at) join entry e on e.tenant = l.tenant \
                    and e.connection = l.connection and e.delivery = l.delivery and e.nth = l.nth";

/// Tells in these lines (as above, then outcome and notes) what is an error of their deliveries now.
const RETELL: &str = "with told as (\
                      update entry e set outcome = $5, notes = l.notes \
                      from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[], $6::text[]) \
                      l (tenant, connection, delivery, nth, notes) where e.tenant = l.tenant \
                      and e.connection = l.connection and e.delivery = l.delivery and e.nth = l.nth \
                      returning e.tenant, e.connection, e.delivery) \
                      update delivery d set errors = d.errors + m.more, \
                      aside = greatest(d.aside + m.more, 0) from \
                      (select tenant, connection, delivery, count(*) as more from told group by 1, 2, 3) m \
                      where d.tenant = m.tenant and d.connection = m.connection and d.id = m.delivery";

/// The records of a connection that wait, or waited for too long.
pub(super) async fn of(database: &mut PgConnection, connection: &Connection) -> Result<BTreeSet<RecordId>, StoreError> {
    let rows = sqlx::query("select record from waiting where tenant = $1 and connection = $2")
        .bind(connection.tenant_id)
        .bind(connection.id)
        .fetch_all(database)
        .await?;
    rows.iter().map(|row| Ok(RecordId(row.try_get(0)?))).collect()
}

/// Does what `commit` says about waiting, and forgets that records wait which it removes.
pub(super) async fn apply(
    database: &mut PgConnection,
    partner: &Partner,
    commit: &Commit<'_>,
) -> Result<(), StoreError> {
    wait(database, partner, commit).await?;
    link(database, commit).await?;
    let removed = commit.records.iter().filter_map(|step| match step {
        RecordStep::Remove(_, id) => Some(id.0),
        RecordStep::Put(_) => None,
    });
    let removed: Vec<_> = removed.collect();
    if removed.is_empty() {
        return Ok(());
    }
    sqlx::query("delete from waiting where tenant = $1 and connection = $2 and record = any($3)")
        .bind(commit.connection.tenant_id)
        .bind(commit.connection.id)
        .bind(removed)
        .execute(database)
        .await?;
    Ok(())
}

async fn wait(database: &mut PgConnection, partner: &Partner, commit: &Commit<'_>) -> Result<(), StoreError> {
    let (mut records, mut types, mut whats) = (Vec::new(), Vec::new(), Vec::new());
    let (mut untils, mut entries) = (Vec::new(), Vec::new());
    for step in &commit.waits {
        if let WaitStep::Wait { of, record, for_what, until, entry } = step {
            records.push(record.0);
            types.push(partner.records[usize::from(of.0)].name.as_str());
            whats.push(for_what.as_str());
            untils.push(until.map(Timestamp::as_millisecond));
            entries.push(entry.map(i64::from));
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    sqlx::query(WAIT)
        .bind(commit.connection.tenant_id)
        .bind(commit.connection.id)
        .bind(commit.at.as_millisecond())
        .bind(commit.delivery)
        .bind(records)
        .bind(types)
        .bind(whats)
        .bind(untils)
        .bind(entries)
        .execute(database)
        .await?;
    Ok(())
}

async fn link(database: &mut PgConnection, commit: &Commit<'_>) -> Result<(), StoreError> {
    let linked = commit.waits.iter().filter_map(|step| match step {
        WaitStep::Linked { record, outcome } => Some((record.0, *outcome)),
        WaitStep::Wait { .. } => None,
    });
    let linked: Vec<_> = linked.collect();
    if linked.is_empty() {
        return Ok(());
    }
    sqlx::query(LINK)
        .bind(commit.connection.tenant_id)
        .bind(commit.connection.id)
        .bind(linked.iter().map(|(record, _)| *record).bind_iter())
        .bind(linked.iter().map(|(_, outcome)| outcome.word()).bind_iter())
        .bind(linked.iter().map(|(_, outcome)| outcome.is_error()).bind_iter())
        .execute(database)
        .await?;
    Ok(())
}

/// A line of a log that told that a record waits, and what for.
#[derive(Debug)]
struct Line {
    tenant: i64,
    connection: i64,
    delivery: Uuid,
    nth: i64,
    for_what: String,
}

/// Quarantines what has waited too long, and has its log say so; says how many.
pub(super) async fn quarantine_expired(database: &mut PgConnection, at: Timestamp) -> Result<u64, StoreError> {
    let expired = sqlx::query(EXPIRE).bind(at.as_millisecond()).fetch_all(&mut *database).await?;
    let mut lines = Vec::new();
    for row in &expired {
        lines.extend(line(row)?);
    }
    if lines.is_empty() {
        return Ok(expired.len() as u64);
    }
    let rows = sqlx::query(TOLD)
        .bind(lines.iter().map(|line| line.tenant).bind_iter())
        .bind(lines.iter().map(|line| line.connection).bind_iter())
        .bind(lines.iter().map(|line| line.delivery).bind_iter())
        .bind(lines.iter().map(|line| line.nth).bind_iter())
        .fetch_all(&mut *database)
        .await?;
    let (mut there, mut told) = (Vec::new(), Vec::new());
    for row in &rows {
        let place = usize::try_from(row.try_get::<i64, _>(0)? - 1).unwrap_or_default();
        if let Some(line) = lines.get(place) {
            told.push(notes(&retold(row, &line.for_what)?)?);
            there.push(line);
        }
    }
    sqlx::query(RETELL)
        .bind(there.iter().map(|line| line.tenant).bind_iter())
        .bind(there.iter().map(|line| line.connection).bind_iter())
        .bind(there.iter().map(|line| line.delivery).bind_iter())
        .bind(there.iter().map(|line| line.nth).bind_iter())
        .bind(Outcome::Quarantined.word())
        .bind(told)
        .execute(database)
        .await?;
    Ok(expired.len() as u64)
}

/// `None` where no log tells of the record.
fn line(row: &PgRow) -> Result<Option<Line>, StoreError> {
    let Some(nth) = row.try_get(3)? else { return Ok(None) };
    let (tenant, connection, delivery) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(Some(Line { tenant, connection, delivery, nth, for_what: row.try_get(4)? }))
}

/// What was told, with the note that the record waits turned into one that it waited too long.
fn retold(row: &PgRow, for_what: &str) -> Result<Vec<Note>, StoreError> {
    let pointer = Pointer::from(row.try_get::<String, _>(1)?);
    let told = row.try_get::<Option<&str>, _>(2)?;
    let told = told.map_or(Ok(Vec::new()), |notes| parsed(notes, "a line of a log"))?;
    Ok(quarantined(pointer, told, for_what))
}
