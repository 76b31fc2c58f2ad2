//! Turns a database, beside whoever is using it, into one file that holds one state of it; and such a file back into a
//! database.
//!
//! `vacuum into` reads on one snapshot, so that writers go on meanwhile; what it writes has no free pages, and so nothing
//! that was deleted before. (SQLite's backup interface begins anew whenever another process writes, and copies free pages.)

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::writer::Transaction;
use super::{BUSY_TIMEOUT, MIGRATIONS, erase};
use crate::store::StoreError;
use crate::store::keep::Erasure;

/// How often is told how far a backup is.
const TOLD_EACH: Duration = Duration::from_millis(200);

/// What SQLite keeps beside a database while it is used.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Why there is no backup, or nothing was restored from one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file is in the way.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// There is nothing to back up or restore from.
    #[error("there is no database at {}", .0.display())]
    Missing(PathBuf),
    /// A server uses the database that is to be replaced.
    #[error("the database {} is being used; stop whoever does", .0.display())]
    Used(PathBuf),
    /// The file is damaged, or none of ours.
    #[error("{} is no sound backup: {reason}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("failed to write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database said no.
    #[error("the database failed")]
    Database(#[from] rusqlite::Error),
}

/// Writes the state of `database` to `file`, which must not be there, and checks it; tells now and then how many bytes of
/// how many are written. Nothing called `file` is there before it is whole.
pub fn backup(database: &Path, file: &Path, told: &(dyn Fn(u64, u64) + Sync)) -> Result<u64, BackupError> {
    if !database.is_file() {
        return Err(BackupError::Missing(database.to_owned()));
    }
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let part = beside(file, ".part");
    remove(&part)?;
    let failed = |source| BackupError::File { path: part.clone(), source };
    private(&part).map_err(failed)?;
    let written = write(database, &part, told).and_then(|()| check(&part));
    if let Err(error) = written {
        drop(remove(&part));
        return Err(error);
    }
    let open = File::open(&part).map_err(failed)?;
    open.sync_all().map_err(failed)?;
    let bytes = open.metadata().map_err(failed)?.len();
    rename(&part, file)?;
    Ok(bytes)
}

fn write(database: &Path, part: &Path, told: &(dyn Fn(u64, u64) + Sync)) -> Result<(), BackupError> {
    let source = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.busy_timeout(BUSY_TIMEOUT)?;
    let pages: i64 = source.query_row("pragma page_count", [], |row| row.get(0))?;
    let page: i64 = source.query_row("pragma page_size", [], |row| row.get(0))?;
    let whole = pages.saturating_mul(page).unsigned_abs();
    let name = part.to_str().ok_or_else(|| BackupError::File {
        path: part.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"),
    })?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let telling = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                told(fs::metadata(part).map_or(0, |file| file.len()), whole);
                thread::park_timeout(TOLD_EACH);
            }
        });
        let written = source.execute("vacuum into ?1", [name]);
        done.store(true, Ordering::Release);
        telling.thread().unpark();
        written.map(drop).map_err(BackupError::from)
    })
}

/// Whether a file is a whole database of ours, and of no newer version.
pub fn check(file: &Path) -> Result<(), BackupError> {
    if !file.is_file() {
        return Err(BackupError::Missing(file.to_owned()));
    }
    let unsound = |reason: String| BackupError::Unsound { path: file.to_owned(), reason };
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    let sound = text("pragma integrity_check").map_err(|error| unsound(error.to_string()))?;
    if sound != "ok" {
        return Err(unsound(sound));
    }
    let version = connection
        .query_row("select max(version) from _sqlx_migrations where success", [], |row| row.get::<_, Option<i64>>(0));
    match version {
        Ok(Some(version)) if usize::try_from(version).is_ok_and(|version| version <= MIGRATIONS.len()) => Ok(()),
        Ok(Some(version)) => Err(unsound(format!("it has migration {version}, which this version does not know"))),
        Ok(None) | Err(_) => Err(unsound("it was not written by rollcall".to_owned())),
    }
}

/// Puts what `file` holds in the place of `database`; an existing one only with `replace`, and only while nobody uses it.
/// `prepare` is called with the new database before it takes the place of the old one.
pub fn restore<E: From<BackupError>>(
    file: &Path,
    database: &Path,
    replace: bool,
    prepare: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    check(file)?;
    if database.exists() && !replace {
        return Err(BackupError::Exists(database.to_owned()).into());
    }
    let held = database.exists().then(|| alone(database)).transpose()?;
    let part = beside(database, ".restoring");
    for old in COMPANIONS.iter().map(|companion| beside(&part, companion)).chain([part.clone()]) {
        remove(&old)?;
    }
    let failed = |source| BackupError::File { path: part.clone(), source };
    let mut target = private(&part).map_err(failed)?;
    let mut source = File::open(file).map_err(|source| BackupError::File { path: file.to_owned(), source })?;
    io::copy(&mut source, &mut target).map_err(failed)?;
    prepare(&part)?;
    target.sync_all().map_err(failed)?;
    drop(held);
    for companion in COMPANIONS {
        remove(&beside(database, companion))?;
        remove(&beside(&part, companion))?;
    }
    Ok(rename(&part, database)?)
}

