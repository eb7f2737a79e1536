//! Timers of actors that sleep: whoever has a timer that comes due is started for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::ActorName;
use crate::store::now_ms;

/// Longest wait at a time, in milliseconds: the system's clock may be set meanwhile.
const LONGEST_WAIT_MS: u64 = 60_000;

/// When sleeping actors are to be woken. Each has one entry, its first timer.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Book {
    closed: bool,
    by_time: BTreeSet<(u64, ActorName)>,
    by_name: BTreeMap<ActorName, u64>,
}

impl Book {
    fn set(&mut self, actor: &ActorName, due_ms: Option<u64>) {
        if let Some(old) = self.by_name.remove(actor) {
            self.by_time.remove(&(old, actor.clone()));
        }
        if let Some(due) = due_ms {
            self.by_time.insert((due, actor.clone()));
            self.by_name.insert(actor.clone(), due);
        }
    }

    fn take_due(&mut self, now_ms: u64) -> Vec<ActorName> {
        let mut due = Vec::new();
        while let Some((at, actor)) = self.by_time.first().cloned()
            && at <= now_ms
        {
            self.set(&actor, None);
            due.push(actor);
        }
        due
    }
}

impl Alarm {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Entries come and go whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `actor` is woken at `due_ms`, in milliseconds since the Unix epoch; none: it is not.
    pub(crate) fn set(&self, actor: &ActorName, due_ms: Option<u64>) {
        self.book().set(actor, due_ms);
        self.changed.notify_one();
    }

    /// Nobody is woken any more.
    pub(crate) fn close(&self) {
        self.book().closed = true;
        self.changed.notify_one();
    }

    /// Waits until timers are due, and gives whose; none: it was closed. There is one who waits.
    pub(crate) async fn due(&self) -> Option<Vec<ActorName>> {
        loop {
            let now = now_ms();
            let next = {
                let mut book = self.book();
                if book.closed {
                    return None;
                }
                let due = book.take_due(now);
                if !due.is_empty() {
                    return Some(due);
                }
                book.by_time.first().map(|(at, _)| at.saturating_sub(now))
            };
            let wait = next.unwrap_or(LONGEST_WAIT_MS).clamp(1, LONGEST_WAIT_MS);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sleeper_is_woken_once_at_its_first_timer() {
        let name = |text: &str| ActorName::new(text).expect("valid");
        let mut book = Book::default();
        for (actor, due) in [("a", 50), ("b", 20), ("c", 20), ("a", 30), ("d", 10)] {
            book.set(&name(actor), Some(due));
        }
        book.set(&name("d"), None);
        assert_eq!(book.take_due(19), []);
        assert_eq!(book.take_due(20), [name("b"), name("c")]);
        assert_eq!(book.take_due(29), []);
        assert_eq!(book.take_due(60), [name("a")], "its later entry is gone");
        assert!(book.by_name.is_empty() && book.by_time.is_empty());
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_a_timer_that_is_set_meanwhile() {
        let alarm = Alarm::default();
        let actor = ActorName::new("a").expect("valid");
        let (due, ()) = tokio::join!(alarm.due(), async { alarm.set(&actor, Some(1)) });
        assert_eq!(due, Some(vec![actor]));
        alarm.close();
        assert_eq!(alarm.due().await, None);
    }
}
