//! Turns a [`Matching`] into a statement: members that have one of several values each.
//!
//! A single value is compared as it is and several are looked up in a list, so that the text of a statement, and with it
//! what the database prepared for it, is the same however many values there are.

use serde_json::Value;

use super::parts::{Bound, Parts, Question, Whose};
use super::record::held;
use super::{Dialect, push, quoted};
use crate::description::RecordType;
use crate::store::{Matching, StoreError};
use crate::table::{Column, ColumnForm};

/// The records of a connection that match, as planning needs them with whether they wait; the oldest first.
pub(in crate::store) fn matching(
    dialect: &'static dyn Dialect,
    record: &RecordType,
    of: Whose,
    matching: &Matching,
) -> Result<Question, StoreError> {
    let mut parts = Parts::of(dialect, of);
    let condition = parts.members(record, matching)?;
    let table = quoted(&record.table.name);
    let mut statement = format!("select {} from {table} r where {condition} order by r._id", held(dialect));
    if let Some(limit) = matching.limit {
        let limit = parts.bind(Bound::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        push(&mut statement, format_args!(" limit {limit}"));
    }
    Ok(parts.ask(statement))
}

/// The largest integer in `member` of the records of a connection that match.
pub(in crate::store) fn largest(
    dialect: &'static dyn Dialect,
    record: &RecordType,
    of: Whose,
    member: &str,
    matching: &Matching,
) -> Result<Question, StoreError> {
    let column = column(record, member)?;
    let (table, name) = (quoted(&record.table.name), quoted(&column.name));
    let number = match column.form {
        ColumnForm::Integer => format!("r.{name}"),
        // Stored as it is spelled.
        ColumnForm::Number => dialect.whole(&format!("r.{name}")),
        _ => return Err(StoreError::Inconsistent(format!("{} has no integers in {member}", record.name))),
    };
    let mut parts = Parts::of(dialect, of);
    let condition = parts.members(record, matching)?;
    Ok(parts.ask(format!("select max({number}) from {table} r where {condition}")))
}

/// The column of a member that is compared.
fn column<'a>(record: &'a RecordType, member: &str) -> Result<&'a Column, StoreError> {
    let column = record.table.columns.iter().find(|column| column.property == member);
    column.ok_or_else(|| StoreError::Inconsistent(format!("{} has no column for {member}", record.name)))
}

impl Parts {
    fn members(&mut self, record: &RecordType, matching: &Matching) -> Result<String, StoreError> {
        let mut condition = self.dialect.of_connection("r");
        for (member, values) in &matching.members {
            let column = column(record, member)?;
            let name = format!("r.{}", quoted(&column.name));
            let any = match column.form {
                ColumnForm::Json => self.holds_any(&name, values),
                form => self.is_any(&name, form, values),
            };
            push(&mut condition, format_args!(" and {any}"));
        }
        Ok(condition)
    }

    /// That a scalar column has one of the values; those that it cannot hold do not count.
    fn is_any(&mut self, column: &str, form: ColumnForm, values: &[Value]) -> String {
        let exact = if form == ColumnForm::Number { self.dialect.number(column) } else { column.to_owned() };
        let possible: Vec<_> = values.iter().filter_map(|value| Some((value, scalar(form, value)?))).collect();
        let among = match possible.as_slice() {
            [] => None,
            [(_, single)] => Some(format!("{exact} = {}", self.bind(single.clone()))),
            several => {
                let list = self.list(several.iter().map(|(value, _)| *value));
                Some(self.dialect.among_list(&exact, form, &list))
            }
        };
        or_absent(column, among, values)
    }

    /// That a list has one of the values among its items, or that what is no list is one of them.
    fn holds_any(&mut self, column: &str, values: &[Value]) -> String {
        let possible: Vec<_> = values.iter().filter(|value| !value.is_null()).collect();
        let among = (!possible.is_empty()).then(|| {
            let list = self.list(possible);
            self.dialect.holds_any(column, &list)
        });
        or_absent(column, among, values)
    }

    fn list<'v>(&mut self, values: impl IntoIterator<Item = &'v Value>) -> String {
        self.bind(Bound::Json(values.into_iter().cloned().collect()))
    }
}

/// Adds that the column is empty, where `null` is one of the values.
fn or_absent(column: &str, among: Option<String>, values: &[Value]) -> String {
    match (among, values.contains(&Value::Null)) {
        (Some(among), true) => format!("({among} or {column} is null)"),
        (Some(among), false) => among,
        (None, true) => format!("{column} is null"),
        (None, false) => "false".to_owned(),
    }
}

/// A value as a scalar column has it; `None` where it cannot.
fn scalar(form: ColumnForm, value: &Value) -> Option<Bound> {
    match form {
        ColumnForm::Text => value.as_str().map(|text| Bound::Text(text.to_owned())),
        ColumnForm::Integer => value.as_i64().map(Bound::Integer),
        ColumnForm::Boolean => value.as_bool().map(Bound::Boolean),
        ColumnForm::Number => value.as_i64().map(Bound::Integer).or_else(|| value.as_f64().map(Bound::Real)),
        ColumnForm::Id | ColumnForm::Json => None,
    }
}
