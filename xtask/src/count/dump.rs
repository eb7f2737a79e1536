//! What callgrind writes, and what the program that it runs says.

use std::collections::HashSet;

use crate::failure::{Failure, Result};

/// The functions by which memory comes from the allocator.
const ALLOCATORS: [&str; 6] = ["malloc", "calloc", "realloc", "memalign", "posix_memalign", "aligned_alloc"];

/// What was done, and how often: a line each, the number last.
pub(super) fn work(said: &str) -> Result<Vec<(String, u64)>> {
    let line = |line: &str| {
        let (what, times) = line.rsplit_once(' ')?;
        Some((what.to_owned(), times.parse().ok().filter(|times| *times > 0)?))
    };
    let wrong = |said: &str| Failure::new(format!("`{said}` does not say what was done, and how often"));
    said.lines().map(|said| line(said).ok_or_else(|| wrong(said))).collect()
}

/// All instructions of a dump, and the calls of the allocator. A name is written out where it comes first, and is a number
/// in brackets from then on.
pub(super) fn totals(text: &str) -> Option<(u64, u64)> {
    let (mut instructions, mut allocations) = (None, 0);
    let (mut allocators, mut allocates) = (HashSet::new(), false);
    for line in text.lines() {
        if let Some(totals) = line.strip_prefix("totals:") {
            instructions = Some(totals.trim().parse().ok()?);
        } else if let Some(function) = line.strip_prefix("fn=") {
            is_allocator(function, &mut allocators);
        } else if let Some(called) = line.strip_prefix("cfn=") {
            allocates = is_allocator(called, &mut allocators);
        } else if let Some(calls) = line.strip_prefix("calls=").filter(|_| allocates) {
            allocations += calls.split(' ').next()?.parse::<u64>().ok()?;
        }
    }
    Some((instructions?, allocations))
}

/// Whether `(7) malloc`, or `(7)` once that was there, is one.
fn is_allocator<'t>(function: &'t str, known: &mut HashSet<&'t str>) -> bool {
    match function.split_once(' ') {
        None => known.contains(function),
        Some((number, name)) => {
            let is_one = ALLOCATORS.contains(&name);
            if is_one {
                known.insert(number);
            }
            is_one
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_and_allocations_of_a_dump_are_read() {
        let dump = "events: Ir\nfn=(1) a\n1 10\ncfn=(2) malloc\ncalls=7 0\n1 70\ncfn=(3) free\ncalls=9 0\n1 9\n\
                    fn=(4) realloc\n1 5\ncfn=(2)\ncalls=1 0\n1 3\nfn=(1)\ncfn=(4)\ncalls=2 0\n1 8\ntotals: 12345\n";
        assert_eq!(totals(dump), Some((12_345, 7 + 1 + 2)));
        assert_eq!(totals("fn=(1) a\n1 10\n"), None);
    }

    #[test]
    fn what_was_done_is_read() {
        let expected = vec![("call".to_owned(), 1_000), ("call, log at warn".to_owned(), 20)];
        assert_eq!(work("call 1000\ncall, log at warn 20\n").ok(), Some(expected));
        for wrong in ["call", "call x", "call 0", "call 10\nit panicked"] {
            assert!(work(wrong).is_err(), "{wrong}");
        }
    }
}
