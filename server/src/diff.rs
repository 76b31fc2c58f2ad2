//! Turns a [`Preview`] and what is stored of a connection into what the payload would change; and two previews into how
//! they differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rollcall_core::canonical::{Canonical, Kind, KindId};
use rollcall_core::identity::Namespace;
use rollcall_core::store::StoreError;
use rollcall_core::store::read::{EntityQuery, Page, QueryError, Reader};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::preview::Preview;
use crate::references;

/// Entities that are read at a time.
const PAGE_ROWS: u32 = 1_000;

/// What the host sets itself on an entity.
const OWN: [&str; 3] = ["sourcedId", "status", "dateLastModified"];

/// What would happen to one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its kind.
    pub kind: String,
    /// Its `sourcedId`.
    pub sourced_id: Uuid,
    /// The partner's own id for it, where the payload speaks of it.
    pub source_id: Option<String>,
    /// What would happen.
    pub action: Action,
}

/// What would happen to an entity.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It would be new, or be back.
    Create,
    /// These fields would change: name, before, after.
    Update(Vec<(String, Option<Value>, Option<Value>)>),
    /// It would be marked `tobedeleted`.
    Remove,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The store could not answer.
    #[error("failed to read the database")]
    Store(#[from] StoreError),
    /// The store could not be asked.
    #[error("failed to read the database")]
    Query(#[from] QueryError),
}

/// What the previewed payload would change if it were everything that the connection sends.
pub async fn diff(
    canonical: &Canonical,
    reader: &dyn Reader,
    tenant: &str,
    connection: &str,
    preview: &Preview,
) -> Result<Vec<Change>, DiffError> {
    let namespace = Namespace::of(tenant, connection);
    let mut changes = Vec::new();
    for (kind_id, kind) in canonical.iter() {
        let mut held = held(canonical, reader, tenant, connection, kind_id).await?;
        for (source_id, fields) in preview.entities.get(&kind.name).into_iter().flatten() {
            let id = namespace.sourced_id(&kind.name, source_id);
            let fields = identified(canonical, kind, namespace, fields);
            let action = match held.remove(&id) {
                None => Action::Create,
                Some(held) => match differences(&held, &fields) {
                    differences if differences.is_empty() => continue,
                    differences => Action::Update(differences),
                },
            };
            let named = Some(source_id.clone());
            changes.push(Change { kind: kind.name.clone(), sourced_id: id, source_id: named, action });
        }
        let removed = held.into_keys().map(|sourced_id| Change {
            kind: kind.name.clone(),
            sourced_id,
            source_id: None,
            action: Action::Remove,
        });
        changes.extend(removed);
    }
    Ok(changes)
}

/// All active entities of one kind that a connection has.
async fn held(
    canonical: &Canonical,
    reader: &dyn Reader,
    tenant: &str,
    connection: &str,
    kind: KindId,
) -> Result<BTreeMap<Uuid, Map<String, Value>>, DiffError> {
    let mut query = EntityQuery {
        tenant: tenant.to_owned(),
        kind,
        connection: Some(connection.to_owned()),
        active: Some(true),
        filter: None,
        sort: None,
        page: Page::After { limit: PAGE_ROWS, after: None },
        count: false,
    };
    let mut all = BTreeMap::new();
    loop {
        let page = reader.entities(canonical, &query).await?.rows;
        let ids = page.into_iter().filter_map(|row| Some((row.get("sourcedId")?.as_str()?.parse::<Uuid>().ok()?, row)));
        let before = all.len();
        all.extend(ids);
        let last = all.last_key_value().map(|(id, _)| *id);
        if all.len() == before {
            return Ok(all);
        }
        query.page = Page::After { limit: PAGE_ROWS, after: last };
    }
}

/// An entity's fields with `sourcedId`s in the place of the partner's own.
fn identified(
    canonical: &Canonical,
    kind: &Kind,
    namespace: Namespace,
    fields: &Map<String, Value>,
) -> Map<String, Value> {
    let mut fields = fields.clone();
    references::replace(kind, &mut fields, &mut |to, source_id| {
        Value::String(namespace.sourced_id(&canonical.kind(to).name, source_id).to_string())
    });
    fields
}

fn differences(held: &Map<String, Value>, new: &Map<String, Value>) -> Vec<(String, Option<Value>, Option<Value>)> {
    let names = held.keys().chain(new.keys().filter(|name| !held.contains_key(*name)));
    let names = names.filter(|name| !OWN.contains(&name.as_str()));
    let differing = names.filter(|name| held.get(*name) != new.get(*name));
    differing.map(|name| (name.clone(), held.get(name).cloned(), new.get(name).cloned())).collect()
}

/// How one entity differs between two previews.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Its kind.
    pub kind: String,
    /// The partner's own id for it.
    pub source_id: String,
    /// What is different.
    pub action: Action,
}

/// How two previews differ: what the later one has new, otherwise, and not any more.
pub fn revisions(before: &Preview, after: &Preview) -> Vec<Revision> {
    let none = BTreeMap::new();
    let kinds: BTreeSet<_> = before.entities.keys().chain(after.entities.keys()).collect();
    let mut revisions = Vec::new();
    for kind in kinds {
        let [before, after] = [before, after].map(|preview| preview.entities.get(kind).unwrap_or(&none));
        for source_id in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let action = match (before.get(source_id), after.get(source_id)) {
                (None, _) => Action::Create,
                (_, None) => Action::Remove,
                (Some(before), Some(after)) => match differences(before, after) {
                    differences if differences.is_empty() => continue,
                    differences => Action::Update(differences),
                },
            };
            revisions.push(Revision { kind: kind.clone(), source_id: source_id.clone(), action });
        }
    }
    revisions
}

impl Revision {
    /// `+`, `~` or `-`.
    pub fn sign(&self) -> char {
        self.action.sign()
    }
}

impl Action {
    fn sign(&self) -> char {
        match self {
            Self::Create => '+',
            Self::Update(_) => '~',
            Self::Remove => '-',
        }
    }

    /// The fields that change, a line each.
    fn write_fields(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Update(differences) = self else { return Ok(()) };
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        for (name, before, after) in differences {
            write!(f, "\n    {name}: {} -> {}", show(before), show(after))?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.action.sign(), self.kind, self.sourced_id)?;
        if let Some(source_id) = &self.source_id {
            write!(f, " {source_id}")?;
        }
        self.action.write_fields(f)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.sign(), self.kind, self.source_id)?;
        self.action.write_fields(f)
    }
}
