//! From the file's tables to settings.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;
use tracing_subscriber::EnvFilter;

use super::child::Reader;
use super::problem::{Problems, closest, shown};
use super::section::Section;
use super::store::{self, StoreSettings};
use super::{
    Config, DATA_DIR, Files, Problem, Settings, api, hosts, keys, limits, passivation, plugin, telemetry, tree,
};
use crate::model::{CoreDumps, Limits, PLUGIN_KEYS, PluginKey};
use crate::store::{LEAST_HISTORY, MOST_HISTORY};

/// A day, the longest time that makes sense.
pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// The keys at the top of the file.
pub(super) const TOP_KEYS: &[&str] = &[
    "data_dir",
    "shutdown_timeout_ms",
    "instances",
    "stack_bytes",
    "memory_reservation_bytes",
    "guests_memory_bytes",
    "computing_guests",
    "core_dumps",
    "core_dump_files",
    "core_dump_bytes",
    "log",
    "plugin_keys",
];
pub(super) const SHUTDOWN_TIMEOUT_MS: u64 = 30_000;
pub(super) const INSTANCES: RangeInclusive<u64> = 1..=1_000_000;
/// Each guest's stack has room of its own, and so has each host function that it calls.
pub(super) const STACK_BYTES: RangeInclusive<u64> = 64 << 10..=64 << 20;
/// At least as much as small guests begin with; at most what 32 bits reach.
pub(super) const MEMORY_RESERVATION_BYTES: RangeInclusive<u64> = 1 << 20..=4 << 30;
pub(super) const GUESTS_MEMORY_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 50;
pub(super) const COMPUTING_GUESTS: RangeInclusive<u64> = 1..=1_024;
pub(super) const CORE_DUMP_FILES: RangeInclusive<u64> = 1..=10_000;
pub(super) const CORE_DUMP_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 40;
pub(super) const STORE_CACHE_BYTES: RangeInclusive<u64> = 1 << 20..=1 << 40;
pub(super) const HISTORY: RangeInclusive<u64> = LEAST_HISTORY as u64..=MOST_HISTORY as u64;
pub(super) const LOG: &str = "info";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

pub(super) fn resolve(text: &str, file: &str, base_dir: &Path, files: &dyn Files) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::new(file, text);
    let document = document(text, &mut problems);
    let config = config(document.get_ref(), base_dir, files, &mut problems);
    problems.or(Some(config))
}

pub(super) fn explain(
    text: &str,
    file: &str,
    base_dir: &Path,
    files: &dyn Files,
) -> Result<(Config, Settings), Vec<Problem>> {
    let mut problems = Problems::new(file, text);
    let document = document(text, &mut problems);
    let config = config(document.get_ref(), base_dir, files, &mut problems);
    if !problems.none() {
        return problems.or(None);
    }
    let settings = Settings::of(document.get_ref(), base_dir, &mut problems);
    problems.or(Some((config, settings)))
}

pub(super) fn resolve_data_dir(text: &str, file: &str, base_dir: &Path) -> Result<PathBuf, Vec<Problem>> {
    let mut problems = Problems::new(file, text);
    let document = document(text, &mut problems);
    let mut top = Section::new("the file", 0, document.get_ref(), &keys::TOP);
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

fn config(table: &DeTable<'_>, base_dir: &Path, files: &dyn Files, problems: &mut Problems) -> Config {
    let mut top = Section::new("the file", 0, table, &keys::TOP);
    let data_dir = read_data_dir(&mut top, base_dir, problems);
    let shutdown_timeout = top
        .word_or_integer(
            "shutdown_timeout_ms",
            &[("infinity", None)],
            Some((&(1..=DAY_MS), &|ms| Some(Duration::from_millis(ms)))),
            problems,
        )
        .unwrap_or(Some(Duration::from_millis(SHUTDOWN_TIMEOUT_MS)));
    let instances = top.integer("instances", &INSTANCES, problems).and_then(|n| u32::try_from(n).ok());
    let stack_bytes = top.integer("stack_bytes", &STACK_BYTES, problems).and_then(|n| usize::try_from(n).ok());
    let memory_reservation_bytes = top.integer("memory_reservation_bytes", &MEMORY_RESERVATION_BYTES, problems);
    let memory_reservation_bytes = memory_reservation_bytes.and_then(|n| usize::try_from(n).ok());
    let guests_memory_bytes = top.integer("guests_memory_bytes", &GUESTS_MEMORY_BYTES, problems);
    let guests_memory_bytes = guests_memory_bytes.and_then(|n| usize::try_from(n).ok());
    let computing_guests =
        top.integer("computing_guests", &COMPUTING_GUESTS, problems).and_then(|n| usize::try_from(n).ok());
    let core_dumps = read_core_dumps(&mut top, base_dir, problems);
    let log = top.string("log", "a filter such as \"info\"", problems);
    let log = top.read("log", log, log_filter, problems).unwrap_or_else(|| LOG.to_owned());
    let plugin_keys = top.list("plugin_keys", PLUGIN_KEYS, str::parse::<PluginKey>, problems);
    let api = api::read(&mut top, base_dir, files, problems);
    let StoreSettings { backend, history, cache_bytes: store_cache_bytes, url: store_url } =
        store::read(&mut top, base_dir, files, problems);
    let hosts = hosts::read(&mut top, problems);
    let passivation = passivation::read(&mut top, instances, problems);
    let telemetry = telemetry::read(&mut top, base_dir, files, problems);
    let limits = limits::read(&mut top, "[limits]", Limits::default(), problems);
    let (plugins, known) = plugin::read(&mut top, &limits, base_dir, files, problems);
    let mut reader = Reader { base_dir, files, limits: &limits, plugins: &known, problems: &mut *problems };
    let (children, templates) = (reader.children(&mut top), reader.templates(&mut top));
    let (children, templates) = tree::grow(children, templates, problems);
    top.finish(&[], problems);
    Config {
        data_dir,
        backend,
        store_url,
        history,
        store_cache_bytes,
        shutdown_timeout,
        instances,
        stack_bytes,
        memory_reservation_bytes,
        guests_memory_bytes,
        computing_guests,
        core_dumps,
        passivation,
        log,
        hosts,
        api,
        telemetry,
        plugin_keys,
        plugins,
        children,
        templates,
    }
}

/// Where core dumps go, and how much is kept of them; without a folder they go nowhere.
fn read_core_dumps(top: &mut Section<'_>, base_dir: &Path, problems: &mut Problems) -> Option<CoreDumps> {
    let dir = top.string("core_dumps", "the path of a folder", problems);
    let mut found = CoreDumps::new(base_dir.join(dir.unwrap_or_default()));
    if let Some(files) = top.integer("core_dump_files", &CORE_DUMP_FILES, problems) {
        found.files = usize::try_from(files).unwrap_or(found.files);
    }
    if let Some(bytes) = top.integer("core_dump_bytes", &CORE_DUMP_BYTES, problems) {
        found.bytes = bytes;
    }
    for key in ["core_dump_files", "core_dump_bytes"] {
        if dir.is_none() && top.has(key) {
            let text = format!("`{key}` without `core_dumps`, the folder that they go to");
            problems.add(top.place(key), text);
        }
    }
    dir.map(|_| found)
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
