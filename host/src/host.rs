//! The front door: builds the rooms below in order, and takes them down in reverse.

mod keeping;
mod loading;
mod swapping;
mod ties;
mod watching;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::actor::{Budget, Cell, control};
use crate::catalog::Catalog;
use crate::model::{
    ActorName, ActorSpec, Body, CallError, ChildInfo, ChildSpec, CoreDumps, Counts, Description, ErrorCode, Grants,
    GroupName, HostError, MessageId, PluginKey, PluginName, Saved, SendError, Sha256, StateRules, StopReason, Template,
};
use crate::registry::Registry;
use crate::router::{Calls, Router};
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::store::{Backend, Head, MemoryStore, OpenError, Opened, SnapshotStore, StoreOptions};
use crate::supervisor::{Supervisor, Surroundings};
use crate::swap::{Ground, Swaps};

pub use crate::actor::control::StateInfo;
pub use crate::actor::{ActorInfo, PastExit};
pub use crate::catalog::PluginInfo;
pub use crate::router::DeadLetter;
pub use crate::sandbox::{Inspection, Need};
pub use crate::supervisor::ShutdownReport;
pub use ties::{Link, Monitor};

/// How many instances may live at once, unless told otherwise.
pub const DEFAULT_INSTANCES: u32 = 10_000;
/// How long a call waits for its reply, unless told otherwise.
pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Heads read at once when actors are resumed, and actors started at once.
const RESUME_PAGE: usize = 1_000;
const RESUME_AT_ONCE: usize = 32;
/// How long after the store could not tell them it is asked again.
const LIST_AGAIN: Duration = Duration::from_secs(1);

/// How a call is made.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// The message's id; a sender that tries again uses the same one. None: a random one.
    pub id: Option<MessageId>,
    /// How long to wait for the reply; none: [`DEFAULT_CALL_TIMEOUT`].
    pub timeout: Option<Duration>,
}

/// A host: one process's plugins, actors and store. A cheap handle; all clones are the same host.
///
/// A host that is dropped without [`Host::shutdown`] ends its actors at once: their states are those of their last
/// records.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    catalog: Arc<Catalog>,
    registry: Arc<Registry>,
    router: Arc<Router>,
    supervisor: Supervisor,
    store: Arc<dyn SnapshotStore>,
    swaps: Swaps,
    /// What the shutdown comes to, once one has begun.
    shutdown: Mutex<Option<watch::Receiver<Option<ShutdownReport>>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.router.close();
        self.swaps.close();
        self.supervisor.abandon();
    }
}

/// What a host is made of. Nothing happens before [`HostBuilder::build`].
#[derive(Debug)]
pub struct HostBuilder {
    data_dir: Option<PathBuf>,
    code_cache: Option<PathBuf>,
    store: Option<Arc<dyn SnapshotStore>>,
    backend: Backend,
    options: StoreOptions,
    plugins: Vec<Listed>,
    children: Vec<ChildSpec>,
    templates: Vec<Template>,
    grants: HashMap<PluginName, Grants>,
    granted_to_all: Option<Grants>,
    plugin_keys: Vec<PluginKey>,
    rules: HashMap<PluginName, StateRules>,
    sandbox: SandboxOptions,
}

/// A plugin to load, and what was said of it.
#[derive(Debug)]
struct Listed {
    source: PluginSource,
    grants: Option<Grants>,
    rules: Option<StateRules>,
    watched: bool,
    pin: Option<Sha256>,
}

impl Listed {
    fn new(source: PluginSource) -> Self {
        Self { source, grants: None, rules: None, watched: false, pin: None }
    }
}

#[derive(Debug)]
enum PluginSource {
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

