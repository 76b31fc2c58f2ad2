//! Turns `refs` on records and `ref` on their members into [`Reference`]s.

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde_json::Value;

use super::members::Member as RecordMember;
use super::{Draft, Records};
use crate::description::expression::{Agreement, Member, Type};
use crate::description::findings::Findings;
use crate::description::{By, FieldPath, Missing, Pair, RecordTypeId, Reference, WhenGone, scope};
use crate::json::Pointer;
use crate::language::schema::{is_nullable, said, type_names};
use crate::language::{Diagnostic, EXTENSION, Place, keys};

/// What a reference is called in an expression of its target.
const TARGET: &str = "it";

/// What happens to a reference without its target, as `ref` and `refs` say it.
struct Fate<'k> {
    missing: Option<&'k keys::Missing>,
    gone: Option<keys::Gone>,
    /// Where the two stand.
    at: Pointer,
    from: RecordTypeId,
    to: RecordTypeId,
    /// Why the member that refers cannot be emptied, if it cannot.
    kept: Option<&'static str>,
}

impl Records<'_> {
    /// What records of this type refer to, and where each reference is declared.
    pub(super) fn references(
        &self,
        id: RecordTypeId,
        draft: &Draft,
        members: &[RecordMember],
        findings: &mut Findings<'_>,
    ) -> Vec<(Reference, Place)> {
        let mut references = Vec::new();
        for (name, reference) in self.outline.schema(self.document, &draft.at).refs.iter().flatten() {
            let at = draft.at.member(EXTENSION).member("refs").member(name);
            let found = self.reference(id, draft, name, reference, &at, findings);
            references.extend(found.map(|found| (found, self.document.key_place(&at))));
        }
        for member in members {
            let word = self.outline.word(self.document, &member.at, "ref");
            let found = self.references_of_member(id, member, members, &word, findings);
            references.extend(found.into_iter().map(|found| (found, self.document.key_place(&word))));
        }
        references
    }

    /// A reference over several fields.
    fn reference(
        &self,
        from: RecordTypeId,
        draft: &Draft,
        name: &str,
        reference: &keys::Reference,
        at: &Pointer,
        findings: &mut Findings<'_>,
    ) -> Option<Reference> {
        let to = self.named(&reference.to, self.document.place(&at.member("to")), findings)?;
        let own = self.stored_members(draft);
        let target = Member::required(TARGET, self.stored(&self.drafts[usize::from(to.0)]));
        let names: Vec<_> = std::iter::once(target).chain(own).collect();
        let word = at.member("where");
        let only = scope::compile(self.document, &word, &reference.only, &names, findings)?;
        let by = only.agreements(TARGET).and_then(|agreements| self.by(to, agreements));
        if by.is_none() {
            let problem = Diagnostic::at(self.document.place(&word), "not supported yet: this way to find a record");
            let hint = "supported are `it.field == own.field` and `glob(it.field, own.field)`, joined by `&&`; the \
                        fields of `it` are its own, but for its whole key";
            findings.report(problem.hint(hint));
        }
        let when = reference.when.as_ref().and_then(|source| {
            let names = [Member::required("options", scope::options(self.document))];
            let when = scope::compile(self.document, &at.member("when"), source, &names, findings)?;
            if !when.of().fits(&Type::Boolean) {
                let problem = format!("a condition is true or false, this is {}", when.of());
                findings.report(Diagnostic::at(self.document.place(&at.member("when")), problem));
            }
            Some(when)
        });
        let (missing, gone) = (reference.missing.as_ref(), reference.gone);
        let kept = Some("it takes several members");
        let fate = Fate { missing, gone, at: at.clone(), from, to, kept };
        let (missing, gone) = self.fate(&fate, findings);
        Some(Reference { name: name.to_owned(), to, by: by?, when, missing, gone })
    }

    /// How the target is found: by its key where all of that is said, and nothing else.
    fn by(&self, to: RecordTypeId, agreements: Vec<Agreement>) -> Option<By> {
        let key = self.plain_key(to)?;
        let is_equality = agreements.iter().all(|agreement| !agreement.is_pattern);
        let part = |path: &Vec<String>| agreements.iter().find(|agreement| agreement.other == *path);
        let parts: Option<Vec<_>> = key.iter().map(part).collect();
        if let Some(parts) = parts.filter(|parts| is_equality && parts.len() == agreements.len()) {
            return Some(By::Key(parts.into_iter().map(|part| part.own.clone()).collect()));
        }
        let pairs = agreements.into_iter().map(|Agreement { own, other, is_pattern }| match other.as_slice() {
            [other] => Some(Pair { own, other: other.clone(), is_pattern }),
            _ => None,
        });
        pairs.collect::<Option<Vec<_>>>().map(By::Members)
    }

    /// The ways to the fields of a record type's key; none where some of them are an ancestor's.
    fn plain_key(&self, id: RecordTypeId) -> Option<Vec<Vec<String>>> {
        let draft = &self.drafts[usize::from(id.0)];
        let key = self.outline.schema(self.document, &draft.at).key?;
        let place = self.document.place(&draft.at);
        let fields = key.as_slice().iter().map(|path| match self.field(draft, path, &place) {
            Ok((FieldPath { up: 0, path }, ..)) => Some(path),
            _ => None,
        });
        fields.collect()
    }

    /// The references of one member: one, or one for each word of the member that names the target's type.
    fn references_of_member(
        &self,
        from: RecordTypeId,
        member: &RecordMember,
        members: &[RecordMember],
        word: &Pointer,
        findings: &mut Findings<'_>,
    ) -> Vec<Reference> {
        let Some(refers) = &member.keys.refers else { return Vec::new() };
        findings.understand(word.clone());
        let to =
            |name: &str, at: &Pointer, findings: &mut Findings<'_>| self.named(name, self.document.place(at), findings);
        match refers {
            keys::Refers::To(name) => {
                let to = to(name, word, findings);
                let fate = to.map(|to| self.fate_of(from, to, member, (None, None), word));
                fate.and_then(|fate| self.reference_by_key(member, &fate, word, findings)).into_iter().collect()
            }
            keys::Refers::With(with) => {
                let name_at = word.member("to");
                let to = to(&with.to, &name_at, findings);
                let fate = to.map(|to| self.fate_of(from, to, member, (with.missing.as_ref(), with.gone), word));
                fate.and_then(|fate| self.reference_by_key(member, &fate, &name_at, findings)).into_iter().collect()
            }
            keys::Refers::By(by) => {
                self.check_words(member, members, by, word, findings);
                let found = by.to.iter().filter_map(|(says, name)| {
                    let name_at = word.member("to").member(says);
                    let to = to(name, &name_at, findings)?;
                    let fate = self.fate_of(from, to, member, (by.missing.as_ref(), by.gone), word);
                    let reference = self.reference_by_key(member, &fate, &name_at, findings)?;
                    let by = By::Word { own: member.name.clone(), word: by.by.clone(), says: says.clone() };
                    Some(Reference { by, ..reference })
                });
                found.collect()
            }
        }
    }

    /// A reference by one field, which is the key of its target; or by each item of a list.
    fn reference_by_key(
        &self,
        member: &RecordMember,
        fate: &Fate<'_>,
        name_at: &Pointer,
        findings: &mut Findings<'_>,
    ) -> Option<Reference> {
        let word = &fate.at;
        let (at, schema) = self.document.resolve(&member.at)?;
        let is_list = schema.get("items").is_some();
        let names = member.names().filter(|names| !is_list || names.len() == 1);
        let Some(names) = names else {
            let problem = Diagnostic::at(self.document.key_place(word), "not supported yet: a reference in a list");
            findings.report(problem.hint("supported is a record's own list of keys: `ref` stands on the list"));
            return None;
        };
        let own = if is_list { at.member("items") } else { at };
        let own = self.document.resolve(&own).map(|(_, schema)| type_names(schema)).unwrap_or_default();
        let own: Vec<_> = own.into_iter().filter(|name| *name != "null" || !self.is_blank(fate.from)).collect();
        if self.bare_key(fate.to).is_none_or(|key| key != own) {
            let problem = format!("this cannot be a key of `{}`", self.name(fate.to));
            let problem = Diagnostic::at(self.document.place(name_at), problem);
            let key = self.place_of(fate.to).member(EXTENSION).member("key");
            let problem = problem.related(self.document.key_place(&key), "a bare key is one field, and of its type");
            findings.report(problem.hint("a reference over several fields stands on the record, under `refs`"));
        }
        let (missing, gone) = self.fate(fate, findings);
        let name = names.join(".");
        let by = if is_list { By::Items(name.clone()) } else { By::Key(vec![names]) };
        Some(Reference { name, to: fate.to, by, when: None, missing, gone })
    }

    /// The member that names the target's type stands beside, and has these words.
    fn check_words(
        &self,
        member: &RecordMember,
        members: &[RecordMember],
        by: &keys::RefersBy,
        word: &Pointer,
        findings: &mut Findings<'_>,
    ) {
        let own = || members.iter().filter(|other| other.way.is_empty() && other.name != member.name);
        let place = self.document.place(&word.member("by"));
        let Some(naming) = own().find(|other| other.name == by.by).filter(|_| member.way.is_empty()) else {
            let problem = Diagnostic::at(place, format!("there is no field `{}` beside this one", by.by));
            findings.report(problem.did_you_mean(&by.by, own().map(|other| other.name.as_str())));
            return;
        };
        let Some(words) = said(self.document, &naming.at, "enum").and_then(Value::as_array) else { return };
        let words = || words.iter().filter_map(Value::as_str);
        for says in by.to.keys().filter(|says| !words().any(|word| word == *says)) {
            let place = self.document.key_place(&word.member("to").member(says));
            let problem = Diagnostic::at(place, format!("`{}` never says `{says}`", by.by));
            findings.report(problem.did_you_mean(says, words()));
        }
    }

    /// What is said of a reference of one member that has lost its target.
    fn fate_of<'k>(
        &self,
        from: RecordTypeId,
        to: RecordTypeId,
        member: &RecordMember,
        (missing, gone): (Option<&'k keys::Missing>, Option<keys::Gone>),
        at: &Pointer,
    ) -> Fate<'k> {
        let is_list = self.document.resolve(&member.at).is_some_and(|(_, schema)| schema.get("items").is_some());
        let may_be_absent = !member.required || is_nullable(self.document, &member.at);
        let kept = (!is_list && !may_be_absent).then_some("it is required");
        Fate { missing, gone, at: at.clone(), from, to, kept }
    }

    /// What happens while the target is missing, and what when it goes.
    fn fate(&self, fate: &Fate<'_>, findings: &mut Findings<'_>) -> (Missing, WhenGone) {
        let missing = match fate.missing {
            None | Some(keys::Missing::Refuse) => Missing::Refuse,
            Some(keys::Missing::Accept) => Missing::Accept,
            Some(keys::Missing::Park(time)) => {
                let duration = duration(time);
                if duration.is_none() {
                    let place = self.document.place(&fate.at.member("missing").member("park"));
                    let problem = Diagnostic::at(place, format!("`{time}` is no time to wait"));
                    findings.report(problem.hint("write days, hours or minutes: `P7D`, `PT12H`"));
                }
                Missing::Park(duration.unwrap_or(SignedDuration::ZERO))
            }
        };
        let is_blank = self.is_blank(fate.from) && self.is_blank(fate.to);
        let gone = match fate.gone {
            Some(keys::Gone::Cascade) => WhenGone::Cascade,
            Some(keys::Gone::Refuse) => WhenGone::Refuse,
            Some(keys::Gone::Unset) => WhenGone::Unset,
            None if is_blank && missing == Missing::Refuse => WhenGone::Refuse,
            None => WhenGone::Missing,
        };
        self.check_gone(fate, gone, is_blank, findings);
        (missing, gone)
    }

    /// What comes in snapshots and merges goes without being asked for; what is required is never empty.
    fn check_gone(&self, fate: &Fate<'_>, gone: WhenGone, is_blank: bool, findings: &mut Findings<'_>) {
        let word = match gone {
            WhenGone::Refuse => "refuse",
            WhenGone::Unset => "unset",
            WhenGone::Missing | WhenGone::Cascade => return,
        };
        let place = self.document.place(&fate.at.member("gone"));
        if !is_blank {
            let problem = format!("not supported yet: `gone: {word}` for records that payloads hold");
            let hint = "supported is `cascade`; without it the reference waits again, or is kept";
            findings.report(Diagnostic::at(place, problem).hint(hint));
        } else if let Some(why) = fate.kept.filter(|_| gone == WhenGone::Unset) {
            let problem = Diagnostic::at(place, format!("this reference cannot be emptied: {why}"));
            findings.report(problem.hint("`refuse` keeps the target, `cascade` lets the record go with it"));
        }
    }

    /// References in a circle are looked through one by one, which takes records that are written one by one; and
    /// records that wait for one another would wait for ever.
    pub(super) fn refuse_circles_of_references(
        &self,
        references: &[(RecordTypeId, Reference, Place)],
        findings: &mut Findings<'_>,
    ) {
        let is_fine = |(from, reference, _): &&(RecordTypeId, Reference, Place)| {
            let waits = matches!(reference.missing, Missing::Park(_));
            self.is_blank(*from) && self.is_blank(reference.to) && !waits
        };
        let circle = references.iter().filter(|reference| !is_fine(reference));
        if let Some((_, _, place)) =
            circle.into_iter().find(|(from, reference, _)| leads(references, reference.to, *from))
        {
            let problem = Diagnostic::at(place.clone(), "not supported yet: references in a circle");
            findings.report(problem.hint("this one leads back to the record that it starts from"));
        }
    }
}

/// How long `P7D` is; none where that is not the same at any time of the year.
fn duration(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    duration.is_positive().then_some(duration)
}

/// Whether references lead from one record type to another, over however many.
fn leads(references: &[(RecordTypeId, Reference, Place)], from: RecordTypeId, to: RecordTypeId) -> bool {
    let mut reached = vec![from];
    let mut next = 0;
    while let Some(&here) = reached.get(next) {
        next += 1;
        for (_, reference, _) in references.iter().filter(|(of, ..)| *of == here) {
            if !reached.contains(&reference.to) {
                reached.push(reference.to);
            }
        }
    }
    reached.contains(&to)
}
