//! What a host is made of, and how it is put together.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::startup::{self, Awaited};
use super::{DEFAULT_INSTANCES, Host, Inner, loading, resuming, sweeping, telling, tenancy, watching};
use crate::actor::{Residents, Tenures};
use crate::catalog::Catalog;
use crate::events::Events;
use crate::logs::Logs;
use crate::model::{
    ActorSpec, ChildSpec, CoreDumps, ErrorCode, Grants, HostError, HostsSettings, Passivation, PluginKey, PluginName,
    Sha256, StateRules, Template,
};
use crate::registry::Registry;
use crate::router::{Calls, Router};
use crate::sandbox::{Sandbox, SandboxOptions, Wanted};
use crate::store::{
    Backend, ConnectError, MemoryStore, OpenError, Opened, Premises, SnapshotStore, StoreOptions, StoreUrl, connect,
};
use crate::supervisor::{Supervisor, Surroundings};
use crate::swap::{Ground, Swaps};
use crate::telemetry::{Metrics, SpanCounts};

/// What a host is made of. Nothing happens before [`HostBuilder::build`].
#[derive(Debug)]
pub struct HostBuilder {
    data_dir: Option<PathBuf>,
    code_cache: Option<PathBuf>,
    store: Option<Arc<dyn SnapshotStore>>,
    backend: Backend,
    store_url: Option<StoreUrl>,
    options: StoreOptions,
    hosts: HostsSettings,
    plugins: Vec<Listed>,
    children: Vec<ChildSpec>,
    templates: Vec<Template>,
    grants: HashMap<PluginName, Grants>,
    granted_to_all: Option<Grants>,
    plugin_keys: Vec<PluginKey>,
    rules: HashMap<PluginName, StateRules>,
    passivation: Passivation,
    sandbox: SandboxOptions,
    traces: bool,
    span_counts: Option<Arc<SpanCounts>>,
    logs: Option<Logs>,
}

/// A plugin to load, and what was said of it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) source: PluginSource,
    grants: Option<Grants>,
    rules: Option<StateRules>,
    watched: bool,
    pin: Option<Sha256>,
    signature: Option<String>,
}

impl Listed {
    fn new(source: PluginSource) -> Self {
        Self { source, grants: None, rules: None, watched: false, pin: None, signature: None }
    }
}

#[derive(Debug)]
pub(super) enum PluginSource {
    File(PathBuf),
    Bytes(String, Vec<u8>),
}

impl PluginSource {
    /// The file to watch.
    fn file(&self) -> Result<PathBuf, HostError> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Bytes(label, _) => {
                Err(HostError::new(ErrorCode::Config, format!("plugin {label}: it has no file that could be watched")))
            }
        }
    }
}

impl HostBuilder {
    pub(super) fn new() -> Self {
        Self {
            data_dir: None,
            code_cache: None,
            store: None,
            backend: Backend::default(),
            store_url: None,
            options: StoreOptions::default(),
            hosts: HostsSettings::default(),
            plugins: Vec::new(),
            children: Vec::new(),
            templates: Vec::new(),
            grants: HashMap::new(),
            granted_to_all: None,
            plugin_keys: Vec::new(),
            rules: HashMap::new(),
            passivation: Passivation::default(),
            sandbox: SandboxOptions { instances: DEFAULT_INSTANCES, ..SandboxOptions::default() },
            traces: false,
            span_counts: None,
            logs: None,
        }
    }

    /// Where state and compiled code are kept: the store, and the folder `code`. Without it, state is kept in memory and is
    /// gone with the process. The folder is made if need be, for its owner alone.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// Another place for compiled code. The folder must be its owner's alone, or it is not used.
    #[must_use]
    pub fn code_cache(mut self, dir: impl Into<PathBuf>) -> Self {
        self.code_cache = Some(dir.into());
        self
    }

    /// A store of one's own, instead of the one in the data directory.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn SnapshotStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// How the host shares its store with others, where the store can be shared: see [`Hosts`](crate::store::Hosts).
    #[must_use]
    pub fn hosts(mut self, settings: HostsSettings) -> Self {
        self.hosts = settings;
        self
    }

