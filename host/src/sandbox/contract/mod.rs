//! The versions of the contract that this host serves, a folder or file for each.
//!
//! A version that was released stays: a component that was built against it is served for ever. A new one gets a module of
//! its own here; from then on the functions of the older ones turn their words into the newest one's, and call what that
//! one calls. What turns do, and what the host keeps, is written in the newest one's words alone.

pub(super) mod v0_1_0;

/// What the name of a version's export begins with.
pub(super) const LIFECYCLE: &str = "baton:actor/lifecycle@";
/// What the names of all that a version imports or exports begin with.
const PACKAGE: &str = "baton:actor/";

/// The functions of `lifecycle`.
const FUNCTIONS: [&str; 6] = ["describe", "init", "continue", "handle", "snapshot", "terminate"];

/// One version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) number: &'static str,
    /// What a component exports.
    pub(super) lifecycle: &'static str,
    /// What it may import.
    imports: [&'static str; 3],
    /// Its text, and the widest world in it: what a plugin does not import is no part of its component.
    pub(super) wit: &'static str,
    pub(super) world: &'static str,
}

/// All of them, the newest one last.
pub(super) const VERSIONS: [Version; 1] = [Version {
    number: "0.1.0",
    lifecycle: v0_1_0::LIFECYCLE,
    imports: [v0_1_0::HOST, v0_1_0::SUPERVISION, v0_1_0::TYPES],
    wit: include_str!("../../../../wit/actor/0.1.0/actor.wit"),
    world: "supervised-actor",
}];

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

/// The first import of the contract that no version has.
pub(super) fn unknown_import(imports: &[String]) -> Option<&str> {
    let known = |name: &str| VERSIONS.iter().any(|version| version.imports.contains(&name));
    imports.iter().map(String::as_str).filter(|name| name.starts_with(PACKAGE)).find(|name| !known(name))
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
        assert_eq!(Version::exported(["baton:actor/lifecycle@9.0.0"]), None);
        let imports = ["wasi:io/poll@0.2.0", "baton:actor/host@0.1.0", "baton:actor/host@9.0.0"].map(str::to_owned);
        assert_eq!(unknown_import(&imports), Some("baton:actor/host@9.0.0"));
        assert_eq!(unknown_import(&imports[..2]), None);
    }
}
