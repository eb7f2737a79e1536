//! The test that a layout does not change without a raised schema.

use super::layout;
use crate::{Actor, Plugin};

/// The layouts that `P` reads, as [`layout`](super::layout()) tells them, each with its schema, the lowest first.
///
/// # Panics
/// As there.
#[must_use]
pub fn layouts<P: Plugin>() -> Vec<(u32, String)> {
    let current = [(<P as Actor>::SCHEMA, layout::<P>())];
    let mut layouts: Vec<_> = P::MIGRATIONS.told().chain(current).collect();
    layouts.sort();
    layouts
}

/// Fails unless `P` reads exactly these schemas, each in exactly this layout: the fingerprints of its states.
///
/// A line is written when a schema is new, and never changed once a release has written states of it. Old structs keep
/// their line if they stay what they were under their own names, in a module each. With an empty list it fails with the
/// lines to paste.
///
/// ```
/// # use baton_guest::{Actor, Cx, Failure, Migrations, migrations, plugin};
/// # use serde::{Deserialize, Serialize};
/// use baton_guest::testing::assert_layouts;
///
/// mod v1 {
///     #[derive(serde::Deserialize)]
///     pub struct Counter { pub count: u32 }
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Counter { count: u64 }
///
/// # impl From<v1::Counter> for Counter {
/// #     fn from(old: v1::Counter) -> Self { Self { count: old.count.into() } }
/// # }
/// impl Actor for Counter {
///     const SCHEMA: u32 = 2;
///     const MIGRATIONS: Migrations<Self> = migrations!(1 => v1::Counter);
/// #   type Message = ();
/// #   type Reply = ();
/// #   fn init(_: &Cx) -> Result<Self, Failure> { Ok(Self { count: 0 }) }
/// #   fn handle(&mut self, (): (), _: &Cx) -> Result<(), Failure> { Ok(()) }
///     // …
/// }
/// # plugin!(Counter);
///
/// // In a test:
/// assert_layouts::<Counter>(&[
///     (1, "Counter\nCounter { count: u32 }"),
///     (2, "Counter\nCounter { count: u64 }"),
/// ]);
/// ```
///
/// It sees the shape of a state, not what its numbers mean: keep the bytes of each released layout in a test as well.
///
/// # Panics
/// Says which schema differs, in what, and what to do about it. Or as [`layout`](super::layout()) does.
#[track_caller]
pub fn assert_layouts<P: Plugin>(known: &[(u32, &str)]) {
    let wrong = differences(&layouts::<P>(), known, <P as Actor>::SCHEMA);
    assert!(wrong.is_empty(), "{} {}: {}", P::NAME, P::VERSION, wrong.join("\n\n"));
}

/// What is wrong with the layouts that are read, if these were known, in words that say what to do.
fn differences(read: &[(u32, String)], known: &[(u32, &str)], current: u32) -> Vec<String> {
    let mut wrong = Vec::new();
    for (schema, layout) in read {
        let mut lines = known.iter().filter(|(of, _)| of == schema);
        match (lines.next(), lines.next()) {
            (None, _) => wrong.push(format!(
                "schema {schema} is not known to this test. If that is how it is to stay, add\n    ({schema}, {layout:?}),"
            )),
            (Some(_), Some(_)) => wrong.push(format!("schema {schema} stands twice in this test: remove one line")),
            (Some((_, before)), None) if before != layout => {
                wrong.push(changed(*schema, before, layout, current));
            }
            (Some(_), None) => {}
        }
    }
    for (schema, _) in known.iter().filter(|(schema, _)| read.iter().all(|(of, _)| of != schema)) {
        wrong.push(format!(
            "schema {schema} is no longer read, so that actors whose states have it would be held. Put it back into \
             MIGRATIONS, or remove its line if that is meant"
        ));
    }
    wrong
}

fn changed(schema: u32, before: &str, now: &str, current: u32) -> String {
    let what = difference(before, now);
    if schema == current {
        let next = u64::from(current) + 1;
        format!(
            "the layout of schema {schema} has changed, and SCHEMA is still {schema}:\n{what}\nStates that were \
             written before would not be read, or be read as something else. Leave its line as it is; raise SCHEMA to \
             {next}, keep the struct as it was in a module `v{schema}`, name it in MIGRATIONS (`{schema} => \
             v{schema}::…`), and add\n    ({next}, {now:?}),\nOnly if schema {schema} was never released, put its new \
             text into its line instead"
        )
    } else {
        format!(
            "the layout of schema {schema}, which is not the current one, has changed:\n{what}\nThe states of schema \
             {schema} that are in stores have not: put the struct back as it was, under the name that it had"
        )
    }
}

/// The lines that went and those that came, the others left out.
fn difference(before: &str, now: &str) -> String {
    let only = |sign: char, of: &str, other: &str| -> Vec<String> {
        let lines = of.lines().filter(|line| other.lines().all(|known| known != *line));
        lines.map(|line| format!("  {sign} {line}")).collect()
    };
    let lines = [only('-', before, now), only('+', now, before)].concat();
    // The same lines in another order.
    if lines.is_empty() { format!("  - {before:?}\n  + {now:?}") } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "A\nA { b: B }\nB { n: u32 }";
    const V2: &str = "A\nA { b: B }\nB { n: u64 }";

    /// What is said where the current schema is 2.
    fn said(read: &[(u32, &str)], known: &[(u32, &str)]) -> Vec<String> {
        let read: Vec<_> = read.iter().map(|(schema, layout)| (*schema, (*layout).to_owned())).collect();
        differences(&read, known, 2)
    }

    #[test]
    fn nothing_is_said_of_layouts_that_are_what_they_were() {
        for known in [[(1, V1), (2, V2)], [(2, V2), (1, V1)]] {
            assert!(said(&[(1, V1), (2, V2)], &known).is_empty());
        }
    }

    #[test]
    fn each_difference_is_told_with_what_to_do() {
        let read = [(1, V1), (2, V2)];
        type Layouts<'a> = &'a [(u32, &'a str)];
        let cases: [(Layouts<'_>, Layouts<'_>, &str); 6] = [
            (&read, &[(1, V1), (2, V1)], "SCHEMA is still 2:\n  - B { n: u32 }\n  + B { n: u64 }\n"),
            (&read, &[(1, V1), (2, V1)], "raise SCHEMA to 3"),
            (&read, &[(1, V2), (2, V2)], "put the struct back as it was"),
            (&read, &[(1, V1)], "add\n    (2, \"A\\nA { b: B }\\nB { n: u64 }\"),"),
            (&read[1..], &[(1, V1), (2, V2)], "schema 1 is no longer read"),
            (&read, &[(1, V1), (2, V2), (2, V1)], "schema 2 stands twice"),
        ];
        for (read, known, words) in cases {
            let said = said(read, known);
            assert!(said.len() == 1 && said[0].contains(words), "{words:?}: {said:?}");
        }
    }

    #[test]
    fn every_difference_is_told() {
        assert_eq!(said(&[(2, V2), (3, V1)], &[(1, V1), (2, V1)]).len(), 3);
    }

    #[test]
    fn another_order_is_another_layout() {
        let said = said(&[(2, "A\nB\nC")], &[(2, "A\nC\nB")]);
        assert!(said[0].contains(r#"+ "A\nB\nC""#), "{said:?}");
    }
}