    /// Records kept for each actor, the current one included: 2 to 1,000; [`DEFAULT_HISTORY`](crate::store::DEFAULT_HISTORY)
    /// unless told. Those that are more after the number was lowered go with the actor's next commit.
    #[must_use]
    pub fn history(mut self, records: usize) -> Self {
        self.options.history_records = records;
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

    /// The digest that the plugin that was named last must have: another one is refused before it is compiled.
    #[must_use]
    pub fn pinned(mut self, digest: Sha256) -> Self {
        if let Some(plugin) = self.plugins.last_mut() {
            plugin.pin = Some(digest);
        }
        self
    }

    /// Keys, by one of which every plugin must be signed, those of later swaps included: `FILE.wasm.minisig` beside
    /// `FILE.wasm`, as minisign makes it. Bytes that come without a file have no signature, and are refused then. None: nothing
    /// need be signed.
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

    /// How many instances may live at once; [`DEFAULT_INSTANCES`] unless told. Address space is set aside for all.
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

    /// Opens the store, loads the plugins, and starts the actors: it waits for their `init`, not for their states. An
    /// actor that would not start is shown as `failed`, and does not keep the others from starting.
    ///
    /// # Errors
    /// If a plugin cannot be used, if an actor or template names one that is not loaded, if two actors have one name, or
    /// if the store cannot be opened. Nothing runs then.
    pub async fn build(self) -> Result<Host, HostError> {
        self.check()?;
        // The store comes first: its lock proves that the folder is this host's alone.
        let store = self.open_store().await?;
        let built = self.build_with(store.clone()).await;
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

    async fn open_store(&self) -> Result<Arc<dyn SnapshotStore>, HostError> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let (backend, options) = (self.backend, self.options);
        let Some(dir) = self.data_dir.clone() else {
            return Ok(Arc::new(MemoryStore::new().with_history(options.history_records)));
        };
        let opened = tokio::task::spawn_blocking(move || backend.open(&dir, &options)).await;
        let opened = opened.map_err(|e| HostError::new(ErrorCode::Store, "opening the store panicked").source(e))?;
        let (store, report) = opened.map_err(|error| store_error(&error))?;
        tell_opened(&report);
        Ok(store)
    }

    async fn build_with(self, store: Arc<dyn SnapshotStore>) -> Result<Host, HostError> {
        let below = |folder: &str| self.data_dir.as_ref().map(|dir| dir.join(folder));
        let components = below("plugins");
        let code_cache = self.code_cache.clone().or_else(|| below("code"));
        let kept_apart = loading::kept_apart(self.data_dir.as_deref(), code_cache.as_deref(), &self.plugins);
        let options = SandboxOptions { code_cache, ..self.sandbox };
        let made = tokio::task::spawn_blocking(move || Sandbox::new(&options)).await;
        let sandbox = made.map_err(|e| HostError::new(ErrorCode::Engine, "the engine panicked").source(e))??;
        let catalog = Arc::new(Catalog::new(components, self.plugin_keys)?);
        let (mut grants, mut rules, mut programs) = (self.grants, self.rules, Vec::new());
        let mut watched = Vec::new();
        for plugin in self.plugins {
            let file = plugin.watched.then(|| plugin.source.file()).transpose()?;
            let program = match plugin.source {
                PluginSource::File(path) => catalog.load_file(&sandbox, &path, plugin.pin).await?,
                PluginSource::Bytes(label, bytes) => {
                    let bytes = catalog.trusted(&label, bytes, None, plugin.pin).await?;
                    catalog.load(&sandbox, &label, bytes).await?
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
        catalog.restore(&sandbox).await?;
        let listed = self.children.iter().flat_map(ChildSpec::actors);
        for spec in listed.chain(self.templates.iter().map(Template::spec)) {
            catalog.choose(spec)?;
        }
        let registry = Arc::new(Registry::default());
        let grants = Arc::new(grants);
        let router = Arc::new(Router::new(registry.clone(), self.templates, grants.clone()));
        let rules = Arc::new(rules);
        let supervisor = Supervisor::start(|_| Surroundings {
            catalog: catalog.clone(),
            registry: registry.clone(),
            store: store.clone(),
            owner: format!("host-{}", MessageId::random()),
            node: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            post: router.clone(),
            outside: Arc::new(Calls(router.clone())),
            rules: rules.clone(),
            grants: grants.clone(),
        });
        router.supervised_by(supervisor.clone());
        let shutdown = Mutex::new(None);
        let ground = Ground {
            catalog: catalog.clone(),
            registry: registry.clone(),
            router: router.clone(),
            supervisor: supervisor.clone(),
            store: store.clone(),
            sandbox,
        };
        let swaps = Swaps::new(ground);
        let host = Host(Arc::new(Inner { catalog, registry, router, supervisor, store, swaps, shutdown }));
        for cut in self.children.iter().flat_map(|child| child.cut_short(None, "")) {
            tracing::warn!("{cut}: the tighter one wins");
        }
        let listed = self.children.iter().flat_map(ChildSpec::actors).map(|actor| actor.name.clone()).collect();
        host.0.registry.starting();
        for spec in self.children {
            let name = spec.name().clone();
            if let Err(error) = host.0.supervisor.start_child(None, spec, true).await {
                tracing::error!(child = %name, %error, "it did not start");
            }
        }
        host.0.registry.started();
        host.0.router.started(listed);
        tokio::spawn(resume(Arc::downgrade(&host.0)));
        tokio::spawn(wake(Arc::downgrade(&host.0)));
        for file in watched {
            tokio::spawn(watching::watch(Arc::downgrade(&host.0), file));
        }
        Ok(host)
    }
}

impl Host {
    /// What a host is made of.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder {
            data_dir: None,
            code_cache: None,
            store: None,
            backend: Backend::default(),
            options: StoreOptions::default(),
            plugins: Vec::new(),
            children: Vec::new(),
            templates: Vec::new(),
            grants: HashMap::new(),
            granted_to_all: None,
            plugin_keys: Vec::new(),
            rules: HashMap::new(),
            sandbox: SandboxOptions { instances: DEFAULT_INSTANCES, ..SandboxOptions::default() },
        }
    }

    /// What a plugin file is, found by loading it in a sandbox that grants nothing.
    ///
    /// # Errors
    /// As loading it would give.
    pub async fn inspect(label: &str, bytes: Vec<u8>) -> Result<Inspection, HostError> {
        let sandbox = Sandbox::new(&SandboxOptions::default())?;
        Ok(sandbox.load(label, bytes).await?.inspection().clone())
    }

    /// The plugins that are loaded.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginInfo> {
        let cells = self.0.registry.all();
        let named = |name: &PluginName| cells.iter().filter(|cell| cell.spec.plugin == *name).count();
        let running = |digest| cells.iter().filter(|cell| cell.status().component == Some(digest)).count();
        self.0.catalog.infos(named, running)
    }

    /// The actors that run, are parked, or stay down, in the order of their names.
    #[must_use]
    pub fn actors(&self) -> Vec<ActorInfo> {
        self.0.registry.all().iter().map(|cell| cell.info()).collect()
    }

    /// One actor.
    #[must_use]
    pub fn actor(&self, name: &ActorName) -> Option<ActorInfo> {
        self.0.registry.whereis(name).map(|cell| cell.info())
    }

    /// What the plugin of `actor` says of itself: the actor may also be one that its first message would start.
    #[must_use]
    pub fn description(&self, actor: &ActorName) -> Option<Description> {
        let running = self.0.registry.whereis(actor).map(|cell| cell.spec.plugin.clone());
        let plugin = running.or_else(|| self.0.router.template_for(actor).map(|(_, spec)| spec.plugin))?;
        let component = self.0.registry.whereis(actor).and_then(|cell| cell.status().component);
        let runs = component.and_then(|digest| self.0.catalog.program(&plugin, digest));
        let program = runs.or_else(|| self.0.catalog.current(&plugin).ok())?;
        Some(program.description().clone())
    }

    /// The media type of an actor's message bodies.
    #[must_use]
    pub fn media_type(&self, actor: &ActorName) -> Option<String> {
        self.description(actor).map(|description| description.messages)
    }

    /// Starts an actor below the root and waits for its `init` alone: its state is loaded beside that, and its messages wait
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Host::start_child`].
    pub async fn start(&self, spec: ActorSpec) -> Result<(), HostError> {
        self.start_child(None, spec).await
    }

    /// Adds a child below a supervisor, or below the root, and starts it: OTP's `start_child`. It waits for an actor's `init`
    /// alone, and for all that is below a supervisor. Below a supervisor with listed children it stands after them; below the
    /// root or a dynamic supervisor it is removed once it has ended.
    ///
    /// # Errors
    /// `AlreadyStarted` if the name is taken, unless by a child of the root that does not run: that one is replaced; a name that is being stopped is waited for;
    /// `AlreadyPresent` if it is known and does not run; `UnknownSupervisor`, `MaxChildren`, `ChildSpec`, `UnknownPlugin`;
    /// `Start` if `init` crashed, failed or ran out of time; and `ShuttingDown`.
    pub async fn start_child(
        &self,
        supervisor: Option<&ActorName>,
        spec: impl Into<ChildSpec>,
    ) -> Result<(), HostError> {
        if self.0.router.is_closed() {
            return Err(HostError::new(ErrorCode::ShuttingDown, "the host is going down"));
        }
        self.0.supervisor.start_child(supervisor.cloned(), spec.into(), false).await
    }

    /// Starts the actor that the first message to `name` would start, below its template's supervisor.
    ///
    /// # Errors
    /// `UnknownActor` if no template matches the name; else as [`Host::start_child`].
    pub async fn start_from_template(&self, name: &ActorName) -> Result<(), HostError> {
        let Some((above, spec)) = self.0.router.template_for(name) else {
            let what = format!("no actor `{name}` runs here, no supervisor has such a child, and no template matches");
            return Err(HostError::new(ErrorCode::UnknownActor, what));
        };
        self.start_child(above.as_ref(), spec).await
    }

    /// Starts a child that is known and does not run: OTP's `restart_child`.
    ///
    /// # Errors
    /// `UnknownActor`, `Running`, `Restarting`, `Start`, `ShuttingDown`.
    pub async fn restart_child(&self, name: &ActorName) -> Result<(), HostError> {
        self.0.supervisor.restart_child(name.clone()).await
    }

    /// Removes a child that is known and does not run: OTP's `delete_child`.
    ///
    /// # Errors
    /// `UnknownActor`, `Running`, `Restarting`, `ShuttingDown`.
    pub async fn delete_child(&self, name: &ActorName) -> Result<(), HostError> {
        self.0.supervisor.delete_child(name.clone()).await?;
        self.0.router.deleted(name);
        Ok(())
    }

    /// Stops a child and starts it again, its state handed over. One that does not run is started. It counts as no restart.
    ///
    /// # Errors
    /// `UnknownActor`, `Start`, `ShuttingDown`.
    pub async fn restart(&self, name: &ActorName) -> Result<(), HostError> {
        self.0.supervisor.stop_and_start(name.clone()).await
    }

    /// Ends a child at once, nothing saved, as `exit(Pid, kill)` does: its supervisor does what it does after a crash.
    ///
    /// # Errors
    /// `UnknownActor` if it does not run, `ShuttingDown`.
    pub async fn kill(&self, name: &ActorName) -> Result<(), HostError> {
        self.0.supervisor.kill(name.clone()).await
    }

    /// Suspends an actor, as `sys:suspend` does: it handles no messages and no timers until it is resumed; these wait. It can
    /// be stopped, killed and asked for its state, and a new instance is not suspended.
    ///
    /// # Errors
    /// `UnknownActor`; `State` if it does not run, ends meanwhile, or too many requests wait for it.
    pub async fn suspend(&self, name: &ActorName) -> Result<(), HostError> {
        control::suspend(&*self.cell(name)?).await
    }

    /// Lets a suspended actor go on.
    ///
    /// # Errors
    /// As [`Host::suspend`].
    pub async fn resume(&self, name: &ActorName) -> Result<(), HostError> {
        control::resume(&*self.cell(name)?).await
    }

    /// An actor's state as it stands between two messages, through its `snapshot`, as `sys:get_state` does. Nothing is saved.
    ///
    /// # Errors
    /// As [`Host::suspend`]; and if `snapshot` fails, crashes, or gives a state that could not be saved.
    pub async fn get_state(&self, name: &ActorName) -> Result<StateInfo, HostError> {
        control::get_state(&*self.cell(name)?).await
    }

    fn cell(&self, name: &ActorName) -> Result<Arc<Cell>, HostError> {
        let unknown = || HostError::new(ErrorCode::UnknownActor, format!("no actor `{name}` runs here"));
        self.0.registry.whereis(name).ok_or_else(unknown)
    }

    /// The children of a supervisor, or of the root, in the order of their start.
    ///
    /// # Errors
    /// `UnknownSupervisor`, `ShuttingDown`.
    pub async fn which_children(&self, supervisor: Option<&ActorName>) -> Result<Vec<ChildInfo>, HostError> {
        self.0.supervisor.which_children(supervisor.cloned()).await
    }

    /// How many children a supervisor, or the root, has.
    ///
    /// # Errors
    /// `UnknownSupervisor`, `ShuttingDown`.
    pub async fn count_children(&self, supervisor: Option<&ActorName>) -> Result<Counts, HostError> {
        self.0.supervisor.count_children(supervisor.cloned()).await
    }

    /// All children of the tree: each supervisor before its own, these in the order of their start.
    ///
    /// # Errors
    /// `ShuttingDown`.
    pub async fn tree(&self) -> Result<Vec<ChildInfo>, HostError> {
        self.0.supervisor.tree().await
    }

    /// One child of the tree; none: nobody has the name.
    ///
    /// # Errors
    /// `ShuttingDown`.
    pub async fn child(&self, name: &ActorName) -> Result<Option<ChildInfo>, HostError> {
        self.0.supervisor.child(name.clone()).await
    }

    /// Waits for the end of an actor's present instance, as `erlang:monitor` does: a crash counts, though its supervisor
    /// starts it again.
    ///
    /// # Errors
    /// If too many watch that actor already.
    pub fn monitor(&self, name: &ActorName) -> Result<Monitor, HostError> {
        let watched = self.0.registry.watch(name);
        watched.map(Monitor).map_err(|refused| HostError::new(ErrorCode::Start, refused.to_string()))
    }

    /// Ties an actor's present instance to the holder of the answer, as `erlang:link` does: dropped, it ends the actor.
    ///
    /// # Errors
    /// If too many watch that actor already.
    pub fn link(&self, name: &ActorName) -> Result<Link, HostError> {
        let monitor = Some(self.monitor(name)?);
        Ok(Link { actor: name.clone(), registry: self.0.registry.clone(), monitor })
    }

    /// The members of a group, in the order in which they came.
    #[must_use]
    pub fn members(&self, group: &GroupName) -> Vec<ActorName> {
        self.0.registry.members(group)
    }

    /// An actor's attribute.
    #[must_use]
    pub fn attribute(&self, name: &ActorName, key: &str) -> Option<String> {
        self.0.registry.attribute(name, key)
    }

    /// The actors whose attribute `key` is `value`, in the order of their names.
    #[must_use]
    pub fn having(&self, key: &str, value: &str) -> Vec<ActorName> {
        self.0.registry.having(key, value)
    }

    /// Puts a message into the mailbox of every member of a group, and answers with how many took it.
    pub fn dispatch(&self, group: &GroupName, body: &Body) -> usize {
        let members = self.0.registry.members(group);
        members.iter().filter(|member| self.cast(member, body.clone(), None).is_ok()).count()
    }

    /// Sends a message and waits for its reply.
    ///
    /// # Errors
    /// Each variant of [`CallError`] says whether the actor has seen the message.
    pub async fn call(&self, name: &ActorName, body: impl Into<Body>, options: CallOptions) -> Result<Body, CallError> {
        let id = options.id.unwrap_or_else(MessageId::random);
        self.0.router.call(name, id, body.into(), options.timeout.unwrap_or(DEFAULT_CALL_TIMEOUT)).await
    }

    /// Puts a message into an actor's mailbox, and answers with its id. It is not durable before it was handled and saved, or
    /// its actor has stopped.
    ///
    /// # Errors
    /// If it was not taken.
    pub fn cast(&self, name: &ActorName, body: impl Into<Body>, id: Option<MessageId>) -> Result<MessageId, SendError> {
        let id = id.unwrap_or_else(MessageId::random);
        self.0.router.cast(name, id.clone(), body.into())?;
        Ok(id)
    }

    /// Stops one child, each actor's state saved within its shutdown timeout, and waits until it is gone: OTP's
    /// `terminate_child`. A listed one stays known to its supervisor, for [`Host::restart_child`].
    ///
    /// # Errors
    /// `UnknownActor`, `ShuttingDown`.
    pub async fn stop(&self, name: &ActorName) -> Result<Saved, HostError> {
        self.0.supervisor.terminate_child(name.clone()).await
    }

    /// The store, to look at. Whatever is written past the host takes an actor away from it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SnapshotStore> {
        &self.0.store
    }

    /// Messages that nobody handled, oldest first; the last 1,000 are kept.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.0.router.dead_letters()
    }

    /// From now on nothing is taken from outside: readiness is off. [`Host::shutdown`] does this first.
    pub fn close_to_outside(&self) {
        self.0.router.close();
    }

    /// Whether the host takes work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.0.router.is_closed()
    }

    /// Stops everything: no more work from outside, then every actor within its own timeout and what is left of
    /// `budget` (none: as long as it takes), then the store's last barrier. A second call waits for the first and gets
    /// the same report.
    pub async fn shutdown(&self, budget: Option<Duration>) -> ShutdownReport {
        self.close_to_outside();
        self.0.swaps.close();
        let mut report = {
            let mut begun = self.0.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
            begun.get_or_insert_with(|| self.begin_shutdown(budget)).clone()
        };
        let ended = report.wait_for(Option::is_some).await.ok().and_then(|report| report.clone());
        let failed = || ShutdownReport { stopped: Vec::new(), trouble: Some("the shutdown itself failed".into()) };
        ended.unwrap_or_else(failed)
    }

    /// In a task of its own: whoever asked may go away, and it still ends in good order.
    fn begin_shutdown(&self, budget: Option<Duration>) -> watch::Receiver<Option<ShutdownReport>> {
        let (tell, report) = watch::channel(None);
        let host = self.clone();
        tokio::spawn(async move {
            let mut report = host.0.supervisor.shutdown(Budget::within(budget)).await;
            if let Err(error) = host.0.store.close().await {
                report.trouble.get_or_insert(format!("the store's last barrier failed: {error}"));
            }
            tell.send_replace(Some(report));
        });
        report
    }
}

/// Starts again those actors of templates that ran when the host last stopped: what their inboxes hold must not wait for a
/// message. It does not keep a host alive that was dropped.
async fn resume(host: Weak<Inner>) {
    let mut after: Option<ActorName> = None;
    let mut starting = JoinSet::new();
    loop {
        let Some(store) = host.upgrade().filter(|host| !host.router.is_closed()).map(|host| host.store.clone()) else {
            return;
        };
        let page = match store.list(after.as_ref(), RESUME_PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "who of the actors of templates is to be started is not known yet; trying again");
                drop(store);
                tokio::time::sleep(LIST_AGAIN).await;
                continue;
            }
        };
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (name, head) in page {
            let Ok(head) = head else { continue };
            prune(&*store, &name, &head).await;
            if !is_to_be_resumed(&head) {
                let next = head.current().and_then(|record| record.next_timer_ms);
                let Some(host) = host.upgrade().filter(|host| host.registry.whereis(&name).is_none()) else { continue };
                host.router.alarm().set(&name, next.filter(|_| host.router.template_for(&name).is_some()));
                continue;
            }
            if starting.len() >= RESUME_AT_ONCE {
                starting.join_next().await;
            }
            let Some(host) = host.upgrade() else { return };
            let free = host.registry.whereis(&name).is_none();
            if let Some((above, spec)) = host.router.template_for(&name).filter(|_| free) {
                starting.spawn(resume_one(host.supervisor.clone(), above, spec));
            }
        }
    }
    while starting.join_next().await.is_some() {}
}

/// Starts actors of templates whose timers come due while they sleep. It does not keep a host alive that was dropped.
async fn wake(host: Weak<Inner>) {
    let Some(router) = host.upgrade().map(|host| host.router.clone()) else { return };
    while let Some(due) = router.alarm().due().await {
        for name in due {
            let Some(host) = host.upgrade().filter(|host| !host.router.is_closed()) else { return };
            if host.registry.whereis(&name).is_none()
                && let Some((above, spec)) = host.router.template_for(&name)
            {
                tokio::spawn(resume_one(host.supervisor.clone(), above, spec));
            }
        }
    }
}

/// Drops what an actor has of its history beyond what the store is told to keep now. Each commit does so for its own actor;
/// this is for those that sleep.
async fn prune(store: &dyn SnapshotStore, name: &ActorName, head: &Head) {
    let keep = store.capabilities().history;
    if head.records.len() > keep
        && let Err(error) = store.prune(name, keep).await
    {
        tracing::warn!(actor = %name, %error, "its old records stay until its next commit");
    }
}

async fn resume_one(supervisor: Supervisor, above: Option<ActorName>, spec: ActorSpec) {
    let name = spec.name.clone();
    match supervisor.start_child(above, spec.into(), false).await {
        Ok(()) => {}
        // Its first message was quicker, or the host goes down again.
        Err(error) if matches!(error.code(), ErrorCode::AlreadyStarted | ErrorCode::ShuttingDown) => {}
        Err(error) => tracing::error!(actor = %name, %error, "the actor was not resumed"),
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
        OpenError::OtherBackend { .. } | OpenError::Several { .. } => ErrorCode::Config,
        OpenError::Io { .. } => ErrorCode::Store,
    };
    HostError::new(code, error.to_string())
}

/// Whether an actor ran, or was on its way, when its host ended; or has sent messages that are still to arrive.
fn is_to_be_resumed(head: &Head) -> bool {
    head.leaves_messages() || ran_when_the_host_stopped(head)
}

fn ran_when_the_host_stopped(head: &Head) -> bool {
    match &head.stopped {
        // Without an owner either, it was forgotten.
        None => head.owner.is_some(),
        Some(StopReason::Shutdown | StopReason::Upgrade | StopReason::Relocate | StopReason::Restart) => true,
        Some(StopReason::Passivate | StopReason::Normal) => false,
    }
}
