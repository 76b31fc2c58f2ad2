//! The statements behind the change feed and provenance, which go over several tables.

use super::{Dialect, Sql, quoted};
use crate::canonical::{Canonical, KindId};
use crate::table::Table;

/// The feed of a tenant (its name, the cursor, how many): place, kind's index, id, active, modified, connection.
///
/// Each kind gives its first ones, and none is looked at beyond the end of the tenant's part: asking again costs nothing
/// where nothing changed, however much others change.
pub(in crate::store) fn changes(dialect: &dyn Dialect, canonical: &Canonical) -> Sql {
    let of_tenant = dialect.feed_of("(select id from tenant where name = ?1)");
    let kinds: Vec<_> = canonical.iter().map(|(KindId(index), kind)| {
        format!(
            "select * from (select _sequence, {index} as kind, _sourced_id, _active, _modified, _connection, _tenant \
             from {} where {of_tenant} and _sequence > ?2 \
             and _sequence <= (select sequence from tenant where name = ?1) order by _sequence limit ?3) k{index}",
            quoted(&kind.table.name)
        )
    }).collect();
    dialect.statement(format!(
        "select f._sequence, f.kind, f._sourced_id, f._active, f._modified, c.name from ({}) f \
         join connection c on c.id = f._connection and c.tenant = f._tenant order by f._sequence limit ?3",
        kinds.join(" union all ")
    ))
}

/// The records of one table (connection, ids as a list): id, key, delivery.
pub(in crate::store) fn sources(dialect: &dyn Dialect, table: &str) -> Sql {
    dialect.statement(format!(
        "select _id, _key, _delivery from {} r where {} and {}",
        quoted(table),
        dialect.of_connection("r"),
        dialect.among_integers("_id", dialect.next())
    ))
}

/// Where an entity comes from (tenant's name, id): connection, its name and partner, source id, contributors, tenant.
pub(in crate::store) fn contributors(dialect: &dyn Dialect, table: &Table) -> Sql {
    dialect.statement(format!(
        "select e._connection, c.name, c.partner, e._source_id, e._record, e._contributors, e._tenant from {} e \
         join connection c on c.id = e._connection and c.tenant = e._tenant \
         where e._tenant = (select id from tenant where name = ?1) and e._sourced_id = ?2",
        quoted(&table.name)
    ))
}
