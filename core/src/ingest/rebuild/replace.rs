//! Puts what was folded in the place of what is there: as a delivery like any other, so that readers see in the feed what
//! became of it.

use std::collections::BTreeSet;

use super::{IngestError, REBUILD, Rebuild};
use crate::delivery::{Asked, Received, Report, Status};
use crate::description::{Operation, RecordTypeId, Shape};
use crate::digest::Digest;
use crate::ingest::mapping::Changed;
use crate::ingest::work::{Beside, Keeping};
use crate::json::Json;
use crate::reconcile::{Gone, Reconciled, Resulting};
use crate::record::Record;
use crate::state::State;
use crate::store::StoreError;
use crate::validate::Schema;

impl Rebuild<'_> {
    /// Makes what is there what was folded, in one commit; what became of it. Refused as stale where something else was
    /// committed meanwhile: then there is more to fold first. One delivery of a connection at a time.
    pub async fn replace(&self) -> Result<Report, IngestError> {
        let (live, scratch) = (self.connection(self.live).await?, self.connection(&self.scratch).await?);
        if !self.live.store.archive().applied(&live, self.folded.place, 1).await?.is_empty() {
            return Err(StoreError::Stale.into());
        }
        let wrong = self.wrong(&live, &scratch).await?;
        let types = &self.loaded.partner.records;
        let operation = Operation::of_operator(REBUILD.to_owned(), RecordTypeId(0), Schema::default(), Shape::Plain);
        let received = Received {
            id: self.live.clock.next_id(),
            first: None,
            operation: REBUILD.to_owned(),
            asked: Asked::default(),
            at: self.live.clock.now(),
            body: None,
            content_encoding: None,
            sha256: *Digest::of(b"").as_bytes(),
            size: 0,
            queued: false,
        };
        let work = self.live.work(&self.sender, self.loaded, &operation, &received, false);
        let mut reconciled = Reconciled::default();
        let mut records = Vec::new();
        for wrong in &wrong {
            let (of, key) = (wrong.of, wrong.key.clone());
            match (&wrong.folded, &wrong.live) {
                (Some(folded), _) => {
                    let waits = folded.waits.then(|| ("what it refers to".to_owned(), None));
                    reconciled.present.push(Resulting {
                        of,
                        key: key.clone(),
                        body: folded.body.clone().into(),
                        pointer: None,
                        as_of: folded.as_of,
                        waits,
                        entry: None,
                        sorted: Vec::new(),
                    });
                    let body = Json::parse(&folded.body, work.ingest.limits.json_depth_max).unwrap_or(Json::Null);
                    let described = &types[usize::from(of.0)];
                    records.push(Record::stored(of, described, key, body, folded.ancestors.clone(), work.mapping));
                }
                (None, Some(held)) => {
                    reconciled.gone.push(Gone { of, id: held.id, body: Vec::new(), key, as_of: None });
                }
                (None, None) => {}
            }
        }
        // What is wrong is written, whatever its digest says: that is what it was when it was right.
        let is_wrong: BTreeSet<_> = wrong.iter().filter_map(|wrong| Some(wrong.live.as_ref()?.id)).collect();
        let mut held = self.live.store.held_records(&live, &self.loaded.partner).await?;
        held.iter_mut().filter(|held| is_wrong.contains(&held.id)).for_each(|held| held.digest = None);
        let state = State::new(held, types);
        let changed = Changed::of(&reconciled, &records, &state, &self.loaded.partner, live.next_record);
        let mut keeping = Some(Keeping::Within(Box::new(received)));
        let blank = Report::new(Status::Applied);
        let (report, _) =
            work.map_and_commit(&live, &state, &changed, &blank, Vec::new(), Beside::default(), &mut keeping).await?;
        self.live.store.synced().await?;
        Ok(report)
    }
}
