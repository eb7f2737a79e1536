//! Every setting of a file with its value and where it comes from, and what two files differ in.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Default, Form, Group, Key};
use super::problem::{Problems, shown};
use super::section::integer_of;
use super::{args, child};

/// All settings of a file, table by table: what stands at its top, its single tables, then the others in the order of the
/// file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings(pub(super) Vec<Section>);

/// A table of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Section {
    /// What it is, such as `limits of [[actor]] "x"`.
    pub(super) section: String,
    /// Its line in a file; none: it stands at the top.
    #[serde(skip)]
    pub(super) header: Option<String>,
    pub(super) settings: Vec<Setting>,
}

/// One key of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Setting {
    pub(super) key: &'static str,
    /// None: it has none, and `told` says what counts.
    pub(super) value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<String>,
    pub(super) unit: Option<&'static str>,
    #[serde(flatten)]
    pub(super) from: Origin,
    /// Whether a host that runs takes a change of it.
    pub(super) live: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub(super) enum Origin {
    /// The file, here.
    File {
        line: usize,
    },
    /// The file, at another place, from which this one inherits.
    Inherited {
        section: String,
        line: usize,
    },
    /// An option of the command.
    Option {
        option: &'static str,
    },
    Default,
}

type Table<'t> = &'t DeTable<'t>;
type Item<'t> = &'t Spanned<DeValue<'t>>;

impl Settings {
    /// Those of a file that was found to be good.
    pub(super) fn of(table: Table<'_>, base_dir: &Path, problems: &mut Problems) -> Self {
        let none = DeTable::new();
        let mut walk = Walk { top: table, none: &none, base_dir, problems, found: Vec::new() };
        walk.whole();
        Self(walk.found)
    }

    /// With `value` for `key` at the top, since the command was told so by `option`.
    #[must_use]
    pub fn told(mut self, key: &str, value: &str, option: &'static str) -> Self {
        let found = self.0.first_mut().and_then(|top| top.settings.iter_mut().find(|setting| setting.key == key));
        if let Some(setting) = found {
            setting.value = Some(json!(value));
            setting.from = Origin::Option { option };
        }
        self
    }

    /// Without what is there by default, or by inheritance.
    #[must_use]
    pub fn said(mut self) -> Self {
        for section in &mut self.0 {
            section.settings.retain(|setting| !matches!(setting.from, Origin::Default | Origin::Inherited { .. }));
        }
        self.0.retain(|section| !section.settings.is_empty() || section.is_an_item());
        self
    }
}

struct Walk<'t, 'w> {
    top: Table<'t>,
    /// Stands in for a table that is not there.
    none: Table<'t>,
    base_dir: &'w Path,
    problems: &'w mut Problems,
    found: Vec<Section>,
}

/// Where a table's keys are looked for when it does not have them: how each place is called, and the table.
type Above<'t> = Vec<(String, Table<'t>)>;

