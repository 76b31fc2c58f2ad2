//! Turns the records that were read for a part of a list into that part, with the way to the parts beside it.

use serde_json::{Map, Value};

use super::StoreError;
use super::contributors::damaged;
use super::read::{Cursor, SelectPart, SelectQuery, SelectedRecords};
use crate::json::Json;

/// A record's number, and what it says.
pub(super) type Numbered = (i64, Map<String, Value>);

/// How many records are read for a part: where it follows a cursor, one more says whether there are more.
pub(super) fn read_max(part: &SelectPart) -> u64 {
    match part {
        SelectPart::Key(_) => 1,
        SelectPart::Offset { limit, .. } => limit.unwrap_or(u64::MAX),
        SelectPart::Cursor { limit, .. } => limit.saturating_add(1),
    }
}

/// The part that was asked for, of what was read.
pub(super) fn cut(query: &SelectQuery<'_>, rows: Vec<Numbered>) -> SelectedRecords {
    let SelectPart::Cursor { limit, at } = &query.part else {
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        return SelectedRecords { rows, ..SelectedRecords::default() };
    };
    let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
    Cut { limit, at: at.as_ref(), compared: compared(query) }.apply(rows)
}

/// JSON that is stored. A number that is too large for anyone to compute with is `null`.
pub(super) fn json(text: &[u8]) -> Result<Value, StoreError> {
    serde_json::from_slice(text)
        .or_else(|_| Json::parse(text, u32::MAX).map(|json| json.to_value()).map_err(|_| damaged("what a record says")))
}

/// The members that a list is sorted by.
fn compared<'q>(query: &SelectQuery<'q>) -> Vec<&'q str> {
    let words = query.selection.sort.as_ref().map_or(&[][..], |sort| &sort.words);
    query.sort.iter().filter_map(|at| words.get(*at)).map(|word| word.member.as_str()).collect()
}

/// How a part that follows a cursor is cut out of the rows that were read, which may be one too many.
struct Cut<'q> {
    limit: usize,
    at: Option<&'q Cursor>,
    compared: Vec<&'q str>,
}

impl Cut<'_> {
    fn apply(&self, mut rows: Vec<Numbered>) -> SelectedRecords {
        let back = self.at.is_some_and(|at| at.back);
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        if back {
            rows.reverse();
        }
        let (is_first, is_last) = if back { (!has_more, false) } else { (self.at.is_none(), !has_more) };
        let previous = rows.first().filter(|_| !is_first).map(|row| self.cursor(row, true));
        let next = rows.last().filter(|_| !is_last).map(|row| self.cursor(row, false));
        SelectedRecords { total: None, rows: rows.into_iter().map(|(_, row)| row).collect(), previous, next }
    }

    fn cursor(&self, (id, row): &Numbered, back: bool) -> Cursor {
        let values = self.compared.iter().map(|member| row.get(*member).cloned().unwrap_or_default()).collect();
        Cursor { values, id: *id, back }
    }
}
