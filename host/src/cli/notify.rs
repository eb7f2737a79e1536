//! What the service manager is told, where one listens: systemd's notify protocol, whose socket the environment names.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use baton_host::{Host, Startup};
use sd_notify::NotifyState;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often a start or a stop that goes on says so, and for how long that is to hold.
const SAY: Duration = Duration::from_secs(5);
const EXTEND: Duration = Duration::from_secs(20);
/// How often it is looked how far the start has come.
const LOOK: Duration = Duration::from_millis(100);
/// How often that is logged at most.
const LOG: Duration = Duration::from_secs(2);

/// Notices that wait for a service manager that does not take them; further ones are dropped.
const WAITING: usize = 64;

/// The service manager. It is told by a thread of its own: one that takes nothing must not hold the host up.
#[derive(Debug, Clone)]
pub(super) struct Manager(Option<SyncSender<String>>);

impl Manager {
    /// The one that the environment names, if it names one.
    pub(super) fn find() -> Self {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Self(None);
        }
        let (notices, waiting) = sync_channel::<String>(WAITING);
        let told = thread::Builder::new().name("baton-notify".to_owned()).spawn(move || {
            for notice in waiting {
                if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&notice)]) {
                    tracing::warn!(%error, "the service manager could not be told");
                }
            }
        });
        match told {
            Ok(_) => Self(Some(notices)),
            Err(error) => {
                tracing::warn!(%error, "the service manager will not be told");
                Self(None)
            }
        }
    }

    /// Where nobody listens that is nothing.
    pub(super) fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(notices) = &self.0 else { return };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        if notices.try_send(lines.join("\n")).is_err() {
            tracing::warn!("the service manager takes no notices; one was dropped");
        }
    }
}

fn extended() -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from(EXTEND.as_micros()).unwrap_or(u32::MAX))
}

/// Says again and again that something goes on that has its own end, until it is dropped.
#[derive(Debug)]
pub(super) struct GoingOn(JoinHandle<()>);

impl GoingOn {
    pub(super) fn begin(manager: &Manager, status: &'static str) -> Self {
        manager.tell(&[NotifyState::Status(status), extended()]);
        Self(tokio::spawn(say_again(manager.clone())))
    }
}

async fn say_again(manager: Manager) {
    let mut ticks = interval_at(Instant::now() + SAY, SAY);
    loop {
        ticks.tick().await;
        manager.tell(&[extended()]);
    }
}

impl Drop for GoingOn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Follows the start until all actors that are listed have taken over their states, and then tells that the host is ready.
pub(super) async fn follow_the_start(host: Host, manager: Manager) {
    let _going_on = GoingOn::begin(&manager, "starting");
    let mut looks = interval_at(Instant::now() + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut logged) = (None, Instant::now());
    loop {
        let startup = host.startup();
        if !host.is_ready() {
            return;
        }
        if startup.done {
            manager.tell(&[NotifyState::Ready, NotifyState::Status(&ready(startup))]);
            tracing::info!(actors = startup.listed, "ready: all actors that are listed have taken over their states");
            return;
        }
        if told != Some(startup) {
            manager.tell(&[NotifyState::Status(&restoring(startup))]);
            told = Some(startup);
        }
        if logged.elapsed() >= LOG {
            tracing::info!("{}", restoring(startup));
            logged = Instant::now();
        }
        looks.tick().await;
    }
}

fn ready(startup: Startup) -> String {
    format!("ready: {} actors", startup.listed)
}

fn restoring(startup: Startup) -> String {
    format!("restoring: {} of {} actors have taken over their states", startup.settled, startup.listed)
}

/// Tells again and again that the host's supervisor still answers, if the service manager wants to know: where it hears
/// nothing for too long it ends the process.
pub(super) async fn watchdog(host: Host, manager: Manager) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else { return };
    let pause = limit / 3;
    let mut ticks = interval_at(Instant::now(), pause.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if host.answers_within(pause).await {
            manager.tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("the supervisor did not answer in time; the service manager is not told that all is well");
        }
    }
}

/// The configuration has been read again, whatever came of it.
pub(super) fn reloaded(host: &Host, manager: &Manager) {
    let startup = host.startup();
    // While it restores, that is not over yet.
    if startup.done {
        manager.tell(&[NotifyState::Ready, NotifyState::Status(&ready(startup))]);
    }
}

/// The configuration is read again.
pub(super) fn reloading(manager: &Manager) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => manager.tell(&[NotifyState::Reloading, now]),
        Err(_) => manager.tell(&[NotifyState::Reloading]),
    }
}
