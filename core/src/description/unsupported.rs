//! What the language has and the runtime does not have yet. Saying so is better than ignoring it.
//!
//! When something is built, its line goes.

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
        let words =
            [("language", root.language.is_some()), ("messages", root.messages.is_some()), ("unknown", refuses)];
        refuse(&Pointer::root(), &words);
    }
    for operation in &outline.operations {
        refuse(&operation.at, &of_operation(&operation.keys));
    }
    for (at, schema) in outline.schemas() {
        refuse(at, &of_schema(schema));
    }
    for (at, parameter) in sorted(&outline.parameters) {
        let words = [
            ("use", parameter.role.is_some()),
            ("where", parameter.only.is_some()),
            ("must", parameter.must.is_some()),
        ];
        refuse(at, &words);
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
    let verbs = keys.verbs().into_iter().map(|verb| (verb, verb != "snapshot"));
    let modifiers = [
        ("scope", keys.scope.is_some()),
        ("async", keys.asynchronous == Some(true)),
        ("dryRun", keys.dry_run == Some(true)),
        ("where", keys.only.is_some()),
        ("call", keys.call.is_some()),
        ("also", keys.also.is_some()),
    ];
    verbs.chain(modifiers).collect()
}

fn of_schema(keys: &keys::Schema) -> [(&'static str, bool); 10] {
    [
        ("rules", keys.rules.is_some()),
        ("refs", keys.refs.is_some()),
        ("must", keys.must.is_some()),
        ("ref", keys.refers.is_some()),
        ("at", keys.at.is_some()),
        ("as", keys.written.is_some()),
        ("cast", keys.cast.is_some()),
        ("use", keys.role.is_some()),
        ("change", keys.change.is_some()),
        ("delete", keys.delete.is_some()),
    ]
}

fn sorted<T>(by_place: &std::collections::HashMap<Pointer, T>) -> Vec<(&Pointer, &T)> {
    let mut sorted: Vec<_> = by_place.iter().collect();
    sorted.sort_by_key(|(at, _)| *at);
    sorted
}
