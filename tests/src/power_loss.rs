//! What a disk may hold after the power was lost, from the journal of what was done to it.
//!
//! What was synced is there. Of what was not, each sector of a file is as it was at some moment since, independent of all
//! others; a file's length likewise; and of the changes of a directory any may be missing, or all from one on. After a
//! sync that failed, what it was to write may be missing for ever, whatever later syncs say: so Linux does it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use crate::{Call, Dice, Entry};

#[cfg(test)]
mod tests;

const O_CREAT: u64 = 0o100;
const O_TRUNC: u64 = 0o1000;
const PAGE: usize = 4_096;
const SECTOR: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(usize),
    Dir(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Until the next sync.
    Open,
    /// A sync has failed since: for ever.
    Doubtful,
    Synced,
}

#[derive(Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Change {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                if data.len() < at + bytes.len() {
                    data.resize(at + bytes.len(), 0);
                }
                data[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate(length) => data.resize(*length, 0),
        }
    }

    /// The first and the last byte that it may change, of a file with so many.
    fn span(&self, length: usize) -> (usize, usize) {
        match self {
            Self::Write { at, bytes } => (*at, at + bytes.len()),
            Self::Truncate(to) => (length.min(*to), length.max(*to)),
        }
    }
}

/// A file: what is on the disk for certain, and what was done to it since.
#[derive(Debug, Default)]
struct File {
    data: Vec<u8>,
    changes: Vec<(Change, Fate)>,
}

impl File {
    fn synced(&mut self, well: bool) {
        for (_, fate) in self.changes.iter_mut().filter(|(_, fate)| *fate == Fate::Open) {
            *fate = if well { Fate::Synced } else { Fate::Doubtful };
        }
        if self.changes.iter().all(|(_, fate)| *fate == Fate::Synced) {
            self.changes.drain(..).for_each(|(change, _)| change.apply(&mut self.data));
        }
    }

    fn now(&self) -> Vec<u8> {
        let mut now = self.data.clone();
        self.changes.iter().for_each(|(change, _)| change.apply(&mut now));
        now
    }

    /// What may be on the disk.
    fn image(&self, mood: Mood, dice: &mut Dice) -> Vec<u8> {
        let count = self.changes.len();
        // The file as it was after each number of changes, one after the other; and which of these each sector shows.
        let sector = if dice.one_in(2) { SECTOR } else { PAGE };
        let mut now = self.data.clone();
        let mut spans = Vec::new();
        for (change, fate) in &self.changes {
            spans.push((change.span(now.len()), *fate));
            change.apply(&mut now);
        }
        let least_length = self.changes.iter().rposition(|(_, fate)| *fate == Fate::Synced).map_or(0, |at| at + 1);
        let length_at = mood.moment(least_length, count, dice);
        let mut touched: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, ((from, to), fate)) in spans.iter().enumerate() {
            for sector in from / sector..to.div_ceil(sector) {
                let least = touched.entry(sector).or_insert(0);
                if *fate == Fate::Synced {
                    *least = at + 1;
                }
            }
        }
        // Sectors by the moment that they show.
        let mut moments: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (sector, least) in touched {
            moments.entry(mood.moment(least, count, dice)).or_default().push(sector);
        }
        let mut image = self.data.clone();
        let (mut now, mut length) = (self.data.clone(), self.data.len());
        for done in 0..=count {
            if done > 0 {
                self.changes[done - 1].0.apply(&mut now);
            }
            if done == length_at {
                length = now.len();
            }
            for at in moments.get(&done).into_iter().flatten() {
                let (from, to) = (at * sector, (at + 1) * sector);
                if image.len() < to {
                    image.resize(to, 0);
                }
                let shown = &now[from.min(now.len())..to.min(now.len())];
                image[from..from + shown.len()].copy_from_slice(shown);
                image[from + shown.len()..to].fill(0);
            }
        }
        image.resize(length, 0);
        image
    }
}

#[derive(Debug, Default)]
struct Dir {
    now: BTreeMap<String, Node>,
    synced: BTreeMap<String, Node>,
    /// Each in one step: names, and what they stand for from then on.
    changes: Vec<Vec<(String, Option<Node>)>>,
}

