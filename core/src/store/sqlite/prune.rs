//! Deletes what is old, a few rows at a time, so that nobody waits long for the one who writes.

use rusqlite::params;

use super::writer::Transaction;
use crate::canonical::Canonical;
use crate::retention::Prune;
use crate::store::stored::{integer, unsigned};
use crate::store::{Connection, StoreError, sql};

/// One step; says how many rows went.
pub(super) fn step(
    transaction: &Transaction<'_>,
    canonical: &Canonical,
    connection: &Connection,
    what: Prune,
    rows_max: u32,
) -> Result<u64, StoreError> {
    let own = connection.id;
    match what {
        Prune::Bodies(before) => bodies(transaction, own, before.as_millisecond(), rows_max),
        Prune::BodiesOver(bytes) => bodies_over(transaction, own, bytes, rows_max),
        Prune::Deliveries(before) => deliveries(transaction, own, before.as_millisecond(), rows_max),
        Prune::Sends(before) => sends(transaction, own, before.as_millisecond(), rows_max),
        Prune::Tombstones(before) => tombstones(transaction, canonical, connection, before.as_millisecond(), rows_max),
    }
}

/// Bodies of ended deliveries of a connection, the oldest first. Ids are in the order of arrival.
fn bodies(transaction: &Transaction<'_>, connection: i64, before: i64, rows_max: u32) -> Result<u64, StoreError> {
    let mut statement = transaction.prepare_cached(
        "select rowid, body from delivery where connection = ?1 and body is not null and received_at < ?2 \
         and status not in ('received', 'queued', 'held') order by id limit ?3",
    )?;
    let old = statement.query_map(params![connection, before, rows_max], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let old = old.collect::<Result<Vec<(i64, i64)>, _>>()?;
    for (delivery, body) in &old {
        transaction.prepare_cached("update delivery set body = null where rowid = ?1")?.execute([delivery])?;
        drop_unused(transaction, *body)?;
    }
    Ok(old.len() as u64)
}

/// A body goes with the last delivery that has it.
pub(super) fn drop_unused(transaction: &Transaction<'_>, body: i64) -> Result<(), StoreError> {
    let mut statement = transaction
        .prepare_cached("delete from body where id = ?1 and not exists (select 1 from delivery where body = ?1)")?;
    statement.execute([body])?;
    Ok(())
}

/// The oldest bodies, as long as all together take more than they may.
fn bodies_over(
    transaction: &Transaction<'_>,
    connection: i64,
    bytes_max: u64,
    rows_max: u32,
) -> Result<u64, StoreError> {
    let mut statement =
        transaction.prepare_cached("select coalesce(sum(length(zstd)), 0) from body where connection = ?1")?;
    let mut taken = unsigned(statement.query_row([connection], |row| row.get(0))?);
    if taken <= bytes_max {
        return Ok(0);
    }
    let mut statement = transaction.prepare_cached(
        "select b.id, length(b.zstd) from body b where b.connection = ?1 and not exists (select 1 from delivery d \
         where d.body = b.id and d.status in ('received', 'queued', 'held')) order by b.id limit ?2",
    )?;
    let oldest = statement.query_map(params![connection, rows_max], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let oldest = oldest.collect::<Result<Vec<(i64, i64)>, _>>()?;
    let mut went = 0;
    for (body, bytes) in oldest {
        if taken <= bytes_max {
            break;
        }
        transaction.prepare_cached("update delivery set body = null where body = ?1")?.execute([body])?;
        drop_unused(transaction, body)?;
        taken = taken.saturating_sub(unsigned(bytes));
        went += 1;
    }
    Ok(went)
}

/// Deliveries of a connection that have ended, with their logs; a long log goes before its delivery, over several steps.
/// One whose log still has to tell what becomes of a record that waits stays.
fn deliveries(transaction: &Transaction<'_>, connection: i64, before: i64, rows_max: u32) -> Result<u64, StoreError> {
    let mut left = u64::from(rows_max);
    let mut statement = transaction.prepare_cached(
        "select id, body from delivery d where connection = ?1 and received_at < ?2 \
         and status not in ('received', 'queued', 'held') \
         and not exists (select 1 from waiting w where w.connection = ?1 and w.delivery = d.id) order by id limit ?3",
    )?;
    let old = statement.query_map(params![connection, before, rows_max], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let old = old.collect::<Result<Vec<([u8; 16], Option<i64>)>, _>>()?;
    let mut lines = transaction.prepare_cached(
        "delete from entry where delivery = ?1 and nth in (select nth from entry where delivery = ?1 limit ?2)",
    )?;
    for (delivery, body) in old {
        if left == 0 {
            break;
        }
        let went = lines.execute(params![delivery, integer(left)])? as u64;
        left = left.saturating_sub(went);
        if left == 0 {
            break; // there may be more of its log
        }
        transaction.prepare_cached("delete from delivery where id = ?1")?.execute([delivery])?;
        if let Some(body) = body {
            drop_unused(transaction, body)?;
        }
        left -= 1;
    }
    Ok(u64::from(rows_max) - left)
}

/// Sends of a connection that have ended, with their attempts.
fn sends(transaction: &Transaction<'_>, connection: i64, before: i64, rows_max: u32) -> Result<u64, StoreError> {
    let mut statement = transaction.prepare_cached(
        "select id from send where connection = ?1 and at < ?2 and status in ('succeeded', 'failed') \
         order by at limit ?3",
    )?;
    let old = statement.query_map(params![connection, before, rows_max], |row| row.get::<_, i64>(0))?;
    let old = old.collect::<Result<Vec<_>, _>>()?;
    for send in &old {
        transaction.prepare_cached("delete from send_attempt where send = ?1")?.execute([send])?;
        transaction.prepare_cached("delete from send where id = ?1")?.execute([send])?;
    }
    Ok(old.len() as u64)
}

/// Entities of a connection that have been gone for long. The feed of the tenant begins behind the last of them.
fn tombstones(
    transaction: &Transaction<'_>,
    canonical: &Canonical,
    connection: &Connection,
    before: i64,
    rows_max: u32,
) -> Result<u64, StoreError> {
    let tenant = connection.tenant_id;
    let mut went = 0;
    for kind in canonical.kinds() {
        let mut statement = transaction.prepare_cached(&sql::old_tombstones(&kind.table))?;
        let old = statement.query_map(params![tenant, connection.id, before, rows_max], |row| row.get::<_, i64>(0))?;
        let old = old.collect::<Result<Vec<_>, _>>()?;
        let mut delete = transaction.prepare_cached(&sql::delete_entity_at(&kind.table))?;
        for place in &old {
            delete.execute([place])?;
        }
        if let Some(last) = old.iter().max() {
            transaction
                .prepare_cached("update tenant set horizon = max(horizon, ?2) where id = ?1")?
                .execute([tenant, *last])?;
        }
        went += old.len() as u64;
    }
    Ok(went)
}
