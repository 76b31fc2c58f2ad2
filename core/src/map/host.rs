//! Turns the bytes of a component into a [`Mapper`], and holds what all of them share: the engine, its limits, the cache.
//!
//! A mapper gets nothing from outside: a component with any import is refused, unless its partner's profile serves it. What
//! it may use is counted and limited: fuel, memory, tables, stack, bytes that it returns. Fuel is the verdict, the same on
//! every machine; the wall clock only guards the host. Each profile has an engine and limits of its own, made when the
//! first mapper wants them.

use std::io;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    ResourceLimiter, Store,
};

use super::batch::cause;
use super::cache::Cache;
use super::check::Agreement;
use super::logic::check_names;
use super::profile::{Profile, Profiles, admit};
use super::wasi::Random;
use super::{Mapper, raw, v1, wasi};
use crate::canonical::Canonical;
use crate::digest::Digest;
use crate::limits::MapperLimits;

/// The interface that a mapper exports, without its version.
pub(super) const INTERFACE: &str = "rollcall:mapper/mapping";

/// The interface that a mapper with logic of its own exports beside, without its version.
const LOGIC: &str = "rollcall:mapper/logic";

/// How often the wall clock is looked at, in milliseconds.
const TICK_MS: u64 = 20;

/// Bytes of an instance's memory that are wiped for the next one rather than given back to the system.
const RESIDENT_BYTES_MAX: usize = 2 << 20;

/// The sandbox: one for the whole process.
#[derive(Debug)]
pub struct Host {
    /// The sandbox of [`Profile::Pure`].
    pure: Arc<Sandbox>,
    /// That of [`Profile::Wasi`], once there is one.
    wasi: Mutex<Option<Arc<Sandbox>>>,
    profiles: Profiles,
    limits: MapperLimits,
    cache: Option<Cache>,
}

/// What every mapper needs of its host for as long as it lives.
#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) engine: Engine,
    pub(super) limits: MapperLimits,
    pub(super) profile: Profile,
    /// How many batches of one delivery are mapped beside each other.
    pub(super) threads: usize,
    /// Its end ends the thread that looks at the wall clock.
    _ticker: SyncSender<()>,
}

/// Why the sandbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The limits are not what the engine can grant, or this machine cannot run it.
    #[error("failed to set up the sandbox")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The folder for compiled mappers cannot be used.
    #[error("failed to open the folder for compiled mappers")]
    Cache(#[source] io::Error),
    /// The thread that looks at the wall clock cannot be started.
    #[error("failed to start a thread")]
    Thread(#[source] io::Error),
}

/// Why a component is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is too large.
    #[error("the component has {found} bytes, {most} are allowed (`component_bytes_max`)")]
    TooLarge {
        /// Its bytes.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// It is a core module or not WebAssembly at all.
    #[error("the file is not a WebAssembly component; build the mapper as one (see mappers/README.md)")]
    NotAComponent,
    /// It is a component, but not a valid one, or uses what is turned off (64-bit memory, threads, …).
    #[error("the component is not valid")]
    Invalid(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It wants something from outside that no profile serves.
    #[error("a mapper must not import anything from outside, this one imports {0}")]
    Imports(String),
    /// It wants something from outside that only another profile serves.
    #[error(
        "the mapper imports {imports}, which only the profile `{}` serves; permit it for this partner with \
         `mappers: {{profiles: {{…: {}}}}}` in the configuration, or with --mapper-profile on the command line",
        profile.name(), profile.name()
    )]
    NotPermitted {
        /// What it imports.
        imports: String,
        /// The profile that would do.
        profile: Profile,
    },
    /// The sandbox of its profile cannot be set up.
    #[error(transparent)]
    Host(#[from] HostError),
    /// It exports nothing that a mapper exports.
    #[error("the component does not export {INTERFACE}")]
    NotAMapper,
    /// It was built against another version of the contract.
    #[error(
        "the component was built against version {found} of the mapper contract, versions {}.x are supported; rebuild it \
         with the SDK of this release",
        v1::MAJOR
    )]
    Version {
        /// The version in the export's name.
        found: String,
    },
    /// Its export has the right name but not the right types.
    #[error("the component's export is not what the contract says")]
    Shape(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It could not be asked what it is.
    #[error("the mapper failed to describe itself: {0}")]
    Describe(String),
    /// It is another partner's.
    #[error("the mapper is for {found}, not for {wanted}")]
    Partner {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// It writes a kind that the canonical schemas do not have.
    #[error("the mapper writes {0}, which is not a kind in the canonical schemas; rebuild it against them")]
    Kind(String),
    /// It writes a field that the canonical schemas do not have.
    #[error("the mapper writes {kind}.{field}, which the canonical schemas do not have; rebuild it against them")]
    Field {
        /// The kind.
        kind: String,
        /// The field.
        field: String,
    },
    /// The description has something decided by logic that the component does not have.
    #[error(
        "operation `{operation}` calls `{call}`, which the mapper does not take; it takes {}",
        if taken.is_empty() { "no calls".to_owned() } else { taken.join(", ") }
    )]
    Call {
        /// The operation.
        operation: String,
        /// What it calls.
        call: String,
        /// What can be called.
        taken: Vec<String>,
    },
}

