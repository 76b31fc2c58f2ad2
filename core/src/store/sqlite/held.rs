//! What planning reads: connections, records with their contributions, entities.

use std::collections::BTreeMap;

use rusqlite::Row;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::rows::Rows;
use super::waiting;
use super::writer::Transaction;

use crate::canonical::{Canonical, KindId};
use crate::delivery::Applied;
use crate::description::{Partner, RecordTypeId};
use crate::digest::Digest;
use crate::store::body::{self, Stored};
use crate::store::contributors::{damaged, decode};
use crate::store::sql::Sqlite;
use crate::store::{Connection, HeldEntity, HeldRecord, Hold, RecordId, StoreError, Values, sql};
use crate::table::Table;

const CONNECTION: &str = "select c.id, c.partner, c.generation, c.next_record, c.active, c.applied_sha256, \
                          c.applied_setting, c.applied_state, c.tenant, \
                          exists (select 1 from delivery d where d.connection = c.id and d.status = 'held') \
                          from connection c join tenant t on t.id = c.tenant where t.name = ?1 and c.name = ?2";

/// [`StoreError::Stale`] where something was written to a connection, or taken back, since it was read.
pub(super) fn unmoved(transaction: &Transaction<'_>, connection: &Connection) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("select generation = ?2 from connection where id = ?1")?;
    let is_same: bool = statement.query_row([connection.id, connection.generation], |row| row.get(0))?;
    if is_same { Ok(()) } else { Err(StoreError::Stale) }
}

/// The connection, if there is one; it must be of `partner`.
pub(super) fn connection(
    transaction: &Transaction<'_>,
    tenant: &str,
    name: &str,
    partner: &str,
) -> Result<Option<Connection>, StoreError> {
    let mut statement = transaction.prepare_cached(CONNECTION)?;
    let mut rows = statement.query([tenant, name])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let stored: String = row.get(1)?;
    if stored != partner {
        return Err(StoreError::Inconsistent(format!(
            "connection {name} of tenant {tenant} belongs to partner {stored}, not {partner}"
        )));
    }
    let active: String = row.get(4)?;
    Ok(Some(Connection {
        id: row.get(0)?,
        tenant_id: row.get(8)?,
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        partner: stored,
        generation: row.get(2)?,
        next_record: row.get(3)?,
        active: serde_json::from_str(&active).map_err(|_| damaged("the counts of a connection"))?,
        applied: applied(row)?,
        has_held: row.get(9)?,
        hold: Hold::default(),
    }))
}

fn applied(row: &Row<'_>) -> Result<Option<Applied>, StoreError> {
    let Some(sha256) = row.get::<_, Option<[u8; 32]>>(5)? else {
        return Ok(None);
    };
    let digest = |column| Ok::<_, StoreError>(Digest::from_bytes(&row.get::<_, [u8; 32]>(column)?));
    let (Some(setting), Some(state)) = (digest(6)?, digest(7)?) else {
        return Err(damaged("what was applied last"));
    };
    Ok(Some(Applied { sha256, setting, state }))
}

/// Makes the connection, and the tenant if it is new too.
pub(super) fn new_connection(
    transaction: &Transaction<'_>,
    tenant: &str,
    name: &str,
    partner: &str,
) -> Result<Connection, StoreError> {
    transaction.execute("insert into tenant (name) values (?1) on conflict (name) do nothing", [tenant])?;
    transaction.execute(
        "insert into connection (tenant, name, partner) select id, ?2, ?3 from tenant where name = ?1 \
         on conflict (tenant, name) do nothing",
        [tenant, name, partner],
    )?;
    transaction.execute(
        "insert into claim (connection) select c.id from connection c join tenant t on t.id = c.tenant \
         where t.name = ?1 and c.name = ?2 on conflict (connection) do nothing",
        [tenant, name],
    )?;
    connection(transaction, tenant, name, partner)?.ok_or_else(|| damaged("a connection just made"))
}

pub(super) fn records(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
) -> Result<Vec<HeldRecord>, StoreError> {
    let waiting = waiting::of(transaction, connection)?;
    let mut held = Vec::new();
    for (of, record) in (0..).map(RecordTypeId).zip(&partner.records) {
        let mut statement = transaction.prepare_cached(&sql::held_records(&Sqlite, &record.table))?;
        let mut rows = statement.query([connection.id])?;
        while let Some(row) = rows.next()? {
            let waits = waiting.contains(&RecordId(row.get(0)?));
            held.push(held_as(of, row, waits)?);
        }
    }
    Ok(held)
}

/// A record in five columns: id, key, digest, as of, whether it waits.
pub(super) fn held(of: RecordTypeId, row: &Row<'_>) -> Result<HeldRecord, StoreError> {
    held_as(of, row, row.get(4)?)
}

