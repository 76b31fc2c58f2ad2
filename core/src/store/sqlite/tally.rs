//! What versions come to that run beside the ones in use. None of it waits for the disk.

use async_trait::async_trait;
use rusqlite::params;
use uuid::Uuid;

use super::{Durability, SqliteStore};
use crate::store::StoreError;
use crate::store::stored::{json, parsed};
use crate::store::tally::{Run, Tallies, Tally};

#[async_trait]
impl Tallies for SqliteStore {
    async fn put_tally(&self, run: &Run, process: Uuid, tally: &Tally) -> Result<(), StoreError> {
        let body = json(tally)?;
        self.writer.write(Durability::Normal, |database| {
            let mut statement = database.prepare_cached(
                "insert into tally (partner, run, process, body) values (?1, ?2, ?3, ?4) \
                 on conflict (partner, run, process) do update set body = excluded.body",
            )?;
            statement.execute(params![run.partner, run.number, process.as_bytes(), body])?;
            Ok(())
        })
    }

    async fn tallies(&self, run: &Run) -> Result<Vec<Tally>, StoreError> {
        self.writer.read(|database| {
            let mut statement = database.prepare_cached("select body from tally where partner = ?1 and run = ?2")?;
            let bodies = statement.query_map(params![run.partner, run.number], |row| row.get::<_, String>(0))?;
            bodies.map(|body| parsed(&body?, "what a version has come to")).collect()
        })
    }

    async fn forget_tallies(&self, partner: &str, before: i64) -> Result<(), StoreError> {
        self.writer.write(Durability::Normal, |database| {
            database.execute("delete from tally where partner = ?1 and run < ?2", params![partner, before])?;
            Ok(())
        })
    }
}
