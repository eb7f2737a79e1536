//! Servers that die and stop, and ways to them on which answers are lost.

use super::*;
use crate::harness::servers::{Proxy, Weather, did_not_run};

on_each! {
    what_was_acknowledged_survives_that_the_server_is_killed
    a_server_that_stops_is_not_waited_for
    an_answer_that_is_lost_is_settled_by_the_head
    connections_that_are_cut_are_made_again
    without_room_nothing_that_was_acknowledged_is_lost
}

/// Times that the server is killed.
const KILLS: u64 = 4;
/// Bytes of a state that is more than all else that is asked.
const LARGE_BYTES: usize = 40_000;
/// Who writes at once.
const WRITERS: u64 = 4;

async fn what_was_acknowledged_survives_that_the_server_is_killed(kind: ServerKind) {
    let Some(mut server) = Server::start(kind) else { return };
    let store = open(&server.url("kills")).await;
    join(&*store, "host-a").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (told, mut heard) = tokio::sync::mpsc::channel(64);
    let mut writers = Vec::new();
    for n in 0..WRITERS {
        let mut counter = Counter::new(&store, &name(&format!("counter/{n}"))).await;
        let (stopped, told) = (stopped.clone(), told.clone());
        writers.push(tokio::spawn(async move {
            while !*stopped.borrow() {
                match counter.count().await {
                    Ok(()) => {
                        let _ = told.try_send(());
                    }
                    Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            counter
        }));
    }
    for _ in 0..KILLS {
        // In the middle of commits: some have been acknowledged since it came back, and others are on their way.
        while heard.try_recv().is_ok() {}
        for _ in 0..20 {
            heard.recv().await.expect("they write");
        }
        server.kill();
        until("it is seen that the server is gone", || async { store.trouble() }).await;
        server.restart();
        answers(&store).await;
    }
    stop.send_replace(true);
    for writer in writers {
        let counter = writer.await.expect("it ends");
        assert!(counter.acknowledged > 0);
        counter.check(&store).await;
    }
    assert!(store.failures() >= KILLS, "each is counted: {}", store.failures());
    assert_eq!(store.trouble(), None);
}

async fn a_server_that_stops_is_not_waited_for(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let store = open(&server.url("stops")).await;
    join(&*store, "host-a").await;
    let mut counter = Counter::new(&store, &name("a")).await;
    counter.count().await.expect("counts");
    server.pause();
    let mut lease = counter.lease.clone();
    let asked = tokio::time::timeout(PATIENCE, store.commit(&mut lease, record(vec![0; 8]))).await;
    let refused = asked.expect("it answers by itself");
    assert!(matches!(refused, Err(StoreError::Unavailable(_) | StoreError::Unknown(_))), "{refused:?}");
    let trouble = store.trouble().expect("it says so");
    assert!(trouble.starts_with(&shown(&server)), "{trouble}");
    // From now on nobody waits at all.
    for _ in 0..100 {
        let asked = store.head(&name("a")).await;
        assert!(matches!(asked, Err(StoreError::Unavailable(_))), "{asked:?}");
    }
    server.resume();
    answers(&store).await;
    until("it counts again", || async { Some(()) }).await;
    let (head, revision) = store.head(&name("a")).await.expect("answers").expect("a head");
    (counter.lease.head, counter.lease.revision) = (head, revision);
    // What the server was asked while it stood still may come to it late: whichever is second meets a conflict.
    while let Err(error) = counter.count().await {
        assert!(!matches!(error, StoreError::Corrupt(_) | StoreError::TooLarge { .. }), "{error}");
    }
    assert_eq!(store.trouble(), None);
}

/// The beginning of what is told of this server.
fn shown(server: &Server) -> String {
    let url: baton_host::store::StoreUrl = server.url("stops").parse().expect("a URL");
    url.to_string()
}

async fn an_answer_that_is_lost_is_settled_by_the_head(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let proxy = Proxy::to(server.port());
    let store = open(&server.url_by(proxy.port(), "lost")).await;
    let direct = open(&server.url("lost")).await;
    join(&*store, "host-a").await;
    let mut counter = Counter::new(&store, &name("a")).await;
    counter.count().await.expect("counts");
    // Pieces of answers that arrive; and those that do once the record has come to the server, up to that of a commit.
    let late = (0..6).map(|pieces| Weather::AnswersLostOnceAsked(LARGE_BYTES, pieces));
    let weathers = (0..12).map(Weather::AnswersLostAfter).chain(late);
    for weather in weathers {
        proxy.set(weather);
        let mut lease = counter.lease.clone();
        let mut data = (counter.acknowledged + 1).to_le_bytes().to_vec();
        data.resize(LARGE_BYTES, 0);
        let asked = store.commit(&mut lease, record(data)).await;
        proxy.set(Weather::Clear);
        answers(&store).await;
        match asked {
            Ok(_) => {
                counter.lease = lease;
                counter.acknowledged += 1;
            }
            Err(error @ StoreError::Unknown(_)) => {
                counter.settle(&error).await;
            }
            // It says for sure that nothing took place.
            Err(StoreError::Unavailable(_)) => {
                let head = direct.head(&name("a")).await.expect("answers").expect("a head").0;
                assert_eq!(head, counter.lease.head);
            }
            Err(error) => panic!("{error}"),
        }
        counter.check(&direct).await;
    }
    assert!(counter.settled.0 > 0, "some took place and were not told: {:?}", counter.settled);
    // Once the server is known to be away, nothing comes to it, and nobody is in doubt.
    proxy.set(Weather::Cut);
    store.list(None, 1).await.expect_err("nothing goes through");
    let asked = store.commit(&mut counter.lease.clone(), record(vec![0; 8])).await;
    assert!(matches!(asked, Err(StoreError::Unavailable(_))), "{asked:?}");
    counter.check(&direct).await;
}

async fn connections_that_are_cut_are_made_again(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let proxy = Proxy::to(server.port());
    let store = open(&server.url_by(proxy.port(), "cut")).await;
    join(&*store, "host-a").await;
    let mut counter = Counter::new(&store, &name("a")).await;
    for weather in [Weather::Cut, Weather::Truncated(3), Weather::AnswersLost, Weather::Silent] {
        counter.count().await.expect("counts");
        proxy.set(weather);
        let failed = counter_fails(&mut counter, &proxy).await;
        assert!(matches!(failed, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{weather:?}: {failed}");
        answers(&store).await;
        counter.check(&store).await;
    }
    counter.count().await.expect("counts");
}

/// Counts in bad weather; it is clear again before anything is settled.
async fn counter_fails(counter: &mut Counter, proxy: &Proxy) -> StoreError {
    let mut lease = counter.lease.clone();
    let next = counter.acknowledged + 1;
    let failed =
        counter.store.commit(&mut lease, record(next.to_le_bytes().to_vec())).await.expect_err("it is out of reach");
    proxy.set(Weather::Clear);
    if matches!(failed, StoreError::Unknown(_)) {
        counter.settle(&failed).await;
    }
    failed
}

/// A file system of so many MiB, as only root can make one; gone when it is dropped.
struct Small(Option<tempfile::TempDir>);

impl Small {
    fn new(mib: u32) -> Option<(Self, tempfile::TempDir)> {
        let outer = tempfile::tempdir().expect("a directory");
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(outer.path());
        let mounted = mount.output().expect("mount, of util-linux, can be run");
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr).trim().to_owned();
            did_not_run(&format!("did not run: no small file system can be mounted here, which takes root: {why}"));
            return None;
        }
        std::fs::set_permissions(outer.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("opens it");
        let inner = tempfile::tempdir_in(outer.path()).expect("a directory");
        Some((Self(Some(outer)), inner))
    }

    /// Fills all that is free, and gives the file that does.
    fn fill(&self) -> std::path::PathBuf {
        use std::io::Write as _;
        let path = self.0.as_ref().expect("it is there").path().join("ballast");
        let mut file = std::fs::File::create(&path).expect("makes");
        let piece = vec![0u8; 4 << 10];
        while file.write_all(&piece).is_ok() {}
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        if let Some(dir) = self.0.take() {
            drop(std::process::Command::new("umount").arg("-l").arg(dir.path()).status());
        }
    }
}

async fn without_room_nothing_that_was_acknowledged_is_lost(kind: ServerKind) {
    if !kind.is_here() {
        return;
    }
    let Some((small, dir)) = Small::new(400) else { return };
    let Some(mut server) = Server::start_in(kind, &[], dir) else { return };
    let store = open(&server.url("full")).await;
    join(&*store, "host-a").await;
    let mut counter = Counter::new(&store, &name("a")).await;
    counter.count().await.expect("counts");
    let ballast = small.fill();
    // Large ones, so that what the server has set aside is used up.
    let mut large = claim(&*store, &name("large"), "host-a").await;
    let failed = until("there is no room", || {
        let (store, mut lease) = (store.clone(), large.clone());
        async move {
            let outcome = store.commit(&mut lease, record(vec![1; 1 << 20])).await;
            if outcome.is_err() {
                return Some((outcome.map(drop), lease));
            }
            Some((Ok(()), lease))
        }
    });
    let (mut outcome, lease) = failed.await;
    large = lease;
    let began = Instant::now();
    while outcome.is_ok() {
        assert!(began.elapsed() < PATIENCE, "there is always room");
        outcome = store.commit(&mut large, record(vec![1; 1 << 20])).await.map(drop);
    }
    let failed = outcome.expect_err("no room");
    assert!(matches!(failed, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{failed}");
    std::fs::remove_file(ballast).expect("removes");
    // Some servers end where their log has no room: as after a crash, they go on with what they have acknowledged.
    if server.has_ended() {
        server.restart();
    }
    answers(&store).await;
    counter.check(&store).await;
    let began = Instant::now();
    while let Err(error) = counter.count().await {
        assert!(began.elapsed() < PATIENCE, "it goes on: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    counter.check(&store).await;
}
