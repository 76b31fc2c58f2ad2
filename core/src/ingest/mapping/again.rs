//! Maps records that nobody sent: they are stored, and another version may take them otherwise.

use super::{Changed, ChangedRecord, Ended, Mapped, Outcomes};
use crate::description::Partner;
use crate::ingest::work::Work;
use crate::map::{Budget, Diagnostic, MapError};
use crate::reconcile::Resulting;
use crate::record::Record;
use crate::state::State;
use crate::store::RecordId;

/// How mapping a record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum Ending<'o> {
    /// It says something, or nothing.
    Well,
    /// The mapper declined it.
    Refused,
    /// The mapper trapped on it.
    Fault(&'o str),
}

impl<'r, 'a> Changed<'r, 'a> {
    /// Stored records that are mapped anew, as they are; `resulting` says more of those that are checked one by one.
    pub(in crate::ingest) fn again(
        records: impl IntoIterator<Item = (&'r Record<'a>, Option<&'r Resulting>)>,
        state: &'r State,
        partner: &'r Partner,
        next_record: i64,
    ) -> Self {
        let changed = records.into_iter().filter_map(|(record, resulting)| {
            let held = state.get(record.of, &record.key)?;
            Some(ChangedRecord { record, id: held.id, held: Some(held), resulting })
        });
        let records: Vec<_> = changed.collect();
        let pointers = records.iter().map(|changed| (changed.id, &changed.record.pointer)).collect();
        Self { records, removed: Vec::new(), gone: Vec::new(), state, partner, next_record, pointers }
    }
}

impl Outcomes {
    /// How each record ended, and what the mapper had to say, in the order of the changed records.
    pub(in crate::ingest) fn each(&self) -> impl Iterator<Item = (RecordId, Ending<'_>, &[Diagnostic])> {
        self.all.iter().map(|mapped| {
            let ending = match &mapped.ended {
                Ended::Well(..) => Ending::Well,
                Ended::Refused => Ending::Refused,
                Ended::Fault(message) => Ending::Fault(message),
            };
            (mapped.id, ending, mapped.diagnostics.as_slice())
        })
    }
}

impl Work<'_> {
    /// Maps the changed records a few at a time, each few with the means of a delivery. However many fault, the others are
    /// mapped.
    pub(in crate::ingest) fn map_apart(&self, changed: &Changed<'_, '_>) -> Result<Outcomes, MapError> {
        let mut limits = self.ingest.limits.clone();
        limits.mapper.faults_per_delivery_max = usize::MAX;
        let pieces = changed.pieces(limits.piece_bytes);
        let mut all = Vec::with_capacity(changed.records.len());
        for some in pieces.iter().flat_map(|piece| changed.records[piece.clone()].chunks(limits.remap_records.max(1))) {
            let budget = Budget::new(&limits);
            let mapped = self.map_piece(some, &budget);
            self.costs.used(budget.fuel_used(), budget.memory_used());
            let mapped = mapped?.into_iter();
            all.extend(mapped.map(|mapped| if pieces.len() > 1 { mapped.packed() } else { mapped }));
        }
        debug_assert!(all.iter().map(|mapped: &Mapped| mapped.id).eq(changed.records.iter().map(|changed| changed.id)));
        Ok(Outcomes { all, pieces })
    }
}
