//! Turns numbered files of statements into a database that has all of them, and tells apart why one cannot.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::StoreError;

/// Name and statements of a migration. They are numbered from 1, oldest first, and never changed.
pub(super) type File = (&'static str, &'static str);

/// What runs those of `files` that a database does not have yet.
pub(super) fn migrator(files: &[File]) -> Migrator {
    let migrations = (1..).zip(files).map(|(version, (name, sql))| {
        Migration::new(version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Why a database cannot be brought up to date.
pub(super) fn refused(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Inconsistent(format!(
            "the database was written by a newer version of rollcall: it has migration {version}, which this one \
             does not know"
        )),
        MigrateError::VersionMismatch(version) => StoreError::Inconsistent(format!(
            "migration {version} of the database is not the one that this version of rollcall knows"
        )),
        other => StoreError::Database(Box::new(other)),
    }
}