fn set(entries: &mut BTreeMap<String, Node>, change: &[(String, Option<Node>)]) {
    for (name, node) in change {
        match node {
            Some(node) => drop(entries.insert(name.clone(), *node)),
            None => drop(entries.remove(name)),
        }
    }
}

impl Dir {
    fn change(&mut self, change: Vec<(String, Option<Node>)>) {
        set(&mut self.now, &change);
        self.changes.push(change);
    }

    fn image(&self, mood: Mood, dice: &mut Dice) -> BTreeMap<String, Node> {
        let mut entries = self.synced.clone();
        let until = mood.moment(0, self.changes.len(), dice);
        for (at, change) in self.changes.iter().enumerate() {
            let there = match mood {
                Mood::Scattered => dice.one_in(2),
                _ => at < until,
            };
            if there {
                set(&mut entries, change);
            }
        }
        entries
    }
}

/// How a disk is disposed to what was not synced.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// Nothing of it is there.
    Nothing,
    /// All of it.
    All,
    /// In order, up to some moment.
    Prefix(usize),
    /// Each as it happens.
    Scattered,
    /// Nearly nothing, or nearly everything, each as it happens.
    Few,
    Most,
}

impl Mood {
    fn draw(dice: &mut Dice) -> Self {
        let permille = dice.below(1_001);
        let moods = [Self::Nothing, Self::All, Self::Prefix(permille), Self::Scattered, Self::Few, Self::Most];
        moods[[0, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5][dice.below(11)]]
    }

    /// A moment from `least` to `most`, both included.
    fn moment(self, least: usize, most: usize, dice: &mut Dice) -> usize {
        match self {
            Self::Nothing => least,
            Self::All => most,
            Self::Prefix(permille) => (most * permille / 1_000).max(least),
            Self::Few if !dice.one_in(8) => least,
            Self::Most if !dice.one_in(8) => most,
            _ => least + dice.below(most - least + 1),
        }
    }
}

/// A disk to which a journal is done, call by call.
#[derive(Debug, Default)]
pub struct Disk {
    files: Vec<File>,
    dirs: Vec<Dir>,
    open: HashMap<i32, Node>,
}