    /// Opens a store even if it is damaged or holds less than its witness says: the old one is put aside, never deleted,
    /// and what can be read is taken over.
    #[must_use]
    pub fn recover(mut self, yes: bool) -> Self {
        self.options.recover = yes;
        self
    }

    /// What keeps the state in the data directory; [`Backend::Sled`] unless told. A directory that holds the store of
    /// another one is refused.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// A store on a server, instead of one in the data directory; other hosts may use it at the same time.
    #[must_use]
    pub fn store_url(mut self, url: StoreUrl) -> Self {
        self.store_url = Some(url);
        self
    }

    /// Records kept for each actor, the current one included: 2 to 1,000; [`DEFAULT_HISTORY`](crate::store::DEFAULT_HISTORY)
    /// unless told. Those that are more after the number was lowered go with the actor's next commit.
    #[must_use]
    pub fn history(mut self, records: usize) -> Self {
        self.options.history_records = records;
        self
    }

    /// What the store in the data directory may keep in memory of what it has read, in bytes:
    /// [`DEFAULT_CACHE_BYTES`](crate::store::DEFAULT_CACHE_BYTES) unless told. Where many actors sleep and wake, a
    /// store that finds their heads in its cache answers faster.
    #[must_use]
    pub fn store_cache_bytes(mut self, bytes: u64) -> Self {
        self.options.cache_bytes = bytes;
        self
    }

