//! Asks the host, on a thread of its own, for what the screen shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::super::client::{Client, escaped};
use super::super::events::Told;
use super::super::output::Failure;
use super::model::{Actor, HostFacts, Look};

/// Events of one actor that are shown at most.
const EVENTS: usize = 200;

/// A look takes at most an eighth of the time.
const LOOKING: u32 = 8;

/// How long the screen may take to end once the command is told to.
const LAST_CHANCE: Duration = Duration::from_millis(500);

/// What comes to the screen.
pub(super) enum News {
    Look(Box<Look>),
    /// The host does not answer: why. It is asked again.
    Trouble(String),
}

/// What the screen wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The actor whose events are asked for.
    pub(super) actor: Option<String>,
}

#[derive(Deserialize)]
struct Actors {
    actors: Vec<Actor>,
}

/// Looks at the host once.
pub(super) async fn look(client: &mut Client, query: &str, actor: Option<&str>) -> Result<Look, Failure> {
    let host: HostFacts = client.get("/v1/health", None).await?;
    let Actors { actors } = client.get(&format!("/v1/actors{query}"), None).await?;
    let events = match actor {
        Some(actor) => Some((actor.to_owned(), events_of(client, actor).await?)),
        None => None,
    };
    Ok(Look { host, actors, since: None, events })
}

async fn events_of(client: &mut Client, actor: &str) -> Result<Vec<String>, Failure> {
    let path = format!("/v1/events?since=0&follow=false&match={}", escaped(actor));
    let text = client.bytes(&path).await?;
    let text = String::from_utf8_lossy(&text);
    let told = text.lines().filter_map(|line| serde_json::from_str::<Told>(line.strip_prefix("data:")?.trim()).ok());
    let mut lines: Vec<String> = told.map(|event| event.brief()).collect();
    lines.drain(..lines.len().saturating_sub(EVENTS));
    Ok(lines)
}

/// How long after a look was begun the next one is, if it took so long: where a host has much to tell, it tells it less often.
fn pause(every: Duration, took: Duration) -> Duration {
    every.max(took.saturating_mul(LOOKING))
}

/// Looks again and again, until nobody takes what it sees; and says in `ended` that the command is told to end.
pub(super) fn start(
    mut client: Client,
    query: String,
    every: Duration,
    news: SyncSender<News>,
    mut wanted: watch::Receiver<Wanted>,
    ended: Arc<AtomicBool>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("the host cannot be watched: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    // Heard from now on, before there is a screen to restore: one that came earlier would end the command as it stands.
    let (mut terminate, mut hangup) = {
        let _within = runtime.enter();
        (signal(SignalKind::terminate()).map_err(failed)?, signal(SignalKind::hangup()).map_err(failed)?)
    };
    let work = async move {
        let mut before: Option<Instant> = None;
        loop {
            let actor = wanted.borrow_and_update().actor.clone();
            let asked = Instant::now();
            let told = match look(&mut client, &query, actor.as_deref()).await {
                Ok(mut look) => {
                    look.since = before.replace(asked).map(|before| asked.duration_since(before));
                    News::Look(Box::new(look))
                }
                Err(failure) => News::Trouble(failure.words().0),
            };
            // A screen that has not shown the look before does without this one: to wait for it would be to hear no signal.
            if matches!(news.try_send(told), Err(TrySendError::Disconnected(_))) {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until((asked + pause(every, asked.elapsed())).into()) => {}
                changed = wanted.changed() => if changed.is_err() { return },
            }
        }
    };
    let told_to_end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        ended.store(true, Ordering::Release);
        tokio::time::sleep(LAST_CHANCE).await;
        // A terminal that is gone lets nobody go who waits for its keys.
        super::give_back();
        std::process::exit(0);
    };
    let watching = move || {
        runtime.block_on(async {
            tokio::select! {
                () = work => {}
                () = told_to_end => {}
            }
        });
    };
    thread::Builder::new().name("baton-top".to_owned()).spawn(watching).map(drop).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_much_to_tell_is_asked_less_often() {
        for (every, took, pauses) in [(1_000, 0, 1_000), (1_000, 125, 1_000), (1_000, 300, 2_400), (50, 10, 80)] {
            let [every, took, pauses] = [every, took, pauses].map(Duration::from_millis);
            assert_eq!(pause(every, took), pauses);
        }
    }
}
