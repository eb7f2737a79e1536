//! Who is put to sleep: those that are awake, how long nobody has needed them, and what is decided of that.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Cell;
use crate::model::Passivation;

/// Parts of the list of those that are awake: whoever wakes or falls asleep waits for one of them at most.
const SHARDS: usize = 16;
/// Actors that one round looks at.
pub(crate) const LOOKS: usize = 65_536;
/// Actors that one round asks to sleep.
pub(crate) const ASKS: usize = 1_024;
/// Says of a time that there is none.
const NEVER: u64 = u64::MAX;

/// When an actor was needed last. Written by its own loop, read by whoever looks for those to put to sleep.
#[derive(Debug)]
pub(crate) struct Rest {
    born: Instant,
    /// In milliseconds since then, as the others.
    used_ms: AtomicU64,
    awake_since_ms: AtomicU64,
    not_before_ms: AtomicU64,
    /// After how long it is put to sleep, in milliseconds.
    after_ms: AtomicU64,
    /// It is never to be.
    exempt: AtomicBool,
    /// It was asked to, and has not answered.
    asked: AtomicBool,
    /// It has slept before, or another cell of its name has.
    slept: AtomicBool,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            born: Instant::now(),
            used_ms: AtomicU64::new(0),
            awake_since_ms: AtomicU64::new(0),
            not_before_ms: AtomicU64::new(0),
            after_ms: AtomicU64::new(NEVER),
            exempt: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            slept: AtomicBool::new(false),
        }
    }
}

impl Rest {
    fn at(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.born))
    }

    /// It handles a message.
    pub(super) fn used(&self, now: Instant) {
        self.used_ms.store(self.at(now), Ordering::Relaxed);
    }

    /// It has answered whether it sleeps, and is not asked again before `pause` is over.
    pub(super) fn stays_awake(&self, now: Instant, pause: Duration) {
        self.not_before_ms.store(self.at(now).saturating_add(millis(pause)), Ordering::Relaxed);
        self.asked.store(false, Ordering::Release);
    }

    /// How long it has handled nothing.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        Duration::from_millis(self.at(now).saturating_sub(self.used_ms.load(Ordering::Relaxed)))
    }

    fn wakes(&self, now: Instant, after: Option<Duration>) {
        let now = self.at(now);
        self.used_ms.store(now, Ordering::Relaxed);
        self.awake_since_ms.store(now, Ordering::Relaxed);
        self.asked.store(false, Ordering::Relaxed);
        self.exempt.store(after == Some(Duration::MAX), Ordering::Relaxed);
        self.after_ms.store(after.map_or(NEVER, millis), Ordering::Relaxed);
    }

    /// Notes that it wakes, or is about to.
    pub(crate) fn has_slept(&self) {
        self.slept.store(true, Ordering::Relaxed);
    }

    /// Whether it has ever slept: where it starts, it wakes.
    pub(crate) fn wakes_up(&self) -> bool {
        self.slept.load(Ordering::Relaxed)
    }

    /// Notes that it is asked to sleep.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// How it stands.
    pub(crate) fn seen(&self, now: Instant, bytes: usize) -> Seen {
        let at = self.at(now);
        let load = |of: &AtomicU64| of.load(Ordering::Relaxed);
        Seen {
            idle_ms: at.saturating_sub(load(&self.used_ms)),
            awake_ms: at.saturating_sub(load(&self.awake_since_ms)),
            after_ms: Some(load(&self.after_ms)).filter(|after| *after != NEVER),
            bytes,
            asked: self.asked.load(Ordering::Acquire),
            exempt: self.exempt.load(Ordering::Relaxed) || at < load(&self.not_before_ms),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(NEVER)
}

/// An actor that is awake, as a round sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// How long it has handled nothing.
    idle_ms: u64,
    /// Since it has last taken over its state.
    awake_ms: u64,
    /// After how long it is put to sleep for that alone.
    after_ms: Option<u64>,
    /// Its linear memory.
    bytes: usize,
    /// It was asked to sleep already.
    asked: bool,
    /// It is not to be asked, now or ever.
    exempt: bool,
}

/// Why an actor is put to sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It has handled nothing for so long.
    Idle,
    /// There are too many, or they have too much memory, and others were needed later.
    Room,
}

