//! What is different in what payloads are cut into, and in the tables of that.

use std::collections::BTreeMap;

use super::Sign::{Added, Changed, Removed};
use super::{Area, Found};
use crate::description::{FieldPath, Partner, RecordType, RecordTypeId};
use crate::table::{Column, ColumnForm};

/// Compares the record types of two versions.
pub(super) fn compare(from: &Partner, to: &Partner, found: &mut Found) {
    let was: BTreeMap<_, _> = from.records.iter().map(|of| (of.name.as_str(), of)).collect();
    let is: BTreeMap<_, _> = to.records.iter().map(|of| (of.name.as_str(), of)).collect();
    for (name, of) in &was {
        match is.get(name) {
            Some(other) => between(from, of, to, other, found),
            None => found.breaking(
                Area::Records,
                *name,
                Removed,
                "record type",
                "what is stored of it stays, and is neither read nor mapped any more",
            ),
        }
    }
    for name in is.keys().filter(|name| !was.contains_key(*name)) {
        found.add(Area::Records, *name, Added, "record type");
    }
}

fn between(from: &Partner, was: &RecordType, to: &Partner, is: &RecordType, found: &mut Found) {
    let name = was.name.as_str();
    if was.key != is.key {
        let what = format!("key {} → {}", paths(&was.key), paths(&is.key));
        let breaks = "stored records keep the keys that they have, and are sent again as others";
        found.breaking(Area::Records, name, Changed, what, breaks);
    }
    let (outer, now_outer) = (parent(from, was.parent), parent(to, is.parent));
    if outer != now_outer {
        let what = format!("stands in {outer} → {now_outer}");
        found.breaking(Area::Records, name, Changed, what, "stored records stand where they stood");
    }
    if was.with != is.with {
        let what = format!("travels with {} → {}", paths(&was.with), paths(&is.with));
        found.add(Area::Records, name, Changed, format!("{what}; takes effect when records are sent again"));
    }
    kinds(was, is, found);
    columns(was, is, found);
}

/// Which kinds a mapper may return. Kinds are numbered alike in both versions: they were loaded for the same schemas.
fn kinds(was: &RecordType, is: &RecordType, found: &mut Found) {
    if was.kinds.is_empty() != is.kinds.is_empty() {
        let what = if is.kinds.is_empty() { "is not mapped any more" } else { "is mapped" };
        found.add(Area::Records, was.name.as_str(), Changed, what);
    } else if was.kinds != is.kinds {
        found.add(Area::Records, was.name.as_str(), Changed, "becomes entities of other kinds");
    }
}

fn columns(was: &RecordType, is: &RecordType, found: &mut Found) {
    let by_name = |columns: &'_ [Column]| -> BTreeMap<String, Column> {
        columns.iter().map(|column| (column.name.clone(), column.clone())).collect()
    };
    let own = is.table.columns.len() - is.kept;
    let (old, new) = (by_name(&was.table.columns), by_name(&is.table.columns[..own]));
    let place = |column: &str| format!("{}.{column}", was.table.name);
    // Columns of still older versions are there, too: their names are taken.
    let kept = &was.table.columns[was.table.columns.len() - was.kept..];
    for (name, column) in &old {
        match new.get(name) {
            None if kept.contains(column) => {}
            None => found.add(Area::Tables, place(name), Removed, "column: it stays, and is not written any more"),
            Some(other) if other.form != column.form => {
                let what = format!("column from {} to {}", word(column.form), word(other.form));
                found.breaking(Area::Tables, place(name), Changed, what, "a column cannot change what it holds");
            }
            Some(other) if other.property != column.property => {
                let what = format!("column holds `{}` instead of `{}`", other.property, column.property);
                found.breaking(Area::Tables, place(name), Changed, what, "what is stored would be taken for another");
            }
            Some(_) => {}
        }
    }
    for (name, column) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        found.add(Area::Tables, place(name), Added, format!("{} column", word(column.form)));
    }
}

fn parent(partner: &Partner, of: Option<RecordTypeId>) -> &str {
    of.and_then(|of| partner.records.get(usize::from(of.0))).map_or("nothing", |of| &of.name)
}

fn paths(fields: &[FieldPath]) -> String {
    let path = |field: &FieldPath| {
        let steps = std::iter::repeat_n("parent", field.up).chain(field.path.iter().map(String::as_str));
        steps.collect::<Vec<_>>().join(".")
    };
    format!("[{}]", fields.iter().map(path).collect::<Vec<_>>().join(", "))
}

fn word(form: ColumnForm) -> &'static str {
    match form {
        ColumnForm::Text => "text",
        ColumnForm::Integer => "integer",
        ColumnForm::Number => "number",
        ColumnForm::Boolean => "boolean",
        ColumnForm::Id => "id",
        ColumnForm::Json => "nested",
    }
}
