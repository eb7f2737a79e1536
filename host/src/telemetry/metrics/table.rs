//! Which numbers there are.

use std::time::Instant;

use super::text::{Reading, Sample, Value};
use super::{
    CLASSES, CRASH_KINDS, METHODS, OTHER, OfActors, OfPlugin, OfVersion, Outcome, Pool, Reason, SWAP_OUTCOMES,
};

/// One metric that is exported.
#[derive(Debug)]
pub struct Metric {
    /// Its name, unit and `_total` included.
    pub name: &'static str,
    /// What kind it is.
    pub kind: MetricKind,
    /// Its labels. None is ever an actor's name, or a message's id.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    pub(super) read: fn(&Reading) -> Vec<Sample>,
}

/// Kinds of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only rises, from 0 at the host's start.
    Counter,
    /// How something stands.
    Gauge,
    /// How often something took how much.
    Histogram,
}

const BY_VERSION: &[&str] = &["plugin", "version"];

/// All metrics, in the order in which they are exported.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "baton_build_info",
        kind: MetricKind::Gauge,
        labels: &["version"],
        help: "1, with the version of the host",
        read: |_| vec![gauge([env!("CARGO_PKG_VERSION")], 1.0)],
    },
    Metric {
        name: "baton_uptime_seconds",
        kind: MetricKind::Gauge,
        labels: &[],
        help: "Since the host was started",
        read: |now| vec![gauge([], Instant::now().duration_since(now.metrics.began).as_secs_f64())],
    },
    Metric {
        name: "baton_actors",
        kind: MetricKind::Gauge,
        labels: &["plugin", "phase"],
        help: "Actors that run, are parked or stay down",
        read: |now| {
            let actors = now.standing.actors.iter();
            actors.map(|((plugin, phase), count)| gauge([plugin, phase], *count as f64)).collect()
        },
    },
    Metric {
        name: "baton_mailbox_messages",
        kind: MetricKind::Gauge,
        labels: &["plugin"],
        help: "Messages that wait in mailboxes",
        read: |now| of_actors(now, |sums| sums.waiting),
    },
    Metric {
        name: "baton_mailbox_bytes",
        kind: MetricKind::Gauge,
        labels: &["plugin"],
        help: "Bytes of messages that wait in mailboxes",
        read: |now| of_actors(now, |sums| sums.waiting_bytes),
    },
    Metric {
        name: "baton_messages_total",
        kind: MetricKind::Counter,
        labels: &["plugin", "version", "outcome"],
        help: "Messages that actors took from their mailboxes, by what became of them",
        read: |now| {
            each_version(now, |of, labels| {
                let outcomes = Outcome::ALL.into_iter();
                outcomes.map(|(outcome, name)| counter_of(labels, name, of.messages[outcome as usize].get())).collect()
            })
        },
    },
    Metric {
        name: "baton_turn_seconds",
        kind: MetricKind::Histogram,
        labels: BY_VERSION,
        help: "From when a message was taken from its mailbox until its reply could leave, its commit included",
        read: |now| each_version(now, |of, labels| vec![histogram(labels, &of.turn)]),
    },
    Metric {
        name: "baton_mailbox_wait_seconds",
        kind: MetricKind::Histogram,
        labels: BY_VERSION,
        help: "How long messages waited in mailboxes",
        read: |now| each_version(now, |of, labels| vec![histogram(labels, &of.mailbox_wait)]),
    },
    Metric {
        name: "baton_commit_seconds",
        kind: MetricKind::Histogram,
        labels: BY_VERSION,
        help: "How long durable writes took, those that waited for the store included",
        read: |now| each_version(now, |of, labels| vec![histogram(labels, &of.commit)]),
    },
    Metric {
        name: "baton_commit_bytes_total",
        kind: MetricKind::Counter,
        labels: BY_VERSION,
        help: "Bytes of records that were committed",
        read: |now| each_version(now, |of, labels| vec![counter(labels, of.commit_bytes.get())]),
    },
    Metric {
        name: "baton_commit_failures_total",
        kind: MetricKind::Counter,
        labels: BY_VERSION,
        help: "Durable writes that were given up",
        read: |now| each_version(now, |of, labels| vec![counter(labels, of.commit_failures.get())]),
    },
    Metric {
        name: "baton_snapshot_bytes",
        kind: MetricKind::Histogram,
        labels: BY_VERSION,
        help: "Sizes of states that were saved",
        read: |now| each_version(now, |of, labels| vec![histogram(labels, &of.snapshot)]),
    },
    Metric {
        name: "baton_restarts_total",
        kind: MetricKind::Counter,
        labels: BY_VERSION,
        help: "Actors that their supervisor started again",
        read: |now| each_version(now, |of, labels| vec![counter(labels, of.restarts.get())]),
    },
    Metric {
        name: "baton_crashes_total",
        kind: MetricKind::Counter,
        labels: &["plugin", "version", "kind"],
        help: "Instances that crashed, by how",
        read: |now| {
            each_version(now, |of, labels| {
                let kinds = CRASH_KINDS.iter().zip(&of.crashes);
                kinds.map(|((_, kind), count)| counter_of(labels, kind, count.get())).collect()
            })
        },
    },
    Metric {
        name: "baton_holds_total",
        kind: MetricKind::Counter,
        labels: BY_VERSION,
        help: "How often an actor was held since its state could not be used",
        read: |now| each_version(now, |of, labels| vec![counter(labels, of.holds.get())]),
    },
    Metric {
        name: "baton_sleeps_total",
        kind: MetricKind::Counter,
        labels: BY_VERSION,
        help: "Actors that were put to sleep",
        read: |now| each_version(now, |of, labels| vec![counter(labels, of.sleeps.get())]),
    },
    Metric {
        name: "baton_sleepless_total",
        kind: MetricKind::Counter,
        labels: BY_VERSION,
        help: "Actors that were to be put to sleep, and whose state could not be had or kept",
        read: |now| each_version(now, |of, labels| vec![counter(labels, of.sleepless.get())]),
    },
    Metric {
        name: "baton_dead_letters_total",
        kind: MetricKind::Counter,
        labels: &[],
        help: "Messages that nobody handled",
        read: |now| vec![counter([], now.metrics.dead_letters.get())],
    },
    Metric {
        name: "baton_refused_total",
        kind: MetricKind::Counter,
        labels: &["reason"],
        help: "Messages that no mailbox took, each try of a durable sender by itself",
        read: |now| {
            let reasons = Reason::ALL.into_iter();
            reasons.map(|(reason, name)| counter([name], now.metrics.refused[reason as usize].get())).collect()
        },
    },
    Metric {
        name: "baton_swaps_total",
        kind: MetricKind::Counter,
        labels: &["plugin", "outcome"],
        help: "Swaps that have ended",
        read: |now| {
            each_plugin(now, |of, plugin| {
                let outcomes = SWAP_OUTCOMES.iter().zip(&of.swaps);
                outcomes.map(|(outcome, count)| counter([plugin, *outcome], count.get())).collect()
            })
        },
    },
    Metric {
        name: "baton_swap_pause_seconds",
        kind: MetricKind::Histogram,
        labels: &["plugin"],
        help: "How long messages of an actor waited while it was switched",
        read: |now| each_plugin(now, |of, plugin| vec![histogram([plugin], &of.swap_pause)]),
    },
    Metric {
        name: "baton_store_failures_total",
        kind: MetricKind::Counter,
        labels: &["store"],
        help: "How often the store failed and had to be opened again",
        read: |now| vec![counter([now.standing.store.0], now.standing.store.1)],
    },
    Metric {
        name: "baton_store_available",
        kind: MetricKind::Gauge,
        labels: &["store"],
        help: "1 as long as the store answers, else 0",
        read: |now| vec![gauge([now.standing.store.0], if now.standing.store.2 { 1.0 } else { 0.0 })],
    },
    Metric {
        name: "baton_host_frozen",
        kind: MetricKind::Gauge,
        labels: &[],
        help: "1 while the host's lease on a store that it shares is not renewed in time, or is none, else 0",
        read: |now| vec![gauge([], if now.standing.frozen { 1.0 } else { 0.0 })],
    },
    Metric {
        name: "baton_host_freezes_total",
        kind: MetricKind::Counter,
        labels: &[],
        help: "How often the host was frozen",
        read: |now| vec![counter([], now.metrics.hosts.freezes.get())],
    },
    Metric {
        name: "baton_lease_renewals_total",
        kind: MetricKind::Counter,
        labels: &["outcome"],
        help: "Renewals of the host's lease on a store that it shares",
        read: |now| {
            let hosts = &now.metrics.hosts;
            vec![counter(["ok"], hosts.renewals.get()), counter(["failed"], hosts.failed_renewals.get())]
        },
    },
    Metric {
        name: "baton_leases_lost_total",
        kind: MetricKind::Counter,
        labels: &[],
        help: "How often that lease ended, and all actors were stopped with it",
        read: |now| vec![counter([], now.metrics.hosts.lost_leases.get())],
    },
    Metric {
        name: "baton_takeovers_total",
        kind: MetricKind::Counter,
        labels: &[],
        help: "Actors that were taken over from hosts that are gone",
        read: |now| vec![counter([], now.metrics.hosts.takeovers.get())],
    },
    Metric {
        name: "baton_guest_memory_bytes",
        kind: MetricKind::Gauge,
        labels: &["plugin"],
        help: "Linear memory of instances after their last turns",
        read: |now| of_actors(now, |sums| sums.memory_bytes),
    },
    Metric {
        name: "baton_pool_used",
        kind: MetricKind::Gauge,
        labels: &["pool"],
        help: "What of a pool is in use",
        read: |now| of_pools(now, |pool| pool.used),
    },
    Metric {
        name: "baton_pool_size",
        kind: MetricKind::Gauge,
        labels: &["pool"],
        help: "What a pool has",
        read: |now| of_pools(now, |pool| pool.size),
    },
    Metric {
        name: "baton_events_dropped_total",
        kind: MetricKind::Counter,
        labels: &[],
        help: "Events that listeners missed, as more had followed than are kept, each listener by itself",
        read: |now| vec![counter([], now.standing.events_dropped)],
    },
    Metric {
        name: "baton_log_lines_dropped_total",
        kind: MetricKind::Counter,
        labels: &[],
        help: "Lines of the log that were not written, as nobody read them in time",
        read: |now| vec![counter([], now.standing.log_lines_dropped)],
    },
    Metric {
        name: "baton_spans_exported_total",
        kind: MetricKind::Counter,
        labels: &[],
        help: "Spans that the collector took",
        read: |now| vec![counter([], now.metrics.spans.get().map_or(0, |spans| spans.exported()))],
    },
    Metric {
        name: "baton_spans_dropped_total",
        kind: MetricKind::Counter,
        labels: &[],
        help: "Spans that found the queue full, or no collector that took them",
        read: |now| vec![counter([], now.metrics.spans.get().map_or(0, |spans| spans.dropped()))],
    },
    Metric {
        name: "baton_api_requests_total",
        kind: MetricKind::Counter,
        labels: &["method", "route", "status"],
        help: "Requests that were answered, by the route's pattern and the class of the status",
        read: |now| {
            let mut samples = Vec::new();
            each_route(now, |method, route, of| {
                let answers = CLASSES.iter().zip(&of.answers).filter(|(_, count)| count.get() > 0);
                samples.extend(answers.map(|(class, count)| counter([method, route, *class], count.get())));
            });
            samples
        },
    },
    Metric {
        name: "baton_api_request_seconds",
        kind: MetricKind::Histogram,
        labels: &["method", "route"],
        help: "From a request's head until its answer's",
        read: |now| {
            let mut samples = Vec::new();
            each_route(now, |method, route, of| samples.push(histogram([method, route], &of.took)));
            samples
        },
    },
];

