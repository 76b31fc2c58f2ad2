//! A database of its own for each test.

use std::env;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use crate::cluster::{Cluster, Settings};

/// Where databases are made: in a server that was started here, or in one that was named.
#[derive(Debug)]
enum Server {
    Started(Cluster),
    Named(String),
}

impl Server {
    /// The one of this process.
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| match env::var("ROLLCALL_TEST_POSTGRES") {
            Ok(url) => Self::Named(url),
            // Nothing here pulls the plug of the machine.
            Err(_) => match Cluster::start(&Settings { fsync: false, ..Settings::default() }) {
                Ok(cluster) => Self::Started(cluster),
                Err(error) => panic!("no PostgreSQL for tests: {error}"),
            },
        })
    }

    fn url(&self, database: Option<&str>) -> String {
        match (self, database) {
            (Self::Started(cluster), database) => cluster.url(database.unwrap_or("postgres")),
            (Self::Named(url), None) => url.clone(),
            (Self::Named(url), Some(database)) => with_database(url, database),
        }
    }
}

/// `url` with another database's name.
fn with_database(url: &str, database: &str) -> String {
    let (before, parameters) = url.split_once('?').map_or((url, None), |(before, after)| (before, Some(after)));
    let server = before.find("://").map_or(0, |at| at + 3);
    let end = before[server..].find('/').map_or(before.len(), |at| server + at);
    let parameters = parameters.map(|parameters| format!("?{parameters}")).unwrap_or_default();
    format!("{}/{database}{parameters}", &before[..end])
}

/// An empty database. It is dropped with this value, whoever is connected.
#[derive(Debug)]
pub struct Database {
    /// Where such are made and dropped.
    maintenance: String,
    url: String,
    name: String,
}

impl Database {
    /// Makes one.
    ///
    /// # Panics
    ///
    /// Where there is no server to make it in.
    pub fn fresh() -> Self {
        Self::fresh_with("")
    }

    /// Makes one whose texts are ordered as ICU orders them, where nothing says otherwise, and not by their bytes.
    ///
    /// # Panics
    ///
    /// Where there is no server to make it in.
    pub fn fresh_in_natural_order() -> Self {
        Self::fresh_with("locale_provider icu icu_locale 'und' locale 'C' encoding 'UTF8'")
    }

    fn fresh_with(options: &str) -> Self {
        let server = Server::shared();
        match Self::made(server.url(None), options, |name| server.url(Some(name))) {
            Ok(database) => database,
            Err(error) => panic!("no database for a test: {error}"),
        }
    }

    /// Makes one where `maintenance` leads to.
    pub(crate) fn made(maintenance: String, options: &str, url: impl FnOnce(&str) -> String) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static RUN: LazyLock<u64> = LazyLock::new(|| fastrand::u64(..));
        let name = format!("rollcall_test_{:x}_{}", *RUN, COUNT.fetch_add(1, Ordering::Relaxed));
        execute(maintenance.clone(), format!("create database {name} template template0 {options}"))?;
        Ok(Self { maintenance, url: url(&name), name })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Runs statements in it, as its owner.
    pub fn execute(&self, sql: &str) -> io::Result<()> {
        execute(self.url(), sql.to_owned())
    }

    /// What a statement gives that asks for one text column.
    pub fn texts(&self, sql: &str) -> io::Result<Vec<String>> {
        let (url, sql) = (self.url(), sql.to_owned());
        blocking(async move {
            let mut connection = connect(&url).await?;
            let rows = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
            connection.close().await?;
            Ok(rows)
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Where the server is gone already, so is the database.
        _ = execute(self.maintenance.clone(), format!("drop database if exists {} with (force)", self.name));
    }
}

fn execute(url: String, sql: String) -> io::Result<()> {
    blocking(async move {
        let mut connection = connect(&url).await?;
        connection.execute(AssertSqlSafe(sql)).await?;
        connection.close().await
    })
}

async fn connect(url: &str) -> sqlx::Result<PgConnection> {
    url.parse::<PgConnectOptions>()?.connect().await
}

/// Waits for `work` on a thread of its own, so that tests may call this from wherever they are.
fn blocking<T: Send + 'static>(work: impl Future<Output = sqlx::Result<T>> + Send + 'static) -> io::Result<T> {
    let worker = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work).map_err(io::Error::other)
    });
    worker.join().unwrap_or_else(|_| Err(io::Error::other("the thread of a test's database ended")))
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn a_named_server_keeps_its_parameters() {
        for (url, expected) in [
            ("postgres://me@host/old?sslmode=require", "postgres://me@host/new?sslmode=require"),
            ("postgres://me@host", "postgres://me@host/new"),
            ("postgres://me:a%2Fb@host:5/", "postgres://me:a%2Fb@host:5/new"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
