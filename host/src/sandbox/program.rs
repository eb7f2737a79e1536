//! A plugin from its bytes to something that instances are made of.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::OnceCell;
use wasmtime::component::{Component, InstancePre};

use super::ambient::Ambient;
use super::contract;
use super::description::undescribed;
use super::guest::{Data, Exports, Guest, TurnBase};
use super::imports::log_line;
use super::needs::{self, Need};
use super::nobody::Nobody;
use super::places::Place;
use super::{GuestEnv, Sandbox, lifting, nesting};
use crate::model::{
    ActorName, Crash, CrashKind, Description, Digest, ErrorCode, HostError, Label, Limits, MOST_CORE_INSTANCES,
    MOST_MEMORIES, MOST_TABLES, PluginName, Sha256, Version,
};

/// Largest plugin file, in bytes.
pub(crate) const PLUGIN_BYTES: usize = 256 << 20;
/// Bytes that are kept of what is wrong with a file.
const CAUSE_BYTES: usize = 4 << 10;
/// Bounds of `describe`, which runs before anyone has configured anything for the plugin.
const DESCRIBE_TIMEOUT_MS: u64 = 5_000;

const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];
const COMPONENT: &[u8] = &[13, 0, 1, 0];
/// How they are called.
const CORE_MODULE_KIND: &str = "core module";
const COMPONENT_KIND: &str = "component";

/// What a plugin file is, for a person to look at.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// `component` or `core module`.
    pub kind: &'static str,
    /// Digest of the file.
    pub digest: Digest,
    /// SHA-256 of the file, as it is pinned in a configuration.
    #[serde(serialize_with = "as_text")]
    pub sha256: Sha256,
    /// What the plugin says of itself.
    pub description: Description,
    /// What it imports.
    pub imports: Vec<String>,
    /// What of that does nothing, or is refused, unless it is granted.
    pub needs: Vec<Need>,
    /// What it exports.
    pub exports: Vec<String>,
    /// Size of the file, in bytes.
    pub bytes: usize,
}

fn as_text<S: serde::Serializer>(digest: &Sha256, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(digest)
}

/// A plugin that was compiled and linked, and has said who it is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Program(Arc<Inner>);

struct Inner {
    sandbox: Sandbox,
    linked: Linked,
    /// The file's bytes, and what they are where fuel is counted, made when the first such actor starts.
    bytes: Arc<[u8]>,
    counting: Arc<OnceCell<Linked>>,
    uses_wasi: bool,
    inspection: Inspection,
}

/// What instances are made of.
#[derive(Clone)]
pub(super) struct Linked {
    pub(super) pre: InstancePre<Data>,
    pub(super) exports: Exports,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Description { name, version, .. } = self.description();
        write!(f, "Program({name} {version})")
    }
}

impl Program {
    pub(crate) fn description(&self) -> &Description {
        &self.0.inspection.description
    }

    /// What names an instance of it in the log that has not claimed its state yet.
    pub(crate) fn label(&self, actor: &ActorName) -> Label {
        let Description { name, version, .. } = self.description();
        Label::new(actor.clone(), Some(name.clone()), Some(version.clone()), 0)
    }

    pub(crate) fn digest(&self) -> Digest {
        self.0.inspection.digest
    }

    /// Whether anyone but its holder holds it.
    pub(crate) fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    pub(crate) fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    /// A new instance, its own start code run.
    pub(crate) async fn instantiate(&self, env: GuestEnv) -> Result<Guest, Crash> {
        let within = Duration::from_millis(env.limits.start_timeout_ms);
        Guest::new(self, env, within).await
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }

    /// The compiled plugin; with `fuel` counted it is compiled anew, once.
    pub(super) async fn linked(&self, fuel: bool) -> Result<&Linked, Crash> {
        if !fuel {
            return Ok(&self.0.linked);
        }
        let compile = || async {
            let (sandbox, bytes) = (self.0.sandbox.clone(), self.0.bytes.clone());
            let label = self.description().name.to_string();
            let compiled = tokio::task::spawn_blocking(move || sandbox.counting()?.link(&label, &bytes)).await;
            match compiled {
                Ok(linked) => linked.map(|(linked, ..)| linked),
                Err(error) => {
                    Err(plugin_error(self.description().name.as_str(), "compiling it panicked").source(error))
                }
            }
        };
        let failed = |error: HostError| {
            Crash::new(CrashKind::Limit, "start", format!("its fuel cannot be counted (`turn_fuel`): {error}"))
        };
        self.0.counting.get_or_try_init(compile).await.map_err(failed)
    }

    pub(super) fn uses_wasi(&self) -> bool {
        self.0.uses_wasi
    }
}

