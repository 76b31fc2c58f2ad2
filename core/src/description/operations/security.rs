//! Turns `security` and its schemes into [`Credential`]s: where a client puts what lets it in.

use serde_json::Value;

use super::Operations;
use crate::description::Credential;
use crate::description::outline::OperationOutline;
use crate::json::Pointer;
use crate::language::keys::Role;
use crate::language::{Diagnostic, EXTENSION};

/// A credential's place, or that none is needed.
enum Requirement {
    Credential(Credential),
    None,
}

impl Operations<'_, '_, '_> {
    /// Where a credential of the operation may stand.
    pub(super) fn security(&mut self, outline: &OperationOutline) -> Vec<Credential> {
        let in_path = self.credential_in_path(outline);
        if let Some(credential) = in_path {
            return vec![credential];
        }
        let operation = &outline.at;
        let own = operation.member("security");
        let at = if self.document.get(&own).is_some() { own } else { Pointer::root().member("security") };
        let alternatives = self.document.get(&at).and_then(Value::as_array).map_or(0, Vec::len);
        let found: Vec<_> = (0..alternatives).map(|nth| self.requirement(&at.item(nth))).collect();
        if alternatives == 0 || found.iter().any(|found| matches!(found, Some(Requirement::None))) {
            let at = if self.document.get(&at).is_some() { &at } else { operation };
            let problem = Diagnostic::at(self.document.key_place(at), "anyone could call this operation");
            self.report(
                problem.hint("what is sent belongs to the connection that the credential names: add `security`"),
            );
        }
        let credentials = found.into_iter().filter_map(|found| match found {
            Some(Requirement::Credential(credential)) => Some(credential),
            Some(Requirement::None) | None => None,
        });
        credentials.collect()
    }

    /// The parameter that is the credential itself; there is no other then.
    fn credential_in_path(&mut self, outline: &OperationOutline) -> Option<Credential> {
        let mut found = None;
        for at in self.declared_parameters(outline) {
            let keys = self.outline.parameters.get(&at);
            if keys.is_none_or(|keys| keys.role != Some(Role::Credential)) {
                continue;
            }
            let word = |word: &str| self.document.get(&at.member(word)).and_then(Value::as_str).unwrap_or_default();
            let (name, is_in_path) = (word("name").to_owned(), word("in") == "path");
            if !is_in_path {
                let place = self.document.key_place(&at.member(EXTENSION).member("use"));
                let problem = Diagnostic::at(place, "not supported yet: a credential that is such a parameter");
                self.report(problem.hint("`securitySchemes` describe headers and the query; this is for the path"));
            }
            found = Some(Credential::Path(name));
        }
        found
    }

    fn requirement(&mut self, at: &Pointer) -> Option<Requirement> {
        let requirement = self.document.get(at)?.as_object()?;
        let names: Vec<_> = requirement.keys().cloned().collect();
        let name = match names.as_slice() {
            [] => return Some(Requirement::None),
            [name] => name,
            _ => {
                let place = self.document.place(at);
                self.report(Diagnostic::at(place, "not supported yet: several credentials at a time"));
                return None;
            }
        };
        let schemes = Pointer::root().member("components").member("securitySchemes");
        let Some((scheme_at, scheme)) = self.document.resolve(&schemes.member(name)) else {
            let known = self.document.get(&schemes).and_then(Value::as_object);
            let problem = Diagnostic::at(
                self.document.key_place(&at.member(name)),
                format!("there is no security scheme `{name}`"),
            );
            let problem = problem.did_you_mean(name, known.into_iter().flatten().map(|(name, _)| name.as_str()));
            self.report(problem);
            return None;
        };
        let word = |name: &str| scheme.get(name).and_then(Value::as_str);
        let credential = match (word("type"), word("in"), word("name"), word("scheme")) {
            (Some("apiKey"), Some("header"), Some(name), _) => Some(Credential::Header(name.to_ascii_lowercase())),
            (Some("apiKey"), Some("query"), Some(name), _) => Some(Credential::Query(name.to_owned())),
            (Some("http"), _, _, Some(scheme)) if scheme.eq_ignore_ascii_case("bearer") => Some(Credential::Bearer),
            _ => None,
        };
        if credential.is_none() {
            let problem =
                Diagnostic::at(self.document.key_place(&scheme_at), "not supported yet: this security scheme");
            self.report(problem.hint("supported are `apiKey` in a header or the query, and `http` with `bearer`"));
        }
        credential.map(Requirement::Credential)
    }
}
