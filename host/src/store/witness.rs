//! The witness: a small file outside sled's directory that knows how much the store must hold.
//!
//! sled may cut a damaged log short without a word. After every batch the witness is told, durably, how many writes there
//! were, how many heads there are, and a digest over them; the same numbers lie beside the heads, written with them in one
//! atomic step. The witness is written after the store and before anything is acknowledged: a crash in between leaves a
//! store that holds more than its witness says, which is no damage. Less always is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::{RecordError, head};
use crate::model::ActorName;

const MAGIC: [u8; 8] = *b"BATONWIT";
const VERSION: u16 = 1;
/// Bytes of the numbers as they are written.
pub(super) const TOTALS_BYTES: usize = 8 + 2 + 16 + 8 + 8 + 32 + 32;
/// Where the second slot begins. A write that is cut short damages one slot, and the other still holds the batch before.
const SLOT_BYTES: u64 = 4096;

/// What a store holds, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    /// Drawn when the store was made: tells one store from another.
    pub(super) id: [u8; 16],
    /// Writes of heads so far.
    pub(super) writes: u64,
    /// Heads that there are.
    pub(super) heads: u64,
    /// The exclusive or of each head's digest: adding, changing or removing one needs no look at the others.
    pub(super) digest: [u8; 32],
}

impl Totals {
    /// Of an empty store.
    pub(super) fn new(id: [u8; 16]) -> Self {
        Self { id, writes: 0, heads: 0, digest: [0; 32] }
    }

    /// Adds a head's bytes, or takes them away again.
    pub(super) fn toggle(&mut self, key: &[u8], value: &[u8]) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(key.len() as u64).to_le_bytes());
        hasher.update(key);
        hasher.update(value);
        let one = hasher.finalize();
        self.digest.iter_mut().zip(one.as_bytes()).for_each(|(all, one)| *all ^= one);
    }

    /// `magic · version · id · writes · heads · digest · BLAKE3 of all before`.
    pub(super) fn encode(&self) -> [u8; TOTALS_BYTES] {
        let mut bytes = Vec::with_capacity(TOTALS_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.writes.to_le_bytes());
        bytes.extend_from_slice(&self.heads.to_le_bytes());
        bytes.extend_from_slice(&self.digest);
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        let mut fixed = [0; TOTALS_BYTES];
        fixed.copy_from_slice(&bytes);
        fixed
    }

    /// Reads what `encode` wrote; none if it is anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.get(..TOTALS_BYTES)?.split_at(TOTALS_BYTES - 32);
        if blake3::hash(body).as_bytes().as_slice() != checksum {
            return None;
        }
        let body = body.strip_prefix(&MAGIC)?.strip_prefix(&VERSION.to_le_bytes())?;
        let (id, body) = body.split_first_chunk()?;
        let (writes, body) = body.split_first_chunk()?;
        let (heads, body) = body.split_first_chunk()?;
        let digest = *body.first_chunk()?;
        let (writes, heads) = (u64::from_le_bytes(*writes), u64::from_le_bytes(*heads));
        Some(Self { id: *id, writes, heads, digest })
    }
}

/// What is said of a store that opens without its witness.
pub(super) const NO_WITNESS: &str =
    "its witness was missing: whether it held more before cannot be told; there is a new one";
/// What is said of a store in which heads were whole before it failed, and are damaged after.
pub(super) const DAMAGED_NOW: &str = "heads in it have been damaged by the failure";
/// Lines about damaged heads.
const DAMAGED_LINES: usize = 100;

/// What is said of a store that opens with damaged heads, in lines.
pub(super) fn damaged_heads(damaged: &[(ActorName, String)]) -> Vec<String> {
    let line = |(actor, why): &(ActorName, String)| {
        format!(
            "`{actor}`: {why}: it is held, and the others are not; `baton store repair` makes a new head of its records"
        )
    };
    let more = damaged.len().saturating_sub(DAMAGED_LINES);
    let more = (more > 0).then(|| format!("and {more} more whose heads are damaged: `baton store verify` names them"));
    damaged.iter().take(DAMAGED_LINES).map(line).chain(more).collect()
}