impl Sandbox {
    /// Compiles `bytes` off the runtime's workers, links them, and asks the plugin who it is, in a sandbox that grants
    /// nothing. `label` says in errors where they came from.
    ///
    /// # Errors
    /// If they are no plugin: each error says what was found and what was expected.
    pub(crate) async fn load(&self, label: &str, bytes: Vec<u8>) -> Result<Program, HostError> {
        let (sandbox, name) = (self.clone(), label.to_owned());
        let compiled = tokio::task::spawn_blocking(move || sandbox.compile(&name, bytes)).await;
        let compiled = compiled.map_err(|e| plugin_error(label, "compiling it panicked").source(e))??;
        let mut program = compiled;
        let description = describe(&program)
            .await
            .map_err(|crash| undescribed(label, program.linked.exports.version.number, &crash))?;
        program.inspection.description = description;
        Ok(Program(Arc::new(program)))
    }

    fn compile(&self, label: &str, bytes: Vec<u8>) -> Result<Inner, HostError> {
        let (linked, inspection) = self.link(label, &bytes)?;
        let uses_wasi = uses_wasi(&inspection.imports);
        let (sandbox, counting) = (self.clone(), Arc::default());
        Ok(Inner { sandbox, linked, bytes: bytes.into(), counting, uses_wasi, inspection })
    }

    /// Compiles and links: what instances are made of, and what the file is as far as that shows.
    fn link(&self, label: &str, bytes: &[u8]) -> Result<(Linked, Inspection), HostError> {
        let digest = Digest::of(bytes);
        let (kind, made, component) = self.component(label, bytes, digest)?;
        let kinds = component.component_type();
        let imports: Vec<String> = kinds.imports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        let functions = needs::functions(&kinds, &self.engine);
        let exported: Vec<String> = kinds.exports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        let exports = find_exports(label, &component, &exported)?;
        check_versions(label, &imports)?;
        needs::check_known(label, &imports)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|error| {
            plugin_error(label, "it imports what this host does not have")
                .hint("a plugin may import baton:actor/host, baton:actor/supervision and WASI 0.2; `baton inspect` lists what one asks for")
                .source(cause(&error))
        })?;
        let needs = needs::of(&functions, uses_wasi(&imports) && needs::has_libc(&made));
        let inspection = Inspection {
            kind,
            digest,
            sha256: Sha256::of(bytes),
            description: unknown(),
            imports,
            needs,
            exports: exported,
            bytes: bytes.len(),
        };
        Ok((Linked { pre, exports }, inspection))
    }

    /// The component that `bytes` are, or that is made of them where they are a core module.
    ///
    /// # Errors
    /// If they are neither.
    pub(crate) fn component_of<'a>(&self, label: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, HostError> {
        match kind_of(label, bytes)? {
            CORE_MODULE_KIND => lifting::lift(&self.engine, label, bytes).map(Cow::Owned),
            _ => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// What the file is, the component that it is or that is made of it, and that compiled, from the cache where it has it.
    fn component<'a>(
        &self,
        label: &str,
        bytes: &'a [u8],
        digest: Digest,
    ) -> Result<(&'static str, Cow<'a, [u8]>, Component), HostError> {
        let kind = kind_of(label, bytes)?;
        let made = self.component_of(label, bytes)?;
        // Of what is compiled: how a module is made a component may differ in the next release.
        let digest = if let Cow::Owned(made) = &made { Digest::of(made) } else { digest };
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.get(&self.engine, digest)) {
            return Ok((kind, made, component));
        }
        if kind == COMPONENT_KIND && nesting::is_too_deep(bytes) {
            let levels = nesting::LEVELS;
            return Err(plugin_error(label, format!("components in it nest deeper than {levels}, which is the most")));
        }
        let component = Component::from_binary(&self.engine, &made)
            .map_err(|error| plugin_error(label, "it is not a valid component").source(cause(&error)))?;
        if let Some(cache) = &self.cache {
            cache.put(&component, digest);
        }
        Ok((kind, made, component))
    }
}

/// What a file is, by how it begins.
fn kind_of(label: &str, bytes: &[u8]) -> Result<&'static str, HostError> {
    match bytes.split_at_checked(4) {
        _ if bytes.len() > PLUGIN_BYTES => {
            Err(plugin_error(label, format!("{} bytes; at most {PLUGIN_BYTES} are taken", bytes.len())))
        }
        Some((MAGIC, rest)) if rest.starts_with(CORE_MODULE) => Ok(CORE_MODULE_KIND),
        Some((MAGIC, rest)) if rest.starts_with(COMPONENT) => Ok(COMPONENT_KIND),
        Some((MAGIC, _)) => Err(plugin_error(label, "it is WebAssembly of a version that is not known")),
        _ => Err(plugin_error(label, "it is not WebAssembly: it does not begin with \\0asm")
            .hint("name the .wasm file that the plugin's build made")),
    }
}

