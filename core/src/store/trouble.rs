//! Turns what a database says into what an operator can do about it: troubles of the machine, which pass, apart from
//! mistakes of ours, which do not.
//!
//! To add one: a variant of [`Trouble`] with its word, and the codes that mean it below.

use sqlx::error::DatabaseError as _;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use super::StoreError;

/// Why a database cannot do now what it could do before, and may do again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// There is no room on its disk, or it may not grow any more.
    Full,
    /// It can be read, but not written.
    ReadOnly,
    /// It is in use by others, or too slow, for longer than it is waited for.
    Busy,
    /// It cannot be reached, or its disk cannot be read or written.
    Unreachable,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Full, Self::ReadOnly, Self::Busy, Self::Unreachable];

    /// The word for it, in answers, logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Busy => "busy",
            Self::Unreachable => "unreachable",
        }
    }

    /// What it is, for people.
    pub fn told(self) -> &'static str {
        match self {
            Self::Full => "the database has no room left",
            Self::ReadOnly => "the database cannot be written",
            Self::Busy => "the database is too busy",
            Self::Unreachable => "the database cannot be reached",
        }
    }

    fn of_sqlite(error: &rusqlite::Error) -> Option<Self> {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code()? {
            ErrorCode::DiskFull => Some(Self::Full),
            ErrorCode::ReadOnly => Some(Self::ReadOnly),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(Self::Busy),
            ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => Some(Self::Unreachable),
            _ => None,
        }
    }

    fn of_sqlx(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::PoolTimedOut => Some(Self::Busy),
            // Who hangs up in the middle of a greeting says what makes no sense.
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Some(Self::Unreachable),
            sqlx::Error::Database(said) => match said.try_downcast_ref::<PgDatabaseError>() {
                Some(said) => Self::of_sqlstate(said.code()),
                None => Self::of_result_code(&said.try_downcast_ref::<SqliteError>()?.code()?),
            },
            _ => None,
        }
    }

    /// By PostgreSQL's error codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_sqlstate(code: &str) -> Option<Self> {
        match code {
            "53100" => Some(Self::Full),
            "25006" => Some(Self::ReadOnly),
            // Insufficient resources, a lock or a statement that took too long.
            "55P03" | "57014" => Some(Self::Busy),
            _ if code.starts_with("53") => Some(Self::Busy),
            // Shutting down, starting, and every connection exception; the disk.
            "57P01" | "57P02" | "57P03" | "58030" => Some(Self::Unreachable),
            _ if code.starts_with("08") => Some(Self::Unreachable),
            _ => None,
        }
    }

    /// By SQLite's result codes, of which the last byte says what kind of error it is.
    fn of_result_code(code: &str) -> Option<Self> {
        match code.parse::<i32>().ok()? & 0xff {
            5 | 6 => Some(Self::Busy),
            8 => Some(Self::ReadOnly),
            10 | 14 => Some(Self::Unreachable),
            13 => Some(Self::Full),
            _ => None,
        }
    }

    fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full,
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Unreachable,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match Trouble::of_sqlite(&error) {
            Some(trouble) => Self::unavailable(trouble, error),
            None => Self::Database(Box::new(error)),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match Trouble::of_sqlx(&error) {
            Some(trouble) => Self::unavailable(trouble, error),
            None => Self::Database(Box::new(error)),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::unavailable(Trouble::of_io(&error), error)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, OpenFlags};

    use super::{StoreError, Trouble};

    fn trouble(error: rusqlite::Error) -> Option<Trouble> {
        match StoreError::from(error) {
            StoreError::Unavailable { trouble, .. } => Some(trouble),
            _ => None,
        }
    }

    #[test]
    fn what_a_file_says_is_told_by_what_can_be_done_about_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let one = Connection::open(&path).unwrap();
        one.execute_batch("create table t (b); pragma max_page_count = 8").unwrap();
        let fill = "insert into t values (zeroblob(1 << 20))";
        assert_eq!(trouble(one.execute(fill, []).unwrap_err()), Some(Trouble::Full));

        one.execute_batch("begin immediate").unwrap();
        let other = Connection::open(&path).unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        assert_eq!(trouble(other.execute_batch("begin immediate").unwrap_err()), Some(Trouble::Busy));

        let reading = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        assert_eq!(trouble(reading.execute(fill, []).unwrap_err()), Some(Trouble::ReadOnly));
        let nowhere = Connection::open(folder.path().join("no/such.db")).unwrap_err();
        assert_eq!(trouble(nowhere), Some(Trouble::Unreachable));
        assert_eq!(trouble(reading.execute("insert into u values (1)", []).unwrap_err()), None, "a mistake of ours");
    }

    #[test]
    fn codes_are_told_by_what_can_be_done_about_them() {
        for (code, expected) in [
            ("53100", Some(Trouble::Full)),
            ("53300", Some(Trouble::Busy)),
            ("55P03", Some(Trouble::Busy)),
            ("25006", Some(Trouble::ReadOnly)),
            ("57P03", Some(Trouble::Unreachable)),
            ("08006", Some(Trouble::Unreachable)),
            ("23505", None),
        ] {
            assert_eq!(Trouble::of_sqlstate(code), expected, "{code}");
        }
        for (code, expected) in
            [("13", Some(Trouble::Full)), ("1032", Some(Trouble::ReadOnly)), ("261", Some(Trouble::Busy)), ("19", None)]
        {
            assert_eq!(Trouble::of_result_code(code), expected, "{code}");
        }
    }
}
