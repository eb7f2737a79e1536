//! The plugins of the configuration, each loaded as a host would load it, in a sandbox that grants nothing.

use std::path::Path;

use baton_host::config::{Config, Disk, Files as _, PluginFile};
use baton_host::model::{Description, SIGNATURE_BYTES, Trust, signature_of};
use baton_host::{ActorSpec, Host, Inspection};
use tokio::time::timeout;

use super::{Finding, LOOK_TIMEOUT};

/// Largest plugin that is read, in bytes, as a host reads it.
const FILE_BYTES: u64 = 256 << 20;

/// What the plugins say of themselves. None: one of them could not be asked, so that nothing can be said of all.
pub(super) async fn look(config: Option<&Config>, found: &mut Vec<Finding>) -> Option<Vec<Description>> {
    let config = config?;
    let mut loaded = Vec::new();
    for plugin in &config.plugins {
        let looked_at = format!("plugin {}", plugin.path.display());
        match timeout(LOOK_TIMEOUT, load(config, plugin)).await {
            Ok(Ok(inspection)) => {
                found.extend(judge(&looked_at, plugin, &inspection));
                loaded.push(inspection.description);
            }
            Ok(Err(error)) => {
                let finding = Finding::wrong(looked_at, error.0);
                found.push(match error.1 {
                    Some(cure) => finding.cure(cure),
                    None => finding,
                });
            }
            Err(_) => {
                let what = format!("it was not compiled and asked within {} s", LOOK_TIMEOUT.as_secs());
                found.push(Finding::note(looked_at, what).cure("`baton inspect` takes as long as it needs"));
            }
        }
    }
    let all = loaded.len() == config.plugins.len();
    if all {
        let actors = config.actors().map(|spec| (spec.name.to_string(), spec));
        let templates = config.templates.iter().map(|template| (template.pattern.to_string(), template.spec()));
        found.extend(actors.chain(templates).filter_map(|(name, spec)| unfit(&name, spec, &loaded)));
    }
    all.then_some(loaded)
}

/// In words, and what to do.
type Error = (String, Option<String>);

async fn load(config: &Config, plugin: &PluginFile) -> Result<Inspection, Error> {
    let label = plugin.path.display().to_string();
    let unread = |error: std::io::Error| (format!("it cannot be read: {error}"), None);
    let wasm = Disk.read(&plugin.path, FILE_BYTES).map_err(unread)?;
    let signature = signature(&plugin.path).map_err(unread)?;
    let trust = Trust { pin: plugin.sha256, keys: config.plugin_keys.clone() };
    let told = |error: baton_host::HostError| {
        let cure = error.cure().map(str::to_owned);
        let text = error.to_string();
        let text = cure.as_ref().and_then(|cure| text.strip_suffix(&format!(" ({cure})"))).unwrap_or(&text);
        (text.to_owned(), cure)
    };
    trust.check(&label, &wasm, signature.as_deref()).map_err(told)?;
    Host::inspect(&label, wasm).await.map_err(told)
}

fn signature(plugin: &Path) -> std::io::Result<Option<String>> {
    let path = signature_of(plugin);
    if !Disk.is_file(&path) {
        return Ok(None);
    }
    let text = String::from_utf8(Disk.read(&path, SIGNATURE_BYTES)?);
    text.map(Some).map_err(|_| std::io::Error::other("its .minisig is no text"))
}

fn judge(looked_at: &str, plugin: &PluginFile, inspection: &Inspection) -> Vec<Finding> {
    let about = &inspection.description;
    let (name, version) = (&about.name, &about.version);
    let (from, to) = (about.reads_from, about.reads_to);
    let contract: Vec<_> =
        inspection.exports.iter().filter(|export| export.contains('@')).map(String::as_str).collect();
    let said =
        format!("{name} {version}, writes schema {}, reads {from} to {to}, {}", about.schema, contract.join(", "));
    let mut found = vec![Finding::good(looked_at, said)];
    if let Some(expected) = plugin.name.as_ref().filter(|expected| *expected != name) {
        let what = format!("it says that its name is `{name}`; expected `{expected}`");
        found.push(
            Finding::wrong(looked_at, what).cure("correct its `name` in the configuration, or name another file"),
        );
    }
    let lacking = inspection.needs.iter().filter(|need| !need.is_met(&plugin.grants));
    found.extend(lacking.map(|need| {
        let what = format!("it imports {}, and is refused when it uses it", need.functions.join(", "));
        let cure = format!("if it is to: {} in its [plugin.grants]", need.line);
        Finding::note(looked_at, what).cure(cure)
    }));
    found
}

/// An actor or template whose plugin, or whose version of it, is not there.
fn unfit(name: &str, spec: &ActorSpec, loaded: &[Description]) -> Option<Finding> {
    let mut versions = loaded.iter().filter(|about| about.name == spec.plugin).map(|about| &about.version).peekable();
    let looked_at = format!("actor {name}");
    if versions.peek().is_none() {
        let what = format!("no [[plugin]] is `{}`", spec.plugin);
        return Some(Finding::wrong(looked_at, what).cure("list its file as a [[plugin]], or correct `plugin`"));
    }
    let wanted = spec.version.as_ref()?;
    (!versions.any(|version| version == wanted)).then(|| {
        let what = format!("it is to run {} {wanted}, and no [[plugin]] is that version", spec.plugin);
        Finding::wrong(looked_at, what).cure("list the file of that version as another [[plugin]]")
    })
}
