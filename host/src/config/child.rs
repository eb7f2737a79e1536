//! `[[actor]]`, `[[actors]]` and `[[supervisor]]`: what each child is by itself, and where it says that it stands.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::plugin::Plugins;
use super::problem::Problems;
use super::section::{Elsewhere, Section};
use super::settings::{DAY_MS, TOP_KEYS};
use super::{Files, args, keeping, limits};
use crate::model::{
    ATTRIBUTES, ActorName, ActorSpec, Attributes, AutoShutdown, Backoff, ChildSpec, Children, DEFAULT_MAX_CHILDREN,
    GROUPS, GroupName, Intensity, Limits, Pattern, PluginName, Restart, Shutdown, Strategy, SupervisorSpec, Template,
    Version, check_attribute,
};

pub(super) const MAX_RESTARTS: RangeInclusive<u64> = 0..=1_000_000;
pub(super) const MAX_SECONDS: RangeInclusive<u64> = 1..=86_400;
pub(super) const MAX_CHILDREN: RangeInclusive<u64> = 1..=10_000_000;
pub(super) const BACKOFF_MS: RangeInclusive<u64> = 1..=DAY_MS;
/// The words of `restart` and of `shutdown`.
pub(super) const RESTARTS: &[&str] = &["permanent", "transient", "temporary"];
pub(super) const SHUTDOWNS: &[&str] = &["brutal-kill", "infinity"];
/// The longest wait of a backoff that names none, in milliseconds, or its first one where that is longer.
pub(super) const BACKOFF_MAX_MS: u64 = 60_000;
/// The keys that count restarts: below a supervisor they are the supervisor's.
const COUNT_KEYS: [&str; 4] = ["max_restarts", "max_seconds", "backoff_ms", "backoff_max_ms"];
/// The keys that only supervisors have, and those that only actors have.
const SUPERVISOR_KEYS: &[&str] = &["strategy", "auto_shutdown", "dynamic", "max_children"];
const ACTOR_KEYS: &[&str] =
    &["plugin", "version", "args", "args_file", "start_timeout_ms", "attributes", "groups", "limits"];

/// Where a child says that it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Under the root.
    Root,
    /// Under the supervisor of this name.
    Below(ActorName),
    /// It says so wrongly, which was told.
    Unknown,
}

/// An actor or a supervisor as the file has it, without what is below it.
#[derive(Debug)]
pub(super) struct Child<'t> {
    pub(super) section: Section<'t>,
    /// None: it has no good one, which was told.
    pub(super) name: Option<ActorName>,
    pub(super) place: Place,
    /// What was wrong in it, and told, has a stand-in here.
    pub(super) spec: ChildSpec,
}

/// A template as the file has it.
#[derive(Debug)]
pub(super) struct Sown<'t> {
    pub(super) section: Section<'t>,
    /// Whether its pattern is good; else that was told.
    pub(super) has_pattern: bool,
    pub(super) place: Place,
    /// What was wrong in it, and told, has a stand-in here.
    pub(super) template: Template,
}

/// What children are read with.
pub(super) struct Reader<'r> {
    pub(super) base_dir: &'r Path,
    pub(super) files: &'r dyn Files,
    /// Those of the file.
    pub(super) limits: &'r Limits,
    pub(super) plugins: &'r Plugins,
    pub(super) problems: &'r mut Problems,
}

