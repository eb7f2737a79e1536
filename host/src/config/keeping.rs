//! How state is kept: the keys that `[[plugin]]`, `[[actor]]` and `[[actors]]` share.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::problem::Problems;
use super::section::Section;
use super::settings::DAY_MS;
use crate::model::{BadStatePolicy, Durability, StateRules};

/// The keys.
pub(super) const KEYS: &[&str] =
    &["durability", "interval_turns", "interval_ms", "on_bad_state", "on_stale", "max_age_ms", "passivate_after_ms"];
/// The words of `durability`, `on_bad_state` and `on_stale`.
pub(super) const DURABILITIES: &[&str] = &["stop", "interval", "turn"];
pub(super) const BAD: &[&str] = &["hold", "previous", "fresh", "stop"];
pub(super) const STALE: &[&str] = &["hold", "fresh", "stop"];
pub(super) const TURNS: RangeInclusive<u64> = 1..=1_000_000;
pub(super) const INTERVAL_MS: RangeInclusive<u64> = 10..=DAY_MS;
/// Ten years: more is a mistake.
pub(super) const AGE_MS: RangeInclusive<u64> = 1..=3_650 * DAY_MS;
/// After how long an actor may be put to sleep.
pub(super) const PASSIVATE_AFTER_MS: RangeInclusive<u64> = 1..=365 * DAY_MS;

/// The word `durability`, before it is known how long an interval is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Stop,
    Interval,
    Turn,
}

/// Reads them all; what is not there is none.
pub(super) fn read(section: &mut Section<'_>, problems: &mut Problems) -> StateRules {
    let words = [("stop", Word::Stop), ("interval", Word::Interval), ("turn", Word::Turn)];
    let word = section.word_or_integer("durability", &words, None, problems);
    let turns = section.integer("interval_turns", &TURNS, problems).and_then(|turns| u32::try_from(turns).ok());
    let every = section.integer("interval_ms", &INTERVAL_MS, problems).map(Duration::from_millis);
    let given = ["interval_turns", "interval_ms"].into_iter().find(|key| section.has(key));
    match (word, given) {
        (Some(Word::Interval), None) => problems.add(
            section.place("durability"),
            format!("`durability` in {} is \"interval\"; add `interval_turns`, `interval_ms`, or both", section.label),
        ),
        (Some(Word::Stop | Word::Turn) | None, Some(key)) => problems.add(
            section.place(key),
            format!("`{key}` in {} is for `durability = \"interval\"`, which is not there", section.label),
        ),
        _ => {}
    }
    let stale = [("hold", BadStatePolicy::Hold), ("fresh", BadStatePolicy::Fresh), ("stop", BadStatePolicy::Stop)];
    let bad = [stale[0], ("previous", BadStatePolicy::Previous), stale[1], stale[2]];
    let age = |ms| Duration::from_millis(ms);
    StateRules {
        durability: word.map(|word| match word {
            Word::Stop => Durability::Stop,
            Word::Interval => Durability::Interval { turns, every },
            Word::Turn => Durability::Turn,
        }),
        on_bad_state: section.word_or_integer("on_bad_state", &bad, None, problems),
        on_stale: section.word_or_integer("on_stale", &stale, None, problems),
        max_age: section.word_or_integer("max_age_ms", &[("infinity", Duration::MAX)], Some((&AGE_MS, &age)), problems),
        passivate_after: section.word_or_integer(
            "passivate_after_ms",
            &[("never", Duration::MAX)],
            Some((&PASSIVATE_AFTER_MS, &age)),
            problems,
        ),
    }
}
