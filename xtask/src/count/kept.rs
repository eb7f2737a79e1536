//! What is kept, what it is held against, and what follows.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::shown;
use crate::failure::{Doing, Failure, Result};

/// By how much a count may rise before that has to be accepted, and fall before that should be, in percent.
const TOLERATED: f64 = 5.0;

/// What something takes, each time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Count {
    pub(super) instructions: f64,
    pub(super) allocations: f64,
}

/// By what is done.
pub(super) type Counts = BTreeMap<String, Count>;

/// For which processor, and by which compiler, the work was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Built {
    architecture: String,
    rustc: String,
}

impl Built {
    /// `version`: what `rustc -vV` says.
    pub(super) fn here(version: &str) -> Result<Self> {
        let release = version.lines().find_map(|line| line.strip_prefix("release: "));
        let rustc = release.ok_or_else(|| Failure::new("`rustc -vV` names no release"))?.trim().to_owned();
        Ok(Self { architecture: std::env::consts::ARCH.to_owned(), rustc })
    }
}

/// What is kept: for each architecture by which compiler, and the counts.
#[derive(Debug, PartialEq)]
pub(super) struct Kept(BTreeMap<String, (String, Counts)>);

/// Counts beside those that are kept.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// For the screen.
    pub(super) lines: Vec<String>,
    risen: Vec<String>,
    fallen: Vec<String>,
    /// Why nothing follows from it, if nothing does.
    other: Option<String>,
}

impl Kept {
    pub(super) fn read(text: &str) -> Result<Self> {
        let file: BTreeMap<String, Value> = serde_json::from_str(text).doing(|| "its JSON".to_owned())?;
        let mut kept = BTreeMap::new();
        for (architecture, of_it) in file {
            let wrong = |what: &str| Failure::new(format!("`{architecture}` has no {what}"));
            let rustc = of_it["rustc"].as_str().ok_or_else(|| wrong("`rustc`"))?.to_owned();
            let mut counts = Counts::new();
            for (what, count) in of_it["counts"].as_object().ok_or_else(|| wrong("`counts`"))? {
                let number = |key: &str| count[key].as_f64().ok_or_else(|| wrong(&format!("`{key}` of `{what}`")));
                let count = Count { instructions: number("instructions")?, allocations: number("allocations")? };
                counts.insert(what.clone(), count);
            }
            kept.insert(architecture, (rustc, counts));
        }
        Ok(Self(kept))
    }

    /// Puts counts in the place of those that are kept.
    pub(super) fn accept(&mut self, built: Built, counts: Counts) {
        self.0.insert(built.architecture, (built.rustc, counts));
    }

    pub(super) fn text(&self) -> String {
        let round = |number: f64, to: f64| (number * to).round() / to;
        let count = |(what, count): (&String, &Count)| {
            let entry = json!({
                "instructions": count.instructions.round() as u64,
                "allocations": round(count.allocations, 100.0),
            });
            (what.clone(), entry)
        };
        let entries = self.0.iter().map(|(architecture, (rustc, counts))| {
            let counts: Map<String, Value> = counts.iter().map(count).collect();
            (architecture.clone(), json!({ "rustc": rustc, "counts": counts }))
        });
        format!("{:#}\n", Value::Object(entries.collect()))
    }

    /// Holds counts against those that are kept.
    pub(super) fn against(&self, built: &Built, counts: &Counts) -> Held {
        let mut held = Held::default();
        let kept = self.0.get(&built.architecture);
        held.other = match kept {
            None => Some(format!("nothing is kept for {}", built.architecture)),
            Some((rustc, _)) if *rustc != built.rustc => {
                Some(format!("what is kept is by rustc {rustc}, and this is {}", built.rustc))
            }
            Some(_) => None,
        };
        let none = Counts::new();
        let kept = kept.map_or(&none, |(_, counts)| counts);
        for (what, is) in counts {
            let line = format!("{what:<20} {}", shown(*is));
            let Some(kept) = kept.get(what) else {
                held.lines.push(format!("{line}   nothing is kept"));
                held.risen.push(format!("of `{what}` nothing is kept"));
                continue;
            };
            let rose = [
                ("instructions", is.instructions, kept.instructions),
                ("allocations", is.allocations, kept.allocations),
            ];
            let rose = rose.map(|(of, is, kept)| (of, is, kept, (is - kept) / kept.max(0.01) * 100.0));
            held.lines.push(format!("{line}   {:+.1} % and {:+.1} % of what is kept", rose[0].3, rose[1].3));
            for (of, is, kept, by) in rose.into_iter().filter(|(.., by)| by.abs() > TOLERATED) {
                let (told, way) = if by > 0.0 { (&mut held.risen, "rose") } else { (&mut held.fallen, "fell") };
                told.push(format!("{of} of `{what}` {way} by {:.1} %, from {kept:.1} to {is:.1}", by.abs()));
            }
        }
        let gone = kept.keys().filter(|what| !counts.contains_key(*what));
        held.risen.extend(gone.map(|what| format!("`{what}` is kept, and was not counted")));
        held
    }
}

