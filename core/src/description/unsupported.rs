//! What the language has and the runtime does not have yet, and words that stand where nothing makes use of them. Saying
//! so is better than ignoring it.
//!
//! When something is built, its line goes.

use super::findings::Findings;
use super::outline::Outline;
use crate::json::Pointer;
use crate::language::{Diagnostic, Document, EXTENSION, keys};

/// Reports every word that is designed and not built.
pub(super) fn check(document: &Document, outline: &Outline, problems: &mut Vec<Diagnostic>) {
    let mut refuse = |at: &Pointer, words: &[(&str, bool)]| {
        for (word, _) in words.iter().filter(|(_, used)| *used) {
            let place = document.key_place(&at.member(EXTENSION).member(word));
            problems.push(Diagnostic::at(place, format!("not supported yet: `{word}`")));
        }
    };
    if let Some(root) = &outline.root {
        let refuses = matches!(root.unknown, Some(keys::Unknown::Refuse));
        refuse(&Pointer::root(), &[("unknown", refuses)]);
    }
    for operation in &outline.operations {
        refuse(&operation.at, &of_operation(&operation.keys));
    }
    for (at, schema) in outline.schemas() {
        refuse(at, &[("cast", schema.cast.is_some())]);
    }
    for (at, header) in sorted(&outline.headers) {
        refuse(at, &[("value", header.value.is_some())]);
    }
    for (at, webhook) in sorted(&outline.webhooks) {
        refuse(at, &[("emit", webhook.emit.is_some()), ("to", webhook.to.is_some())]);
    }
    let webhooks = Pointer::root().member("webhooks");
    if document.get(&webhooks).is_some() {
        problems.push(Diagnostic::at(document.key_place(&webhooks), "not supported yet: `webhooks`"));
    }
}

fn of_operation(keys: &keys::Operation) -> Vec<(&'static str, bool)> {
    const BUILT: [&str; 5] = ["snapshot", "merge", "clear", "list", "get"];
    let verbs = keys.verbs().into_iter().map(|verb| (verb, !BUILT.contains(&verb)));
    let modifiers = [("scope", keys.scope.is_some()), ("call", keys.call.is_some()), ("also", keys.also.is_some())];
    verbs.chain(modifiers).collect()
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
             on what a list is asked with"
        }
        "change" => "it belongs on a list of records in the body of a `merge`",
        "ref" => "it belongs on a field of a record, or on bare keys under `change: delete`",
        "at" => "it belongs on a field of a record, beside `value`",
        "as" => "it belongs on a record's own fields",
        "changes" => "it belongs on a record, beside its `key`",
        "match" => "it belongs on the lists of records that clients write one by one",
        _ => "it belongs on a record's own lists",
    };
    (format!("nothing makes use of `{word}` here"), hint)
}

fn sorted<T>(by_place: &std::collections::HashMap<Pointer, T>) -> Vec<(&Pointer, &T)> {
    let mut sorted: Vec<_> = by_place.iter().collect();
    sorted.sort_by_key(|(at, _)| *at);
    sorted
}
