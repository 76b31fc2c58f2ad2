//! Turns what was sent into what two versions make of it, and in what that differs, by shape.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::ingest::Loaded;
use rollcall_core::store::tally::Outcome;

use super::What;
use crate::access::Connection;
use crate::app::App;
use crate::diff::{Action, Revision, revisions};
use crate::preview::{Mapping, Preview, PreviewError, Previewer};
use crate::versions::told;

/// Differences that are named of each delivery.
const DIFFERENCES_MAX: usize = 10;

/// What is looked at comes to with the second version, against the first, which was in use.
pub(super) fn look(app: &App, from: &Connection, versions: [&Loaded; 2], what: &What) -> (Outcome, Vec<String>) {
    let writer = &versions[0].partner;
    let operation = match what {
        What::Sent { operation, .. } => operation,
        What::Written { operation, .. } => &writer.operations[*operation].id,
    };
    let seen = versions.map(|loaded| {
        let (canonical, options, limits) = (app.canonical(), &*from.sender.options, &app.ingest.limits);
        let operation = loaded.partner.operation(operation)?;
        Some(match what {
            What::Sent { body, .. } => Previewer { canonical, loaded, operation, options, limits }.preview(None, body),
            What::Written { records, .. } => Mapping { canonical, loaded, options, limits }.written(writer, records),
        })
    });
    match seen {
        [Some(Ok(active)), Some(Ok(shadow))] => compare(&active, &shadow),
        [Some(Err(PreviewError::NoBody(_))) | None, _] => (Outcome::Same, Vec::new()),
        [_, None] => (Outcome::Different, vec![format!("there is no operation `{operation}`")]),
        [_, Some(Err(error))] => (Outcome::Faulted, vec![told(&error)]),
        [Some(Err(_)), Some(Ok(_))] => (Outcome::Different, vec!["the version in use fails on it".to_owned()]),
    }
}

fn compare(active: &Preview, shadow: &Preview) -> (Outcome, Vec<String>) {
    let counts = |preview: &Preview| (preview.rejections.len() + preview.refusals.len(), preview.faults.len());
    let ((was_refused, was_faulted), (refused, faulted)) = (counts(active), counts(shadow));
    let mut differences = shapes(&revisions(active, shadow));
    let more = [("rejected or refused", was_refused, refused), ("faults", was_faulted, faulted)];
    differences.extend(
        more.into_iter()
            .filter(|(_, was, is)| was != is)
            .map(|(what, was, is)| format!("{what}: {is} instead of {was}")),
    );
    differences.truncate(DIFFERENCES_MAX);
    let outcome = match () {
        () if faulted > was_faulted => Outcome::Faulted,
        () if refused > was_refused => Outcome::Refused,
        () if !differences.is_empty() => Outcome::Different,
        () => Outcome::Same,
    };
    (outcome, differences)
}

/// How previews differ, by kind and field alone.
fn shapes(revisions: &[Revision]) -> Vec<String> {
    let mut shapes: BTreeMap<(&str, &str), (u64, BTreeSet<&str>)> = BTreeMap::new();
    for Revision { kind, action, .. } in revisions {
        let what = match action {
            Action::Create => "more",
            Action::Update(_) => "otherwise",
            Action::Remove => "not there",
        };
        let (count, names) = shapes.entry((kind, what)).or_default();
        *count += 1;
        if let Action::Update(fields) = action {
            names.extend(fields.iter().map(|(name, ..)| name.as_str()));
        }
    }
    let shape = |((kind, what), (count, names)): ((&str, &str), (u64, BTreeSet<&str>))| {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        format!("{kind}: {count} {what}{}{names}", if names.is_empty() { "" } else { ": " })
    };
    shapes.into_iter().map(shape).collect()
}