    /// A plugin's file. Of several versions of one plugin, the last one is current.
    #[must_use]
    pub fn plugin_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.plugins.push(Listed::new(PluginSource::File(path.into())));
        self
    }

    /// A plugin's bytes; `label` names them in messages.
    #[must_use]
    pub fn plugin_bytes(mut self, label: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.plugins.push(Listed::new(PluginSource::Bytes(label.into(), bytes)));
        self
    }

    /// An actor that is started with the host. They start in order, and stop in reverse.
    #[must_use]
    pub fn actor(self, spec: ActorSpec) -> Self {
        self.child(spec)
    }

    /// An actor, or a supervisor with all that is below it, that is started with the host, after those named before. What
    /// one child of the root does never ends the others: each has an intensity of its own, and stays down by itself where
    /// that is spent.
    #[must_use]
    pub fn child(mut self, spec: impl Into<ChildSpec>) -> Self {
        self.children.push(spec.into());
        self
    }

    /// Actors that are started by their first message. Those that ran when the host last stopped are started again.
    #[must_use]
    pub fn template(mut self, template: Template) -> Self {
        self.templates.push(template);
        self
    }

    /// What the actors of the plugin that was named last may do beyond being called; nothing, unless told.
    #[must_use]
    pub fn granted(mut self, grants: Grants) -> Self {
        if let Some(plugin) = self.plugins.last_mut() {
            plugin.grants = Some(grants);
        }
        self
    }

    /// The digest that the plugin that was named last must have: another one is refused before it is compiled, and so is one
    /// that is swapped in later. Where several versions of a plugin are named, it may be any that is pinned, if all are.
    #[must_use]
    pub fn pinned(mut self, digest: Sha256) -> Self {
        if let Some(plugin) = self.plugins.last_mut() {
            plugin.pin = Some(digest);
        }
        self
    }

    /// The text of the signature of the plugin that was named last, where its bytes came without a file.
    #[must_use]
    pub fn signed(mut self, signature: impl Into<String>) -> Self {
        if let Some(plugin) = self.plugins.last_mut() {
            plugin.signature = Some(signature.into());
        }
        self
    }

    /// Keys, by one of which every plugin must be signed, those of later swaps and what earlier swaps led to included:
    /// `FILE.wasm.minisig` beside `FILE.wasm`, as minisign makes it, or the text that comes with bytes. None: nothing need be
    /// signed.
    #[must_use]
    pub fn plugin_keys(mut self, keys: Vec<PluginKey>) -> Self {
        self.plugin_keys = keys;
        self
    }

    /// How the actors of the plugin that was named last keep their states, where their own specifications do not say.
    #[must_use]
    pub fn keeping(mut self, rules: StateRules) -> Self {
        if let Some(plugin) = self.plugins.last_mut() {
            plugin.rules = Some(rules);
        }
        self
    }

    /// Whether the file of the plugin that was named last is watched, for development: when it changes, and holds a component,
    /// that is swapped in, at once and without a rehearsal; where an actor does not take it, all go back. Only the version
    /// that is current can be watched, and only a file.
    #[must_use]
    pub fn watched(mut self) -> Self {
        if let Some(plugin) = self.plugins.last_mut() {
            plugin.watched = true;
        }
        self
    }

    /// What the actors of the plugin of this name may do beyond being called.
    #[must_use]
    pub fn grants(mut self, plugin: PluginName, grants: Grants) -> Self {
        self.grants.insert(plugin, grants);
        self
    }

    /// The same for every plugin that has no grants of its own.
    #[must_use]
    pub fn granted_to_all(mut self, grants: Grants) -> Self {
        self.granted_to_all = Some(grants);
        self
    }

    /// As [`HostBuilder::keeping`], for the plugin of this name.
    #[must_use]
    pub fn state_rules(mut self, plugin: PluginName, rules: StateRules) -> Self {
        self.rules.insert(plugin, rules);
        self
    }

    /// When actors are put to sleep that nobody needs; never, unless told. An actor's or a plugin's own
    /// [`StateRules::passivate_after`] counts before [`Passivation::after`].
    #[must_use]
    pub fn passivation(mut self, rules: Passivation) -> Self {
        self.passivation = rules;
        self
    }

    /// How many instances may live at once; [`DEFAULT_INSTANCES`] unless told. Address space is set aside for all: see
    /// [`HostBuilder::memory_reservation_bytes`].
    #[must_use]
    pub fn instances(mut self, count: u32) -> Self {
        self.sandbox.instances = count;
        self
    }

    /// The stack of each guest, in bytes; 512 KiB unless told. It is the engine's: a guest's own limits cannot change it.
    #[must_use]
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.sandbox.stack_bytes = bytes;
        self
    }

    /// Virtual addresses set aside for one linear memory, in bytes, beyond which none grows; 4 GiB unless told, which is all
    /// that a guest can name, and so no access of its memory needs a check. With less each does, and there is room for more
    /// instances, or for a host where addresses are few. It is the engine's, as the stack is.
    #[must_use]
    pub fn memory_reservation_bytes(mut self, bytes: usize) -> Self {
        self.sandbox.memory_reservation_bytes = bytes;
        self
    }

    /// Linear memory of all guests together, in bytes, beyond the first 2 MiB of each; unless told, what the machine has.
    #[must_use]
    pub fn guests_memory_bytes(mut self, bytes: usize) -> Self {
        self.sandbox.guests_memory_bytes = Some(bytes);
        self
    }

    /// How many guests may compute for long at once, beside those whose calls are done within some 10 ms; unless told, one
    /// less than there are processors, and at least one.
    #[must_use]
    pub fn computing_guests(mut self, guests: usize) -> Self {
        self.sandbox.computing_guests = Some(guests);
        self
    }

    /// Writes a core dump of each guest that crashes, at most one a second. It holds all that the guest had in its memory.
    #[must_use]
    pub fn core_dumps(mut self, core_dumps: CoreDumps) -> Self {
        self.sandbox.core_dumps = Some(core_dumps);
        self
    }

    /// Whether a trace begins with what comes from outside and is part of none, and with timers; no, unless told. Spans are
    /// those of `tracing`, of the target [`TRACE_TARGET`](crate::telemetry::TRACE_TARGET): a layer of `tracing-opentelemetry`
    /// takes them, and its tracer's sampler draws which traces are kept.
    #[must_use]
    pub fn traces(mut self, yes: bool) -> Self {
        self.traces = yes;
        self
    }

    /// What becomes of the spans that an [`Exporter`](crate::telemetry::Exporter) takes, for the numbers that are told.
    #[must_use]
    pub fn span_counts(mut self, counts: Arc<SpanCounts>) -> Self {
        self.span_counts = Some(counts);
        self
    }

    /// The log that the API is to tell of; what fills it is its layer, in the process's subscriber. Of one host: with that it
    /// ends.
    #[must_use]
    pub fn logs(mut self, logs: Logs) -> Self {
        self.logs = Some(logs);
        self
    }

    /// Opens the store, loads the plugins, and starts the actors: it waits for their `init`, not for their states. An
    /// actor that would not start is shown as `failed`, and does not keep the others from starting.
    ///
    /// # Errors
    /// If a plugin cannot be used, if an actor or template names one that is not loaded, if two actors have one name, or
    /// if the store cannot be opened. Nothing runs then.
    pub async fn build(self) -> Result<Host, HostError> {
        Ok(self.prepare().await?.start().await)
    }

    /// The first half of [`HostBuilder::build`]: opens the store and loads the plugins. Nobody runs yet; the host can be
    /// looked at, and whoever calls an actor is told that the host is starting.
    ///
    /// # Errors
    /// As [`HostBuilder::build`].
    pub async fn prepare(self) -> Result<Prepared, HostError> {
        self.check()?;
        // The store comes first: its lock proves that the folder is this host's alone.
        let (store, premises) = self.open_store().await?;
        let built = self.build_with(store.clone(), premises).await;
        if built.is_err() {
            // What failed is told; a barrier that fails as well has nothing to add.
            drop(store.close().await);
        }
        built
    }

    fn check(&self) -> Result<(), HostError> {
        if self.sandbox.instances == 0 {
            return Err(HostError::new(ErrorCode::Config, "`instances` is 0: no actor could run"));
        }
        let mut names = std::collections::HashSet::new();
        let mut below: Vec<&ChildSpec> = self.children.iter().collect();
        while let Some(child) = below.pop() {
            if !names.insert(child.name()) {
                return Err(HostError::new(ErrorCode::Config, format!("`{}` is listed twice", child.name())));
            }
            below.extend(child.children());
        }
        if let Some((name, what)) = self.children.iter().flat_map(ChildSpec::problems).next() {
            return Err(HostError::new(ErrorCode::Config, format!("child `{name}`: {what}")));
        }
        for template in &self.templates {
            let Some(above) = &template.supervisor else { continue };
            if !names.contains(above) {
                let what = format!("the actors `{}` stand under `{above}`, which is not there", template.pattern);
                return Err(HostError::new(ErrorCode::Config, what));
            }
        }
        Ok(())
    }

    async fn open_store(&self) -> Result<(Arc<dyn SnapshotStore>, Option<Premises>), HostError> {
        if let Some(store) = &self.store {
            return Ok((store.clone(), None));
        }
        if let Some(url) = &self.store_url {
            let take = |dir: &PathBuf| Premises::take(dir, url).map_err(|error| store_error(&error));
            let premises = self.data_dir.as_ref().map(take).transpose()?;
            let store = connect(url, self.options.history_records).await.map_err(|error| connect_error(&error))?;
            tracing::info!(%url, durable = ?store.capabilities().durable, "store opened");
            return Ok((store, premises));
        }
        let (backend, options) = (self.backend, self.options);
        let Some(dir) = self.data_dir.clone() else {
            return Ok((Arc::new(MemoryStore::new().with_history(options.history_records)), None));
        };
        let opened = tokio::task::spawn_blocking(move || backend.open(&dir, &options)).await;
        let opened = opened.map_err(|e| HostError::new(ErrorCode::Store, "opening the store panicked").source(e))?;
        let (store, report) = opened.map_err(|error| store_error(&error))?;
        tell_opened(&report);
        Ok((store, None))
    }

    async fn build_with(
        self,
        store: Arc<dyn SnapshotStore>,
        premises: Option<Premises>,
    ) -> Result<Prepared, HostError> {
        let below = |folder: &str| self.data_dir.as_ref().map(|dir| dir.join(folder));
        let components = below("plugins");
        let code_cache = self.code_cache.clone().or_else(|| below("code"));
        let kept_apart = loading::kept_apart(self.data_dir.as_deref(), code_cache.as_deref(), &self.plugins);
        let pressed: Arc<Notify> = Arc::default();
        let wanted = self.puts_to_sleep().then(|| Arc::new(Wanted::new(pressed.clone())));
        let residents = Arc::new(Residents::new(self.passivation, pressed));
        let options = SandboxOptions { code_cache, wanted: wanted.clone(), ..self.sandbox };
        let made = tokio::task::spawn_blocking(move || Sandbox::new(&options)).await;
        let sandbox = made.map_err(|e| HostError::new(ErrorCode::Engine, "the engine panicked").source(e))??;
        let events = Events::default();
        let catalog = Arc::new(Catalog::new(components, self.plugin_keys, events.clone())?);
        let (mut grants, mut rules, mut programs) = (self.grants, self.rules, Vec::new());
        let mut watched = Vec::new();
        for plugin in self.plugins {
            let file = plugin.watched.then(|| plugin.source.file()).transpose()?;
            let program = match plugin.source {
                PluginSource::File(path) => catalog.load_file(&sandbox, &path, plugin.pin).await?,
                PluginSource::Bytes(label, bytes) => {
                    let signed = catalog.trusted(&label, bytes, plugin.signature, plugin.pin).await?;
                    catalog.load(&sandbox, &label, signed, plugin.pin).await?
                }
            };
            let name = &program.description().name;
            watched.extend(file.map(|file| watching::File::new(name, file, program.digest())));
            plugin.grants.and_then(|granted| grants.insert(name.clone(), granted));
            plugin.rules.and_then(|kept| rules.insert(name.clone(), kept));
            programs.push(program);
        }
        watched.iter().try_for_each(|file| file.check(&catalog))?;
        let grants = loading::grants(&programs, grants, self.granted_to_all.as_ref(), &kept_apart).await?;
        let grants = Arc::new(grants);
        catalog.granted(grants.clone());
        catalog.restore(&sandbox).await?;
        let listed = self.children.iter().flat_map(ChildSpec::actors);
        for spec in listed.chain(self.templates.iter().map(Template::spec)) {
            catalog.choose(spec)?;
        }
        let registry = Arc::new(Registry::default());
        let metrics = Arc::<Metrics>::default();
        if let Some(counts) = self.span_counts {
            metrics.spans(counts);
        }
        let router = Router::new(registry.clone(), self.templates, grants.clone(), events.clone());
        let router = router.telling(self.traces, metrics.clone());
        let router = Arc::new(router);
        let rules = Arc::new(rules);
        let node = self.hosts.node.clone();
        let node = node.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        let tenures = Arc::new(match store.hosts() {
            Some(_) => Tenures::shared(node.clone(), self.hosts.owned_elsewhere, self.hosts.look),
            None => Tenures::alone(tenancy::new_id(), node.clone()),
        });
        let tenancy = tenancy::Tenancy::new(self.hosts);
        let supervisor = Supervisor::start(|_| Surroundings {
            catalog: catalog.clone(),
            registry: registry.clone(),
            store: store.clone(),
            tenures: tenures.clone(),
            node,
            post: router.clone(),
            outside: Arc::new(Calls(router.clone())),
            events: events.clone(),
            rules: rules.clone(),
            grants: grants.clone(),
            traces: self.traces,
            metrics: metrics.clone(),
            residents: residents.clone(),
        });
        router.supervised_by(supervisor.clone());
        let (shutdown, logs, premises) = (Mutex::new(None), self.logs, Mutex::new(premises));
        let ground = Ground {
            catalog: catalog.clone(),
            registry: registry.clone(),
            router: router.clone(),
            supervisor: supervisor.clone(),
            store: store.clone(),
            sandbox: sandbox.clone(),
            metrics,
            events: events.clone(),
        };
        let swaps = Swaps::new(ground);
        let names = |spec: &ActorSpec| spec.name.clone();
        let listed = Awaited::new(self.children.iter().flat_map(ChildSpec::actors).map(names).collect());
        let host = Inner {
            catalog,
            registry,
            router,
            supervisor,
            store,
            tenures,
            tenancy,
            premises,
            sandbox,
            swaps,
            listed,
            events,
            logs,
            shutdown,
        };
        let host = Host(Arc::new(host));
        for cut in self.children.iter().flat_map(|child| child.cut_short(None, "")) {
            tracing::warn!("{cut}: the tighter one wins");
        }
        host.0.registry.starting();
        let sweep = wanted.map(|wanted| (residents, wanted));
        Ok(Prepared { host, children: self.children, watched, sweep })
    }

    /// Whether anybody may ever be put to sleep.
    fn puts_to_sleep(&self) -> bool {
        let says = |rules: &StateRules| rules.passivate_after.is_some_and(|after| after != Duration::MAX);
        let actors = self.children.iter().flat_map(ChildSpec::actors);
        let actors = actors.chain(self.templates.iter().map(Template::spec)).map(|spec| &spec.state);
        let plugins = self.plugins.iter().filter_map(|plugin| plugin.rules.as_ref()).chain(self.rules.values());
        self.passivation.is_on() || actors.chain(plugins).any(says)
    }
}

