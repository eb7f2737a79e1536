//! From the file's tables to settings.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use toml::de::DeTable;
use tracing_subscriber::EnvFilter;

use super::problem::{Problems, closest, shown};
use super::section::{Elsewhere, Section};
use super::{Config, DATA_DIR, Files, PluginFile, Problem, args};
use crate::model::{
    ActorName, ActorSpec, BadStatePolicy, Intensity, Limits, Pattern, PluginName, Restart, Shutdown, Template,
};

/// A day, the longest timeout that makes sense.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// An hour, the longest that one call into a guest may take.
const HOUR_MS: u64 = 60 * 60 * 1_000;
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
const INSTANCES: RangeInclusive<u64> = 1..=1_000_000;
const TOP_KEYS: &[&str] = &["data_dir", "shutdown_timeout_ms", "instances", "log"];
const LOG: &str = "info";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A limit: its key, what is sensible, and where it goes.
struct Limit {
    key: &'static str,
    range: RangeInclusive<u64>,
    set: fn(&mut Limits, u64),
}

macro_rules! limits {
    ($($field:ident: $range:expr,)*) => {
        const LIMIT_KEYS: &[&str] = &[$(stringify!($field)),*];
        const LIMITS: &[Limit] = &[$(Limit {
            key: stringify!($field),
            range: $range,
            set: |limits, value| limits.$field = fit(value, limits.$field),
        }),*];
        /// A limit that the model gains and this table lacks does not compile.
        #[cfg(test)]
        pub(super) fn every_limit_has_its_row(Limits { $($field: _),* }: Limits) -> usize { LIMITS.len() }
    };
}

/// The number in the field's own type; every range fits it, so `otherwise` is never taken.
fn fit<T: TryFrom<u64>>(value: u64, otherwise: T) -> T {
    T::try_from(value).unwrap_or(otherwise)
}

const MIB: u64 = 1 << 20;
/// A state and the messages that wait are saved as one record, of at most 64 MiB; the rest is for its header.
const SAVED_BYTES: u64 = 60 * MIB;
limits! {
    mailbox_messages: 1..=1_000_000,
    mailbox_bytes: 1..=SAVED_BYTES,
    message_bytes: 1..=32 * MIB,
    snapshot_bytes: 1..=SAVED_BYTES,
    memory_bytes: 64 << 10..=4_096 * MIB,
    table_elements: 1..=10_000_000,
    start_timeout_ms: 1..=HOUR_MS,
    continue_timeout_ms: 1..=HOUR_MS,
    turn_timeout_ms: 1..=HOUR_MS,
    continue_attempts: 1..=100,
    turn_sends: 0..=1_000_000,
    turn_send_bytes: 0..=1_024 * MIB,
    timers: 0..=1_000_000,
    log_line_bytes: 64..=MIB,
    turn_log_lines: 0..=1_000_000,
}

pub(super) fn resolve(text: &str, file: &str, base_dir: &Path, files: &dyn Files) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::new(file, text);
    let document = document(text, &mut problems);
    let config = Resolver { base_dir, files, problems: &mut problems }.config(document.get_ref());
    problems.or(Some(config))
}

pub(super) fn resolve_data_dir(text: &str, file: &str, base_dir: &Path) -> Result<PathBuf, Vec<Problem>> {
    let mut problems = Problems::new(file, text);
    let document = document(text, &mut problems);
    let mut top = Section::new("the file", 0, document.get_ref());
    let dir = read_data_dir(&mut top, base_dir, &mut problems);
    problems.or(Some(dir))
}

/// What of the text is TOML; the rest is problems.
fn document<'t>(text: &'t str, problems: &mut Problems) -> toml::Spanned<DeTable<'t>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        problems.add(at, format!("is not valid TOML: {}", error.message().lines().collect::<Vec<_>>().join("; ")));
    }
    document
}

fn read_data_dir(top: &mut Section<'_>, base_dir: &Path, problems: &mut Problems) -> PathBuf {
    base_dir.join(top.string("data_dir", "a path", problems).unwrap_or(DATA_DIR))
}

