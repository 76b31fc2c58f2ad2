//! Turns an entity's id into why it says what it says: the records that speak of it, each with the delivery that brought it, the
//! version that mapped it, and the values that its fields depend on.
//!
//! That version is found by trying: the one in use first, then the others that are stored, the last one first.

use std::sync::Arc;

use rollcall_core::canonical::KindId;
use rollcall_core::ingest::{Explanation, Loaded, Recalled, weigh};
use rollcall_core::map::MapError;
use rollcall_core::store::StoreError;
use rollcall_core::store::administration::StoredVersion;
use rollcall_core::store::read::Source;
use serde::Serialize;
use uuid::Uuid;

use crate::access::Connection;
use crate::app::App;
use crate::problem::Problem;

/// Why an entity says what it says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub sourced_id: Uuid,
    /// The records that speak of it, the one with the smallest key first; none where it is gone.
    pub sources: Vec<Told>,
    /// How many more there are than `explained_records_max`.
    pub omitted: usize,
}

/// A record that speaks of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Which, and what brought it.
    #[serde(flatten)]
    pub source: Source,
    /// What the version's description calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_name: Option<String>,
    /// Why it says what it says.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// Why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<&'static str>,
}

/// Explains an entity of a tenant; `None` if there is none. Compiles and maps: on a thread that may block.
pub async fn explain(app: &App, tenant: &str, id: Uuid) -> Result<Option<Explained>, Problem> {
    let mut found = None;
    for (kind, _) in app.canonical().iter() {
        if let Some(sources) = app.reader.provenance(app.canonical(), tenant, kind, id).await? {
            found = Some((kind, sources));
            break;
        }
    }
    let Some((kind, mut sources)) = found else { return Ok(None) };
    let omitted = sources.len().saturating_sub(app.ingest.limits.explained_records_max);
    sources.truncate(app.ingest.limits.explained_records_max);
    let mut told = Vec::with_capacity(sources.len());
    let mut versions = Versions { app, stored: app.ingest.store.administration().versions().await?, last: None };
    for source in sources {
        told.push(versions.tell(tenant, kind, source).await?);
    }
    let kind = app.canonical().kind(kind);
    let both = told.iter_mut().filter_map(|one| Some((&one.source, one.explanation.as_mut()?)));
    weigh(kind, &mut both.collect::<Vec<_>>());
    Ok(Some(Explained { kind: kind.name.clone(), sourced_id: id, sources: told, omitted }))
}

/// The versions that may have mapped something.
struct Versions<'a> {
    app: &'a App,
    stored: Vec<StoredVersion>,
    /// The one that mapped the record before: as a rule this one, too.
    last: Option<Arc<Loaded>>,
}

impl Versions<'_> {
    async fn tell(&mut self, tenant: &str, kind: KindId, source: Source) -> Result<Told, Problem> {
        let unknown = |source, why| Told { source, version_name: None, explanation: None, unknown: Some(why) };
        let access = self.app.access();
        let Some(connection) = access.connection(tenant, &source.connection) else {
            return Ok(unknown(source, "its connection is not there any more"));
        };
        let Some(in_use) = self.app.registry.of(connection) else {
            return Ok(unknown(source, "no version of its partner is active"));
        };
        let recalled = self.app.ingest.recall(&connection.sender, &in_use, &source).await?;
        let Some(recalled) = recalled else {
            return Ok(unknown(source, "the version in use has no such record"));
        };
        let loaded = self.made(connection, &in_use, &recalled).await?.unwrap_or(in_use);
        let ingest = &self.app.ingest;
        let explained = ingest.explain(&connection.sender, &loaded, &recalled, kind, &source.source_id);
        self.last = Some(Arc::clone(&loaded));
        let Some(explanation) = explained.map_err(problem)? else {
            return Ok(unknown(source, "another version made it that is not stored, or other options did"));
        };
        let version_name = Some(loaded.partner.version.clone());
        Ok(Told { source, version_name, explanation: Some(explanation), unknown: None })
    }

    /// The version that made what is stored of a record, if it is still there.
    async fn made(
        &self,
        connection: &Connection,
        in_use: &Arc<Loaded>,
        recalled: &Recalled,
    ) -> Result<Option<Arc<Loaded>>, StoreError> {
        let ingest = &self.app.ingest;
        let has_made = |loaded: &Arc<Loaded>| ingest.has_made(&connection.sender, loaded, recalled);
        let known = [Some(in_use), self.last.as_ref()].into_iter().flatten();
        if let Some(loaded) = known.into_iter().find(|loaded| has_made(loaded)) {
            return Ok(Some(Arc::clone(loaded)));
        }
        let others = self
            .stored
            .iter()
            .rev()
            .filter(|version| version.partner == connection.partner && version.id != in_use.version);
        for version in others.take(ingest.limits.explained_versions_max) {
            let loaded = self.app.versions.get(&*ingest.store, self.app.canonical(), version.id).await?;
            if let Ok(loaded) = loaded
                && has_made(&loaded)
            {
                return Ok(Some(loaded));
            }
        }
        Ok(None)
    }
}

fn problem(error: MapError) -> Problem {
    match error {
        MapError::Deadline(_) | MapError::Busy => Problem::unavailable("busy", "too much at a time"),
        error => Problem::fault(error),
    }
}
