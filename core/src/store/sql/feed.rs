//! The statements behind the change feed and provenance, which go over several tables.

use super::{Sql, quoted};
use crate::canonical::{Canonical, KindId};
use crate::table::Table;

/// The feed of a tenant (its name, the cursor, how many): place, kind's index, id, active, modified, connection.
///
/// Each kind gives its first ones, and none is looked at beyond the end of the tenant's part: asking again costs nothing
/// where nothing changed, however much others change. The plus keeps the database from taking the index of ids, which
/// would mean to sort all that the tenant has.
pub(in crate::store) fn changes(canonical: &Canonical) -> Sql {
    let kinds: Vec<_> = canonical.iter().map(|(KindId(index), kind)| {
        format!(
            "select * from (select _sequence, {index} as kind, _sourced_id, _active, _modified, _connection from {} \
             where +_tenant = (select id from tenant where name = ?1) and _sequence > ?2 \
             and _sequence <= (select sequence from tenant where name = ?1) order by _sequence limit ?3)",
            quoted(&kind.table.name)
        )
    }).collect();
    Sql(format!(
        "select f._sequence, f.kind, f._sourced_id, f._active, f._modified, c.name from ({}) f \
         join connection c on c.id = f._connection order by f._sequence limit ?3",
        kinds.join(" union all ")
    ))
}

/// The records of one table (connection, ids as a JSON list): id, key, delivery.
pub(in crate::store) fn sources(table: &str) -> Sql {
    Sql(format!(
        "select _id, _key, _delivery from {} where _connection = ?1 and _id in (select value from json_each(?2))",
        quoted(table)
    ))
}

/// Where an entity comes from (tenant's name, id): connection, its name and partner, source id, contributors.
pub(in crate::store) fn contributors(table: &Table) -> Sql {
    Sql(format!(
        "select e._connection, c.name, c.partner, e._source_id, e._record, e._contributors from {} e \
         join connection c on c.id = e._connection \
         where e._tenant = (select id from tenant where name = ?1) and e._sourced_id = ?2",
        quoted(&table.name)
    ))
}