impl Host {
    /// Sets up the sandbox. Compiled mappers are kept in `cache`, a folder that must belong to this user alone.
    pub fn new(limits: &MapperLimits, cache: Option<&Path>) -> Result<Self, HostError> {
        let cache = cache.map(Cache::open).transpose().map_err(HostError::Cache)?;
        let pure = Sandbox::new(limits, Profile::Pure)?;
        let (wasi, profiles) = (Mutex::default(), Profiles::new());
        Ok(Self { pure, wasi, profiles, limits: limits.clone(), cache })
    }

    /// Permits partners' mappers another profile than [`Profile::Pure`].
    #[must_use]
    pub fn permitting(self, profiles: Profiles) -> Self {
        Self { profiles, ..self }
    }

    /// The sandbox that a partner's mapper runs in.
    fn sandbox(&self, partner: &str) -> Result<Arc<Sandbox>, HostError> {
        match self.profiles.get(partner).copied().unwrap_or_default() {
            Profile::Pure => Ok(Arc::clone(&self.pure)),
            Profile::Wasi => {
                let mut made = self.wasi.lock().unwrap_or_else(PoisonError::into_inner);
                let sandbox = made.take().map_or_else(|| Sandbox::new(&self.limits, Profile::Wasi), Ok)?;
                Ok(Arc::clone(made.insert(sandbox)))
            }
        }
    }

    /// Loads the mapper of the partner called `partner`, or says why not. Nothing of it has run before its imports, its
    /// version and its types are checked.
    pub fn load(&self, partner: &str, bytes: &[u8], canonical: &Canonical) -> Result<Mapper, LoadError> {
        let sandbox = self.sandbox(partner)?;
        let Sandbox { engine, limits, .. } = &*sandbox;
        let found = bytes.len() as u64;
        if found > limits.component_bytes_max {
            return Err(LoadError::TooLarge { found, most: limits.component_bytes_max });
        }
        if !wasmparser::Parser::is_component(bytes) {
            return Err(LoadError::NotAComponent);
        }
        admit(sandbox.profile, bytes)?;
        let digest = Digest::of(bytes);
        let component = match &self.cache {
            Some(cache) => cache.component(engine, bytes, digest),
            None => Component::from_binary(engine, bytes),
        };
        let component = component.map_err(|error| LoadError::Invalid(error.into()))?;
        let exports = exports(engine, &component)?;
        let linker = sandbox.linker(&component).map_err(|error| LoadError::Shape(error.into()))?;
        let prepared =
            v1::Prepared::new(&linker, &component, exports).map_err(|error| LoadError::Shape(error.into()))?;
        let mut store = sandbox.store(limits.fuel_base);
        let profile = prepared
            .describe(&mut store)
            .map_err(|error| LoadError::Describe(cause(&error, store.data(), limits.result_bytes_max)))?;
        if profile.partner != partner {
            return Err(LoadError::Partner { found: profile.partner, wanted: partner.to_owned() });
        }
        let agreement = agree(&profile, canonical)?;
        let calls = sandbox.calls(&prepared)?;
        Ok(Mapper {
            prepared,
            sandbox,
            agreement,
            canonical: canonical.digest(),
            name: profile.partner,
            version: profile.version,
            records: profile.records,
            calls,
            digest,
        })
    }
}

impl Sandbox {
    pub(super) fn new(limits: &MapperLimits, profile: Profile) -> Result<Arc<Self>, HostError> {
        let limits = profile.limits(limits);
        let engine = Engine::new(&config(&limits, profile)).map_err(|error| HostError::Engine(error.into()))?;
        let ticker = tick(engine.weak()).map_err(HostError::Thread)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(Self { engine, limits, profile, threads, _ticker: ticker }))
    }

    /// What the profile has for a component.
    pub(super) fn linker(&self, component: &Component) -> wasmtime::Result<Linker<Guest>> {
        let mut linker = Linker::new(&self.engine);
        match self.profile {
            Profile::Pure => {}
            Profile::Wasi => wasi::furnish(&mut linker, component)?,
        }
        Ok(linker)
    }

    /// A store for one instance, with everything that it may use.
    pub(super) fn store(&self, fuel: u64) -> Store<Guest> {
        let limits = &self.limits;
        let guest = Guest {
            memory_bytes_max: limits.memory_bytes_max,
            table_elements_max: limits.table_elements_max,
            memory_bytes: 0,
            denied: None,
            random: Random::default(),
            handles: 0,
        };
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| guest);
        store.set_hostcall_fuel(limits.result_bytes_max);
        store.set_epoch_deadline(limits.deadline_ms.div_ceil(TICK_MS) + 1);
        // Fails only where the engine does not count fuel; ours does, and an instance without fuel would trap at once.
        let _counted = store.set_fuel(fuel);
        store
    }

    /// The calls that a component's own logic takes.
    fn calls(&self, prepared: &v1::Prepared) -> Result<Vec<String>, LoadError> {
        let Some(logic) = prepared.logic() else { return Ok(Vec::new()) };
        let mut store = self.store(self.limits.fuel_base);
        let names = logic
            .names(&mut store)
            .map_err(|error| LoadError::Describe(cause(&error, store.data(), self.limits.result_bytes_max)))?;
        check_names(&names, &self.limits).map_err(LoadError::Describe)?;
        Ok(names)
    }
}

