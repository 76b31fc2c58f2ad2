//! Finds the fields that descriptions name by path: `section.code`, `parent.parent.id`.

use serde_json::Value;

use super::{Draft, Records};
use crate::description::{FieldPath, Keying, RecordTypeId};
use crate::json::Pointer;
use crate::language::schema::{properties, property, type_names};
use crate::language::{Diagnostic, Place};

impl Records<'_> {
    /// A key's field: there, required on the whole way, and text or an integer.
    pub(super) fn key_field(&self, draft: &Draft, path: &str, place: &Place) -> Result<FieldPath, Diagnostic> {
        let (field, at, required) = self.field(draft, path, place)?;
        let schema = self.document.get(&at).unwrap_or(&Value::Null);
        let refuse = |problem: String| {
            Diagnostic::at(place.clone(), problem).related(self.document.key_place(&at), "the field stands here")
        };
        if !matches!(type_names(schema).as_slice(), ["string" | "integer"]) {
            return Err(refuse(format!("the key `{path}` is neither text nor an integer")));
        }
        if !required && !self.is_made_by_server(draft, path) {
            return Err(refuse(format!("the key `{path}` may be absent")).hint("add it to `required`"));
        }
        Ok(field)
    }

    /// A field of an ancestor that travels with the record.
    pub(super) fn with_field(&self, draft: &Draft, path: &str, place: &Place) -> Result<FieldPath, Diagnostic> {
        let (field, at, _) = self.field(draft, path, place)?;
        if field.up == 0 {
            let problem = Diagnostic::at(place.clone(), format!("`{path}` is the record's own and needs no `with`"));
            return Err(problem.hint(format!("did you mean `parent.{path}`?")));
        }
        if self.holds_record(&at, 0) {
            return Err(Diagnostic::at(place.clone(), format!("`{path}` holds records, which do not travel")));
        }
        Ok(field)
    }

    /// What `parent.parent.name` names: how far up, which way down, where it is declared, and whether it is always
    /// there. A record that is nested in none may have a member of its own that is called so.
    pub(super) fn field(
        &self,
        draft: &Draft,
        path: &str,
        place: &Place,
    ) -> Result<(FieldPath, Pointer, bool), Diagnostic> {
        let steps: Vec<_> = path.split('.').collect();
        let is_nested = draft.found.as_ref().is_some_and(|(parent, _)| parent.is_some());
        let own = !is_nested && property(self.document, &draft.at, "parent").is_some();
        let up = if own { 0 } else { steps.iter().take_while(|step| **step == "parent").count() };
        let mut record = draft;
        for _ in 0..up {
            let parent = record.found.as_ref().and_then(|(parent, _)| *parent);
            let Some(RecordTypeId(parent)) = parent else {
                let problem = format!("`{path}` goes up from `{}`, which is nested in no record", record.name);
                return Err(Diagnostic::at(place.clone(), problem));
            };
            record = &self.drafts[usize::from(parent)];
        }
        let (mut at, mut required) = (record.at.clone(), true);
        for step in &steps[up..] {
            let Some(found) = property(self.document, &at, step) else {
                let known = properties(self.document, &at);
                let problem = Diagnostic::at(place.clone(), format!("there is no field `{step}` in `{}`", record.name));
                return Err(problem.did_you_mean(step, known.iter().map(|property| property.name.as_str())));
            };
            required &= found.required || self.is_computed(&found.at);
            at = self.document.resolve(&found.at).map_or(found.at, |(at, _)| at);
        }
        if steps.len() == up {
            return Err(Diagnostic::at(place.clone(), format!("`{path}` names a record, not a field of it")));
        }
        let path = steps[up..].iter().map(|&step| step.to_owned()).collect();
        Ok((FieldPath { up, path }, at, required))
    }

    /// Whether the server makes the key, so that it is always there.
    fn is_made_by_server(&self, draft: &Draft, path: &str) -> bool {
        let id = self.by_place.get(&draft.at);
        !path.contains('.') && id.is_some_and(|id| self.keying(*id, draft) != Keying::Sent)
    }

    /// Whether a member is computed where it is absent.
    fn is_computed(&self, at: &Pointer) -> bool {
        let keys = self.outline.schema(self.document, at);
        keys.value.is_some() && keys.at.is_some()
    }

    /// Whether what is sent under this name is kept under another one.
    pub(super) fn is_alias(&self, draft: &Draft, name: &str) -> bool {
        let found = property(self.document, &draft.at, name);
        found.is_some_and(|found| self.outline.schema(self.document, &found.at).written.is_some())
    }

    /// The names of a record's own fields.
    pub(super) fn own_fields(&self, draft: &Draft) -> Vec<String> {
        let names = properties(self.document, &draft.at).into_iter().map(|property| property.name);
        names.filter(|name| !self.is_alias(draft, name)).collect()
    }
}
