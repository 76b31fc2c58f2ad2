//! Statements with their parameters bound one by one, run row by row.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};

use crate::store::StoreError;
use crate::store::sql::{Bound, Question, Sql, Whose};
use crate::table::{Cell, Column};

/// A cached statement that is run once per row. A parameter keeps its value until it is bound again, so what is the
/// same for all rows is bound once, and what is absent again is not bound again.
pub(super) struct Rows<'a> {
    statement: CachedStatement<'a>,
    absent: Vec<bool>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(database: &'a Connection, sql: &Sql) -> Result<Self, StoreError> {
        let statement = database.prepare_cached(sql)?;
        let absent = vec![true; statement.parameter_count() + 1]; // parameters count from one
        Ok(Self { statement, absent })
    }

    /// A statement with its values bound.
    pub(super) fn asked(database: &'a Connection, question: &Question) -> Result<Self, StoreError> {
        let mut rows = Self::new(database, &question.sql)?;
        for (parameter, bound) in (1..).zip(&question.bound) {
            match bound {
                Bound::Text(text) => rows.text(parameter, text.as_bytes())?,
                Bound::Integer(integer) => rows.integer(parameter, *integer)?,
                Bound::Boolean(boolean) => rows.integer(parameter, i64::from(*boolean))?,
                Bound::Real(real) => rows.bind(parameter, ValueRef::Real(*real))?,
                Bound::Id(id) => rows.bytes(parameter, id.as_bytes())?,
                Bound::Json(json) => rows.text(parameter, json.to_string().as_bytes())?,
            }
        }
        Ok(rows)
    }

    pub(super) fn integer(&mut self, parameter: usize, value: i64) -> Result<(), StoreError> {
        self.bind(parameter, ValueRef::Integer(value))
    }

    pub(super) fn text(&mut self, parameter: usize, utf8: &[u8]) -> Result<(), StoreError> {
        self.bind(parameter, ValueRef::Text(utf8))
    }

    pub(super) fn bytes(&mut self, parameter: usize, bytes: &[u8]) -> Result<(), StoreError> {
        self.bind(parameter, ValueRef::Blob(bytes))
    }

    pub(super) fn bind(&mut self, parameter: usize, value: ValueRef<'_>) -> Result<(), StoreError> {
        let absent = value == ValueRef::Null;
        if !(absent && self.absent[parameter]) {
            self.statement.raw_bind_parameter(parameter, ToSqlOutput::Borrowed(value))?;
            self.absent[parameter] = absent;
        }
        Ok(())
    }

    /// Binds `cells`, one for each of `columns`, to the parameters after `before`.
    pub(super) fn cells(&mut self, before: usize, columns: &[Column], cells: &[Cell<'_>]) -> Result<(), StoreError> {
        if cells.len() != columns.len() {
            return Err(StoreError::Inconsistent(format!(
                "a row of {} cells does not fit a table of {} columns",
                cells.len(),
                columns.len()
            )));
        }
        for (parameter, cell) in (before + 1..).zip(cells) {
            self.bind(parameter, value(cell))?;
        }
        Ok(())
    }

    /// Runs the statement, which must change exactly one row.
    pub(super) fn run(&mut self, what: &str) -> Result<(), StoreError> {
        self.run_all(1, what)
    }

    /// Runs the statement, which must change exactly `count` rows.
    pub(super) fn run_all(&mut self, count: usize, what: &str) -> Result<(), StoreError> {
        match self.statement.raw_execute()? {
            changed if changed == count => Ok(()),
            _ => Err(StoreError::Inconsistent(format!("{what} to be changed is not there"))),
        }
    }

    /// Runs the statement and reads its one row, if there is one.
    pub(super) fn first<T>(
        &mut self,
        read: impl FnOnce(&rusqlite::Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.statement.raw_query().next()?.map(read).transpose()
    }

    /// Runs the statement and reads all its rows.
    pub(super) fn all<T>(
        &mut self,
        mut read: impl FnMut(&rusqlite::Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = self.statement.raw_query();
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }
}

/// A text or nothing.
pub(super) fn optional_text(text: Option<&str>) -> ValueRef<'_> {
    text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
}

/// Bytes or nothing.
pub(super) fn optional_bytes(bytes: Option<&[u8]>) -> ValueRef<'_> {
    bytes.map_or(ValueRef::Null, ValueRef::Blob)
}

fn value<'a>(cell: &'a Cell<'_>) -> ValueRef<'a> {
    match cell {
        Cell::Null => ValueRef::Null,
        Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        Cell::Integer(integer) => ValueRef::Integer(*integer),
        Cell::Boolean(boolean) => ValueRef::Integer(i64::from(*boolean)),
        Cell::Id(id) => ValueRef::Blob(id.as_bytes()),
    }
}

/// Whose records are asked for: the number of a connection says it all.
pub(super) fn whose(connection: i64) -> Whose {
    Whose { tenant: None, connection }
}