/// Decides who is asked to sleep: first those that are idle for longer than they may be, then, where more are awake than may be,
/// or have more memory, or others wait for `wanted` places, those that have handled nothing for longest. Of `awake` actors
/// those of `seen` were looked at: what is too much is shared out by that. At most [`ASKS`], by their places in `seen`.
pub(crate) fn who_sleeps(seen: &[Seen], awake: usize, wanted: usize, rules: &Passivation) -> Vec<(usize, Why)> {
    let least_ms = millis(rules.least_resident);
    let may = |one: &Seen| !one.exempt && !one.asked && one.awake_ms >= least_ms;
    let mut idle = Vec::new();
    let mut others = Vec::new();
    let mut leaving = Leaving::default();
    for (at, one) in seen.iter().enumerate() {
        if one.asked {
            leaving.add(one);
        } else if may(one) && one.after_ms.is_some_and(|after| one.idle_ms >= after) {
            leaving.add(one);
            idle.push(at);
        } else if may(one) {
            others.push(at);
        }
    }
    idle.sort_unstable_by_key(|at| Reverse(seen[*at].idle_ms));
    let mut asked: Vec<(usize, Why)> = idle.into_iter().map(|at| (at, Why::Idle)).collect();
    let share = |of: usize| match awake.max(seen.len()) {
        0 => 0,
        all => (of as u128 * seen.len() as u128).div_ceil(all as u128) as usize,
    };
    let too_many = rules.max_resident.map_or(0, |most| share(awake.saturating_sub(most as usize)));
    let (too_many, bytes) = (too_many.max(share(wanted)), seen.iter().map(|one| one.bytes).sum::<usize>());
    let too_large = rules.resident_memory_bytes.map_or(0, |most| bytes.saturating_sub(share(most)));
    if leaving.count < too_many || leaving.bytes < too_large {
        others.sort_unstable_by_key(|at| Reverse(seen[*at].idle_ms));
        for at in others {
            if leaving.count >= too_many && leaving.bytes >= too_large {
                break;
            }
            leaving.add(&seen[at]);
            asked.push((at, Why::Room));
        }
    }
    asked.truncate(ASKS);
    asked
}

#[derive(Debug, Default)]
struct Leaving {
    count: usize,
    bytes: usize,
}

impl Leaving {
    fn add(&mut self, one: &Seen) {
        self.count += 1;
        self.bytes += one.bytes;
    }
}

/// The actors that are awake.
#[derive(Debug)]
pub(crate) struct Residents {
    pub(crate) rules: Passivation,
    shards: [Mutex<HashMap<usize, Arc<Cell>>>; SHARDS],
    count: AtomicUsize,
    pressed: Arc<Notify>,
}

impl Residents {
    /// `pressed`: where those are told of who look for somebody to put to sleep.
    pub(crate) fn new(rules: Passivation, pressed: Arc<Notify>) -> Self {
        Self { rules, shards: Default::default(), count: AtomicUsize::new(0), pressed }
    }

