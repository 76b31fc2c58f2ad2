//! Has the database look at how much its tables hold, so that it knows which index leads to fewest records.
//!
//! It looks again at what has become ten times as much or as little, and at new indexes, each time at a few thousand
//! entries of an index: some milliseconds.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// Rows that change between one look and the next.
pub(super) const CHANGES_MIN: u64 = 10_000;

/// Names what there is to look at, of all tables, a limited number of entries each.
const DUE: &str = "pragma optimize(0x10013)";

/// Looks at it.
const LOOK: &str = "pragma optimize(0x10012)";

/// Looks at what there is to look at; whether there was anything. Connections know of it that are opened afterwards.
pub(super) fn look(connection: &Connection) -> rusqlite::Result<bool> {
    let is_due = connection.prepare(DUE)?.exists([])?;
    if is_due {
        connection.execute_batch(LOOK)?;
    }
    Ok(is_due)
}

/// Has a statement keep its plan whatever is bound to it. Else, once somebody has had the database look at single values
/// too (`analyze` without a limit), a statement is prepared anew for each value, which costs several times what it finds.
pub(super) fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}
