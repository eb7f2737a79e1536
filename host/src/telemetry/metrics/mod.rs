//! Numbers of the host as a whole and of each version of a plugin, never of one actor: however many there are and whatever
//! they are called, what is exported stays small.

mod count;
mod table;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::model::{CrashKind, PluginName, SendError, Version};
use crate::telemetry::SpanCounts;

pub(crate) use count::{Counter, Histogram};
pub use table::{METRICS, Metric, MetricKind};
pub(crate) use text::CONTENT_TYPE as METRICS_TYPE;

/// Versions of plugins that are told apart; what runs others counts together, as `other`.
const VERSIONS: usize = 500;
const OTHER: &str = "other";
/// Routes that are told apart. There are fewer.
const ROUTES: usize = 500;

/// All that is counted in a host.
#[derive(Debug)]
pub(crate) struct Metrics {
    began: Instant,
    versions: Mutex<BTreeMap<(String, String), Arc<OfVersion>>>,
    plugins: Mutex<BTreeMap<String, Arc<OfPlugin>>>,
    refused: [Counter; Reason::ALL.len()],
    dead_letters: Counter,
    routes: RwLock<BTreeMap<String, Arc<OfRoute>>>,
    hosts: OfHosts,
    /// Set where spans are exported.
    spans: OnceLock<Arc<SpanCounts>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            versions: Mutex::default(),
            plugins: Mutex::default(),
            refused: Default::default(),
            dead_letters: Counter::default(),
            routes: RwLock::default(),
            hosts: OfHosts::default(),
            spans: OnceLock::new(),
        }
    }
}

/// What is counted of all actors that run one version of a plugin.
#[derive(Debug)]
pub(crate) struct OfVersion {
    messages: [Counter; Outcome::ALL.len()],
    pub(crate) turn: Histogram,
    pub(crate) mailbox_wait: Histogram,
    pub(crate) commit: Histogram,
    pub(crate) commit_bytes: Counter,
    pub(crate) commit_failures: Counter,
    pub(crate) snapshot: Histogram,
    pub(crate) restarts: Counter,
    pub(crate) holds: Counter,
    pub(crate) sleeps: Counter,
    pub(crate) sleepless: Counter,
    crashes: [Counter; CRASH_KINDS.len()],
}

impl Default for OfVersion {
    fn default() -> Self {
        Self {
            messages: Default::default(),
            turn: Histogram::of_times(),
            mailbox_wait: Histogram::of_times(),
            commit: Histogram::of_times(),
            commit_bytes: Counter::default(),
            commit_failures: Counter::default(),
            snapshot: Histogram::of_sizes(),
            restarts: Counter::default(),
            holds: Counter::default(),
            sleeps: Counter::default(),
            sleepless: Counter::default(),
            crashes: Default::default(),
        }
    }
}

impl OfVersion {
    pub(crate) fn message(&self, outcome: Outcome) {
        self.messages[outcome as usize].one_more();
    }

    pub(crate) fn crash(&self, kind: CrashKind) {
        if let Some(at) = CRASH_KINDS.iter().position(|(known, _)| *known == kind) {
            self.crashes[at].one_more();
        }
    }
}

/// What became of a message that an actor took.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    Ok,
    /// The guest answered with a failure.
    Failed,
    Crashed,
    /// Its actor was told to end first.
    CutShort,
    /// It was handled before, and its sender got what it would have got then.
    Repeated,
}

impl Outcome {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Ok, "ok"),
        (Self::Failed, "failed"),
        (Self::Crashed, "crashed"),
        (Self::CutShort, "cut-short"),
        (Self::Repeated, "repeated"),
    ];
}

const CRASH_KINDS: [(CrashKind, &str); 7] = [
    (CrashKind::Trap, "trap"),
    (CrashKind::Timeout, "timeout"),
    (CrashKind::Limit, "limit"),
    (CrashKind::Contract, "contract"),
    (CrashKind::Fenced, "fenced"),
    (CrashKind::Store, "store"),
    (CrashKind::Linked, "linked"),
];

/// Why a message was not taken.
#[derive(Debug, Clone, Copy)]
enum Reason {
    UnknownActor,
    MailboxFull,
    TooLarge,
    Unavailable,
    Down,
    Held,
    Elsewhere,
}

