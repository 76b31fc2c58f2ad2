//! Turns a file into a [`Store`]: SQLite in WAL mode, one process, one writer.
//!
//! Two libraries share one SQLite. `sqlx` migrates and serves readers from a pool; what a delivery costs (receiving,
//! planning's look-ups, committing) goes through one `rusqlite` connection whose cached statements take about a
//! microsecond per row, an order of magnitude less than a channel hop per row. A mutex makes that connection the only
//! writer, so that nothing ever waits for SQLite's own lock. For the same reason the records that clients choose are
//! read through `rusqlite` connections of their own, see `readers`.
//!
//! To add a table that does not follow from a schema: add the next file to `migrations/sqlite` and name it in
//! [`MIGRATIONS`].

mod administration;
mod ahead;
mod analysis;
mod archive;
mod backlog;
pub mod backup;
mod checkpoint;
mod commit;
mod delivery;
mod disk;
mod entry;
mod erase;
mod gone;
mod held;
mod keep;
mod log;
mod lookup;
mod number;
mod prepare;
mod process;
mod prune;
mod queue;
mod reader;
mod readers;
mod receiving;
mod rows;
mod select;
mod send;
mod tally;
mod waiting;
mod writer;

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use tokio::sync::broadcast;
use uuid::Uuid;

use self::delivery::Kept;
use self::readers::Readers;
use self::receiving::Receiving;
use self::rows::whose;
use self::writer::{Transaction, Writer};
use super::administration::Administration;
use super::archive::Archive;
use super::keep::Keeper;
use super::read::Reader;
use super::sql::{Sqlite, Wanted};
use super::tally::Tallies;
use super::{
    Attempt, Commit, Connection, ConnectionName, DueSend, Finish, Gone, Held, HeldEntity, HeldRecord, Matching, Queue,
    Queued, RecordId, SendClaim, SendOutcome, Signal, Store, StoreError, Values, migration,
};
use crate::canonical::{Canonical, KindId};
use crate::delivery::{Entry, Received, Report};
use crate::description::{Partner, RecordTypeId, Selection};
use crate::table::Column;

/// What is ours whatever the schemas say, oldest first: name and statements.
const MIGRATIONS: [(&str, &str); 11] = [
    ("hub", include_str!("../../migrations/sqlite/0001_hub.sql")),
    ("queue", include_str!("../../migrations/sqlite/0002_queue.sql")),
    ("number", include_str!("../../migrations/sqlite/0003_number.sql")),
    ("send", include_str!("../../migrations/sqlite/0004_send.sql")),
    ("process", include_str!("../../migrations/sqlite/0005_process.sql")),
    ("keep", include_str!("../../migrations/sqlite/0006_keep.sql")),
    ("administration", include_str!("../../migrations/sqlite/0007_administration.sql")),
    ("call", include_str!("../../migrations/sqlite/0008_call.sql")),
    ("aside", include_str!("../../migrations/sqlite/0009_aside.sql")),
    ("reader", include_str!("../../migrations/sqlite/0010_reader.sql")),
    ("tally", include_str!("../../migrations/sqlite/0011_tally.sql")),
];

/// Bytes of a page. Rows with JSON in them are large; fewer, larger pages are fewer writes.
const PAGE_BYTES: u32 = 16 << 10;

/// Signals that wait for who listens slowly; who misses some looks by itself soon enough.
const SIGNALS_MAX: usize = 16;

/// How long a connection that does not write waits for others, which only happens while the file is being recovered.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How a [`SqliteStore`] is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteOptions {
    /// What survives a power cut.
    pub durability: Durability,
    /// Connections that serve readers at the same time, of each of two kinds: for records that clients choose, and for
    /// everything else.
    pub readers_max: u32,
    /// Deliveries that are received at the same time and share a transaction and a wait for the disk.
    pub commit_deliveries_max: usize,
    /// Bytes of bodies, compressed, that do.
    pub commit_bytes_max: usize,
    /// Bytes that the file may grow to, so that it leaves room on its disk for others; without it, as large as it can. Then
    /// nothing more is taken until there is room again.
    pub file_bytes_max: Option<u64>,
    /// Milliseconds that is waited for another process that is writing to the file.
    pub busy_milliseconds_max: u64,
}

/// What survives a power cut. The end of the process alone, `kill -9` included, never loses anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Whatever was answered: each new body and each commit waits for the disk.
    #[default]
    Full,
    /// What was answered up to a moment before: the disk is waited for only now and then.
    Normal,
}

