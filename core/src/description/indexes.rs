//! Finds out by which members records are looked up, chosen and sorted, so that the store makes an index for each:
//! a filter or an order that a description declares never costs a look at all records.

use super::expression::Compared;
use super::{Expression, Listed, Operation, RecordType, RecordTypeId, Selection, Verb};
use crate::table::ColumnForm;

/// Adds the indexes that the selections of these operations, and what is derived of records, make use of.
pub(super) fn add(operations: &[Operation], records: &mut [RecordType]) {
    let mut wanted = Vec::new();
    for operation in operations {
        match &operation.verb {
            Verb::Resource(resource) => of_selection(&resource.selection, &mut wanted),
            Verb::List(Listed::Selected(selection) | Listed::Items { of: selection, .. }) => {
                of_selection(selection, &mut wanted);
            }
            _ => {}
        }
    }
    for (id, record) in (0..).map(RecordTypeId).zip(records.iter()) {
        for derived in &record.derived {
            let mut compared = Vec::new();
            of_expression(&derived.value, id, &mut compared);
            // It is computed of records that were found already.
            wanted.extend(compared.into_iter().filter(|wanted| matches!(wanted.of, Of::Name(_))));
        }
    }
    for Wanted { of, member, of_items } in wanted {
        let id = match of {
            Of::Type(RecordTypeId(id)) => Some(usize::from(id)),
            Of::Name(name) => records.iter().position(|record| record.name == name),
        };
        let Some(record) = id.and_then(|id| records.get_mut(id)) else { continue };
        let column = record.table.columns.iter().find(|column| column.property == member);
        let is_indexed = record.indexes.iter().any(|members| members.first() == Some(&member));
        if column.is_some_and(|column| (column.form == ColumnForm::Json) == of_items) && !is_indexed {
            record.indexes.push(vec![member]);
        }
    }
}

/// A member by which records are looked up.
struct Wanted {
    of: Of,
    member: String,
    /// Whether it is a list, of which any item counts.
    of_items: bool,
}

/// Whose member is compared.
enum Of {
    Type(RecordTypeId),
    Name(String),
}

fn of_selection(selection: &Selection, wanted: &mut Vec<Wanted>) {
    for condition in selection.only.iter().chain(selection.filters.iter().map(|filter| &filter.condition)) {
        of_expression(condition, selection.of, wanted);
    }
    for word in selection.sort.iter().flat_map(|sort| &sort.words) {
        wanted.push(Wanted { of: Of::Type(selection.of), member: word.member.clone(), of_items: false });
    }
}

fn of_expression(expression: &Expression, own: RecordTypeId, wanted: &mut Vec<Wanted>) {
    wanted.extend(expression.compared().into_iter().map(|Compared { list, member, of_items }| {
        let of = list.map_or(Of::Type(own), Of::Name);
        Wanted { of, member, of_items }
    }));
}