impl Reason {
    const ALL: [(Self, &'static str); 7] = [
        (Self::UnknownActor, "unknown-actor"),
        (Self::MailboxFull, "mailbox-full"),
        (Self::TooLarge, "too-large"),
        (Self::Unavailable, "unavailable"),
        (Self::Down, "down"),
        (Self::Held, "held"),
        (Self::Elsewhere, "owned-elsewhere"),
    ];

    fn of(error: &SendError) -> Self {
        match error {
            SendError::UnknownActor(_) => Self::UnknownActor,
            SendError::MailboxFull { .. } => Self::MailboxFull,
            SendError::TooLarge { .. } => Self::TooLarge,
            SendError::Unavailable { .. } => Self::Unavailable,
            SendError::Down { .. } => Self::Down,
            SendError::Held { .. } => Self::Held,
            SendError::Elsewhere { .. } => Self::Elsewhere,
        }
    }
}

/// What is counted where hosts share a store.
#[derive(Debug, Default)]
pub(crate) struct OfHosts {
    pub(crate) renewals: Counter,
    pub(crate) failed_renewals: Counter,
    pub(crate) freezes: Counter,
    pub(crate) lost_leases: Counter,
    pub(crate) takeovers: Counter,
}

/// What is counted of a plugin, whatever its version.
#[derive(Debug)]
pub(crate) struct OfPlugin {
    swaps: [Counter; SWAP_OUTCOMES.len()],
    pub(crate) swap_pause: Histogram,
}

/// How swaps end, as `SwapOutcome` has it, in its order.
const SWAP_OUTCOMES: [&str; 4] = ["done", "refused", "went-back", "half-way"];

impl Default for OfPlugin {
    fn default() -> Self {
        Self { swaps: Default::default(), swap_pause: Histogram::of_times() }
    }
}

impl OfPlugin {
    /// A swap has ended: `outcome` as it is called in the API.
    pub(crate) fn swap(&self, outcome: &str) {
        if let Some(at) = SWAP_OUTCOMES.iter().position(|known| *known == outcome) {
            self.swaps[at].one_more();
        }
    }
}

/// What is counted of a route, for each method.
#[derive(Debug, Default)]
struct OfRoute([OfMethod; METHODS.len() + 1]);

/// Others count together, as `other`.
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
/// By the first digit of the status.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Debug)]
struct OfMethod {
    answers: [Counter; CLASSES.len()],
    took: Histogram,
}

impl Default for OfMethod {
    fn default() -> Self {
        Self { answers: Default::default(), took: Histogram::of_times() }
    }
}

impl Metrics {
    /// What is counted of a version: an instance asks for it once, and counts without a look at anything shared.
    pub(crate) fn of_version(&self, plugin: &PluginName, version: Option<&Version>) -> Arc<OfVersion> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (plugin.to_string(), version.map_or_else(String::new, ToString::to_string));
        let key = match versions.len() < VERSIONS || versions.contains_key(&key) {
            true => key,
            false => (OTHER.to_owned(), OTHER.to_owned()),
        };
        versions.entry(key).or_default().clone()
    }

    pub(crate) fn of_plugin(&self, plugin: &PluginName) -> Arc<OfPlugin> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        let key = match plugins.len() < VERSIONS || plugins.contains_key(plugin.as_str()) {
            true => plugin.as_str(),
            false => OTHER,
        };
        plugins.entry(key.to_owned()).or_default().clone()
    }

    /// A message was not taken.
    pub(crate) fn refused(&self, error: &SendError) {
        self.refused[Reason::of(error) as usize].one_more();
    }

    pub(crate) fn hosts(&self) -> &OfHosts {
        &self.hosts
    }

    pub(crate) fn dead_letter(&self) {
        self.dead_letters.one_more();
    }

    /// A request was answered. `route` is a pattern of the API's own.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route).cloned();
        let of_route = known.unwrap_or_else(|| {
            let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
            let key = if routes.len() < ROUTES { route } else { OTHER };
            routes.entry(key.to_owned()).or_default().clone()
        });
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len());
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        of_route.0[method].answers[class].one_more();
        of_route.0[method].took.time(took);
    }

    /// What becomes of spans is told as well.
    pub(crate) fn spans(&self, counts: Arc<SpanCounts>) {
        // A second exporter would be a mistake of the embedder's own; the first one stays.
        drop(self.spans.set(counts));
    }
}

/// What is read at a moment, beside what was counted: how things stand.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// How many actors of a plugin are in a phase.
    pub(crate) actors: BTreeMap<(String, String), u64>,
    pub(crate) plugins: BTreeMap<String, OfActors>,
    pub(crate) pools: Vec<Pool>,
    /// The store's name, how often it has failed, and whether it answers.
    pub(crate) store: (&'static str, u64, bool),
    /// Events that listeners missed.
    pub(crate) events_dropped: u64,
    /// Lines of the log that were not written.
    pub(crate) log_lines_dropped: u64,
    /// Whether the host is frozen.
    pub(crate) frozen: bool,
}

/// Sums over the actors of a plugin.
#[derive(Debug, Default)]
pub(crate) struct OfActors {
    pub(crate) waiting: u64,
    pub(crate) waiting_bytes: u64,
    pub(crate) memory_bytes: u64,
}

/// Something of which there is so much and no more.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: &'static str,
    pub(crate) used: u64,
    pub(crate) size: u64,
}

/// All numbers at one moment, as text.
pub(crate) fn exposition(metrics: &Arc<Metrics>, standing: Standing) -> String {
    text::encoded(text::Reading { metrics: metrics.clone(), standing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_versions_and_routes_there_are_what_is_told_stays_small() {
        let metrics = Arc::new(Metrics::default());
        let plugin = PluginName::new("p").expect("valid");
        for patch in 0..VERSIONS + 10 {
            let version = Version::new(&format!("1.0.{patch}")).expect("valid");
            metrics.of_version(&plugin, Some(&version)).message(Outcome::Ok);
        }
        (0..ROUTES + 10).for_each(|n| metrics.request("BREW", &n.to_string(), 418, Duration::ZERO));
        let text = exposition(&metrics, Standing::default());
        let with = |start: &str| text.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
        let messages = with("baton_messages_total{");
        assert_eq!(messages.len(), (VERSIONS + 1) * Outcome::ALL.len());
        let rest = r#"baton_messages_total{plugin="other",version="other",outcome="ok"} 10"#;
        assert!(messages.contains(&rest), "{}", messages.join("\n"));
        assert_eq!(with("baton_api_requests_total{").len(), ROUTES + 1);
        assert!(text.contains(r#"{method="other",route="other",status="4xx"} 10"#));
    }

    #[test]
    fn outcomes_and_reasons_stand_where_they_are_counted() {
        for (at, (outcome, _)) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at);
        }
        for (at, (reason, _)) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
    }
}
