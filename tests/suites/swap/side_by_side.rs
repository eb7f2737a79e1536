//! Several versions at once: pins and canaries, and code that nobody runs any more.

use baton_host::Host;
use baton_host::model::{Part, Version};
use baton_host::swap::{SwapOptions, SwapOutcome, SwapSource};

use super::numbers::{Whim, new, old, spec};
use super::{at_once, of};
use crate::harness::{WatGuest, host, name, plugin};

async fn crowd(count: usize) -> Host {
    let building = host().plugin_bytes("old.wasm", old().build());
    (0..count).fold(building, |building, n| building.actor(spec(n, Whim::None))).build().await.unwrap()
}

fn newer_ones(host: &Host) -> usize {
    host.actors().iter().filter(|actor| actor.version.as_ref().unwrap().as_str() == "2.0.0").count()
}

fn canary(part: &str) -> SwapOptions {
    let mut options = at_once();
    options.part = Part::new(part).unwrap();
    options
}

async fn carried_out(host: &Host, guest: &WatGuest, options: SwapOptions) -> SwapOutcome {
    let report = host.swap(&plugin("numbers"), of(guest), options).await.unwrap().ended().await.unwrap();
    report.outcome
}

#[tokio::test]
async fn an_actor_that_is_pinned_stays_with_its_version() {
    let mut pinned = spec(0, Whim::None);
    pinned.version = Some(Version::new("1.0.0").unwrap());
    let building = host().plugin_bytes("old.wasm", old().build()).plugin_bytes("new.wasm", new().build());
    let host = building.actor(pinned).actor(spec(1, Whim::None)).build().await.unwrap();
    let version = |n: usize| host.actor(&name(&format!("n/{n}"))).unwrap().version.unwrap().to_string();
    assert_eq!((version(0).as_str(), version(1).as_str()), ("1.0.0", "2.0.0"));
    let newest = new().version("4.0.0");
    assert_eq!(carried_out(&host, &newest, at_once()).await, SwapOutcome::Done);
    assert_eq!((version(0).as_str(), version(1).as_str()), ("1.0.0", "4.0.0"));
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_canary_comes_before_the_rest_and_goes_back_alone() {
    for part in ["30%", "n/1*"] {
        let host = crowd(40).await;
        assert_eq!(carried_out(&host, &new(), canary(part)).await, SwapOutcome::Done);
        let canaries = newer_ones(&host);
        assert!(canaries > 0 && canaries < 40, "{part}: {canaries}");
        assert_eq!(host.plugins().len(), 2);
        // Back, and there again; then the rest.
        let swap = host.swap(&plugin("numbers"), SwapSource::Back, at_once()).await.unwrap();
        assert_eq!(swap.ended().await.unwrap().outcome, SwapOutcome::Done);
        assert_eq!((newer_ones(&host), host.plugins().len()), (0, 1));
        assert_eq!(carried_out(&host, &new(), canary(part)).await, SwapOutcome::Done);
        assert_eq!(newer_ones(&host), canaries);
        assert_eq!(carried_out(&host, &new(), at_once()).await, SwapOutcome::Done);
        assert_eq!((newer_ones(&host), host.plugins().len()), (40, 1));
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn the_same_version_number_with_other_code_is_another_version() {
    let host = crowd(3).await;
    let other = old().with("(func $nothing)");
    let plan = host.plan_swap(&plugin("numbers"), of(&other), &at_once()).await.unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("told apart by their digests")), "{plan:?}");
    assert_eq!(carried_out(&host, &other, at_once()).await, SwapOutcome::Done);
    assert!(host.actors().iter().all(|actor| actor.generation == 2));
    let error = host.swap(&plugin("numbers"), of(&other), at_once()).await.unwrap_err().to_string();
    assert!(error.contains("already"), "{error}");
    host.shutdown(None).await;
}

/// Bytes of executable memory without a file behind it, or with one that code was mapped from.
#[cfg(target_os = "linux")]
fn code_bytes() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let executable = maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.contains('x')));
    let sizes = executable.map(|line| {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        usize::from_str_radix(to, 16).unwrap() - usize::from_str_radix(from, 16).unwrap()
    });
    sizes.sum()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn code_that_nobody_runs_gives_its_memory_back() {
    // Some hundred kilobytes of code for each.
    let bulk: String = (0..2_000)
        .map(|n| {
            let steps: String = (0..20)
                .map(|k| {
                    format!(
                        "(i32.store (i32.const {}) (i32.mul (i32.load (i32.const {})) (i32.const {k})))",
                        4 * k,
                        4 * k + n % 64
                    )
                })
                .collect();
            format!("(func $bulk{n} (export \"b{n}\") {steps})\n")
        })
        .collect();
    let (one, other) = (new().version("5.0.0").with(&bulk), new().version("6.0.0").with(&bulk));
    let host = crowd(2).await;
    let plain = code_bytes();
    assert_eq!(carried_out(&host, &one, at_once()).await, SwapOutcome::Done);
    let loaded = code_bytes();
    assert!(loaded > plain + 200_000, "{plain} and {loaded}");
    for n in 0..30 {
        let guest = if n % 2 == 0 { &other } else { &one };
        assert_eq!(carried_out(&host, guest, at_once()).await, SwapOutcome::Done);
    }
    assert_eq!(carried_out(&host, &old(), at_once()).await, SwapOutcome::Done);
    let after = code_bytes();
    println!("code: {plain} bytes at first, {loaded} with the large one, {after} after 32 swaps");
    // Other tests of this process may load code meanwhile, where it runs several.
    assert!(after < loaded, "{plain}, {loaded}, {after}");
    assert_eq!(host.plugins().len(), 1);
    host.shutdown(None).await;
}
