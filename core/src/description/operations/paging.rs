//! Turns `use: page`, `per-page`, `limit`, `offset` and `cursor` into [`Paging`]: which part of a list is asked for.

use serde_json::Value;

use super::Operations;
use crate::description::outline::OperationOutline;
use crate::description::{Action, Listed, Paging, PagingField, PagingPlace, Verb};
use crate::json::Pointer;
use crate::language::keys::Role;
use crate::language::schema::type_names;
use crate::language::{Diagnostic, EXTENSION};

impl Operations<'_, '_, '_> {
    /// What the operation's parameters are used for.
    pub(super) fn parameter_roles(&mut self, outline: &OperationOutline, verb: Option<&Verb>, paging: &mut Paging) {
        for at in self.declared_parameters(outline) {
            let Some(keys) = self.outline.parameters.get(&at) else { continue };
            let speaks = |verb: &Verb| {
                let listed = matches!(verb, Verb::List(listed) if !matches!(listed, Listed::Records { waiting: Some(_), .. } | Listed::Called { .. }));
                listed || matches!(verb, Verb::Resource(of) if !matches!(of.action, Action::Create | Action::Upsert(_)))
            };
            if keys.only.is_some() && !verb.is_none_or(speaks) {
                let place = self.document.key_place(&at.member(EXTENSION).member("where"));
                let problem = Diagnostic::at(place, "not supported yet: `where` on a parameter, here");
                self.findings.report(problem.hint("it chooses records to list, to show, to change or to delete"));
            }
            let Some(role) = keys.role else { continue };
            let word = at.member(EXTENSION).member("use");
            match (verb, role) {
                (None, _) | (_, Role::Credential) => {}
                (Some(Verb::List(listed)), role) => self.list_role(&at, listed, role, paging, &word),
                (Some(_), _) => {
                    let place = self.document.key_place(&word);
                    self.report(Diagnostic::at(place, "a parameter is used to choose a part of a `list` only"));
                }
            }
        }
    }

    fn list_role(&mut self, at: &Pointer, listed: &Listed, role: Role, paging: &mut Paging, word: &Pointer) {
        let name = self.document.get(&at.member("name")).and_then(Value::as_str).unwrap_or_default().to_owned();
        if self.document.get(&at.member("in")).and_then(Value::as_str) != Some("query") {
            let problem = "which part of a list is asked for stands in the query, or in a body";
            self.report(Diagnostic::at(self.document.key_place(word), problem));
        }
        match (role, listed) {
            (Role::Sort | Role::Cursor, Listed::Selected(_)) => {
                if role == Role::Cursor {
                    paging.cursor = Some(name);
                }
            }
            // Other lists are short, and have one order only: a place in them is a number like any other.
            (Role::Cursor, Listed::Items { .. } | Listed::Called { .. } | Listed::Sends { .. }) => {
                paging.cursor = Some(name);
            }
            _ => self.paging_field(paging, role, PagingPlace::Query(name), &at.member("schema"), word),
        }
    }

    /// Whether a parameter of the operation has this role.
    pub(super) fn has_role(&self, outline: &OperationOutline, role: Role) -> bool {
        let declared = self.declared_parameters(outline);
        declared.iter().any(|at| self.outline.parameters.get(at).is_some_and(|keys| keys.role == Some(role)))
    }

    /// Notes that the number at `place`, which is described at `schema`, has a role; `word` is what says so.
    pub(super) fn paging_field(
        &mut self,
        paging: &mut Paging,
        role: Role,
        place: PagingPlace,
        schema: &Pointer,
        word: &Pointer,
    ) {
        self.findings.understand(word.clone());
        let (field, minimum) = match role {
            Role::Page => (&mut paging.page, 1),
            Role::Limit | Role::PerPage => (&mut paging.limit, 1),
            Role::Offset => (&mut paging.offset, 0),
            Role::Cursor | Role::Sort | Role::Change | Role::AsOf | Role::Remove | Role::Credential => {
                let problem = Diagnostic::at(self.document.place(word), "not supported yet: this use, here");
                self.report(problem.hint("supported here are `page`, `per-page`, `limit` and `offset`"));
                return;
            }
        };
        let Some((schema_at, schema)) = self.document.resolve(schema) else { return };
        let number = |word: &str| schema.get(word).and_then(Value::as_u64);
        let (default, minimum) = (number("default"), number("minimum").unwrap_or(minimum));
        let maximum = number("maximum");
        let mut problems = Vec::new();
        if type_names(schema) != ["integer"] {
            let problem = Diagnostic::at(self.document.key_place(&schema_at), "this is no integer");
            problems.push(problem.related(self.document.key_place(word), "a part of a list is chosen by number"));
        }
        match field {
            None => *field = Some(PagingField { places: vec![place], default, minimum, maximum }),
            Some(field) => {
                if (field.default, field.minimum, field.maximum) != (default, minimum, maximum) {
                    let place = self.document.key_place(word);
                    let problem =
                        Diagnostic::at(place, "this number stands elsewhere with another default or other bounds");
                    problems.push(problem.hint("it means the same in the query and in the body"));
                }
                field.places.push(place);
            }
        }
        for problem in problems {
            self.report(problem);
        }
    }
}
