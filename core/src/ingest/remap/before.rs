//! Compares what a version has against single records with what was known of them before.

use std::collections::{BTreeMap, BTreeSet};

use super::super::mapping::{Ending, Outcomes};
use super::difference::{Difference, Trouble};
use crate::description::{Partner, RecordTypeId};
use crate::json::Pointer;
use crate::map::{Diagnostic, Severity};
use crate::store::RecordId;

/// What was known of the records before.
pub(super) struct Before<'b> {
    /// Those that were taken, or waited.
    pub(super) was_taken: BTreeSet<RecordId>,
    /// Those that were taken and did not wait.
    pub(super) was_well: BTreeSet<RecordId>,
    /// All that are looked at, with their types.
    pub(super) types: BTreeMap<RecordId, RecordTypeId>,
    pub(super) partner: &'b Partner,
    pub(super) details_max: usize,
}

impl Before<'_> {
    fn name(&self, record: RecordId) -> &str {
        self.types.get(&record).map_or("", |of| &self.partner.records[usize::from(of.0)].name)
    }

    /// Tells of which records the mapper thinks otherwise.
    pub(super) fn tell(&self, outcomes: &Outcomes, difference: &mut Difference) {
        let mut troubles: BTreeMap<(String, Pointer, String, String), u64> = BTreeMap::new();
        for (record, ending, diagnostics) in outcomes.each() {
            let name = self.name(record);
            let counts = difference.records.entry(name.to_owned()).or_default();
            let was_taken = self.was_taken.contains(&record);
            match ending {
                Ending::Well => counts.newly_taken += u64::from(!was_taken),
                Ending::Refused => counts.newly_refused += u64::from(was_taken),
                Ending::Fault(_) => counts.newly_faulted += u64::from(was_taken),
            }
            if was_taken {
                for (pointer, code, message) in why(ending, diagnostics) {
                    let trouble = (name.to_owned(), pointer, code.to_owned(), message.to_owned());
                    *troubles.entry(trouble).or_default() += 1;
                }
            }
        }
        let mut named: BTreeMap<String, usize> = BTreeMap::new();
        for ((record, pointer, code, message), records) in troubles {
            let named = named.entry(record.clone()).or_default();
            *named += 1;
            if *named > self.details_max {
                difference.troubles_omitted += 1;
            } else {
                difference.troubles.push(Trouble { record, pointer, code, message, records });
            }
        }
    }

    pub(super) fn tell_waiting<'r>(&self, parked: impl IntoIterator<Item = &'r RecordId>, difference: &mut Difference) {
        for record in parked.into_iter().filter(|record| self.was_well.contains(record)) {
            difference.records.entry(self.name(*record).to_owned()).or_default().newly_waiting += 1;
        }
    }
}

/// Why a record is not taken: place, code, and words.
fn why<'o>(ending: Ending<'o>, diagnostics: &'o [Diagnostic]) -> Vec<(Pointer, &'o str, &'o str)> {
    let errors = diagnostics.iter().filter(|told| told.severity == Severity::Error);
    let errors: Vec<_> = errors.map(|told| (told.pointer.clone(), told.code.as_str(), told.message.as_str())).collect();
    match ending {
        Ending::Well => Vec::new(),
        Ending::Refused if errors.is_empty() => vec![(Pointer::root(), "refused", "the mapper declines it")],
        Ending::Refused => errors,
        Ending::Fault(message) => vec![(Pointer::root(), "fault", message)],
    }
}
