//! Turns a PostgreSQL database into a [`Store`], for any number of processes at a time.
//!
//! The number of round trips of a call does not depend on how many records it is about: what is written goes as one array
//! per column ([`rows`]), what is read is asked for by a list of keys. Who commits to a connection locks that connection's
//! row first, so that commits of one connection follow one another across processes, and the row of the tenant last, so
//! that its part of the feed becomes visible in the order of its numbers.
//!
//! What SQLite and we keep and PostgreSQL cannot, see [`jsonb`]: it stands beside the columns, as what has no column does.
//!
//! To add a table that does not follow from a schema: add the next file to `migrations/postgres` and name it in
//! [`MIGRATIONS`].

mod administration;
mod archive;
mod backlog;
mod claim;
mod commit;
mod connection;
mod copy;
mod delivery;
mod entities;
mod entry;
mod erase;
mod gone;
mod held;
mod jsonb;
mod keep;
mod matching;
mod number;
mod patience;
mod prepare;
mod process;
mod prune;
mod question;
mod queue;
mod reader;
mod receiving;
mod rows;
mod select;
mod send;
mod signal;
mod tally;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{SqlStr, Transaction};
use tokio::sync::broadcast;
use uuid::Uuid;

use self::patience::Patience;
use self::receiving::Receiving;
#[cfg(test)]
pub(super) use self::rows::asked;
use self::signal::Listening;
use super::administration::Administration;
use super::archive::Archive;
use super::keep::Keeper;
use super::read::Reader;
use super::sql::{Postgres, Wanted, Whose};
use super::tally::Tallies;
use super::{
    Attempt, Commit, Connection, ConnectionName, DueSend, Gone, Held, HeldEntity, HeldRecord, Matching, Queue, Queued,
    RecordId, SendClaim, SendOutcome, Signal, Store, StoreError, Trouble, Values, migration,
};
use crate::canonical::{Canonical, KindId};
use crate::delivery::{Entry, Received, Report};
use crate::description::{Partner, RecordTypeId, Selection};
use crate::table::Column;

/// What is ours whatever the schemas say, oldest first: name and statements.
const MIGRATIONS: [migration::File; 8] = [
    ("hub", include_str!("../../migrations/postgres/0001_hub.sql")),
    ("process", include_str!("../../migrations/postgres/0002_process.sql")),
    ("keep", include_str!("../../migrations/postgres/0003_keep.sql")),
    ("administration", include_str!("../../migrations/postgres/0004_administration.sql")),
    ("call", include_str!("../../migrations/postgres/0005_call.sql")),
    ("aside", include_str!("../../migrations/postgres/0006_aside.sql")),
    ("reader", include_str!("../../migrations/postgres/0007_reader.sql")),
    ("tally", include_str!("../../migrations/postgres/0008_tally.sql")),
];

/// Statements that each connection keeps prepared: those of every table, with room to spare.
const STATEMENTS_MAX: usize = 512;

/// How long a connection may have been idle without being asked whether it is still there before it is used.
const IDLE_UNASKED: Duration = Duration::from_secs(1);

/// Has long values compressed by what takes half the time of PostgreSQL's own, where the server was built with it.
/// Whoever reads them need not know: each says how it was compressed.
const COMPRESS_QUICKLY: &str = "select set_config('default_toast_compression', 'lz4', false) from pg_settings \
                                where name = 'default_toast_compression' and 'lz4' = any(enumvals)";

/// Signals that wait for who listens slowly; who misses some looks by itself soon enough.
const SIGNALS_MAX: usize = 16;

/// How a [`PostgresStore`] is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresOptions {
    /// Connections that this process has at the same time, beside one that it is woken by. All processes together must leave the server some of its
    /// `max_connections`.
    pub connections_max: u32,
    /// Milliseconds that a call waits for one of them, or for the server to take a new one, before it fails.
    pub acquire_timeout_ms: u64,
    /// Milliseconds that a single statement may take, waiting for locks included, and that a transaction may wait for the
    /// next one, before the server ends it.
    pub statement_timeout_ms: u64,
    /// Milliseconds that is waited in all for what takes a statement or a few, though the server says nothing: its machine
    /// may be gone. Must be longer than the two above together.
    pub answer_timeout_ms: u64,
    /// Milliseconds that is waited in all for what takes more, the more there is to read or to write: a commit, a look at
    /// all records.
    pub work_timeout_ms: u64,
    /// Deliveries that are received at the same time and share a statement and a commit.
    pub commit_deliveries_max: usize,
    /// Bytes of bodies, compressed, that do.
    pub commit_bytes_max: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections_max: 16,
            acquire_timeout_ms: 10_000,
            statement_timeout_ms: 120_000,
            answer_timeout_ms: 150_000,
            work_timeout_ms: 900_000,
            commit_deliveries_max: 256,
            commit_bytes_max: 8 << 20,
        }
    }
}

