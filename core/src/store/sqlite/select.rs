//! Turns a question for the records that a selection comes to into what each of them says.

use rusqlite::types::ValueRef;
use rusqlite::{Connection as Database, OptionalExtension as _, Row, Transaction, TransactionBehavior};
use serde_json::{Map, Value};

use super::held::held;
use super::readers::Readers;
use super::rows::Rows;
use crate::description::Partner;
use crate::json::Json;
use crate::store::contributors::damaged;
use crate::store::read::{Cursor, SelectPart, SelectQuery, SelectedRecords};
use crate::store::sql::{PartQuestions, Question, Told, Wanted};
use crate::store::{HeldRecord, StoreError};
use crate::table::ColumnForm;

/// The first record, as planning needs it.
pub(super) fn first(transaction: &Transaction<'_>, wanted: &Wanted<'_>) -> Result<Option<HeldRecord>, StoreError> {
    Rows::asked(transaction, &wanted.first()?)?.first(|row| held(wanted.selection.of, row))
}

/// A part of the records. One that is asked for by its key is read at once, a list on a thread that may block.
pub(super) async fn select(
    readers: &Readers,
    partner: &Partner,
    query: &SelectQuery<'_>,
) -> Result<SelectedRecords, StoreError> {
    let found = readers.read(|database| connection(database, query.tenant, query.connection)).await?;
    let Some(connection) = found else {
        return Ok(SelectedRecords { total: query.counts.then_some(0), ..SelectedRecords::default() });
    };
    let SelectQuery { selection, given, sort, options, .. } = query;
    let wanted = Wanted { partner, connection, selection, given, sort, options };
    let asked = Asked { count: query.counts.then(|| wanted.count()).transpose()?, part: wanted.part(&query.part)? };
    let (total, rows) = match query.part {
        SelectPart::Key(_) => readers.read(|database| asked.read(database, 1)).await?,
        SelectPart::Offset { limit, .. } => {
            let limit = limit.unwrap_or(u64::MAX);
            readers.read_at_length(move |database| asked.read(database, limit)).await?
        }
        SelectPart::Cursor { limit, .. } => {
            let one_more = limit.saturating_add(1);
            readers.read_at_length(move |database| asked.read(database, one_more)).await?
        }
    };
    let SelectPart::Cursor { limit, at } = &query.part else {
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        return Ok(SelectedRecords { total, rows, ..SelectedRecords::default() });
    };
    let cut = Cut { limit: usize::try_from(*limit).unwrap_or(usize::MAX), at: at.as_ref(), compared: compared(query) };
    Ok(SelectedRecords { total, ..cut.apply(rows) })
}

/// The number of a connection, if there is one of these names.
fn connection(database: &Database, tenant: &str, name: &str) -> Result<Option<i64>, StoreError> {
    let mut statement = database.prepare_cached(
        "select c.id from connection c join tenant t on t.id = c.tenant where t.name = ?1 and c.name = ?2",
    )?;
    Ok(statement.query_row([tenant, name], |row| row.get(0)).optional()?)
}

/// A record's number, and what it says.
type Numbered = (i64, Map<String, Value>);

/// What is asked of the database, all of it on one state.
struct Asked {
    count: Option<Question>,
    part: PartQuestions,
}

impl Asked {
    /// How many there are, if that is asked for, and at most `limit` of them.
    fn read(&self, database: &mut Database, limit: u64) -> Result<(Option<u64>, Vec<Numbered>), StoreError> {
        if let ([question], None) = (self.part.questions.as_slice(), &self.count) {
            return Ok((None, self.rows(database, question)?));
        }
        let transaction = database.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let total = match &self.count {
            Some(count) => Rows::asked(&transaction, count)?.first(|row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?,
            None => None,
        };
        let mut rows = Vec::new();
        for question in &self.part.questions {
            if (rows.len() as u64) < limit {
                rows.extend(self.rows(&transaction, question)?);
            }
        }
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok((total, rows))
    }

    fn rows(&self, database: &Database, question: &Question) -> Result<Vec<Numbered>, StoreError> {
        Rows::asked(database, question)?.all(|row| Ok((row.get(0)?, says(&self.part.told, row)?)))
    }
}

/// What a row says after its number: what its schema does not know, then the members told.
fn says(told: &Told, row: &Row<'_>) -> Result<Map<String, Value>, StoreError> {
    let mut members = Map::with_capacity(told.len());
    for (position, (name, form)) in (2..).zip(told) {
        let value = match (row.get_ref(position)?, form) {
            (ValueRef::Null, _) => continue,
            (ValueRef::Integer(boolean), ColumnForm::Boolean) => Value::Bool(boolean != 0),
            (ValueRef::Integer(integer), _) => Value::from(integer),
            (ValueRef::Real(real), _) => Value::from(real),
            (ValueRef::Text(text), ColumnForm::Number | ColumnForm::Json) => json(text)?,
            (ValueRef::Text(text), _) => {
                Value::String(str::from_utf8(text).map_err(|_| damaged("what a record says"))?.to_owned())
            }
            (ValueRef::Blob(_), _) => return Err(damaged("what a record says")),
        };
        members.insert(name.clone(), value);
    }
    if let Some(unknown) = row.get_ref(1)?.as_bytes_or_null().map_err(|_| damaged("what a record says"))? {
        let Value::Object(unknown) = json(unknown)? else { return Err(damaged("what a record says")) };
        members.extend(unknown);
    }
    Ok(members)
}

/// Stored JSON. A number that is too large for anyone to compute with is `null`.
fn json(text: &[u8]) -> Result<Value, StoreError> {
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
