//! Plugin versions: which are loaded, and who runs which.

mod admission;
mod course;
mod faults;
mod kept;
mod lineup;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

use crate::events::{About, EventDetail, Events, PluginChange};
use crate::model::{
    ActorName, ActorSpec, Digest, ErrorCode, Grants, HostError, Part, PluginKey, PluginName, SIGNATURE_BYTES, Sha256,
    Trust, Version, signature_of,
};
use crate::sandbox::{Granted, PLUGIN_BYTES, Program, Sandbox};
use admission::Pins;
pub(crate) use admission::admit;
pub use faults::Fault;
use faults::Faults;
use kept::{Entry, Kept};
use lineup::Lineup;

/// What is known of a loaded plugin version, for a person to look at.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PluginInfo {
    /// The plugin's name.
    pub name: PluginName,
    /// This version.
    pub version: Version,
    /// Digest of its file.
    pub digest: Digest,
    /// Schema that it writes.
    pub schema: u32,
    /// Oldest schema that it reads.
    pub reads_from: u32,
    /// Newest schema that it reads.
    pub reads_to: u32,
    /// Media type of its message bodies.
    pub messages: String,
    /// The file or label that it was loaded from.
    pub source: String,
    /// Whether new instances run it, where nothing else is said.
    pub current: bool,
    /// Which of the plugin's actors are to run it, where a swap has left two versions side by side.
    pub part: Option<Part>,
    /// Actors that name the plugin, whichever version they run.
    pub actors: usize,
    /// Actors whose instance runs this version.
    pub running: usize,
}

/// What came from outside and may be loaded, with the signature that came with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    bytes: Vec<u8>,
    signature: Option<String>,
}

/// A plugin's file, and the signature that lies beside it, if one does.
pub(crate) fn read_signed(file: &Path) -> std::io::Result<(Vec<u8>, Option<String>)> {
    let bytes = read(file)?;
    let mut signature = String::new();
    match File::open(signature_of(file)) {
        Ok(file) => file.take(SIGNATURE_BYTES).read_to_string(&mut signature)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((bytes, None)),
        Err(error) => return Err(error),
    };
    Ok((bytes, Some(signature)))
}

/// A plugin's file, or one byte more than a plugin may have: then loading it says so.
pub(crate) fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(file)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(PLUGIN_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[derive(Debug)]
struct Loaded {
    program: Program,
    source: String,
    /// Whether the configuration names it beside another version: it stays, whoever runs it.
    stays: bool,
    faults: Faults,
}

/// All that is known of one plugin.
#[derive(Debug)]
struct Line {
    versions: Vec<Loaded>,
    lineup: Lineup,
    /// What the configuration names.
    configured: Digest,
    pins: Pins,
    /// Components that may be needed again, where there is no disk to keep them on.
    bytes: HashMap<Digest, Arc<Vec<u8>>>,
}

impl Line {
    fn loaded(&self, digest: Digest) -> Option<&Loaded> {
        self.versions.iter().find(|loaded| loaded.program.digest() == digest)
    }

    fn of_version(&self, version: &Version) -> Option<&Loaded> {
        self.versions.iter().rev().find(|loaded| loaded.program.description().version == *version)
    }

    fn add(&mut self, program: &Program, label: &str, stays: bool) {
        let digest = program.digest();
        self.versions.retain(|loaded| loaded.program.digest() != digest);
        let faults = Faults::default();
        self.versions.push(Loaded { program: program.clone(), source: label.to_owned(), stays, faults });
    }
}

/// The plugins of this host.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    lines: RwLock<BTreeMap<PluginName, Line>>,
    kept: Option<Kept>,
    /// Keys, by one of which whatever is loaded must be signed; none: it need not be.
    keys: Vec<PluginKey>,
    events: Events,
    /// What each plugin is granted, once that is known.
    grants: OnceLock<Arc<HashMap<PluginName, Arc<Granted>>>>,
}

