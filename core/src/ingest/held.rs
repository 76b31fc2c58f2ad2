//! Reads what has to be known of stored entities, and of who speaks of them, before a delivery can be planned.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::IngestError;
use super::hold::damaged;
use super::work::Work;
use crate::canonical::KindId;
use crate::plan::{self, Held, Touched, Turn};
use crate::said::{Reading, marks};
use crate::state::State;
use crate::store::{Connection, RecordId, StoreError};

/// Entities of which what is held is read together.
const ENTITIES_READ_TOGETHER: usize = 16_384;

impl Work<'_> {
    /// What is held of the touched entities.
    pub(super) async fn held(&self, connection: &Connection, touched: &Touched) -> Result<Held, StoreError> {
        let mut held = Held::default();
        for from in (0..touched.len()).step_by(ENTITIES_READ_TOGETHER) {
            let to = touched.len().min(from + ENTITIES_READ_TOGETHER);
            let ids: Vec<_> = touched.some_entities(from..to).collect();
            held.take(from, self.ingest.store.held_entities(connection, &self.ingest.canonical, &ids).await?);
        }
        Ok(held)
    }

    /// The records that refer to entities which will not be there, with the kind they wait for. Their turns are taken
    /// back: such a record waits, and what it said before stays.
    pub(super) async fn dangling(
        &self,
        connection: &Connection,
        turns: &[Turn<'_>],
        touched: &Touched,
        held: &Held,
    ) -> Result<BTreeMap<RecordId, KindId>, StoreError> {
        let reading = self.reading();
        let mut elsewhere = touched.references(turns, reading).map_err(|error| damaged(&error))?;
        let ids: Vec<_> = elsewhere.iter().copied().collect();
        let found = self.ingest.store.held_entities(connection, &self.ingest.canonical, &ids).await?;
        let mut there = found.iter().map(|held| held.as_ref().is_some_and(|held| held.active));
        elsewhere.retain(|_| !there.next().unwrap_or_default());
        touched.dangling(turns, &elsewhere, held, reading).map_err(|error| damaged(&error))
    }

    /// The entities about which the words of some record have changed.
    pub(super) fn touched(&self, turns: &[Turn<'_>]) -> Result<Touched, StoreError> {
        plan::touch(turns, self.reading()).map_err(|error| damaged(&error))
    }

    /// What words of this delivery are read with that are packed.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading { canonical: &self.ingest.canonical, namespace: self.namespace }
    }

    /// The state with all records in it that contribute to touched entities: who writes single records has not read
    /// them all.
    pub(super) async fn with_contributors<'s>(
        &self,
        connection: &Connection,
        state: &'s State,
        held: &Held,
    ) -> Result<Cow<'s, State>, StoreError> {
        let contributors = held.iter().flat_map(|held| &held.contributors).copied();
        let unknown: BTreeSet<_> = contributors.filter(|record| state.held(*record).is_none()).collect();
        if unknown.is_empty() {
            return Ok(Cow::Borrowed(state));
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        let more = self.ingest.store.records_by_id(connection, &self.loaded.partner, &unknown).await?;
        Ok(Cow::Owned(state.with(more)))
    }

    /// What the records without a turn say about touched entities on which not all agree.
    pub(super) async fn others(
        &self,
        connection: &Connection,
        state: &State,
        needed: BTreeSet<RecordId>,
    ) -> Result<plan::Others, IngestError> {
        let needed: Vec<_> = needed.into_iter().filter_map(|record| state.find(record)).collect();
        let said = self.statements(connection, &needed).await?.into_iter().map(|(record, statements)| {
            let marks = marks(&statements, &self.ingest.canonical, self.namespace);
            (record, marks.into_iter().zip(statements).collect())
        });
        Ok(said.collect())
    }
}