/// Who was erased from a database; nobody, where it was written before anybody could be.
pub fn erasures(database: &Path) -> Result<Vec<Erasure>, BackupError> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if !connection.table_exists(None, "erasure")? {
        return Ok(Vec::new());
    }
    let transaction = connection.unchecked_transaction()?;
    let unsound = |error: StoreError| BackupError::Unsound { path: database.to_owned(), reason: error.to_string() };
    erase::all(&Transaction::of(&transaction)).map_err(unsound)
}

/// The database, as long as nobody else may use it.
fn alone(database: &Path) -> Result<Connection, BackupError> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    match connection.execute_batch("begin exclusive; commit") {
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::DatabaseBusy => {
            Err(BackupError::Used(database.to_owned()))
        }
        // What is damaged may be replaced.
        _ => Ok(connection),
    }
}

/// A new file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(ending);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Renames a file such that it is so after a power cut too.
fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::File { path: to.to_owned(), source };
    fs::rename(from, to).map_err(failed)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use rusqlite::Connection;

    use super::{BackupError, backup, restore};
    use crate::store::sqlite::{SqliteOptions, SqliteStore};

    const QUIET: &(dyn Fn(u64, u64) + Sync) = &|_, _| {};

    async fn store(path: &Path) -> SqliteStore {
        SqliteStore::open(path, &SqliteOptions::default()).await.unwrap()
    }

    fn tenants(path: &Path) -> i64 {
        let database = Connection::open(path).unwrap();
        database.query_row("select count(*) from tenant", [], |row| row.get(0)).unwrap()
    }

    #[tokio::test]
    async fn a_backup_holds_one_state_while_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = (folder.path().join("hub.db"), folder.path().join("backup.db"));
        let store = store(&path).await;
        let (done, begun) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                // Two rows at a time: a state with an odd number was never there.
                let mut nth = 0;
                while !done.load(Ordering::Acquire) {
                    let sql = format!("insert into tenant (name) values ('a{nth}'), ('b{nth}')");
                    store
                        .writer
                        .write(super::super::Durability::Normal, |database| Ok(database.execute_batch(&sql)?))
                        .unwrap();
                    nth += 1;
                    begun.store(nth > 10, Ordering::Release);
                }
            });
            while !begun.load(Ordering::Acquire) {
                thread::yield_now();
            }
            for nth in 0..5 {
                backup(&path, &file.with_extension(nth.to_string()), QUIET).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        let counts: Vec<_> = (0..5).map(|nth| tenants(&file.with_extension(nth.to_string()))).collect();
        assert!(counts.is_sorted() && counts[0] >= 20, "{counts:?}");
        assert!(counts.iter().all(|count| count % 2 == 0), "{counts:?}");
    }

    #[tokio::test]
    async fn a_backup_never_writes_over_anything_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = (folder.path().join("hub.db"), folder.path().join("backup.db"));
        assert!(matches!(backup(&path, &file, QUIET), Err(BackupError::Missing(_))));
        store(&path).await.close().await;
        backup(&path, &file, QUIET).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(backup(&path, &file, QUIET), Err(BackupError::Exists(_))));
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().contains("part")), "{names:?}");
    }

    #[tokio::test]
    async fn a_database_is_replaced_only_where_that_is_asked_for_and_nobody_uses_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = (folder.path().join("hub.db"), folder.path().join("backup.db"));
        let store_of_two = store(&path).await;
        backup(&path, &file, QUIET).unwrap();
        let write = "insert into tenant (name) values ('later')";
        store_of_two.writer.write(super::super::Durability::Normal, |it| Ok(it.execute_batch(write)?)).unwrap();
        let restored = |replace| restore::<BackupError>(&file, &path, replace, |_| Ok(()));
        assert!(matches!(restored(false), Err(BackupError::Exists(_))));
        assert!(matches!(restored(true), Err(BackupError::Used(_))));
        assert_eq!(tenants(&path), 1);
        store_of_two.close().await;
        restored(true).unwrap();
        assert_eq!(tenants(&path), 0);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        restore::<BackupError>(&file, &folder.path().join("new.db"), false, |_| Ok(())).unwrap();
    }

    #[test]
    fn what_is_damaged_or_not_ours_is_not_restored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup.db");
        let restored = || restore::<BackupError>(&file, &folder.path().join("hub.db"), true, |_| Ok(()));
        assert!(matches!(restored(), Err(BackupError::Missing(_))));
        fs::write(&file, "no database at all, but long enough to look at").unwrap();
        assert!(matches!(restored(), Err(BackupError::Unsound { .. })));
        fs::remove_file(&file).unwrap();
        Connection::open(&file).unwrap().execute_batch("create table t (a)").unwrap();
        let Err(BackupError::Unsound { reason, .. }) = restored() else { panic!("it was restored") };
        assert!(reason.contains("not written by rollcall"), "{reason}");
        let newer = "create table _sqlx_migrations (version integer, success boolean); \
                     insert into _sqlx_migrations values (999, true)";
        Connection::open(&file).unwrap().execute_batch(newer).unwrap();
        let Err(BackupError::Unsound { reason, .. }) = restored() else { panic!("it was restored") };
        assert!(reason.contains("migration 999"), "{reason}");
        assert!(!folder.path().join("hub.db").exists());
    }
}
