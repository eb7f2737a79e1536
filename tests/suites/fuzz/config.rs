//! Configuration files.

use std::io;
use std::path::Path;

use baton_host::config::{Files, parse};

use crate::harness::{Corpus, repository};

const WORDS: [&str; 24] = [
    "[[actor]]\n",
    "[[actors]]\n",
    "[[plugin]]\n",
    "[[supervisor]]\n",
    "[limits]\n",
    "[plugin.grants]\n",
    "[store]\n",
    "name = ",
    "plugin = ",
    "pattern = ",
    "path = ",
    "supervisor = ",
    "shutdown = ",
    "restart = ",
    "strategy = ",
    "sha256 = ",
    "memory_bytes = ",
    "\"*\"",
    "\"counter/1\"",
    "\"infinity\"",
    "true\n",
    "-1\n",
    "1e400\n",
    "{}\n",
];

/// A disk on which everything is there, and nothing of use.
#[derive(Debug)]
struct Anything;

impl Files for Anything {
    fn is_file(&self, _path: &Path) -> bool {
        true
    }

    fn read(&self, _path: &Path, _limit: u64) -> io::Result<Vec<u8>> {
        Ok(b"{\"some\": [1, 2]}".to_vec())
    }
}

/// Every piece of TOML that the book shows.
fn seeds() -> Vec<Vec<u8>> {
    let book = repository().join("docs/src");
    let pages = std::fs::read_dir(book).unwrap().map(|page| page.unwrap().path()).filter(|page| page.is_file());
    let pages = pages.map(|page| std::fs::read_to_string(page).unwrap());
    let mut seeds = Vec::new();
    for page in pages {
        let pieces = page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```"));
        seeds.extend(pieces.map(|(piece, _)| piece.as_bytes().to_vec()));
    }
    assert!(seeds.len() > 10, "the book shows TOML");
    seeds
}

#[test]
fn a_configuration_is_taken_or_told_what_is_wrong_and_where() {
    let mut taken = 0;
    Corpus::new("config", seeds()).words(&WORDS).each(20_000, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match parse(&text, "baton.toml", Path::new("/here"), &Anything) {
            Ok(config) => {
                taken += 1;
                assert!(config.cut_short().len() < 1_000_000);
                assert!(config.actors().count() < 1_000_000 && config.largest_message_bytes() > 0);
            }
            Err(problems) => {
                assert!(!problems.is_empty(), "it says why");
                for problem in problems {
                    let lines = text.lines().count() + 1;
                    assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
                    assert!(!problem.message.is_empty() && problem.to_string().len() < 20_000, "{problem}");
                }
            }
        }
    });
    println!("{taken} could be taken");
    assert!(taken > 0);
}