/// What is said of a store in which heads are damaged, and one that is whole is not the last one.
pub(super) fn outdated(actor: &ActorName) -> String {
    format!("heads are damaged, and that of `{actor}` is older than its records")
}

/// What was found where the witness should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Testimony {
    /// No file.
    Missing,
    /// A file that says nothing that can be trusted.
    Unreadable,
    /// At least this much.
    AtLeast(Totals),
}

/// What of a store's heads is really there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) heads: u64,
    pub(super) digest: [u8; 32],
    /// Those whose own checksum is wrong, each with what is wrong.
    pub(super) damaged: Vec<(ActorName, String)>,
}

impl Counted {
    /// Counts one more.
    pub(super) fn add(&mut self, name: &[u8], bytes: &[u8]) {
        let mut one = Totals { digest: self.digest, ..Totals::new([0; 16]) };
        one.toggle(name, bytes);
        (self.heads, self.digest) = (self.heads + 1, one.digest);
        let actor = std::str::from_utf8(name).ok().and_then(|name| ActorName::new(name).ok());
        if let (Some(actor), Err(error @ RecordError::Head(_))) = (actor, head::decode(bytes)) {
            self.damaged.push((actor, error.to_string()));
        }
    }

    /// What the numbers beside the heads have to say; and whether they are to be written anew.
    ///
    /// A head that was changed where it lies is known as such by its own checksum. It must not keep all the others from
    /// being used: whoever reads it is told. That the others are what they should be is then for the store to find out.
    fn beside(&self, kept: Option<&Totals>) -> ((u64, [u8; 32]), bool) {
        match kept {
            Some(kept) if !self.damaged.is_empty() && self.heads == kept.heads && self.digest != kept.digest => {
                ((kept.heads, kept.digest), true)
            }
            _ => ((self.heads, self.digest), false),
        }
    }
}

/// As [`judge`], where heads whose own checksum is wrong may be what differs. Says whether they are: then the numbers beside
/// the heads are to be written anew.
///
/// # Errors
/// Says what is missing.
pub(super) fn judge_heads(witness: &Testimony, kept: Option<&Totals>, counted: &Counted) -> Result<bool, String> {
    let (numbers, differs) = counted.beside(kept);
    judge(witness, kept, numbers).map(|()| differs)
}

/// Whether a store may hold what it should.
///
/// `kept` are the numbers that lie beside the heads, `counted` those of the heads that are really there.
///
/// # Errors
/// Says what is missing.
pub(super) fn judge(witness: &Testimony, kept: Option<&Totals>, counted: (u64, [u8; 32])) -> Result<(), String> {
    let (heads, digest) = counted;
    match kept {
        Some(kept) if (kept.heads, kept.digest) != counted => {
            return Err(format!("it should hold {} heads, and the {heads} found are not those", kept.heads));
        }
        None if (heads, digest) != (0, [0; 32]) => return Err(format!("it has {heads} heads and no count of them")),
        _ => {}
    }
    match (witness, kept) {
        (Testimony::Missing, _) => Ok(()),
        (Testimony::Unreadable, _) => {
            Err("its witness file cannot be read: how much it should hold is not known".to_owned())
        }
        (Testimony::AtLeast(witness), None) if witness.writes == 0 => Ok(()),
        (Testimony::AtLeast(witness), None) => {
            Err(format!("it is empty, and its witness knows of {} writes and {} actors", witness.writes, witness.heads))
        }
        (Testimony::AtLeast(witness), Some(kept)) if witness.id != kept.id => {
            Err("it is another store than the one that its witness knows".to_owned())
        }
        (Testimony::AtLeast(witness), Some(kept)) if witness.writes > kept.writes => Err(format!(
            "it holds {} writes and {} actors, and its witness knows of {} writes and {} actors",
            kept.writes, kept.heads, witness.writes, witness.heads
        )),
        (Testimony::AtLeast(witness), Some(kept)) if witness.writes == kept.writes && witness != kept => {
            Err("its heads are not those that its witness knows".to_owned())
        }
        (Testimony::AtLeast(_), Some(_)) => Ok(()),
    }
}

