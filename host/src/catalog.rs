//! Plugin versions: which are loaded, and which one new instances run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use serde::Serialize;

use crate::model::{Digest, ErrorCode, HostError, PluginName, Version};
use crate::sandbox::{PLUGIN_BYTES, Program, Sandbox};

/// What is known of a loaded plugin version, for a person to look at.
#[derive(Debug, Clone, Serialize)]
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
    /// Whether new instances run it.
    pub current: bool,
    /// Actors that name the plugin, whichever version they run.
    pub actors: usize,
}

/// A plugin's file, or one byte more than a plugin may have: then loading it says so.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
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
}

/// The plugins of this host. Of several versions, the one that was loaded last is current.
#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<BTreeMap<PluginName, Vec<Loaded>>>);

impl Catalog {
    /// Reads, compiles and checks a plugin file, and makes it current.
    ///
    /// # Errors
    /// If the file cannot be read or is no plugin, or if another file says that it is the same version.
    pub(crate) async fn load_file(&self, sandbox: &Sandbox, path: &Path) -> Result<Program, HostError> {
        let label = path.display().to_string();
        let file = path.to_owned();
        let read = tokio::task::spawn_blocking(move || read(&file)).await.map_err(std::io::Error::other);
        let bytes = read.and_then(|read| read).map_err(|error| {
            HostError::new(ErrorCode::Plugin, format!("plugin {label}: the file cannot be read"))
                .hint("check the path; relative ones start at the folder of the configuration file")
                .source(error)
        })?;
        self.load(sandbox, &label, bytes).await
    }

    /// The same for bytes that are at hand.
    ///
    /// # Errors
    /// As [`Catalog::load_file`].
    pub(crate) async fn load(&self, sandbox: &Sandbox, label: &str, bytes: Vec<u8>) -> Result<Program, HostError> {
        let program = sandbox.load(label, bytes).await?;
        let description = program.description();
        let mut plugins = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let versions = plugins.entry(description.name.clone()).or_default();
        let same = versions.iter().position(|loaded| loaded.program.description().version == description.version);
        if let Some(at) = same {
            let before = &versions[at];
            if before.program.digest() != program.digest() {
                let (name, version) = (&description.name, &description.version);
                let message = format!("plugin {label}: it says it is {name} {version}, and so does {}", before.source);
                return Err(HostError::new(ErrorCode::Plugin, message).hint("give the newer one a version of its own"));
            }
            versions.remove(at);
        }
        tracing::info!(plugin = %description.name, version = %description.version, digest = %program.digest().short(), from = label, "plugin loaded");
        versions.push(Loaded { program: program.clone(), source: label.to_owned() });
        Ok(program)
    }

    /// The version that new instances run.
    ///
    /// # Errors
    /// If no such plugin is loaded; the message names those that are.
    pub(crate) fn current(&self, name: &PluginName) -> Result<Program, HostError> {
        let plugins = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = plugins.get(name).and_then(|versions| versions.last()) {
            return Ok(loaded.program.clone());
        }
        let known: Vec<_> = plugins.keys().map(PluginName::as_str).collect();
        let loaded = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(HostError::new(ErrorCode::UnknownPlugin, format!("no plugin `{name}` is loaded; loaded: {loaded}"))
            .hint("load its file, or correct the name: it is the one that the plugin gives itself"))
    }

    /// All versions; `actors` counts those that name a plugin.
    pub(crate) fn infos(&self, actors: impl Fn(&PluginName) -> usize) -> Vec<PluginInfo> {
        let plugins = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let infos = plugins.iter().flat_map(|(name, versions)| {
            let actors = actors(name);
            let last = versions.len().saturating_sub(1);
            versions.iter().enumerate().map(move |(at, loaded)| {
                let description = loaded.program.description();
                PluginInfo {
                    name: name.clone(),
                    version: description.version.clone(),
                    digest: loaded.program.digest(),
                    schema: description.schema,
                    reads_from: description.reads_from,
                    reads_to: description.reads_to,
                    messages: description.messages.clone(),
                    source: loaded.source.clone(),
                    current: at == last,
                    actors,
                }
            })
        });
        infos.collect()
    }
}