impl Held {
    /// Whether it may stay so, and what is to be said of it. `surely`: also by another compiler.
    pub(super) fn verdict(self, surely: bool) -> std::result::Result<String, String> {
        let accept = "`cargo xtask count --accept` keeps these counts; the commit says why they changed";
        let but = self.other.map_or(String::new(), |other| format!(" ({other})"));
        match (self.risen.is_empty(), self.fallen.is_empty()) {
            (false, _) if surely || but.is_empty() => {
                Err(format!("{}{but}; {TOLERATED} % is tolerated. {accept}", self.risen.join("; ")))
            }
            (false, _) => Ok(format!("it differs, from which nothing follows{but}")),
            (true, false) => Ok(format!("{}{but}: {accept}", self.fallen.join("; "))),
            (true, true) => Ok(format!("as it is kept{but}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Count = Count { instructions: 1_000.0, allocations: 20.0 };

    fn built(architecture: &str, rustc: &str) -> Built {
        Built { architecture: architecture.to_owned(), rustc: rustc.to_owned() }
    }

    fn counts(instructions: f64, allocations: f64) -> Counts {
        [("call".to_owned(), Count { instructions, allocations })].into()
    }

    fn kept() -> Kept {
        Kept([("x86_64".to_owned(), ("1.95.0".to_owned(), counts(1_000.0, 20.0)))].into())
    }

    #[test]
    fn what_rose_by_more_than_is_tolerated_is_wrong_and_what_fell_is_told() {
        for (instructions, allocations, expected) in [
            (1_000.0, 20.0, Ok("as it is kept")),
            (1_049.0, 20.9, Ok("as it is kept")),
            (951.0, 20.0, Ok("as it is kept")),
            (1_051.0, 20.0, Err("instructions of `call` rose by 5.1 %, from 1000.0 to 1051.0; 5 % is tolerated.")),
            (1_000.0, 21.1, Err("allocations of `call` rose by 5.5 %, from 20.0 to 21.1")),
            (
                900.0,
                20.0,
                Ok("instructions of `call` fell by 10.0 %, from 1000.0 to 900.0: `cargo xtask count --accept`"),
            ),
            (900.0, 30.0, Err("allocations of `call` rose by 50.0 %")),
        ] {
            let held = kept().against(&built("x86_64", "1.95.0"), &counts(instructions, allocations));
            let (told, part) = match (held.verdict(false), expected) {
                (Ok(told), Ok(part)) | (Err(told), Err(part)) => (told, part),
                (told, _) => panic!("{told:?}, not {expected:?}"),
            };
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn by_another_compiler_it_is_wrong_only_where_it_is_asked_for() {
        let other = |built: &Built, surely| kept().against(built, &counts(2_000.0, 20.0)).verdict(surely);
        let newer = built("x86_64", "1.96.0");
        assert!(other(&newer, false).is_ok_and(|told| told.contains("by rustc 1.95.0, and this is 1.96.0")));
        assert!(other(&newer, true).is_err_and(|told| told.contains("this is 1.96.0")));
        let elsewhere = built("aarch64", "1.95.0");
        assert!(other(&elsewhere, false).is_ok_and(|told| told.contains("nothing is kept for aarch64")));
        assert!(other(&elsewhere, true).is_err());
    }

    #[test]
    fn what_is_new_or_gone_is_wrong_until_it_is_accepted() {
        let here = built("x86_64", "1.95.0");
        let mut more = counts(1_000.0, 20.0);
        more.insert("wake".to_owned(), Count { instructions: 7.4, allocations: 1.256 });
        let told = kept().against(&here, &more).verdict(false);
        assert!(told.is_err_and(|told| told.starts_with("of `wake` nothing is kept")));
        let mut kept = kept();
        kept.accept(here.clone(), more.clone());
        assert!(kept.against(&here, &more).verdict(false).is_ok());
        let told = kept.against(&here, &counts(1_000.0, 20.0)).verdict(false);
        assert!(told.is_err_and(|told| told.contains("`wake` is kept, and was not counted")));
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let mut kept = kept();
        let counts = [("wake".to_owned(), Count { instructions: 7.4, allocations: 1.256 }), ("call".to_owned(), CALL)];
        kept.accept(built("aarch64", "1.96.0"), counts.into());
        let text = kept.text();
        let again = Kept::read(&text).expect("it is read");
        assert_eq!(again.0["x86_64"], kept.0["x86_64"]);
        assert_eq!(again.0["aarch64"].1["wake"], Count { instructions: 7.0, allocations: 1.26 });
        for wrong in ["{", "{\"x86_64\": {}}", "{\"x86_64\": {\"rustc\": \"1\", \"counts\": {\"call\": {}}}}"] {
            assert!(Kept::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_compilers_release_is_read() {
        let said = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(Built::here(said).ok(), Some(built(std::env::consts::ARCH, "1.95.0")));
        assert!(Built::here("").is_err());
    }
}