impl Disk {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self { dirs: vec![Dir::default()], ..Self::default() }
    }

    fn find(&self, path: &str) -> Option<Node> {
        path.split('/').filter(|part| !part.is_empty()).try_fold(Node::Dir(0), |node, name| match node {
            Node::Dir(dir) => self.dirs[dir].now.get(name).copied(),
            Node::File(_) => None,
        })
    }

    /// The directory of a path, and the last name.
    fn place(&mut self, path: &str) -> (&mut Dir, String) {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.find(above) {
            Some(Node::Dir(dir)) => (&mut self.dirs[dir], name.to_owned()),
            other => panic!("{path}: {other:?}"),
        }
    }

    fn put(&mut self, path: &str, node: Option<Node>) {
        let (dir, name) = self.place(path);
        dir.change(vec![(name, node)]);
    }

    fn open(&mut self, entry: &Entry) {
        let node = match self.find(&entry.path) {
            Some(node) => node,
            None => {
                assert!(entry.a & O_CREAT != 0, "{entry:?}");
                self.files.push(File::default());
                let node = Node::File(self.files.len() - 1);
                self.put(&entry.path, Some(node));
                node
            }
        };
        if let (Node::File(file), true) = (node, entry.a & O_TRUNC != 0) {
            self.files[file].changes.push((Change::Truncate(0), Fate::Open));
        }
        self.open.insert(i32::try_from(entry.result).expect("a descriptor"), node);
    }

    fn file(&mut self, fd: i32) -> &mut File {
        match self.open.get(&fd) {
            Some(Node::File(file)) => &mut self.files[*file],
            other => panic!("descriptor {fd}: {other:?}"),
        }
    }

    /// Does what was done.
    ///
    /// # Panics
    /// If the journal makes no sense: something was done past the shim.
    pub fn play(&mut self, entry: &Entry) {
        let done = entry.result >= 0;
        let number = || usize::try_from(entry.a).expect("fits");
        match entry.op {
            Call::Start => self.open.clear(),
            Call::Open | Call::OpenToRead if done => self.open(entry),
            Call::Close => drop(self.open.remove(&entry.fd)),
            Call::Write if done => {
                let change = Change::Write { at: number(), bytes: entry.bytes.clone() };
                self.file(entry.fd).changes.push((change, Fate::Open));
            }
            Call::Truncate if done => {
                let change = Change::Truncate(number());
                self.file(entry.fd).changes.push((change, Fate::Open));
            }
            Call::Sync => match self.open.get(&entry.fd).copied() {
                Some(Node::Dir(dir)) if done => {
                    let dir = &mut self.dirs[dir];
                    dir.synced = dir.now.clone();
                    dir.changes.clear();
                }
                Some(Node::Dir(_)) => {}
                _ => self.file(entry.fd).synced(done),
            },
            Call::Rename if done => {
                let node = self.find(&entry.path);
                let (from, to) = (self.place(&entry.path).1, self.place(&entry.to).1);
                self.place(&entry.path).0.change(vec![(from, None), (to, node)]);
            }
            Call::Exchange => {
                let (one, other) = (self.find(&entry.path), self.find(&entry.to));
                self.place("").0.change(vec![(entry.path.clone(), other), (entry.to.clone(), one)]);
            }
            Call::Unlink | Call::RemoveDir if done => self.put(&entry.path, None),
            Call::MakeDir if done => {
                self.dirs.push(Dir::default());
                let node = Node::Dir(self.dirs.len() - 1);
                self.put(&entry.path, Some(node));
            }
            _ => {}
        }
    }

    /// Puts one of the things that the disk may hold now into the empty directory `to`, without what is called `but`.
    /// Says how the disk was disposed.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn image(&self, to: &Path, but: &str, dice: &mut Dice) -> String {
        let mood = Mood::draw(dice);
        self.write_dir(0, to, but, mood, dice);
        format!("{mood:?}")
    }

    fn write_dir(&self, dir: usize, to: &Path, but: &str, mood: Mood, dice: &mut Dice) {
        for (name, node) in self.dirs[dir].image(mood, dice) {
            let path = to.join(&name);
            match node {
                _ if name == but => {}
                Node::File(file) => fs::write(path, self.files[file].image(mood, dice)).expect("an image"),
                Node::Dir(dir) => {
                    fs::create_dir(&path).expect("an image");
                    self.write_dir(dir, &path, but, mood, dice);
                }
            }
        }
    }

    /// What a file holds now, for whoever does not lose power; nothing where there is none.
    #[must_use]
    pub fn content(&self, path: &str) -> Vec<u8> {
        match self.find(path) {
            Some(Node::File(file)) => self.files[file].now(),
            _ => Vec::new(),
        }
    }

    /// Whether the directory `dir` is what this disk is for whoever does not lose power: whether the journal has all that
    /// was done to it.
    ///
    /// # Panics
    /// If not, with where.
    pub fn compare(&self, dir: &Path) {
        self.compare_dir(0, dir);
    }

    fn compare_dir(&self, dir: usize, real: &Path) {
        let entries = fs::read_dir(real).expect("a directory").map(|entry| entry.expect("reads").file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().expect("text")).collect();
        names.sort();
        assert_eq!(names, self.dirs[dir].now.keys().cloned().collect::<Vec<_>>(), "{}", real.display());
        for (name, node) in &self.dirs[dir].now {
            let real = real.join(name);
            match node {
                Node::Dir(dir) => self.compare_dir(*dir, &real),
                Node::File(file) => {
                    let (played, found) = (self.files[*file].now(), fs::read(&real).expect("reads"));
                    let differ = played.iter().zip(&found).position(|(one, other)| one != other);
                    let lengths = (played.len(), found.len());
                    assert!(played == found, "{}: {lengths:?}, first at {differ:?}", real.display());
                }
            }
        }
    }
}
