//! Disks that take no more: what was acknowledged stays, and the error says where and what to do.
//!
//! The disks are small tmpfs mounts in mount namespaces of their own, which a process holds open. Where the system allows
//! no such namespace, these tests say so and check nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{WatGuest, baton_bin};

/// A mounted disk; it is gone when this is dropped.
struct Disk {
    holder: Child,
    dir: PathBuf,
}

impl Disk {
    fn mount(place: &Path, options: &str) -> Option<Self> {
        let at = place.join("disk");
        std::fs::create_dir_all(&at).unwrap();
        let script = format!("mount -t tmpfs -o {options} tmpfs '{}' && echo mounted && exec cat", at.display());
        for namespace in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
            let mut command = Command::new("unshare");
            command.args(namespace).args(["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let Ok(mut holder) = command.stderr(Stdio::null()).spawn() else { continue };
            let mut line = String::new();
            BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
            if line == "mounted\n" {
                let dir = PathBuf::from(format!("/proc/{}/root{}", holder.id(), at.display()));
                return Some(Self { holder, dir });
            }
            drop(holder.wait());
        }
        println!("not checked: this system lets nobody mount a tmpfs in a namespace of their own");
        None
    }

    /// Leaves no byte free.
    fn fill(&self) -> PathBuf {
        let path = self.dir.join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// A folder with a configuration whose data directory is `dir`, and an actor whose state takes 4 MiB: more than what a
/// store may have set aside.
fn place(dir: &Path, place: &Path) {
    let terminate =
        "(drop (call $legacy (i32.const 0))) (i32.store (i32.const 2064) (i32.const 4194304)) (i32.const 2048)";
    let wasm = WatGuest::new("large").memory_pages(80).on("terminate", terminate).build();
    std::fs::write(place.join("large.wasm"), wasm).unwrap();
    let config = format!(
        "data_dir = \"{}\"\ninstances = 50\n[[plugin]]\npath = \"large.wasm\"\n[[actor]]\nname = \"large/1\"\n\
         plugin = \"large\"\nshutdown = 1000\n",
        dir.display()
    );
    std::fs::write(place.join("baton.toml"), config).unwrap();
}

fn baton(place: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(baton_bin());
    command.args(args).current_dir(place).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

struct Served(Child);

fn serve(place: &Path) -> Served {
    let mut child =
        baton(place, &["run", "--log", "warn"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("ready: "), "{line:?}");
    Served(child)
}

impl Served {
    fn stop(self) -> Output {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.0.wait_with_output().unwrap()
    }
}

/// Adds one, and gives the count.
fn call(place: &Path) -> u32 {
    let output = baton(place, &["call", "large/1", "x"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    u32::from_le_bytes(output.stdout[..4].try_into().unwrap())
}

#[test]
fn a_full_disk_loses_nothing_that_was_saved_and_names_who_could_not_be() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), "size=48m") else { return };
    place(&disk.dir, folder.path());
    let host = serve(folder.path());
    assert_eq!(call(folder.path()), 1);
    assert_eq!(host.stop().status.code(), Some(0));

    let host = serve(folder.path());
    // The first turn after a start writes its mark; from the second on, nothing needs the disk.
    assert_eq!(call(folder.path()), 2);
    let filler = disk.fill();
    assert_eq!(call(folder.path()), 3, "the host serves what it can");
    let output = host.stop();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).lines().any(|line| line.starts_with("not saved: large/1: ")), "{}", said(&output));

    // On a disk that is still full a host either starts with the record, or says what is wrong; it starts nothing empty.
    std::fs::remove_file(filler).unwrap();
    let host = serve(folder.path());
    assert_eq!(call(folder.path()), 2, "it goes on from the last record");
    assert_eq!(host.stop().status.code(), Some(0));
}

#[test]
fn a_disk_that_is_full_from_the_start_is_an_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), "size=1m") else { return };
    disk.fill();
    place(&disk.dir, folder.path());
    let output = baton(folder.path(), &["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("No space left") && told.contains(&*disk.dir.to_string_lossy()), "{told}");
}

#[test]
fn a_read_only_data_directory_is_an_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), "size=1m,ro") else { return };
    place(&disk.dir, folder.path());
    let output = baton(folder.path(), &["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("Read-only file system") && told.contains(&*disk.dir.to_string_lossy()), "{told}");
}