fn held_as(of: RecordTypeId, row: &Row<'_>, waits: bool) -> Result<HeldRecord, StoreError> {
    let digest = row.get_ref(2)?.as_blob_or_null().map_err(|_| damaged("the digest of a record"))?;
    Ok(HeldRecord {
        id: RecordId(row.get(0)?),
        of,
        key: row.get(1)?,
        digest: digest.map(stored_digest).transpose()?,
        waits,
        as_of: row.get(3)?,
    })
}

/// What each of `records`, all of the type `of`, says.
pub(super) fn bodies(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    records: &[RecordId],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let table = &partner.records[usize::from(of.0)].table;
    let mut rows = Rows::new(transaction, &sql::record_body(&Sqlite, table))?;
    rows.integer(1, connection.id)?;
    let mut bodies = Vec::with_capacity(records.len());
    for id in records {
        rows.integer(2, id.0)?;
        let body = rows.first(|row| body(table, row))?;
        bodies.push(body.ok_or_else(|| StoreError::Inconsistent("a record to be read is not there".to_owned()))?);
    }
    Ok(bodies)
}

fn body(table: &Table, row: &Row<'_>) -> Result<Vec<u8>, StoreError> {
    let unknown = row.get_ref(0)?.as_str_or_null().map_err(|_| damaged("what a record says"))?;
    let cells = (1..).zip(&table.columns).map(|(position, _)| stored(row, position));
    body::write(&table.columns, cells, unknown)
}

/// What all records of the type `of` say in `members`, which must have columns.
pub(super) fn values(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
    of: RecordTypeId,
    members: &[String],
) -> Result<Values, StoreError> {
    let record = &partner.records[usize::from(of.0)];
    let column = |member: &String| {
        let column = record.table.columns.iter().find(|column| column.property == *member);
        column.ok_or_else(|| StoreError::Inconsistent(format!("{} has no column for {member}", record.name)))
    };
    let columns = members.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let mut statement =
        transaction.prepare_cached(&sql::record_values(&Sqlite, &record.table, columns.iter().copied()))?;
    let mut rows = statement.query([connection.id])?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        let texts = (1..).zip(&columns).map(|(position, column)| match stored(row, position)? {
            Some(cell) => body::text(column.form, cell),
            None => Ok(None),
        });
        values.push((RecordId(row.get(0)?), texts.collect::<Result<_, _>>()?));
    }
    Ok(values)
}

fn stored<'r>(row: &'r Row<'_>, position: usize) -> Result<Option<Stored<'r>>, StoreError> {
    match row.get_ref(position)? {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(integer) => Ok(Some(Stored::Integer(integer))),
        text => Ok(Some(Stored::Text(text.as_str().map_err(|_| damaged("what a record says"))?))),
    }
}

pub(super) fn contributions(
    transaction: &Transaction<'_>,
    connection: &Connection,
    partner: &Partner,
    records: &[(RecordTypeId, RecordId)],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut statements = BTreeMap::new();
    let mut found = Vec::with_capacity(records.len());
    for (of, id) in records {
        let rows = match statements.entry(*of) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let table = &partner.records[usize::from(of.0)].table;
                let mut rows = Rows::new(transaction, &sql::contributions(&Sqlite, table))?;
                rows.integer(1, connection.id)?;
                entry.insert(rows)
            }
        };
        rows.integer(2, id.0)?;
        found.push(rows.first(|row| Ok(row.get::<_, Option<Vec<u8>>>(0)?))?.flatten().unwrap_or_default());
    }
    Ok(found)
}

/// Looks the entities up in the order of the index, kind by kind.
pub(super) fn entities(
    transaction: &Transaction<'_>,
    connection: &Connection,
    canonical: &Canonical,
    entities: &[(KindId, Uuid)],
) -> Result<Vec<Option<HeldEntity>>, StoreError> {
    let mut order: Vec<_> = (0..entities.len()).collect();
    order.sort_unstable_by_key(|&nth| entities[nth]);
    let mut held = vec![None; entities.len()];
    for of_one_kind in order.chunk_by(|&one, &other| entities[one].0 == entities[other].0) {
        let kind = canonical.kind(entities[of_one_kind[0]].0);
        let mut rows = Rows::new(transaction, &sql::held_entity(&Sqlite, &kind.table))?;
        rows.integer(1, connection.tenant_id)?;
        for &nth in of_one_kind {
            rows.bytes(2, entities[nth].1.as_bytes())?;
            held[nth] = rows.first(entity)?;
        }
    }
    Ok(held)
}

fn entity(row: &Row<'_>) -> Result<HeldEntity, StoreError> {
    let blob = |column| row.get_ref(column)?.as_blob_or_null().map_err(|_| damaged("an entity"));
    Ok(HeldEntity {
        digest: stored_digest(blob(0)?.unwrap_or_default())?,
        active: row.get(1)?,
        uniform: row.get(2)?,
        contributors: decode(row.get(3)?, blob(4)?)?,
    })
}

fn stored_digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    Digest::from_bytes(bytes).ok_or_else(|| damaged("a digest"))
}
