use std::collections::BTreeSet;

use super::*;

fn entry(op: Call, fd: i32, a: u64, path: &str, bytes: &[u8]) -> Entry {
    let result = if op == Call::Open { i64::from(fd) } else { 0 };
    Entry { op, fd, a, result, path: path.into(), to: String::new(), bytes: bytes.to_vec() }
}

/// All that a hundred draws show of the file `f`; none: it is not there.
fn shown(disk: &Disk) -> BTreeSet<Option<Vec<u8>>> {
    let mut dice = Dice::with_seed(1);
    (0..100)
        .map(|_| {
            let dir = tempfile::tempdir().expect("a directory");
            disk.image(dir.path(), "", &mut dice);
            fs::read(dir.path().join("f")).ok()
        })
        .collect()
}

#[test]
fn what_was_synced_is_there_and_what_was_not_may_be_torn() {
    let mut disk = Disk::new();
    let (old, new) = (vec![1; 1_024], vec![2; 1_024]);
    disk.play(&entry(Call::Open, 3, O_CREAT, "f", b""));
    disk.play(&entry(Call::Write, 3, 0, "", &old));
    disk.play(&entry(Call::Sync, 3, 0, "", b""));
    assert_eq!(shown(&disk), BTreeSet::from([None, Some(old.clone())]), "its name was not synced");
    disk.play(&entry(Call::Open, 4, 0, "", b""));
    disk.play(&entry(Call::Sync, 4, 0, "", b""));
    assert_eq!(shown(&disk), BTreeSet::from([Some(old.clone())]));

    disk.play(&entry(Call::Write, 3, 0, "", &new));
    let torn = |from: &[u8], to: &[u8]| Some([&from[..512], &to[512..]].concat());
    let all = [Some(old.clone()), Some(new.clone()), torn(&old, &new), torn(&new, &old)];
    assert_eq!(shown(&disk), BTreeSet::from(all.clone()));
    let mut failed = entry(Call::Sync, 3, 0, "", b"");
    failed.result = -5;
    disk.play(&failed);
    disk.play(&entry(Call::Sync, 3, 0, "", b""));
    assert_eq!(shown(&disk), BTreeSet::from(all), "a sync that succeeds after one that failed promises nothing");
    disk.play(&entry(Call::Write, 3, 0, "", &new));
    disk.play(&entry(Call::Sync, 3, 0, "", b""));
    assert_eq!(shown(&disk), BTreeSet::from([Some(new)]), "what is written anew and synced is there");
}