impl SqliteOptions {
    /// How long the one who writes waits for a second process that does.
    fn patience(&self) -> Duration {
        Duration::from_millis(self.busy_milliseconds_max)
    }

    /// Pages that the file may have.
    fn pages_max(&self) -> Option<i64> {
        self.file_bytes_max.and_then(|bytes| i64::try_from(bytes / u64::from(PAGE_BYTES)).ok())
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            readers_max: 4,
            commit_deliveries_max: 256,
            commit_bytes_max: 8 << 20,
            file_bytes_max: None,
            busy_milliseconds_max: 10_000,
        }
    }
}

/// Everything in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    /// Read what selections choose.
    selecting: Readers,
    writer: Arc<Writer>,
    receiving: Receiving,
    /// Read everything else.
    readers: SqlitePool,
    /// What this store works for, once it has joined.
    process: OnceLock<Uuid>,
    signals: broadcast::Sender<Signal>,
}

impl SqliteStore {
    /// Opens the file at `path`, made if there is none (readable by its owner only), and brings it up to date.
    /// Refuses a file that a newer version wrote.
    pub async fn open(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        create_private(path)?;
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .page_size(PAGE_BYTES)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(false)
            .busy_timeout(BUSY_TIMEOUT);
        migrate(&connect).await?;
        let writer = Arc::new(Writer::open(path, options)?);
        let receiving = Receiving::start(Arc::clone(&writer), options)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers_max)
            .connect_with(connect.pragma("query_only", "on"))
            .await?;
        let selecting = Readers::new(path, options.readers_max, writer.analysed());
        Ok(Self {
            selecting,
            writer,
            receiving,
            readers,
            process: OnceLock::new(),
            signals: broadcast::Sender::new(SIGNALS_MAX),
        })
    }

    /// The process that this store works for.
    fn process(&self) -> Option<Uuid> {
        self.process.get().copied()
    }

    /// Lets go of the file; whatever is asked afterwards fails.
    pub async fn close(self) {
        self.readers.close().await;
    }
}

