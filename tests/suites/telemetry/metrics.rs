//! Numbers for Prometheus: well formed, true, and without a word about any one actor; and the pages that speak of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use baton_host::CallOptions;
use baton_host::swap::{SwapOptions, SwapSource};
use baton_host::telemetry::{METRICS, MetricKind};
use serde_json::{Value, json};

use super::collector::Collector;
use crate::cli::Place;
use crate::harness::{StoreDouble, WatGuest, actor, host, name, plugin, repository, until};

/// What a scrape says: each family's kind, and each sample's value by its name and labels as they stand.
#[derive(Debug, Default)]
struct Scrape {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
    /// The labels of each family, but for `le`.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Scrape {
    fn get(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples))
    }

    /// Reads the text format, and takes nothing that it does not allow: each family once, first what it is and its kind,
    /// then its samples and no others.
    fn read(text: &str) -> Self {
        let (mut scrape, mut family, mut helped) = (Self::default(), String::new(), String::new());
        assert!(text.ends_with('\n'), "the last line ends");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a name and words");
                assert!(!help.trim().is_empty() && !scrape.kinds.contains_key(name), "{line}");
                name.clone_into(&mut helped);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a kind");
                assert_eq!(name, helped, "what it is comes right before its kind");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(scrape.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
                name.clone_into(&mut family);
            } else {
                scrape.sample(line, &family);
            }
        }
        scrape.check_histograms();
        scrape
    }

    fn sample(&mut self, line: &str, family: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line:?}"));
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest));
        let of_histogram = ["_bucket", "_sum", "_count"].iter().any(|suffix| name.strip_suffix(suffix) == Some(family));
        let fits = if self.kinds[family] == "histogram" { of_histogram } else { name == family };
        assert!(fits, "{line:?} below {family}");
        let known = self.labels.entry(family.to_owned()).or_default();
        known.extend(names_of(labels, line).into_iter().filter(|label| label != "le"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
        assert!(value >= 0.0, "{line}");
        assert!(self.samples.insert(series.to_owned(), value).is_none(), "{series} comes twice");
    }

    /// The buckets of a histogram rise, and the last one holds all.
    fn check_histograms(&self) {
        let mut before: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        let mut buckets: Vec<_> = self.samples.iter().filter(|(series, _)| series.contains("_bucket{")).collect();
        let bound = |series: &str| {
            let (_, le) = series.split_once("le=\"").expect("a bucket has a bound");
            le.trim_end_matches(['}', '"']).parse::<f64>().expect("a number")
        };
        buckets.sort_by(|(one, _), (other, _)| bound(one).total_cmp(&bound(other)));
        for (series, count) in buckets {
            let (whose, _) = series.split_once("le=\"").expect("a bound");
            let entry = before.entry(whose.to_owned()).or_insert((-1.0, 0.0));
            assert!(bound(series) > entry.0 && *count >= entry.1, "{series}");
            *entry = (bound(series), *count);
        }
        for (whose, (last, all)) in before {
            let count = whose.trim_end_matches(['{', ',']).replace("_bucket", "_count");
            let count = if count.contains('{') { count + "}" } else { count };
            assert_eq!((last, all), (f64::INFINITY, self.get(&count)), "{whose}");
        }
    }
}

/// The names of labels that stand between braces.
fn names_of(labels: &str, line: &str) -> Vec<String> {
    let Some(mut rest) = labels.strip_suffix('}') else {
        assert!(labels.is_empty(), "braces that do not close: {line:?}");
        return Vec::new();
    };
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line:?}"));
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line:?}");
        names.push(name.to_owned());
        let mut escaped = false;
        let end = after.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        rest = &after[end.unwrap_or_else(|| panic!("a value that does not end: {line:?}")) + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    names
}

fn ask(place: &Place, request: &str, body: &str) -> (String, String) {
    let mut stream = UnixStream::connect(place.data("baton.sock")).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: host\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len())
        .unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    (head.to_lowercase(), body.to_owned())
}

fn scraped(place: &Place) -> (String, Scrape) {
    let (head, body) = ask(place, "GET /metrics", "");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4"), "{head}");
    let scrape = Scrape::read(&body);
    (body, scrape)
}

/// Actors whose names would break out of a label, if they were one.
const NAMES: [&str; 3] = ["<script>alert(1)</script>", "x\"} 1\\n# evil", "{le=\"+Inf\"}"];

/// A host of a guest that fails at `F` and traps at `!`, with an actor of each hostile name that commits each turn.
fn place() -> Place {
    place_with("")
}

fn place_with(telemetry: &str) -> Place {
    let guest = WatGuest::new("teller").version("1.4.0").when('!', "unreachable").when('F', "(return (call $failure))");
    let mut config = format!("instances = 50\n{telemetry}\n[[plugin]]\npath = \"teller.wasm\"\n");
    for name in NAMES {
        config += &format!("[[actor]]\nname = {name:?}\nplugin = \"teller\"\ndurability = \"turn\"\n");
    }
    let place = Place::new(&config);
    place.write("teller.wasm", &guest.build());
    place
}

