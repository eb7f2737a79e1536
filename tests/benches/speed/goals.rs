//! What is wanted, and whether it is so.

use crate::measure::{Figure, shown};

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// Its median, in its unit.
    P50(u64),
    P99(u64),
    /// Its median as a multiple of its floor's.
    Floor(f64),
    /// Its median is this many times smaller than that of the rival whose name begins so.
    Rival(&'static str, f64),
    /// So many a second, as a multiple of the rival's.
    RivalRate(&'static str, f64),
}

const MS: u64 = 1_000_000;

/// The goals, by figure.
const GOALS: [(&str, Bound); 19] = [
    ("call/one/16-B", Bound::P50(600)),
    ("call/one/16-B", Bound::Floor(2.0)),
    ("call/one/16-B", Bound::Rival("OTP", 2.0)),
    ("call/over/10000", Bound::Rival("OTP", 1.0)),
    ("call/over/10000", Bound::RivalRate("OTP", 1.0)),
    ("start", Bound::P50(15_000)),
    ("start", Bound::Rival("OTP", 0.5)),
    ("start", Bound::Rival("Extism", 5.0)),
    ("wake/1-KiB", Bound::P50(60_000)),
    ("handoff/all-serve", Bound::P50(1_000 * MS)),
    ("handoff/all-serve", Bound::Rival("OTP", 3.0)),
    ("swap/all", Bound::P50(1_000 * MS)),
    ("swap/pause-of-99-%", Bound::P50(5 * MS)),
    ("swap/wait-of-callers", Bound::P99(5 * MS)),
    ("start-up/first-reply", Bound::P50(300 * MS)),
    ("neighbours/4-endless", Bound::P99(10 * MS)),
    ("neighbours/16-endless", Bound::P99(10 * MS)),
    ("call/one/16-B", Bound::Rival("Extism", 1.0)),
    ("call/over/10000", Bound::Rival("Extism", 1.0)),
];

/// What came of a goal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) goal: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
}

/// Of each goal whose figures were measured.
pub(crate) fn judge(figures: &[Figure]) -> Vec<Verdict> {
    let of = |name: &str| figures.iter().find(|figure| figure.name == name);
    GOALS.iter().filter_map(|(name, bound)| verdict(of(name)?, *bound)).collect()
}

fn verdict(figure: &Figure, bound: Bound) -> Option<Verdict> {
    let Figure { name, unit, .. } = figure;
    let rival = |who: &str| figure.rivals.iter().find(|rival| rival.who.starts_with(who));
    let (goal, measured, met) = match bound {
        Bound::P50(most) => within(("p50", figure.p50), most, unit),
        Bound::P99(most) => within(("p99", figure.p99), most, unit),
        Bound::Floor(most) => {
            let ratio = figure.floor.as_ref()?.ratio;
            (format!("at most {most} times its floor"), format!("{ratio:.2} times"), ratio <= most)
        }
        Bound::Rival(who, times) => {
            let rival = rival(who)?;
            let is = rival.p50 as f64 / figure.p50.max(1) as f64;
            (format!("{times} times as fast as {}", rival.who), format!("{is:.2} times"), is >= times)
        }
        Bound::RivalRate(who, times) => {
            let rival = rival(who)?;
            let is = figure.per_second? / rival.per_second?;
            (format!("{times} times as many a second as {}", rival.who), format!("{is:.2} times"), is >= times)
        }
    };
    Some(Verdict { goal: format!("`{name}`: {goal}"), measured, met })
}

fn within((which, is): (&str, u64), most: u64, unit: &str) -> (String, String, bool) {
    (format!("{which} at most {}", shown(most, unit)), shown(is, unit), is <= most)
}