impl<'t> Walk<'t, '_> {
    fn whole(&mut self) {
        self.section("the file".into(), None, self.top, &keys::TOP, &Vec::new(), &[]);
        let mut arrays: Vec<(usize, &'static Key, &'static Group, String, Table<'t>)> = Vec::new();
        for key in keys::TOP.keys() {
            match key.form {
                Form::Table(group) => {
                    let own = self.table(self.top, key.name);
                    // To be there at all means something.
                    let requires = group.keys().any(|key| matches!(key.default, Default::Required));
                    if requires && !self.top.contains_key(key.name) {
                        continue;
                    }
                    self.section(group.title.into(), Some(format!("[{}]", key.name)), own, group, &Vec::new(), &[key]);
                }
                Form::Tables(group) => {
                    for (number, item) in items(self.top, key.name).iter().enumerate() {
                        let Some(own) = item.get_ref().as_table() else { continue };
                        let title = ["name", "pattern", "path"].iter().find_map(|title| text(own, title));
                        let label = match title.filter(|_| key.name != "plugin").or_else(|| text(own, "path")) {
                            Some(title) => format!("[[{}]] {}", key.name, shown(title)),
                            None => format!("[[{}]] number {}", key.name, number + 1),
                        };
                        arrays.push((item.span().start, key, group, label, own));
                    }
                }
                _ => {}
            }
        }
        arrays.sort_by_key(|(at, ..)| *at);
        for (_, key, group, label, own) in arrays {
            self.of_an_array(key, group, &label, own);
        }
    }

    /// A table of an array at the top, and those below it.
    fn of_an_array(&mut self, key: &'static Key, group: &'static Group, label: &str, own: Table<'t>) {
        let plugin = text(own, "plugin").and_then(|name| self.plugin(name));
        let rules = plugin.iter().map(|plugin| (label_of(plugin), *plugin)).collect();
        self.section(label.to_owned(), Some(format!("[[{}]]", key.name)), own, group, &rules, &[key]);
        for below in group.keys() {
            let Form::Table(inner) = below.form else { continue };
            // Nobody would find them.
            if below.name == "limits" && key.name == "plugin" && !own.contains_key("name") {
                continue;
            }
            let mut above: Above<'t> = Vec::new();
            if below.name == "limits" {
                let of_plugin =
                    |plugin: &Table<'t>| (format!("limits of {}", label_of(plugin)), self.table(plugin, "limits"));
                above.extend(plugin.iter().map(of_plugin));
                above.push(("[limits]".into(), self.table(self.top, "limits")));
            }
            let header = format!("[{}.{}]", key.name, below.name);
            let label = format!("{} of {label}", below.name);
            // The one limit that stands under a name of its own.
            let elsewhere = own.contains_key("start_timeout_ms") && below.name == "limits";
            self.section(label, Some(header), self.table(own, below.name), inner, &above, &[key, below]);
            let last = self.found.last_mut().filter(|_| elsewhere);
            if let Some(setting) =
                last.and_then(|section| section.settings.iter_mut().find(|setting| setting.key == "start_timeout_ms"))
            {
                (setting.value, setting.told) = (None, Some("that of the actor, above".into()));
                setting.from = Origin::Default;
            }
        }
    }

    /// The table `key`.
    fn table(&self, of: Table<'t>, key: &str) -> Table<'t> {
        of.get(key).and_then(|value| value.get_ref().as_table()).unwrap_or(self.none)
    }

    /// The `[[plugin]]` of this name.
    fn plugin(&self, name: &str) -> Option<Table<'t>> {
        let plugins = items(self.top, "plugin").iter().filter_map(|item| item.get_ref().as_table());
        plugins.into_iter().find(|plugin| text(plugin, "name") == Some(name))
    }

    /// All keys of a table, except those that are tables.
    fn section(
        &mut self,
        section: String,
        header: Option<String>,
        own: Table<'t>,
        group: &'static Group,
        above: &Above<'t>,
        way: &[&'static Key],
    ) {
        let live = way.iter().any(|key| key.live);
        let inline = way.len() > 1;
        let mut settings = Vec::new();
        for key in group.keys() {
            let nested = match key.form {
                Form::Table(_) => true,
                Form::Tables(_) => !inline,
                _ => false,
            };
            if !nested {
                let mut setting = self.setting(key, own, above, group);
                setting.live |= live;
                settings.push(setting);
            }
        }
        self.found.push(Section { section, header, settings });
    }

    fn setting(&mut self, key: &'static Key, own: Table<'t>, above: &Above<'t>, group: &'static Group) -> Setting {
        let made = |value, told, from| Setting { key: key.name, value, told, unit: key.unit(), from, live: key.live };
        if let Some((at, value)) = own.get_key_value(key.name) {
            let line = self.problems.line(at.span().start);
            return made(Some(self.value(key, value)), None, Origin::File { line });
        }
        if let Some(told) = otherwise(key.name, own, group) {
            return match told {
                Otherwise::Is(value) => made(Some(value), None, Origin::Default),
                Otherwise::Told(told) => made(None, Some(told.into()), Origin::Default),
            };
        }
        // How often is said with whether at all.
        let whole = key.name.starts_with("interval_") || key.name == "durability";
        let above = above.iter().filter(|_| !(whole && own.contains_key("durability")));
        for (section, table) in above {
            if let Some((at, value)) = table.get_key_value(key.name) {
                let from = Origin::Inherited { section: section.clone(), line: self.problems.line(at.span().start) };
                return made(Some(self.value(key, value)), None, from);
            }
        }
        match key.default {
            Default::Is(value) => {
                let value = match key.form {
                    Form::Path => json!(self.base_dir.join(value().as_str().unwrap_or_default())),
                    _ => value(),
                };
                made(Some(value), None, Origin::Default)
            }
            Default::Told(told) => made(None, Some(told.into()), Origin::Default),
            Default::Required => made(None, Some("required".into()), Origin::Default),
        }
    }

    /// A value of the file: paths are complete, and tables have their defaults.
    fn value(&mut self, key: &'static Key, value: Item<'t>) -> Value {
        match key.form {
            Form::Path => json!(self.base_dir.join(value.get_ref().as_str().unwrap_or_default())),
            Form::Tables(group) => {
                let tables = value.get_ref().as_array().into_iter().flatten();
                let tables: Vec<Table<'t>> = tables.filter_map(|item| item.get_ref().as_table()).collect();
                tables.into_iter().map(|table| self.whole_table(table, group)).collect()
            }
            _ => args::to_json(value, "", self.problems),
        }
    }

    fn whole_table(&mut self, own: Table<'t>, group: &'static Group) -> Value {
        let settings = group.keys().map(|key| (key.name, self.setting(key, own, &Vec::new(), group).value));
        let given = settings.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(given.collect::<Map<_, _>>())
    }
}

/// What a key is without being there, where its neighbours say so.
enum Otherwise {
    Is(Value),
    Told(&'static str),
}

fn otherwise(key: &str, own: Table<'_>, group: &Group) -> Option<Otherwise> {
    let has = |key: &str| own.contains_key(key);
    let supervises = group.key("strategy").is_some();
    match key {
        "core_dump_files" | "core_dump_bytes" if !has("core_dumps") => Some(Otherwise::Told("only with `core_dumps`")),
        "max_restarts" | "max_seconds" | "backoff_ms" | "backoff_max_ms" if !supervises && has("supervisor") => {
            Some(Otherwise::Told("the supervisor's counts"))
        }
        "backoff_max_ms" => {
            let first = own.get("backoff_ms").and_then(integer_of)?;
            Some(Otherwise::Is(json!(first.max(child::BACKOFF_MAX_MS))))
        }
        "max_children" if own.get("dynamic").and_then(|value| value.get_ref().as_bool()) != Some(true) => {
            Some(Otherwise::Told("only with `dynamic = true`"))
        }
        _ => None,
    }
}

fn label_of(plugin: &Table<'_>) -> String {
    format!("[[plugin]] {}", shown(text(plugin, "path").unwrap_or_default()))
}

fn text<'t>(table: Table<'t>, key: &str) -> Option<&'t str> {
    table.get(key).and_then(|value| value.get_ref().as_str())
}

