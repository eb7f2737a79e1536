//! The engine: one configuration, one pool of instances, one ticker, one cache of compiled code.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::cache::CodeCache;
use super::guest::Data;
use super::places::{Places, SPARE_INSTANCES};
use super::{imports, supervision, wasi};
use crate::model::{ErrorCode, HostError};

/// How often a running guest is looked at, in milliseconds: the least time after which an endless loop gives way, and
/// the precision of every time limit.
pub(super) const EPOCH_TICK_MS: u64 = 10;
/// Stack of a guest, in bytes.
const GUEST_STACK_BYTES: usize = 512 << 10;
/// Core instances of one component: its module, and what adapts it.
const CORE_INSTANCES_PER_COMPONENT: u32 = 32;
/// Memories and tables of one component.
const MEMORIES_PER_COMPONENT: u32 = 4;
const TABLES_PER_COMPONENT: u32 = 16;
/// Elements of a pooled table; an actor's own limit is usually smaller.
const POOL_TABLE_ELEMENTS: usize = 1 << 20;
/// What a pooled slot keeps resident between instances, in bytes.
const KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// Virtual addresses set aside for one memory, in bytes: all that 32 bits reach, so that no access needs a check.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;

/// What a sandbox is made with.
#[derive(Debug, Clone)]
pub(crate) struct SandboxOptions {
    /// How many instances may live at once.
    pub(crate) instances: u32,
    /// Where compiled code is kept; none: nowhere.
    pub(crate) code_cache: Option<PathBuf>,
}

/// Compiles and links plugins. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub(super) engine: Engine,
    pub(super) linker: Arc<Linker<Data>>,
    pub(super) cache: Option<Arc<CodeCache>>,
    pub(super) places: Places,
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
        let failed = |error: wasmtime::Error| {
            HostError::new(ErrorCode::Engine, format!("cannot set up room for {} instances", options.instances))
                .hint("lower `instances`, or raise the address space limit (`ulimit -v`)")
                .source(format!("{error:#}"))
        };
        let engine = Engine::new(&configuration(options.instances.saturating_add(SPARE_INSTANCES))).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        imports::add_to(&mut linker).map_err(failed)?;
        supervision::add_to(&mut linker).map_err(failed)?;
        wasi::add_to(&mut linker).map_err(failed)?;
        start_ticker(&engine)?;
        let cache = options.code_cache.as_deref().and_then(|dir| CodeCache::open(dir, &engine)).map(Arc::new);
        Ok(Self { engine, linker: Arc::new(linker), cache, places: Places::new(options.instances) })
    }
}

/// The one place where the engine is configured: compiled code is only as good as the settings it was made for.
fn configuration(instances: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        // Most components have a few core instances, one memory and two tables; there is always room for a large one.
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT / 4) + CORE_INSTANCES_PER_COMPONENT)
        .total_memories(instances.saturating_add(instances / 4 + MEMORIES_PER_COMPONENT))
        .total_tables(instances.saturating_mul(2).saturating_add(TABLES_PER_COMPONENT))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .table_elements(POOL_TABLE_ELEMENTS)
        .max_memory_size(usize::try_from(MEMORY_RESERVATION_BYTES).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(GUEST_STACK_BYTES * 4)
        // No function of the contract is async in the component model's sense; without it a call costs a third.
        .concurrency_support(false)
        .wasm_component_model(true);
    config
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
