//! From a plugin's sources to a component: what a language needs, where it is, and what is run. For people who write
//! plugins; a host needs nothing of it.

mod language;
mod manifest;
mod recipe;
mod scaffold;
mod shrink;
mod tools;
mod watch;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::model::HostError;
use crate::sandbox::{Inspection, PLUGIN_BYTES, Sandbox, SandboxOptions};
pub use language::Language;
pub use manifest::Project;
pub use recipe::programs;
use recipe::{Output, Step};
pub use scaffold::{NewPlugin, new_plugin, update_sdk};
pub use tools::Places;
pub use watch::Sources;

/// Where a build keeps what it makes on the way, below the plugin's folder.
pub const BUILD_DIR: &str = "build";

/// Why a plugin could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolError {
    message: String,
    hint: Option<String>,
}

impl ToolError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What was wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    #[must_use]
    pub fn cure(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl std::error::Error for ToolError {}

impl From<HostError> for ToolError {
    fn from(error: HostError) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        let (whole, cure) = (error.to_string(), error.cure());
        let message = cure.and_then(|cure| whole.strip_suffix(&format!(" ({cure})"))).unwrap_or(&whole);
        Self { message: format!("{message}{cause}"), hint: cure.map(str::to_owned) }
    }
}

/// A plugin that was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The component.
    pub file: PathBuf,
    /// What it says of itself.
    pub inspection: Inspection,
    /// Size of what the language's tools had made, in bytes.
    pub raw_bytes: usize,
}

/// How a plugin is built.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// The file to write; none: the plugin's name with `.wasm`, in its folder.
    pub to: Option<PathBuf>,
    /// Where compiled code is kept, since the component is compiled to be asked who it is; none: nowhere.
    pub code_cache: Option<PathBuf>,
    /// Where goes what tools print on their stdout; none: nowhere. What they print on stderr goes to this process's.
    pub printed: Option<fn() -> Stdio>,
}

/// Builds the plugin of a folder with its language's own tools, makes a component of what they made, leaves out what
/// only debuggers read, and asks the plugin who it is. `told` hears each command before it is run.
///
/// # Errors
/// If a tool is missing (how it is installed), fails, or made no plugin.
pub async fn build(
    project: &Project,
    places: &Places,
    options: &BuildOptions,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Built, ToolError> {
    let made = make(project, places, options, told)?;
    let raw = std::fs::read(&made).map_err(|error| {
        ToolError::new(format!("the build ended well, and its output is not there: {}: {error}", made.display()))
    })?;
    if raw.len() > PLUGIN_BYTES {
        return Err(ToolError::new(format!(
            "{}: {} bytes; at most {PLUGIN_BYTES} are taken",
            made.display(),
            raw.len()
        )));
    }
    let code_cache = options.code_cache.clone();
    let sandbox = Sandbox::new(&SandboxOptions { code_cache, ..SandboxOptions::default() })?;
    let label = made.display().to_string();
    let component = sandbox.component_of(&label, &raw)?;
    let component = shrink::shrink(&component).into_owned();
    let inspection = sandbox.load(&label, component.clone()).await?.inspection().clone();
    let named = || project.dir.join(format!("{}.wasm", inspection.description.name));
    let file = options.to.clone().unwrap_or_else(named);
    put(&file, &component)?;
    Ok(Built { file, inspection, raw_bytes: raw.len() })
}

/// Runs the language's tools: what they made.
fn make(
    project: &Project,
    places: &Places,
    options: &BuildOptions,
    told: &(dyn Fn(&str) + Sync),
) -> Result<PathBuf, ToolError> {
    let dir = project.dir.join(BUILD_DIR);
    std::fs::create_dir_all(&dir).map_err(|error| ToolError::new(format!("{}: {error}", dir.display())))?;
    let recipe = recipe::of(project, places)?;
    let mut printed = Vec::new();
    for step in &recipe.steps {
        told(&step.shown());
        printed = run(step, &project.dir, options.printed.map_or_else(Stdio::null, |place| place()))?;
    }
    match recipe.output {
        Output::File(file) => Ok(project.dir.join(file)),
        Output::CargoSays => recipe::cargos_output(&printed, &project.dir),
    }
}

/// Runs one command, and gives what it printed where that is wanted.
fn run(step: &Step, dir: &Path, stdout: Stdio) -> Result<Vec<u8>, ToolError> {
    let Some((program, args)) = step.command.split_first() else { return Ok(Vec::new()) };
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).stdin(Stdio::null()).stderr(Stdio::inherit());
    command.envs(step.env.iter().map(|(name, value)| (name, value)));
    command.stdout(if step.captured { Stdio::piped() } else { stdout });
    let failed = |why: String| ToolError::new(format!("`{}` {why}", step.shown()));
    let ran = command.spawn().and_then(std::process::Child::wait_with_output);
    let ran = ran.map_err(|error| failed(format!("cannot be run: {error}")))?;
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let error = failed(format!("failed: {}", ran.status));
    Err(match &step.hint {
        Some(hint) => error.hint(hint.clone()),
        None => error,
    })
}

/// Writes a file so that whoever reads it meanwhile sees the old one or the new one.
fn put(file: &Path, bytes: &[u8]) -> Result<(), ToolError> {
    let mut name: OsString = file.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = file.with_file_name(name);
    let put = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, file));
    put.map_err(|error| ToolError::new(format!("{} cannot be written: {error}", file.display())))
}
