//! What the language has and the runtime does not have yet, and words that stand where nothing makes use of them. Saying
//! so is better than ignoring it.
//!
//! When something is built, its line goes.

use super::findings::Findings;
use super::outline::Outline;
use crate::json::Pointer;
use crate::language::{Diagnostic, Document, EXTENSION};

/// Reports every word that is designed and not built.
pub(super) fn check(document: &Document, outline: &Outline, problems: &mut Vec<Diagnostic>) {
    let mut refuse = |at: &Pointer, words: &[(&str, bool)]| {
        for (word, _) in words.iter().filter(|(_, used)| *used) {
            let place = document.key_place(&at.member(EXTENSION).member(word));
            problems.push(Diagnostic::at(place, format!("not supported yet: `{word}`")));
        }
    };
    for operation in &outline.operations {
        refuse(&operation.at, &[("scope", operation.keys.scope.is_some())]);
    }
}

/// Reports the words on schemas that nothing made use of, because they stand where they say nothing.
pub(super) fn left_over(document: &Document, outline: &Outline, findings: &mut Findings<'_>) {
    for (at, keys) in outline.schemas() {
        let words = [
            ("value", keys.value.is_some()),
            ("must", keys.must.is_some()),
            ("use", keys.role.is_some()),
            ("change", keys.change.is_some()),
            ("ref", keys.refers.is_some()),
            ("at", keys.at.is_some()),
            ("as", keys.written.is_some()),
            ("cast", keys.cast.is_some()),
            ("delete", keys.delete.is_some()),
            ("match", keys.matched.is_some()),
            ("changes", keys.changes.is_some()),
        ];
        for (word, _) in words.into_iter().filter(|(_, used)| *used) {
            let word_at = at.member(EXTENSION).member(word);
            if !findings.is_understood(&word_at) {
                let (problem, hint) = useless(word);
                findings.report(Diagnostic::at(document.key_place(&word_at), problem).hint(hint));
            }
        }
    }
}

/// What is wrong with a word that nothing made use of, and where it belongs.
fn useless(word: &str) -> (String, &'static str) {
    let hint = match word {
        "value" => {
            let problem = "not supported yet: a `value` outside of an answer";
            let hint = "in an answer, an operation's response has to reach it; in a record, `at` makes it a default";
            return (problem.to_owned(), hint);
        }
        "must" => "it is built for operations, parameters, and members of a body outside of records and lists",
        "use" => {
            "`change` and `as-of` belong on members of a merge's body, outside of records; `page`, `limit` and `offset` \
             on what a list is asked with; `remove` on the items of a list that are written one by one"
        }
        "change" => "it belongs on a list of records in the body of a `merge`",
        "ref" => "it belongs on a field of a record, or on bare keys under `change: delete`",
        "at" => "it belongs on a field of a record, beside `value`",
        "as" => "it belongs on a record's own fields, or on those of a request about one record",
        "cast" => "it belongs on parameters, and on the fields of a request about one record",
        "changes" => "it belongs on a record, beside its `key`",
        "match" => "it belongs on the lists of records that clients write one by one",
        _ => "it belongs on a record's own lists",
    };
    (format!("nothing makes use of `{word}` here"), hint)
}
