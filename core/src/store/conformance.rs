//! What every store must do, written against [`Store`] and [`Reader`] alone: each database runs the same tests.
//!
//! To run them on a further database: implement [`Database`] for it and name it in [`conformance!`].

mod administration;
mod archive;
mod backlog;
mod commits;
mod deliveries;
mod gone;
mod keep;
mod lists;
mod lookups;
mod pieces;
mod processes;
mod queue;
mod reads;
mod records;
mod sample;
mod schemas;
mod selections;
mod sends;
mod tallies;
mod waiting;

use async_trait::async_trait;

use super::postgres::{PostgresOptions, PostgresStore};
use super::sqlite::{SqliteOptions, SqliteStore};
use super::{Storage, StoreError};

/// Somewhere to keep data; empty at first.
#[async_trait]
trait Database: Send + Sync {
    /// Opens the store; what earlier stores kept here is there.
    async fn open(&self) -> Result<Box<dyn Storage>, StoreError>;

    /// A further one of the same kind; empty at first.
    fn another(&self) -> Box<dyn Database>;

    /// Changes what is stored behind the store's back.
    fn meddle(&self, sql: &str);

    /// How many rows a table has.
    fn count(&self, table: &str) -> i64;

    /// Tables and their columns with types, indexes and their columns; without order.
    fn shape(&self) -> Vec<String>;
}

/// A file in a temporary folder.
struct SqliteFile(tempfile::TempDir);

impl SqliteFile {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn connection(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.0.path().join("hub.db")).unwrap()
    }
}

#[async_trait]
impl Database for SqliteFile {
    async fn open(&self) -> Result<Box<dyn Storage>, StoreError> {
        let store = SqliteStore::open(&self.0.path().join("hub.db"), &SqliteOptions::default()).await?;
        Ok(Box::new(store))
    }

    fn another(&self) -> Box<dyn Database> {
        Box::new(Self::new())
    }

    fn meddle(&self, sql: &str) {
        self.connection().execute_batch(sql).unwrap();
    }

    fn count(&self, table: &str) -> i64 {
        let count = format!("select count(*) from {table}");
        self.connection().query_row(&count, [], |row| row.get(0)).unwrap()
    }

    fn shape(&self) -> Vec<String> {
        let connection = self.connection();
        let mut statement = connection
            .prepare(
                "select m.type || ' ' || m.name || ' ' || i.name || ' ' || i.type || ' ' || i.\"notnull\" \
                 from sqlite_schema m join pragma_table_info(m.name) i where m.type = 'table' \
                 union all select m.type || ' ' || m.name || ' ' || i.name from sqlite_schema m \
                 join pragma_index_info(m.name) i where m.type = 'index' order by 1",
            )
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}

/// A database of a server that lives as long as the tests.
struct PostgresDatabase(rollcall_test_cluster::Database);

impl PostgresDatabase {
    /// Connections of each store: tests run beside one another.
    const CONNECTIONS_MAX: u32 = 4;

    fn new() -> Self {
        Self(rollcall_test_cluster::Database::fresh())
    }
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn open(&self) -> Result<Box<dyn Storage>, StoreError> {
        let options = PostgresOptions { connections_max: Self::CONNECTIONS_MAX, ..PostgresOptions::default() };
        Ok(Box::new(PostgresStore::open(&self.0.url(), &options).await?))
    }

    fn another(&self) -> Box<dyn Database> {
        Box::new(Self::new())
    }

    fn meddle(&self, sql: &str) {
        self.0.execute(sql).unwrap();
    }

    fn count(&self, table: &str) -> i64 {
        self.0.texts(&format!("select count(*)::text from {table}")).unwrap()[0].parse().unwrap()
    }

    fn shape(&self) -> Vec<String> {
        let shape = "select 'table ' || c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) \
                     || ' ' || a.attnotnull || coalesce(' ' || l.collname, '') \
                     from pg_class c join pg_attribute a on a.attrelid = c.oid left join pg_collation l on l.oid = a.attcollation \
                     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 \
                     and not a.attisdropped \
                     union all select 'index ' || i.relname || ' ' || a.attname from pg_index x \
                     join pg_class i on i.oid = x.indexrelid join pg_attribute a on a.attrelid = i.oid \
                     where i.relnamespace = 'public'::regnamespace \
                     union all select 'trigger ' || tgname from pg_trigger where not tgisinternal order by 1";
        self.0.texts(shape).unwrap()
    }
}

/// Runs each of the named tests on every kind of database.
macro_rules! conformance {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(&crate::store::conformance::SqliteFile::new()).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(&crate::store::conformance::PostgresDatabase::new()).await;
                }
            )+
        }
    };
}
use conformance;
