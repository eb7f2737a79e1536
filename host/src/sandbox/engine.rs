//! The engine: one configuration, one pool of instances, one ticker, one cache of compiled code.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::cache::CodeCache;
use super::core_dump::Dumper;
use super::guest::Data;
use super::limiter::Room;
use super::pace::Lane;
use super::places::{Places, SPARE_INSTANCES, Wanted};
use super::{contract, trap, wasi};
use crate::model::{CoreDumps, ErrorCode, HostError, MOST_CORE_INSTANCES, MOST_MEMORIES, MOST_TABLES};

/// How often a running guest is looked at, in milliseconds: the least time after which an endless loop gives way, and
/// the precision of every time limit.
pub(super) const EPOCH_TICK_MS: u64 = 10;
/// Core instances, memories and tables that a component usually has at most; there is room for a large one beside.
const CORE_INSTANCES: u32 = 8;
const TABLES: u32 = 2;
/// Stack of a guest, in bytes, unless told; and what host functions have of it beyond that.
pub(crate) const DEFAULT_STACK_BYTES: usize = 512 << 10;
const HOST_STACK_BYTES: usize = 1_536 << 10;
/// Elements of a pooled table; an actor's own limit is usually smaller.
const POOL_TABLE_ELEMENTS: usize = 1 << 20;
/// What a pooled slot keeps resident between instances, in bytes.
const KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// Virtual addresses set aside for one memory, in bytes, unless told: all that 32 bits reach, so that no access needs a check.
pub(crate) const DEFAULT_MEMORY_RESERVATION_BYTES: usize = 4 << 30;

/// What a sandbox is made with.
#[derive(Debug, Clone)]
pub(crate) struct SandboxOptions {
    /// How many instances may live at once.
    pub(crate) instances: u32,
    /// Where compiled code is kept; none: nowhere.
    pub(crate) code_cache: Option<PathBuf>,
    /// Stack of a guest, in bytes. It is the engine's, and so the same for all.
    pub(crate) stack_bytes: usize,
    /// Virtual addresses set aside for one memory, in bytes, beyond which none grows.
    pub(crate) memory_reservation_bytes: usize,
    /// Linear memory of all guests together, in bytes; none: as much as the machine has.
    pub(crate) guests_memory_bytes: Option<usize>,
    /// How many guests may compute for long at once; none: one less than the machine has processors.
    pub(crate) computing_guests: Option<usize>,
    /// Where core dumps go; none: nowhere.
    pub(crate) core_dumps: Option<CoreDumps>,
    /// Where those are told that make room when all places are taken; none: nobody does.
    pub(crate) wanted: Option<Arc<Wanted>>,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            instances: 1,
            code_cache: None,
            stack_bytes: DEFAULT_STACK_BYTES,
            memory_reservation_bytes: DEFAULT_MEMORY_RESERVATION_BYTES,
            guests_memory_bytes: None,
            computing_guests: None,
            core_dumps: None,
            wanted: None,
        }
    }
}

/// Compiles and links plugins. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub(super) engine: Engine,
    pub(super) linker: Arc<Linker<Data>>,
    pub(super) cache: Option<Arc<CodeCache>>,
    pub(super) places: Places,
    shared: Arc<Shared>,
}

/// What all guests of a host share beside the engine.
struct Shared {
    options: SandboxOptions,
    room: Arc<Room>,
    lane: Lane,
    dumper: Option<Dumper>,
    /// The engine of those whose fuel is counted, made when the first one comes.
    counting: OnceLock<Sandbox>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// # Errors
    /// If the engine or its pool cannot be made, for want of address space most likely.
    pub(crate) fn new(options: &SandboxOptions) -> Result<Self, HostError> {
        let memory_bytes = options.guests_memory_bytes.unwrap_or_else(machine_memory_bytes);
        let shared = Shared {
            options: options.clone(),
            room: Arc::new(Room::new(options, memory_bytes)),
            lane: Lane::new(options.computing_guests),
            dumper: options.core_dumps.clone().map(Dumper::new),
            counting: OnceLock::new(),
        };
        Self::of(&configuration(options, false), Arc::new(shared))
    }

    fn of(config: &Config, shared: Arc<Shared>) -> Result<Self, HostError> {
        let options = &shared.options;
        let failed = |error: wasmtime::Error| {
            HostError::new(ErrorCode::Engine, format!("cannot set up room for {} instances", options.instances))
                .hint("lower `instances` or `memory_reservation_bytes`, or raise the address space limit (`ulimit -v`)")
                .source(format!("{error:#}"))
        };
        let engine = Engine::new(config).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        contract::add_to(&mut linker).map_err(failed)?;
        wasi::add_to(&mut linker).map_err(failed)?;
        start_ticker(&engine)?;
        let cache = options.code_cache.as_deref().and_then(|dir| CodeCache::open(dir, &engine)).map(Arc::new);
        let places = Places::new(options.instances, options.wanted.clone());
        Ok(Self { engine, linker: Arc::new(linker), cache, places, shared })
    }

