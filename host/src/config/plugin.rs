//! `[[plugin]]`: the plugins to load, with the limits of their actors and what these may do.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::problem::{Problems, perhaps};
use super::section::{Elsewhere, Once, Section};
use super::settings::TOP_KEYS;
use super::{Files, PluginFile, grants, keeping, limits};
use crate::model::{Limits, PluginName, Sha256};

/// What `[[plugin]]` says of one plugin, for the actors that name it.
#[derive(Debug)]
pub(super) struct Plugins {
    by_name: HashMap<PluginName, Limits>,
    /// Whether all of them are named; else a name that is not here may still turn up when they are loaded.
    all_named: bool,
}

impl Plugins {
    /// The limits of the plugin `name`, which stands in `section`; `otherwise` where it has none of its own.
    pub(super) fn limits<'l>(
        &'l self,
        name: &PluginName,
        section: &Section<'_>,
        otherwise: &'l Limits,
        problems: &mut Problems,
    ) -> &'l Limits {
        let found = self.by_name.get(name);
        if found.is_none() && self.all_named {
            let meant = perhaps(name.as_str(), self.by_name.keys().map(PluginName::as_str));
            let text = format!("`plugin` in {}: no [[plugin]] has the name `{name}`{meant}", section.label);
            problems.add(section.place("plugin"), text);
        }
        found.unwrap_or(otherwise)
    }
}

/// All of them, over the `limits` of the file.
pub(super) fn read(
    top: &mut Section<'_>,
    limits: &Limits,
    base_dir: &Path,
    files: &dyn Files,
    problems: &mut Problems,
) -> (Vec<PluginFile>, Plugins) {
    let mut known = Plugins { by_name: HashMap::new(), all_named: true };
    let mut names = Once::default();
    let mut plugins = Vec::new();
    for mut section in top.tables("plugin", "path", problems) {
        let path = file(&mut section, base_dir, files, problems);
        let text = section.string("name", "a plugin's name", problems);
        let name = section.read("name", text, PluginName::new, problems);
        let limits_label = format!("limits of {}", section.label);
        let own = limits::read(&mut section, &limits_label, limits.clone(), problems);
        if let (Some(name), Some(text)) = (&name, text) {
            names.take(text, "[[plugin]]", (&section, "name"), problems);
            known.by_name.insert(name.clone(), own);
        } else {
            known.all_named = false;
            if section.has("limits") && !section.has("name") {
                let text = format!("{} has `limits` and no `name`, by which its actors would find them", section.label);
                problems.add(section.place("limits"), text);
            }
        }
        let sha256 = section.string("sha256", "a digest of 64 hexadecimal digits", problems);
        let sha256 = section.read("sha256", sha256, str::parse::<Sha256>, problems);
        let grants = grants::read(&mut section, base_dir, problems);
        let state = keeping::read(&mut section, problems);
        let watch = section.boolean("watch", problems).unwrap_or(false);
        let elsewhere = [
            Elsewhere { place: "in its `limits`", keys: limits::KEYS },
            Elsewhere { place: "in its `grants`", keys: grants::KEYS },
            Elsewhere { place: "at the top of the file", keys: TOP_KEYS },
        ];
        section.finish(&elsewhere, problems);
        plugins.extend(path.map(|path| PluginFile { path, name, sha256, grants, state, watch }));
    }
    (plugins, known)
}

fn file(section: &mut Section<'_>, base_dir: &Path, files: &dyn Files, problems: &mut Problems) -> Option<PathBuf> {
    let path = base_dir.join(section.required("path", "the path of a component", problems)?);
    if !files.is_file(&path) {
        let text = format!("`path` in {}: there is no file {}", section.label, path.display());
        problems.add(section.place("path"), text);
    }
    Some(path)
}