/// Makes the file, if there is none, before SQLite does, and takes it from others who may read it: what SQLite makes beside
/// it gets the same permissions.
fn create_private(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let permissions = file.metadata()?.permissions();
    let of_others = permissions.mode() & 0o077;
    if of_others == 0 {
        return Ok(());
    }
    tracing::warn!("the database could be read by others; from now on it cannot");
    for companion in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(companion);
        match fs::set_permissions(&name, Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn migrate(connect: &SqliteConnectOptions) -> Result<(), StoreError> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(connect.clone()).await?;
    let migrated = migration::migrator(&MIGRATIONS).run(&pool).await;
    pool.close().await;
    migrated.map_err(migration::refused)
}

#[async_trait]
impl Store for SqliteStore {
    fn keeper(&self) -> &dyn Keeper {
        self
    }

    fn administration(&self) -> &dyn Administration {
        self
    }

    fn reader(&self) -> &dyn Reader {
        self
    }

    fn archive(&self) -> &dyn Archive {
        self
    }

    fn tallies(&self) -> &dyn Tallies {
        self
    }

    async fn prepare_canonical(&self, canonical: &Canonical) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |transaction| prepare::canonical(transaction, canonical))
    }

    async fn prepare_partner(&self, partner: &Partner) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |transaction| prepare::partner(transaction, partner))?;
        self.writer.look()
    }

    async fn tidy_partner(&self, versions: &[&Partner]) -> Result<(), StoreError> {
        self.writer.write(Durability::Full, |transaction| prepare::tidy(transaction, versions))
    }

    async fn stored_columns(&self, partner: &Partner) -> Result<Vec<Option<Vec<Column>>>, StoreError> {
        self.writer.read(|transaction| prepare::columns(transaction, partner))
    }

    async fn connection(&self, tenant: &str, name: &str, partner: &str) -> Result<Connection, StoreError> {
        if let Some(found) = self.writer.read(|connection| held::connection(connection, tenant, name, partner))? {
            return Ok(found);
        }
        self.writer.write(Durability::Full, |transaction| held::new_connection(transaction, tenant, name, partner))
    }

    /// There is one process, which has one delivery of a connection at a time.
    async fn hold(&self, connection: &Connection) -> Result<Connection, StoreError> {
        self.connection(&connection.tenant, &connection.name, &connection.partner).await
    }

    async fn receive(&self, connection: &Connection, received: &Received) -> Result<(), StoreError> {
        self.receiving.keep(Kept::new(&self.writer, self.process(), connection, received)?).await
    }

    async fn settle(
        &self,
        delivery: Uuid,
        at: Timestamp,
        report: &Report,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        self.writer.write(Durability::Normal, |transaction| {
            delivery::finish(transaction, self.process(), delivery, at, report, entries, None)
        })
    }

    async fn conclude(
        &self,
        connection: &Connection,
        received: &Received,
        at: Timestamp,
        report: &Report,
        finish: Finish<'_>,
    ) -> Result<(), StoreError> {
        let kept = Kept::new(&self.writer, self.process(), connection, received)?;
        let work = |transaction: &Transaction<'_>| {
            let waits = delivery::keep(transaction, &kept)?;
            delivery::finish(transaction, self.process(), received.id, at, report, &[], None)?;
            Ok(waits)
        };
        let waits = match finish {
            Finish::Open(fate) => {
                let work = |transaction: &Transaction<'_>| {
                    held::unmoved(transaction, connection)?;
                    work(transaction)
                };
                return self.writer.write_with_others(fate, work).map(drop);
            }
            Finish::Committed => return self.writer.write(Durability::Normal, work).map(drop),
            Finish::Synced => self.writer.write(Durability::Normal, work)?,
        };
        if waits { self.synced().await } else { Ok(()) }
    }

    async fn queues(&self) -> Result<Vec<Queue>, StoreError> {
        self.writer.read(queue::queues)
    }

    async fn claim_queue(
        &self,
        now: Timestamp,
        except: &[ConnectionName],
    ) -> Result<Option<ConnectionName>, StoreError> {
        let Some(process) = self.process() else { return Ok(None) };
        self.writer.write(Durability::Normal, |transaction| process::claim_queue(transaction, process, now, except))
    }

    async fn give_back(&self, tenant: &str, connection: &str) -> Result<(), StoreError> {
        let Some(process) = self.process() else { return Ok(()) };
        self.writer
            .write(Durability::Normal, |transaction| process::give_back(transaction, process, tenant, connection))
    }

    async fn next_queued(&self, tenant: &str, connection: &str) -> Result<Option<Queued>, StoreError> {
        self.writer.read(|database| queue::next(database, self.process(), tenant, connection))
    }

    /// The count outlives whatever ends the process, which is what it is kept for. That a power cut may take it back costs
    /// one attempt more, and no wait for the disk per delivery.
    async fn begin(&self, delivery: Uuid) -> Result<(), StoreError> {
        self.writer.write(Durability::Normal, |transaction| queue::begin(transaction, self.process(), delivery))
    }

    async fn unbegin(&self, delivery: Uuid) -> Result<(), StoreError> {
        self.writer.write(Durability::Normal, |transaction| queue::unbegin(transaction, self.process(), delivery))
    }

    async fn progress(&self, delivery: Uuid, sent: u64, errors: u64) -> Result<(), StoreError> {
        self.writer.write(Durability::Normal, |transaction| queue::progress(transaction, delivery, sent, errors))
    }

    async fn quarantine_expired(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.writer.write(Durability::Full, |transaction| waiting::quarantine_expired(transaction, at))
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn join(&self, process: Uuid, until: Timestamp) -> Result<(), StoreError> {
        if *self.process.get_or_init(|| process) != process {
            return Err(StoreError::Inconsistent("a store works for one process".to_owned()));
        }
        self.writer.write(Durability::Normal, |transaction| process::join(transaction, process, until))
    }

    async fn bury(&self, ended: Timestamp, at: Timestamp) -> Result<u64, StoreError> {
        self.writer.write(Durability::Normal, |transaction| process::bury(transaction, self.process(), ended, at))
    }

    async fn let_go(&self, held: &Held, at: Timestamp) -> Result<u64, StoreError> {
        let Some(process) = self.process() else { return Ok(0) };
        self.writer.write(Durability::Normal, |transaction| process::let_go(transaction, process, held, at))
    }

    async fn leave(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.writer.write(Durability::Normal, |transaction| process::leave(transaction, self.process(), at))
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    async fn signal(&self, signal: Signal) -> Result<(), StoreError> {
        self.signals.send(signal).ok(); // nobody listens
        Ok(())
    }

    async fn held_records(&self, connection: &Connection, partner: &Partner) -> Result<Vec<HeldRecord>, StoreError> {
        self.writer.read(|database| held::records(database, connection, partner))
    }

    async fn gone(&self, connection: &Connection, partner: &Partner) -> Result<Vec<Gone>, StoreError> {
        self.writer.read(|database| gone::of(database, connection, partner))
    }

    async fn bodies(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        records: &[RecordId],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        self.writer.read(|database| held::bodies(database, connection, partner, of, records))
    }

    async fn values(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        members: &[String],
    ) -> Result<Values, StoreError> {
        self.writer.read(|database| held::values(database, connection, partner, of, members))
    }

    async fn contributions(
        &self,
        connection: &Connection,
        partner: &Partner,
        records: &[(RecordTypeId, RecordId)],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        self.writer.read(|database| held::contributions(database, connection, partner, records))
    }

    async fn held_entities(
        &self,
        connection: &Connection,
        canonical: &Canonical,
        entities: &[(KindId, Uuid)],
    ) -> Result<Vec<Option<HeldEntity>>, StoreError> {
        if connection.generation == 0 {
            return Ok(vec![None; entities.len()]); // nothing was ever committed
        }
        self.writer.read(|database| held::entities(database, connection, canonical, entities))
    }

    async fn records_by_key(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        keys: &[String],
    ) -> Result<Vec<Option<HeldRecord>>, StoreError> {
        self.writer.read(|database| lookup::by_key(database, connection, partner, of, keys))
    }

    async fn records_by_id(
        &self,
        connection: &Connection,
        partner: &Partner,
        records: &[RecordId],
    ) -> Result<Vec<HeldRecord>, StoreError> {
        self.writer.read(|database| lookup::by_id(database, connection, partner, records))
    }

    async fn records_matching(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        matching: &Matching,
    ) -> Result<Vec<HeldRecord>, StoreError> {
        self.writer.read(|database| lookup::matching(database, connection, partner, of, matching))
    }

    async fn selected(
        &self,
        connection: &Connection,
        partner: &Partner,
        selection: &Selection,
        given: &[(usize, serde_json::Value)],
        options: &serde_json::Value,
    ) -> Result<Option<HeldRecord>, StoreError> {
        let wanted =
            Wanted { dialect: &Sqlite, partner, whose: whose(connection.id), selection, given, sort: &[], options };
        self.writer.read(|database| select::first(database, &wanted))
    }

    async fn largest(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        member: &str,
        matching: &Matching,
    ) -> Result<Option<i64>, StoreError> {
        self.writer.read(|database| lookup::largest(database, connection, partner, of, member, matching))
    }

    async fn numbers(&self, connection: &Connection, of: &[String]) -> Result<Vec<i64>, StoreError> {
        self.writer.read(|database| number::last(database, connection, of))
    }

    async fn claim_sends(&self, claim: &SendClaim<'_>) -> Result<Vec<DueSend>, StoreError> {
        self.writer.write(Durability::Normal, |transaction| send::claim(transaction, self.process(), claim))
    }

    async fn next_send_at(&self, after: Option<Timestamp>) -> Result<Option<Timestamp>, StoreError> {
        send::next_at(&self.readers, after).await
    }

    async fn note_attempt(&self, send: Uuid, attempt: &Attempt, outcome: SendOutcome) -> Result<(), StoreError> {
        self.writer.write(Durability::Normal, |transaction| {
            send::note_attempt(transaction, self.process(), send, attempt, outcome)
        })?;
        self.synced().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.writer.probe()
    }

    async fn committed(&self) -> Result<u64, StoreError> {
        self.writer.committed().await
    }

    async fn synced(&self) -> Result<(), StoreError> {
        self.writer.synced().await
    }

    async fn commit(&self, canonical: &Canonical, partner: &Partner, commit: Commit<'_>) -> Result<i64, StoreError> {
        let kept = |received| Kept::new(&self.writer, self.process(), commit.connection, received);
        let received = commit.received.map(kept).transpose()?;
        let work = |transaction: &Transaction<'_>| {
            if let Some(received) = &received {
                delivery::keep(transaction, received)?;
            }
            commit::apply(transaction, canonical, partner, self.process(), &commit)
        };
        match commit.finish {
            Finish::Synced => self.writer.write(Durability::Full, work),
            Finish::Committed => self.writer.write(Durability::Normal, work),
            Finish::Open(fate) => self.writer.write_with_others(fate, work),
        }
    }
}
