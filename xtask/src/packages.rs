//! Packages of Debian that are installed on the machine, where that was asked for and we are root.

use std::process::Command;
use std::time::Duration;

use crate::failure::Result;
use crate::process::stream_within;
use crate::project::Project;

/// How long apt may take.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);

/// Installs packages by their names.
pub(crate) fn install(project: &Project, names: &[&str]) -> Result<()> {
    let apt = |words: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet").args(words);
        stream_within(&mut apt, &project.interrupt, Some(INSTALL_LIMIT))
    };
    let packages = [&["install", "--yes", "--no-install-recommends"][..], names].concat();
    // The machine's lists may be missing, or name files that the mirror no longer has.
    apt(&packages).or_else(|_| {
        project.interrupt.check()?;
        apt(&["update"])?;
        apt(&packages)
    })
}
