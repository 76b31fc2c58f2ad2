//! Reads the functions that stand for a whole `value`: what they compute depends on more than the record and its
//! neighbours, so that it is computed once and stored.
//!
//! To add a function: a variant of [`Function`] and of [`Computation`], an arm in [`Records::computation`], and its
//! meaning in `crate::computation`.

use super::members::Member as RecordMember;
use super::{Draft, Records};
use crate::description::expression::{Member, Type};
use crate::description::findings::Findings;
use crate::description::{At, Computation, scope};
use crate::json::Pointer;
use crate::language::Diagnostic;

/// A function that is all that a `value` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Function<'s> {
    /// `now`
    Now,
    /// `next(a, b)`
    Next(Vec<&'s str>),
    /// `slug(x)`: the source, blanked out but for `x`, so that what is wrong with that is shown where it stands.
    Slug(String),
    /// `history(a)`
    History(&'s str),
}

impl<'s> Function<'s> {
    /// The function that `source` calls, if it does nothing else.
    pub(super) fn read(source: &'s str) -> Option<Self> {
        if source.trim() == "now" {
            return Some(Self::Now);
        }
        let (name, rest) = source.split_once('(')?;
        let inner = rest.trim_end().strip_suffix(')').filter(|inner| is_balanced(inner))?;
        match name.trim() {
            "next" if inner.trim().is_empty() => Some(Self::Next(Vec::new())),
            "next" => Some(Self::Next(inner.split(',').map(str::trim).collect())),
            "slug" => Some(Self::Slug(format!("{}{inner}", " ".repeat(name.len() + 1)))),
            "history" => Some(Self::History(inner.trim())),
            _ => None,
        }
    }

    /// How it is written.
    fn written(&self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Next(_) => "next()",
            Self::Slug(_) => "slug()",
            Self::History(_) => "history()",
        }
    }

    /// When it may be computed, and when it is where that is not said.
    fn times(&self) -> (&'static [At], Option<At>) {
        match self {
            Self::Now | Self::Slug(_) => (&[At::Create, At::Write], None),
            Self::Next(_) => (&[At::Create], None),
            Self::History(_) => (&[At::Write], Some(At::Write)),
        }
    }
}

/// Whether every bracket that is closed was opened before.
fn is_balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    text.chars().all(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth >= 0
    })
}

impl Records<'_> {
    /// When a function is computed; none where it is not said, or not to be had.
    pub(super) fn time_of(
        &self,
        function: &Function<'_>,
        member: &RecordMember,
        findings: &mut Findings<'_>,
    ) -> Option<At> {
        let (times, otherwise) = function.times();
        let found = member.keys.at.or(otherwise);
        if let Some(at) = found.filter(|at| times.contains(at)) {
            return Some(at);
        }
        let words: Vec<_> =
            times.iter().map(|at| if *at == At::Create { "`at: create`" } else { "`at: write`" }).collect();
        let word = self.outline.word(self.document, &member.at, if found.is_some() { "at" } else { "value" });
        let problem = format!("`{}` is stored, {} only", function.written(), words.join(" or "));
        findings.report(Diagnostic::at(self.document.key_place(&word), problem));
        None
    }

    /// What a function computes, for a member of which `own` are the members beside it.
    pub(super) fn computation(
        &self,
        function: Function<'_>,
        draft: &Draft,
        member: &RecordMember,
        word: &Pointer,
        findings: &mut Findings<'_>,
    ) -> Option<Computation> {
        let own = self.stored_members(draft);
        if !member.way.is_empty() && function != Function::Now {
            let problem = format!("not supported yet: `{}` inside of a record", function.written());
            let problem = Diagnostic::at(self.document.key_place(word), problem);
            findings.report(problem.hint("items are numbered by `next()` where the list says `match: …`"));
            return None;
        }
        let wanted = Type::of_schema(self.document, &member.at);
        let (computation, of) = match function {
            Function::Now => (Computation::Now, Type::Text),
            Function::Next(names) => {
                let found =
                    names.iter().map(|name| self.own_member(&own, name, word, findings).map(|own| own.name.clone()));
                (Computation::Next(found.collect::<Option<_>>()?), Type::Integer)
            }
            Function::Slug(inner) => {
                let options = [Member::required("options", scope::options(self.document))];
                let of = scope::compile_beside(self.document, word, &inner, &own, &options, findings)?;
                if !of.of().fits(&Type::nullable(Type::Text)) {
                    let problem = format!("a slug is made of text, this is {}", of.of());
                    findings.report(Diagnostic::at(self.document.place(word), problem));
                }
                (Computation::Slug(of), Type::Text)
            }
            Function::History(name) => {
                let of = self.own_member(&own, name, word, findings)?;
                (Computation::History(of.name.clone()), Type::List(Box::new(of.of.unwrapped().clone())))
            }
        };
        if !of.fits(&wanted) {
            let problem = match (&of, &wanted) {
                (Type::List(of), Type::List(_)) => format!("its items were {of} each, and are described otherwise"),
                _ => format!("expected {wanted}, found {of}"),
            };
            findings.report(Diagnostic::at(self.document.place(word), problem));
        }
        Some(computation)
    }

    /// A stored member that a function names.
    fn own_member<'m>(
        &self,
        own: &'m [Member],
        name: &str,
        word: &Pointer,
        findings: &mut Findings<'_>,
    ) -> Option<&'m Member> {
        let found = own.iter().find(|member| member.name == name);
        if found.is_none() {
            let problem = Diagnostic::at(self.document.place(word), format!("there is no stored member `{name}` here"));
            findings.report(problem.did_you_mean(name, own.iter().map(|member| member.name.as_str())));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::Function;

    #[test]
    fn a_function_is_read_where_it_is_all_that_is_said() {
        let slug = |text: &str| Some(Function::Slug(text.to_owned()));
        let table = [
            ("now", Some(Function::Now)),
            (" next() ", Some(Function::Next(vec![]))),
            ("next(shelf, row)", Some(Function::Next(vec!["shelf", "row"]))),
            ("slug(name + string(id))", slug("     name + string(id)")),
            ("history( slug )", Some(Function::History("slug"))),
            ("slug(name) + slug(title)", None),
            ("string(next())", None),
            ("nowhere", None),
            ("later(x)", None),
        ];
        for (source, expected) in table {
            assert_eq!(Function::read(source), expected, "{source}");
        }
    }
}
