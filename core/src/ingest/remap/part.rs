//! One part of a remap: read, mapped, planned and committed like a delivery.

use super::super::work::{Beside, Keeping, Work};
use super::stored::{Again, read};
use super::{Part, RemapError};
use crate::costs::Stage;
use crate::delivery::{Received, Report, Status};
use crate::state::State;
use crate::store::Connection;

impl Work<'_> {
    /// Maps the records of a part anew, as far as they are still there and have not been mapped by this version.
    pub(super) async fn remap(
        &self,
        connection: &Connection,
        part: &Part,
        received: Received,
    ) -> Result<Report, RemapError> {
        let (ingest, partner) = (self.ingest, &self.loaded.partner);
        let mut held = ingest.store.records_by_id(connection, partner, &part.0).await?;
        held.retain(|held| !held.waits);
        held.sort_by_key(|held| (held.of, held.id));
        let stored = read(&*ingest.store, connection, partner, &held).await?;
        let depth_max = ingest.limits.json_depth_max;
        let again = stored.iter().filter_map(|stored| {
            let record = stored.record(stored.held.of, partner, self.mapping, depth_max);
            (stored.held.digest != Some(record.digest)).then(|| (record.packed(), stored.held.as_of))
        });
        let again = Again::new(again.collect(), partner);
        let nothing = Report::new(Status::Unchanged);
        if again.records().len() == 0 {
            return Ok(nothing);
        }
        let state = State::new(held.clone(), &partner.records);
        let changed = again.changed(&state, partner, connection.next_record);
        let outcomes = self.costs.stage(Stage::Map, || self.map_apart(&changed))?;
        let (beside, mut keeping) = (Beside::default(), Some(Keeping::Within(Box::new(received))));
        let (report, _) = self
            .plan_and_commit(connection, &state, &changed, &outcomes, nothing, Vec::new(), beside, &mut keeping)
            .await?;
        ingest.store.synced().await?;
        Ok(report)
    }
}
