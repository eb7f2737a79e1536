//! The servers on which stores are tested: PostgreSQL, MariaDB and Redis, from the system's packages. The tests start them
//! themselves. Where one is missing its tests say that they did not run; `BATON_SERVERS=all` makes that an error, and has
//! Debian's packages installed where we are root.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::packages;
use crate::progress::say;
use crate::project::Project;

/// A program that must be there, and the package that has it.
const SERVERS: [(&str, &str); 3] =
    [("postgres", "postgresql"), ("mariadbd", "mariadb-server"), ("redis-server", "redis-server")];

/// Names what is missing, or has it installed.
pub(crate) fn look(project: &Project) -> Result<()> {
    let all = std::env::var_os("BATON_SERVERS").is_some_and(|which| which == "all");
    let missing = || missing(&folders());
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let text = format!("no server of {}: `apt-get install {}`", packages.join(", "), packages.join(" "));
    if !all {
        say(&format!("      left out: {text}"));
        return Ok(());
    }
    if rustix::process::geteuid().is_root() {
        say(&format!("      installing {}", packages.join(", ")));
        packages::install(project, &packages)?;
    }
    match missing().is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!("BATON_SERVERS=all asks for all: {text}"))),
    }
}

/// The packages whose servers are in none of these folders.
fn missing(folders: &[PathBuf]) -> Vec<&'static str> {
    let there = |program: &str| folders.iter().any(|folder| folder.join(program).is_file());
    SERVERS.iter().filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect()
}

/// Where programs are, servers among them: Debian keeps those of PostgreSQL apart.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let versions = fs::read_dir(Path::new("/usr/lib/postgresql")).into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_by_its_package() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let folders = [folder.path().to_owned()];
        assert_eq!(missing(&folders), ["postgresql", "mariadb-server", "redis-server"]);
        fs::write(folder.path().join("mariadbd"), "").expect("it can be written");
        assert_eq!(missing(&folders), ["postgresql", "redis-server"]);
    }
}
