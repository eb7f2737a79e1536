//! The configuration: a TOML file becomes resolved settings, once, and is checked whole before anything starts.
//!
//! Every problem is reported, not only the first one, each with its line and with what was perhaps meant.

mod api;
mod args;
mod child;
mod grants;
mod hosts;
mod keeping;
mod keys;
mod limits;
mod passivation;
mod plugin;
mod print;
mod problem;
mod resolved;
mod section;
mod settings;
mod store;
mod telemetry;
mod tree;

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{
    ActorName, ActorSpec, ApiSettings, ChildSpec, CoreDumps, CutShort, Grants, HostsSettings, Limits, Passivation,
    PluginKey, PluginName, SUPERVISOR_DEPTH, Sha256, Shutdown, StateRules, SupervisorSpec, Template,
};
use crate::store::{Backend, StoreUrl};
use crate::telemetry::OtlpOptions;

pub use problem::{Parts, Problem, closest};
pub use resolved::{Change, Settings};

/// Largest configuration file, in bytes.
const FILE_BYTES: u64 = 4 << 20;
/// Most that `init` may be given, in bytes.
const ARGS_BYTES: u64 = 1 << 20;
/// Largest file of certificates of a collector, in bytes.
const CA_BYTES: u64 = 1 << 20;
/// Largest file of headers for a collector, in bytes.
const HEADERS_BYTES: u64 = 64 << 10;
/// Name of the data directory where the file names none, beside the file.
pub const DATA_DIR: &str = "data";

/// Resolved settings: paths are complete, limits are inherited.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where state and compiled code are kept.
    pub data_dir: PathBuf,
    /// What keeps the state there.
    pub backend: Backend,
    /// A store on a server, in place of one there.
    pub store_url: Option<StoreUrl>,
    /// Records kept for each actor, the current one included; none: the host's default.
    pub history: Option<usize>,
    /// What the store in the data directory may keep in memory, in bytes; none: the host's default.
    pub store_cache_bytes: Option<u64>,
    /// How long all actors together may take to stop; none: as long as it takes.
    pub shutdown_timeout: Option<Duration>,
    /// How many instances may live at once; none: the host's default.
    pub instances: Option<u32>,
    /// The stack of each guest, in bytes; none: the host's default.
    pub stack_bytes: Option<usize>,
    /// Addresses set aside for one linear memory, in bytes; none: the host's default.
    pub memory_reservation_bytes: Option<usize>,
    /// Linear memory of all guests together, in bytes; none: the host's default.
    pub guests_memory_bytes: Option<usize>,
    /// How many guests may compute for long at once; none: the host's default.
    pub computing_guests: Option<usize>,
    /// Where core dumps go; none: nowhere.
    pub core_dumps: Option<CoreDumps>,
    /// When actors are put to sleep that nobody needs.
    pub passivation: Passivation,
    /// What is logged.
    pub log: String,
    /// How the host shares its store with others.
    pub hosts: HostsSettings,
    /// Where the HTTP API is on TCP; none: on the Unix socket alone.
    pub api: Option<ApiSettings>,
    /// Where traces go, and which.
    pub telemetry: OtlpOptions,
    /// Keys, by one of which each plugin must be signed; none: it need not be.
    pub plugin_keys: Vec<PluginKey>,
    /// The plugins to load.
    pub plugins: Vec<PluginFile>,
    /// What stands under the root, with all that is below it, in the order in which it starts.
    pub children: Vec<ChildSpec>,
    /// The actors to start when they are first called.
    pub templates: Vec<Template>,
}

impl Config {
    /// The actors to start, under the root and below supervisors, in the order of the tree.
    pub fn actors(&self) -> impl Iterator<Item = &ActorSpec> {
        self.children.iter().flat_map(ChildSpec::actors)
    }

    /// The largest message that any actor takes, in bytes.
    #[must_use]
    pub fn largest_message_bytes(&self) -> usize {
        let actors = self.actors().map(|spec| spec.limits.message_bytes);
        let templates = self.templates.iter().map(|template| template.spec().limits.message_bytes);
        actors.chain(templates).max().unwrap_or(Limits::default().message_bytes)
    }

