//! What is kept of what was told, and who has missed how much. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

/// Things in the order of their sequences, without a gap.
#[derive(Debug)]
pub(super) struct Ring<T> {
    kept: VecDeque<(Arc<T>, usize)>,
    bytes: usize,
    /// The sequence before the very first one.
    start: u64,
    /// Sequence of the last one, or `start`.
    last: u64,
    most: Most,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    /// How many.
    pub(crate) kept: usize,
    /// How many bytes they may take: of long ones fewer are kept.
    pub(crate) bytes: usize,
}

/// How a reader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Sequence of the next one that it is to hear of.
    pub(super) next: u64,
    /// What it has missed.
    pub(super) missed: Option<Missed>,
}

/// What is kept no more, and was not told. Whoever hears of it can look how everything is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// How many, whatever they were about; none: they were an earlier host's.
    pub count: Option<u64>,
    /// What follows comes after this sequence: to be given where one goes on.
    pub after: u64,
}

impl<T> Ring<T> {
    pub(super) fn new(start: u64, most: Most) -> Self {
        Self { kept: VecDeque::new(), bytes: 0, start, last: start, most }
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Sequence of the oldest one that is kept, or of the next one.
    fn oldest(&self) -> u64 {
        self.last + 1 - self.kept.len() as u64
    }

    /// Keeps one that takes so many bytes, and to which `make` gives the next sequence; older ones make room.
    pub(super) fn push(&mut self, bytes: usize, make: impl FnOnce(u64) -> T) {
        self.last += 1;
        self.kept.push_back((Arc::new(make(self.last)), bytes));
        self.bytes += bytes;
        while (self.kept.len() > self.most.kept || self.bytes > self.most.bytes)
            && let Some((_, bytes)) = self.kept.pop_front()
        {
            self.bytes -= bytes;
        }
    }

    /// Where a reader goes on that has heard of everything up to `since`. 0: of nothing, and it wants what is kept.
    pub(super) fn after(&self, since: u64) -> Place {
        let oldest = self.oldest();
        let missed = |count| Place { next: oldest, missed: Some(Missed { count, after: oldest - 1 }) };
        match since {
            0 => Place { next: oldest, missed: None },
            // A clock that was set back may let an earlier host's be higher.
            since if since < self.start || since > self.last => missed(None),
            since if since + 1 < oldest => missed(Some(oldest - since - 1)),
            since => Place { next: since + 1, missed: None },
        }
    }

    /// Where a reader begins that wants the last `count` of those that are `wanted`.
    pub(super) fn tail(&self, count: usize, wanted: impl Fn(&T) -> bool) -> u64 {
        let mut left = count;
        let more = self.kept.iter().rev().take_while(|(one, _)| {
            let counts = wanted(one);
            let more = left > 0;
            left -= usize::from(more && counts);
            more
        });
        self.last + 1 - more.count() as u64
    }

    /// Those from `next` on that are `wanted`, `at_once` at most, and where to go on after them.
    pub(super) fn read(
        &self,
        next: u64,
        wanted: impl Fn(&T) -> bool,
        at_once: usize,
    ) -> Result<(VecDeque<Arc<T>>, u64), Missed> {
        let oldest = self.oldest();
        let Some(skip) = next.checked_sub(oldest) else {
            return Err(Missed { count: Some(oldest - next), after: oldest - 1 });
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.kept.len());
        let mut found = VecDeque::new();
        for ((one, _), sequence) in self.kept.range(skip..).zip(next..) {
            if wanted(one) {
                found.push_back(one.clone());
                if found.len() == at_once {
                    return Ok((found, sequence + 1));
                }
            }
        }
        Ok((found, self.last + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(kept: usize, bytes: usize) -> Ring<u64> {
        Ring::new(100, Most { kept, bytes })
    }

    fn push(ring: &mut Ring<u64>, bytes: usize) {
        ring.push(bytes, |sequence| sequence);
    }

    fn kept(ring: &Ring<u64>) -> Vec<u64> {
        let (found, _) = ring.read(ring.after(0).next, |_| true, 100).expect("from the oldest");
        found.iter().map(|one| **one).collect()
    }

    #[test]
    fn the_oldest_make_room_by_number_and_by_bytes() {
        let mut ring = ring(3, 3_000);
        assert_eq!(kept(&ring), [0_u64; 0]);
        (0..4).for_each(|_| push(&mut ring, 500));
        assert_eq!(kept(&ring), [102, 103, 104]);
        push(&mut ring, 2_400);
        assert_eq!(kept(&ring), [104, 105]);
        push(&mut ring, 3_001);
        assert_eq!(kept(&ring), [0_u64; 0], "one that is larger than all is gone at once");
        push(&mut ring, 1);
        assert_eq!((kept(&ring), ring.bytes), (vec![107], 1));
    }

    #[test]
    fn whoever_comes_back_misses_nothing_that_is_kept_and_is_told_of_the_rest() {
        let mut ring = ring(3, 1 << 20);
        let place = |next, missed| Place { next, missed };
        let missed = |count, after| Some(Missed { count, after });
        assert_eq!(ring.after(100), place(101, None), "nothing has happened yet");
        (0..5).for_each(|_| push(&mut ring, 0));
        // 103, 104 and 105 are kept.
        assert_eq!(ring.after(0), place(103, None));
        assert_eq!(ring.after(105), place(106, None));
        assert_eq!(ring.after(104), place(105, None));
        assert_eq!(ring.after(102), place(103, None));
        assert_eq!(ring.after(101), place(103, missed(Some(1), 102)));
        assert_eq!(ring.after(100), place(103, missed(Some(2), 102)), "from the very first on");
        assert_eq!(ring.after(99), place(103, missed(None, 102)), "an earlier host's");
        assert_eq!(ring.after(106), place(103, missed(None, 102)));
        assert_eq!(ring.after(u64::MAX), place(103, missed(None, 102)));
        let read = |next| ring.read(next, |one| *one != 104, 100).map(|(found, next)| (found.len(), next));
        assert_eq!(read(103), Ok((2, 106)));
        assert_eq!(read(106), Ok((0, 106)));
        assert_eq!(read(101), Err(Missed { count: Some(2), after: 102 }));
        let (found, next) = ring.read(103, |_| true, 2).expect("kept");
        assert_eq!((found.len(), next), (2, 105), "no more at once than asked for");
    }

    #[test]
    fn the_last_ones_are_counted_from_the_end() {
        let mut ring = ring(5, 1 << 20);
        (0..7).for_each(|_| push(&mut ring, 0));
        // 103 to 107 are kept.
        let odd = |one: &u64| one % 2 == 1;
        assert_eq!(ring.tail(0, odd), 108);
        assert_eq!(ring.read(ring.tail(1, odd), odd, 9).expect("kept").0, [Arc::new(107)]);
        assert_eq!(ring.read(ring.tail(2, odd), odd, 9).expect("kept").0, [Arc::new(105), Arc::new(107)]);
        assert_eq!(ring.read(ring.tail(9, odd), odd, 9).expect("kept").0.len(), 3);
    }
}
