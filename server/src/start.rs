//! Turns a configuration into an [`App`] that is ready to serve: schemas read, mappers loaded, tables made, connections
//! checked. Whatever is wrong is said before the first request could be.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use rollcall_core::clock::Clock;
use rollcall_core::ingest::{Ingest, Loaded};
use rollcall_core::json::Json;
use rollcall_core::map::Profile;
use rollcall_core::store::StoreError;
use tokio::sync::Notify;

use crate::access::Access;
use crate::admission::Admission;
use crate::app::App;
use crate::backlog::Backlog;
use crate::condition::Condition;
use crate::config::{Config, ConfigError};
use crate::database::{self, DatabaseError};
use crate::gathering::Gathering;
use crate::metrics::{self, Metrics, MetricsError};
use crate::partners::{Folders, PartnersError, host};
use crate::presence::{self, Signals};
use crate::rebuilding::Rebuilds;
use crate::registry::{Registry, Table};
use crate::remapping::Remaps;
use crate::shadow::{self, Shadows};
use crate::turn::Turns;
use crate::versions::{self, Versions};
use crate::webhook::Courier;

/// Violations that are named per connection.
const VIOLATIONS_MAX: usize = 10;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Schemas or mappers cannot be loaded.
    #[error(transparent)]
    Partners(#[from] PartnersError),
    /// The database cannot be opened.
    #[error("failed to open the database")]
    Database(#[from] DatabaseError),
    /// The database does not fit the schemas.
    #[error("failed to prepare the database")]
    Store(#[from] StoreError),
    /// A version that is active cannot be loaded.
    #[error("what was decided cannot be followed:\n  {0}")]
    Versions(String),
    /// A connection's options are not what its partner's description allows.
    #[error("the configuration's connections do not fit their partners:\n{0}")]
    Connections(String),
    /// Nothing could be sent over `https`.
    #[error("failed to set up TLS")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// The metrics cannot be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// Makes everything that serving needs. The app is not marked ready.
pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<App>, StartError> {
    Access::new(config)?;
    let metrics = Metrics::install()?;
    metrics::tell_connections_apart(config.metrics.per_connection);
    metrics::limits(&config.limits);
    metrics::trouble(None);
    let folders = Folders { schemas: config.schemas_dir.clone(), mappers: config.mappers_dir.clone() };
    let canonical = folders.canonical()?;
    let host = host(&config.limits.mapper, config.cache_dir.as_deref())?.permitting(config.profiles());
    let found = folders.versions(&folders.partners()?, &canonical, &host, &config.limits.bundle)?;
    let store = database::open(config).await?;
    store.prepare_canonical(&canonical).await?;
    let versions = Versions::new(host, config.limits.bundle.clone());
    let (table, behind) = versions::begin(&versions, &*store, &*clock, &canonical, found).await?;
    if !behind.is_empty() {
        return Err(StartError::Versions(behind.join("\n  ")));
    }
    check_connections(config, &table)?;
    let office = store.administration();
    let (setups, readers) = (office.setups().await?, office.readers().await?);
    let access = Access::with(config, &setups, &readers, clock.now())?;
    for loaded in table.all() {
        metrics::loaded(loaded);
        store.prepare_partner(&loaded.partner).await?;
    }
    versions::tidy(&*store, &*clock, &table).await?;
    // So that no call writes anything but what it says, and a dry run nothing at all.
    for connection in access.connections() {
        let sender = &connection.sender;
        let (tenant, name, partner) = (sender.tenant.as_str(), sender.connection.as_str(), connection.partner.as_str());
        store.connection(tenant, name, partner).await?;
        metrics::expect(tenant, name, partner);
    }
    let process = presence::begin(&*store, &*clock, &config.limits).await?;
    let names: Vec<_> = table.active.keys().map(String::as_str).collect();
    tracing::info!(partners = names.join(", "), "loaded");
    let ingest = Ingest::new(store.clone(), Arc::new(canonical), clock, config.limits.clone());
    let ingest = ingest.metered(Arc::new(metrics.clone()));
    let app = Arc::new(App {
        config: Arc::new(config.clone()),
        process,
        access: ArcSwap::from_pointee(access),
        registry: Registry::new(table),
        shadows: Shadows::default(),
        versions,
        ingest: Arc::new(ingest),
        reader: store,
        admission: Admission::new(&config.limits),
        backlog: Backlog::new(&config.limits),
        condition: Condition::default(),
        rebuilds: Rebuilds::default(),
        remaps: Remaps::default(),
        scratch: config.scratch_dir.clone(),
        sample: Duration::from_secs(config.metrics.sample_seconds.max(1)),
        turns: Turns::new(&config.limits),
        gathering: Gathering::default(),
        bell: Notify::new(),
        hands: Arc::default(),
        signals: Signals::default(),
        courier: Courier::new(config)?,
        metrics,
        public_url: config.public_url.clone(),
        ready: AtomicBool::new(false),
    });
    shadow::follow(&app, &app.registry.table(), 0).await?;
    Ok(app)
}

/// Every connection's partner is there, and its options are what the description allows.
fn check_connections(config: &Config, table: &Table) -> Result<(), StartError> {
    let mut problems = Vec::new();
    for (tenant, name, connection) in config.connections() {
        let place = format!("tenants.{tenant}.connections.{name}");
        let partner = connection.partner.as_str();
        match table.of(partner, &(tenant.to_string(), name.to_string())) {
            None if table.disabled.contains(partner) => {}
            None => problems.push(format!("  {place}.partner: there is no partner `{}`", connection.partner)),
            Some(loaded) => {
                let found = unfit(loaded, &connection.options, connection.mapper_profile);
                problems.extend(found.into_iter().map(|problem| format!("  {place}.{problem}")));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(StartError::Connections(problems.join("\n"))) }
}

/// Why a connection with these options, which permits this to mappers, cannot use a version: places and reasons.
pub fn unfit(loaded: &Loaded, options: &serde_json::Value, permitted: Profile) -> Vec<String> {
    let needed = loaded.mapper.profile();
    let profile = (needed > permitted)
        .then(|| format!("mapper_profile: the mapper runs under `{}`, which has to be permitted here", needed.name()));
    let options = option_problems(loaded, options);
    profile.into_iter().chain(options.into_iter().map(|problem| format!("options{problem}"))).collect()
}

/// How options break what the description allows: place and reason.
fn option_problems(loaded: &Loaded, options: &serde_json::Value) -> Vec<String> {
    let Some(schema) = &loaded.partner.options else {
        let none = options.as_object().is_some_and(serde_json::Map::is_empty);
        return if none { Vec::new() } else { vec![": this partner has no options".to_owned()] };
    };
    let bytes = options.to_string().into_bytes();
    match Json::parse(&bytes, 64) {
        Ok(json) => {
            let wrong = schema.violations(&json, VIOLATIONS_MAX).notes;
            if !wrong.is_empty() {
                return wrong.iter().map(|note| format!("{}: {}", note.pointer, note.message)).collect();
            }
            let unknown = schema.unknown(&json, VIOLATIONS_MAX).notes;
            unknown.iter().map(|note| format!("{}: is no option of this partner", note.pointer)).collect()
        }
        Err(malformed) => vec![format!(": {malformed}")],
    }
}
