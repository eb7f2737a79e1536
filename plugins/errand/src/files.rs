//! Files. Paths go to the host as they were asked for: what they lead to is the host's to say.

use baton_guest::Failure;
use serde::Deserialize;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

use crate::failed;

/// Bytes of a file that are read at most.
const READ_BYTES: u64 = 64 << 10;

/// A path below a directory that was granted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct At {
    dir: String,
    path: String,
    /// Whether a symbolic link at its end is followed.
    #[serde(default = "yes")]
    follow: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Write {
    dir: String,
    path: String,
    text: String,
    #[serde(default = "yes")]
    create: bool,
    #[serde(default = "yes")]
    truncate: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Two {
    dir: String,
    path: String,
    to_dir: String,
    to: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Symlink {
    dir: String,
    target: String,
    path: String,
}

impl At {
    fn flags(&self) -> PathFlags {
        if self.follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() }
    }

    fn open(&self, open: OpenFlags) -> Result<Descriptor, Failure> {
        let dir = dir(&self.dir)?;
        told("open-at", dir.open_at(self.flags(), &self.path, open, DescriptorFlags::READ))
    }
}

pub(crate) fn dirs() -> Vec<String> {
    get_directories().into_iter().map(|(_, name)| name).collect()
}

fn dir(name: &str) -> Result<Descriptor, Failure> {
    let found = get_directories().into_iter().find(|(_, own)| own == name);
    found.map(|(dir, _)| dir).ok_or_else(|| Failure::new("errand", format!("no directory {name} is granted")))
}

fn told<T>(during: &str, done: Result<T, ErrorCode>) -> Result<T, Failure> {
    done.map_err(|error| failed(during, error.name()))
}

pub(crate) fn read(at: &At) -> Result<String, Failure> {
    let (bytes, _) = told("read", at.open(OpenFlags::empty())?.read(READ_BYTES, 0))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn write(write: &Write) -> Result<(), Failure> {
    let mut open = OpenFlags::empty();
    open.set(OpenFlags::CREATE, write.create);
    open.set(OpenFlags::TRUNCATE, write.truncate);
    let file = dir(&write.dir)?.open_at(PathFlags::SYMLINK_FOLLOW, &write.path, open, DescriptorFlags::WRITE);
    told("write", told("open-at", file)?.write(write.text.as_bytes(), 0)).map(drop)
}

pub(crate) fn list(at: &At) -> Result<Vec<String>, Failure> {
    let entries = told("read-directory", at.open(OpenFlags::DIRECTORY)?.read_directory())?;
    let mut names = Vec::new();
    while let Some(entry) = told("read-directory-entry", entries.read_directory_entry())? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names)
}

pub(crate) fn stat(at: &At) -> Result<u64, Failure> {
    told("stat-at", dir(&at.dir)?.stat_at(at.flags(), &at.path)).map(|stat| stat.size)
}

pub(crate) fn make_dir(at: &At) -> Result<(), Failure> {
    told("create-directory-at", dir(&at.dir)?.create_directory_at(&at.path))
}

pub(crate) fn remove_dir(at: &At) -> Result<(), Failure> {
    told("remove-directory-at", dir(&at.dir)?.remove_directory_at(&at.path))
}

pub(crate) fn unlink(at: &At) -> Result<(), Failure> {
    told("unlink-file-at", dir(&at.dir)?.unlink_file_at(&at.path))
}

pub(crate) fn rename(two: &Two) -> Result<(), Failure> {
    told("rename-at", dir(&two.dir)?.rename_at(&two.path, &dir(&two.to_dir)?, &two.to))
}

pub(crate) fn link(two: &Two) -> Result<(), Failure> {
    told("link-at", dir(&two.dir)?.link_at(PathFlags::empty(), &two.path, &dir(&two.to_dir)?, &two.to))
}

pub(crate) fn symlink(link: &Symlink) -> Result<(), Failure> {
    told("symlink-at", dir(&link.dir)?.symlink_at(&link.target, &link.path))
}

pub(crate) fn read_link(at: &At) -> Result<String, Failure> {
    told("readlink-at", dir(&at.dir)?.readlink_at(&at.path))
}

pub(crate) fn set_times(at: &At) -> Result<(), Failure> {
    let done = dir(&at.dir)?.set_times_at(at.flags(), &at.path, NewTimestamp::Now, NewTimestamp::Now);
    told("set-times-at", done)
}

pub(crate) fn empty(at: &At) -> Result<(), Failure> {
    told("set-size", at.open(OpenFlags::empty())?.set_size(0))
}

pub(crate) fn hold(at: &At, times: u32) -> Result<usize, Failure> {
    let dir = dir(&at.dir)?;
    let open = |_| dir.open_at(at.flags(), &at.path, OpenFlags::empty(), DescriptorFlags::READ).ok();
    let held: Vec<Descriptor> = (0..times).map_while(open).collect();
    Ok(held.len())
}