/// A host whose store is open and whose plugins are loaded, and in which nobody runs yet.
#[derive(Debug)]
pub struct Prepared {
    host: Host,
    children: Vec<ChildSpec>,
    watched: Vec<watching::File>,
    /// Those that are awake, where anybody is put to sleep, and who waits for their places.
    sweep: Option<(Arc<Residents>, Arc<Wanted>)>,
}

impl Prepared {
    /// The host, to look at.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Where other hosts that share the store, and those who ask them, are told that this host's API is: a URL. What the
    /// settings say goes before it.
    pub fn reached_at(&self, address: &str) {
        self.host.0.tenancy.reached_at(address);
    }

    /// Starts the actors, one after the other, and waits for their `init`, not for their states.
    pub async fn start(self) -> Host {
        let Self { host, children, watched, sweep } = self;
        tokio::spawn(tenancy::keep(Arc::downgrade(&host.0)));
        let listed = children.iter().flat_map(ChildSpec::actors).map(|actor| actor.name.clone()).collect();
        for spec in children {
            let name = spec.name().clone();
            if let Err(error) = host.0.supervisor.start_child(None, spec, true).await {
                tracing::error!(child = %name, %error, "it did not start");
            }
        }
        host.0.registry.started();
        host.0.router.started(listed);
        host.0.listed.started();
        tokio::spawn(resuming::resume_again_and_again(Arc::downgrade(&host.0)));
        tokio::spawn(resuming::wake(Arc::downgrade(&host.0)));
        if let Some((residents, wanted)) = sweep {
            tokio::spawn(sweeping::sweep(Arc::downgrade(&host.0), residents, wanted));
        }
        tokio::spawn(telling::store(Arc::downgrade(&host.0)));
        tokio::spawn(startup::follow(Arc::downgrade(&host.0)));
        for file in watched {
            tokio::spawn(watching::watch(Arc::downgrade(&host.0), file));
        }
        host
    }
}