fn items<'t>(of: Table<'t>, key: &str) -> &'t [Spanned<DeValue<'t>>] {
    of.get(key).and_then(|value| value.get_ref().as_array()).map_or(&[], |items| items)
}

/// What differs between a file that a host runs with and the same file now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What, in words.
    pub what: String,
    /// Whether a host that runs takes it; else it needs a restart.
    pub live: bool,
}

impl Settings {
    /// What `new` has otherwise, in its order; what is gone comes last.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let find = |settings: &Self, label: &str| settings.0.iter().position(|section| section.section == label);
        let mut changes = Vec::new();
        for section in &new.0 {
            match find(self, &section.section) {
                Some(at) => changes.extend(self.0[at].changes(section)),
                None => changes.extend(section.as_a_whole("is new")),
            }
        }
        let gone = self.0.iter().filter(|section| find(new, &section.section).is_none());
        changes.extend(gone.filter_map(|section| section.as_a_whole("is gone")));
        // Children start in their order, and of several versions the last is current.
        let order = |settings: &Self, other: &Self| -> Vec<String> {
            let ordered = settings.0.iter().filter(|section| section.is_an_item() && !section.live());
            ordered.map(|section| section.section.clone()).filter(|label| find(other, label).is_some()).collect()
        };
        if order(self, new) != order(new, self) {
            changes.push(Change { what: "the order of plugins, actors and supervisors".into(), live: false });
        }
        changes
    }
}

impl Section {
    /// Whether it is one of an array at the top.
    fn is_an_item(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.starts_with("[["))
    }

    fn live(&self) -> bool {
        self.settings.iter().all(|setting| setting.live)
    }

    /// One that is there on one side alone; what is below an item goes with it.
    fn as_a_whole(&self, how: &str) -> Option<Change> {
        self.is_an_item().then(|| Change { what: format!("{} {how}", self.section), live: self.live() })
    }

    fn changes(&self, new: &Self) -> Vec<Change> {
        let of = |key: &str| new.settings.iter().find(|setting| setting.key == key);
        let changed = self.settings.iter().filter_map(|old| Some((old, of(old.key)?)));
        let changed = changed.filter(|(old, new)| (&old.value, &old.told) != (&new.value, &new.told));
        let change = |(old, new): (&Setting, &Setting)| Change {
            what: format!("`{}` in {}: {} is {} now", old.key, self.section, old.short(), new.short()),
            live: old.live,
        };
        changed.map(change).collect()
    }
}

impl Setting {
    /// Its value as a line of the log shows it.
    fn short(&self) -> String {
        const CHARS: usize = 60;
        let text = match (&self.value, &self.told) {
            (Some(value), _) => value.to_string(),
            (None, told) => told.clone().unwrap_or_default(),
        };
        match text.char_indices().nth(CHARS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}
