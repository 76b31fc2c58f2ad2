//! Turns `refs` on records and `ref` on their members into [`Reference`]s.

use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::members::Member as RecordMember;
use super::{Draft, Records};
use crate::description::expression::{Agreement, Member, Type};
use crate::description::findings::Findings;
use crate::description::{By, FieldPath, Missing, Pair, RecordTypeId, Reference, WhenGone, scope};
use crate::json::Pointer;
use crate::language::schema::type_names;
use crate::language::{Diagnostic, EXTENSION, Place, keys};

/// What a reference is called in an expression of its target.
const TARGET: &str = "it";

/// What happens to a reference without its target, as `ref` and `refs` say it.
struct Fate<'k> {
    missing: Option<&'k keys::Missing>,
    gone: Option<keys::Gone>,
    /// Where the two stand.
    at: Pointer,
}

impl Records<'_> {
    /// What records of this type refer to, and where each reference is declared.
    pub(super) fn references(
        &self,
        draft: &Draft,
        members: &[RecordMember],
        findings: &mut Findings<'_>,
    ) -> Vec<(Reference, Place)> {
        let mut references = Vec::new();
        for (name, reference) in self.outline.schema(self.document, &draft.at).refs.iter().flatten() {
            let at = draft.at.member(EXTENSION).member("refs").member(name);
            let found = self.reference(draft, name, reference, &at, findings);
            references.extend(found.map(|found| (found, self.document.key_place(&at))));
        }
        for member in members {
            let word = self.outline.word(self.document, &member.at, "ref");
            let found = self.reference_of_member(member, &word, findings);
            references.extend(found.map(|found| (found, self.document.key_place(&word))));
        }
        references
    }

    /// A reference over several fields.
    fn reference(
        &self,
        draft: &Draft,
        name: &str,
        reference: &keys::Reference,
        at: &Pointer,
        findings: &mut Findings<'_>,
    ) -> Option<Reference> {
        let to = self.named(&reference.to, self.document.place(&at.member("to")), findings)?;
        let own = match self.row(draft) {
            Type::Object(members) => members,
            _ => Vec::new(),
        };
        let target = Member::required(TARGET, self.row(&self.drafts[usize::from(to.0)]));
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
        let fate = Fate { missing: reference.missing.as_ref(), gone: reference.gone, at: at.clone() };
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

    /// A reference by one field, which is the key of its target.
    fn reference_of_member(
        &self,
        member: &RecordMember,
        word: &Pointer,
        findings: &mut Findings<'_>,
    ) -> Option<Reference> {
        let refers = member.keys.refers.as_ref()?;
        findings.understand(word.clone());
        let none = Fate { missing: None, gone: None, at: word.clone() };
        let (name, name_at, fate) = match refers {
            keys::Refers::To(name) => (name, word.clone(), none),
            keys::Refers::With(with) => {
                let fate = Fate { missing: with.missing.as_ref(), gone: with.gone, at: word.clone() };
                (&with.to, word.member("to"), fate)
            }
            keys::Refers::By(_) => {
                let place = self.document.key_place(word);
                findings
                    .report(Diagnostic::at(place, "not supported yet: a reference whose target another field names"));
                return None;
            }
        };
        let Some(names) = member.names() else {
            findings.report(Diagnostic::at(self.document.key_place(word), "not supported yet: a reference in a list"));
            return None;
        };
        let to = self.named(name, self.document.place(&name_at), findings)?;
        let types = self.document.resolve(&member.at).map(|(_, schema)| type_names(schema));
        if self.bare_key(to).is_none_or(|key| Some(key) != types) {
            let problem = Diagnostic::at(self.document.place(&name_at), format!("this cannot be a key of `{name}`"));
            let key = self.drafts[usize::from(to.0)].at.member(EXTENSION).member("key");
            let problem = problem.related(self.document.key_place(&key), "a bare key is one field, and of its type");
            findings.report(problem.hint("a reference over several fields stands on the record, under `refs`"));
        }
        let (missing, gone) = self.fate(&fate, findings);
        Some(Reference { name: names.join("."), to, by: By::Key(vec![names]), when: None, missing, gone })
    }

    /// What happens while the target is missing, and whether the record goes with it.
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
        match fate.gone {
            Some(word @ (keys::Gone::Refuse | keys::Gone::Unset)) => {
                let word = if matches!(word, keys::Gone::Unset) { "unset" } else { "refuse" };
                let place = self.document.place(&fate.at.member("gone"));
                let problem = Diagnostic::at(place, format!("not supported yet: `gone: {word}`"));
                findings
                    .report(problem.hint("supported is `cascade`; without it the reference waits again, or is kept"));
                (missing, WhenGone::Missing)
            }
            Some(keys::Gone::Cascade) => (missing, WhenGone::Cascade),
            None => (missing, WhenGone::Missing),
        }
    }
}

/// How long `P7D` is; none where that is not the same at any time of the year.
fn duration(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    duration.is_positive().then_some(duration)
}

/// The first reference that leads back to where it starts, over however many record types.
pub(super) fn circle(references: &[(RecordTypeId, Reference, Place)]) -> Option<&Place> {
    let leads = |from: RecordTypeId, to: RecordTypeId| {
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
    };
    references.iter().find(|(from, reference, _)| leads(reference.to, *from)).map(|(_, _, place)| place)
}
