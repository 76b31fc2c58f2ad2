//! Takes whoever is erased out of what is told of deliveries: lines of logs, and notes in reports. How many lines there are
//! and how each record ended stays.

use std::collections::HashMap;

use uuid::Uuid;

use super::bodies::BodyPlan;
use super::traces::Traces;
use super::{EraseError, Erased, Erasing, Plan};
use crate::delivery::Entry;
use crate::erasure::{Gap, moved};
use crate::json::Pointer;
use crate::note::Note;
use crate::store::keep::Told;

/// Deliveries that are looked at at a time: each may have a long log.
const AT_A_TIME: u32 = 16;

impl Erasing<'_> {
    /// Looks at what is told of every delivery, and tells it without whoever is erased.
    pub(super) async fn logs(
        &self,
        plan: &Plan,
        traces: &Traces,
        erased: &mut Erased,
        dry_run: bool,
    ) -> Result<(), EraseError> {
        let changed: HashMap<Uuid, &BodyPlan> =
            plan.bodies.iter().flat_map(|body| body.deliveries.iter().map(move |id| (*id, body))).collect();
        let mut after = None;
        loop {
            let told = self.keeper.told(&self.connection, after, AT_A_TIME).await?;
            let Some((last, _)) = told.last() else { return Ok(()) };
            after = Some(*last);
            for (delivery, told) in told {
                let body = changed.get(&delivery);
                let blank = Blank {
                    gaps: body.map_or_else(Vec::new, |body| body.gaps()),
                    is_dropped: body.is_some_and(|body| body.is_dropped()),
                    traces,
                };
                let (retold, blanked) = blank.told(&told);
                erased.lines_blanked += blanked;
                if !dry_run && retold != told {
                    self.keeper.retell(delivery, &retold).await?;
                }
            }
        }
    }
}

/// What goes from what is told of one delivery.
struct Blank<'b> {
    gaps: Vec<Gap>,
    is_dropped: bool,
    traces: &'b Traces,
}

impl Blank<'_> {
    /// What is told from now on, and how much of it is blank.
    fn told(&self, told: &Told) -> (Told, u64) {
        let mut told = told.clone();
        let mut blanked = 0;
        for entry in &mut told.entries {
            blanked += u64::from(self.entry(entry));
        }
        if told.asked.take_if(|asked| self.traces.mentions(asked.as_bytes())).is_some() {
            blanked += 1;
        }
        if let Some(report) = &mut told.report {
            let lists = [
                &mut report.rejections,
                &mut report.refusals,
                &mut report.faults,
                &mut report.parked,
                &mut report.warnings,
            ];
            for notes in lists {
                let before = notes.len();
                notes.retain_mut(|note| self.note(note));
                report.omitted += before - notes.len();
                blanked += (before - notes.len()) as u64;
            }
        }
        (told, blanked)
    }

    /// Blanks a line, or what of its notes has to go; whether it is blank.
    fn entry(&self, entry: &mut Entry) -> bool {
        let is_about = entry.key.as_ref().is_some_and(|key| self.traces.has_record(&entry.record, key));
        let place = moved(&entry.pointer, &self.gaps);
        match place {
            Some(place) if !is_about => {
                entry.pointer = place;
                entry.notes.retain_mut(|note| self.note(note));
                false
            }
            _ => {
                let is_new = entry.key.is_some() || !entry.notes.is_empty();
                entry.pointer = Pointer::root();
                entry.key = None;
                entry.notes.clear();
                is_new
            }
        }
    }

    /// Whether a note stays; it tells its place as it is now.
    fn note(&self, note: &mut Note) -> bool {
        let is_about = note.words.values().any(|word| self.traces.is_named(word));
        let about_body = self.is_dropped && note.pointer != Pointer::root();
        match moved(&note.pointer, &self.gaps) {
            Some(place) if !is_about && !about_body => {
                note.pointer = place;
                true
            }
            _ => false,
        }
    }
}
