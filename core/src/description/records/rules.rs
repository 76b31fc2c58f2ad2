//! Turns `rules` into [`Rule`]s and [`Single`]s: what must hold over all records of a type together.
//!
//! To add a kind of rule: its word in `language::keys`, an arm in [`Records::rule`], its meaning in `crate::rule`.

use serde_json::{Map, Value};

use super::{Draft, Records};
use crate::description::expression::Type;
use crate::description::findings::Findings;
use crate::description::{Constraint, RecordTypeId, Rule, Single, scope};
use crate::json::Pointer;
use crate::language::schema::{property, type_names};
use crate::language::{Diagnostic, EXTENSION, keys};

/// The words of which a rule has one.
const KINDS: &str = "unique, disjoint, determines, one-to-one, single";

impl Records<'_> {
    /// What must hold over all records of this type, and what at most one of them is.
    pub(super) fn rules(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        findings: &mut Findings<'_>,
    ) -> (Vec<Rule>, Vec<Single>) {
        let at = draft.at.member(EXTENSION).member("rules");
        let (mut rules, mut singles) = (Vec::new(), Vec::new());
        for (nth, rule) in self.outline.schema(self.document, &draft.at).rules.iter().flatten().enumerate() {
            let at = at.item(nth);
            let kinds = [
                ("unique", rule.unique.is_some()),
                ("disjoint", rule.disjoint.is_some()),
                ("determines", rule.determines.is_some()),
                ("one-to-one", rule.one_to_one.is_some()),
                ("single", rule.single.is_some()),
                ("must", rule.must.is_some()),
            ];
            let kinds: Vec<_> = kinds.into_iter().filter(|(_, there)| *there).map(|(kind, _)| kind).collect();
            let [kind] = kinds.as_slice() else {
                let problem = Diagnostic::at(self.document.place(&at), "a rule says one thing");
                findings.report(match kinds.as_slice() {
                    [] => problem.hint(format!("rules are: {KINDS}")),
                    several => problem.hint(format!("make a rule of each of: {}", several.join(", "))),
                });
                continue;
            };
            match *kind {
                "must" => {
                    let place = self.document.key_place(&at.member("must"));
                    findings.report(Diagnostic::at(place, "not supported yet: `must` as a rule"));
                }
                "single" => singles.extend(self.single(draft, &at, rule, findings)),
                kind => rules.extend(self.rule(id, draft, &at, kind, rule, findings)),
            }
        }
        (rules, singles)
    }

    fn rule(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        at: &Pointer,
        kind: &str,
        rule: &keys::Rule,
        findings: &mut Findings<'_>,
    ) -> Option<Rule> {
        let fields_at = at.member(kind);
        if rule.otherwise.is_some() {
            let place = self.document.key_place(&at.member("else"));
            findings.report(Diagnostic::at(place, "`else` stands beside `single` only"));
        }
        let constraint = match (&rule.unique, &rule.disjoint, &rule.determines, &rule.one_to_one) {
            (Some(fields), ..) => Constraint::Unique(fields.clone()),
            (_, Some(fields), ..) => Constraint::Disjoint(fields.clone()),
            (_, _, Some(pairs), _) => Constraint::Determines(pairs.clone()),
            (_, _, _, pairs) => Constraint::OneToOne(pairs.clone()?),
        };
        match &constraint {
            Constraint::Unique(fields) | Constraint::Disjoint(fields) => {
                for (nth, field) in fields.iter().enumerate() {
                    self.check_field(id, draft, field, &fields_at.item(nth), findings);
                }
                let least = if matches!(constraint, Constraint::Disjoint(_)) { 2 } else { 1 };
                if fields.len() < least {
                    let place = self.document.key_place(&fields_at);
                    findings.report(Diagnostic::at(place, format!("`{kind}` names at least {least} of the fields")));
                }
            }
            Constraint::Determines(pairs) | Constraint::OneToOne(pairs) => {
                for (nth, [one, other]) in pairs.iter().enumerate() {
                    let pair = fields_at.item(nth);
                    self.check_field(id, draft, one, &pair.item(0), findings);
                    self.check_field(id, draft, other, &pair.item(1), findings);
                }
            }
        }
        Some(Rule { code: rule.code.clone().unwrap_or_else(|| kind.to_owned()), constraint })
    }

    /// A rule's field is one of the record's own, and text, a number or a boolean.
    fn check_field(&self, id: RecordTypeId, draft: &Draft, name: &str, at: &Pointer, findings: &mut Findings<'_>) {
        let place = self.document.place(at);
        let found = property(self.document, &draft.at, name).filter(|_| !self.is_alias(draft, name));
        let Some(found) = found else {
            let problem = Diagnostic::at(place, format!("there is no field `{name}` in `{}`", draft.name));
            let known = self.own_fields(draft);
            findings.report(problem.did_you_mean(name, known.iter().map(String::as_str)));
            return;
        };
        let problem = if self.derived_names(id).contains(name) {
            format!("`{name}` is computed when it is read, and no rule can hold it")
        } else if !self.is_scalar(&found.at, self.is_blank(id)) {
            format!("`{name}` is neither text nor a number nor a boolean")
        } else {
            return;
        };
        let problem = Diagnostic::at(place, problem);
        findings.report(problem.related(self.document.key_place(&found.at), "the field stands here"));
    }

    /// Whether a schema describes text, a number or a boolean; in a blank record it may be `null` too.
    pub(super) fn is_scalar(&self, at: &Pointer, is_blank: bool) -> bool {
        let Some((_, schema)) = self.document.resolve(at) else { return false };
        if is_blank {
            let of = Type::of_schema(self.document, at);
            return matches!(of.unwrapped(), Type::Text | Type::Integer | Type::Number | Type::Boolean);
        }
        let by_type = matches!(type_names(schema).as_slice(), ["string" | "integer" | "number" | "boolean"]);
        let words = schema.get("enum").and_then(Value::as_array);
        let by_words = words.is_some_and(|words| words.iter().all(|word| !word.is_array() && !word.is_object()));
        by_type || by_words
    }

    fn single(&self, draft: &Draft, at: &Pointer, rule: &keys::Rule, findings: &mut Findings<'_>) -> Option<Single> {
        let word = at.member("single");
        if rule.code.is_some() {
            let place = self.document.key_place(&at.member("code"));
            findings.report(Diagnostic::at(place, "a `single` makes room for the new one, and has no problem to name"));
        }
        let names = self.stored_members(draft);
        let when = scope::compile(self.document, &word, rule.single.as_ref()?, &names, findings)?;
        if !when.of().fits(&Type::Boolean) {
            let problem = format!("a condition is true or false, this is {}", when.of());
            findings.report(Diagnostic::at(self.document.place(&word), problem));
        }
        let Some(otherwise) = &rule.otherwise else {
            let problem = Diagnostic::at(self.document.key_place(&word), "what becomes of the others is not said");
            findings.report(problem.hint("add `else: {field: value}`"));
            return None;
        };
        for (name, value) in otherwise {
            let value_at = at.member("else").member(name);
            match names.iter().find(|member| member.name == *name) {
                Some(member) if member.of.accepts(value) => {}
                Some(member) => {
                    let problem = format!("`{name}` is {}", member.of);
                    findings.report(Diagnostic::at(self.document.place(&value_at), problem));
                }
                None => {
                    let place = self.document.key_place(&value_at);
                    let problem = Diagnostic::at(place, format!("there is no field `{name}` in `{}`", draft.name));
                    findings.report(problem.did_you_mean(name, names.iter().map(|member| member.name.as_str())));
                }
            }
        }
        let others = otherwise.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>();
        if when.holds(&Value::Object(others.clone())) {
            let place = self.document.key_place(&at.member("else"));
            findings.report(Diagnostic::at(place, "the others would still be what only one may be"));
        }
        Some(Single { when, otherwise: others })
    }
}
