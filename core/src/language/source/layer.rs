//! Lays `overlay.yaml`, if there is one beside the first file, over what that says. What comes from it has its place there.

use std::path::Path;
use std::sync::Arc;

use rollcall_openapi::{Edit, OVERLAY};
use serde_json::Value;

use super::{Place, Reader, merged_at, nearest};
use crate::json::Pointer;
use crate::language::Diagnostic;

impl Reader<'_> {
    /// Whether there is an overlay; the first file is a vendor's then.
    pub(super) fn has_overlay(&self) -> bool {
        self.folder.holds(Path::new(OVERLAY)) == Some(true)
    }

    /// Changes `root` as the overlay says.
    pub(super) fn lay_over(&mut self, root: &mut Value) {
        let relative = Path::new(OVERLAY);
        if !self.has_overlay() || self.files[0].name == OVERLAY {
            return;
        }
        self.overlay = Some(self.files.len());
        let Some(overlay) = self.file(relative) else { return };
        let base = merged_at(relative);
        let (edits, mistakes) = rollcall_openapi::apply(root, &overlay);
        for mistake in mistakes {
            let spot = nearest(&self.spots, &Pointer::from(format!("{base}{}", mistake.at))).clone();
            let place = Place { file: Arc::clone(&self.files[spot.file]), span: spot.value };
            self.problems.push(Diagnostic::at(place, mistake.problem));
        }
        for edit in edits {
            match edit {
                Edit::Put { at, from } => self.put(&overlay, &base, &Pointer::from(at), &from),
                Edit::Remove { at, is_item: true } => self.move_up(&at),
                Edit::Remove { .. } => {} // nobody asks where it stood
            }
        }
    }

    /// What stands at `at` now has the places that it has at `from` in the overlay.
    fn put(&mut self, overlay: &Value, base: &Pointer, at: &Pointer, from: &str) {
        if let Some(spot) = self.spots.get(&Pointer::from(format!("{base}{from}"))).cloned() {
            self.spots.insert(at.clone(), spot);
        }
        let value = overlay.pointer(from);
        let within = |step: &str| Pointer::from(from).member(step);
        for name in value.and_then(Value::as_object).into_iter().flat_map(serde_json::Map::keys) {
            self.put(overlay, base, &at.member(name), within(name).as_str());
        }
        for nth in 0..value.and_then(Value::as_array).map_or(0, Vec::len) {
            self.put(overlay, base, &at.item(nth), within(&nth.to_string()).as_str());
        }
    }

    /// The item of a list at `at` is gone: what stood behind it has moved up.
    fn move_up(&mut self, at: &str) {
        let Some((list, gone)) = at.rsplit_once('/') else { return };
        let Ok(gone) = gone.parse::<usize>() else { return };
        let place = |pointer: &Pointer| {
            let inside = pointer.as_str().strip_prefix(list)?.strip_prefix('/')?;
            let (step, rest) = inside.split_at(inside.find('/').unwrap_or(inside.len()));
            Some((step.parse::<usize>().ok()?, rest.to_owned()))
        };
        let moved: Vec<_> = self.spots.keys().filter_map(|at| Some((at.clone(), place(at)?))).collect();
        let moved = moved.into_iter().filter(|(_, (nth, _))| *nth >= gone);
        let moved: Vec<_> = moved.filter_map(|(at, to)| Some((self.spots.remove(&at)?, to))).collect();
        for (spot, (nth, rest)) in moved.into_iter().filter(|(_, (nth, _))| *nth > gone) {
            self.spots.insert(Pointer::from(format!("{list}/{}{rest}", nth - 1)), spot);
        }
    }
}
