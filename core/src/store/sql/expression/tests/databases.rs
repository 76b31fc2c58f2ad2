//! Databases that keep the records of these tests, each case's in a connection of its own.

use std::fmt::Write as _;

use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use serde_json::Value;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tokio::runtime::Runtime;

use super::Stored;
use crate::description::{Partner, RecordType};
use crate::store::postgres::asked;
use crate::store::sql::parts::{Bound, Whose};
use crate::store::sql::{Dialect, Holds, Postgres, Question, Sql, Sqlite, create, items, quoted};
use crate::table::{Column, ColumnForm};

/// Keeps records, and is asked of them.
pub(super) trait Database {
    fn dialect(&self) -> &'static dyn Dialect;

    fn whose(&self, connection: i64) -> Whose;

    /// Runs statements that are made of literals.
    fn run(&mut self, sql: String);

    /// What a question with one column of a form gives.
    fn asked(&mut self, question: &Question, form: ColumnForm) -> Vec<Value>;

    /// Makes the tables of a partner's records.
    fn prepare(&mut self, partner: &Partner) {
        let dialect = self.dialect();
        let text = |sql: Sql| sql.to_string();
        for record in &partner.records {
            self.run(text(create(dialect, Holds::Records, &record.table)));
            for member in record.indexes.iter().flatten() {
                self.run(text(items(&record.table, member).unwrap().create(dialect)));
            }
        }
    }

    /// Keeps records in a connection.
    fn keep(&mut self, partner: &Partner, stored: &Stored, connection: i64) {
        for (record, rows) in partner.records.iter().zip(&stored.0) {
            let rows: Vec<_> = (0..).zip(rows).map(|(nth, row)| self.row(record, connection, nth, row)).collect();
            if !rows.is_empty() {
                self.run(format!("{} values {}", self.insert(record), rows.join(", ")));
            }
        }
    }

    fn insert(&self, record: &RecordType) -> String {
        let whose = self.dialect().whose().join(", ");
        let mut statement =
            format!("insert into {} ({whose}, _id, _key, _delivery, _ancestors", quoted(&record.table.name));
        for column in &record.table.columns {
            write!(statement, ", {}", quoted(&column.name)).unwrap();
        }
        statement + ")"
    }

    fn row(&self, record: &RecordType, connection: i64, nth: usize, row: &serde_json::Map<String, Value>) -> String {
        let Whose { tenant, connection } = self.whose(connection);
        let numbers: Vec<_> = tenant.into_iter().chain([connection]).map(|number| number.to_string()).collect();
        let mut values = format!("({}, {nth}, '[{}]', {}, '{{}}'", numbers.join(", "), row["id"], self.delivery());
        for column in &record.table.columns {
            write!(values, ", {}", self.literal(column, row.get(&column.property).unwrap_or_default())).unwrap();
        }
        values + ")"
    }

    fn delivery(&self) -> &'static str;

    fn literal(&self, column: &Column, value: &Value) -> String {
        match (column.form, value) {
            (_, Value::Null) => "null".to_owned(),
            (_, Value::Bool(boolean)) => self.dialect().boolean(*boolean).to_owned(),
            (ColumnForm::Integer, value) => value.to_string(),
            (ColumnForm::Text, Value::String(text)) => literal(text),
            (_, value) => literal(&value.to_string()),
        }
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// SQLite, in memory.
pub(super) struct SqliteMemory(Connection);

impl SqliteMemory {
    pub(super) fn new(partner: &Partner) -> Self {
        let mut database = Self(Connection::open_in_memory().unwrap());
        database.prepare(partner);
        database
    }
}

impl Database for SqliteMemory {
    fn dialect(&self) -> &'static dyn Dialect {
        &Sqlite
    }

    fn whose(&self, connection: i64) -> Whose {
        Whose { tenant: None, connection }
    }

    fn run(&mut self, sql: String) {
        self.0.execute_batch(&sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    fn asked(&mut self, question: &Question, form: ColumnForm) -> Vec<Value> {
        let sql = &*question.sql;
        let mut statement = self.0.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        let rows = statement.query_map(params_from_iter(&question.bound), |row| Ok(cell(row.get_ref(0)?, form)));
        rows.unwrap().map(|row| row.unwrap_or_else(|error| panic!("{error}: {sql}"))).collect()
    }

    fn delivery(&self) -> &'static str {
        "x''"
    }
}

impl ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Integer(integer) => ToSqlOutput::Owned(Cell::Integer(*integer)),
            Self::Boolean(boolean) => ToSqlOutput::Owned(Cell::Integer((*boolean).into())),
            Self::Real(real) => ToSqlOutput::Owned(Cell::Real(*real)),
            Self::Id(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
            Self::Json(json) => ToSqlOutput::Owned(Cell::Text(json.to_string())),
        })
    }
}

fn cell(cell: ValueRef<'_>, form: ColumnForm) -> Value {
    match (cell, form) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Integer(integer), ColumnForm::Boolean) => Value::Bool(integer != 0),
        (ValueRef::Integer(integer), ColumnForm::Integer) => integer.into(),
        (ValueRef::Text(text), ColumnForm::Text) => String::from_utf8(text.to_vec()).unwrap().into(),
        (ValueRef::Text(text), ColumnForm::Number | ColumnForm::Json) => serde_json::from_slice(text).unwrap(),
        (cell, form) => panic!("{cell:?} in a column of {form:?}"),
    }
}

/// A database of the server of the tests.
pub(super) struct PostgresDatabase {
    connection: PgConnection,
    runtime: Runtime,
    _database: rollcall_test_cluster::Database,
}

/// The number of the tenant.
const TENANT: i64 = 3;

impl PostgresDatabase {
    pub(super) fn new(partner: &Partner) -> Self {
        let database = rollcall_test_cluster::Database::fresh();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(PgConnection::connect(&database.url())).unwrap();
        let mut prepared = Self { connection, runtime, _database: database };
        prepared.prepare(partner);
        prepared
    }
}

impl Database for PostgresDatabase {
    fn dialect(&self) -> &'static dyn Dialect {
        &Postgres
    }

    fn whose(&self, connection: i64) -> Whose {
        Whose { tenant: Some(TENANT), connection }
    }

    fn run(&mut self, sql: String) {
        let ran = self.runtime.block_on(self.connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone()))));
        ran.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    fn asked(&mut self, question: &Question, form: ColumnForm) -> Vec<Value> {
        let rows = self.runtime.block_on(asked(question).persistent(false).fetch_all(&mut self.connection));
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {}", &*question.sql));
        rows.iter().map(|row| said(row, form).unwrap_or_else(|error| panic!("{error}: {}", &*question.sql))).collect()
    }

    fn delivery(&self) -> &'static str {
        "'00000000-0000-0000-0000-000000000000'"
    }
}

fn said(row: &PgRow, form: ColumnForm) -> sqlx::Result<Value> {
    Ok(match form {
        ColumnForm::Boolean => row.try_get::<Option<bool>, _>(0)?.into(),
        ColumnForm::Integer => row.try_get::<Option<i64>, _>(0)?.into(),
        ColumnForm::Number | ColumnForm::Json => {
            let text = row.try_get::<Option<&str>, _>(0)?;
            text.map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
        }
        ColumnForm::Text | ColumnForm::Id => row.try_get::<Option<String>, _>(0)?.into(),
    })
}