/// What `[[plugin]]` says of one plugin, for the actors that name it.
struct Plugins {
    by_name: HashMap<PluginName, Limits>,
    /// Whether all of them are named; else a name that is not here may still turn up when they are loaded.
    all_named: bool,
}

/// What `[[actor]]` and `[[actors]]` have in common.
struct Common {
    plugin: Option<PluginName>,
    args: Bytes,
    /// None: what an actor or a template has by default.
    restart: Option<Restart>,
    shutdown: Shutdown,
    intensity: Intensity,
    on_bad_state: BadStatePolicy,
    limits: Limits,
}

impl Common {
    fn apply(self, spec: &mut ActorSpec) {
        spec.args = self.args;
        spec.restart = self.restart.unwrap_or(spec.restart);
        spec.shutdown = self.shutdown;
        spec.intensity = self.intensity;
        spec.on_bad_state = self.on_bad_state;
        spec.limits = self.limits;
    }
}

struct Resolver<'r> {
    base_dir: &'r Path,
    files: &'r dyn Files,
    problems: &'r mut Problems,
}

impl Resolver<'_> {
    fn config(&mut self, table: &DeTable<'_>) -> Config {
        let mut top = Section::new("the file", 0, table);
        let data_dir = read_data_dir(&mut top, self.base_dir, self.problems);
        let shutdown_timeout = top
            .word_or_integer(
                "shutdown_timeout_ms",
                &[("infinity", None)],
                Some((&(1..=DAY_MS), &|ms| Some(Duration::from_millis(ms)))),
                self.problems,
            )
            .unwrap_or(Some(SHUTDOWN_TIMEOUT));
        let instances = top.integer("instances", &INSTANCES, self.problems).and_then(|n| u32::try_from(n).ok());
        let log = top.string("log", "a filter such as \"info\"", self.problems);
        let log = top.read("log", log, log_filter, self.problems).unwrap_or_else(|| LOG.to_owned());
        let limits = self.limits(&mut top, "[limits]", Limits::default());
        let (plugins, known) = self.plugins(&mut top, &limits);
        let actors = self.actors(&mut top, &limits, &known);
        let templates = self.templates(&mut top, &limits, &known);
        top.finish(&[], self.problems);
        Config { data_dir, shutdown_timeout, instances, log, plugins, actors, templates }
    }

    /// The `limits` of a section over those that it inherits.
    fn limits(&mut self, section: &mut Section<'_>, label: &str, inherited: Limits) -> Limits {
        let mut limits = inherited;
        let Some(mut own) = section.table("limits", label, self.problems) else { return limits };
        for limit in LIMITS {
            if let Some(value) = own.integer(limit.key, &limit.range, self.problems) {
                (limit.set)(&mut limits, value);
            }
        }
        self.check_sizes(&own, &limits);
        own.finish(&[Elsewhere { place: "at the top of the file", keys: TOP_KEYS }], self.problems);
        limits
    }

    /// What is fine by itself and not together.
    fn check_sizes(&mut self, own: &Section<'_>, limits: &Limits) {
        let (message, mailbox, snapshot) = (limits.message_bytes, limits.mailbox_bytes, limits.snapshot_bytes);
        let label = &own.label;
        let given = |keys: [&'static str; 2]| keys.into_iter().find(|key| own.has(key));
        if let Some(key) = given(["message_bytes", "mailbox_bytes"])
            && message > mailbox
        {
            let text = format!(
                "message_bytes = {message} is more than mailbox_bytes = {mailbox} in {label}: such a message would never fit"
            );
            self.problems.add(own.place(key), text);
        }
        if let Some(key) = given(["snapshot_bytes", "mailbox_bytes"])
            && snapshot.saturating_add(mailbox) as u64 > SAVED_BYTES
        {
            let text = format!(
                "snapshot_bytes = {snapshot} and mailbox_bytes = {mailbox} in {label} are more than {SAVED_BYTES} together: a state and the messages that wait are saved as one"
            );
            self.problems.add(own.place(key), text);
        }
    }

    fn plugins(&mut self, top: &mut Section<'_>, limits: &Limits) -> (Vec<PluginFile>, Plugins) {
        let mut known = Plugins { by_name: HashMap::new(), all_named: true };
        let mut lines = HashMap::new();
        let mut plugins = Vec::new();
        for (ordinal, (at, table)) in top.tables("plugin", self.problems).into_iter().enumerate() {
            let mut section = Section::new(label("plugin", "path", ordinal, table), at, table);
            let path = section.required("path", "the path of a component", self.problems);
            let path = path.map(|path| self.base_dir.join(path));
            if let Some(path) = path.as_ref().filter(|path| !self.files.is_file(path)) {
                let text = format!("`path` in {}: there is no file {}", section.label, path.display());
                self.problems.add(section.place("path"), text);
            }
            let name = section.string("name", "a plugin's name", self.problems);
            let bad_name = section.has("name");
            let name = section.read("name", name, PluginName::new, self.problems);
            let limits_label = format!("limits of {}", section.label);
            let own = self.limits(&mut section, &limits_label, limits.clone());
            match &name {
                Some(name) => {
                    self.once(&mut lines, name.as_str(), &section, "name");
                    known.by_name.insert(name.clone(), own);
                }
                None if section.has("limits") && !bad_name => {
                    let text =
                        format!("{} has `limits` and no `name`, by which its actors would find them", section.label);
                    self.problems.add(section.place("limits"), text);
                    known.all_named = false;
                }
                None => known.all_named = false,
            }
            let elsewhere = [
                Elsewhere { place: "in its `limits`", keys: LIMIT_KEYS },
                Elsewhere { place: "at the top of the file", keys: TOP_KEYS },
            ];
            section.finish(&elsewhere, self.problems);
            plugins.extend(path.map(|path| PluginFile { path, name }));
        }
        (plugins, known)
    }

    fn actors(&mut self, top: &mut Section<'_>, limits: &Limits, known: &Plugins) -> Vec<ActorSpec> {
        let mut lines = HashMap::new();
        let mut actors = Vec::new();
        for (ordinal, (at, table)) in top.tables("actor", self.problems).into_iter().enumerate() {
            let mut section = Section::new(label("actor", "name", ordinal, table), at, table);
            let name = section.required("name", "the actor's name", self.problems);
            let name = section.read("name", name, ActorName::new, self.problems);
            if let Some(name) = &name {
                self.once(&mut lines, name.as_str(), &section, "name");
            }
            let mut common = self.common(&mut section, limits, known);
            if let (Some(name), Some(plugin)) = (name, common.plugin.take()) {
                let mut spec = ActorSpec::new(name, plugin);
                common.apply(&mut spec);
                actors.push(spec);
            }
            self.finish(section);
        }
        actors
    }

    fn templates(&mut self, top: &mut Section<'_>, limits: &Limits, known: &Plugins) -> Vec<Template> {
        let mut lines = HashMap::new();
        let mut templates = Vec::new();
        for (ordinal, (at, table)) in top.tables("actors", self.problems).into_iter().enumerate() {
            let mut section = Section::new(label("actors", "pattern", ordinal, table), at, table);
            let pattern = section.required("pattern", "a prefix of names followed by '*'", self.problems);
            let pattern = section.read("pattern", pattern, Pattern::new, self.problems);
            if let Some(pattern) = &pattern {
                self.once(&mut lines, &pattern.to_string(), &section, "pattern");
            }
            let mut common = self.common(&mut section, limits, known);
            if let (Some(pattern), Some(plugin)) = (pattern, common.plugin.take()) {
                let mut template = Template::new(pattern, plugin);
                common.apply(template.spec_mut());
                templates.push(template);
            }
            self.finish(section);
        }
        templates
    }

    fn common(&mut self, section: &mut Section<'_>, limits: &Limits, known: &Plugins) -> Common {
        let plugin = section.required("plugin", "the name of a plugin", self.problems);
        let plugin = section.read("plugin", plugin, PluginName::new, self.problems);
        let inherited = plugin.as_ref().and_then(|name| known.by_name.get(name)).unwrap_or(limits);
        if let Some(plugin) = &plugin
            && known.all_named
            && !known.by_name.contains_key(plugin)
        {
            let meant = closest(plugin.as_str(), known.by_name.keys().map(PluginName::as_str));
            let meant = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            let text = format!("`plugin` in {}: no [[plugin]] has the name `{plugin}`{meant}", section.label);
            self.problems.add(section.place("plugin"), text);
        }
        let restarts =
            [("permanent", Restart::Permanent), ("transient", Restart::Transient), ("temporary", Restart::Temporary)];
        let shutdowns = [("brutal-kill", Shutdown::BrutalKill), ("infinity", Shutdown::Infinity)];
        let after = |ms| Shutdown::After(Duration::from_millis(ms));
        let policies = [("hold", BadStatePolicy::Hold)];
        let intensity = Intensity::default();
        let mut small = |section: &mut Section<'_>, key, range, default| {
            section.integer(key, &range, self.problems).and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
        };
        let intensity = Intensity {
            max_restarts: small(section, "max_restarts", 0..=1_000_000, intensity.max_restarts),
            max_seconds: small(section, "max_seconds", 1..=86_400, intensity.max_seconds),
        };
        let limits_label = format!("limits of {}", section.label);
        Common {
            plugin,
            args: args::read(section, self.base_dir, self.files, self.problems),
            restart: section.word_or_integer("restart", &restarts, None, self.problems),
            shutdown: section
                .word_or_integer("shutdown", &shutdowns, Some((&(1..=DAY_MS), &after)), self.problems)
                .unwrap_or_default(),
            intensity,
            on_bad_state: section.word_or_integer("on_bad_state", &policies, None, self.problems).unwrap_or_default(),
            limits: self.limits(section, &limits_label, inherited.clone()),
        }
    }

    fn finish(&mut self, section: Section<'_>) {
        let elsewhere = [
            Elsewhere { place: "in its `limits`", keys: LIMIT_KEYS },
            Elsewhere { place: "at the top of the file", keys: TOP_KEYS },
        ];
        section.finish(&elsewhere, self.problems);
    }

    /// A name is there once.
    fn once(&mut self, lines: &mut HashMap<String, usize>, name: &str, section: &Section<'_>, key: &str) {
        let line = self.problems.line(section.place(key));
        if let Some(first) = lines.get(name) {
            let kind = section.label.split(' ').next().unwrap_or_default();
            let text = format!("{kind} {} is there twice, first in line {first}", shown(name));
            self.problems.add(section.place(key), text);
        } else {
            lines.insert(name.to_owned(), line);
        }
    }
}

/// How problems name a table: by its name where it has one, else by its place.
fn label(kind: &str, key: &str, ordinal: usize, table: &DeTable<'_>) -> String {
    match table.get(key).and_then(|value| value.get_ref().as_str()) {
        Some(name) => format!("[[{kind}]] {}", shown(name)),
        None => format!("[[{kind}]] number {}", ordinal + 1),
    }
}

/// Checks a log filter.
///
/// The filter's own grammar takes any lone word for the name of a module, and then logs nothing else: a misspelt level
/// would pass.
fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::builder().parse(text).map_err(|error| format!("{} is not a filter: {error}", shown(text)))?;
    for word in text.split(',').map(str::trim) {
        let lower = word.to_lowercase();
        let level = !LEVELS.contains(&lower.as_str()) && !word.contains(['=', '[', ':']);
        if let Some(meant) = level.then(|| closest(&lower, LEVELS)).flatten() {
            return Err(format!("{} is no level; did you mean `{meant}`?", shown(word)));
        }
    }
    Ok(text.to_owned())
}