impl Reader<'_> {
    /// Actors and supervisors, in the order of the file.
    pub(super) fn children<'t>(&mut self, top: &mut Section<'t>) -> Vec<Child<'t>> {
        let (actors, supervisors) =
            (top.tables("actor", "name", self.problems), top.tables("supervisor", "name", self.problems));
        let mut children: Vec<_> = actors.into_iter().map(|section| self.actor(section)).collect();
        children.extend(supervisors.into_iter().map(|section| self.supervisor(section)));
        children.sort_by_key(|child| child.section.at);
        children
    }

    /// Templates, in the order of the file.
    pub(super) fn templates<'t>(&mut self, top: &mut Section<'t>) -> Vec<Sown<'t>> {
        let sections = top.tables("actors", "pattern", self.problems);
        sections.into_iter().map(|section| self.template(section)).collect()
    }

    fn actor<'t>(&mut self, mut section: Section<'t>) -> Child<'t> {
        let name = section.required("name", "the actor's name", self.problems);
        let name = section.read("name", name, ActorName::new, self.problems);
        let plugin = PluginName::new("unnamed").expect("a valid name");
        let mut spec = ActorSpec::new(name.clone().unwrap_or_else(unnamed), plugin);
        let place = self.spec(&mut section, &mut spec);
        Child { section, name, place, spec: spec.into() }
    }

    fn template<'t>(&mut self, mut section: Section<'t>) -> Sown<'t> {
        let pattern = section.required("pattern", "a prefix of names followed by '*'", self.problems);
        let pattern = section.read("pattern", pattern, Pattern::new, self.problems);
        let has_pattern = pattern.is_some();
        let pattern = pattern.unwrap_or_else(|| Pattern::new("*").expect("a valid pattern"));
        let mut template = Template::new(pattern, PluginName::new("unnamed").expect("a valid name"));
        let place = self.spec(&mut section, template.spec_mut());
        if let Place::Below(name) = &place {
            template.supervisor = Some(name.clone());
        }
        Sown { section, has_pattern, place, template }
    }

    /// What `[[actor]]` and `[[actors]]` have in common, into a spec that has the defaults of the one or the other.
    fn spec(&mut self, section: &mut Section<'_>, spec: &mut ActorSpec) -> Place {
        let plugin = section.required("plugin", "the name of a plugin", self.problems);
        let plugin = section.read("plugin", plugin, PluginName::new, self.problems);
        let mut inherited = self.limits;
        if let Some(plugin) = plugin {
            inherited = self.plugins.limits(&plugin, section, self.limits, self.problems);
            spec.plugin = plugin;
        }
        let version = section.string("version", "the version to stay with, such as \"1.0.0\"", self.problems);
        spec.version = section.read("version", version, Version::new, self.problems);
        spec.args = args::read(section, self.base_dir, self.files, self.problems);
        spec.restart = restart(section, self.problems).unwrap_or(spec.restart);
        spec.shutdown = shutdown(section, self.problems).unwrap_or(spec.shutdown);
        spec.significant = section.boolean("significant", self.problems).unwrap_or(spec.significant);
        spec.intensity = intensity(section, self.problems);
        spec.backoff = backoff(section, self.problems);
        spec.attributes = attributes(section, self.problems);
        spec.groups = section.list("groups", GROUPS, GroupName::new, self.problems);
        spec.state = keeping::read(section, self.problems);
        let label = format!("limits of {}", section.label);
        spec.limits = limits::read(section, &label, inherited.clone(), self.problems);
        start_timeout(section, &mut spec.limits, self.problems);
        let place = place(section, self.problems);
        if place != Place::Root {
            count_is_the_supervisors(section, self.problems);
        }
        let elsewhere = [
            Elsewhere { place: "in its `limits`", keys: limits::KEYS },
            Elsewhere { place: "in a [[supervisor]]", keys: SUPERVISOR_KEYS },
            Elsewhere { place: "at the top of the file", keys: TOP_KEYS },
        ];
        section.finish(&elsewhere, self.problems);
        place
    }

    fn supervisor<'t>(&mut self, mut section: Section<'t>) -> Child<'t> {
        let problems = &mut *self.problems;
        let name = section.required("name", "the supervisor's name", problems);
        let name = section.read("name", name, ActorName::new, problems);
        let mut spec = SupervisorSpec::new(name.clone().unwrap_or_else(unnamed));
        let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
        let ends = [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];
        spec.strategy = word("strategy", &strategies, &mut section, problems).unwrap_or(spec.strategy);
        spec.auto_shutdown = word("auto_shutdown", &ends, &mut section, problems).unwrap_or(spec.auto_shutdown);
        spec.intensity = intensity(&mut section, problems);
        spec.backoff = backoff(&mut section, problems);
        spec.restart = restart(&mut section, problems).unwrap_or(spec.restart);
        spec.shutdown = shutdown(&mut section, problems).unwrap_or(spec.shutdown);
        spec.significant = section.boolean("significant", problems).unwrap_or(spec.significant);
        spec.children = children(&mut section, problems);
        let place = place(&mut section, problems);
        let elsewhere = [
            Elsewhere { place: "in an [[actor]]", keys: ACTOR_KEYS },
            Elsewhere { place: "in an [[actor]]", keys: keeping::KEYS },
            Elsewhere { place: "in the `limits` of an [[actor]]", keys: limits::KEYS },
            Elsewhere { place: "at the top of the file", keys: TOP_KEYS },
        ];
        section.finish(&elsewhere, problems);
        Child { section, name, place, spec: spec.into() }
    }
}

/// Stands in for a name that is wrong, which was told: nothing that has it is ever handed out.
fn unnamed() -> ActorName {
    ActorName::new("unnamed").expect("a valid name")
}

/// One of `values` by the word that it is shown as.
fn word<T: Copy + ToString>(
    key: &'static str,
    values: &[T],
    section: &mut Section<'_>,
    problems: &mut Problems,
) -> Option<T> {
    let named: Vec<(String, T)> = values.iter().map(|value| (value.to_string(), *value)).collect();
    let words: Vec<(&str, T)> = named.iter().map(|(word, value)| (word.as_str(), *value)).collect();
    section.word_or_integer(key, &words, None, problems)
}

fn restart(section: &mut Section<'_>, problems: &mut Problems) -> Option<Restart> {
    let words =
        [("permanent", Restart::Permanent), ("transient", Restart::Transient), ("temporary", Restart::Temporary)];
    section.word_or_integer("restart", &words, None, problems)
}

