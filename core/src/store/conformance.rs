//! What every store must do, written against [`Store`] and [`Reader`] alone: each database runs the same tests.
//!
//! To run them on a further database: implement [`Database`] for it and name it in [`conformance!`].

mod commits;
mod deliveries;
mod gone;
mod lists;
mod lookups;
mod processes;
mod queue;
mod reads;
mod records;
mod sample;
mod schemas;
mod selections;
mod sends;
mod waiting;

use async_trait::async_trait;

use super::sqlite::{SqliteOptions, SqliteStore};
use super::{Storage, StoreError};

/// Somewhere to keep data; empty at first.
#[async_trait]
trait Database: Send + Sync {
    /// Opens the store; what earlier stores kept here is there.
    async fn open(&self) -> Result<Box<dyn Storage>, StoreError>;

    /// Changes what is stored behind the store's back.
    fn meddle(&self, sql: &str);

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

    fn meddle(&self, sql: &str) {
        self.connection().execute_batch(sql).unwrap();
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
    };
}
use conformance;
