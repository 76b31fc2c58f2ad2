//! Turns deliveries that are received at the same time into one statement, and so into one commit: the number of round trips
//! does not depend on how many come, and nobody is told that something is kept before it is.

use std::sync::Arc;

use sqlx::postgres::PgPool;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::PostgresOptions;
use super::delivery::{answered_by, status};
use super::patience::Patience;
use crate::delivery::Received;
use crate::store::inbox::{self, Arrivals, GroupMax, Inbox, Letter};
use crate::store::packed::pack;
use crate::store::stored::{asked, integer};
use crate::store::{Connection, StoreError};

/// Groups that are written at the same time: who comes while one is being committed need not wait for its end first.
const GROUPS_MAX: usize = 2;

/// Keeps deliveries with their bodies, in the order of their arrival. A body that is there already stays as it is; bodies
/// are written in the order of their digests, so that no two processes wait for each other.
const KEEP: &str = "with given as (select * from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], \
                    $6::bigint[], $7::bytea[], $8::bigint[], $9::text[], $10::bytea[], $11::uuid[], $12::text[], \
                    $13::uuid[]) with ordinality as g (tenant, connection, id, operation, status, received_at, sha256, \
                    size, content_encoding, zstd, process, asked, first, nth)), \
                    kept as (insert into body (tenant, connection, sha256, size, zstd) \
                    select distinct on (tenant, connection, sha256) tenant, connection, sha256, size, zstd from given \
                    where zstd is not null order by tenant, connection, sha256 on conflict do nothing) \
                    insert into delivery (tenant, connection, id, operation, status, received_at, sha256, size, \
                    content_encoding, body, process, asked, first) \
                    select tenant, connection, id, operation, status, received_at, sha256, size, content_encoding, \
                    case when zstd is not null then sha256 end, process, asked, first from given order by nth";

/// A delivery that is ready to be stored: its body was compressed before anyone has to wait for it.
#[derive(Debug)]
struct Kept {
    tenant: i64,
    connection: i64,
    process: Option<Uuid>,
    received: Received,
    packed: Option<Vec<u8>>,
}

/// What keeps what is received. It ends with this value.
#[derive(Debug)]
pub(super) struct Receiving(Inbox<Kept>);

impl Receiving {
    pub(super) fn start(pool: &PgPool, patience: Patience, options: &PostgresOptions) -> Self {
        let max = GroupMax { deliveries: options.commit_deliveries_max, bytes: options.commit_bytes_max };
        let (inbox, arrivals) = inbox::open(max);
        let arrivals = Arc::new(Mutex::new(arrivals));
        for _ in 0..GROUPS_MAX {
            tokio::spawn(run(pool.clone(), patience, Arc::clone(&arrivals)));
        }
        Self(inbox)
    }

    /// Keeps a delivery; when this returns it is as safe as the database makes it.
    pub(super) async fn keep(
        &self,
        process: Option<Uuid>,
        connection: &Connection,
        received: &Received,
    ) -> Result<(), StoreError> {
        let packed = received.body.as_deref().map(pack).transpose()?;
        let bytes = packed.as_ref().map_or(0, Vec::len);
        let (tenant, connection) = (connection.tenant_id, connection.id);
        let process = answered_by(process, received);
        self.0.bring(Kept { tenant, connection, process, received: received.clone(), packed }, bytes).await
    }
}

async fn run(pool: PgPool, patience: Patience, arrivals: Arc<Mutex<Arrivals<Kept>>>) {
    loop {
        let group = arrivals.lock().await.next().await;
        if group.is_empty() {
            return;
        }
        match patience.soon(keep(&pool, &group)).await {
            // What is wrong with one costs no other: each by itself. A body that was pruned at that very moment is written anew.
            Err(error) if error.shared().is_none() => {
                for letter in group {
                    let kept = patience.soon(keep(&pool, std::slice::from_ref(&letter))).await;
                    drop(letter.told.send(kept));
                }
            }
            kept => inbox::tell(group, kept),
        }
    }
}

async fn keep(pool: &PgPool, group: &[Letter<Kept>]) -> Result<(), StoreError> {
    let kept = || group.iter().map(|letter| &letter.what);
    let received = || kept().map(|kept| &kept.received);
    let asked = received().map(asked).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(KEEP)
        .bind(kept().map(|kept| kept.tenant).collect::<Vec<_>>())
        .bind(kept().map(|kept| kept.connection).collect::<Vec<_>>())
        .bind(received().map(|received| received.id).collect::<Vec<_>>())
        .bind(received().map(|received| received.operation.clone()).collect::<Vec<_>>())
        .bind(received().map(status).collect::<Vec<_>>())
        .bind(received().map(|received| received.at.as_millisecond()).collect::<Vec<_>>())
        .bind(received().map(|received| received.sha256).collect::<Vec<_>>())
        .bind(received().map(|received| integer(received.size)).collect::<Vec<_>>())
        .bind(received().map(|received| received.content_encoding.clone()).collect::<Vec<_>>())
        .bind(kept().map(|kept| kept.packed.clone()).collect::<Vec<_>>())
        .bind(kept().map(|kept| kept.process).collect::<Vec<_>>())
        .bind(asked)
        .bind(received().map(|received| received.first).collect::<Vec<_>>())
        .execute(pool)
        .await?;
    Ok(())
}
