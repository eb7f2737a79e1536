//! Fuzzing on the stable toolchain, for as many cases as a run has time for: inputs are those of a corpus, changed at
//! random. What fails is written down, with how to play it again, and belongs into the corpus from then on.

use std::path::PathBuf;
use std::sync::Mutex;

use baton_host::model::Digest;

use crate::{Dice, build_dir, number_from, repository};

/// After each change that an input has gone through, one in so many has had enough.
const ENOUGH: usize = 2;
/// Longest input, in bytes.
const LONGEST: usize = 256 << 10;
/// Longest piece that is taken out, put in, or put elsewhere, in bytes.
const PIECE: usize = 64;
/// Numbers at which things tend to go wrong.
const NUMBERS: [u64; 12] =
    [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, u64::MAX >> 1, u64::MAX];

/// What an input is made of: others, and words that mean something.
#[derive(Debug)]
pub struct Corpus {
    target: &'static str,
    inputs: Vec<Vec<u8>>,
    words: Vec<&'static [u8]>,
}

impl Corpus {
    /// `seeds`, and what is kept in `tests/fixtures/corpus/` for this target.
    ///
    /// # Panics
    /// If a file that is kept there cannot be read.
    #[must_use]
    pub fn new(target: &'static str, seeds: Vec<Vec<u8>>) -> Self {
        let mut inputs = seeds;
        if let Ok(kept) = std::fs::read_dir(repository().join("tests/fixtures/corpus").join(target)) {
            let mut files: Vec<PathBuf> = kept.map(|entry| entry.expect("a folder that can be read").path()).collect();
            files.sort();
            inputs.extend(files.iter().map(|file| std::fs::read(file).expect("a file that can be read")));
        }
        Self { target, inputs, words: vec![] }
    }

    /// Words that are put in as they are.
    #[must_use]
    pub fn words(mut self, words: &[&'static str]) -> Self {
        self.words = words.iter().map(|word| word.as_bytes()).collect();
        self
    }

    /// All inputs as they are, and then `cases` changed ones, or as many as `BATON_CASES` says. With `BATON_LAST=1` each
    /// is written down before it is tried: that tells which one ended the process.
    pub fn each(&self, cases: usize, mut check: impl FnMut(&[u8])) {
        let mut dice = Dice::new();
        let (changed, last) = (number_from("BATON_CASES", cases), number_from("BATON_LAST", 0) > 0);
        for n in 0..self.inputs.len() + changed {
            let input = self.inputs.get(n).cloned().unwrap_or_else(|| self.input(&mut dice));
            let kept = Kept { target: self.target, input: &input };
            if last {
                kept.write("last").expect("a folder that can be written");
            }
            check(&input);
            drop(kept);
        }
        println!("{}: {} inputs and {changed} changed ones", self.target, self.inputs.len());
    }

    /// An input of the corpus, changed.
    pub fn input(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.inputs[dice.below(self.inputs.len())].clone();
        loop {
            self.change(&mut bytes, dice);
            if dice.one_in(ENOUGH) {
                break;
            }
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&self, bytes: &mut Vec<u8>, dice: &mut Dice) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + 1 + dice.below(PIECE)).min(bytes.len());
        match dice.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = dice.below(256).to_le_bytes()[0],
            2 => overwrite(bytes, at, &number(dice)),
            3 => drop(bytes.drain(at..end)),
            4 => insert(bytes, at, &number(dice)),
            5 => {
                let piece = bytes[at..end].to_vec();
                let to = dice.below(bytes.len() + 1);
                insert(bytes, to, &piece);
            }
            6 => {
                let other = &self.inputs[dice.below(self.inputs.len())];
                let from = dice.below(other.len() + 1);
                let piece = &other[from..(from + 1 + dice.below(PIECE)).min(other.len())];
                insert(bytes, at, piece);
            }
            7 if !self.words.is_empty() => insert(bytes, at, self.words[dice.below(self.words.len())]),
            8 if dice.one_in(4) => bytes.truncate(at),
            _ => overwrite(bytes, at, &[dice.below(256).to_le_bytes()[0]]),
        }
    }
}

fn number(dice: &mut Dice) -> Vec<u8> {
    let number = NUMBERS[dice.below(NUMBERS.len())].wrapping_add(dice.below(3) as u64).wrapping_sub(1);
    match dice.below(3) {
        0 => number.to_string().into_bytes(),
        1 => number.to_le_bytes()[..4].to_vec(),
        _ => number.to_le_bytes().to_vec(),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

fn overwrite(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let end = (at + piece.len()).min(bytes.len());
    bytes.splice(at..end, piece.iter().copied());
}

/// Writes its input down if the check of it fails.
struct Kept<'a> {
    target: &'static str,
    input: &'a [u8],
}

impl Kept<'_> {
    fn write(&self, name: &str) -> std::io::Result<PathBuf> {
        let dir = build_dir().join("fuzz").join(self.target);
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join(name), self.input).map(|()| dir.join(name))
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        match self.write(&Digest::of(self.input).short()) {
            Ok(file) => println!("{} belongs into tests/fixtures/corpus/{}/", file.display(), self.target),
            Err(error) => println!("the input {:?} could not be written down: {error}", self.input),
        }
    }
}

/// Panics of other threads than the test's own, which nobody else would hear of.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Hears of all panics in this process from now on, for [`assert_no_panic`].
pub fn hear_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(panic.to_string());
        before(panic);
    }));
}

/// # Panics
/// If anything has panicked since [`hear_panics`].
pub fn assert_no_panic() {
    let heard = std::mem::take(&mut *PANICS.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    assert!(heard.is_empty(), "{heard:?}");
}
