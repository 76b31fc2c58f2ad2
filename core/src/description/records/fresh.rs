//! Tells what a new record has that nobody sent: its key, its defaults, and the numbers of the items in its lists.

use serde_json::{Map, Value};

use super::functions::Function;
use super::members::Member;
use super::{Draft, Records};
use crate::description::expression::Type;
use crate::description::findings::Findings;
use crate::description::{Keying, RecordTypeId, Step};
use crate::json::Pointer;
use crate::language::Diagnostic;
use crate::language::keys::OneOrMany;
use crate::language::schema::{is_read_only, property, said, type_names};

impl Records<'_> {
    /// Where the key of a new record comes from: the server counts a `readOnly` integer, and draws a `readOnly` UUID.
    pub(super) fn keying(&self, id: RecordTypeId, draft: &Draft) -> Keying {
        let key = self.outline.schema(self.document, &draft.at).key;
        let Some([field]) = key.as_ref().map(OneOrMany::as_slice) else { return Keying::Sent };
        let found = property(self.document, &draft.at, field).filter(|_| self.is_blank(id));
        match found {
            Some(field) => self.key_made_by_server(&field.at),
            None => Keying::Sent,
        }
    }

    /// A key that clients cannot write is made by the server, where they make the records.
    pub(super) fn check_key(&self, id: RecordTypeId, draft: &Draft, findings: &mut Findings<'_>) {
        if self.keying(id, draft) != Keying::Sent {
            return;
        }
        let key = self.outline.schema(self.document, &draft.at).key;
        for field in key.iter().flat_map(OneOrMany::as_slice) {
            let Some(found) = property(self.document, &draft.at, field) else { continue };
            let is_computed = self.outline.schema(self.document, &found.at).value.is_some();
            if is_read_only(self.document, &found.at) && !is_computed {
                let place = self.document.key_place(&found.at);
                let problem = Diagnostic::at(place, "nobody can make this key: clients cannot write it");
                findings.report(problem.hint(
                    "the server makes a key that is one integer, or one text of `format: uuid`; others have a `value`",
                ));
            }
        }
    }

    fn key_made_by_server(&self, at: &Pointer) -> Keying {
        let is_computed = self.outline.schema(self.document, at).value.is_some();
        let Some((_, schema)) = self.document.resolve(at).filter(|_| is_read_only(self.document, at) && !is_computed)
        else {
            return Keying::Sent;
        };
        match type_names(schema).as_slice() {
            ["integer"] => Keying::Counted,
            ["string"] if said(self.document, at, "format") == Some(&"uuid".into()) => Keying::Drawn,
            _ => Keying::Sent,
        }
    }

    /// What members of a new record are that were not sent (`default`).
    pub(super) fn defaults(&self, members: &[Member], findings: &mut Findings<'_>) -> Map<String, Value> {
        let mut defaults = Map::new();
        for member in members.iter().filter(|member| member.way.is_empty()) {
            let Some(default) = said(self.document, &member.at, "default").filter(|default| !default.is_null()) else {
                continue;
            };
            let of = Type::of_schema(self.document, &member.at);
            let words = said(self.document, &member.at, "enum").and_then(Value::as_array);
            if !of.accepts(default) || words.is_some_and(|words| !words.contains(default)) {
                let place = self.document.place(&member.at.member("default"));
                let problem = match words {
                    Some(_) => "the default is none of the words of `enum`".to_owned(),
                    None => format!("expected {of}, found another default"),
                };
                findings.report(Diagnostic::at(place, problem));
            }
            if member.keys.value.is_some() {
                let place = self.document.key_place(&member.at.member("default"));
                let problem = Diagnostic::at(place, "what is computed needs no default");
                let word = self.outline.word(self.document, &member.at, "value");
                findings.report(problem.related(self.document.key_place(&word), "computed here"));
            }
            defaults.insert(member.name.clone(), default.clone());
        }
        defaults
    }

    /// Lists whose items the server numbers: the list, and the item's member that holds the number. Both follow from
    /// `match` on the list and `next()` on the member.
    pub(super) fn counted(&self, members: &[Member], findings: &mut Findings<'_>) -> Vec<(String, String)> {
        let mut counted = Vec::new();
        for list in members.iter().filter(|member| member.keys.matched.is_some()) {
            let Some(name) = self.matched(list, members, findings) else { continue };
            let items = [Step::Member(list.name.clone()), Step::Items];
            let item = members.iter().find(|member| member.way == items && member.name == name);
            let function = item.and_then(|item| item.keys.value.as_deref()).and_then(Function::read);
            if matches!(function, Some(Function::Next(of)) if of.is_empty()) {
                counted.push((list.name.clone(), name));
            }
        }
        counted
    }

    /// The member by which the items of a list are told apart.
    fn matched(&self, list: &Member, members: &[Member], findings: &mut Findings<'_>) -> Option<String> {
        let name = list.keys.matched.clone()?;
        let word = self.outline.word(self.document, &list.at, "match");
        findings.understand(word.clone());
        let is_list = self.document.resolve(&list.at).is_some_and(|(_, schema)| schema.get("items").is_some());
        if !is_list || !list.way.is_empty() {
            let place = self.document.key_place(&word);
            findings.report(Diagnostic::at(place, "`match` stands on a record's own lists of objects only"));
            return None;
        }
        let items = [Step::Member(list.name.clone()), Step::Items];
        let known = || members.iter().filter(|member| member.way == items);
        let Some(item) = known().find(|member| member.name == name) else {
            let place = self.document.place(&word);
            let problem = Diagnostic::at(place, format!("the items have no `{name}`"));
            findings.report(problem.did_you_mean(&name, known().map(|member| member.name.as_str())));
            return None;
        };
        if !self.is_scalar(&item.at, true) {
            let place = self.document.place(&word);
            let problem = Diagnostic::at(place, format!("`{name}` is neither text nor a number nor a boolean"));
            findings.report(problem.related(self.document.key_place(&item.at), "it stands here"));
        }
        Some(name)
    }
}
