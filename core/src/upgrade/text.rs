//! Tells people what is different.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Change;
use crate::delivery::Counts;
use crate::ingest::remap::{Difference, RecordCounts};

/// Entities of each kind that are listed in a text; the JSON has more.
const LISTED_MAX: usize = 5;

/// What is different in the descriptions, area by area; what breaks somebody is marked with `!`.
pub fn listed(changes: &[Change]) -> String {
    let mut text = String::new();
    for of_area in changes.chunk_by(|one, other| one.area == other.area) {
        push(&mut text, format_args!("{}\n", of_area[0].area.word()));
        for change in of_area {
            let mark = if change.breaks.is_some() { '!' } else { ' ' };
            push(&mut text, format_args!(" {mark}{} {}: {}\n", change.sign.letter(), change.place, change.what));
            if let Some(breaks) = &change.breaks {
                push(&mut text, format_args!("     breaks: {breaks}\n"));
            }
        }
    }
    if text.is_empty() { "nothing\n".to_owned() } else { text }
}

/// What is different in the data.
pub fn difference(difference: &Difference) -> String {
    let mut text = String::new();
    if let Some(sample) = difference.sample {
        push(&mut text, format_args!("a sample of {sample} records; the others are taken as they are\n"));
    }
    for (name, counts) in &difference.records {
        push(&mut text, format_args!("record {name}: {}\n", records(counts)));
    }
    for trouble in &difference.troubles {
        let place = if trouble.pointer.as_str().is_empty() { "/" } else { trouble.pointer.as_str() };
        let what = format_args!(
            "  {} × {} at {place} [{}] {}\n",
            trouble.records, trouble.record, trouble.code, trouble.message
        );
        push(&mut text, what);
    }
    omitted(&mut text, difference.troubles_omitted, "kinds of trouble");
    for (kind, counts) in &difference.entities {
        push(&mut text, format_args!("{kind}: {}\n", entities(counts)));
        for (field, count) in difference.fields.get(kind).into_iter().flatten() {
            push(&mut text, format_args!("    {field} in {count}\n"));
        }
    }
    changes(difference, &mut text);
    for passed in &difference.passed {
        push(&mut text, format_args!("held, because it {}\n", passed.why()));
    }
    text
}

fn records(counts: &RecordCounts) -> String {
    let all = [
        (counts.stored, "stored"),
        (counts.mapped, "mapped anew"),
        (counts.waiting, "waiting, left alone"),
        (counts.newly_refused, "newly refused"),
        (counts.newly_faulted, "newly trapped on"),
        (counts.newly_waiting, "newly waiting"),
        (counts.newly_taken, "taken that were not"),
        (counts.breaking_schema, "that break their schema"),
        (counts.forgotten, "of a type that is gone"),
    ];
    let told = all.iter().enumerate().filter(|(nth, (count, _))| *nth < 2 || *count > 0);
    told.map(|(_, (count, what))| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

fn entities(counts: &Counts) -> String {
    let Counts { created, updated, removed, unchanged } = counts;
    format!("{created} created, {updated} updated, {removed} removed, {unchanged} unchanged")
}

fn changes(difference: &Difference, text: &mut String) {
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left = difference.changes_omitted;
    for change in &difference.changes {
        let shown = shown.entry(&change.kind).or_default();
        *shown += 1;
        if *shown > LISTED_MAX {
            left += 1;
            continue;
        }
        let fields = if change.fields.is_empty() { String::new() } else { format!(": {}", change.fields.join(", ")) };
        push(text, format_args!("  {} {} {}{fields}\n", change.happens.word(), change.kind, change.sourced_id));
    }
    omitted(text, left, "entities");
}

fn omitted(text: &mut String, count: u64, what: &str) {
    if count > 0 {
        push(text, format_args!("  and {count} more {what}\n"));
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(what);
    debug_assert!(written.is_ok(), "a String takes everything");
}
