//! Turns `database_url` into a store. Which one follows from what the URL begins with.
//!
//! To add a database: one more arm in [`open`], its options in [`Config`], and its name in the conformance tests.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use rollcall_core::store::postgres::PostgresStore;
use rollcall_core::store::sqlite::SqliteStore;
use rollcall_core::store::{Storage, StoreError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Config;

/// Where everything is kept: `sqlite:<file>` or `postgres://<user>@<host>/<database>`. It may hold a password, so that no
/// log and no error shows it.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl DatabaseUrl {
    /// The file, where everything is kept in one.
    pub fn file(&self) -> Option<&Path> {
        let path = self.0.strip_prefix("sqlite:")?;
        Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
    }
}

impl FromStr for DatabaseUrl {
    type Err = std::convert::Infallible;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split(':').next().filter(|scheme| ["sqlite", "postgres", "postgresql"].contains(scheme));
        write!(formatter, "DatabaseUrl({}…)", scheme.unwrap_or_default())
    }
}

/// Why the database is not there.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is no store for databases of its kind.
    #[error("`database_url` must start with `sqlite:` or `postgres:`")]
    Unknown,
    /// It cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the database of `config`.
pub async fn open(config: &Config) -> Result<Arc<dyn Storage>, DatabaseError> {
    let url = config.database_url.0.as_str();
    if let Some(file) = config.database_url.file() {
        return Ok(Arc::new(SqliteStore::open(file, &config.sqlite).await?));
    }
    match url.split_once(':') {
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(PostgresStore::open(url, &config.postgres).await?)),
        _ => Err(DatabaseError::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::{DatabaseError, DatabaseUrl, open};
    use crate::config::Config;

    const URLS: [&str; 4] = [
        "postgres://hub:hunter2@localhost:none/hub",
        "postgres://hub:hunter2@127.0.0.1:1/hub?sslmode=disable",
        "mysql://hub:hunter2@localhost/hub",
        "hunter2",
    ];

    #[tokio::test]
    async fn a_database_that_is_not_there_is_told_without_its_password() {
        for url in URLS {
            let mut config = Config { database_url: DatabaseUrl::from(url.to_owned()), ..Config::default() };
            config.postgres.acquire_timeout_ms = 100;
            let error = open(&config).await.err().unwrap();
            let told = format!("{config:?} {:?}", anyhow::Error::from(error));
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[tokio::test]
    async fn what_kinds_of_database_there_are_is_said() {
        let config =
            Config { database_url: DatabaseUrl::from("mysql://hub@localhost/hub".to_owned()), ..Config::default() };
        assert!(matches!(open(&config).await, Err(DatabaseError::Unknown)));
    }

    #[tokio::test]
    async fn postgresql_is_opened() {
        let database = rollcall_test_cluster::Database::fresh();
        let config = Config { database_url: DatabaseUrl::from(database.url()), ..Config::default() };
        open(&config).await.unwrap().ping().await.unwrap();
    }
}