/// The witness file, open to be told more.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    path: PathBuf,
    slot: u64,
    said: Totals,
}

impl Witness {
    /// Reads what the file at `path` says.
    pub(super) fn read(path: &Path) -> io::Result<Testimony> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Testimony::Missing),
            Err(error) => return Err(error),
        };
        let second = usize::try_from(SLOT_BYTES).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let slots = [Totals::decode(&bytes), Totals::decode(second)];
        let newest = slots.into_iter().flatten().max_by_key(|totals| totals.writes);
        Ok(newest.map_or(Testimony::Unreadable, Testimony::AtLeast))
    }

    /// Puts a new file at `path`, in one step, that says `totals`.
    pub(super) fn create(path: &Path, totals: &Totals, disk: &Disk) -> io::Result<Self> {
        let new = path.with_extension("witness.new");
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        // Both slots, so that no later write changes the file's length.
        file.write_all_at(&totals.encode(), 0)?;
        file.write_all_at(&totals.encode(), SLOT_BYTES)?;
        disk.sync_file(&file, &new)?;
        fs::rename(&new, path)?;
        disk.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(Self { file, path: path.to_owned(), slot: 0, said: *totals })
    }

    /// Says `totals` from now on, durably. Where this fails, the file still says what it said before.
    pub(super) fn tell(&mut self, totals: &Totals, disk: &Disk) -> io::Result<()> {
        self.file.write_all_at(&totals.encode(), self.slot * SLOT_BYTES)?;
        disk.sync_file(&self.file, &self.path)?;
        self.slot = 1 - self.slot;
        self.said = *totals;
        Ok(())
    }

    /// What it says, durably: everything that was acknowledged.
    pub(super) fn said(&self) -> &Totals {
        &self.said
    }

    /// Where the file lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(writes: u64, names: &[&str]) -> Totals {
        let mut totals = Totals { writes, heads: names.len() as u64, ..Totals::new([7; 16]) };
        names.iter().for_each(|name| totals.toggle(name.as_bytes(), b"head"));
        totals
    }

    #[test]
    fn a_store_may_hold_more_than_its_witness_and_never_less() {
        let holds = |totals: &Totals| (totals.heads, totals.digest);
        let (old, new) = (totals(5, &["a"]), totals(6, &["a", "b"]));
        let other_heads = totals(5, &["c"]);
        let other_store = Totals { id: [8; 16], ..new };
        let cases = [
            ("as it should be", Testimony::AtLeast(new), Some(new), holds(&new), true),
            ("a crash before the witness was told", Testimony::AtLeast(old), Some(new), holds(&new), true),
            ("no witness", Testimony::Missing, Some(new), holds(&new), true),
            ("all new", Testimony::Missing, None, (0, [0; 32]), true),
            ("a crash after the witness was made", Testimony::AtLeast(totals(0, &[])), None, (0, [0; 32]), true),
            ("cut short", Testimony::AtLeast(new), Some(old), holds(&old), false),
            ("emptied", Testimony::AtLeast(new), None, (0, [0; 32]), false),
            ("other heads", Testimony::AtLeast(old), Some(other_heads), holds(&other_heads), false),
            ("another store", Testimony::AtLeast(old), Some(other_store), holds(&other_store), false),
            ("a head gone", Testimony::AtLeast(new), Some(new), holds(&old), false),
            ("a head gone, no witness", Testimony::Missing, Some(new), holds(&old), false),
            ("no count", Testimony::Missing, None, holds(&old), false),
            ("damaged witness", Testimony::Unreadable, Some(new), holds(&new), false),
        ];
        for (case, witness, kept, counted, good) in cases {
            assert_eq!(judge(&witness, kept.as_ref(), counted).is_ok(), good, "{case}");
        }
    }

    #[test]
    fn heads_that_are_damaged_are_all_that_may_differ() {
        let count = |heads: &[(&str, &[u8])]| {
            let mut counted = Counted::default();
            heads.iter().for_each(|(name, bytes)| counted.add(name.as_bytes(), bytes));
            counted
        };
        let good = head::encode(
            &head::apply(None, &head::Step::Claim { expect: None, owner: "h".to_owned(), wakes: false }, 1, 3)
                .expect("claims")
                .head,
        );
        let damaged: Vec<u8> = good.iter().map(|byte| byte ^ 1).collect();
        let whole = count(&[("a", &good), ("b", &good)]);
        let kept = Totals { writes: 5, heads: 2, digest: whole.digest, ..Totals::new([7; 16]) };
        let newer = Totals { writes: 6, ..kept };
        let cases = [
            ("whole", Testimony::AtLeast(kept), count(&[("a", &good), ("b", &good)]), Some(false)),
            ("one is damaged", Testimony::AtLeast(kept), count(&[("a", &damaged), ("b", &good)]), Some(true)),
            ("all are damaged", Testimony::Missing, count(&[("a", &damaged), ("b", &damaged)]), Some(true)),
            ("one is gone", Testimony::AtLeast(kept), count(&[("a", &damaged)]), None),
            ("one is gone, one is another", Testimony::AtLeast(kept), count(&[("a", &good), ("c", &good)]), None),
            ("the last write is gone", Testimony::AtLeast(newer), count(&[("a", &damaged), ("b", &good)]), None),
            ("no witness that can be read", Testimony::Unreadable, count(&[("a", &damaged), ("b", &good)]), None),
        ];
        for (case, witness, counted, expected) in cases {
            assert_eq!(judge_heads(&witness, Some(&kept), &counted).ok(), expected, "{case}");
        }
        let known = count(&[("a", &damaged), ("b", &good)]);
        let exact = Totals { digest: known.digest, ..kept };
        assert_eq!(judge_heads(&Testimony::AtLeast(exact), Some(&exact), &known), Ok(false), "it was known as damaged");
        assert!(judge_heads(&Testimony::Missing, None, &count(&[("a", &damaged)])).is_err(), "no count");
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_writes() {
        let mut changed = totals(1, &["b", "x", "a"]);
        changed.toggle(b"x", b"head");
        assert_eq!(changed.digest, totals(1, &["a", "b"]).digest);
        assert_ne!(totals(1, &["ab"]).digest, totals(1, &["a"]).digest);
    }

    #[test]
    fn a_write_cut_short_leaves_what_was_said_before() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store.witness");
        let disk = Disk::default();
        assert_eq!(Witness::read(&path).expect("reads"), Testimony::Missing);

        let mut witness = Witness::create(&path, &totals(1, &["a"]), &disk).expect("creates");
        for writes in 2..9 {
            witness.tell(&totals(writes, &["a"]), &disk).expect("tells");
            assert_eq!(Witness::read(&path).expect("reads"), Testimony::AtLeast(totals(writes, &["a"])));
        }
        let torn_slot = witness.slot;
        witness.file.write_all_at(&totals(9, &["a"]).encode()[..50], torn_slot * SLOT_BYTES).expect("writes");
        assert_eq!(Witness::read(&path).expect("reads"), Testimony::AtLeast(totals(8, &["a"])));

        witness.file.write_all_at(&[0; 50], (1 - torn_slot) * SLOT_BYTES).expect("writes");
        assert_eq!(Witness::read(&path).expect("reads"), Testimony::Unreadable);
    }

    #[test]
    fn its_bytes_stay_as_they_were_written() {
        let bytes = totals(3, &["a"]).encode();
        assert_eq!(Totals::decode(&bytes), Some(totals(3, &["a"])));
        assert_eq!(&bytes[..10], b"BATONWIT\x01\x00");
        assert_eq!(&bytes[26..42], [3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Totals::decode(&bad), None, "bit {bit}");
        }
    }
}
