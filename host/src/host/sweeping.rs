//! Puts actors to sleep that nobody needs, round by round: each looks at so many and asks so many, and none waits for an
//! answer.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::Inner;
use crate::actor::{Residents, who_sleeps};
use crate::sandbox::Wanted;

/// The longest and the shortest time between two rounds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// The same where nobody is too many, and where no time is said for all after which who is idle sleeps.
const CALM_PAUSE: Duration = Duration::from_millis(100);

/// Goes on as long as the host takes work. It does not keep a host alive that was dropped.
pub(super) async fn sweep(host: Weak<Inner>, residents: Arc<Residents>, wanted: Arc<Wanted>) {
    let mut next = 0;
    // Often enough that nobody is awake for much longer than it may be.
    let calm = residents.rules.after.map_or(CALM_PAUSE, |after| (after / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
    loop {
        let began = Instant::now();
        if host.upgrade().is_none_or(|host| host.router.is_closed()) {
            return;
        }
        let (cells, after) = residents.some(next);
        next = after;
        let seen: Vec<_> = cells.iter().map(|cell| cell.rest.seen(began, cell.memory_bytes())).collect();
        for (at, why) in who_sleeps(&seen, residents.count(), wanted.count(), &residents.rules) {
            cells[at].ask_to_sleep(why);
        }
        drop(cells);
        // A round may be long where there are many. Whoever waits for a place is not to wait for long, but others have at least
        // as much time as the round took; where nobody waits, nine times as much.
        let took = began.elapsed();
        let pause = if wanted.count() == 0 { took * 9 } else { took };
        tokio::time::sleep(pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
        if !residents.too_many() && wanted.count() == 0 {
            tokio::select! {
                () = residents.pressed() => {}
                () = tokio::time::sleep(calm.max(pause)) => {}
            }
        }
    }
}