/// What was found in the store, and above all what was lost when it was recovered.
fn tell_opened(report: &Opened) {
    tracing::info!(actors = report.actors, writes = report.writes, created = report.created, "store opened");
    for note in &report.notes {
        tracing::warn!("store: {note}");
    }
    if let Some(recovered) = &report.recovered {
        let aside: Vec<_> = recovered.aside.iter().map(|path| path.display().to_string()).collect();
        tracing::warn!(
            why = recovered.why,
            kept = recovered.actors,
            aside = aside.join(", "),
            "the store was recovered"
        );
        for lost in &recovered.lost {
            tracing::warn!("lost in the recovery: {lost}");
        }
    }
}

/// The store's own words say what is wrong, where, and what to do.
fn store_error(error: &OpenError) -> HostError {
    let code = match error {
        OpenError::InUse { .. } => ErrorCode::InUse,
        OpenError::Damaged { .. } => ErrorCode::StoreDamaged,
        OpenError::OtherBackend { .. } | OpenError::Several { .. } | OpenError::KeptHere { .. } => ErrorCode::Config,
        OpenError::Io { .. } => ErrorCode::Store,
    };
    HostError::new(code, error.to_string())
}

/// Likewise, of a store on a server.
fn connect_error(error: &ConnectError) -> HostError {
    let code = match error {
        ConnectError::Unreachable { .. } => ErrorCode::Store,
        _ => ErrorCode::Config,
    };
    HostError::new(code, error.to_string())
}
