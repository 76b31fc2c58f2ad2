//! Turns the verb of an operation, and what stands beside it, into a [`Verb`].
//!
//! To add a verb: a variant of [`Verb`], and an arm in [`Operations::verb`]; its line in `unsupported.rs` goes.

use serde_json::Value;

use super::Operations;
use crate::description::expression::{Expression, Member, Type};
use crate::description::outline::OperationOutline;
use crate::description::records::Contents;
use crate::description::{Accept, Action, Listed, RecordTypeId, Resource, Selection, Verb};
use crate::json::Pointer;
use crate::language::keys::Role;
use crate::language::schema::properties;
use crate::language::{Diagnostic, EXTENSION, Place};

/// The verbs that logic of the partner's own may stand beside.
const CALLED: [&str; 6] = ["list", "get", "create", "update", "delete", "upsert"];

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
        if keys.only.is_some() && !["list", "get", "update", "delete"].contains(&verb) {
            problems.push(Diagnostic::at(at("where"), format!("not supported yet: `where` beside `{verb}`")));
        }
        if keys.call.is_some() && !CALLED.contains(&verb) {
            problems.push(Diagnostic::at(at("call"), format!("not supported yet: `call` beside `{verb}`")));
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
            "receive" => Some(Verb::Receive),
            word => self.resource(outline, word, &at).map(|resource| Verb::Resource(Box::new(resource))),
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

    /// What is done to one record.
    fn resource(&mut self, outline: &OperationOutline, word: &str, at: &Pointer) -> Option<Resource> {
        let keys = &outline.keys;
        let name = match word {
            "get" => keys.get.as_ref(),
            "create" => keys.create.as_ref(),
            "update" => keys.update.as_ref(),
            "delete" => keys.delete.as_ref(),
            _ => keys.upsert.as_ref(),
        };
        let name = name?;
        let place = self.document.place(at);
        if name.starts_with('$') || name.contains('.') {
            self.report(Diagnostic::at(place, format!("not supported yet: `{word}` of `{name}`")));
            return None;
        }
        let of = self.records.named(name, place.clone(), self.findings)?;
        if word != "get" && !self.records.is_blank(of) {
            let problem = format!("not supported yet: `{word}` of records that a `snapshot` or a `merge` takes in");
            self.report(Diagnostic::at(place, problem));
        }
        let body = self.body_schema(outline);
        let form = body.as_ref().filter(|_| word != "get").map(|body| self.form(body, of, keys.call.as_deref()));
        let form = form.unwrap_or_default();
        let action = match word {
            "get" => Action::Get,
            "create" => Action::Create,
            "update" => Action::Update,
            "delete" => Action::Delete,
            _ => Action::Upsert(self.found_by(&body.unwrap_or_else(Pointer::root), &form, of, at)?),
        };
        let selection = match action {
            Action::Create | Action::Upsert(_) => {
                self.check_path_members(outline, of);
                Selection { of, ..Selection::default() }
            }
            Action::Get | Action::Update | Action::Delete => self.selection(outline, of),
        };
        Some(Resource { of, action, selection, form, call: keys.call.clone() })
    }

    /// What stands in the path of a `create` becomes a member of its name.
    fn check_path_members(&mut self, outline: &OperationOutline, of: RecordTypeId) {
        let members = self.records.read_members(of);
        for at in self.declared_parameters(outline) {
            let word = |word: &str| self.document.get(&at.member(word)).and_then(Value::as_str).unwrap_or_default();
            let keys = self.outline.parameters.get(&at);
            let is_free = keys.is_none_or(|keys| keys.role.is_none() && keys.only.is_none());
            let is_known = members.iter().any(|member| member.name == word("name"));
            if word("in") == "path" && is_free && !is_known && outline.keys.call.is_none() {
                let problem =
                    format!("`{}` has no member `{}` that this could become", self.records.name(of), word("name"));
                let known = members.iter().map(|member| member.name.as_str());
                let problem = Diagnostic::at(self.document.place(&at.member("name")), problem);
                let problem = problem.did_you_mean(word("name"), known);
                self.report(problem);
            }
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
            "$outbox" => self.sends(outline, at),
            name if name.starts_with('$') => {
                let problem = Diagnostic::at(self.document.place(at), format!("not supported yet: a list of `{name}`"));
                self.report(problem.hint("supported are records, `$log` and `$outbox`"));
                None
            }
            name => match name.split_once('.') {
                Some((owner, list)) => self.items_listed(outline, at, owner, list),
                None => self.records_listed(outline, at, name),
            },
        }
    }

    fn records_listed(&mut self, outline: &OperationOutline, at: &Pointer, name: &str) -> Option<Listed> {
        let of = self.records.named(name, self.document.place(at), self.findings)?;
        if let Some(call) = outline.keys.call.clone() {
            if outline.keys.only.is_some() {
                let place = self.document.key_place(&outline.at.member(EXTENSION).member("where"));
                self.report(Diagnostic::at(
                    place,
                    "nothing is chosen here: the partner's own logic says what is listed",
                ));
            }
            return Some(Listed::Called { of, call });
        }
        if let Some(waiting) = waiting(outline) {
            return Some(Listed::Records { of, waiting: Some(waiting) });
        }
        let selection = self.selection(outline, of);
        let selects = selection.only.is_some() || !selection.filters.is_empty() || selection.sort.is_some();
        if selects || self.records.is_blank(of) || self.has_role(outline, Role::Cursor) {
            return Some(Listed::Selected(Box::new(selection)));
        }
        Some(Listed::Records { of, waiting: None })
    }

    /// The items of a list of one record's, which the path names.
    fn items_listed(&mut self, outline: &OperationOutline, at: &Pointer, owner: &str, list: &str) -> Option<Listed> {
        let place = self.document.place(at);
        let of = self.records.named(owner, place.clone(), self.findings)?;
        let known = properties(self.document, self.records.place_of(of));
        let found = known.iter().find(|property| property.name == list);
        if found.is_none_or(|found| !self.is_list(&found.at)) {
            let lists =
                known.iter().filter(|property| self.is_list(&property.at)).map(|property| property.name.as_str());
            let problem = Diagnostic::at(place, format!("`{owner}` has no list `{list}`")).did_you_mean(list, lists);
            self.report(problem);
            return None;
        }
        Some(Listed::Items { of: Box::new(self.selection(outline, of)), list: list.to_owned() })
    }

    /// What a subscription was, or is to be, told.
    fn sends(&mut self, outline: &OperationOutline, at: &Pointer) -> Option<Listed> {
        let failed = match outline.keys.only.as_deref().map(str::trim) {
            None => false,
            Some("status == 'failed'") => true,
            Some(_) => {
                let place = self.document.place(&outline.at.member(EXTENSION).member("where"));
                let problem = Diagnostic::at(place, "not supported yet: this condition of what was told");
                self.report(problem.hint("supported is `status == 'failed'`"));
                false
            }
        };
        let subscription = self.choosing(outline, "subscriber", &["subscriber == value", "value == subscriber"]);
        if subscription.is_none() {
            let problem = Diagnostic::at(self.document.key_place(at), "whose this lists is not said");
            self.report(problem.hint("a path parameter says it: `x-rollcall: {where: subscriber == value}`"));
        }
        let since = self.choosing(outline, "at", &["at >= value", "value <= at"]);
        let until = self.choosing(outline, "at", &["at <= value", "value >= at"]);
        Some(Listed::Sends { subscription: subscription?, failed, since, until })
    }

    /// The parameter that chooses by one of these conditions on a name.
    fn choosing(&self, outline: &OperationOutline, name: &str, conditions: &[&str]) -> Option<String> {
        let names = [name, "value"].map(|name| Member::required(name, Type::Any));
        let wanted: Vec<_> = conditions.iter().map(|source| Expression::compile(source, &names)).collect();
        let declared = self.declared_parameters(outline);
        let found = declared.iter().find(|at| {
            let source = self.outline.parameters.get(at).and_then(|keys| keys.only.as_deref());
            source.is_some_and(|source| wanted.contains(&Expression::compile(source, &names)))
        });
        self.document.get(&found?.member("name")).and_then(Value::as_str).map(str::to_owned)
    }
}

/// Whether a list shows records that wait, or those that do not; `None` where it does not speak of that.
fn waiting(outline: &OperationOutline) -> Option<bool> {
    let names = [Member::required("parked", Type::Boolean)];
    let only = Expression::compile(outline.keys.only.as_ref()?, &names).ok()?;
    let is = |source: &str| Expression::compile(source, &names).as_ref() == Ok(&only);
    match (is("parked"), is("!parked")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

fn not_outermost(place: Place, name: &str) -> Diagnostic {
    let problem = Diagnostic::at(place, format!("`{name}` is not an outermost record of the body"));
    problem.hint("nested records belong to the one around them")
}
