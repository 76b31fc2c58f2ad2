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

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::OVERLAY;
    use crate::json::Pointer;
    use crate::language::{Diagnostic, Document, render};

    const VENDOR: &str = "{\"openapi\": \"3.0.3\", \"paths\": {\n\t\"/a\": {\"get\": {\"tags\": [\"one\", \"two\", \"three\"]}}},\n\
        \"components\": {\"schemas\": {\"A\": {\"$ref\": \"other.json#/B\"}, \"C\": {\"type\": \"string\", \"nullable\": true}}}}";

    const BESIDE: &str = "overlay: 1.0.0\ninfo: {title: t, version: '1'}\nactions:\n\
        - target: $.paths['/a'].get\n  update: {x-rollcall: {list: A}}\n\
        - target: $.paths['/a'].get.tags[0]\n  remove: true\n\
        - target: $.nowhere\n  remove: true\n\
        - target: $.components.schemas\n  update: {D: {$ref: '#/components/schemas/C'}, E: {$ref: '#/components/schemas/X'}}\n";

    /// The document in a folder of these files, and what is wrong with it.
    fn read(files: &[(&str, &str)]) -> (Document, Vec<Diagnostic>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut problems = Vec::new();
        (Document::read(&folder.path().join("openapi.yaml"), &mut problems).unwrap(), problems)
    }

    #[test]
    fn a_vendors_document_is_read_with_what_its_overlay_says_each_in_its_place() {
        let other = "{\"B\": {\"type\": \"integer\", \"nullable\": true}}";
        let (document, problems) = read(&[("openapi.yaml", VENDOR), (OVERLAY, BESIDE), ("other.json", other)]);
        let at = |pointer: &str| Pointer::from(pointer);
        assert_eq!(document.get(&at("/openapi")), Some(&json!("3.1.0")));
        let (_, nullable) = document.resolve(&at("/components/schemas/A")).unwrap();
        assert_eq!(nullable, &json!({"type": ["integer", "null"]}), "other files are 3.0, too");
        let (_, of_overlay) = document.resolve(&at("/components/schemas/D")).unwrap();
        assert_eq!(of_overlay, &json!({"type": ["string", "null"]}), "references in the overlay are the document's");

        let place = |pointer: &str| {
            let place = document.place(&at(pointer));
            let name = place.path().file_name().unwrap().to_str().unwrap().to_owned();
            (name, place.position(), place.text()[place.span()].to_owned())
        };
        let get = "/paths/~1a/get";
        assert_eq!(place(&format!("{get}/x-rollcall/list")), (OVERLAY.to_owned(), (5, 31), "A".to_owned()));
        let vendor = "openapi.yaml".to_owned();
        assert_eq!(place(&format!("{get}/tags/0")), (vendor.clone(), (2, 33), "\"two\"".to_owned()), "it moved up");
        assert_eq!(place("/components/schemas/C/type"), (vendor, (3, 74), "\"string\"".to_owned()));
        let word = document.place(&at(&format!("{get}/x-rollcall/list")));
        let found = document.at_position(word.path(), word.position());
        assert_eq!(found, Some(at(&format!("{get}/x-rollcall/list"))));

        let said = render(&problems, false);
        assert_eq!(problems.len(), 2, "{said}");
        for what in ["overlay.yaml:8:11", "finds nothing", "overlay.yaml:11:", "there is no `#/components/schemas/X`"] {
            assert!(said.contains(what), "nothing is said of {what}:\n{said}");
        }
    }

    #[test]
    fn bare_words_are_text_in_a_vendors_document_and_mistakes_in_our_own() {
        let bare = "openapi: 3.1.0\nenum: [yes, no]\nflag: true\n";
        let empty = "overlay: 1.0.0\ninfo: {title: t, version: '1'}\nactions: []\n";
        let (document, problems) = read(&[("openapi.yaml", bare), (OVERLAY, empty)]);
        assert_eq!(document.root(), &json!({"openapi": "3.1.0", "enum": ["yes", "no"], "flag": true}));
        assert!(problems.is_empty());
        assert_eq!(read(&[("openapi.yaml", bare)]).1.len(), 2);
    }
}
