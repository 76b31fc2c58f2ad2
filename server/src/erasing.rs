//! Turns a request to erase someone into an erasure that is done, remembered, and can be done again on a backup.
//!
//! What is remembered is a digest per name, made with the server's key: it says nobody's name, and finds the same people
//! wherever they are stored. Each is written down before it is done, and marked as done afterwards, so that what the end of
//! the process interrupts is gone on with by whoever does them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rollcall_core::digest::Digest;
use rollcall_core::erasure::Marks;
use rollcall_core::ingest::{EraseError, Erased};
use rollcall_core::store::StoreError;
use rollcall_core::store::keep::Erasure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::access::Connection;
use crate::app::App;
use crate::intake::blocking;
use crate::problem::Problem;

/// Who is to be erased, by all names that are known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Named {
    /// Entities, by kind and id: mostly users.
    pub entities: Vec<NamedEntity>,
    /// Records, by type and key.
    pub records: Vec<NamedRecord>,
    /// Texts that stand for them and for nobody else: addresses, numbers of identity cards.
    pub texts: Vec<String>,
}

/// An entity by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedEntity {
    /// The kind's name.
    pub kind: String,
    /// Its id.
    #[schemars(with = "String")]
    pub sourced_id: Uuid,
}

/// A record by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedRecord {
    /// The type's name.
    #[serde(rename = "type")]
    pub of: String,
    /// Its key, a list.
    pub key: Vec<Value>,
}

/// An erasure as operators see it, and as it is kept beside backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Line {
    /// Its id.
    #[schemars(with = "String")]
    pub id: Uuid,
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// Who, in hexadecimal digits that only this server can make something of.
    pub digest: String,
    /// When it was asked for.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// When it was done.
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
}

/// What doing erasures again came to, for one connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Again {
    /// The tenant's name.
    pub tenant: String,
    /// The connection's name.
    pub connection: String,
    /// How many erasures there are.
    pub erasures: usize,
    /// What was found; `None` where the configuration has no such connection any more.
    pub erased: Option<Erased>,
}

impl Named {
    fn digests(&self, marks: &Marks) -> Vec<Digest> {
        let entities = self.entities.iter().map(|named| marks.entity(&named.kind, named.sourced_id));
        let records = self.records.iter().map(|named| {
            let key = Value::Array(named.key.clone()).to_string();
            marks.record(&named.of, &key)
        });
        let texts = self.texts.iter().map(|text| marks.text(text));
        entities.chain(records).chain(texts).collect()
    }
}

impl From<&Erasure> for Line {
    fn from(erasure: &Erasure) -> Self {
        Self {
            id: erasure.id,
            tenant: erasure.tenant.clone(),
            connection: erasure.connection.clone(),
            digest: erasure.digest.to_string(),
            at: erasure.at,
            finished_at: erasure.finished_at,
        }
    }
}

impl TryFrom<Line> for Erasure {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Self, Self::Error> {
        let bytes = hex::decode(&line.digest).ok().and_then(|bytes| Digest::from_bytes(&bytes));
        let digest = bytes.ok_or("a digest is 64 hexadecimal digits")?;
        let Line { id, tenant, connection, at, finished_at, .. } = line;
        Ok(Self { id, tenant, connection, digest, at, finished_at })
    }
}

/// Erases someone from a connection; with `dry_run` only says what that would come to.
pub async fn erase(app: &Arc<App>, from: &Arc<Connection>, named: &Named, dry_run: bool) -> Result<Erased, Problem> {
    let mut marks = app.access().marks();
    let digests = named.digests(&marks);
    for digest in &digests {
        marks.add(*digest);
    }
    let found = run(app, from, marks.clone(), true).await?;
    if dry_run || found.is_empty() {
        return Ok(found);
    }
    let sender = &from.sender;
    let erasures: Vec<_> = digests
        .into_iter()
        .map(|digest| Erasure {
            id: app.ingest.clock.next_id(),
            tenant: sender.tenant.clone(),
            connection: sender.connection.clone(),
            digest,
            at: app.ingest.clock.now(),
            finished_at: None,
        })
        .collect();
    note(app, erasures.clone()).await?;
    let erased = run(app, from, marks, false).await?;
    finish(app, erasures).await?;
    tracing::info!(tenant = sender.tenant, connection = sender.connection, "erased");
    Ok(erased)
}

/// All erasures, the first first.
pub async fn all(app: &Arc<App>) -> Result<Vec<Erasure>, Problem> {
    let store = Arc::clone(&app.ingest.store);
    blocking(async move { store.keeper().erasures().await }).await?.map_err(Problem::from)
}

/// Takes note of erasures that were made elsewhere (in the database that this one replaces), and does all of them again.
pub async fn again(app: &Arc<App>, more: Vec<Erasure>) -> Result<Vec<Again>, Problem> {
    note(app, more).await?;
    let mut by_connection: BTreeMap<(String, String), Vec<Erasure>> = BTreeMap::new();
    for erasure in all(app).await? {
        let name = (erasure.tenant.clone(), erasure.connection.clone());
        by_connection.entry(name).or_default().push(erasure);
    }
    let mut done = Vec::new();
    for ((tenant, connection), erasures) in by_connection {
        let count = erasures.len();
        let erased = match app.access().connection(&tenant, &connection) {
            Some(from) => Some(again_from(app, from, erasures).await?),
            None => None,
        };
        done.push(Again { tenant, connection, erasures: count, erased });
    }
    Ok(done)
}

async fn again_from(app: &Arc<App>, from: &Arc<Connection>, erasures: Vec<Erasure>) -> Result<Erased, Problem> {
    let mut marks = app.access().marks();
    for erasure in &erasures {
        marks.add(erasure.digest);
    }
    let erased = run(app, from, marks, false).await?;
    finish(app, erasures.into_iter().filter(|erasure| erasure.finished_at.is_none()).collect()).await?;
    Ok(erased)
}

async fn note(app: &Arc<App>, erasures: Vec<Erasure>) -> Result<(), Problem> {
    let store = Arc::clone(&app.ingest.store);
    let noted = async move {
        for erasure in &erasures {
            store.keeper().begin_erasure(erasure).await?;
        }
        Ok::<_, StoreError>(())
    };
    blocking(noted).await?.map_err(Problem::from)
}

async fn finish(app: &Arc<App>, erasures: Vec<Erasure>) -> Result<(), Problem> {
    let (store, at) = (Arc::clone(&app.ingest.store), app.ingest.clock.now());
    let finished = async move {
        for erasure in erasures {
            store.keeper().end_erasure(erasure.id, at).await?;
        }
        Ok::<_, StoreError>(())
    };
    blocking(finished).await?.map_err(Problem::from)
}

/// When it is the connection's turn: nothing else is done with it meanwhile.
async fn run(app: &Arc<App>, from: &Arc<Connection>, marks: Marks, dry_run: bool) -> Result<Erased, Problem> {
    let loaded = app.registry.of(from).ok_or_else(|| Problem::unknown("there is no such partner"))?;
    let sender = &from.sender;
    let turn = app.turns.take(&sender.tenant, &sender.connection, &from.partner).await;
    let turn = turn.map_err(|busy| Problem::unavailable("busy", busy.to_string()))?;
    let (app, from) = (Arc::clone(app), Arc::clone(from));
    let erased = async move {
        let _turn = turn;
        app.ingest.erase(&from.sender, &loaded, marks, dry_run).await
    };
    blocking(erased).await?.map_err(|error| match error {
        EraseError::Ingest(error) => Problem::from(error),
        other => Problem::fault(other),
    })
}
