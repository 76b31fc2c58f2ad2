//! The logs of deliveries: a line per record sent.

use sqlx::postgres::{PgBindIterExt as _, PgConnection};
use uuid::Uuid;

use super::rows::{ROWS_PER_STATEMENT_MAX, storable};
use crate::delivery::Entry;
use crate::note::Note;
use crate::store::StoreError;
use crate::store::stored::integer;

const WRITE: &str = "insert into entry (tenant, connection, delivery, nth, pointer, record, key, outcome, notes) \
                     select $1, $2, $3, $4 + line.nth - 1, line.pointer, line.record, line.key, line.outcome, line.notes \
                     from unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) \
                     with ordinality as line (pointer, record, key, outcome, notes, nth)";

/// Writes the log of a delivery of a connection (the numbers of tenant and connection).
pub(super) async fn write(
    database: &mut PgConnection,
    (tenant, connection): (i64, i64),
    delivery: Uuid,
    entries: &[Entry],
) -> Result<(), StoreError> {
    for (nth, lines) in entries.chunks(ROWS_PER_STATEMENT_MAX).enumerate() {
        let told = lines.iter().map(|entry| notes(&entry.notes)).collect::<Result<Vec<_>, _>>()?;
        sqlx::query(WRITE)
            .bind(tenant)
            .bind(connection)
            .bind(delivery)
            .bind(integer(nth * ROWS_PER_STATEMENT_MAX))
            .bind(lines.iter().map(|entry| storable(entry.pointer.as_str())).bind_iter())
            .bind(lines.iter().map(|entry| entry.record.as_str()).bind_iter())
            .bind(lines.iter().map(|entry| entry.key.as_deref()).bind_iter())
            .bind(lines.iter().map(|entry| entry.outcome.word()).bind_iter())
            .bind(told)
            .execute(&mut *database)
            .await?;
    }
    Ok(())
}

/// What is told of a record, as it is stored.
pub(super) fn notes(notes: &[Note]) -> Result<Option<String>, StoreError> {
    let text = (!notes.is_empty()).then(|| serde_json::to_string(notes)).transpose();
    text.map_err(|error| StoreError::Database(Box::new(error)))
}