    /// Actors, and patterns of actors, that may get less time to stop than they are given, since a supervisor above them or
    /// the host itself has less.
    #[must_use]
    pub fn cut_short(&self) -> Vec<CutShort> {
        let whose = "the host (`shutdown_timeout_ms`)";
        let supervisors = self.supervisors();
        let children = self.children.iter().flat_map(|child| child.cut_short(self.shutdown_timeout, whose));
        let templates = self.templates.iter().flat_map(|template| {
            let found = branch(template, &supervisors).cut_short(self.shutdown_timeout, whose);
            found.into_iter().map(|cut| CutShort { child: template.pattern.to_string(), ..cut })
        });
        children.chain(templates).collect()
    }

    /// Each supervisor's own time to stop, and the supervisor above it.
    fn supervisors(&self) -> Supervisors<'_> {
        let mut found = HashMap::new();
        let mut waiting: Vec<_> = self.children.iter().map(|child| (child, None)).collect();
        while let Some((child, above)) = waiting.pop() {
            if let ChildSpec::Supervisor(spec) = child {
                found.insert(&spec.name, (spec.shutdown, above));
                waiting.extend(child.children().iter().map(|child| (child, Some(&spec.name))));
            }
        }
        found
    }
}

type Supervisors<'c> = HashMap<&'c ActorName, (Shutdown, Option<&'c ActorName>)>;

/// An actor of this template and the supervisors above it, without their other children.
fn branch(template: &Template, supervisors: &Supervisors<'_>) -> ChildSpec {
    let mut branch = ChildSpec::from(template.spec().clone());
    let mut above = template.supervisor.as_ref();
    // Bounded, whatever a tree was made of by hand.
    for _ in 0..SUPERVISOR_DEPTH {
        let Some((name, (shutdown, next))) = above.and_then(|name| supervisors.get_key_value(name)) else { break };
        let supervisor = SupervisorSpec { shutdown: *shutdown, ..SupervisorSpec::new((*name).clone()) };
        branch = supervisor.child(branch).into();
        above = *next;
    }
    branch
}

/// A plugin to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFile {
    /// Its file.
    pub path: PathBuf,
    /// The name that it must describe itself with, where the file says one.
    pub name: Option<PluginName>,
    /// The digest that it must have.
    pub sha256: Option<Sha256>,
    /// What its actors may do.
    pub grants: Grants,
    /// How its actors keep their states, where they do not say so themselves.
    pub state: StateRules,
    /// Whether a change of the file is swapped in while the host runs.
    pub watch: bool,
}

/// What the check asks of the file system; a table in tests.
pub trait Files {
    /// Whether there is such a file.
    fn is_file(&self, path: &Path) -> bool;

    /// Its bytes.
    ///
    /// # Errors
    /// If it cannot be read, or is larger than `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
}

/// The file system itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes")));
        }
        Ok(bytes)
    }
}

/// Reads and checks the file at `path`. Paths in it are taken relative to its folder.
///
/// # Errors
/// All problems, in the order of their lines.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    let text = read_text(path)?;
    parse(&text, &path.display().to_string(), base_of(path), &Disk)
}

/// Checks `text`, which `file` names in problems; paths in it are taken relative to `base_dir`.
///
/// # Errors
/// All problems, in the order of their lines.
pub fn parse(text: &str, file: &str, base_dir: &Path, files: &dyn Files) -> Result<Config, Vec<Problem>> {
    settings::resolve(text, file, base_dir, files)
}

/// As [`load`], with each setting, its value, and where that comes from.
///
/// # Errors
/// As [`load`].
pub fn explain(path: &Path) -> Result<(Config, Settings), Vec<Problem>> {
    let text = read_text(path)?;
    settings::explain(&text, &path.display().to_string(), base_of(path), &Disk)
}

/// The JSON schema of the file, for editors, made of the same table of keys that the book is.
#[must_use]
pub fn schema() -> serde_json::Value {
    keys::schema()
}

/// The data directory that the file at `path` names, and nothing else: a client needs no more, and a problem elsewhere
/// in the file must not keep it from the host.
///
/// # Errors
/// If the file cannot be read, is not TOML, or names its data directory wrongly.
pub fn data_dir(path: &Path) -> Result<PathBuf, Vec<Problem>> {
    let text = read_text(path)?;
    settings::resolve_data_dir(&text, &path.display().to_string(), base_of(path))
}

fn base_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn read_text(path: &Path) -> Result<String, Vec<Problem>> {
    let file = path.display().to_string();
    let fail = |line, message| vec![Problem { file: file.clone(), line, message }];
    let bytes = Disk.read(path, FILE_BYTES).map_err(|error| fail(None, format!("cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|b| **b == b'\n').count() + 1;
        fail(Some(line), "is not UTF-8 text".to_owned())
    })
}

#[cfg(test)]
mod tests;