fn texts<const N: usize>(labels: [&str; N]) -> Vec<String> {
    labels.map(str::to_owned).into()
}

fn counter<const N: usize>(labels: [&str; N], count: u64) -> Sample {
    Sample { labels: texts(labels), value: Value::Counter(count) }
}

fn counter_of([plugin, version]: [&str; 2], third: &str, count: u64) -> Sample {
    counter([plugin, version, third], count)
}

fn gauge<const N: usize>(labels: [&str; N], value: f64) -> Sample {
    Sample { labels: texts(labels), value: Value::Gauge(value) }
}

fn histogram<const N: usize>(labels: [&str; N], of: &super::Histogram) -> Sample {
    Sample { labels: texts(labels), value: Value::Histogram(of.read()) }
}

fn of_actors(now: &Reading, sum: fn(&OfActors) -> u64) -> Vec<Sample> {
    now.standing.plugins.iter().map(|(plugin, sums)| gauge([plugin], sum(sums) as f64)).collect()
}

fn of_pools(now: &Reading, what: fn(&Pool) -> u64) -> Vec<Sample> {
    now.standing.pools.iter().map(|pool| gauge([pool.name], what(pool) as f64)).collect()
}

fn each_version(now: &Reading, read: impl Fn(&OfVersion, [&str; 2]) -> Vec<Sample>) -> Vec<Sample> {
    let versions = now.metrics.versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    versions.iter().flat_map(|((plugin, version), of)| read(of, [plugin, version])).collect()
}

fn each_plugin(now: &Reading, read: impl Fn(&OfPlugin, &str) -> Vec<Sample>) -> Vec<Sample> {
    let plugins = now.metrics.plugins.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    plugins.iter().flat_map(|(plugin, of)| read(of, plugin)).collect()
}

/// Each method that a route was asked by.
fn each_route(now: &Reading, mut read: impl FnMut(&str, &str, &super::OfMethod)) {
    let routes = now.metrics.routes.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (route, of_route) in routes.iter() {
        for (method, of) in METHODS.iter().copied().chain([OTHER]).zip(&of_route.0) {
            if of.answers.iter().any(|count| count.get() > 0) {
                read(method, route, of);
            }
        }
    }
}