#[test]
fn what_is_told_is_well_formed_and_what_was_done() {
    let place = place();
    let _host = place.host();
    for (name, word, code) in
        [(NAMES[0], "x", 0), (NAMES[0], "x", 0), (NAMES[1], "F", 1), (NAMES[2], "!", 1), ("phantom", "x", 1)]
    {
        assert_eq!(place.baton(&["call", name, word]).code, code, "{name} {word}");
    }
    // It runs again once it has answered this.
    assert_eq!(place.baton(&["call", NAMES[2], "x"]).code, 0);
    let (text, scrape) = scraped(&place);
    let of = |what: &str, more: &str| scrape.get(&format!("{what}{{plugin=\"teller\",version=\"1.4.0\"{more}}}"));
    let outcome = |name: &str| of("baton_messages_total", &format!(",outcome=\"{name}\""));
    assert_eq!(["ok", "failed", "crashed", "cut-short", "repeated"].map(outcome), [3.0, 1.0, 1.0, 0.0, 0.0]);
    assert_eq!((of("baton_turn_seconds_count", ""), of("baton_mailbox_wait_seconds_count", "")), (5.0, 5.0));
    assert_eq!((of("baton_crashes_total", ",kind=\"trap\""), of("baton_restarts_total", "")), (1.0, 1.0));
    // Each turn that went well, or failed, is one record of four bytes of state.
    assert_eq!((of("baton_snapshot_bytes_count", ""), of("baton_snapshot_bytes_sum", "")), (4.0, 16.0));
    assert!(of("baton_commit_bytes_total", "") > 16.0 && of("baton_commit_seconds_count", "") >= 4.0);
    assert_eq!(scrape.get("baton_refused_total{reason=\"unknown-actor\"}"), 1.0);
    assert_eq!(scrape.get("baton_dead_letters_total"), 1.0, "the message that crashed its actor");
    assert_eq!(scrape.get("baton_actors{plugin=\"teller\",phase=\"running\"}"), 3.0);
    let (instances, size) = ("baton_pool_used{pool=\"instances\"}", "baton_pool_size{pool=\"instances\"}");
    assert_eq!((scrape.get(instances), scrape.get(size)), (3.0, 50.0));
    assert_eq!(scrape.get("baton_store_available{store=\"sled\"}"), 1.0);
    assert!(scrape.get("baton_guest_memory_bytes{plugin=\"teller\"}") >= 3.0 * 65_536.0);
    let calls = |status: &str| {
        let route = "baton_api_requests_total{method=\"POST\",route=\"/v1/actors/{name}/call\"";
        scrape.get(&format!("{route},status=\"{status}\"}}"))
    };
    assert_eq!((calls("2xx"), calls("4xx") + calls("5xx")), (3.0, 3.0));

    // The next scrape tells of the one before, and all else stands as it did.
    let again = scraped(&place).1;
    assert_eq!(again.get("baton_api_requests_total{method=\"GET\",route=\"/metrics\",status=\"2xx\"}"), 1.0);
    for word in NAMES.iter().copied().chain(["script", "evil", "phantom"]) {
        assert!(!text.contains(word), "an actor's name is told: {word}");
    }
    for (name, kind) in &scrape.kinds {
        let known =
            METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is in no table"));
        assert!(name.starts_with("baton_") && name.ends_with("_total") == (kind == "counter"), "{name}");
        assert!(kind != "histogram" || name.ends_with("_seconds") || name.ends_with("_bytes"), "{name}");
        let labels: BTreeSet<&str> = scrape.labels.get(name).into_iter().flatten().map(String::as_str).collect();
        assert!(labels.is_subset(&known.labels.iter().copied().collect()), "{name}: {labels:?}");
    }
    assert_eq!(scrape.kinds.len(), METRICS.len(), "each is told of, also where there is nothing to tell yet");
}