    fn shard(&self, cell: &Arc<Cell>) -> (usize, MutexGuard<'_, HashMap<usize, Arc<Cell>>>) {
        let key = Arc::as_ptr(cell).addr();
        // An address is even: the low bits say nothing.
        (key, self.lock((key >> 6) % SHARDS))
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, HashMap<usize, Arc<Cell>>> {
        // Entries come and go whole.
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An actor is awake from now on; `after`: when it is put to sleep, where it has a rule of its own.
    pub(super) fn enter(&self, cell: &Arc<Cell>, after: Option<Duration>) {
        cell.rest.wakes(Instant::now(), after.or(self.rules.after));
        let (key, mut shard) = self.shard(cell);
        if shard.insert(key, cell.clone()).is_none() {
            drop(shard);
            let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
            if self.rules.max_resident.is_some_and(|most| count > most as usize) {
                self.pressed.notify_one();
            }
        }
    }

    /// It is not any more.
    pub(super) fn leave(&self, cell: &Arc<Cell>) {
        let (key, mut shard) = self.shard(cell);
        if shard.remove(&key).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there are more than there may be.
    pub(crate) fn too_many(&self) -> bool {
        self.rules.max_resident.is_some_and(|most| self.count() > most as usize)
    }

    /// Ready when one too many has woken, or somebody waits for a place. There is one who waits.
    pub(crate) async fn pressed(&self) {
        self.pressed.notified().await;
    }

    /// Some of them, [`LOOKS`] about: the parts from `first` on, and where the next round begins.
    pub(crate) fn some(&self, first: usize) -> (Vec<Arc<Cell>>, usize) {
        let mut found = Vec::new();
        for step in 0..SHARDS {
            let at = (first + step) % SHARDS;
            found.extend(self.lock(at).values().cloned());
            if found.len() >= LOOKS {
                return (found, (at + 1) % SHARDS);
            }
        }
        (found, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(idle_ms: u64) -> Seen {
        Seen { idle_ms, awake_ms: 100_000, bytes: 10, ..Seen::default() }
    }

    fn rules(max: Option<u32>, bytes: Option<usize>) -> Passivation {
        Passivation { max_resident: max, resident_memory_bytes: bytes, ..Passivation::default() }
    }

    fn places(asked: &[(usize, Why)]) -> Vec<usize> {
        asked.iter().map(|(at, _)| *at).collect()
    }

    #[test]
    fn who_is_idle_for_longer_than_it_may_be_sleeps_the_longest_first() {
        let after = |idle_ms, after_ms| Seen { after_ms, ..seen(idle_ms) };
        let all = [after(50, Some(50)), after(49, Some(50)), after(90, Some(50)), after(1_000, None)];
        let asked = who_sleeps(&all, 4, 0, &rules(None, None));
        assert_eq!(asked, [(2, Why::Idle), (0, Why::Idle)]);
    }

    #[test]
    fn of_too_many_the_least_recently_used_sleep() {
        let all: Vec<_> = [5, 1, 9, 7, 3].map(seen).into();
        for (max, expected) in [(5, vec![]), (4, vec![2]), (3, vec![2, 3]), (0, vec![2, 3, 0, 4, 1])] {
            assert_eq!(places(&who_sleeps(&all, 5, 0, &rules(Some(max), None))), expected, "{max}");
        }
    }

    #[test]
    fn of_too_much_memory_the_least_recently_used_give_theirs() {
        let sized = |idle_ms, bytes| Seen { bytes, ..seen(idle_ms) };
        let all = [sized(1, 100), sized(9, 10), sized(5, 50)];
        for (most, expected) in [(160, vec![]), (159, vec![1]), (150, vec![1]), (149, vec![1, 2]), (99, vec![1, 2, 0])]
        {
            assert_eq!(places(&who_sleeps(&all, 3, 0, &rules(None, Some(most)))), expected, "{most}");
        }
    }

    #[test]
    fn who_waits_for_a_place_gets_that_of_the_least_recently_used() {
        let all: Vec<_> = [5, 1, 9].map(seen).into();
        assert_eq!(places(&who_sleeps(&all, 3, 2, &rules(None, None))), [2, 0]);
    }

    #[test]
    fn who_is_exempt_was_asked_or_woke_just_now_is_left_alone_and_who_was_asked_counts() {
        let exempt = Seen { exempt: true, ..seen(9_999) };
        let asked = Seen { asked: true, ..seen(9_998) };
        let fresh = Seen { awake_ms: 999, idle_ms: 999, after_ms: Some(0), ..seen(0) };
        let all = [exempt, asked, fresh, seen(1), seen(2)];
        assert_eq!(places(&who_sleeps(&all, 5, 0, &rules(Some(3), None))), [4], "one of two is on its way already");
        assert_eq!(places(&who_sleeps(&all, 5, 0, &rules(Some(0), None))), [4, 3]);
    }

    #[test]
    fn a_part_of_them_gives_a_part_of_what_is_too_much() {
        let all: Vec<_> = (0..10).map(seen).collect();
        assert_eq!(places(&who_sleeps(&all, 100, 0, &rules(Some(80), None))), [9, 8]);
        let asked = who_sleeps(&all, 100, 0, &rules(None, Some(900)));
        assert_eq!(places(&asked), [9], "ten of them have 100 bytes, and 90 is their share");
    }

    #[test]
    fn a_round_asks_so_many_and_no_more() {
        let all: Vec<_> = (0..2 * ASKS as u64).map(seen).collect();
        let asked = who_sleeps(&all, all.len(), 0, &rules(Some(0), None));
        assert_eq!((asked.len(), asked[0].0), (ASKS, 2 * ASKS - 1));
    }
}
