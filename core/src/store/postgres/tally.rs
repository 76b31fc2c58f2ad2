//! What versions come to that run beside the ones in use.

use async_trait::async_trait;
use uuid::Uuid;

use super::PostgresStore;
use super::rows::storable;
use crate::store::StoreError;
use crate::store::stored::{json, parsed};
use crate::store::tally::{Run, Tallies, Tally};

#[async_trait]
impl Tallies for PostgresStore {
    async fn put_tally(&self, run: &Run, process: Uuid, tally: &Tally) -> Result<(), StoreError> {
        let work = async {
            let put = sqlx::query(
                "insert into tally (partner, run, process, body) values ($1, $2, $3, $4) \
                 on conflict (partner, run, process) do update set body = excluded.body",
            );
            let put = put.bind(storable(&run.partner)).bind(run.number).bind(process).bind(json(tally)?);
            put.execute(&self.pool).await?;
            Ok(())
        };
        self.patience.soon(work).await
    }

    async fn tallies(&self, run: &Run) -> Result<Vec<Tally>, StoreError> {
        let work = async {
            let bodies = sqlx::query_scalar("select body from tally where partner = $1 and run = $2");
            let bodies: Vec<String> =
                bodies.bind(storable(&run.partner)).bind(run.number).fetch_all(&self.pool).await?;
            bodies.iter().map(|body| parsed(body, "what a version has come to")).collect()
        };
        self.patience.soon(work).await
    }

    async fn forget_tallies(&self, partner: &str, before: i64) -> Result<(), StoreError> {
        let work = async {
            let forget = sqlx::query("delete from tally where partner = $1 and run < $2");
            forget.bind(storable(partner)).bind(before).execute(&self.pool).await?;
            Ok(())
        };
        self.patience.soon(work).await
    }
}
