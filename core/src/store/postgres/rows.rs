//! Turns many rows into one statement: an array per column.

use std::borrow::Cow;

use sqlx::postgres::{PgArguments, PgBindIterExt as _, Postgres};
use sqlx::query::Query;

use super::jsonb;
use crate::store::StoreError;
use crate::store::sql::{Bound, Question, Sql};
use crate::table::{Cell, Column, ColumnForm, Table};

/// Rows in one statement; more take several, so that neither side holds all of a large commit a second time.
pub(super) const ROWS_PER_STATEMENT_MAX: usize = 5_000;

/// A statement with its values.
pub(in crate::store) type Statement = Query<'static, Postgres, PgArguments>;

/// A statement, before its first value.
pub(super) fn statement(sql: Sql) -> Statement {
    sqlx::query(sql)
}

/// A question, with its values.
pub(in crate::store) fn asked(question: &Question) -> Statement {
    question.bound.iter().fold(statement(question.sql.clone()), |statement, bound| match bound {
        Bound::Text(text) => statement.bind(storable(text).into_owned()),
        Bound::Integer(integer) => statement.bind(*integer),
        Bound::Boolean(boolean) => statement.bind(*boolean),
        Bound::Real(real) => statement.bind(real.to_string()),
        Bound::Id(id) => statement.bind(*id),
        Bound::Json(json) => statement.bind(jsonb::storable(&json.to_string()).into_owned()),
    })
}

/// Binds an array for each column of `table`.
pub(super) fn bind_cells(
    mut statement: Statement,
    table: &Table,
    rows: &[&[Cell<'_>]],
) -> Result<Statement, StoreError> {
    for cells in rows {
        check(table, cells)?;
    }
    for (nth, column) in table.columns.iter().enumerate() {
        let cells = rows.iter().map(|row| &row[nth]);
        statement = match column.form {
            ColumnForm::Text => statement.bind(cells.map(|cell| text(cell).map(storable)).bind_iter()),
            ColumnForm::Number => statement.bind(cells.map(text).bind_iter()),
            ColumnForm::Json => statement.bind(cells.map(|cell| text(cell).map(jsonb::storable)).bind_iter()),
            ColumnForm::Integer => statement.bind(cells.map(integer).bind_iter()),
            ColumnForm::Boolean => statement.bind(cells.map(boolean).bind_iter()),
            ColumnForm::Id => statement.bind(cells.map(id).bind_iter()),
        };
    }
    Ok(statement)
}

/// That there is a cell for each column, of its form.
pub(super) fn check(table: &Table, cells: &[Cell<'_>]) -> Result<(), StoreError> {
    if cells.len() != table.columns.len() {
        return Err(StoreError::Inconsistent(format!(
            "a row of {} cells does not fit a table of {} columns",
            cells.len(),
            table.columns.len()
        )));
    }
    let fits = |(column, cell): (&Column, &Cell<'_>)| match cell {
        Cell::Null => true,
        Cell::Text(_) => matches!(column.form, ColumnForm::Text | ColumnForm::Number | ColumnForm::Json),
        Cell::Integer(_) => column.form == ColumnForm::Integer,
        Cell::Boolean(_) => column.form == ColumnForm::Boolean,
        Cell::Id(_) => column.form == ColumnForm::Id,
    };
    match table.columns.iter().zip(cells).find(|pair| !fits(*pair)) {
        None => Ok(()),
        Some((column, _)) => {
            Err(StoreError::Inconsistent(format!("a cell does not fit the column {} of {}", column.name, table.name)))
        }
    }
}

fn text<'c>(cell: &'c Cell<'_>) -> Option<&'c str> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

fn integer(cell: &Cell<'_>) -> Option<i64> {
    if let Cell::Integer(integer) = cell { Some(*integer) } else { None }
}

fn boolean(cell: &Cell<'_>) -> Option<bool> {
    if let Cell::Boolean(boolean) = cell { Some(*boolean) } else { None }
}

fn id(cell: &Cell<'_>) -> Option<uuid::Uuid> {
    if let Cell::Id(id) = cell { Some(*id) } else { None }
}

/// What takes the place of the one character that no text in PostgreSQL can hold.
const INSTEAD_OF_NUL: &str = "\u{fffd}";

/// A text as PostgreSQL can hold it.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', INSTEAD_OF_NUL)) } else { Cow::Borrowed(text) }
}

/// That a statement changed as many rows as it was about.
pub(super) fn all_changed(changed: u64, rows: usize, what: &str) -> Result<(), StoreError> {
    if changed == rows as u64 {
        return Ok(());
    }
    Err(StoreError::Inconsistent(format!("{what} to be changed is not there")))
}