/// Checks what the component offers, by name; says what that is beside the mapping.
fn exports(engine: &Engine, component: &Component) -> Result<v1::Exports, LoadError> {
    let shape = component.component_type();
    let exported = |interface: &str| {
        let mut versions = shape.exports(engine).filter_map(|(name, item)| {
            let version = name.strip_prefix(interface)?.strip_prefix('@')?;
            matches!(item.ty, ComponentItem::ComponentInstance(_)).then(|| version.to_owned())
        });
        versions.next()
    };
    supported(exported(INTERFACE).ok_or(LoadError::NotAMapper)?)?;
    let logic = exported(LOGIC).map(supported).transpose()?;
    Ok(v1::Exports { logic: logic.is_some() })
}

/// Refuses another major version than the one that is built in.
fn supported(version: String) -> Result<(), LoadError> {
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    if major == Some(v1::MAJOR) { Ok(()) } else { Err(LoadError::Version { found: version }) }
}

/// What belongs to one instance: how much it may grow, and what it was denied.
pub(super) struct Guest {
    memory_bytes_max: usize,
    table_elements_max: usize,
    /// How much all its memories have grown to.
    pub(super) memory_bytes: usize,
    pub(super) denied: Option<&'static str>,
    /// What it is told is random.
    pub(super) random: Random,
    /// How many handles of the host it holds.
    pub(super) handles: usize,
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if all > self.memory_bytes_max {
            self.denied = Some("memory");
            return Ok(false);
        }
        self.memory_bytes = all;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.table_elements_max {
            self.denied = Some("tables");
            return Ok(false);
        }
        Ok(true)
    }
}

/// Everything deterministic, everything counted, nothing that a mapper does not need.
fn config(limits: &MapperLimits, profile: Profile) -> Config {
    // A runtime comes in several modules, linked to each other.
    let (modules, memories, tables) = match profile {
        Profile::Pure => (4, 1, 4),
        Profile::Wasi => (64, 2, 8),
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits.instances_max)
        .total_core_instances(limits.instances_max * modules)
        .total_memories(limits.instances_max * memories)
        .total_tables(limits.instances_max * tables)
        .max_memories_per_component(memories)
        .max_core_instances_per_component(modules)
        .max_tables_per_component(tables)
        .max_memory_size(limits.memory_bytes_max)
        .table_elements(limits.table_elements_max);
    // Where the kernel can tell which pages an instance wrote, wiping those is cheaper than giving all of them back.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes).linear_memory_keep_resident(RESIDENT_BYTES_MAX);
    }
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes_max)
        .cranelift_nan_canonicalization(true)
        .wasm_memory64(false)
        // The engine writes code of its own between parts of a component, and panics where that may not use two memories;
        // the pool counts those of the guest.
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false)
        .wasm_component_model(true);
    // An interpreter is a lot of code: debug builds compile it quickly rather than well. It takes the same fuel.
    if profile == Profile::Wasi && cfg!(debug_assertions) {
        config.cranelift_opt_level(OptLevel::None);
    }
    config
}

/// Starts the thread that advances the engine's epoch, which is what deadlines are counted in, until the sender is gone.
fn tick(engine: EngineWeak) -> io::Result<SyncSender<()>> {
    let (alive, watch) = sync_channel::<()>(0);
    std::thread::Builder::new().name("mapper-deadline".to_owned()).spawn(move || {
        while watch.recv_timeout(Duration::from_millis(TICK_MS)) == Err(RecvTimeoutError::Timeout) {
            let Some(engine) = engine.upgrade() else { break };
            engine.increment_epoch();
        }
    })?;
    Ok(alive)
}

/// Finds every kind and field that the mapper speaks of in the canonical schemas.
fn agree(profile: &raw::Profile, canonical: &Canonical) -> Result<Agreement, LoadError> {
    let mut agreement = Vec::with_capacity(profile.kinds.len());
    for (kind, fields) in &profile.kinds {
        let id = canonical.id(kind).ok_or_else(|| LoadError::Kind(kind.clone()))?;
        let known = &canonical.kind(id).fields;
        let mut numbers = Vec::with_capacity(fields.len());
        for field in fields {
            let number = (0..).zip(known).find(|(_, one)| one.name == *field).map(|(number, _)| number);
            let unknown = || LoadError::Field { kind: kind.clone(), field: field.clone() };
            numbers.push(number.ok_or_else(unknown)?);
        }
        agreement.push((id, numbers));
    }
    Ok(Agreement(agreement))
}
