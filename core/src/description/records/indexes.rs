//! Tells by which members records are looked up: by their key, by what they refer to, and by what must be unique.

use crate::description::{By, Constraint, RecordType};
use crate::table::ColumnForm;

/// The lists of members that the store needs an index for. What stands in a column of JSON cannot have one.
pub(super) fn indexes(of: &RecordType) -> Vec<Vec<String>> {
    let key = of.key.iter().map(|field| &field.path);
    let key: Vec<_> =
        key.filter_map(|path| if let [name] = path.as_slice() { Some(name.clone()) } else { None }).collect();
    let key = Some(key).filter(|key| key.len() == of.key.len());
    let references = of.references.iter().filter_map(|reference| match &reference.by {
        By::Key(ways) => {
            ways.iter().map(|way| if let [name] = way.as_slice() { Some(name.clone()) } else { None }).collect()
        }
        By::Word { own, .. } => Some(vec![own.clone()]),
        By::Members(_) | By::Items(_) => None,
    });
    let rules = of.rules.iter().filter_map(|rule| match &rule.constraint {
        Constraint::Unique(members) => Some(members.clone()),
        Constraint::Disjoint(_) | Constraint::Determines(_) | Constraint::OneToOne(_) => None,
    });
    let mut indexes: Vec<Vec<String>> = Vec::new();
    for members in key.into_iter().chain(references).chain(rules) {
        let fits = members.iter().all(|member| {
            let column = of.table.columns.iter().find(|column| column.property == *member);
            column.is_some_and(|column| column.form != ColumnForm::Json)
        });
        if fits && !members.is_empty() && !indexes.contains(&members) {
            indexes.push(members);
        }
    }
    indexes
}