    /// The same with fuel counted, which costs every instruction a little and so has an engine of its own. Compiled code
    /// is kept apart: the cache tells engines by their settings.
    ///
    /// # Errors
    /// As [`Sandbox::new`].
    pub(super) fn counting(&self) -> Result<&Self, HostError> {
        if let Some(made) = self.shared.counting.get() {
            return Ok(made);
        }
        let options = &self.shared.options;
        let shared = Shared {
            options: options.clone(),
            room: self.shared.room.clone(),
            lane: Lane::new(options.computing_guests),
            dumper: None,
            counting: OnceLock::new(),
        };
        let made = Self::of(&configuration(options, true), Arc::new(shared))?;
        Ok(self.shared.counting.get_or_init(|| made))
    }

    /// What of its pools is in use: each by its name, how much, and of how much.
    pub(crate) fn pools(&self) -> [(&'static str, u64, u64); 3] {
        let [instances, spare] = self.places.taken();
        let (computing, may) = self.shared.lane.taken();
        [
            ("instances", instances.0.into(), instances.1.into()),
            ("spare-instances", spare.0.into(), spare.1.into()),
            ("computing-guests", computing as u64, may as u64),
        ]
    }

    pub(super) fn room(&self) -> &Arc<Room> {
        &self.shared.room
    }

    pub(super) fn lane(&self) -> &Lane {
        &self.shared.lane
    }

    pub(super) fn dumper(&self) -> Option<&Dumper> {
        self.shared.dumper.as_ref()
    }
}

/// What the machine has of memory, in bytes.
#[cfg(target_os = "linux")]
fn machine_memory_bytes() -> usize {
    let system = rustix::system::sysinfo();
    usize::try_from(system.totalram).unwrap_or(usize::MAX).saturating_mul(system.mem_unit as usize)
}

#[cfg(not(target_os = "linux"))]
fn machine_memory_bytes() -> usize {
    usize::MAX
}

/// The one place where the engine is configured: compiled code is only as good as the settings it was made for.
fn configuration(options: &SandboxOptions, fuel: bool) -> Config {
    let allocation = match fuel {
        // Those whose fuel is counted are few: a second pool would take as many addresses as the first.
        true => InstanceAllocationStrategy::OnDemand,
        false => InstanceAllocationStrategy::Pooling(pool(options)),
    };
    let mut config = Config::new();
    config
        .allocation_strategy(allocation)
        .consume_fuel(fuel)
        .memory_reservation(options.memory_reservation_bytes as u64)
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(options.stack_bytes)
        .async_stack_size(options.stack_bytes.saturating_add(HOST_STACK_BYTES))
        .wasm_backtrace_max_frames(NonZeroUsize::new(trap::FRAMES))
        // A stranger's debug information is not read, whatever the environment says.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .coredump_on_trap(options.core_dumps.is_some())
        // No function of the contract is async in the component model's sense; without it a call costs a third.
        .concurrency_support(false)
        .wasm_component_model(true);
    config
}

fn pool(options: &SandboxOptions) -> PoolingAllocationConfig {
    let instances = options.instances.saturating_add(SPARE_INSTANCES);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        // Most components have a few core instances, one memory and two tables; there is always room for a large one.
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES).saturating_add(MOST_CORE_INSTANCES))
        .total_memories(instances.saturating_add(instances / 4 + MOST_MEMORIES))
        .total_tables(instances.saturating_mul(TABLES).saturating_add(MOST_TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(MOST_CORE_INSTANCES)
        .max_memories_per_component(MOST_MEMORIES)
        .max_tables_per_component(MOST_TABLES)
        .max_tables_per_module(MOST_TABLES)
        .max_memories_per_module(MOST_MEMORIES)
        .table_elements(POOL_TABLE_ELEMENTS)
        .max_memory_size(options.memory_reservation_bytes)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Moves the engine's epoch on until the engine is gone.
fn start_ticker(engine: &Engine) -> Result<(), HostError> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(Duration::from_millis(EPOCH_TICK_MS));
        }
    };
    let spawned = std::thread::Builder::new().name("baton-epoch".into()).spawn(tick);
    spawned.map(drop).map_err(|e| HostError::new(ErrorCode::Engine, "cannot start the epoch thread").source(e))
}
