//! The database of a site, behind the server's back, whatever kind it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// What can hold a site's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file in the site's folder.
    Sqlite,
    /// A database of its own in a PostgreSQL server.
    Postgres,
}

/// A site's database. It goes with this value.
#[derive(Debug)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A database in a server.
    Postgres(rollcall_test_cluster::Database),
}

/// Every table with its rows, as texts.
pub type Dump = BTreeMap<String, Vec<String>>;

/// The tables that tell what processes are at, which changes while nothing happens.
const PROCESSES: [&str; 2] = ["claim", "process"];

impl Database {
    /// An empty one; what needs a place is in `folder`.
    pub fn new(kind: Kind, folder: &Path) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(folder.join("rollcall.db")),
            Kind::Postgres => Self::Postgres(rollcall_test_cluster::Database::fresh()),
        }
    }

    /// Its URL, for a configuration.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(database) => database.url(),
        }
    }

    /// Changes what is stored.
    pub fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(path) => open(path).execute_batch(sql).expect("the statement is right"),
            Self::Postgres(database) => database.execute(sql).expect("the statement is right"),
        }
    }

    /// What a statement gives that asks for one text.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(path) => {
                let connection = open(path);
                let mut statement = connection.prepare(sql).expect("the statement is right");
                let rows = statement.query_map([], |row| row.get(0)).expect("the statement is right");
                rows.collect::<Result<_, _>>().expect("the statement gives texts")
            }
            Self::Postgres(database) => database.texts(sql).expect("the statement is right"),
        }
    }

    /// Every row of every table, but for what processes tell each other.
    pub fn dump(&self) -> Dump {
        let mut dump = Dump::new();
        let mut rows = Vec::new();
        for table in self.tables() {
            if !PROCESSES.contains(&table.as_str()) {
                rows.push(self.rows_of(&table));
                dump.insert(table, Vec::new());
            }
        }
        // One question, so that it is one state that is told of.
        for row in self.texts(&rows.join(" union all ")) {
            let (table, row) = row.split_once('|').expect("it was put in front");
            dump.entry(table.to_owned()).or_default().push(row.to_owned());
        }
        for rows in dump.values_mut() {
            rows.sort();
        }
        dump
    }

    fn tables(&self) -> Vec<String> {
        self.texts(match self {
            Self::Sqlite(_) => "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'",
            Self::Postgres(_) => "select tablename::text from pg_tables where schemaname = 'public'",
        })
    }

    /// The question for a table's rows, each with the table's name in front.
    fn rows_of(&self, table: &str) -> String {
        match self {
            Self::Postgres(_) => format!("select '{table}|' || t::text from \"{table}\" t"),
            Self::Sqlite(_) => {
                let columns =
                    self.texts(&format!("select 'quote(\"' || name || '\")' from pragma_table_info('{table}')"));
                format!("select '{table}|' || {} from \"{table}\"", columns.join(" || '|' || "))
            }
        }
    }

    /// Whether the database itself finds nothing wrong with it.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Sqlite(_) => self.texts("pragma integrity_check") == ["ok"],
            Self::Postgres(_) => true, // it says so itself, or does not start
        }
    }
}

fn open(path: &Path) -> Connection {
    Connection::open(path).expect("the folder is ours")
}
