//! Turns the verb of an operation, and what stands beside it, into a [`Verb`].
//!
//! To add a verb: a variant of [`Verb`], and an arm in [`Operations::verb`]; its line in `unsupported.rs` goes.

use serde_json::Value;

use super::Operations;
use crate::description::expression::{Expression, Member, Type};
use crate::description::outline::OperationOutline;
use crate::description::records::Contents;
use crate::description::{Accept, Listed, RecordTypeId, Verb, scope};
use crate::json::Pointer;
use crate::language::{Diagnostic, EXTENSION, Place};

/// All verbs of the language.
const VERBS: &str = "snapshot, merge, list, get, create, update, delete, upsert, clear, receive";

impl Operations<'_, '_, '_> {
    /// The one verb of an operation.
    pub(super) fn verb_word(&mut self, outline: &OperationOutline) -> Option<&'static str> {
        let keys = outline.at.member(EXTENSION);
        let verbs = outline.keys.verbs();
        let [verb] = verbs.as_slice() else {
            let problem = Diagnostic::at(self.document.key_place(&keys), "an operation has exactly one verb");
            self.report(match verbs.as_slice() {
                [] => problem.expected("has none").hint(format!("verbs are: {VERBS}")),
                several => problem.expected(format!("has {}", several.join(", "))),
            });
            return None;
        };
        self.check_modifiers(outline, verb);
        Some(verb)
    }

    /// Words that stand beside some verbs only.
    fn check_modifiers(&mut self, outline: &OperationOutline, verb: &str) {
        let at = |word: &str| self.document.key_place(&outline.at.member(EXTENSION).member(word));
        let keys = &outline.keys;
        let takes_records = verb == "snapshot" || verb == "merge";
        let mut problems = Vec::new();
        if takes_records && keys.accept.is_none() {
            let problem = Diagnostic::at(at(verb), format!("`{verb}` needs `accept` beside it"));
            problems.push(
                problem.hint("`accept: all` if a bad record costs the whole call, `accept: each` if only itself"),
            );
        }
        let modifiers = [
            ("accept", keys.accept.is_some()),
            ("async", keys.asynchronous.is_some()),
            ("dryRun", keys.dry_run.is_some()),
        ];
        for (word, _) in modifiers.iter().filter(|(_, used)| *used && !takes_records) {
            problems.push(Diagnostic::at(at(word), format!("`{word}` stands beside `snapshot` and `merge` only")));
        }
        if keys.asynchronous == Some(true) && keys.dry_run == Some(true) {
            let problem = Diagnostic::at(at("async"), "what is answered before it is worked on cannot be a dry run");
            problems.push(problem.related(at("dryRun"), "nothing is stored here"));
        }
        if verb == "clear" && keys.must.is_none() {
            let problem = Diagnostic::at(at(verb), "anyone with a credential could remove everything");
            problems.push(problem.hint("say when it may be called: `must: [{that: options.sandbox}]`"));
        }
        if keys.only.is_some() && verb != "list" {
            problems.push(Diagnostic::at(at("where"), format!("not supported yet: `where` beside `{verb}`")));
        }
        for problem in problems {
            self.report(problem);
        }
    }

    /// What an operation does; none for what is not built, which is reported as such.
    pub(super) fn verb(&mut self, outline: &OperationOutline, word: &str, contents: &Contents) -> Option<Verb> {
        let at = outline.at.member(EXTENSION).member(word);
        let keys = &outline.keys;
        let accept = keys.accept.unwrap_or(Accept::All);
        match word {
            "snapshot" => {
                let records = self.outermost(&at, keys.snapshot.as_ref()?.as_slice(), Some(contents));
                self.refuse_nested(&at, "`accept: each`", contents, accept == Accept::Each);
                Some(Verb::Snapshot { records, accept })
            }
            "merge" => {
                let records = self.outermost(&at, keys.merge.as_ref()?.as_slice(), Some(contents));
                self.refuse_nested(&at, "a `merge`", contents, true);
                Some(Verb::Merge { records, accept })
            }
            "clear" => {
                let name = keys.clear.clone()?;
                Some(Verb::Clear { records: self.outermost(&at, &[name], None) })
            }
            "list" => self.listed(outline, &at, keys.list.as_deref()?).map(Verb::List),
            "get" if keys.get.as_deref() == Some("$connection") => Some(Verb::Connection),
            "get" => {
                let problem = Diagnostic::at(self.document.place(&at), "not supported yet: `get` of a record");
                self.report(problem.hint("supported is `get: $connection`"));
                None
            }
            _ => None,
        }
    }

    /// The record types that a verb names, which have to be the outermost ones of the body, if it has one.
    fn outermost(&mut self, at: &Pointer, names: &[String], contents: Option<&Contents>) -> Vec<RecordTypeId> {
        let reached = contents.map(|contents| contents.outermost.as_slice()).unwrap_or_default();
        let mut found = Vec::new();
        let problems = self.findings.problems.len();
        let single = self.document.get(at).is_some_and(Value::is_string);
        for (nth, name) in names.iter().enumerate() {
            let place = self.document.place(&if single { at.clone() } else { at.item(nth) });
            let Some(id) = self.records.named(name, place.clone(), self.findings) else { continue };
            match contents {
                None if self.records.is_nested(id) => self.report(not_outermost(place, name)),
                Some(_) if !reached.is_empty() && !reached.contains(&id) => self.report(not_outermost(place, name)),
                // Where something is wrong already, that may be why.
                Some(_) if reached.is_empty() && self.findings.problems.is_empty() => {
                    let problem = Diagnostic::at(place, format!("the body holds no `{name}`"));
                    self.report(problem.hint("refer to its schema from that of the body"));
                }
                _ => {}
            }
            found.push(id);
        }
        let all_right = self.findings.problems.len() == problems;
        for id in reached.iter().filter(|id| all_right && !found.contains(id)) {
            let name = self.records.name(*id);
            let problem = format!("the body also holds `{name}`, which is not named here");
            let problem = Diagnostic::at(self.document.place(at), problem);
            self.report(problem);
        }
        found
    }

    /// Where records go one by one, none may be nested in another yet.
    fn refuse_nested(&mut self, at: &Pointer, what: &str, contents: &Contents, one_by_one: bool) {
        let nested = contents.reached.iter().find(|id| self.records.is_nested(**id));
        if let Some(id) = nested.filter(|_| one_by_one) {
            let name = self.records.name(*id);
            let place = self.document.key_place(at);
            let problem = Diagnostic::at(place, format!("not supported yet: nested records in {what}"));
            let stands = self.document.key_place(self.records.place_of(*id));
            let problem = problem.related(stands, format!("`{name}` is nested in another record"));
            self.report(problem);
        }
    }

    /// What a `list` lists.
    fn listed(&mut self, outline: &OperationOutline, at: &Pointer, name: &str) -> Option<Listed> {
        match name {
            "$log" => {
                if outline.keys.only.is_some() {
                    let place = self.document.key_place(&outline.at.member(EXTENSION).member("where"));
                    self.report(Diagnostic::at(place, "not supported yet: `where` beside `list: $log`"));
                }
                self.log_parameter(outline, at).map(|delivery| Listed::Log { delivery })
            }
            name if name.starts_with('$') => {
                let problem = Diagnostic::at(self.document.place(at), format!("not supported yet: a list of `{name}`"));
                self.report(problem.hint("supported are records, and `$log`"));
                None
            }
            name => {
                let place = self.document.place(at);
                let of = self.records.named(name, place, self.findings)?;
                Some(Listed::Records { of, waiting: self.waiting(outline) })
            }
        }
    }

    /// Whether a list shows records that wait, or those that do not; all of them where it does not say.
    fn waiting(&mut self, outline: &OperationOutline) -> Option<bool> {
        let source = outline.keys.only.as_ref()?;
        let at = outline.at.member(EXTENSION).member("where");
        let names = [Member::required("parked", Type::Boolean)];
        let only = scope::compile(self.document, &at, source, &names, self.findings)?;
        let is = |source: &str| Expression::compile(source, &names).as_ref() == Ok(&only);
        match (is("parked"), is("!parked")) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => {
                let problem = Diagnostic::at(self.document.place(&at), "not supported yet: this condition of a list");
                self.report(problem.hint("supported are `parked` and `'!parked'`"));
                None
            }
        }
    }
}

fn not_outermost(place: Place, name: &str) -> Diagnostic {
    let problem = Diagnostic::at(place, format!("`{name}` is not an outermost record of the body"));
    problem.hint("nested records belong to the one around them")
}