#[tokio::test]
async fn swaps_and_their_pauses_holds_and_full_mailboxes_are_counted() {
    let version = |version: &str| WatGuest::new("cart").version(version);
    let mut spec = actor("cart/1", "cart");
    spec.limits.mailbox_messages = 1;
    let host = host().plugin_bytes("1.0.0", version("1.0.0").build()).actor(spec).build().await.unwrap();
    let name = name("cart/1");
    host.call(&name, "x", CallOptions::default()).await.unwrap();
    host.suspend(&name).await.unwrap();
    host.cast(&name, "x", None).unwrap();
    host.cast(&name, "x", None).unwrap_err();
    host.resume(&name).await.unwrap();
    let mut options = SwapOptions::default();
    (options.rehearsal, options.watch) = (None, Duration::ZERO);
    let swap = async |guest: &WatGuest| {
        let source = SwapSource::Bytes("another".into(), guest.build());
        host.swap(&plugin("cart"), source, options.clone()).await.unwrap().ended().await.unwrap()
    };
    assert_eq!(swap(&version("2.0.0")).await.switched, 1);
    let refuses = version("3.0.0").on("continue", "(return (call $refuse (i32.const 0)))");
    assert_eq!(swap(&refuses).await.failed, 1);
    let scrape = Scrape::read(&host.metrics());
    let swaps = |outcome: &str| scrape.get(&format!("baton_swaps_total{{plugin=\"cart\",outcome=\"{outcome}\"}}"));
    assert_eq!(["done", "went-back", "refused", "half-way"].map(swaps), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(scrape.get("baton_swap_pause_seconds_count{plugin=\"cart\"}"), 1.0);
    assert_eq!(scrape.get("baton_refused_total{reason=\"mailbox-full\"}"), 1.0);
    host.shutdown(None).await;

    // An actor whose state nobody can use.
    let store = StoreDouble::new();
    let on = |guest: &WatGuest| {
        let builder = crate::harness::host().store(store.clone()).plugin_bytes("guest", guest.build());
        builder.actor(actor("cart/1", "cart")).build()
    };
    let before = on(&version("1.0.0")).await.unwrap();
    before.call(&name, "x", CallOptions::default()).await.unwrap();
    assert!(before.shutdown(None).await.all_saved());
    let after = on(&refuses).await.unwrap();
    until("it is held", || after.actor(&name).is_some_and(|actor| actor.held.is_some())).await;
    let scrape = Scrape::read(&after.metrics());
    assert_eq!(scrape.get("baton_holds_total{plugin=\"cart\",version=\"3.0.0\"}"), 1.0);
    assert_eq!(scrape.get("baton_actors{plugin=\"cart\",phase=\"held\"}"), 1.0);
}

#[test]
fn a_path_that_leads_nowhere_is_no_route_of_its_own() {
    let place = place();
    let _host = place.host();
    for made_up in 0..3 {
        assert!(ask(&place, &format!("GET /made-up/{made_up}"), "").0.starts_with("http/1.1 404 "));
    }
    let (text, scrape) = scraped(&place);
    assert_eq!(scrape.get("baton_api_requests_total{method=\"GET\",route=\"(none)\",status=\"4xx\"}"), 3.0);
    assert!(!text.contains("made-up"), "{text}");
}

#[tokio::test]
async fn spans_that_no_collector_takes_are_counted() {
    let place = place_with(&format!("[telemetry]\notlp_endpoint = {:?}\nqueue_spans = 1", Collector::gone()));
    let _host = place.host();
    for _ in 0..5 {
        place.baton(&["call", NAMES[0], "x"]);
    }
    // Of each: the request, the call, the wait, the turn, its snapshot and its commit.
    until("all are dropped", || scraped(&place).1.get("baton_spans_dropped_total") >= 5.0 * 6.0).await;
    assert_eq!(scraped(&place).1.get("baton_spans_exported_total"), 0.0);
}

#[test]
fn the_book_lists_each_metric_as_it_is() {
    let page = fs::read_to_string(repository().join("docs/src/observability.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `baton_"))
        .map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    let expected: Vec<Vec<String>> = METRICS
        .iter()
        .map(|metric| {
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            let labels = labels.trim_matches('`').to_owned();
            vec![metric.name.to_owned(), kind.to_owned(), labels, metric.help.to_owned()]
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn the_dashboard_shows_metrics_that_there_are_and_most_of_them() {
    let board = fs::read_to_string(repository().join("docs/grafana/baton.json")).unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let panels = board["panels"].as_array().expect("panels");
    let mut shown = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != json!("row")) {
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        for target in panel["targets"].as_array().expect("what it shows") {
            shown.extend(metrics_in(target["expr"].as_str().expect("a query")));
        }
    }
    for variable in board["templating"]["list"].as_array().expect("variables") {
        shown.extend(metrics_in(variable["query"].as_str().unwrap_or_default()));
    }
    let known = |name: &&String| {
        METRICS.iter().any(|metric| {
            let part = name.strip_prefix(metric.name);
            let parts: &[&str] =
                if metric.kind == MetricKind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
            part.is_some_and(|part| parts.contains(&part))
        })
    };
    let unknown: Vec<&String> = shown.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let left: Vec<&str> = METRICS
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !shown.iter().any(|one| one.starts_with(name)))
        .collect();
    assert!(left.len() <= 2, "not shown: {left:?}");
}

/// The names that begin with `baton_` in a query.
fn metrics_in(query: &str) -> Vec<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("baton_")).map(str::to_owned).collect()
}
