//! What a swap led to outlives the host.

use std::path::Path;
use std::time::Duration;

use baton_host::model::Phase;
use baton_host::store::Backend;
use baton_host::swap::{Batch, SwapOutcome, SwapPhase, SwapSource};
use baton_host::{Host, HostError};

use super::numbers::{Counted, Whim, counted, message, new, old, spec};
use super::{at_once, of};
use crate::harness::{WatGuest, host, name, plugin, until};

const ACTORS: usize = 6;

async fn built(dir: &Path, backend: Backend, guest: &WatGuest) -> Result<Host, HostError> {
    let building = host().data_dir(dir).backend(backend).plugin_bytes("configured.wasm", guest.build());
    (0..ACTORS).fold(building, |building, n| building.actor(spec(n, Whim::None))).build().await
}

async fn up(dir: &Path, backend: Backend) -> Host {
    let host = built(dir, backend, &old()).await.unwrap();
    running(&host).await;
    host
}

async fn running(host: &Host) {
    until("all run", || host.actors().iter().all(|actor| actor.phase == Phase::Running)).await;
}

fn versions(host: &Host) -> Vec<String> {
    host.actors().iter().map(|actor| actor.version.as_ref().unwrap().to_string()).collect()
}

async fn say(host: &Host, number: u32) {
    for n in 0..ACTORS {
        host.call(&name(&format!("n/{n}")), message(0, number), baton_host::CallOptions::default()).await.unwrap();
    }
}

async fn all_said(host: &Host, last: u32) {
    for n in 0..ACTORS {
        assert_eq!(counted(host, n).await, Counted::expected(&[last]), "n/{n}");
    }
}

#[tokio::test]
async fn the_outcome_of_a_swap_stands_until_the_configuration_names_another_component() {
    for backend in [Backend::Sled, Backend::Redb] {
        let dir = tempfile::tempdir().unwrap();
        let host = up(dir.path(), backend).await;
        say(&host, 1).await;
        let report = host.swap(&plugin("numbers"), of(&new()), at_once()).await.unwrap().ended().await.unwrap();
        assert_eq!(report.outcome, SwapOutcome::Done);
        say(&host, 2).await;
        assert!(host.shutdown(None).await.all_saved());
        drop(host);

        let host = up(dir.path(), backend).await;
        assert_eq!(versions(&host), vec!["2.0.0"; ACTORS]);
        say(&host, 3).await;
        // And back, after the restart.
        let swap = host.swap(&plugin("numbers"), SwapSource::Back, at_once()).await.unwrap();
        assert_eq!(swap.ended().await.unwrap().outcome, SwapOutcome::Done);
        assert_eq!(versions(&host), vec!["1.0.0"; ACTORS]);
        let report = host.swap(&plugin("numbers"), of(&new()), at_once()).await.unwrap().ended().await.unwrap();
        assert_eq!(report.outcome, SwapOutcome::Done);
        assert!(host.shutdown(None).await.all_saved());
        drop(host);

        // Another component in the configuration.
        let host = built(dir.path(), backend, &new().version("4.0.0")).await.unwrap();
        running(&host).await;
        assert_eq!(versions(&host), vec!["4.0.0"; ACTORS]);
        all_said(&host, 3).await;
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn after_a_host_that_ended_half_way_each_actor_runs_what_its_record_names() {
    for (backend, forward) in [(Backend::Sled, true), (Backend::Redb, false)] {
        let dir = tempfile::tempdir().unwrap();
        let host = up(dir.path(), backend).await;
        say(&host, 1).await;
        let mut options = at_once();
        (options.batch, options.pause) = (Batch::Actors(2), Duration::from_secs(3_600));
        let swap = host.swap(&plugin("numbers"), of(&new()), options).await.unwrap();
        until("the first batch is done", || swap.status().phase == SwapPhase::Pausing).await;
        let before = versions(&host);
        assert_eq!(before.iter().filter(|version| *version == "2.0.0").count(), 2);
        assert!(host.shutdown(None).await.all_saved());
        drop((host, swap));

        let host = up(dir.path(), backend).await;
        assert_eq!(versions(&host), before);
        say(&host, 2).await;
        let (swap, last) = match forward {
            true => (host.swap(&plugin("numbers"), of(&new()), at_once()).await.unwrap(), "2.0.0"),
            false => (host.swap(&plugin("numbers"), SwapSource::Back, at_once()).await.unwrap(), "1.0.0"),
        };
        assert_eq!(swap.ended().await.unwrap().outcome, SwapOutcome::Done);
        assert_eq!(versions(&host), vec![last; ACTORS]);
        all_said(&host, 2).await;
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn a_component_that_was_kept_and_is_damaged_or_gone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let host = up(dir.path(), Backend::Sled).await;
    let report = host.swap(&plugin("numbers"), of(&new()), at_once()).await.unwrap().ended().await.unwrap();
    assert_eq!(report.outcome, SwapOutcome::Done);
    assert!(host.shutdown(None).await.all_saved());
    drop(host);
    let digest = baton_host::model::Digest::of(&new().build());
    let file = dir.path().join("plugins").join(format!("{digest}.wasm"));
    std::fs::write(&file, "damaged").unwrap();
    let error = built(dir.path(), Backend::Sled, &old()).await.unwrap_err().to_string();
    assert!(error.contains("is damaged") && error.contains(&digest.to_string()), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = built(dir.path(), Backend::Sled, &old()).await.unwrap_err().to_string();
    assert!(error.contains("was not kept"), "{error}");
    // With the file in its place again all is well.
    std::fs::write(&file, new().build()).unwrap();
    let host = up(dir.path(), Backend::Sled).await;
    assert_eq!(versions(&host), vec!["2.0.0"; ACTORS]);
    host.shutdown(None).await;
}
