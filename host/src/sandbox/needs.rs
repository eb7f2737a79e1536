//! What a plugin imports, said as what it would have to be granted. To import is no crime: many a language's runtime brings
//! all of WASI along and uses none of it.

use serde::Serialize;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW_1;
use wasmparser::{Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentItem};

use super::contract;
use super::program::plugin_error;
use crate::model::{Grants, HostError};

/// A grant without which some imports do nothing, or are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its key in `[plugin.grants]`.
    pub grant: &'static str,
    /// A line for `[plugin.grants]`, with names in capitals for what only its author knows.
    pub line: &'static str,
    /// The imports that need it.
    pub functions: Vec<String>,
    /// Whether a libc imports them that was built for WASI's first preview. It does so for every program: without the grant
    /// all works but what the plugin itself does with files or the environment.
    pub by_libc: bool,
}

/// A kind of grant: its key, a line, and the interfaces, and functions of these, that need it; no function: all.
type Kind = (&'static str, &'static str, &'static [(&'static str, &'static [&'static str])]);

const KINDS: [Kind; 8] = [
    ("call", r#"call = ["ACTOR", "PREFIX/*"]"#, &[("baton:actor/host", &["call", "send", "monitor"])]),
    (
        "supervise",
        r#"supervise = ["ACTOR", "PREFIX/*"]"#,
        &[(
            "baton:actor/supervision",
            &[
                "start-child",
                "terminate-child",
                "restart-child",
                "delete-child",
                "which-children",
                "count-children",
                "link",
                "exit",
            ],
        )],
    ),
    ("groups", r#"groups = ["GROUP"]"#, &[("baton:actor/supervision", &["members", "join", "dispatch"])]),
    (
        "dirs",
        r#"dirs = [{ host = "DIRECTORY", guest = "/NAME", access = "read" }]"#,
        &[("wasi:filesystem/preopens", &[])],
    ),
    ("env", r#"env = ["NAME", "NAME=VALUE"]"#, &[("wasi:cli/environment", &["get-environment"])]),
    ("http", r#"http = [{ host = "HOST", methods = ["GET"] }]"#, &[("wasi:http/outgoing-handler", &[])]),
    (
        "sockets",
        r#"sockets = ["tcp:ADDRESS:PORT", "udp:ADDRESS:PORT"]"#,
        &[("wasi:sockets/tcp-create-socket", &[]), ("wasi:sockets/udp-create-socket", &[])],
    ),
    ("lookups", r#"lookups = ["HOST"]"#, &[("wasi:sockets/ip-name-lookup", &["resolve-addresses"])]),
];

/// The interfaces of WASI 0.2 that are there.
const WASI: [&str; 29] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

impl Need {
    /// What code does that is in need of it, as in "unless its own code …".
    #[must_use]
    pub fn used_by(&self) -> &'static str {
        match self.grant {
            "dirs" => "opens files",
            "env" => "reads the environment",
            _ => "uses them",
        }
    }

    /// Whether anything of the kind is granted.
    #[must_use]
    pub fn is_met(&self, grants: &Grants) -> bool {
        match self.grant {
            "call" => !grants.call.is_empty(),
            "supervise" => !grants.supervise.is_empty(),
            "groups" => !grants.groups.is_empty(),
            "dirs" => !grants.dirs.is_empty(),
            "env" => !grants.env.is_empty(),
            "http" => !grants.http.is_empty(),
            "sockets" => !grants.sockets.is_empty(),
            _ => !grants.lookups.is_empty(),
        }
    }
}

/// The functions that a component imports, as interface and name.
pub(super) fn functions(component: &Component, engine: &Engine) -> Vec<(String, String)> {
    let mut functions = Vec::new();
    for (interface, item) in component.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        for (name, item) in instance.exports(engine) {
            if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                functions.push((interface.to_owned(), name.to_owned()));
            }
        }
    }
    functions
}

/// Whether a module in `component` was built for WASI's first preview: what makes WASI 0.2 of that imports files and the
/// environment, whatever the module does.
pub(super) fn has_libc(component: &[u8]) -> bool {
    let imports = Parser::new(0).parse_all(component).filter_map(|payload| match payload {
        Ok(Payload::ImportSection(imports)) => Some(imports.into_imports()),
        _ => None,
    });
    imports.flatten().filter_map(Result::ok).any(|import| import.module == PREVIEW_1)
}

/// What would have to be granted for these functions to be of use.
pub(super) fn of(functions: &[(String, String)], has_libc: bool) -> Vec<Need> {
    let needs = KINDS.iter().map(|&(grant, line, interfaces)| {
        let needing = functions.iter().filter(|(interface, function)| {
            interfaces.iter().any(|(own, names)| {
                plain(interface) == Some(*own) && (names.is_empty() || names.contains(&function.as_str()))
            })
        });
        let functions = needing.map(|(interface, function)| format!("{}.{function}", short(interface))).collect();
        Need { grant, line, functions, by_libc: has_libc && matches!(grant, "dirs" | "env") }
    });
    needs.filter(|need| !need.functions.is_empty()).collect()
}

fn short(interface: &str) -> &str {
    interface.split('@').next().unwrap_or(interface)
}

/// The name of an interface without its version, where it is one of WASI 0.2 or of a version of the contract that is known.
fn plain(interface: &str) -> Option<&str> {
    let (name, version) = interface.split_once('@')?;
    (version.starts_with("0.2.") && name.starts_with("wasi:") || contract::has_import(interface)).then_some(name)
}

/// Names all that is imported and not there.
pub(super) fn check_known(label: &str, imports: &[String]) -> Result<(), HostError> {
    let known = |name: &str| contract::has_import(name) || plain(name).is_some_and(|name| WASI.contains(&name));
    let unknown: Vec<&str> = imports.iter().map(String::as_str).filter(|name| !known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let what = format!("it imports what this host does not have: {}", unknown.join(", "));
    Err(plugin_error(label, what).hint(
        "a plugin may import baton:actor/host, baton:actor/supervision and WASI 0.2 (cli, clocks, filesystem, http, io, \
         random, sockets); build it without the others",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_is_said_as_what_would_grant_it() {
        let imports = [
            ("baton:actor/host@0.1.0", "log"),
            ("baton:actor/host@0.1.0", "send"),
            ("wasi:filesystem/preopens@0.2.3", "get-directories"),
            ("wasi:clocks/wall-clock@0.2.3", "now"),
            ("wasi:cli/environment@0.2.12", "get-arguments"),
        ];
        let imports = imports.map(|(interface, name)| (interface.to_owned(), name.to_owned()));
        for has_libc in [false, true] {
            let told = of(&imports, has_libc).into_iter().map(|need| (need.grant, need.functions, need.by_libc));
            let expected = [
                ("call", vec!["baton:actor/host.send".to_owned()], false),
                ("dirs", vec!["wasi:filesystem/preopens.get-directories".to_owned()], has_libc),
            ];
            assert_eq!(told.collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_libc_is_seen_wherever_its_module_stands() {
        let parsed = |text: &str| wat::parse_str(text).expect("is WAT");
        let import = "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))";
        assert!(has_libc(&parsed(&format!("(module {import})"))));
        assert!(has_libc(&parsed(&format!("(component (component (core module) (core module {import})))"))));
        assert!(!has_libc(&parsed("(component (core module (func (export \"fd_write\"))))")));
        assert!(!has_libc(b"\0asm\x0d\0\x01\0 and rubbish"));
    }

    #[test]
    fn what_is_not_there_is_named_all_of_it() {
        let imports = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let fine = ["baton:actor/host@0.1.0", "wasi:io/poll@0.2.0", "wasi:sockets/udp-create-socket@0.2.12"];
        assert!(check_known("x", &imports(&fine)).is_ok());
        let error =
            check_known("x", &imports(&["wasi:io/poll@0.3.0", "env", "wasi:nn/graph@0.2.0", "wasi:io/poll@0.2.1"]));
        let error = error.expect_err("three are unknown").to_string();
        assert!(error.contains("wasi:io/poll@0.3.0, env, wasi:nn/graph@0.2.0"), "{error}");
    }
}
