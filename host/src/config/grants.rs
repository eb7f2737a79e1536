//! `[plugin.grants]`: what the actors of a plugin may do.

use std::path::Path;

use super::problem::Problems;
use super::section::Section;
use crate::model::{
    Access, DIR_GRANTS, DirGrant, EnvGrant, GRANTS, Grants, HostPattern, HttpGrant, NameOrPattern, SocketGrant,
};

/// Its keys.
pub(super) const KEYS: &[&str] =
    &["supervise", "call", "groups", "dirs", "env", "http", "sockets", "lookups", "strict"];
/// The words of `access` and of `scheme`.
pub(super) const ACCESS: &[&str] = &["read", "read-write"];
pub(super) const SCHEMES: &[&str] = &["https", "http"];
pub(super) const PORT: std::ops::RangeInclusive<u64> = 1..=65_535;

/// The grants of `section`; directories are taken relative to `base_dir`.
pub(super) fn read(section: &mut Section<'_>, base_dir: &Path, problems: &mut Problems) -> Grants {
    let label = format!("grants of {}", section.label);
    let Some(mut own) = section.table("grants", label, problems) else { return Grants::default() };
    let grants = Grants {
        supervise: own.list("supervise", GRANTS, NameOrPattern::new, problems),
        call: own.list("call", GRANTS, NameOrPattern::new, problems),
        groups: own.list("groups", GRANTS, NameOrPattern::new, problems),
        dirs: dirs(&mut own, base_dir, problems),
        env: own.list("env", GRANTS, EnvGrant::new, problems),
        http: http(&mut own, problems),
        sockets: own.list("sockets", GRANTS, str::parse::<SocketGrant>, problems),
        lookups: own.list("lookups", GRANTS, str::parse::<HostPattern>, problems),
        strict: own.boolean("strict", problems).unwrap_or(false),
    };
    once(&own, "env", grants.env.iter().map(|granted| &granted.name), problems);
    once(&own, "dirs", grants.dirs.iter().map(|granted| &granted.guest), problems);
    own.finish(&[], problems);
    grants
}

fn dirs(own: &mut Section<'_>, base_dir: &Path, problems: &mut Problems) -> Vec<DirGrant> {
    let tables = own.tables("dirs", "host", problems);
    few(own, "dirs", tables.len(), DIR_GRANTS, problems);
    let mut dirs = Vec::new();
    for mut table in tables.into_iter().take(DIR_GRANTS) {
        let host = table.required("host", "the path of a directory", problems);
        let access = [("read", Access::Read), ("read-write", Access::ReadWrite)];
        let access = table.word_or_integer("access", &access, None, problems).unwrap_or_default();
        let guest = table.required("guest", "the name that the guest knows it by, such as \"/assets\"", problems);
        let host = base_dir.join(host.unwrap_or_default());
        dirs.extend(table.read("guest", guest, |guest| DirGrant::new(host, guest, access), problems));
        table.finish(&[], problems);
    }
    dirs
}

fn http(own: &mut Section<'_>, problems: &mut Problems) -> Vec<HttpGrant> {
    let tables = own.tables("http", "host", problems);
    few(own, "http", tables.len(), GRANTS, problems);
    let mut http = Vec::new();
    for mut table in tables.into_iter().take(GRANTS) {
        let host = table.required("host", "a host, such as \"api.example.org\"", problems);
        let host = table.read("host", host, str::parse::<HostPattern>, problems);
        if !table.has("methods") {
            let text = format!("{} has no `methods`; expected some, such as [\"GET\", \"HEAD\"]", table.label);
            problems.add(table.at, text);
        }
        let methods = table.list("methods", GRANTS, |text| Ok::<_, String>(text.to_owned()), problems);
        let scheme = table.word_or_integer("scheme", &[("https", true), ("http", false)], None, problems);
        let tls = scheme.unwrap_or(true);
        let port = table.integer("port", &PORT, problems).and_then(|port| u16::try_from(port).ok());
        let private = table.boolean("private", problems).unwrap_or(false);
        table.finish(&[], problems);
        let Some(host) = host.filter(|_| table.has("methods")) else { continue };
        match HttpGrant::new(host, methods) {
            Ok(granted) => {
                let port = port.unwrap_or(if tls { 443 } else { 80 });
                http.push(HttpGrant { tls, port, private, ..granted });
            }
            Err(error) => problems.add(table.place("methods"), format!("`methods` in {}: {error}", table.label)),
        }
    }
    http
}

fn few(own: &Section<'_>, key: &str, entries: usize, limit: usize, problems: &mut Problems) {
    if entries > limit {
        let text = format!("`{key}` in {} has {entries} entries; at most {limit} are allowed", own.label);
        problems.add(own.place(key), text);
    }
}

/// What may be there once.
fn once<'n>(own: &Section<'_>, key: &str, names: impl Iterator<Item = &'n String>, problems: &mut Problems) {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            problems.add(own.place(key), format!("`{key}` in {}: {name:?} is there twice", own.label));
        }
    }
}
