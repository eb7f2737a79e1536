//! The machine: cores, memory, mappings, open files, the disk, the clock.

use std::path::Path;
use std::time::SystemTime;

use baton_host::DEFAULT_INSTANCES;
use baton_host::config::Config;
use rustix::fs::{statfs, statvfs};
use rustix::process::{Resource, getrlimit};

use super::super::output::bytes;
use super::Finding;

/// Mappings of memory for each instance: two for its place, four while one of one memory lives; and what the process has
/// beside.
const MAPPINGS: u64 = 6;
const OTHER_MAPPINGS: u64 = 1_000;
/// Open files that a host needs at least: its clients, its store, and some of its actors.
const OPEN_FILES: u64 = 4_096;
/// Free space on the disk below which that is wrong, and below which it is told.
const DISK_WRONG_BYTES: u64 = 64 << 20;
const DISK_NOTE_BYTES: u64 = 1 << 30;
/// Memory that a host needs beside its guests.
const MEMORY_BYTES: u64 = 128 << 20;
/// 2026: a clock that says less was never set.
const CLOCK_S: u64 = 1_767_225_600;
/// File systems by their magic numbers: those whose locks or syncs are not to be relied on, or that do not last.
const FILE_SYSTEMS: [(i64, &str, &str); 5] = [
    (0x6969, "nfs", "locks and syncs over a network are not to be relied on: use a local disk"),
    (0xff53_4d42, "cifs", "locks and syncs over a network are not to be relied on: use a local disk"),
    (0x6573_5546, "fuse", "whether its syncs last depends on what is behind it"),
    (0x0102_1994, "tmpfs", "states are gone with the machine: use a disk"),
    (0x794c_7630, "overlayfs", "in a container, states are gone with it: use a volume"),
];

pub(super) fn look(config: Option<&Config>, dir: &Path) -> Vec<Finding> {
    let mut found = vec![cores(config)];
    let read = |path: &str| std::fs::read_to_string(path).ok();
    found.extend(read("/proc/meminfo").and_then(|text| memory(&text, config)));
    let instances = config.and_then(|config| config.instances).unwrap_or(DEFAULT_INSTANCES);
    let most = read("/proc/sys/vm/max_map_count").and_then(|text| text.trim().parse().ok());
    found.extend(most.map(|most| mappings(most, u64::from(instances))));
    found.push(open_files(getrlimit(Resource::Nofile).maximum));
    // The nearest folder that is there: the data directory may still have to be made.
    if let Some(there) =
        dir.ancestors().map(|dir| if dir == Path::new("") { Path::new(".") } else { dir }).find(|dir| dir.exists())
    {
        if let Ok(disk) = statvfs(there) {
            found.push(space(disk.f_bavail.saturating_mul(disk.f_frsize), there));
        }
        if let Ok(disk) = statfs(there) {
            found.push(file_system(disk.f_type, there));
        }
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    found.push(clock(now));
    found
}

fn cores(config: Option<&Config>) -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let computing = config.and_then(|config| config.computing_guests);
    match computing.filter(|guests| *guests >= cores) {
        Some(guests) => Finding::note("processors", format!("{cores}, and `computing_guests` is {guests}"))
            .cure("leave one for the others: guests that compute for long would keep them waiting"),
        None => Finding::good("processors", cores.to_string()),
    }
}

/// From `/proc/meminfo`.
fn memory(text: &str, config: Option<&Config>) -> Option<Finding> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10;
    let guests = config.and_then(|config| config.guests_memory_bytes).map(|bytes| bytes as u64);
    let said = format!("{} free", bytes(free));
    Some(match guests {
        _ if free < MEMORY_BYTES => Finding::wrong("memory", said).cure("a host needs 128 MiB beside its guests"),
        Some(guests) if guests > free => {
            Finding::note("memory", format!("{said}, and `guests_memory_bytes` is {}", bytes(guests)))
                .cure("lower it, or guests that all need theirs end the process")
        }
        _ => Finding::good("memory", said),
    })
}

fn mappings(most: u64, instances: u64) -> Finding {
    let needed = instances.saturating_mul(MAPPINGS).saturating_add(OTHER_MAPPINGS);
    let said = format!("vm.max_map_count is {most}, and {instances} instances may need {needed}");
    match most < needed {
        true => Finding::note("mappings of memory", said).cure(format!(
            "`sysctl -w vm.max_map_count={needed}`, or lower `instances`; it counts only with as many actors at once"
        )),
        false => Finding::good("mappings of memory", said),
    }
}

fn open_files(most: Option<u64>) -> Finding {
    let Some(most) = most else { return Finding::good("open files", "no limit") };
    let said = format!("the hard limit, which a host takes, is {most}");
    match most < OPEN_FILES {
        true => Finding::note("open files", said).cure(format!(
            "`ulimit -Hn {OPEN_FILES}`, `LimitNOFILE=` in a unit: each client, socket and file of a guest needs one"
        )),
        false => Finding::good("open files", said),
    }
}

fn space(free: u64, there: &Path) -> Finding {
    let said = format!("{} free at {}", bytes(free), there.display());
    let cure = "make room: a store that cannot write refuses commits, and actors stop without theirs";
    match free {
        _ if free < DISK_WRONG_BYTES => Finding::wrong("disk", said).cure(cure),
        _ if free < DISK_NOTE_BYTES => Finding::note("disk", said).cure(cure),
        _ => Finding::good("disk", said),
    }
}

fn file_system(magic: i64, there: &Path) -> Finding {
    // Some architectures have it as 32 bits with a sign.
    let known = FILE_SYSTEMS.iter().find(|(known, ..)| *known == magic & 0xffff_ffff);
    match known {
        Some((_, name, cure)) => Finding::note("file system", format!("{} is on {name}", there.display())).cure(*cure),
        None => Finding::good("file system", format!("of kind {magic:#x} at {}", there.display())),
    }
}

fn clock(now_s: u64) -> Finding {
    match now_s < CLOCK_S {
        true => Finding::wrong("clock", format!("it says {now_s} s since 1970: it was never set"))
            .cure("set it: timers, ages of states and logs go by it"),
        false => Finding::good("clock", "is set"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State::{Good, Note, Wrong};
    use super::*;

    #[test]
    fn what_is_too_little_is_told_with_what_to_do() {
        let there = Path::new("/x");
        let cases = [
            (mappings(65_530, 1_000), Good),
            (mappings(65_530, 10_000), Good),
            (mappings(65_530, 20_000), Note),
            (open_files(Some(1_024)), Note),
            (open_files(Some(65_536)), Good),
            (open_files(None), Good),
            (space(1 << 20, there), Wrong),
            (space(100 << 20, there), Note),
            (space(1 << 40, there), Good),
            (file_system(0x0102_1994, there), Note),
            (file_system(-11_317_950, there), Note),
            (file_system(0xef53, there), Good),
            (clock(1_000), Wrong),
            (clock(CLOCK_S), Good),
            (memory("MemTotal: 9 kB\nMemAvailable:   1000000 kB\n", None).expect("a line"), Good),
            (memory("MemAvailable:   1000 kB\n", None).expect("a line"), Wrong),
        ];
        for (finding, state) in cases {
            assert_eq!(finding.state, state, "{finding:?}");
            assert_eq!(finding.cure.is_some(), state != Good, "{finding:?}");
        }
        assert!(memory("nonsense", None).is_none());
    }
}