/// Everything in one PostgreSQL database.
///
/// What is acknowledged is as durable as `synchronous_commit` makes it: `on`, PostgreSQL's default, survives the end of
/// the server and of its machine; with `synchronous_standby_names`, `on` or `remote_apply` survives the loss of the
/// machine. It is the database's setting, or its user's, or the URL's (`?options=-c%20synchronous_commit%3Dremote_apply`).
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    patience: Patience,
    receiving: Receiving,
    /// What this store works for, once it has joined.
    process: OnceLock<Uuid>,
    signals: broadcast::Sender<Signal>,
    _listening: Listening,
}

impl PostgresStore {
    /// Connects to the database that `url` names and brings it up to date; of several processes that do so at the same
    /// time one does and the others wait. Refuses a database that a newer version wrote.
    pub async fn open(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        let (connect, patience) = (connect_options(url, options)?, Patience::of(options));
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(Duration::from_millis(options.acquire_timeout_ms))
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::query(COMPRESS_QUICKLY).execute(connection).await?;
                    Ok(())
                })
            })
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > IDLE_UNASKED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_release(move |connection, _| Box::pin(async move { patience.lives(connection).await }))
            .connect_with(connect.clone())
            .await?;
        migration::migrator(&MIGRATIONS).run(&pool).await.map_err(migration::refused)?;
        let signals = broadcast::Sender::new(SIGNALS_MAX);
        let listening = Listening::start(&connect, patience, signals.clone()).await?;
        let receiving = Receiving::start(&pool, patience, options);
        Ok(Self { pool, patience, receiving, process: OnceLock::new(), signals, _listening: listening })
    }

    /// The process that this store works for.
    fn process(&self) -> Option<Uuid> {
        self.process.get().copied()
    }

    /// Lets go of the database; whatever is asked afterwards fails.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// A transaction that only reads, on one state of the database.
    async fn look(&self) -> Result<Transaction<'static, sqlx::Postgres>, StoreError> {
        let begin = SqlStr::from_static("begin isolation level repeatable read, read only");
        Ok(self.pool.begin_with(begin).await?)
    }
}

/// How every connection is made. Plans of short statements cost more to compile than they take; and where data lies on
/// disks without arms, or in memory, looking a few rows up costs little more than reading them in a row.
pub(super) fn connect_options(url: &str, options: &PostgresOptions) -> Result<PgConnectOptions, StoreError> {
    let connect: PgConnectOptions = url.parse()?;
    let application = connect.get_application_name().unwrap_or("rollcall").to_owned();
    let statement_timeout = options.statement_timeout_ms.to_string();
    Ok(connect.application_name(&application).statement_cache_capacity(STATEMENTS_MAX).options([
        ("statement_timeout", statement_timeout.as_str()),
        ("idle_in_transaction_session_timeout", statement_timeout.as_str()),
        ("jit", "off"),
        ("random_page_cost", "1.1"),
    ]))
}

#[async_trait]
impl Store for PostgresStore {
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
        let work = async {
            let mut transaction = self.pool.begin().await?;
            prepare::canonical(&mut transaction, canonical).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.long(work).await
    }