impl Catalog {
    /// `dir`: where components and the outcome of swaps are kept; none: nowhere.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub(crate) fn new(dir: Option<PathBuf>, keys: Vec<PluginKey>, events: Events) -> Result<Self, HostError> {
        let kept = dir.map(Kept::open).transpose()?;
        Ok(Self { lines: RwLock::default(), kept, keys, events, grants: OnceLock::new() })
    }

    fn tell(&self, program: &Program, change: PluginChange) {
        let about = About::plugin(&program.description().name, &program.description().version);
        self.events.tell(about, EventDetail::Plugin { change, digest: program.digest() });
    }

    /// What each plugin is granted: what is loaded from now on is held to it.
    pub(crate) fn granted(&self, grants: Arc<HashMap<PluginName, Arc<Granted>>>) {
        // Told once, while the host is built.
        drop(self.grants.set(grants));
    }

    /// Whether `program` may run under its plugin's name.
    fn admit(&self, program: &Program) -> Result<(), HostError> {
        let name = &program.description().name;
        if let Some(line) = self.lines().get(name) {
            line.pins.check(program)?;
        }
        let granted = self.grants.get().and_then(|grants| grants.get(name)).map(|granted| granted.grants());
        admit(program, granted.unwrap_or(&Grants::default()))
    }

    /// Whether what comes from outside may be loaded: it is what was pinned, and signed where that is demanded. Asked before
    /// anything else looks at it.
    ///
    /// # Errors
    /// `Plugin`, with what was expected.
    pub(crate) async fn trusted(
        &self,
        label: &str,
        bytes: Vec<u8>,
        signature: Option<String>,
        pin: Option<Sha256>,
    ) -> Result<Signed, HostError> {
        let (trust, label) = (Trust { pin, keys: self.keys.clone() }, label.to_owned());
        let checked = tokio::task::spawn_blocking(move || {
            trust.check(&label, &bytes, signature.as_deref()).map(|()| Signed { bytes, signature })
        });
        checked.await.map_err(|error| HostError::new(ErrorCode::Plugin, "checking a plugin panicked").source(error))?
    }

    fn lines(&self) -> RwLockReadGuard<'_, BTreeMap<PluginName, Line>> {
        // Every change below is complete before anything can panic.
        self.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<PluginName, Line>> {
        self.lines.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads, compiles and checks a plugin file, and makes it current: of several versions, the one that was loaded last is.
    ///
    /// # Errors
    /// If the file cannot be read or is no plugin, or if another file says that it is the same version.
    pub(crate) async fn load_file(
        &self,
        sandbox: &Sandbox,
        path: &Path,
        pin: Option<Sha256>,
    ) -> Result<Program, HostError> {
        let label = path.display().to_string();
        let file = path.to_owned();
        let read = tokio::task::spawn_blocking(move || read_signed(&file)).await.map_err(std::io::Error::other);
        let (bytes, signature) = read.and_then(|read| read).map_err(|error| {
            HostError::new(ErrorCode::Plugin, format!("plugin {label}: the file cannot be read"))
                .hint("check the path; relative ones start at the folder of the configuration file")
                .source(error)
        })?;
        let signed = self.trusted(&label, bytes, signature, pin).await?;
        self.load(sandbox, &label, signed, pin).await
    }

    /// The same for bytes that are at hand, and [trusted](Catalog::trusted).
    ///
    /// # Errors
    /// As [`Catalog::load_file`].
    pub(crate) async fn load(
        &self,
        sandbox: &Sandbox,
        label: &str,
        Signed { bytes, signature }: Signed,
        pin: Option<Sha256>,
    ) -> Result<Program, HostError> {
        let program = sandbox.load(label, bytes.clone()).await?;
        let (description, digest) = (program.description(), program.digest());
        let mut lines = self.lines_mut();
        let line = lines.get_mut(&description.name);
        let same = line.as_ref().and_then(|line| line.of_version(&description.version));
        if let Some(before) = same.filter(|before| before.program.digest() != digest) {
            let (name, version) = (&description.name, &description.version);
            let message = format!("plugin {label}: it says it is {name} {version}, and so does {}", before.source);
            return Err(HostError::new(ErrorCode::Plugin, message).hint("give the newer one a version of its own"));
        }
        self.keep(digest, &bytes, signature.as_deref())?;
        tracing::info!(plugin = %description.name, version = %description.version, digest = %digest.short(), from = label, "plugin loaded");
        match line {
            Some(line) => {
                line.versions.iter_mut().for_each(|loaded| loaded.stays = true);
                line.add(&program, label, false);
                (line.lineup, line.configured) = (Lineup::new(digest), digest);
                line.pins.and(pin);
            }
            None => {
                let (lineup, bytes) = (Lineup::new(digest), HashMap::new());
                let mut line = Line { versions: Vec::new(), lineup, configured: digest, pins: Pins::of(pin), bytes };
                line.add(&program, label, false);
                lines.insert(description.name.clone(), line);
            }
        }
        if self.kept.is_none()
            && let Some(line) = lines.get_mut(&program.description().name)
        {
            line.bytes.insert(digest, Arc::new(bytes));
        }
        self.tell(&program, PluginChange::Loaded);
        self.tell(&program, PluginChange::Current);
        Ok(program)
    }

    fn keep(&self, digest: Digest, bytes: &[u8], signature: Option<&str>) -> Result<(), HostError> {
        self.kept.as_ref().map_or(Ok(()), |kept| kept.put(digest, bytes, signature))
    }

    /// Takes up what swaps of earlier hosts have led to, where the configuration has not changed since.
    ///
    /// # Errors
    /// If what was kept cannot be read or used.
    pub(crate) async fn restore(&self, sandbox: &Sandbox) -> Result<(), HostError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let plugins: Vec<(PluginName, Digest)> =
            self.lines().iter().map(|(name, line)| (name.clone(), line.configured)).collect();
        for (name, configured) in plugins {
            let Some(Entry { configured: then, lineup, .. }) = kept.noted(&name)? else { continue };
            if then != configured {
                tracing::info!(plugin = %name, "the configuration names another component since the last swap: it counts");
                kept.forget(&name)?;
                continue;
            }
            let lineup = lineup.restored();
            for digest in lineup.kept().into_iter().filter(|digest| lineup.needs(*digest)) {
                // The configuration may have learnt to pin, or to demand signatures, since it was swapped in.
                let program = self.recall(sandbox, &name, digest).await?;
                self.admit(&program)?;
            }
            if let Some(line) = self.lines_mut().get_mut(&name) {
                line.lineup = lineup;
                if let Some(mixed) = line.lineup.mixed() {
                    let (from, to) = (mixed.from.short(), mixed.to.short());
                    tracing::warn!(plugin = %name, from, to, "a swap was left half-way: each actor runs the version that its record names");
                }
            }
        }
        let needed = self.lines().values().flat_map(|line| line.needed()).collect();
        kept.prune(&needed).map_err(|error| HostError::new(ErrorCode::Io, "old components stay").source(error))
    }

    /// A version that was loaded before: from memory, or else from what was kept of it.
    ///
    /// # Errors
    /// If it was not kept, or cannot be loaded any more.
    pub(crate) async fn recall(
        &self,
        sandbox: &Sandbox,
        name: &PluginName,
        digest: Digest,
    ) -> Result<Program, HostError> {
        if let Some(program) = self.program(name, digest) {
            return Ok(program);
        }
        let at_hand = self.lines().get(name).and_then(|line| line.bytes.get(&digest).cloned());
        let gone = || {
            let what = format!("the component {} of `{name}` was not kept", digest.short());
            HostError::new(ErrorCode::Plugin, what).hint("swap its file in")
        };
        let label = format!("{name} {}", digest.short());
        let bytes = match (at_hand, &self.kept) {
            (Some(bytes), _) => bytes.to_vec(),
            (None, Some(kept)) => {
                let Signed { bytes, signature } = kept.get(digest)?.ok_or_else(gone)?;
                self.trusted(&label, bytes, signature, None).await?.bytes
            }
            (None, None) => return Err(gone()),
        };
        let program = sandbox.load(&label, bytes).await?;
        if let Some(line) = self.lines_mut().get_mut(name) {
            line.add(&program, &label, false);
            self.tell(&program, PluginChange::Loaded);
        }
        Ok(program)
    }

    /// Loads a component beside those that are there; who runs what stays as it is.
    ///
    /// # Errors
    /// If it cannot be used, is of a plugin that is not loaded, or may not run under its name.
    pub(crate) async fn stage(
        &self,
        sandbox: &Sandbox,
        label: &str,
        Signed { bytes, signature }: Signed,
    ) -> Result<Program, HostError> {
        let program = sandbox.load(label, bytes.clone()).await?;
        let (name, digest) = (program.description().name.clone(), program.digest());
        // Asked for first: its error names those that are loaded.
        self.current(&name)?;
        self.admit(&program)?;
        self.keep(digest, &bytes, signature.as_deref())?;
        if let Some(line) = self.lines_mut().get_mut(&name) {
            if line.loaded(digest).is_none() {
                line.add(&program, label, false);
                self.tell(&program, PluginChange::Loaded);
            }
            if self.kept.is_none() {
                line.bytes.insert(digest, Arc::new(bytes));
            }
        }
        Ok(program)
    }

    /// The version that new instances run, where nothing else is said.
    ///
    /// # Errors
    /// If no such plugin is loaded; the message names those that are.
    pub(crate) fn current(&self, name: &PluginName) -> Result<Program, HostError> {
        let lines = self.lines();
        let line = lines.get(name).ok_or_else(|| unknown(name, lines.keys()))?;
        line.program(line.lineup.current(), name)
    }

    /// The version that the next instance of an actor runs, as far as that can be told without its record.
    ///
    /// # Errors
    /// If no such plugin is loaded, or not the version that the actor is to have.
    pub(crate) fn choose(&self, spec: &ActorSpec) -> Result<Program, HostError> {
        let lines = self.lines();
        let line = lines.get(&spec.plugin).ok_or_else(|| unknown(&spec.plugin, lines.keys()))?;
        let Some(version) = &spec.version else {
            return line.program(line.lineup.choose(&spec.name).digest, &spec.plugin);
        };
        line.of_version(version).map(|loaded| loaded.program.clone()).ok_or_else(|| {
            let loaded: Vec<_> = line.versions.iter().map(|v| v.program.description().version.as_str()).collect();
            let (name, loaded) = (&spec.name, loaded.join(", "));
            let what = format!("actor `{name}` is to run {} {version}, and loaded are: {loaded}", spec.plugin);
            HostError::new(ErrorCode::UnknownPlugin, what).hint("list the file of that version as another [[plugin]]")
        })
    }

    /// What the next instance of an actor would run, by its name alone; `otherwise` where no such plugin is loaded.
    pub(crate) fn base_of(&self, name: &PluginName, actor: &ActorName, otherwise: Digest) -> Digest {
        self.lines().get(name).map_or(otherwise, |line| line.lineup.choose(actor).digest)
    }

    /// Whether an actor is to run the version that its record names, whatever [`Catalog::choose`] says.
    pub(crate) fn runs_as_saved(&self, spec: &ActorSpec) -> bool {
        let lines = self.lines();
        let line = lines.get(&spec.plugin).filter(|_| spec.version.is_none());
        line.is_some_and(|line| line.lineup.choose(&spec.name).as_saved)
    }

    /// A version that is loaded.
    pub(crate) fn program(&self, name: &PluginName, digest: Digest) -> Option<Program> {
        self.lines().get(name)?.loaded(digest).map(|loaded| loaded.program.clone())
    }

    /// Unloads the versions of a plugin that nobody runs and nobody is to run.
    pub(crate) fn sweep(&self, name: &PluginName) {
        if self.lines().get(name).is_none_or(|line| line.versions.len() < 2) {
            return;
        }
        let mut lines = self.lines_mut();
        let Some(line) = lines.get_mut(name) else { return };
        let Line { versions, lineup, bytes, .. } = line;
        versions.retain(|loaded| {
            let Loaded { program, stays, .. } = loaded;
            // Cheapest first: this is asked for each instance that ends, and who is to run which may be a long list.
            let stays = *stays || program.is_used() || lineup.needs(program.digest());
            if !stays {
                let version = &program.description().version;
                tracing::info!(plugin = %name, %version, digest = %program.digest().short(), "nobody runs it any more: unloaded");
                self.tell(program, PluginChange::Unloaded);
            }
            stays
        });
        let is_loaded = |digest: &Digest| versions.iter().any(|v| v.program.digest() == *digest);
        if !bytes.keys().all(is_loaded) {
            let kept = lineup.kept();
            bytes.retain(|digest, _| kept.contains(digest) || is_loaded(digest));
        }
    }

    /// Notes that an instance of a version crashed, or could not use its state.
    pub(crate) fn fault(&self, name: &PluginName, digest: Digest, fault: Fault) {
        let lines = self.lines();
        if let Some(loaded) = lines.get(name).and_then(|line| line.loaded(digest)) {
            loaded.faults.note(fault);
        }
    }

    /// How many faults a version has had; it changes with each.
    pub(crate) fn faults(&self, name: &PluginName, digest: Digest) -> Option<watch::Receiver<u64>> {
        self.lines().get(name)?.loaded(digest).map(|loaded| loaded.faults.count())
    }

    /// The last of them, oldest first.
    pub(crate) fn last_faults(&self, name: &PluginName, digest: Digest) -> Vec<Fault> {
        let lines = self.lines();
        lines.get(name).and_then(|line| line.loaded(digest)).map(|loaded| loaded.faults.last()).unwrap_or_default()
    }

    /// All versions; `actors` counts those that name a plugin, `running` those whose instance runs a version.
    pub(crate) fn infos(
        &self,
        actors: impl Fn(&PluginName) -> usize,
        running: impl Fn(Digest) -> usize,
    ) -> Vec<PluginInfo> {
        let lines = self.lines();
        let infos = lines.iter().flat_map(|(name, line)| {
            let (actors, current) = (actors(name), line.lineup.current());
            let mixed = line.lineup.mixed();
            let running = &running;
            line.versions.iter().map(move |loaded| {
                let (description, digest) = (loaded.program.description(), loaded.program.digest());
                PluginInfo {
                    name: name.clone(),
                    version: description.version.clone(),
                    digest,
                    schema: description.schema,
                    reads_from: description.reads_from,
                    reads_to: description.reads_to,
                    messages: description.messages.clone(),
                    source: loaded.source.clone(),
                    current: digest == current,
                    part: mixed.filter(|mixed| mixed.to == digest).map(|mixed| mixed.part.clone()),
                    actors,
                    running: running(digest),
                }
            })
        });
        infos.collect()
    }
}

impl Line {
    fn program(&self, digest: Digest, name: &PluginName) -> Result<Program, HostError> {
        let gone = || HostError::new(ErrorCode::UnknownPlugin, format!("`{name}` {} is not loaded", digest.short()));
        self.loaded(digest).map(|loaded| loaded.program.clone()).ok_or_else(gone)
    }

    /// Components that must stay on the disk.
    fn needed(&self) -> BTreeSet<Digest> {
        let loaded = self.versions.iter().map(|loaded| loaded.program.digest());
        loaded.chain(self.lineup.kept()).collect()
    }
}

fn unknown<'a>(name: &PluginName, known: impl Iterator<Item = &'a PluginName>) -> HostError {
    let known: Vec<_> = known.map(PluginName::as_str).collect();
    let loaded = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    HostError::new(ErrorCode::UnknownPlugin, format!("no plugin `{name}` is loaded; loaded: {loaded}"))
        .hint("load its file, or correct the name: it is the one that the plugin gives itself")
}
