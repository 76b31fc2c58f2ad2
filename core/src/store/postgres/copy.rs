//! Turns many new rows into the stream that PostgreSQL copies into a table, in its binary format. It works on what has
//! arrived while the rest is made.
//!
//! That takes about half of what an insert from arrays takes, but a round trip more, and nothing of it is kept prepared:
//! it is for many rows, see [`ROWS_MIN`].

use sqlx::postgres::{PgConnection, PgCopyIn};
use uuid::Uuid;

use super::jsonb;
use super::rows::storable;
use crate::store::StoreError;
use crate::store::sql::Sql;
use crate::table::{Cell, ColumnForm, Table};

/// Rows from which on copying is faster than inserting. It would be so from a hundred on, if sqlx 0.9.0 did not leave Nagle's
/// algorithm on (mended upstream, not yet released): the end of a stream waits up to 40 ms for the beginning to be
/// acknowledged.
pub(super) const ROWS_MIN: usize = 2_000;

/// What every stream begins with: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What stands in the place of a length where there is no value.
const NULL: i32 = -1;

/// The version of the format of `jsonb`.
const JSONB: u8 = 1;

/// A stream that is under way. The connection is of no use any more where it is dropped before its end.
pub(super) struct Copying<'d> {
    stream: PgCopyIn<&'d mut PgConnection>,
    rows: Copied,
}

impl<'d> Copying<'d> {
    /// Begins to copy into the table, and the columns, that the statement names.
    pub(super) async fn start(database: &'d mut PgConnection, sql: &Sql) -> Result<Self, StoreError> {
        Ok(Self { stream: database.copy_in_raw(sql).await?, rows: Copied(HEADER.to_vec()) })
    }

    /// Where the next rows are made.
    pub(super) fn rows(&mut self) -> &mut Copied {
        &mut self.rows
    }

    /// Sends the rows that were made; does not wait until they are in the table.
    pub(super) async fn send(&mut self) -> Result<(), StoreError> {
        self.stream.send(self.rows.0.as_slice()).await?;
        self.rows.0.clear();
        Ok(())
    }

    /// Says how many rows there were, once they are all in the table. The end of the stream is that of its rows: a mark for
    /// it would be a packet more.
    pub(super) async fn finish(self) -> Result<u64, StoreError> {
        Ok(self.stream.finish().await?)
    }
}

/// Rows in the making.
#[derive(Debug)]
pub(super) struct Copied(Vec<u8>);

impl Copied {
    /// Begins a row of so many fields, which follow in the order of the statement's columns.
    pub(super) fn row(&mut self, fields: usize) -> Result<(), StoreError> {
        let fields = i16::try_from(fields).map_err(|_| StoreError::Inconsistent("a row is too wide".to_owned()))?;
        self.0.extend_from_slice(&fields.to_be_bytes());
        Ok(())
    }

    pub(super) fn integer(&mut self, value: Option<i64>) -> Result<(), StoreError> {
        self.field(value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))
    }

    pub(super) fn boolean(&mut self, value: bool) -> Result<(), StoreError> {
        self.field(Some(&[u8::from(value)]))
    }

    pub(super) fn id(&mut self, value: Uuid) -> Result<(), StoreError> {
        self.field(Some(value.as_bytes()))
    }

    /// Bytes, or a text without U+0000.
    pub(super) fn field(&mut self, value: Option<&[u8]>) -> Result<(), StoreError> {
        let Some(value) = value else {
            self.0.extend_from_slice(&NULL.to_be_bytes());
            return Ok(());
        };
        self.length(value.len())?;
        self.0.extend_from_slice(value);
        Ok(())
    }

    fn length(&mut self, bytes: usize) -> Result<(), StoreError> {
        let bytes = i32::try_from(bytes).map_err(|_| StoreError::Inconsistent("a value is too long".to_owned()))?;
        self.0.extend_from_slice(&bytes.to_be_bytes());
        Ok(())
    }

    /// The cells of a row of `table`, which fit its columns.
    pub(super) fn cells(&mut self, table: &Table, cells: &[Cell<'_>]) -> Result<(), StoreError> {
        for (column, cell) in table.columns.iter().zip(cells) {
            match (cell, column.form) {
                (Cell::Null, _) => self.field(None)?,
                (Cell::Text(json), ColumnForm::Json) => {
                    let json = jsonb::storable(json);
                    self.length(json.len() + 1)?;
                    self.0.push(JSONB);
                    self.0.extend_from_slice(json.as_bytes());
                }
                (Cell::Text(text), _) => self.field(Some(storable(text).as_bytes()))?,
                (Cell::Integer(integer), _) => self.integer(Some(*integer))?,
                (Cell::Boolean(boolean), _) => self.boolean(*boolean)?,
                (Cell::Id(id), _) => self.id(*id)?,
            }
        }
        Ok(())
    }
}