    async fn prepare_partner(&self, partner: &Partner) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            prepare::partner(&mut transaction, partner).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.long(work).await
    }

    async fn tidy_partner(&self, versions: &[&Partner]) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            prepare::tidy(&mut transaction, versions).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.long(work).await
    }

    async fn stored_columns(&self, partner: &Partner) -> Result<Vec<Option<Vec<Column>>>, StoreError> {
        let work = async {
            let mut transaction = self.look().await?;
            let columns = prepare::columns(&mut transaction, partner).await?;
            transaction.commit().await?;
            Ok(columns)
        };
        self.patience.soon(work).await
    }

    async fn connection(&self, tenant: &str, name: &str, partner: &str) -> Result<Connection, StoreError> {
        self.patience.soon(connection::named(&self.pool, tenant, name, partner)).await
    }

    async fn hold(&self, connection: &Connection) -> Result<Connection, StoreError> {
        self.patience.soon(connection::hold(&self.pool, connection)).await
    }

    async fn receive(&self, connection: &Connection, received: &Received) -> Result<(), StoreError> {
        self.patience.soon(delivery::receive(&self.pool, &self.receiving, self.process(), connection, received)).await
    }

    async fn settle(
        &self,
        delivery: Uuid,
        at: Timestamp,
        report: &Report,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        self.patience.soon(delivery::settle(&self.pool, self.process(), delivery, at, report, entries)).await
    }

    async fn queues(&self) -> Result<Vec<Queue>, StoreError> {
        self.patience.soon(queue::queues(&self.pool)).await
    }

    async fn claim_queue(
        &self,
        now: Timestamp,
        except: &[ConnectionName],
    ) -> Result<Option<ConnectionName>, StoreError> {
        let work = async {
            let Some(process) = self.process() else { return Ok(None) };
            process::claim_queue(&self.pool, process, now, except).await
        };
        self.patience.soon(work).await
    }

    async fn give_back(&self, tenant: &str, connection: &str) -> Result<(), StoreError> {
        let work = async {
            let Some(process) = self.process() else { return Ok(()) };
            process::give_back(&self.pool, process, tenant, connection).await
        };
        self.patience.soon(work).await
    }

    async fn next_queued(&self, tenant: &str, connection: &str) -> Result<Option<Queued>, StoreError> {
        self.patience.soon(queue::next(&self.pool, self.process(), tenant, connection)).await
    }

    async fn begin(&self, delivery: Uuid) -> Result<(), StoreError> {
        self.patience.soon(queue::begin(&self.pool, self.process(), delivery)).await
    }

    async fn unbegin(&self, delivery: Uuid) -> Result<(), StoreError> {
        self.patience.soon(queue::unbegin(&self.pool, self.process(), delivery)).await
    }

    async fn progress(&self, delivery: Uuid, sent: u64, errors: u64) -> Result<(), StoreError> {
        self.patience.soon(queue::progress(&self.pool, delivery, sent, errors)).await
    }

    async fn quarantine_expired(&self, at: Timestamp) -> Result<u64, StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            let quarantined = waiting::quarantine_expired(&mut transaction, at).await?;
            transaction.commit().await?;
            Ok(quarantined)
        };
        self.patience.long(work).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn join(&self, process: Uuid, until: Timestamp) -> Result<(), StoreError> {
        let work = async {
            if *self.process.get_or_init(|| process) != process {
                return Err(StoreError::Inconsistent("a store works for one process".to_owned()));
            }
            process::join(&self.pool, process, until).await
        };
        self.patience.soon(work).await
    }

    async fn bury(&self, ended: Timestamp, at: Timestamp) -> Result<u64, StoreError> {
        self.patience.long(process::bury(&self.pool, self.process(), ended, at)).await
    }

    async fn let_go(&self, held: &Held, at: Timestamp) -> Result<u64, StoreError> {
        let work = async {
            let Some(process) = self.process() else { return Ok(0) };
            process::let_go(&self.pool, process, held, at).await
        };
        self.patience.soon(work).await
    }

    async fn leave(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.patience.soon(process::leave(&self.pool, self.process(), at)).await
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    async fn signal(&self, signal: Signal) -> Result<(), StoreError> {
        self.patience.soon(signal::tell(&self.pool, signal)).await
    }

    async fn held_records(&self, connection: &Connection, partner: &Partner) -> Result<Vec<HeldRecord>, StoreError> {
        let work = async {
            let mut transaction = self.look().await?;
            let held = held::records(&mut transaction, connection, partner).await?;
            transaction.commit().await?;
            Ok(held)
        };
        self.patience.long(work).await
    }

    async fn gone(&self, connection: &Connection, partner: &Partner) -> Result<Vec<Gone>, StoreError> {
        self.patience.long(gone::of(&self.pool, connection, partner)).await
    }

    async fn bodies(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        records: &[RecordId],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        self.patience.long(held::bodies(&self.pool, connection, partner, of, records)).await
    }

    async fn values(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        members: &[String],
    ) -> Result<Values, StoreError> {
        self.patience.long(held::values(&self.pool, connection, partner, of, members)).await
    }

    async fn contributions(
        &self,
        connection: &Connection,
        partner: &Partner,
        records: &[(RecordTypeId, RecordId)],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let work = async {
            let mut transaction = self.look().await?;
            let contributions = held::contributions(&mut transaction, connection, partner, records).await?;
            transaction.commit().await?;
            Ok(contributions)
        };
        self.patience.long(work).await
    }

    async fn held_entities(
        &self,
        connection: &Connection,
        canonical: &Canonical,
        entities: &[(KindId, Uuid)],
    ) -> Result<Vec<Option<HeldEntity>>, StoreError> {
        let work = async {
            if connection.generation == 0 {
                return Ok(vec![None; entities.len()]); // nothing was ever committed
            }
            let mut transaction = self.look().await?;
            let held = held::entities(&mut transaction, connection, canonical, entities).await?;
            transaction.commit().await?;
            Ok(held)
        };
        self.patience.long(work).await
    }

    async fn records_by_key(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        keys: &[String],
    ) -> Result<Vec<Option<HeldRecord>>, StoreError> {
        self.patience.long(held::by_key(&self.pool, connection, partner, of, keys)).await
    }

    async fn records_by_id(
        &self,
        connection: &Connection,
        partner: &Partner,
        records: &[RecordId],
    ) -> Result<Vec<HeldRecord>, StoreError> {
        let work = async {
            let mut transaction = self.look().await?;
            let held = held::by_id(&mut transaction, connection, partner, records).await?;
            transaction.commit().await?;
            Ok(held)
        };
        self.patience.long(work).await
    }

    async fn records_matching(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        matching: &Matching,
    ) -> Result<Vec<HeldRecord>, StoreError> {
        self.patience.long(matching::records(&self.pool, connection, partner, of, matching)).await
    }

    async fn selected(
        &self,
        connection: &Connection,
        partner: &Partner,
        selection: &Selection,
        given: &[(usize, serde_json::Value)],
        options: &serde_json::Value,
    ) -> Result<Option<HeldRecord>, StoreError> {
        let work = async {
            let whose = Whose { tenant: Some(connection.tenant_id), connection: connection.id };
            let wanted = Wanted { partner, dialect: &Postgres, whose, selection, given, sort: &[], options };
            select::first(&self.pool, &wanted).await
        };
        self.patience.soon(work).await
    }

    async fn largest(
        &self,
        connection: &Connection,
        partner: &Partner,
        of: RecordTypeId,
        member: &str,
        matching: &Matching,
    ) -> Result<Option<i64>, StoreError> {
        self.patience.soon(matching::largest(&self.pool, connection, partner, of, member, matching)).await
    }

    async fn numbers(&self, connection: &Connection, of: &[String]) -> Result<Vec<i64>, StoreError> {
        self.patience.soon(number::last(&self.pool, connection, of)).await
    }

    async fn claim_sends(&self, claim: &SendClaim<'_>) -> Result<Vec<DueSend>, StoreError> {
        self.patience.soon(claim::sends(&self.pool, self.process(), claim)).await
    }

    async fn next_send_at(&self, after: Option<Timestamp>) -> Result<Option<Timestamp>, StoreError> {
        self.patience.soon(send::next_at(&self.pool, after)).await
    }

    async fn note_attempt(&self, send: Uuid, attempt: &Attempt, outcome: SendOutcome) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            send::note_attempt(&mut transaction, self.process(), send, attempt, outcome).await?;
            Ok(transaction.commit().await?)
        };
        self.patience.soon(work).await
    }

    /// Whatever was committed has been waited for.
    async fn probe(&self) -> Result<(), StoreError> {
        let probed = self.patience.sign(process::probe(&self.pool, self.process())).await;
        match probed {
            // Of a pool that has no connection nobody learns why.
            Err(StoreError::Unavailable { trouble: Trouble::Busy, .. }) => {
                let connect = self.pool.connect_options();
                let connecting = async { Ok(PgConnection::connect_with(&connect).await?.close().await?) };
                self.patience.sign::<(), StoreError>(connecting).await?;
                probed
            }
            probed => probed,
        }
    }

    async fn synced(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(&self, canonical: &Canonical, partner: &Partner, commit: Commit<'_>) -> Result<i64, StoreError> {
        let work = async {
            let mut transaction = match commit.connection.hold.take() {
                Some(transaction) => transaction,
                None => self.pool.begin().await?,
            };
            let end = commit::apply(&mut transaction, canonical, partner, self.process(), &commit).await?;
            transaction.commit().await?;
            Ok(end)
        };
        self.patience.long(work).await
    }
}
