//! The versions of the contract that this host serves, a module for each.
//!
//! A version that was released stays: a component that was built against it is served for ever. A version's module knows the
//! names and types of its WIT, and how they are said in the host's own words, those of `model`, [`Refused`] and [`Described`];
//! nobody else knows them. The newest one has all of them; an older one has what is different in it, and for the rest leads to
//! the next newer. So a new version is a module, an entry in [`VERSIONS`], a case of [`Functions`], and what the host itself
//! does that it did not do before. `wit/README.md` has the steps.
//!
//! [`Refused`]: super::imports::Refused
//! [`Described`]: super::description::Described

mod v0_1_0;

use wasmtime::Store;
use wasmtime::component::{Instance, Linker};

use super::guest::{Data, Exports};

/// What the name of a version's export begins with.
pub(super) const LIFECYCLE: &str = "baton:actor/lifecycle@";
/// What the names of all that a version imports or exports begin with.
const PACKAGE: &str = "baton:actor/";

/// The functions of `lifecycle`.
const FUNCTIONS: [&str; 6] = ["describe", "init", "continue", "handle", "snapshot", "terminate"];

/// One version.
pub(super) struct Version {
    pub(super) number: &'static str,
    /// What a component exports.
    pub(super) lifecycle: &'static str,
    /// What it may import.
    imports: [&'static str; 3],
    /// Its text, and the widest world in it: what a plugin does not import is no part of its component.
    pub(super) wit: &'static str,
    pub(super) world: &'static str,
    /// Adds what may be imported.
    pub(super) link: fn(&mut Linker<Data>) -> wasmtime::Result<()>,
    /// The exports of an instance, checked for their types.
    pub(super) functions: fn(&mut Store<Data>, &Instance, &Exports) -> wasmtime::Result<Functions>,
}

/// The exports of one instance, of the version that it was built against.
pub(super) enum Functions {
    V0_1_0(v0_1_0::Functions),
}

/// The same call for each version: `by_version!(functions, it => it.snapshot(call).await)`.
macro_rules! by_version {
    ($functions:expr, $it:ident => $call:expr) => {
        match $functions {
            $crate::sandbox::contract::Functions::V0_1_0($it) => $call,
        }
    };
}
pub(super) use by_version;

/// All of them, the newest one last.
pub(super) const VERSIONS: [Version; 1] = [v0_1_0::VERSION];

impl Version {
    pub(super) fn numbered(number: &str) -> Option<&'static Self> {
        VERSIONS.iter().find(|version| version.number == number)
    }

    /// The newest of those that are exported.
    pub(super) fn exported<'a>(exports: impl IntoIterator<Item = &'a str>) -> Option<&'static Self> {
        let exports: Vec<_> = exports.into_iter().collect();
        VERSIONS.iter().rev().find(|version| exports.contains(&version.lifecycle))
    }
}

/// What is exported as if it were the contract's, but for its version: an interface, or a function of one as core modules
/// name it; and the name that it should have.
pub(super) fn unversioned(export: &str) -> Option<(&str, String)> {
    let newest = &VERSIONS[VERSIONS.len() - 1];
    let (interface, function) = match export.split_once('#') {
        Some((interface, function)) => (interface, Some(function)),
        None if FUNCTIONS.contains(&export) => ("", Some(export)),
        None => (export, None),
    };
    let (_, plain) = interface.rsplit_once('/').unwrap_or(("", interface));
    let known = plain == "lifecycle" || (plain.is_empty() && function.is_some());
    let expected =
        function.map_or_else(|| newest.lifecycle.to_owned(), |function| format!("{}#{function}", newest.lifecycle));
    known.then_some((export, expected))
}

/// What this host could have been given, for people.
pub(super) fn known() -> String {
    VERSIONS.each_ref().map(|version| version.lifecycle).join(" and ")
}

/// What a plugin needs one of, for people.
pub(super) fn needed() -> String {
    VERSIONS.each_ref().map(|version| version.lifecycle).join(" or ")
}

/// What of it may be imported, but for the words that all share.
pub(super) fn known_imports() -> String {
    let newest = &VERSIONS[VERSIONS.len() - 1];
    newest.imports[..2].join(" and ")
}

/// What to do about a version that is not known.
pub(super) fn hint() -> String {
    let folders = VERSIONS.each_ref().map(|version| format!("wit/actor/{}", version.number));
    format!("build it against {}, or use a host that knows its version", folders.join(" or "))
}

/// Gives a linker the functions of every version.
pub(super) fn add_to(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    VERSIONS.iter().try_for_each(|version| (version.link)(linker))
}

/// Whether it is an interface that a plugin may import.
pub(super) fn has_import(name: &str) -> bool {
    VERSIONS.iter().any(|version| version.imports.contains(&name))
}

/// The first import of the contract that no version has.
pub(super) fn unknown_import(imports: &[String]) -> Option<&str> {
    imports.iter().map(String::as_str).filter(|name| name.starts_with(PACKAGE)).find(|name| !has_import(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_in_wit_is_served() {
        let wit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/actor");
        let mut found = 0;
        for entry in std::fs::read_dir(wit).expect("it is there") {
            let number = entry.expect("it can be read").file_name().into_string().expect("is text");
            let version = Version::numbered(&number).expect(&number);
            assert!(version.wit.contains(&format!("package baton:actor@{number};")), "{number}");
            assert!(version.lifecycle.ends_with(&format!("@{number}")), "{number}");
            found += 1;
        }
        assert_eq!(found, VERSIONS.len());
    }

    #[test]
    fn a_name_without_its_version_is_told_with_the_name_that_it_should_have() {
        let whole = "baton:actor/lifecycle@0.1.0";
        for (export, expected) in [
            ("lifecycle#describe", Some(format!("{whole}#describe"))),
            ("baton:actor/lifecycle#init", Some(format!("{whole}#init"))),
            ("handle", Some(format!("{whole}#handle"))),
            ("lifecycle", Some(whole.to_owned())),
            ("baton:actor/lifecycle", Some(whole.to_owned())),
            ("baton:actor/lifecycle@9.0.0#init", None),
            ("main", None),
            ("acme:thing/run", None),
            ("run#describe", None),
        ] {
            assert_eq!(unversioned(export).map(|(_, name)| name), expected, "{export}");
        }
    }

    #[test]
    fn a_version_is_known_by_what_is_exported_and_an_import_of_none_is_named() {
        assert_eq!(
            Version::exported(["x", "baton:actor/lifecycle@0.1.0"]).map(|version| version.number),
            Some("0.1.0")
        );
        assert!(Version::exported(["baton:actor/lifecycle@9.0.0"]).is_none());
        let imports = ["wasi:io/poll@0.2.0", "baton:actor/host@0.1.0", "baton:actor/host@9.0.0"].map(str::to_owned);
        assert_eq!(unknown_import(&imports), Some("baton:actor/host@9.0.0"));
        assert_eq!(unknown_import(&imports[..2]), None);
    }
}