pub(super) fn plugin_error(label: &str, why: impl std::fmt::Display) -> HostError {
    HostError::new(ErrorCode::Plugin, format!("plugin {label}: {why}"))
}

/// Why, in the words of whoever read the file. These hold names from it: each is cut, and on one line.
pub(super) fn cause(error: &impl std::fmt::Display) -> String {
    log_line(&format!("{error:#}"), &[], CAUSE_BYTES)
}

fn uses_wasi(imports: &[String]) -> bool {
    imports.iter().any(|name| name.starts_with("wasi:"))
}

fn find_exports(label: &str, component: &Component, exported: &[String]) -> Result<Exports, HostError> {
    let missing = || match exported.iter().find(|name| name.starts_with(contract::LIFECYCLE)) {
        Some(other) => plugin_error(label, format!("it exports {other}, and this host knows {}", contract::known()))
            .hint(contract::hint()),
        None if let Some((found, expected)) = exported.iter().find_map(|name| contract::unversioned(name)) => {
            plugin_error(
                label,
                format!("it exports {found}, a name without the contract's version; {expected} is expected"),
            )
            .hint("build it from the WIT in wit/actor, whose package has its version: `package baton:actor@…;`")
        }
        None if exported.is_empty() => {
            plugin_error(label, format!("it exports nothing; {} is needed", contract::needed()))
                .hint("build it for the world `baton:actor/actor`")
        }
        None => plugin_error(label, format!("it exports {}, not {}", cause(&exported.join(", ")), contract::needed()))
            .hint("build it for the world `baton:actor/actor`"),
    };
    let version = contract::Version::exported(exported.iter().map(String::as_str)).ok_or_else(missing)?;
    let interface = component.get_export_index(None, version.lifecycle).ok_or_else(missing)?;
    let function = |name: &str| {
        component.get_export_index(Some(&interface), name).ok_or_else(|| {
            plugin_error(label, format!("its {} has no function `{name}`", version.lifecycle))
                .hint(format!("build it against wit/actor/{}", version.number))
        })
    };
    Ok(Exports {
        describe: function("describe")?,
        init: function("init")?,
        r#continue: function("continue")?,
        handle: function("handle")?,
        snapshot: function("snapshot")?,
        terminate: function("terminate")?,
        version,
    })
}

/// A version of the contract that this host does not know gets a message of its own.
fn check_versions(label: &str, imports: &[String]) -> Result<(), HostError> {
    match contract::unknown_import(imports) {
        None => Ok(()),
        Some(other) => {
            Err(plugin_error(label, format!("it imports {other}, and this host knows {}", contract::known_imports()))
                .hint(contract::hint()))
        }
    }
}

/// Stands in a program until it has described itself; never seen outside.
fn unknown() -> Description {
    let name = PluginName::new("unknown").expect("a valid name");
    let version = Version::new("0.0.0").expect("a valid version");
    let messages = String::new();
    Description { name, version, schema: 0, reads_from: 0, reads_to: 0, messages, metadata: Vec::new() }
}

async fn describe(program: &Inner) -> Result<Description, Crash> {
    let limits = Limits {
        start_timeout_ms: DESCRIBE_TIMEOUT_MS,
        turn_timeout_ms: DESCRIBE_TIMEOUT_MS,
        turn_sends: 0,
        timers: 0,
        // Its actors' own limits are not known yet.
        memories: MOST_MEMORIES as usize,
        tables: MOST_TABLES as usize,
        core_instances: MOST_CORE_INSTANCES as usize,
        ..Limits::default()
    };
    let env = GuestEnv {
        label: Arc::new(Label::new(ActorName::new("describe").expect("a valid name"), None, None, 0)),
        limits: Arc::new(limits),
        meter: Arc::default(),
        grants: Arc::default(),
        outside: Arc::new(Nobody),
        place: Place::Spare,
        ambient: Ambient::Real,
    };
    // A program is cheap to clone once it is whole; until then its parts are.
    let whole = Program(Arc::new(Inner {
        sandbox: program.sandbox.clone(),
        linked: program.linked.clone(),
        bytes: program.bytes.clone(),
        counting: program.counting.clone(),
        uses_wasi: program.uses_wasi,
        inspection: program.inspection.clone(),
    }));
    let mut guest = whole.instantiate(env).await?;
    guest.describe(TurnBase::outside()).await
}