fn shutdown(section: &mut Section<'_>, problems: &mut Problems) -> Option<Shutdown> {
    let words = [("brutal-kill", Shutdown::BrutalKill), ("infinity", Shutdown::Infinity)];
    let after = |ms| Shutdown::After(Duration::from_millis(ms));
    section.word_or_integer("shutdown", &words, Some((&(1..=DAY_MS), &after)), problems)
}

fn intensity(section: &mut Section<'_>, problems: &mut Problems) -> Intensity {
    let default = Intensity::default();
    Intensity {
        max_restarts: small("max_restarts", &MAX_RESTARTS, section, problems).unwrap_or(default.max_restarts),
        max_seconds: small("max_seconds", &MAX_SECONDS, section, problems).unwrap_or(default.max_seconds),
    }
}

fn small(
    key: &'static str,
    range: &RangeInclusive<u64>,
    section: &mut Section<'_>,
    problems: &mut Problems,
) -> Option<u32> {
    section.integer(key, range, problems).and_then(|number| u32::try_from(number).ok())
}

fn backoff(section: &mut Section<'_>, problems: &mut Problems) -> Option<Backoff> {
    let first = section.integer("backoff_ms", &BACKOFF_MS, problems);
    let max = section.integer("backoff_max_ms", &BACKOFF_MS, problems);
    let (label, at) = (&section.label, section.place("backoff_max_ms"));
    if section.has("backoff_max_ms") && !section.has("backoff_ms") {
        problems.add(at, format!("`backoff_max_ms` in {label} stands without `backoff_ms`, the first wait"));
    }
    let first = first?;
    let max = max.unwrap_or(first.max(BACKOFF_MAX_MS));
    if max < first {
        problems.add(at, format!("backoff_max_ms = {max} is less than backoff_ms = {first} in {label}"));
    }
    Some(Backoff { first: Duration::from_millis(first), max: Duration::from_millis(max) })
}

fn attributes(section: &mut Section<'_>, problems: &mut Problems) -> Attributes {
    let label = format!("attributes of {}", section.label);
    let place = section.place("attributes");
    let Some(own) = section.table("attributes", label, problems) else { return Attributes::new() };
    let pairs = own.texts(problems);
    if pairs.len() > ATTRIBUTES {
        let text = format!("there are {} {}; at most {ATTRIBUTES} are allowed", pairs.len(), own.label);
        problems.add(place, text);
    }
    let mut attributes = Attributes::new();
    for (key, value, at) in pairs {
        match check_attribute(key, value) {
            Ok(()) => drop(attributes.insert(key.to_owned(), value.to_owned())),
            Err(error) => problems.add(at, format!("{}: {error}", own.label)),
        }
    }
    attributes
}

/// The one limit that a child spec has under a name of its own.
fn start_timeout(section: &mut Section<'_>, limits: &mut Limits, problems: &mut Problems) {
    if section.has("start_timeout_ms") && section.has_in("limits", "start_timeout_ms") {
        let text = format!("{} has both `start_timeout_ms` and `limits.start_timeout_ms`; expected one", section.label);
        problems.add(section.place("start_timeout_ms"), text);
    }
    if let Some(ms) = section.integer("start_timeout_ms", &limits::START_TIMEOUT_MS, problems) {
        limits.start_timeout_ms = ms;
    }
}

fn place(section: &mut Section<'_>, problems: &mut Problems) -> Place {
    if !section.has("supervisor") {
        section.take("supervisor");
        return Place::Root;
    }
    let name = section.string("supervisor", "a supervisor's name", problems);
    section.read("supervisor", name, ActorName::new, problems).map_or(Place::Unknown, Place::Below)
}

fn count_is_the_supervisors(section: &Section<'_>, problems: &mut Problems) {
    for key in COUNT_KEYS.into_iter().filter(|key| section.has(key)) {
        let text =
            format!("`{key}` in {}: below a supervisor only the supervisor's counts; set it there", section.label);
        problems.add(section.place(key), text);
    }
}

/// What a supervisor begins with, before the file's children find their places.
fn children(section: &mut Section<'_>, problems: &mut Problems) -> Children {
    let dynamic = section.boolean("dynamic", problems);
    let max_children = small("max_children", &MAX_CHILDREN, section, problems);
    // A `dynamic` that is neither yes nor no was told, and may well have been meant as yes.
    if section.has("max_children") && (dynamic == Some(false) || !section.has("dynamic")) {
        let text = format!("`max_children` in {} is for dynamic supervisors; add `dynamic = true`", section.label);
        problems.add(section.place("max_children"), text);
    }
    match dynamic {
        Some(true) => Children::Dynamic { max_children: max_children.unwrap_or(DEFAULT_MAX_CHILDREN) },
        _ => Children::Listed(Vec::new()),
    }
}
