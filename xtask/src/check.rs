//! Format, lints and dependencies; and the bindings that are checked in.

use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};
use crate::process::stream;
use crate::progress::{Steps, seconds, show};
use crate::project::Project;

/// The stores on servers of which the host can be built with one alone, and what is said then.
const STORES: [(&str, &str); 4] = [
    ("", "the host without stores on servers"),
    ("postgres", "the host with PostgreSQL alone"),
    ("mysql", "the host with MariaDB and MySQL alone"),
    ("redis", "the host with Redis alone"),
];

/// Runs every check, also after one has failed, and fails if any did.
pub(crate) fn run(project: &Project) -> Result<()> {
    let mut checks = vec![
        ("format", cargo(project, false, &["fmt", "--all", "--check"])),
        (
            "lints",
            cargo(project, false, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        ),
    ];
    for (store, title) in STORES {
        let lints = ["clippy", "-p", "baton-host", "--no-default-features", "--features", store, "--locked"];
        // Other features of what it stands on, which would otherwise be built anew for everything else.
        let mut command = project.cargo_into(&project.target.join("one-store"));
        command.args(lints).args(["--", "-D", "warnings"]);
        checks.push((title, command));
    }
    if project.plugins_manifest().is_file() {
        let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        checks.push(("format of the guests", cargo(project, true, &["fmt", "--all", "--check"])));
        checks.push(("lints of the guests", cargo(project, true, &lints)));
    }
    let deny = has_deny(project);
    if deny {
        let check = ["deny", "--locked", "check"];
        checks.push(("licences, advisories and sources of the dependencies", cargo(project, false, &check)));
    }
    let mut steps = Steps::new(checks.len());
    let mut failed = Vec::new();
    for (title, mut command) in checks {
        steps.begin(title);
        match stream(&mut command, &project.interrupt) {
            Ok(()) => steps.done("passed"),
            Err(failure) => {
                project.interrupt.check()?;
                steps.done(&failure.to_string());
                failed.push(title);
            }
        }
    }
    if !deny {
        show("not checked: the dependencies' licences, advisories and sources, for cargo-deny is not installed");
        show("             (`cargo install --locked cargo-deny` installs it)");
    }
    if !failed.is_empty() {
        return Err(Failure::new(format!("failed: {}", failed.join(", "))));
    }
    show(&format!("all {} checks passed in {}", steps.total(), seconds(steps.elapsed())));
    Ok(())
}

/// Writes the guest SDK's bindings again: the test that holds them to the contract can also write them.
pub(crate) fn bindings(project: &Project) -> Result<()> {
    let mut steps = Steps::new(1);
    steps.begin("the guest SDK's bindings from wit/");
    let mut test = project.cargo();
    // Of the whole workspace: another choice of packages would be another choice of features, and another engine build.
    let suite = ["test", "--workspace", "--locked", "--test", "suites", "--", "bindings::"];
    test.env("BATON_BLESS", "1").args(suite);
    stream(&mut test, &project.interrupt)?;
    steps.done("current");
    Ok(())
}

fn cargo(project: &Project, guests: bool, words: &[&str]) -> Command {
    let (subcommand, rest) = words.split_at(1);
    let mut command = if guests { project.cargo_into(&project.target.join("plugins-native")) } else { project.cargo() };
    command.args(subcommand);
    if guests {
        command.arg("--manifest-path").arg(project.plugins_manifest());
    }
    command.args(rest);
    command
}

fn has_deny(project: &Project) -> bool {
    let mut version = project.cargo();
    version.args(["deny", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}
